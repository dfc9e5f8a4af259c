/* The conditions, as kubectl wait, Flux, Helm and Argo CD read them. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/view.h"
#include "scene.h"

#include <string.h>

/* Limits of crd/cosmoscmk.yaml. */
#define MAX_MESSAGE 32768
#define MAX_CHECK_MESSAGE 4096

enum kstatus { CURRENT, IN_PROGRESS, FAILED };
static const char *const kstatus_names[] = {"Current", "InProgress", "Failed"};

/* The order in which kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status) looks at a resource that it has no rules for.
 */
static enum kstatus kstatus_of(const struct cmk_status *status, int64_t generation)
{
    const struct cmk_condition *ready = condition_of(status, "Ready");

    if (status->observed_generation != generation)
        return IN_PROGRESS;
    for (size_t i = 0; i < status->n_conditions; i++) {
        const struct cmk_condition *c = &status->conditions[i];
        if (str_eq(c->type, "Reconciling") && c->status == CMK_TRUE)
            return IN_PROGRESS;
        if (str_eq(c->type, "Stalled") && c->status == CMK_TRUE)
            return FAILED;
    }
    return !ready || ready->status == CMK_TRUE ? CURRENT : IN_PROGRESS;
}

static void conclude(struct scene *scene)
{
    struct cmk_step step;

    cmk_next(&scene->view, &step);
    assert_int_equal(step.effect, CMK_REST);
    cmk_conclude(&scene->view, &step);
}

static enum cmk_truth truth_of(const struct cmk_status *status, const char *type)
{
    const struct cmk_condition *c = condition_of(status, type);

    if (!c)
        fail_msg("there is no condition %s", type);
    return c->status;
}

static void check_shape(const char *given, const struct cmk_status *status, int64_t generation)
{
    const struct cmk_condition *reconciling = condition_of(status, "Reconciling");
    const struct cmk_condition *stalled = condition_of(status, "Stalled");

    if ((reconciling && reconciling->status != CMK_TRUE) || (stalled && stalled->status != CMK_TRUE))
        fail_msg("%s: Reconciling or Stalled is there without being True", given);
    if (reconciling && stalled)
        fail_msg("%s: both Reconciling and Stalled", given);
    for (size_t i = 0; i < status->n_conditions; i++) {
        const struct cmk_condition *c = &status->conditions[i];
        if (str_empty(c->reason) || str_empty(c->message) || !c->last_transition ||
            c->observed_generation != generation)
            fail_msg("%s: %s has no reason, message, time or generation", given, c->type);
        if (strlen(c->message) > MAX_MESSAGE || !utf8_valid(c->message, strlen(c->message)))
            fail_msg("%s: the message of %s cannot be written", given, c->type);
    }
    for (size_t i = 0; i < status->n_checks; i++)
        assert_true(strlen(status->checks[i].message) <= MAX_CHECK_MESSAGE);
}

