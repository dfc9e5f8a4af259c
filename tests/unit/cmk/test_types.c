/* Copying, comparing and freeing; run under a leak checker this finds every string that was forgotten. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/types.h"

#include <string.h>

/* Every string and number differs from the zeroed one. */
static void fill_account(struct cmk_account *a)
{
    char **const strings[] = {&a->name, &a->location, &a->kind, &a->api_types, &a->provisioning_state, &a->key_uri,
        &a->key_uri_version, &a->cmk_status, &a->default_identity, &a->backup_policy, &a->identity_type,
        &a->system_principal_id};

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i] = xasprintf("account %zu", i);
    a->observed_at = 7;
    a->user_identities = xcalloc(2, sizeof(*a->user_identities));
    a->user_principal_ids = xcalloc(2, sizeof(*a->user_principal_ids));
    a->user_principal_ids[1] = xstrdup("principal");
    a->user_identities[a->n_user_identities++] = xstrdup("one");
    a->user_identities[a->n_user_identities++] = xstrdup("two");
    a->cassandra = true;
}

static void fill_operation(struct cmk_operation *op)
{
    char **const strings[] = {&op->state, &op->id, &op->status_url, &op->correlation_id, &op->target,
        &op->previous_key_uri, &op->error_code, &op->error_message};

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i] = xasprintf("operation %zu", i);
    op->type = CMK_ENABLE_KEY;
    op->requested_at = 1;
    op->started_at = 2;
    op->last_observed_at = 3;
    op->completed_at = 4;
    op->attempts = 5;
}

static void fill_status(struct cmk_status *s)
{
    s->observed_generation = 3;
    for (; s->n_conditions < 2; s->n_conditions++)
        s->conditions[s->n_conditions] = (struct cmk_condition){.type = xstrdup("Ready"),
            .status = CMK_TRUE,
            .reason = xstrdup("Encrypted"),
            .message = xstrdup("yes"),
            .observed_generation = 3,
            .last_transition = 9};
    s->has_account = true;
    fill_account(&s->account);
    s->plan = (struct cmk_plan){.hash = "abc", .steps = {CMK_ATTACH_IDENTITY, CMK_ENABLE_KEY}, .n = 2};
    fill_operation(&s->operation);
    s->checks[s->n_checks++] =
        (struct cmk_check){.name = xstrdup("Features"), .result = CMK_WARNING, .message = xstrdup("hm")};
    s->encrypted_at = 11;
    s->encrypted_key_uri = xstrdup("https://contoso.vault.azure.net/keys/cosmos");
    s->last_handled_reconcile_at = xstrdup("yesterday");
}

static void a_copy_is_equal_and_its_own(void **state)
{
    struct cmk_status a = {0}, b;
    (void)state;

    fill_status(&a);
    cmk_status_copy(&b, &a);
    assert_true(cmk_status_equal(&a, &b));
    assert_ptr_not_equal(a.conditions[1].message, b.conditions[1].message);
    assert_ptr_not_equal(a.account.user_identities, b.account.user_identities);
    assert_int_equal(b.account.n_user_identities, 2);
    assert_string_equal(b.account.user_identities[1], "two");
    assert_null(b.account.user_principal_ids[0]);
    assert_string_equal(b.account.user_principal_ids[1], "principal");
    assert_ptr_not_equal(a.account.user_principal_ids[1], b.account.user_principal_ids[1]);
    assert_string_equal(b.account.identity_type, a.account.identity_type);
    assert_string_equal(b.account.system_principal_id, a.account.system_principal_id);
    assert_true(b.account.cassandra);
    cmk_status_done(&a);
    assert_string_equal(b.operation.previous_key_uri, "operation 5");
    cmk_status_done(&b);
    assert_int_equal(b.n_conditions, 0);
}

static void an_empty_status_copies_and_frees(void **state)
{
    struct cmk_status a = {0}, b;
    (void)state;

    cmk_status_copy(&b, &a);
    assert_true(cmk_status_equal(&a, &b));
    cmk_status_done(&b);
    cmk_status_done(&b); /* done twice is done */
}

static void c_generation(struct cmk_status *s)
{
    s->observed_generation++;
}
static void c_condition_status(struct cmk_status *s)
{
    s->conditions[1].status = CMK_FALSE;
}
static void c_condition_message(struct cmk_status *s)
{
    str_replace(&s->conditions[1].message, "no");
}
static void c_condition_time(struct cmk_status *s)
{
    s->conditions[0].last_transition++;
}
static void c_condition_generation(struct cmk_status *s)
{
    s->conditions[0].observed_generation++;
}
static void c_account(struct cmk_status *s)
{
    str_replace(&s->account.backup_policy, "Continuous");
}
static void c_account_gone(struct cmk_status *s)
{
    s->has_account = false;
}
static void c_plan_hash(struct cmk_status *s)
{
    s->plan.hash[0] = 'x';
}
static void c_plan_step(struct cmk_status *s)
{
    s->plan.steps[1] = CMK_SET_DEFAULT_IDENTITY;
}
static void c_plan_shorter(struct cmk_status *s)
{
    s->plan.n--;
}
static void c_operation_state(struct cmk_status *s)
{
    str_replace(&s->operation.state, CMK_FAILED);
}
static void c_operation_end(struct cmk_status *s)
{
    s->operation.completed_at++;
}
static void c_operation_attempts(struct cmk_status *s)
{
    s->operation.attempts++;
}
static void c_check(struct cmk_status *s)
{
    s->checks[0].result = CMK_PASSED;
}
static void c_check_message(struct cmk_status *s)
{
    str_replace(&s->checks[0].message, "fine");
}
static void c_encrypted_at(struct cmk_status *s)
{
    s->encrypted_at++;
}
static void c_encrypted_key(struct cmk_status *s)
{
    str_replace(&s->encrypted_key_uri, NULL);
}
static void c_handled(struct cmk_status *s)
{
    str_replace(&s->last_handled_reconcile_at, "today");
}
static void c_observed(struct cmk_status *s)
{
    s->account.observed_at++;
    s->operation.last_observed_at++;
}
static void c_unshown(struct cmk_status *s)
{
    str_replace(&s->account.identity_type, "None");
}

