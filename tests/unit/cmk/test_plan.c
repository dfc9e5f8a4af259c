/* The plan and its hash: what a person approves is what is carried out, and nothing else. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/plan.h"
#include "scene.h"

#include <stdio.h>
#include <string.h>

static void steps_text(const struct cmk_plan *plan, char *ret, size_t size)
{
    size_t n = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < plan->n; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? " " : "", cmk_step_type_name(plan->steps[i]));
}

static void what_is_missing_is_planned_in_azures_order(void **state)
{
    static const struct {
        const char *given, *steps;
    } table[] = {
        {"account", "EnableKey"},
        {"account has-key", ""},
        {"account has-key=" OTHER_KEY, "EnableKey"},
        {"account has-key=https://contoso.vault.azure.net/keys/cosmos/", ""},
        {"account has-key=https://CONTOSO.VAULT.azure.net:443/keys/cosmos/0123", ""},
        {"account has-key=https://contoso.vault.azure.cn/keys/cosmos", "EnableKey"},
        {"account identity", "AttachIdentity SetDefaultIdentity EnableKey"},
        {"account identity attached", "SetDefaultIdentity EnableKey"},
        {"account identity attached default", "EnableKey"},
        {"account identity attached default has-key", ""},
        {"account identity attached has-key", "SetDefaultIdentity"},
        {"account identity default", "AttachIdentity EnableKey"},
        {"account default", "EnableKey"}, /* absent in the spec: stays as it is */
        {"account identity=FirstPartyIdentity", "EnableKey"},
        {"account identity=FirstPartyIdentity default=SystemAssignedIdentity", "SetDefaultIdentity EnableKey"},
        {"account identity=SystemAssignedIdentity attached", "AttachIdentity SetDefaultIdentity EnableKey"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_plan plan;
        char steps[128];
        scene_init(&scene, table[i].given);
        scene_plan(&scene, &plan);
        steps_text(&plan, steps, sizeof(steps));
        if (strcmp(steps, table[i].steps) != 0)
            fail_msg("%s: %s", table[i].given, steps);
        assert_int_equal(plan.n == 0, plan.hash[0] == '\0');
        assert_int_equal(strlen(plan.hash), plan.n ? CMK_PLAN_HASH_SIZE - 1 : 0);
    }
}

static void identities_are_compared_without_case(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account identity attached default");
    for (char *c = scene.view.account.user_identities[0]; *c; c++)
        *c = ascii_tolower(*c);
    (void)str_lower(scene.view.account.default_identity);
    const struct cmk_plan_input in = plan_input(&scene.view);
    assert_int_equal(cmk_plan_next(&in), CMK_ENABLE_KEY);
}

static void both_kinds_of_identity_may_be_attached(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account identity=SystemAssignedIdentity attached default=SystemAssignedIdentity");
    str_replace(&scene.view.account.identity_type, "SystemAssigned,UserAssigned");
    const struct cmk_plan_input in = plan_input(&scene.view);
    assert_int_equal(cmk_plan_next(&in), CMK_ENABLE_KEY);
}

/* Plans, publishes the plan as the status does, and gives its hash. */
static void publish(struct scene *scene, char *ret)
{
    struct cmk_plan plan;

    scene_plan(scene, &plan);
    scene->view.status.plan = plan;
    (void)str_copy(ret, CMK_PLAN_HASH_SIZE, plan.hash);
}

static void the_hash_stays_while_the_steps_get_done(void **state)
{
    static const char *const life[] = {
        "op=AttachIdentity:Requested",
        "busy op=AttachIdentity:Dequeued",
        "state=Succeeded attached op=AttachIdentity:Succeeded ended",
        "op=SetDefaultIdentity:Dequeued",
        "default op=SetDefaultIdentity:Succeeded ended",
        "op=EnableKey:Requested",
        "busy op=EnableKey:Dequeued",
        "state=Succeeded op=EnableKey:Failed ended code=ServiceUnavailable",
    };
    _cleanup_(scene_done) struct scene scene;
    char first[CMK_PLAN_HASH_SIZE], hash[CMK_PLAN_HASH_SIZE];
    (void)state;

    scene_init(&scene, "account identity");
    publish(&scene, first);
    for (size_t i = 0; i < ARRAY_LEN(life); i++) {
        scene_add(&scene, life[i]);
        publish(&scene, hash);
        if (strcmp(first, hash) != 0)
            fail_msg("%s: another hash", life[i]);
        assert_int_equal(scene.view.status.plan.n, 3);
    }
    scene_add(&scene, "has-key");
    publish(&scene, hash);
    assert_string_equal(hash, "");
}