static void tools_understand_every_phase(void **state)
{
    static const struct {
        const char *given;
        enum kstatus kstatus;
        enum cmk_truth ready;
        const char *reason;
    } table[] = {
        {"account has-key confirmed", CURRENT, CMK_TRUE, "Encrypted"},
        {"account busy op=EnableKey:Dequeued", IN_PROGRESS, CMK_FALSE, "Encrypting"},
        {"account busy identity op=AttachIdentity:Dequeued", IN_PROGRESS, CMK_FALSE, "PreparingIdentity"},
        {"account op=EnableKey:Requested", IN_PROGRESS, CMK_FALSE, "Confirming"},
        {"account op=EnableKey:Failed ended code=ServiceUnavailable", IN_PROGRESS, CMK_FALSE, "Retrying"},
        {"account busy", IN_PROGRESS, CMK_FALSE, "AccountBusy"},
        {"account manual", IN_PROGRESS, CMK_FALSE, "AwaitingApproval"},
        {"account window=closed", IN_PROGRESS, CMK_FALSE, "AwaitingWindow"},
        {"account-error=unavailable", IN_PROGRESS, CMK_UNKNOWN, "AzureUnavailable"},
        {"account-error=throttled", IN_PROGRESS, CMK_UNKNOWN, "Throttled"},
        {"account unread refused=throttled", IN_PROGRESS, CMK_FALSE, "Throttled"},
        {"account observe", IN_PROGRESS, CMK_FALSE, "Observing"},
        {"suspended", IN_PROGRESS, CMK_UNKNOWN, "Suspended"},
        {"invalid", FAILED, CMK_FALSE, "InvalidSpec"},
        {"unsupported", FAILED, CMK_FALSE, "UnsupportedSpec"},
        {"owner", FAILED, CMK_FALSE, "AccountConflict"},
        {"account-error=not-found", FAILED, CMK_FALSE, "AccountNotFound"},
        {"account-error=forbidden", FAILED, CMK_FALSE, "AccessDenied"},
        {"account has-key revoked", FAILED, CMK_FALSE, "KeyRevoked"},
        {"account continuous", FAILED, CMK_FALSE, "PreflightFailed"},
        {"account cassandra", FAILED, CMK_FALSE, "UnsupportedAccount"},
        {"account op=EnableKey:Failed ended code=BadRequest", FAILED, CMK_FALSE, "OperationFailed"},
        {"account has-key=" OTHER_KEY " was-ready report", FAILED, CMK_FALSE, "Drifted"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        const struct cmk_status *status = &scene.view.status;
        scene_init(&scene, table[i].given);
        conclude(&scene);
        enum kstatus kstatus = kstatus_of(status, scene.resource.generation);
        if (kstatus != table[i].kstatus || truth_of(status, "Ready") != table[i].ready)
            fail_msg("%s: kstatus %s, Ready %s", table[i].given, kstatus_names[kstatus],
                cmk_truth_name(truth_of(status, "Ready")));
        assert_string_equal(condition_of(status, "Ready")->reason, table[i].reason);
        check_shape(table[i].given, status, scene.resource.generation);
    }
}

static void a_new_generation_is_in_progress_until_it_was_looked_at(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account has-key");
    conclude(&scene);
    scene_add(&scene, "new-generation");
    assert_int_equal(kstatus_of(&scene.view.status, scene.resource.generation), IN_PROGRESS);
    conclude(&scene);
    assert_int_equal(kstatus_of(&scene.view.status, scene.resource.generation), CURRENT);
}

/* One resource through its life: no marker of an earlier phase stays. */
static void markers_go_when_their_phase_ends(void **state)
{
    static const struct {
        const char *then;
        bool reconciling, stalled;
    } table[] = {
        {"account manual", true, false},
        {"account-error=forbidden", false, true},
        {"account busy op=EnableKey:Dequeued", true, false},
        {"account state=Succeeded has-key ended", false, false},
        {"revoked", false, true},
        {"confirmed", false, false},
        {"suspended", false, false},
    };
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        scene_add(&scene, table[i].then);
        conclude(&scene);
        assert_int_equal(condition_of(&scene.view.status, "Reconciling") != NULL, table[i].reconciling);
        assert_int_equal(condition_of(&scene.view.status, "Stalled") != NULL, table[i].stalled);
        check_shape(table[i].then, &scene.view.status, 1);
    }
}

static void the_name_of_an_account_is_known_before_it_was_read(void **state)
{
    static const struct {
        const char *given, *name;
    } table[] = {
        {"account-error=forbidden", "orders"},
        {"suspended", "orders"},
        {"account-error=not-found knows=Orders", "Orders"}, /* as it was read */
        {"invalid", NULL},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        scene_init(&scene, table[i].given);
        conclude(&scene);
        if (!str_eq(scene.view.status.account.name, table[i].name))
            fail_msg("%s: %s", table[i].given, scene.view.status.account.name);
    }
}

