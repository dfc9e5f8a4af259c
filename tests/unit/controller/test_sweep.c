/* Sweeps over a small fleet: real store, rules and passes; Azure is a table of accounts that counts how it is read. */
#include "unit.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/sweep.h"

#include <stdio.h>
#include <string.h>

#define SUBSCRIPTION "00000000-0000-0000-0000-000000000001"
#define KEY "https://contoso.vault.azure.net/keys/cosmos"
#define OTHER_KEY "https://contoso.vault.azure.net/keys/other"
#define CONFIRMED "Access to the configured customer managed key confirmed."
#define MAX 12

struct account {
    char *id;
    const char *key;        /* NULL: none */
    const char *cmk_status; /* as Azure says it */
    bool unlisted;
};

struct rig {
    struct ports ports;
    struct reconciler reconciler;
    struct store *store;
    struct sweep *sweep;
    struct account accounts[MAX];
    size_t n;
    size_t reads, lists, writes;
    bool list_fails;
    struct map asked; /* keys for which a pass was asked */
    int64_t now;
    int64_t version;
};

static struct cmk_account account_of(const struct account *a)
{
    return (struct cmk_account){.name = xstrdup(strrchr(a->id, '/') + 1),
        .provisioning_state = xstrdup("Succeeded"),
        .key_uri = a->key ? xstrdup(a->key) : NULL,
        .cmk_status = xstrdup(a->cmk_status)};
}

static int read_account(void *ctx, const char *account_id, struct cmk_account *ret, struct err *err)
{
    struct rig *rig = ctx;

    rig->reads++;
    for (size_t i = 0; i < rig->n; i++)
        if (str_eq_nocase(rig->accounts[i].id, account_id)) {
            *ret = account_of(&rig->accounts[i]);
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "there is no such account");
}

static int list_accounts(void *ctx, const char *subscription,
    void (*on_account)(void *data, const char *account_id, struct cmk_account *account), void *data, struct err *err)
{
    struct rig *rig = ctx;

    rig->lists++;
    assert_string_equal(subscription, SUBSCRIPTION);
    if (rig->list_fails)
        return err_set(err, ERR_FORBIDDEN, "as told");
    for (size_t i = 0; i < rig->n; i++) {
        struct cmk_account account = account_of(&rig->accounts[i]);
        if (!rig->accounts[i].unlisted)
            on_account(data, rig->accounts[i].id, &account);
        cmk_account_done(&account);
    }
    return 0;
}

static int gather(
    void *ctx _unused_, const struct cmk_view *view _unused_, struct cmk_evidence *ret _unused_, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "not part of this test");
}

static int write_status(void *ctx, const struct cmk_resource *resource, const char *resource_version _unused_,
    const struct cmk_status *status, char **ret_version, struct err *err _unused_)
{
    struct rig *rig = ctx;
    struct cmk_resource written = {.ns = xstrdup(resource->ns),
        .name = xstrdup(resource->name),
        .uid = xstrdup(resource->uid),
        .generation = resource->generation,
        .created_at = resource->created_at,
        .spec = {.account_id = xstrdup(resource->spec.account_id), .key_uri = xstrdup(resource->spec.key_uri)}};

    rig->writes++;
    cmk_status_copy(&written.status, status);
    *ret_version = xasprintf("%lld", (long long)++rig->version);
    written.resource_version = xstrdup(*ret_version);
    store_learn(rig->store, &written);
    return 0;
}

static bool holds_lease(void *ctx)
{
    return ctx != NULL;
}

static int64_t now_ms(void *ctx)
{
    return ((struct rig *)ctx)->now;
}

static int64_t uptime_ms(void *ctx)
{
    return ((struct rig *)ctx)->now;
}

static void enqueue(void *ctx, const char *key)
{
    struct rig *rig = ctx;

    (void)map_set(&rig->asked, key, rig);
}

