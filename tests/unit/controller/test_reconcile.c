/* What a pass does when Kubernetes does not take a write, and what it never does. Whole lives are in tests/sim. */
#include "unit.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/reconcile.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT                                                                                                        \
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.DocumentDB/"          \
    "databaseAccounts/orders"
#define KEY "https://contoso.vault.azure.net/keys/cosmos"
#define NOW 1772438400000LL
#define UPTIME 5000000LL

/* A world that answers as told and notes what was asked: one letter each (r read, o operation, w status, u
 * unconditional, s sent). */
struct rig {
    struct ports ports;
    struct store *store;
    struct reconciler reconciler;
    struct buf calls;

    const char *account_state;
    const char *account_key;
    enum err_kind read_fails, later_reads_fail;
    size_t reads;
    int64_t read_takes, now; /* ms */
    enum err_kind send_fails;
    enum err_kind write_fails_at[4]; /* the first, second, ... status write */
    enum err_kind operation_write_fails;
    bool loses_lease;
    int questions; /* how often the lease is still held when asked, if it is to be lost */

    size_t writes;
    char versions[4][16];     /* the condition of each status write */
    struct cmk_status status; /* as last written */
    struct cmk_operation operation;
    struct buf events; /* "REASON@VERSION " each */
};

static int fails(enum err_kind kind, struct err *err)
{
    return kind ? err_set(err, kind, "as told") : 0;
}

static int read_account(void *ctx, const char *account_id, struct cmk_account *ret, struct err *err)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 'r');
    assert_string_equal(account_id, ACCOUNT);
    rig->now += rig->read_takes;
    if (fails(rig->reads++ ? rig->later_reads_fail : rig->read_fails, err) < 0)
        return -1;
    *ret = (struct cmk_account){.name = xstrdup("orders"),
        .provisioning_state = xstrdup(rig->account_state),
        .key_uri = xstrdup(rig->account_key),
        .cmk_status = rig->account_key ? xstrdup("Access to the configured customer managed key confirmed.") : NULL};
    return 0;
}

static int read_operation(void *ctx, const char *status_url _unused_, struct cmk_result *ret, struct err *err _unused_)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 'o');
    ret->state = xstrdup("Dequeued");
    return 0;
}

static int gather(void *ctx, const struct cmk_view *view _unused_, struct cmk_evidence *ret, struct err *err _unused_)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 'g');
    ret->gathered = true;
    return 0;
}

static int read_culprit(
    void *ctx, const char *account_id _unused_, char ret[static CMK_CULPRIT_SIZE], struct err *err _unused_)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 'c');
    (void)str_copy(ret, CMK_CULPRIT_SIZE, "by somebody");
    return 0;
}

static int send_step(void *ctx, const struct cmk_view *view _unused_, const struct cmk_step *step,
    struct cmk_result *ret, struct err *err)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 's');
    assert_int_equal(step->type, CMK_ENABLE_KEY);
    if (fails(rig->send_fails, err) < 0)
        return -1;
    ret->account.provisioning_state = xstrdup("Updating");
    ret->status_url = xstrdup("https://management.azure.com/operation");
    return 0;
}

static int write_status(void *ctx, const struct cmk_resource *resource _unused_, const char *resource_version,
    const struct cmk_status *status, char **ret_version, struct err *err)
{
    struct rig *rig = ctx;
    size_t n = rig->writes++;

    buf_putc(&rig->calls, 'w');
    assert_true(n < ARRAY_LEN(rig->versions));
    (void)str_copy(rig->versions[n], sizeof(rig->versions[n]), resource_version);
    if (fails(rig->write_fails_at[n], err) < 0)
        return -1;
    cmk_status_done(&rig->status);
    cmk_status_copy(&rig->status, status);
    *ret_version = xasprintf("%zu", 101 + n);
    return 0;
}

static int write_operation(
    void *ctx, const struct cmk_resource *resource _unused_, const struct cmk_operation *operation, struct err *err)
{
    struct rig *rig = ctx;

    buf_putc(&rig->calls, 'u');
    if (fails(rig->operation_write_fails, err) < 0)
        return -1;
    rig->operation = (struct cmk_operation){.type = operation->type,
        .state = xstrdup(operation->state),
        .status_url = xstrdup(operation->status_url),
        .correlation_id = xstrdup(operation->correlation_id)};
    return 0;
}

static void record(
    void *ctx, const struct cmk_resource *resource, const char *resource_version, const struct cmk_event *event)
{
    struct rig *rig = ctx;

    assert_string_equal(resource->name, "orders");
    buf_printf(&rig->events, "%s@%s ", event->reason, resource_version);
}

static int64_t now_ms(void *ctx)
{
    return NOW + ((struct rig *)ctx)->now;
}