static void the_transition_time_moves_only_with_the_status(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account manual");
    conclude(&scene);
    scene.view.now += HOUR;
    scene_add(&scene, "busy op=EnableKey:Dequeued");
    conclude(&scene);
    assert_int_equal(condition_of(&scene.view.status, "Ready")->last_transition, NOW);
    assert_string_equal(condition_of(&scene.view.status, "Ready")->reason, "Encrypting");
    assert_int_equal(condition_of(&scene.view.status, "Encrypting")->last_transition, NOW + HOUR);
    scene.view.now += HOUR;
    scene_add(&scene, "state=Succeeded has-key ended op=EnableKey:Succeeded");
    conclude(&scene);
    assert_int_equal(condition_of(&scene.view.status, "Ready")->last_transition, NOW + 2 * HOUR);
}

static void conditions_of_others_are_kept(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_status *status = &scene.view.status;
    (void)state;

    scene_init(&scene, "account manual");
    status->conditions[status->n_conditions++] = (struct cmk_condition){.type = xstrdup("example.com/Audited"),
        .status = CMK_FALSE,
        .reason = xstrdup("NotYet"),
        .message = xstrdup("hm"),
        .observed_generation = 0,
        .last_transition = 42};
    conclude(&scene);
    scene_add(&scene, "has-key");
    conclude(&scene);
    const struct cmk_condition *c = condition_of(status, "example.com/Audited");
    assert_non_null(c);
    assert_int_equal(c->status, CMK_FALSE);
    assert_string_equal(c->reason, "NotYet");
    assert_int_equal(c->observed_generation, 0);
    assert_int_equal(c->last_transition, 42);
}

static void ready_outlives_an_outage_for_a_while(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    _cleanup_(cmk_status_done) struct cmk_status before = {0};
    (void)state;

    scene_init(&scene, "account has-key confirmed");
    conclude(&scene);
    cmk_status_copy(&before, &scene.view.status);
    scene_add(&scene, "account-error=unavailable");
    conclude(&scene);
    assert_true(cmk_status_equal(&before, &scene.view.status));
    scene.view.now = NOW + 15 * MINUTE - 1;
    conclude(&scene);
    assert_true(cmk_status_equal(&before, &scene.view.status));
    scene.view.now = NOW + 15 * MINUTE;
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "Ready"), CMK_UNKNOWN);
}

static void ready_for_an_old_spec_does_not_outlive_an_outage(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account has-key confirmed");
    conclude(&scene);
    scene_add(&scene, "new-generation account-error=unavailable");
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "Ready"), CMK_UNKNOWN);
    assert_int_equal(scene.view.status.observed_generation, 2);
}

/* Our own pacing is no news, however often it happens; a long wait is like an outage. */
static void waiting_for_our_own_turn_is_not_written(void **state)
{
    static const struct {
        const char *given, *then;
        bool written;
    } table[] = {
        {"account has-key confirmed", "paced=59s", false},
        {"account manual", "paced=59s", false},
        {"account continuous", "paced=1s", false},
        {"account busy op=EnableKey:Dequeued age=3h", "paced=30s", false},
        {"account has-key confirmed", "new-generation paced=30s", false},
        {"account has-key confirmed", "asked=now paced=30s", false},
        {"account manual", "paced=1m", true},
        {"account manual", "account-error=throttled retry-after=30s new-generation", true},
        {"account manual", "account-error=unavailable new-generation", true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        _cleanup_(cmk_status_done) struct cmk_status before = {0};
        scene_init(&scene, table[i].given);
        conclude(&scene);
        cmk_status_copy(&before, &scene.view.status);
        cmk_status_copy(&scene.resource.status, &scene.view.status);
        scene.view.now += HOUR;
        scene_add(&scene, table[i].then);
        conclude(&scene);
        if (cmk_status_equal(&before, &scene.view.status) == table[i].written)
            fail_msg("%s, %s: %s", table[i].given, table[i].then, table[i].written ? "not written" : "written");
    }
}

static void the_first_look_is_written_even_when_it_has_to_wait(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "paced=10s");
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "Ready"), CMK_UNKNOWN);
    assert_string_equal(condition_of(&scene.view.status, "Ready")->reason, "Throttled");
}