static void add_resource(struct rig *rig, size_t i)
{
    struct cmk_resource resource = {.ns = xstrdup("shop"),
        .name = xasprintf("r%zu", i),
        .uid = xasprintf("uid-%zu", i),
        .resource_version = xasprintf("%lld", (long long)++rig->version),
        .generation = 1,
        .created_at = 5,
        .spec = {.account_id = xstrdup(rig->accounts[i].id), .key_uri = xstrdup(KEY)}};

    (void)store_put(rig->store, &resource);
}

/* n resources, each Ready, by a pass of its own. */
static struct rig *rig_new(size_t n)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));

    log_setup(LOG_ERROR + 1, LOG_JSON);
    rig->now = 1772438400000LL;
    rig->store = store_new();
    rig->ports = (struct ports){
        .azure = {.ctx = rig, .read_account = read_account, .list_accounts = list_accounts, .gather = gather},
        .kube = {.ctx = rig, .write_status = write_status},
        .world = {.ctx = rig, .now_ms = now_ms, .uptime_ms = uptime_ms, .holds_lease = holds_lease}};
    rig->reconciler = (struct reconciler){
        .ports = &rig->ports, .options = &cmk_default_options, .store = rig->store, .covers = sweep_covers};
    const struct sweep_options options = {.reconciler = &rig->reconciler, .enqueue = enqueue, .ctx = rig};
    rig->sweep = rig->reconciler.covers_ctx = sweep_new(&options);
    rig->n = n;
    for (size_t i = 0; i < n; i++) {
        _cleanup_(freep) char *key = xasprintf("shop/r%zu", i);
        rig->accounts[i] = (struct account){.id = xasprintf("/subscriptions/" SUBSCRIPTION "/resourceGroups/shop/"
                                                            "providers/Microsoft.DocumentDB/databaseAccounts/orders%zu",
                                                i),
            .key = KEY,
            .cmk_status = CONFIRMED};
        add_resource(rig, i);
        assert_string_equal(reconcile(&rig->reconciler, key).rule, "encrypted");
    }
    rig->reads = rig->writes = 0;
    return rig;
}

static struct rig *rig_free(struct rig *rig)
{
    sweep_free(rig->sweep);
    store_free(rig->store);
    for (size_t i = 0; i < rig->n; i++)
        free(rig->accounts[i].id);
    map_done(&rig->asked);
    free(rig);
    return NULL;
}
DEFINE_CLEANUP(struct rig *, rig_free)

static bool asked(const struct rig *rig, const char *key)
{
    return map_get(&rig->asked, key) != NULL;
}

/* ---- the tests ---- */

static void a_list_confirms_every_settled_resource_and_nothing_else_is_read_or_written(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(10);
    struct sweep_result result = sweep_round(rig->sweep);

    assert_int_equal(result.settled, 10);
    assert_int_equal(result.confirmed, 10);
    assert_int_equal(result.queued, 0);
    assert_int_equal(rig->lists, 1);
    assert_int_equal(rig->reads, 0);
    assert_int_equal(rig->writes, 0);
}

static void what_a_list_shows_changed_gets_a_pass_of_its_own(void **state _unused_)
{
    static const struct {
        const char *what;
        const char *key, *cmk_status;
        bool unlisted;
        const char *rule; /* that ends the pass */
    } rows[] = {
        {"another key", OTHER_KEY, CONFIRMED, false, "evidence-unreadable"},
        {"no key", NULL, NULL, false, "evidence-unreadable"},
        {"a key that was revoked", KEY, "Access to your account is currently revoked (4003).", false, "key-revoked"},
        {"not in the list", KEY, CONFIRMED, true, "encrypted"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_freep) struct rig *rig = rig_new(10);
        (void)sweep_round(rig->sweep);
        rig->accounts[3].key = rows[i].key;
        rig->accounts[3].cmk_status = rows[i].cmk_status;
        rig->accounts[3].unlisted = rows[i].unlisted;
        struct sweep_result result = sweep_round(rig->sweep);
        assert_int_equal(result.confirmed, 9);
        assert_int_equal(result.queued, 1);
        assert_true(asked(rig, "shop/r3"));
        assert_int_equal(rig->reads, 0);
        assert_int_equal(rig->writes, 0); /* only the pass may */
        assert_string_equal(reconcile(&rig->reconciler, "shop/r3").rule, rows[i].rule);
        assert_int_equal(rig->reads, 1);
    }
}