static int64_t uptime_ms(void *ctx)
{
    return UPTIME + ((struct rig *)ctx)->now;
}

static bool holds_lease(void *ctx)
{
    struct rig *rig = ctx;

    return !rig->loses_lease || rig->questions-- > 0;
}

static void uuid(void *ctx _unused_, char ret[static UUID_SIZE])
{
    (void)str_copy(ret, UUID_SIZE, "c0000000-0000-4000-8000-000000000001");
}

static struct cmk_resource resource_new(void)
{
    return (struct cmk_resource){.ns = xstrdup("shop"),
        .name = xstrdup("orders"),
        .uid = xstrdup("uid"),
        .resource_version = xstrdup("100"),
        .generation = 1,
        .created_at = 5,
        .spec = {.account_id = xstrdup(ACCOUNT), .key_uri = xstrdup(KEY)}};
}

static struct rig *rig_new(void)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));

    log_setup(LOG_ERROR, LOG_JSON);
    rig->calls = BUF_INIT(4096);
    rig->events = BUF_INIT(4096);
    rig->account_state = "Succeeded";
    rig->store = store_new();
    rig->ports = (struct ports){
        .azure = {.ctx = rig,
            .read_account = read_account,
            .read_operation = read_operation,
            .gather = gather,
            .read_culprit = read_culprit,
            .send = send_step},
        .kube = {.ctx = rig, .write_status = write_status, .write_operation = write_operation},
        .events = {.ctx = rig, .record = record},
        .world = {.ctx = rig, .now_ms = now_ms, .uptime_ms = uptime_ms, .uuid = uuid, .holds_lease = holds_lease},
    };
    rig->reconciler = (struct reconciler){.ports = &rig->ports, .options = &cmk_default_options, .store = rig->store};
    return rig;
}

static struct rig *rig_with_resource(void)
{
    struct rig *rig = rig_new();
    struct cmk_resource resource = resource_new();

    (void)store_put(rig->store, &resource);
    return rig;
}

static struct rig *rig_free(struct rig *rig)
{
    store_free(rig->store);
    cmk_status_done(&rig->status);
    cmk_operation_done(&rig->operation);
    buf_done(&rig->calls);
    buf_done(&rig->events);
    free(rig);
    return NULL;
}
DEFINE_CLEANUP(struct rig *, rig_free)

static struct reconcile_verdict pass(struct rig *rig, const char *calls)
{
    struct reconcile_verdict verdict = reconcile(&rig->reconciler, "shop/orders");

    assert_string_equal(buf_str(&rig->calls), calls);
    return verdict;
}

/* ---- the tests ---- */

static void a_resource_that_is_not_there_is_left_alone(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new();
    struct reconcile_verdict verdict = pass(rig, "");

    assert_false(verdict.backoff);
    assert_int_equal(verdict.after_ms, 0);
    assert_null(verdict.rule);
}

static void a_resource_that_is_being_deleted_is_not_written(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new();
    struct cmk_resource resource = resource_new();

    resource.deleting = true;
    (void)store_put(rig->store, &resource);
    assert_string_equal(pass(rig, "").rule, "deleted");
}

static void a_change_is_written_ahead_and_the_account_read_again_before_it_is_sent(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();
    struct reconcile_verdict verdict = pass(rig, "rgwrsw");

    assert_string_equal(verdict.rule, "operation-running");
    assert_int_equal(verdict.after_ms, 5000);
    assert_string_equal(rig->versions[0], "100");
    assert_string_equal(rig->versions[1], "101"); /* what the first write answered */
    assert_string_equal(rig->status.operation.state, CMK_ACCEPTED);
}

static void nothing_is_sent_when_the_write_ahead_is_not_taken(void **state _unused_)
{
    static const enum err_kind kinds[] = {ERR_CONFLICT, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_FORBIDDEN, ERR_INVALID};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        _cleanup_(rig_freep) struct rig *rig = rig_with_resource();
        rig->write_fails_at[0] = kinds[i];
        struct reconcile_verdict verdict = pass(rig, "rgw");
        assert_true(verdict.backoff);
    }
}

/* What the read shows may be as old as its beginning, and the request have arrived since. */
static void a_look_that_took_long_does_not_say_that_a_change_had_no_effect(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new();
    struct cmk_resource resource = resource_new();

    resource.status.operation = (struct cmk_operation){.type = CMK_ENABLE_KEY,
        .state = xstrdup(CMK_REQUESTED),
        .target = xstrdup(KEY),
        .requested_at = NOW - 60000,
        .attempts = 1};
    (void)store_put(rig->store, &resource);
    rig->read_takes = 90000;
    struct reconcile_verdict verdict = pass(rig, "rw");
    assert_string_equal(verdict.rule, "lost-answer-unsettled");
    assert_int_equal(verdict.after_ms, cmk_default_options.poll_min);
    assert_int_equal(rig->status.account.observed_at, NOW);
}

