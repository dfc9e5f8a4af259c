/* Whatever a resource holds comes back from its packed form, and the pool is empty when the last one is gone. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "controller/pack.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- random resources; the generator is the test's own, so that a seed is a case ---- */

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *d, uint64_t sides)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return d->state % sides;
}

static int64_t any_number(struct dice *d)
{
    static const int64_t edges[] = {0, 1, -1, 63, 64, 127, 128, INT64_MAX, INT64_MIN, 1764000000000};

    return roll(d, 2) ? edges[roll(d, ARRAY_LEN(edges))] : (int64_t)roll(d, UINT64_MAX);
}

/* Texts of every form that the packed one has, and their near misses. */
static char *any_text(struct dice *d)
{
    static const char *const texts[] = {NULL, "", "a", "abc", "12", "012", "0", "-1", "18446744073709551615",
        "999999999999999999", "1000000000000000000", "fb3b5499-22d8-43b2-bd8d-25698de33d5c",
        "FB3B5499-22d8-43b2-bd8d-25698de33d5c", "fb3b5499-22d8-43b2-bd8d+25698de33d5c",
        "c87733ff94c3f733a2fb2e3a89f026b8", "c87733ff94c3f733a2fb2e3a89f026bg", "https://v.vault.azure.net/keys/cosmos",
        "before https://v.vault.azure.net/keys/cosmos after", "https://v.vault.azure.net/keys/cosmos/",
        "orders-account", "the account orders-account is encrypted", "/", "//", "no slash",
        "/subscriptions/x/databaseAccounts/orders-account", "/subscriptions/x/databaseAccounts/",
        "\xc3\xa9\xe2\x82\xac"};
    size_t n = roll(d, ARRAY_LEN(texts) + 2);

    if (n < ARRAY_LEN(texts))
        return xstrdup(texts[n]);
    char *text = xcalloc(1, 2001);
    for (size_t i = 0, len = roll(d, 2000); i < len; i++)
        text[i] = (char)(1 + roll(d, 255));
    return text;
}

static void fill_spec(struct dice *d, struct cmk_spec *s)
{
    *s = (struct cmk_spec){.account_id = any_text(d),
        .key_uri = any_text(d),
        .default_identity = any_text(d),
        .key_vault_id = any_text(d),
        .approved_plan = any_text(d),
        .mode = (enum cmk_mode)roll(d, 2),
        .approval = (enum cmk_approval)roll(d, 2),
        .drift = (enum cmk_drift)roll(d, 2),
        .key_vault_access = (enum cmk_key_vault_access)roll(d, 2),
        .check_key_vault = (enum cmk_key_vault_check)roll(d, 4),
        .document_ids = (enum cmk_document_ids)roll(d, 2),
        .suspend = roll(d, 2),
        .priority = any_number(d),
        .malformed = any_text(d)};
    s->window.present = roll(d, 2);
    s->window.time_zone = any_text(d);
    s->window.n_periods = roll(d, CMK_MAX_PERIODS + 1);
    for (size_t i = 0; i < s->window.n_periods; i++)
        s->window.periods[i] = (struct cmk_period){(unsigned)roll(d, 128), any_number(d), any_number(d)};
}

static char **any_list(struct dice *d, size_t n)
{
    char **list = roll(d, 3) ? xcalloc(n, sizeof(*list)) : NULL;

    for (size_t i = 0; list && i < n; i++)
        list[i] = any_text(d);
    return list;
}

static void fill_account(struct dice *d, struct cmk_account *a)
{
    *a = (struct cmk_account){.name = any_text(d),
        .location = any_text(d),
        .kind = any_text(d),
        .api_types = any_text(d),
        .provisioning_state = any_text(d),
        .key_uri = any_text(d),
        .key_uri_version = any_text(d),
        .cmk_status = any_text(d),
        .default_identity = any_text(d),
        .backup_policy = any_text(d),
        .observed_at = any_number(d),
        .identity_type = any_text(d),
        .system_principal_id = any_text(d),
        .n_user_identities = roll(d, 4),
        .analytical_storage = roll(d, 2),
        .cassandra = roll(d, 2),
        .vector_search = roll(d, 2),
        .materialized_views = roll(d, 2),
        .full_fidelity_change_feed = roll(d, 2)};
    a->user_identities = any_list(d, a->n_user_identities);
    a->user_principal_ids = any_list(d, a->n_user_identities);
}