static void what_is_covered_needs_no_timer(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(10);

    assert_int_equal(reconcile(&rig->reconciler, "shop/r0").after_ms, cmk_default_options.resync);
    (void)sweep_round(rig->sweep);
    assert_int_equal(reconcile(&rig->reconciler, "shop/r0").after_ms, 0);
}

static void a_list_that_fails_leaves_its_resources_to_passes_and_timers(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(10);

    (void)sweep_round(rig->sweep);
    rig->list_fails = true;
    struct sweep_result result = sweep_round(rig->sweep);
    assert_int_equal(result.failed_lists, 1);
    assert_int_equal(result.queued, 10);
    assert_int_equal(reconcile(&rig->reconciler, "shop/r0").after_ms, cmk_default_options.resync);
    /* now they have timers: they are not asked for again at every sweep */
    result = sweep_round(rig->sweep);
    assert_int_equal(result.queued, 0);
    rig->list_fails = false;
    assert_int_equal(sweep_round(rig->sweep).confirmed, 10);
}

static void a_few_resources_are_not_worth_a_list(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(7);
    struct sweep_result result = sweep_round(rig->sweep);

    assert_int_equal(rig->lists, 0);
    assert_int_equal(result.queued, 7); /* nobody has queued them before the first sweep */
    assert_int_equal(sweep_round(rig->sweep).queued, 0);
    assert_int_equal(reconcile(&rig->reconciler, "shop/r0").after_ms, cmk_default_options.resync);
}

static void the_first_sweep_asks_for_a_pass_of_all_that_is_not_settled(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(10);
    struct cmk_resource resource = {.ns = xstrdup("shop"),
        .name = xstrdup("new"),
        .uid = xstrdup("uid-new"),
        .resource_version = xstrdup("900"),
        .generation = 1,
        .spec = {.account_id = xstrdup("/nonsense"), .key_uri = xstrdup(KEY)}};

    (void)store_put(rig->store, &resource);
    assert_int_equal(sweep_round(rig->sweep).queued, 1);
    assert_true(asked(rig, "shop/new"));
    map_done(&rig->asked);
    /* Still without a status, as one that was wiped: no timer of its own runs, so later sweeps ask as well. */
    assert_int_equal(sweep_round(rig->sweep).queued, 1);
    assert_true(asked(rig, "shop/new"));
}

static void one_whose_spec_changed_is_not_settled(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new(10);
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(rig->store, "shop/r2");
    const struct cmk_resource *r = store_item_resource(item);
    struct cmk_resource changed = {.ns = xstrdup(r->ns),
        .name = xstrdup(r->name),
        .uid = xstrdup(r->uid),
        .resource_version = xstrdup("900"),
        .generation = 2,
        .created_at = r->created_at,
        .spec = {.account_id = xstrdup(r->spec.account_id), .key_uri = xstrdup(OTHER_KEY)}};

    cmk_status_copy(&changed.status, &r->status);
    (void)store_put(rig->store, &changed); /* queued by the watch, not by the sweep */
    struct sweep_result result = sweep_round(rig->sweep);
    assert_int_equal(result.settled, 9);
    assert_int_equal(result.confirmed, 9);
    assert_int_equal(rig->writes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_confirms_every_settled_resource_and_nothing_else_is_read_or_written),
        cmocka_unit_test(what_a_list_shows_changed_gets_a_pass_of_its_own),
        cmocka_unit_test(what_is_covered_needs_no_timer),
        cmocka_unit_test(a_list_that_fails_leaves_its_resources_to_passes_and_timers),
        cmocka_unit_test(a_few_resources_are_not_worth_a_list),
        cmocka_unit_test(the_first_sweep_asks_for_a_pass_of_all_that_is_not_settled),
        cmocka_unit_test(one_whose_spec_changed_is_not_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