static void what_counts_as_a_difference(void **state)
{
    static const struct {
        const char *sentence;
        void (*change)(struct cmk_status *);
        bool equal;
    } table[] = {
        {"the generation", c_generation, false},
        {"a condition's status", c_condition_status, false},
        {"a condition's message", c_condition_message, false},
        {"a condition's transition", c_condition_time, false},
        {"a condition's generation", c_condition_generation, false},
        {"a fact of the account", c_account, false},
        {"that there is an account", c_account_gone, false},
        {"the plan's hash", c_plan_hash, false},
        {"a step", c_plan_step, false},
        {"fewer steps", c_plan_shorter, false},
        {"the operation's state", c_operation_state, false},
        {"the operation's end", c_operation_end, false},
        {"the attempts", c_operation_attempts, false},
        {"a check's result", c_check, false},
        {"a check's message", c_check_message, false},
        {"encryptedAt", c_encrypted_at, false},
        {"encryptedKeyUri", c_encrypted_key, false},
        {"lastHandledReconcileAt", c_handled, false},
        {"only when we looked", c_observed, true},
        {"only what status does not show", c_unshown, true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(cmk_status_done) struct cmk_status a = {0}, b = {0};
        fill_status(&a);
        fill_status(&b);
        table[i].change(&b);
        if (cmk_status_equal(&a, &b) != table[i].equal)
            fail_msg("%s: equal is not %d", table[i].sentence, table[i].equal);
    }
}

/* What is written as "" comes back absent. */
static void empty_and_absent_are_one(void **state)
{
    _cleanup_(cmk_status_done) struct cmk_status a = {0}, b = {0};
    (void)state;

    str_replace(&a.account.key_uri, "");
    str_replace(&a.operation.error_message, "");
    str_replace(&a.encrypted_key_uri, "");
    assert_true(cmk_status_equal(&a, &b));
    assert_true(cmk_status_equal(&b, &a));
}

static void a_whole_resource_is_freed(void **state)
{
    struct cmk_resource r = {.ns = xstrdup("a"), .name = xstrdup("b"), .uid = xstrdup("c")};
    char **const strings[] = {&r.spec.account_id, &r.spec.key_uri, &r.spec.default_identity, &r.spec.key_vault_id,
        &r.spec.approved_plan, &r.spec.malformed, &r.spec.window.time_zone, &r.resource_version,
        &r.reconcile_requested_at};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i] = xstrdup("text");
    fill_status(&r.status);
    cmk_resource_done(&r);
    assert_null(r.spec.window.time_zone);
    cmk_resource_done(&r);
}

static void texts_are_cut_at_a_character(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *cut;
    } table[] = {
        {"abc", 3, "abc"},
        {"abcd", 3, "abc"},
        {"ab\xC3\xA9", 3, "ab"},
        {"ab\xC3\xA9", 4, "ab\xC3\xA9"},
        {"\xF0\x9F\x94\x91", 3, ""},
        {"", 0, ""},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(freep) char *s = xstrdup(table[i].text);
        cmk_cut(s, table[i].max);
        assert_string_equal(s, table[i].cut);
    }
    cmk_cut(NULL, 3);
}

static void words_of_the_api_go_both_ways(void **state)
{
    (void)state;

    for (int type = CMK_NO_STEP; type <= CMK_ENABLE_KEY; type++)
        assert_int_equal(cmk_step_type_parse(cmk_step_type_name((enum cmk_step_type)type)), type);
    assert_null(cmk_step_type_name((enum cmk_step_type)(CMK_ENABLE_KEY + 1)));
    assert_int_equal(cmk_step_type_parse("DisableKey"), CMK_NO_STEP);
    assert_int_equal(cmk_step_type_parse(NULL), CMK_NO_STEP);
    for (int result = CMK_PASSED; result <= CMK_SKIPPED; result++)
        assert_int_equal(cmk_check_result_parse(cmk_check_result_name((enum cmk_check_result)result)), result);
    assert_int_equal(cmk_check_result_parse("passed"), CMK_CHECK_UNKNOWN);
    assert_string_equal(cmk_truth_name(CMK_UNKNOWN), "Unknown");
    assert_string_equal(cmk_truth_name(CMK_TRUE), "True");
    assert_string_equal(cmk_truth_name(CMK_FALSE), "False");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_equal_and_its_own),
        cmocka_unit_test(an_empty_status_copies_and_frees),
        cmocka_unit_test(what_counts_as_a_difference),
        cmocka_unit_test(empty_and_absent_are_one),
        cmocka_unit_test(a_whole_resource_is_freed),
        cmocka_unit_test(texts_are_cut_at_a_character),
        cmocka_unit_test(words_of_the_api_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
