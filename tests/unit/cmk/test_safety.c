/* What must never happen, over every combination of what a view may hold: the rows of the table are read by nobody
 * here, only what comes out of it. And: whatever the world answers, a pass ends. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/plan.h"
#include "cmk/preflight.h"
#include "cmk/spec.h"
#include "cmk/view.h"
#include "cmk/window.h"
#include "scene.h"

#include <stdio.h>
#include <string.h>

/* One alternative of each line is in force. */
static const char *const facts[][7] = {
    {"account", "account unread", "account account-error=unavailable"},
    {"", "busy", "state=Failed"},
    {"", "armed op=EnableKey:Requested", "op=EnableKey:Requested age=1h", "op=EnableKey:Accepted url",
        "op=EnableKey:Failed ended code=BadRequest", "op=EnableKey:Succeeded ended age=1h",
        "armed op=EnableKey:Requested age=2m"},
    {"", "invalid", "unsupported"},
    {"", "suspended", "deleting", "owner", "observe"},
    {"", "manual", "manual approved"},
    {"", "window=open", "window=closed", "window=unknown"},
    {"", "continuous"},
    {"", "has-key", "has-key=" OTHER_KEY, "cassandra"},
    {"", "no-lease"},
};

static size_t alternatives(size_t line)
{
    size_t n = 0;

    while (n < ARRAY_LEN(facts[0]) && facts[line][n])
        n++;
    return n;
}

static size_t combinations(void)
{
    size_t n = 1;

    for (size_t line = 0; line < ARRAY_LEN(facts); line++)
        n *= alternatives(line);
    return n;
}

static void words_of(size_t number, char *ret, size_t size)
{
    size_t at = 0;

    for (size_t line = 0; line < ARRAY_LEN(facts); line++) {
        const char *words = facts[line][number % alternatives(line)];
        number /= alternatives(line);
        at += (size_t)snprintf(ret + at, size - at, "%s ", words);
    }
    assert_true(at < size);
}

static bool rests(const struct cmk_account *account)
{
    return str_empty(account->provisioning_state) || str_eq(account->provisioning_state, "Succeeded");
}

/* Derived again from the parts, so that a gate that a rule loses is missed here. */
static const char *why_no_change(const struct cmk_view *v, const struct cmk_step *step)
{
    const struct cmk_spec *spec = &v->resource->spec;
    struct cmk_check checks[CMK_MAX_CHECKS];
    struct cmk_plan plan;
    struct err err = ERR_INIT;
    const struct cmk_plan_input in = plan_input(v);

    if (v->resource->deleting || spec->suspend || v->owner || spec->mode != CMK_ENFORCE)
        return "deleted, suspended, not the owner or only observing";
    if (cmk_spec_check(spec, &err) < 0 || cmk_spec_unsupported(spec))
        return "the spec is invalid or unsupported";
    if (v->account_fact != CMK_KNOWN || !rests(&v->account))
        return "the account is not known to be at rest";
    if (step->type == CMK_NO_STEP || step->type != cmk_plan_next(&in))
        return "it is not the next step";
    if (spec->window.present && (!v->zone || !cmk_window_at(&spec->window, v->zone, v->now).open))
        return "the window is closed";
    if (v->evidence_fact != CMK_KNOWN)
        return "preflight did not look at everything";
    size_t n = cmk_preflight(checks, spec, &v->account, &v->evidence, v->now);
    bool failed = cmk_first_failed(checks, n) != NULL;
    cmk_checks_done(checks, n);
    if (failed)
        return "preflight failed";
    cmk_plan_make(&plan, &in, &v->status.plan);
    if (spec->approval == CMK_MANUAL && !str_eq(spec->approved_plan, plan.hash))
        return "the plan is not approved";
    return NULL;
}

static const char *why_no_send(const struct cmk_view *v, const struct cmk_step *step)
{
    const struct cmk_operation *op = &v->status.operation;

    if (!v->armed || op->type != step->type || !str_eq(op->state, CMK_REQUESTED) || op->completed_at)
        return "it is not what was written ahead";
    if (v->now >= op->requested_at + v->options->settle)
        return "somebody may have concluded that it had no effect";
    return why_no_change(v, step);
}

