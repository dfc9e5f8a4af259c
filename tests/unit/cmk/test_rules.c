/* The table of rules as a specification: a situation, and what is done about it. Every row of the table has at least
 * one. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/rules.h"
#include "situations.h"

#include <string.h>

static void check(const struct situation *row, const struct cmk_step *step)
{
    int64_t wake = row->wake_in > 0 ? NOW + row->wake_in : 0;

    if (strcmp(step->rule, row->rule) != 0)
        fail_msg("%s: %s instead of %s (%s)", row->sentence, step->rule, row->rule, step->message);
    if (step->effect != row->effect || step->reason != row->reason || step->phase != row->phase)
        fail_msg("%s: effect %d, reason %s, phase %d", row->sentence, step->effect, cmk_reason_text(step->reason)->word,
            step->phase);
    if (step->wake_at != wake || step->backoff != (row->wake_in == SITUATION_BACKOFF))
        fail_msg("%s: wakes in %lld ms, backoff %d", row->sentence,
            (long long)(step->wake_at ? step->wake_at - NOW : 0), step->backoff);
    if (row->effect == CMK_REST && str_empty(step->message))
        fail_msg("%s: nothing is said", row->sentence);
}

static void every_situation_has_its_rule(void **state)
{
    (void)state;

    for (size_t i = 0; i < n_situations; i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, situations[i].given);
        cmk_next(&scene.view, &step);
        check(&situations[i], &step);
    }
}

static void every_rule_has_a_situation(void **state)
{
    (void)state;

    for (size_t rule = 0; cmk_rule_name(rule); rule++) {
        size_t i = 0;
        while (i < n_situations && strcmp(situations[i].rule, cmk_rule_name(rule)) != 0)
            i++;
        if (i == n_situations)
            fail_msg("no row of this test reaches the rule %s", cmk_rule_name(rule));
    }
}

static void no_two_rules_have_one_name(void **state)
{
    (void)state;

    for (size_t i = 0; cmk_rule_name(i); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cmk_rule_name(i), cmk_rule_name(j));
}

static bool reason_is_given(enum cmk_reason reason)
{
    for (size_t i = 0; cmk_rule_at(i); i++)
        if (cmk_rule_reason(cmk_rule_at(i), CMK_ENABLE_KEY) == reason ||
            cmk_rule_reason(cmk_rule_at(i), CMK_ATTACH_IDENTITY) == reason)
            return true;
    return false;
}

static void every_reason_is_given_by_a_rule(void **state)
{
    (void)state;

    for (int reason = CMK_REASON_NONE + 1; reason < CMK_REASON_COUNT; reason++)
        if (!reason_is_given((enum cmk_reason)reason))
            fail_msg("no rule gives the reason %s", cmk_reason_text((enum cmk_reason)reason)->word);
}

static void the_next_step_is_the_first_that_is_missing(void **state)
{
    static const struct {
        const char *given;
        enum cmk_step_type type;
    } table[] = {
        {"account", CMK_ENABLE_KEY},
        {"account identity", CMK_ATTACH_IDENTITY},
        {"account identity attached", CMK_SET_DEFAULT_IDENTITY},
        {"account identity attached default", CMK_ENABLE_KEY},
        {"account identity has-key", CMK_ATTACH_IDENTITY},
        {"account identity=FirstPartyIdentity", CMK_ENABLE_KEY},
        {"account identity=SystemAssignedIdentity", CMK_ATTACH_IDENTITY},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        cmk_next(&scene.view, &step);
        if (step.effect != CMK_WRITE_AHEAD || step.type != table[i].type)
            fail_msg("%s: %s %s", table[i].given, step.rule, cmk_step_type_name(step.type));
    }
}

/* The message names what a person must do or wait for. */
static void messages_name_what_matters(void **state)
{
    static const struct {
        const char *given, *says;
    } table[] = {
        {"account continuous", "spec.defaultIdentity"},
        {"account window=closed", "opens at 2026-03-08T01:00:00Z"},
        {"account window=never", "never opens"},
        {"window=unknown", "Europe/Atlantis"},
        {"owner", "payments/older"},
        {"suspended op=EnableKey:Accepted", "goes on there"},
        {"account busy op=EnableKey:Dequeued age=65m", "operation is Dequeued, running for 1h"},
        {"account busy op=EnableKey:Dequeued age=30s", "less than a minute"},
        {"account busy op=EnableKey:Dequeued age=7m", "running for 7m"},
        {"account busy op=EnableKey:Dequeued age=19m", "running for 10m"},
        {"account busy op=EnableKey:Dequeued lost age=1h", "status URL can no longer be read"},
        {"account op=EnableKey:Requested age=30s", "requested at 2026-03-07T11:59:30Z and its outcome is not known; "
                                                   "the account is watched for its effect for 2m"},
        {"account op=EnableKey:Failed ended code=ServiceUnavailable", "attempt 2 follows at 2026-03-07T12:05:00Z"},
        {"account op=EnableKey:Failed ended=48h code=ServiceUnavailable attempts=5",
            "cosmoscmk.io/reconcile-requested-at"},
        {"account has-key revoked", "(4003)"},
        {"account has-key=" OTHER_KEY " was-ready report", OTHER_KEY},
        {"account observe identity", "AttachIdentity, SetDefaultIdentity, EnableKey"},
        {"account manual", "spec.approvedPlan"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        cmk_next(&scene.view, &step);
        if (!strstr(step.message, table[i].says))
            fail_msg("%s: %s", table[i].given, step.message);
    }
}

/* A look a few seconds later must not change what is written, or every poll would be a write. */
static void a_sentence_does_not_change_with_every_look(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step first, later;
    (void)state;

    scene_init(&scene, "account busy op=EnableKey:Dequeued age=2h");
    cmk_next(&scene.view, &first);
    scene.view.now += 9 * MINUTE;
    cmk_next(&scene.view, &later);
    assert_string_equal(first.message, later.message);
    scene.view.now += MINUTE;
    cmk_next(&scene.view, &later);
    assert_string_not_equal(first.message, later.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_situation_has_its_rule),
        cmocka_unit_test(every_rule_has_a_situation),
        cmocka_unit_test(no_two_rules_have_one_name),
        cmocka_unit_test(every_reason_is_given_by_a_rule),
        cmocka_unit_test(the_next_step_is_the_first_that_is_missing),
        cmocka_unit_test(messages_name_what_matters),
        cmocka_unit_test(a_sentence_does_not_change_with_every_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