static void fill_operation(struct dice *d, struct cmk_operation *op)
{
    *op = (struct cmk_operation){.type = (enum cmk_step_type)roll(d, 5),
        .state = any_text(d),
        .id = any_text(d),
        .status_url = any_text(d),
        .correlation_id = any_text(d),
        .target = any_text(d),
        .previous_key_uri = any_text(d),
        .error_code = any_text(d),
        .error_message = any_text(d),
        .requested_at = any_number(d),
        .started_at = any_number(d),
        .last_observed_at = any_number(d),
        .completed_at = any_number(d),
        .attempts = any_number(d)};
}

static void fill_status(struct dice *d, struct cmk_status *s)
{
    static const char *const hashes[] = {
        "", "x", "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789abcdef"};

    s->observed_generation = any_number(d);
    s->n_conditions = roll(d, CMK_MAX_CONDITIONS + 1);
    for (size_t i = 0; i < s->n_conditions; i++)
        s->conditions[i] = (struct cmk_condition){
            any_text(d), (enum cmk_truth)roll(d, 3), any_text(d), any_text(d), any_number(d), any_number(d)};
    s->has_account = roll(d, 2);
    fill_account(d, &s->account);
    (void)str_copy(s->plan.hash, sizeof(s->plan.hash), hashes[roll(d, ARRAY_LEN(hashes))]);
    s->plan.n = roll(d, CMK_MAX_STEPS + 1);
    for (size_t i = 0; i < s->plan.n; i++)
        s->plan.steps[i] = (enum cmk_step_type)roll(d, 5);
    fill_operation(d, &s->operation);
    s->n_checks = roll(d, CMK_MAX_CHECKS + 1);
    for (size_t i = 0; i < s->n_checks; i++)
        s->checks[i] = (struct cmk_check){any_text(d), (enum cmk_check_result)roll(d, 5), any_text(d)};
    s->encrypted_at = any_number(d);
    s->encrypted_key_uri = any_text(d);
    s->last_handled_reconcile_at = any_text(d);
}

static void fill(struct dice *d, struct cmk_resource *r)
{
    *r = (struct cmk_resource){.ns = any_text(d),
        .name = any_text(d),
        .uid = any_text(d),
        .resource_version = any_text(d),
        .generation = any_number(d),
        .created_at = any_number(d),
        .deleting = roll(d, 2),
        .reconcile_requested_at = any_text(d)};
    fill_spec(d, &r->spec);
    fill_status(d, &r->status);
}

/* ---- comparing: the structs byte by byte, once their texts have been told apart from their places ---- */

static void expect_texts(char **a, char **b)
{
    if (!str_eq(*a, *b))
        fail_msg("\"%s\" became \"%s\"", *a ? *a : "(NULL)", *b ? *b : "(NULL)");
    free(*a);
    free(*b);
    *a = *b = NULL;
}

static void expect_lists(char ***a, char ***b, size_t n)
{
    assert_int_equal(*a == NULL, *b == NULL);
    for (size_t i = 0; *a && *b && i < n; i++)
        expect_texts(&(*a)[i], &(*b)[i]);
    free(*a);
    free(*b);
    *a = *b = NULL;
}

#define TEXTS(member) expect_texts(&a->member, &b->member)