static void a_turn_is_an_appointment(void **state)
{
    static const struct {
        const char *given;
        int64_t wake_in;
        bool exact;
    } table[] = {
        {"paced=300s", 300 * SECOND, true},
        {"account-error=throttled retry-after=90s", 90 * SECOND, true},
        {"account-error=throttled", -1, false},
        {"account has-key", 10 * MINUTE, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        cmk_next(&scene.view, &step);
        assert_int_equal(step.exact, table[i].exact);
        if (table[i].wake_in >= 0)
            assert_int_equal(step.wake_at, NOW + table[i].wake_in);
        else
            assert_true(step.backoff);
    }
}

/* The record that was written ahead is taken back by a write, whose conditions must be true as well. */
static void a_turn_that_comes_after_the_write_ahead_is_told(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account");
    cmk_next(&scene.view, &step);
    cmk_write_ahead(&scene.view, &step, "corr");
    cmk_conclude(&scene.view, &step);
    scene_add(&scene, "armed paced=10s");
    conclude(&scene);
    assert_int_equal(scene.view.status.operation.type, CMK_NO_STEP);
    assert_null(condition_of(&scene.view.status, "Encrypting"));
    assert_string_equal(condition_of(&scene.view.status, "Ready")->reason, "Throttled");
}

static void an_operation_shows_as_encrypting(void **state)
{
    static const struct {
        const char *given;
        enum cmk_truth truth;
        const char *reason, *says;
    } table[] = {
        {"account op=EnableKey:Requested", CMK_UNKNOWN, "Requested", "no answer"},
        {"account busy op=EnableKey:Dequeued age=3h", CMK_TRUE, "Encrypting", "blocked until it ends"},
        {"account has-key op=EnableKey:Succeeded ended", CMK_FALSE, "Encrypted", KEY},
        {"account op=EnableKey:Failed ended code=TooLong", CMK_FALSE, "OperationFailed", "TooLong"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        scene_init(&scene, table[i].given);
        conclude(&scene);
        assert_int_equal(truth_of(&scene.view.status, "Encrypting"), table[i].truth);
        assert_string_equal(condition_of(&scene.view.status, "Encrypting")->reason, table[i].reason);
        assert_non_null(strstr(condition_of(&scene.view.status, "Encrypting")->message, table[i].says));
    }
}

static void encrypting_keeps_its_sentence_while_azure_is_silent(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account busy op=EnableKey:Dequeued age=3h");
    conclude(&scene);
    scene_add(&scene, "account-error=unavailable");
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "Encrypting"), CMK_TRUE);
    assert_non_null(strstr(condition_of(&scene.view.status, "Encrypting")->message, "Dequeued"));
}

static void a_change_that_was_not_sent_leaves_nothing_behind(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account");
    cmk_next(&scene.view, &step);
    cmk_write_ahead(&scene.view, &step, "corr");
    cmk_conclude(&scene.view, &step);
    assert_int_equal(scene.view.status.operation.type, CMK_ENABLE_KEY);
    assert_int_equal(truth_of(&scene.view.status, "Encrypting"), CMK_UNKNOWN);
    scene_add(&scene, "armed sent armed window=closed");
    conclude(&scene);
    assert_int_equal(scene.view.status.operation.type, CMK_NO_STEP);
    assert_null(condition_of(&scene.view.status, "Encrypting"));
}

static void a_second_write_ahead_of_a_pass_is_not_taken_back(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account identity attached armed op=AttachIdentity:Requested");
    cmk_next(&scene.view, &step);
    assert_int_equal(step.effect, CMK_WRITE_AHEAD);
    cmk_write_ahead(&scene.view, &step, "corr");
    cmk_conclude(&scene.view, &step);
    assert_int_equal(scene.view.status.operation.type, CMK_SET_DEFAULT_IDENTITY);
}