static void a_resource_that_is_gone_at_the_write_ahead_ends_the_pass(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->write_fails_at[0] = ERR_NOT_FOUND;
    struct reconcile_verdict verdict = pass(rig, "rgw");
    assert_string_equal(verdict.rule, "deleted");
    assert_false(verdict.backoff);
    assert_int_equal(verdict.after_ms, 0);
}

static void what_was_sent_is_recorded_although_somebody_edits_the_resource(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->write_fails_at[1] = ERR_CONFLICT;
    struct reconcile_verdict verdict = pass(rig, "rgwrswu");
    assert_true(verdict.backoff);
    assert_int_equal(rig->operation.type, CMK_ENABLE_KEY);
    assert_string_equal(rig->operation.state, CMK_ACCEPTED);
    assert_string_equal(rig->operation.status_url, "https://management.azure.com/operation");
    assert_string_equal(rig->operation.correlation_id, rig->status.operation.correlation_id);
}

/* Asked at the begin, after each effect, and right before each one that others would notice. */
static void a_lease_that_is_lost_ends_the_pass_before_the_next_effect(void **state _unused_)
{
    static const char *const calls[] = {"", "r", "rg", "rg", "rgw", "rgwr", "rgwr", "rgwrs", "rgwrs"};

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        _cleanup_(rig_freep) struct rig *rig = rig_with_resource();
        rig->loses_lease = true;
        rig->questions = (int)i;
        struct reconcile_verdict verdict = pass(rig, calls[i]);
        assert_string_equal(verdict.rule, "lease-lost");
        assert_true(verdict.backoff);
    }
}

static void a_change_that_was_held_back_at_the_last_moment_is_not_spoken_of(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->send_fails = ERR_CANCELLED; /* as the HTTP engine refuses to write it */
    rig->loses_lease = true;
    rig->questions = 7; /* held when the port is called */
    assert_string_equal(pass(rig, "rgwrs").rule, "lease-lost");
    assert_string_equal(rig->status.operation.state, CMK_REQUESTED);
}

static void when_not_even_that_is_taken_the_write_ahead_remains(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->write_fails_at[1] = ERR_UNAVAILABLE;
    rig->operation_write_fails = ERR_UNAVAILABLE;
    struct reconcile_verdict verdict = pass(rig, "rgwrswu");
    assert_true(verdict.backoff);
    assert_string_equal(rig->status.operation.state, CMK_REQUESTED);
}

static void a_resource_that_is_gone_after_the_change_was_sent_is_not_written_again(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->write_fails_at[1] = ERR_NOT_FOUND;
    assert_string_equal(pass(rig, "rgwrsw").rule, "deleted");
}

static void a_refusal_clears_the_record_although_somebody_edits_the_resource(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->send_fails = ERR_LOCKED;
    rig->write_fails_at[1] = ERR_CONFLICT;
    assert_true(pass(rig, "rgwrswu").backoff);
    assert_int_equal(rig->operation.type, CMK_NO_STEP);
}

static void a_conflict_without_a_change_writes_nothing_more(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->account_key = KEY;
    rig->write_fails_at[0] = ERR_CONFLICT;
    assert_true(pass(rig, "rw").backoff);
}

static void a_write_ahead_that_is_not_sent_after_all_is_taken_back(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->later_reads_fail = ERR_UNAVAILABLE;
    assert_string_equal(pass(rig, "rgwrw").rule, "account-unreadable");
    assert_int_equal(rig->status.operation.type, CMK_NO_STEP);
}

/* Events are of what was written, with the version that was written. */
static void events_are_told_of_what_was_written_and_of_nothing_else(void **state _unused_)
{
    static const struct {
        enum err_kind fails_at[2];
        enum err_kind operation_fails, send_fails;
        const char *key, *events;
    } rows[] = {
        {{0, 0}, 0, 0, NULL, "Encrypting@102 "}, {{0, 0}, 0, 0, KEY, "Encrypted@101 "},
        {{ERR_CONFLICT, 0}, 0, 0, KEY, ""}, {{ERR_CONFLICT, 0}, 0, 0, NULL, ""},
        {{0, ERR_CONFLICT}, 0, 0, NULL, "Encrypting@101 "}, /* recorded by itself */
        {{0, ERR_UNAVAILABLE}, ERR_UNAVAILABLE, 0, NULL, ""}, {{0, ERR_NOT_FOUND}, 0, 0, NULL, ""},
        {{0, 0}, 0, ERR_LOCKED, NULL, "AccountBusy@102 "},
        {{0, ERR_CONFLICT}, 0, ERR_LOCKED, NULL, ""}, /* the record is cleared, the condition not written */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_freep) struct rig *rig = rig_with_resource();
        rig->account_key = rows[i].key;
        rig->send_fails = rows[i].send_fails;
        memcpy(rig->write_fails_at, rows[i].fails_at, sizeof(rows[i].fails_at));
        rig->operation_write_fails = rows[i].operation_fails;
        (void)reconcile(&rig->reconciler, "shop/orders");
        if (!str_eq(buf_str(&rig->events), rows[i].events))
            fail_msg("row %zu: told \"%s\" instead of \"%s\"", i, buf_str(&rig->events), rows[i].events);
    }
}