static const char *why_not_ready(const struct cmk_view *v)
{
    if (v->account_fact != CMK_KNOWN || !rests(&v->account))
        return "the account is not known to be at rest";
    if (!cmk_same_key(v->resource->spec.key_uri, v->account.key_uri))
        return "the account does not show the key";
    if (cmk_operation_open(&v->status.operation) && !v->armed)
        return "an operation is on its way";
    return NULL;
}

static const char *violation(const struct cmk_view *v, const struct cmk_step *step)
{
    bool open = cmk_operation_open(&v->status.operation);

    if ((step->effect == CMK_YIELD) == v->lease_valid)
        return v->lease_valid ? "this process leads" : "this process does not lead";
    switch (step->effect) {
    case CMK_SEND:
        return why_no_send(v, step);
    case CMK_WRITE_AHEAD:
        return open && !v->armed ? "an operation would be forgotten" : why_no_change(v, step);
    case CMK_READ_OPERATION:
        return !open || str_empty(v->status.operation.status_url) ? "there is nothing to ask" : NULL;
    case CMK_REST:
        if (str_empty(step->message))
            return "nothing is said";
        if (step->wake_at && step->wake_at <= v->now)
            return "it wakes in the past";
        if (!step->wake_at && !step->backoff && step->phase == CMK_IS_WORKING)
            return "it works and never wakes";
        return step->phase == CMK_IS_READY ? why_not_ready(v) : NULL;
    case CMK_READ_ACCOUNT:
    case CMK_GATHER:
    case CMK_READ_CULPRIT:
    case CMK_SETTLE:
    case CMK_YIELD:
    case CMK_GONE:
        break;
    }
    return NULL;
}

static void no_combination_breaks_an_invariant(void **state)
{
    size_t n = combinations(), sent = 0, ready = 0;
    char words[512];
    (void)state;

    assert_true(n > 10000);
    for (size_t i = 0; i < n; i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        words_of(i, words, sizeof(words));
        scene_init(&scene, words);
        cmk_next(&scene.view, &step);
        const char *why = violation(&scene.view, &step);
        if (why)
            fail_msg("%s: %s, but %s", words, step.rule, why);
        sent += step.effect == CMK_SEND;
        ready += step.effect == CMK_REST && step.phase == CMK_IS_READY;
    }
    /* no key or another key; approval or none; window open or none */
    assert_int_equal(sent, 2 * 2 * 2);
    assert_true(ready > 0);
}

/* ---- whatever the world answers, a pass ends ---- */

/* A stream of small numbers that differs for each seed and is the same in each run. */
static unsigned draw(uint64_t *seed, unsigned below)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(*seed >> 33) % below;
}

static void random_error(uint64_t *seed, struct cmk_result *result)
{
    result->failed = true;
    result->err = ERR_INIT;
    (void)err_set(&result->err, (enum err_kind)(ERR_INVALID + draw(seed, ERR_INTERNAL)), "the dice said no");
    result->err.maybe_sent = draw(seed, 2);
}

static void random_account(uint64_t *seed, struct cmk_account *ret)
{
    static const char *const states[] = {"Succeeded", "Succeeded", "Updating", "Failed", NULL};
    static const char *const keys[] = {NULL, NULL, KEY, OTHER_KEY};

    *ret = (struct cmk_account){0};
    str_replace(&ret->provisioning_state, states[draw(seed, ARRAY_LEN(states))]);
    str_replace(&ret->key_uri, keys[draw(seed, ARRAY_LEN(keys))]);
    str_replace(&ret->identity_type, draw(seed, 2) ? "SystemAssigned" : "None");
    str_replace(&ret->default_identity, draw(seed, 2) ? "SystemAssignedIdentity" : NULL);
}

static void perform(uint64_t *seed, const struct cmk_step *step, struct cmk_result *ret)
{
    static const char *const states[] = {"Enqueued", "Dequeued", "Succeeded", "Failed", "Canceled", "Requested", NULL};

    *ret = (struct cmk_result){0};
    if (step->effect == CMK_SETTLE || step->effect == CMK_WRITE_AHEAD)
        return;
    if (draw(seed, 5) == 0) {
        random_error(seed, ret);
        return;
    }
    if (step->effect == CMK_READ_OPERATION)
        ret->state = xstrdup(states[draw(seed, ARRAY_LEN(states))]);
    else
        random_account(seed, &ret->account);
    if (step->effect == CMK_SEND && draw(seed, 2))
        ret->status_url = xstrdup("https://management.azure.com/operations/2");
}