static void expect_status_texts(struct cmk_status *a, struct cmk_status *b)
{
    char **mine[] = {&a->account.name, &a->account.location, &a->account.kind, &a->account.api_types,
        &a->account.provisioning_state, &a->account.key_uri, &a->account.key_uri_version, &a->account.cmk_status,
        &a->account.default_identity, &a->account.backup_policy, &a->account.identity_type,
        &a->account.system_principal_id, &a->operation.state, &a->operation.id, &a->operation.status_url,
        &a->operation.correlation_id, &a->operation.target, &a->operation.previous_key_uri, &a->operation.error_code,
        &a->operation.error_message, &a->encrypted_key_uri, &a->last_handled_reconcile_at};

    for (size_t i = 0; i < ARRAY_LEN(mine); i++)
        expect_texts(mine[i], (char **)((char *)b + ((char *)mine[i] - (char *)a)));
    for (size_t i = 0; i < CMK_MAX_CONDITIONS; i++) {
        TEXTS(conditions[i].type);
        TEXTS(conditions[i].reason);
        TEXTS(conditions[i].message);
    }
    for (size_t i = 0; i < CMK_MAX_CHECKS; i++) {
        TEXTS(checks[i].name);
        TEXTS(checks[i].message);
    }
    expect_lists(&a->account.user_identities, &b->account.user_identities, a->account.n_user_identities);
    expect_lists(&a->account.user_principal_ids, &b->account.user_principal_ids, a->account.n_user_identities);
}

/* Consumes both. Padding is zero on both sides: they were zeroed and filled member by member. */
static void expect_same(struct cmk_resource *a, struct cmk_resource *b)
{
    TEXTS(ns);
    TEXTS(name);
    TEXTS(uid);
    TEXTS(resource_version);
    TEXTS(reconcile_requested_at);
    TEXTS(spec.account_id);
    TEXTS(spec.key_uri);
    TEXTS(spec.default_identity);
    TEXTS(spec.key_vault_id);
    TEXTS(spec.approved_plan);
    TEXTS(spec.window.time_zone);
    TEXTS(spec.malformed);
    expect_status_texts(&a->status, &b->status);
    a->status.account.n_user_identities = b->status.account.n_user_identities;
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->created_at, b->created_at);
    assert_int_equal(a->deleting, b->deleting);
    assert_memory_equal(
        &a->spec.window.periods, &b->spec.window.periods, a->spec.window.n_periods * sizeof(a->spec.window.periods[0]));
    assert_memory_equal(&a->spec, &b->spec, sizeof(a->spec));
    assert_memory_equal(&a->status, &b->status, sizeof(a->status));
}

static void a_resource_comes_back_as_it_was(void **state)
{
    struct pool *pool = pool_new();
    struct dice dice = {.state = 88172645463325252ULL};
    struct packed *kept = NULL;
    (void)state;

    for (int i = 0; i < 3000; i++) {
        struct cmk_resource *was = xcalloc(1, sizeof(*was)), *is = xcalloc(1, sizeof(*is));
        fill(&dice, was);
        struct packed *packed = pack(pool, was);
        unpack(pool, packed, is);
        expect_same(was, is);
        free(was);
        free(is);
        packed_free(pool, kept); /* so that two live at any time, and texts are shared */
        kept = packed;
    }
    assert_null(packed_free(pool, kept));
    assert_int_equal(pool_len(pool), 0);
    pool_free(pool);
}

static void the_head_is_the_same_as_in_the_whole(void **state)
{
    struct pool *pool = pool_new();
    struct dice dice = {.state = 42};
    (void)state;

    for (int i = 0; i < 300; i++) {
        _cleanup_(cmk_resource_done) struct cmk_resource whole = {0}, head = {0};
        fill(&dice, &whole);
        struct packed *packed = pack(pool, &whole);
        unpack_head(pool, packed, &head);
        assert_true(str_eq(head.ns, whole.ns) && str_eq(head.name, whole.name) && str_eq(head.uid, whole.uid));
        assert_true(str_eq(head.resource_version, whole.resource_version));
        assert_true(str_eq(head.reconcile_requested_at, whole.reconcile_requested_at));
        assert_true(str_eq(head.spec.account_id, whole.spec.account_id));
        assert_true(head.generation == whole.generation && head.created_at == whole.created_at);
        assert_int_equal(head.deleting, whole.deleting);
        packed_free(pool, packed);
    }
    pool_free(pool);
}