/* What was written comes back through the store; the next pass finds nothing to write. */
static void a_second_pass_over_the_same_world_writes_nothing(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->account_key = KEY;
    struct reconcile_verdict verdict = pass(rig, "rw");
    assert_string_equal(verdict.rule, "encrypted");
    assert_int_equal(verdict.after_ms, cmk_default_options.resync);

    struct cmk_resource again = resource_new();
    str_replace(&again.resource_version, "101");
    cmk_status_copy(&again.status, &rig->status);
    (void)store_put(rig->store, &again);
    assert_string_equal(pass(rig, "rwr").rule, "encrypted");
}

static void an_older_resource_for_the_account_keeps_this_one_from_azure(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();
    struct cmk_resource older = resource_new();

    str_replace(&older.name, "first");
    str_replace(&older.uid, "older");
    older.created_at = 1;
    (void)store_put(rig->store, &older);
    assert_string_equal(pass(rig, "w").rule, "account-conflict");
    assert_non_null(strstr(rig->status.conditions[0].message, "shop/first"));
}

static void a_zone_that_nobody_knows_is_the_specs_mistake(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_new();
    struct cmk_resource resource = resource_new();

    resource.spec.window = (struct cmk_window){.present = true,
        .time_zone = xstrdup("Europe/Atlantis"),
        .n_periods = 1,
        .periods = {{.days = 1, .length_ms = 3600000}}};
    (void)store_put(rig->store, &resource);
    struct reconcile_verdict verdict = pass(rig, "w");
    assert_string_equal(verdict.rule, "zone-unknown");
    assert_int_equal(verdict.after_ms, cmk_default_options.recheck);
}

static void azure_that_cannot_be_reached_is_tried_again_after_a_growing_delay(void **state _unused_)
{
    _cleanup_(rig_freep) struct rig *rig = rig_with_resource();

    rig->read_fails = ERR_UNAVAILABLE;
    struct reconcile_verdict verdict = pass(rig, "rw");
    assert_true(verdict.backoff);
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(rig->store, "shop/orders");
    assert_int_equal(store_recall(rig->store, item).failing_since, NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resource_that_is_not_there_is_left_alone),
        cmocka_unit_test(a_resource_that_is_being_deleted_is_not_written),
        cmocka_unit_test(a_change_is_written_ahead_and_the_account_read_again_before_it_is_sent),
        cmocka_unit_test(nothing_is_sent_when_the_write_ahead_is_not_taken),
        cmocka_unit_test(a_look_that_took_long_does_not_say_that_a_change_had_no_effect),
        cmocka_unit_test(a_resource_that_is_gone_at_the_write_ahead_ends_the_pass),
        cmocka_unit_test(what_was_sent_is_recorded_although_somebody_edits_the_resource),
        cmocka_unit_test(a_lease_that_is_lost_ends_the_pass_before_the_next_effect),
        cmocka_unit_test(a_change_that_was_held_back_at_the_last_moment_is_not_spoken_of),
        cmocka_unit_test(when_not_even_that_is_taken_the_write_ahead_remains),
        cmocka_unit_test(a_resource_that_is_gone_after_the_change_was_sent_is_not_written_again),
        cmocka_unit_test(a_refusal_clears_the_record_although_somebody_edits_the_resource),
        cmocka_unit_test(a_conflict_without_a_change_writes_nothing_more),
        cmocka_unit_test(a_write_ahead_that_is_not_sent_after_all_is_taken_back),
        cmocka_unit_test(events_are_told_of_what_was_written_and_of_nothing_else),
        cmocka_unit_test(a_second_pass_over_the_same_world_writes_nothing),
        cmocka_unit_test(an_older_resource_for_the_account_keeps_this_one_from_azure),
        cmocka_unit_test(a_zone_that_nobody_knows_is_the_specs_mistake),
        cmocka_unit_test(azure_that_cannot_be_reached_is_tried_again_after_a_growing_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