static void result_done(struct cmk_result *result)
{
    cmk_account_done(&result->account);
    free(result->state);
    free(result->status_url);
}

/* A change whose answer was lost is unknown until the account was read and runs something, shows it, or has had its
 * time. */
static bool still_unknown(const struct cmk_view *v, int64_t lost_at)
{
    const struct cmk_operation *op = &v->status.operation;
    const struct cmk_plan_input in = plan_input(v);

    return v->account_fact != CMK_KNOWN || (rests(&v->account) && !cmk_step_shows(op->type, op->target, &in) &&
                                               v->looked_at < lost_at + v->options->settle);
}

/* One pass as the shell makes it. Returns how many effects it had. *lost_at: the uptime at which a change turned out to
 * be one whose outcome is not known; 0 when there is none. */
static int run_pass(struct scene *scene, uint64_t *seed, int64_t *lost_at)
{
    struct cmk_view *v = &scene->view;
    struct cmk_step step;

    for (int effects = 1; effects < 32; effects++) {
        cmk_next(v, &step);
        const char *why = step.effect == CMK_SEND && *lost_at ? "the last outcome is unknown" : violation(v, &step);
        if (why)
            fail_msg("%s, but %s", step.rule, why);
        if (step.effect == CMK_REST || step.effect == CMK_GONE) {
            cmk_conclude(v, &step);
            return effects;
        }
        if (step.effect == CMK_WRITE_AHEAD) {
            cmk_write_ahead(v, &step, "9d4f0b0e-0000-4000-8000-000000000000");
            cmk_conclude(v, &step);
        }
        _cleanup_(result_done) struct cmk_result result;
        perform(seed, &step, &result);
        if (step.effect == CMK_SEND && result.failed && result.err.maybe_sent)
            *lost_at = v->uptime;
        cmk_fold(v, &step, &result);
        if (*lost_at && !still_unknown(v, *lost_at))
            *lost_at = 0;
        int64_t took = draw(seed, 3000);
        v->now += took;
        v->uptime += took;
    }
    fail_msg("the pass does not end: %s", step.rule);
    return 0;
}

/* The status goes to the API server and back; of the process only what view.h says is carried over. */
static void next_pass(struct scene *scene, uint64_t *seed)
{
    struct cmk_view *v = &scene->view;
    struct cmk_status status;
    bool restart = draw(seed, 4) == 0;
    int64_t later = (int64_t)draw(seed, 300) * SECOND, uptime = v->uptime + later;
    int64_t now =
        v->now + later + (draw(seed, 8) ? 0 : (int64_t)draw(seed, 7200) * SECOND - HOUR); /* set by somebody */
    int64_t failing = restart ? 0 : v->failing_since, quiet = restart ? 0 : v->quiet_since, record = v->quiet_record;

    if (draw(seed, 10) == 0)
        scene->resource.generation++;
    cmk_status_copy(&status, &v->status);
    cmk_view_done(v);
    cmk_view_init(v, &cmk_default_options, &scene->resource, now, uptime);
    cmk_status_done(&v->status);
    v->status = status;
    v->lease_valid = true;
    v->failing_since = failing;
    v->quiet_since = quiet;
    v->quiet_record = record;
}

static void every_pass_ends_whatever_the_world_answers(void **state)
{
    int longest = 0;
    (void)state;

    for (uint64_t run = 0; run < 400; run++) {
        _cleanup_(scene_done) struct scene scene;
        uint64_t seed = run;
        int64_t lost_at = 0;
        scene_init(&scene, run % 2 ? "" : "identity=SystemAssignedIdentity");
        for (int pass = 0; pass < 30; pass++) {
            int effects = run_pass(&scene, &seed, &lost_at);
            longest = effects > longest ? effects : longest;
            assert_true(scene.view.status.n_conditions > 0);
            next_pass(&scene, &seed);
        }
    }
    assert_true(longest > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_combination_breaks_an_invariant),
        cmocka_unit_test(every_pass_ends_whatever_the_world_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