/* When this fails a struct has a new member: add it to the walk in controller/pack.c and to fill() above. */
static void no_member_is_forgotten(void **state)
{
    (void)state;
#if defined(__x86_64__) || defined(__aarch64__)
    assert_int_equal(sizeof(struct cmk_spec), 880);
    assert_int_equal(sizeof(struct cmk_account), 136);
    assert_int_equal(sizeof(struct cmk_operation), 112);
    assert_int_equal(sizeof(struct cmk_condition), 48);
    assert_int_equal(sizeof(struct cmk_status), 1712);
    assert_int_equal(sizeof(struct cmk_resource), 2656);
#else
    (void)fputs("SKIPPED: the sizes are those of 64-bit Linux\n", stderr);
    skip();
#endif
}

static void what_many_have_is_kept_once(void **state)
{
    struct pool *pool = pool_new();
    struct packed *packed[100];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(packed); i++) {
        _cleanup_(cmk_resource_done) struct cmk_resource r = {.ns = xstrdup("payments"),
            .name = xasprintf("account-%zu", i),
            .uid = xasprintf("fb3b5499-22d8-43b2-bd8d-%012zu", i),
            .resource_version = xasprintf("%zu", 1000 + i)};
        r.spec.account_id = xasprintf("/subscriptions/x/resourceGroups/g/databaseAccounts/account-%zu", i);
        r.spec.key_uri = xasprintf("https://vault.azure.net/keys/key-%zu", i);
        r.status.encrypted_key_uri = xstrdup(r.spec.key_uri);
        r.status.n_conditions = 1;
        r.status.conditions[0] = (struct cmk_condition){.type = xstrdup("Ready"),
            .reason = xstrdup("Encrypted"),
            .message = xasprintf("The account is encrypted with %s", r.spec.key_uri)};
        packed[i] = pack(pool, &r);
        assert_true(packed_size(packed[i]) < 150);
    }
    /* The namespace, the resource group, the type, the reason, the message without its key; and the keys. */
    assert_int_equal(pool_len(pool), 5 + ARRAY_LEN(packed));
    for (size_t i = 0; i < ARRAY_LEN(packed); i++)
        packed_free(pool, packed[i]);
    assert_int_equal(pool_len(pool), 0);
    pool_free(pool);
}

static void a_text_keeps_its_number_as_long_as_it_is_held(void **state)
{
    struct pool *pool = pool_new();
    uint32_t numbers[1000];
    char text[32];
    (void)state;

    for (uint32_t i = 0; i < ARRAY_LEN(numbers); i++)
        numbers[i] = pool_hold(pool, text, (size_t)snprintf(text, sizeof(text), "text %u", i));
    for (uint32_t i = 0; i < ARRAY_LEN(numbers); i += 2)
        pool_release(pool, numbers[i]);
    assert_int_equal(pool_len(pool), ARRAY_LEN(numbers) / 2);
    for (uint32_t i = 1; i < ARRAY_LEN(numbers); i += 2) {
        int len = snprintf(text, sizeof(text), "text %u", i);
        assert_string_equal(pool_text(pool, numbers[i]), text);
        assert_int_equal(pool_hold(pool, text, (size_t)len), numbers[i]);
        pool_release(pool, numbers[i]);
    }
    assert_int_equal(
        pool_hold(pool, "text", 4), numbers[998]); /* a part of others is another text; numbers come again */
    assert_string_equal(pool_text(pool, numbers[998]), "text");
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resource_comes_back_as_it_was),
        cmocka_unit_test(the_head_is_the_same_as_in_the_whole),
        cmocka_unit_test(no_member_is_forgotten),
        cmocka_unit_test(what_many_have_is_kept_once),
        cmocka_unit_test(a_text_keeps_its_number_as_long_as_it_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