static void the_hash_does_not_depend_on_who_computes_it(void **state)
{
    _cleanup_(scene_done) struct scene a, b;
    char hash_a[CMK_PLAN_HASH_SIZE], hash_b[CMK_PLAN_HASH_SIZE];
    (void)state;

    scene_init(&a, "account identity");
    scene_init(&b, "account identity confirmed handled new-generation continuous");
    publish(&a, hash_a);
    publish(&b, hash_b);
    assert_string_equal(hash_a, hash_b);
}

static void another_plan_has_another_hash(void **state)
{
    static const char *const given[] = {
        "account",
        "account key=" OTHER_KEY,
        "account has-key=" OTHER_KEY,
        "account has-key=https://contoso.vault.azure.net/keys/third",
        "account identity",
        "account identity attached",
        "account identity attached default",
        "account identity=SystemAssignedIdentity",
        "account identity=FirstPartyIdentity",
    };
    char hashes[ARRAY_LEN(given)][CMK_PLAN_HASH_SIZE];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        _cleanup_(scene_done) struct scene scene;
        scene_init(&scene, given[i]);
        publish(&scene, hashes[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(hashes[i], hashes[j]) == 0)
                fail_msg("one hash for \"%s\" and \"%s\"", given[i], given[j]);
    }
}

static void another_account_has_another_hash(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    char first[CMK_PLAN_HASH_SIZE], hash[CMK_PLAN_HASH_SIZE];
    (void)state;

    scene_init(&scene, "account");
    publish(&scene, first);
    (void)str_lower(scene.resource.spec.account_id);
    publish(&scene, hash);
    assert_string_equal(first, hash); /* the same account in another case */
    str_replace(&scene.resource.spec.account_id, ACCOUNT_ID "2");
    publish(&scene, hash);
    assert_string_not_equal(first, hash);
}

/* A plan was published and approved; what happens next makes it another plan, and the approval is worth nothing. */
static void an_approval_cannot_be_carried_over(void **state)
{
    static const struct {
        const char *before, *after;
    } table[] = {
        {"account", "key=" OTHER_KEY},     /* another key is asked for */
        {"account", "has-key=" OTHER_KEY}, /* somebody gave the account a key meanwhile */
        {"account", "identity"},           /* another identity is asked for */
        {"account identity attached", "identity=SystemAssignedIdentity"},
        {"account identity attached default", "default=FirstPartyIdentity"}, /* a step more */
        {"account has-key=" OTHER_KEY, "has-key="},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        char hash[CMK_PLAN_HASH_SIZE];
        scene_init(&scene, table[i].before);
        scene_add(&scene, "manual approved");
        publish(&scene, hash);
        cmk_next(&scene.view, &step);
        assert_int_equal(step.effect, CMK_WRITE_AHEAD);
        scene.approved = false;
        scene_add(&scene, table[i].after);
        cmk_next(&scene.view, &step);
        if (step.reason != CMK_REASON_AWAITING_APPROVAL)
            fail_msg("%s, then %s: %s", table[i].before, table[i].after, step.rule);
    }
}

/* Whoever may write status must not be able to stretch an approval. */
static void a_forged_plan_in_status_is_not_believed(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_plan plan;
    (void)state;

    scene_init(&scene, "account key=" OTHER_KEY);
    scene.view.status.plan =
        (struct cmk_plan){.n = 1, .steps = {CMK_ENABLE_KEY}, .hash = "0123456789abcdef0123456789abcdef"};
    scene_plan(&scene, &plan);
    assert_string_not_equal(plan.hash, "0123456789abcdef0123456789abcdef");
}

/* OTHER_KEY was approved for an account without a key. Meanwhile we gave it KEY: to change that is another decision. */
static void an_approval_from_before_our_own_operation_is_worth_nothing(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    char before[CMK_PLAN_HASH_SIZE], after[CMK_PLAN_HASH_SIZE];
    (void)state;

    scene_init(&scene, "account key=" OTHER_KEY);
    publish(&scene, before);
    scene_add(&scene, "key=" KEY " op=EnableKey:Succeeded ended has-key");
    scene_add(&scene, "key=" OTHER_KEY);
    publish(&scene, after);
    assert_string_not_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_planned_in_azures_order),
        cmocka_unit_test(identities_are_compared_without_case),
        cmocka_unit_test(both_kinds_of_identity_may_be_attached),
        cmocka_unit_test(the_hash_stays_while_the_steps_get_done),
        cmocka_unit_test(the_hash_does_not_depend_on_who_computes_it),
        cmocka_unit_test(another_plan_has_another_hash),
        cmocka_unit_test(another_account_has_another_hash),
        cmocka_unit_test(an_approval_cannot_be_carried_over),
        cmocka_unit_test(a_forged_plan_in_status_is_not_believed),
        cmocka_unit_test(an_approval_from_before_our_own_operation_is_worth_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