static void key_access_follows_azures_text(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account has-key");
    conclude(&scene);
    assert_null(condition_of(&scene.view.status, "KeyAccessible"));
    scene_add(&scene, "confirmed");
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "KeyAccessible"), CMK_TRUE);
    scene_add(&scene, "revoked");
    conclude(&scene);
    assert_int_equal(truth_of(&scene.view.status, "KeyAccessible"), CMK_FALSE);
    assert_non_null(strstr(condition_of(&scene.view.status, "KeyAccessible")->message, REVOKED));
}

static void the_same_look_twice_gives_the_same_status(void **state)
{
    static const char *const given[] = {"account has-key confirmed", "account manual", "account continuous", "invalid",
        "account busy op=EnableKey:Dequeued url age=3h read-ago=1s", "account-error=forbidden", "suspended",
        "account op=EnableKey:Failed ended code=BadRequest", "account window=closed"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        _cleanup_(scene_done) struct scene scene;
        _cleanup_(cmk_status_done) struct cmk_status before = {0};
        scene_init(&scene, given[i]);
        conclude(&scene);
        cmk_status_copy(&before, &scene.view.status);
        scene.view.now += 20 * SECOND;
        scene.view.account.observed_at += 20 * SECOND;
        conclude(&scene);
        if (!cmk_status_equal(&before, &scene.view.status))
            fail_msg("%s: a look 20 seconds later would be a write", given[i]);
    }
}

static void a_request_to_reconcile_is_echoed(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "account has-key asked=2026-03-07");
    conclude(&scene);
    assert_string_equal(scene.view.status.last_handled_reconcile_at, "2026-03-07");
    assert_string_equal(scene.view.status.encrypted_key_uri, KEY);
}

static void no_text_of_azure_makes_a_message_that_cannot_be_written(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    _cleanup_(freep) char *text = xmalloc(8001);
    (void)state;

    scene_init(&scene, "account op=EnableKey:Failed ended code=BadRequest");
    for (size_t i = 0; i < 8000; i += 2) /* an e acute a hundred times over, and the cut may fall into one */
        memcpy(text + i, "\xC3\xA9", 2);
    text[8000] = '\0';
    str_replace(&scene.view.status.operation.error_message, text);
    conclude(&scene);
    check_shape("a long text", &scene.view.status, 1);
    str_replace(&scene.view.status.operation.error_message, text + 1999);
    text[1] = 'x';
    str_replace(&scene.resource.spec.key_uri, text);
    conclude(&scene);
    const struct cmk_condition *ready = condition_of(&scene.view.status, "Ready");
    assert_true(utf8_valid(ready->message, strlen(ready->message)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_understand_every_phase),
        cmocka_unit_test(a_new_generation_is_in_progress_until_it_was_looked_at),
        cmocka_unit_test(markers_go_when_their_phase_ends),
        cmocka_unit_test(the_name_of_an_account_is_known_before_it_was_read),
        cmocka_unit_test(the_transition_time_moves_only_with_the_status),
        cmocka_unit_test(conditions_of_others_are_kept),
        cmocka_unit_test(ready_outlives_an_outage_for_a_while),
        cmocka_unit_test(ready_for_an_old_spec_does_not_outlive_an_outage),
        cmocka_unit_test(waiting_for_our_own_turn_is_not_written),
        cmocka_unit_test(the_first_look_is_written_even_when_it_has_to_wait),
        cmocka_unit_test(a_turn_is_an_appointment),
        cmocka_unit_test(a_turn_that_comes_after_the_write_ahead_is_told),
        cmocka_unit_test(an_operation_shows_as_encrypting),
        cmocka_unit_test(encrypting_keeps_its_sentence_while_azure_is_silent),
        cmocka_unit_test(a_change_that_was_not_sent_leaves_nothing_behind),
        cmocka_unit_test(a_second_write_ahead_of_a_pass_is_not_taken_back),
        cmocka_unit_test(key_access_follows_azures_text),
        cmocka_unit_test(the_same_look_twice_gives_the_same_status),
        cmocka_unit_test(a_request_to_reconcile_is_echoed),
        cmocka_unit_test(no_text_of_azure_makes_a_message_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
