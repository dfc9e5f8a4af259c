/* What each effect brings: the operation as recorded, what is believed of the account, and whole passes step by step.
 */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/rules.h"
#include "scene.h"

#include <string.h>

static struct cmk_operation *op_of(struct scene *scene)
{
    return &scene->view.status.operation;
}

static void fold(struct scene *scene, enum cmk_effect effect, struct cmk_result *result)
{
    cmk_fold(&scene->view, &(struct cmk_step){.effect = effect}, result);
}

static void settle(struct scene *scene, enum cmk_settlement settlement)
{
    cmk_fold(&scene->view, &(struct cmk_step){.effect = CMK_SETTLE, .settlement = settlement}, NULL);
}

static struct cmk_result failure(enum err_kind kind, const char *message)
{
    struct cmk_result result = {.failed = true, .err = ERR_INIT};

    (void)err_set(&result.err, kind, "%s", message);
    return result;
}

static struct cmk_result account_in(const char *provisioning_state, const char *key_uri)
{
    struct cmk_result result = {0};

    result.account.provisioning_state = xstrdup(provisioning_state);
    result.account.key_uri = xstrdup(key_uri);
    return result;
}

static void expect_rule(struct scene *scene, const char *rule, struct cmk_step *ret)
{
    cmk_next(&scene->view, ret);
    assert_string_equal(ret->rule, rule);
}

static void a_write_ahead_records_what_will_be_asked(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account has-key=" OTHER_KEY);
    expect_rule(&scene, "write-ahead", &step);
    cmk_write_ahead(&scene.view, &step, "corr-1");
    assert_int_equal(op_of(&scene)->type, CMK_ENABLE_KEY);
    assert_string_equal(op_of(&scene)->state, CMK_REQUESTED);
    assert_string_equal(op_of(&scene)->target, KEY);
    assert_string_equal(op_of(&scene)->previous_key_uri, OTHER_KEY);
    assert_string_equal(op_of(&scene)->correlation_id, "corr-1");
    assert_int_equal(op_of(&scene)->requested_at, NOW);
    assert_int_equal(op_of(&scene)->attempts, 1);
    assert_false(scene.view.armed);
    cmk_fold(&scene.view, &step, &(struct cmk_result){0});
    assert_true(scene.view.armed);
    assert_int_equal(scene.view.account_fact, CMK_UNREAD);
}

static void a_write_ahead_that_may_not_be_written_is_not_sent(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account");
    expect_rule(&scene, "write-ahead", &step);
    cmk_write_ahead(&scene.view, &step, "corr-1");
    struct cmk_result result = failure(ERR_TIMEOUT, "no answer");
    cmk_fold(&scene.view, &step, &result);
    assert_false(scene.view.armed);
    scene_add(&scene, "account");
    expect_rule(&scene, "lost-answer-unsettled", &step);
}

static void attempts_count_only_failures_of_the_same_step(void **state)
{
    static const struct {
        const char *given;
        int64_t attempts;
    } table[] = {
        {"account", 1},
        {"account op=EnableKey:Failed ended=1h code=ServiceUnavailable attempts=3", 4},
        {"account op=EnableKey:Succeeded ended=1h attempts=3", 1},
        {"account op=AttachIdentity:Succeeded ended=1h attempts=3", 1},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        expect_rule(&scene, "write-ahead", &step);
        cmk_write_ahead(&scene.view, &step, "corr");
        assert_int_equal(op_of(&scene)->attempts, table[i].attempts);
    }
}

static void what_sending_brings(void **state)
{
    static const struct {
        const char *sentence;
        enum err_kind kind;
        bool maybe_sent;
        const char *rule;
        bool recorded; /* the operation is still in status */
    } table[] = {
        {"the answer was lost", ERR_TIMEOUT, true, "account-unread", true},
        {"the connection broke", ERR_UNAVAILABLE, true, "account-unread", true},
        {"an answer that makes no sense", ERR_PROTOCOL, true, "account-unread", true},
        {"it never left", ERR_UNAVAILABLE, false, "account-unreadable", false},
        {"there was no time to send it", ERR_TIMEOUT, false, "account-unreadable", false},
        {"Azure could not be verified", ERR_TLS, false, "account-unreadable", false},
        {"we were told to stop", ERR_CANCELLED, false, "account-unreadable", false},
        {"the token endpoint talks nonsense", ERR_PROTOCOL, false, "account-unreadable", false},
        {"412", ERR_LOCKED, false, "refused-busy", false},
        {"429", ERR_THROTTLED, false, "refused-throttled", false},
        {"403", ERR_FORBIDDEN, false, "refused-denied", false},
        {"401", ERR_UNAUTHORIZED, false, "refused-denied", false},
        {"400", ERR_INVALID, false, "refused", true},
        {"404", ERR_NOT_FOUND, false, "refused", true},
        {"409", ERR_CONFLICT, false, "refused", true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        struct cmk_result result = failure(table[i].kind, "so it went");
        result.err.maybe_sent = table[i].maybe_sent;
        scene_init(&scene, "account armed op=EnableKey:Requested");
        fold(&scene, CMK_SEND, &result);
        assert_false(scene.view.armed);
        cmk_next(&scene.view, &step);
        if (strcmp(step.rule, table[i].rule) != 0)
            fail_msg("%s: %s", table[i].sentence, step.rule);
        if ((op_of(&scene)->type != CMK_NO_STEP) != table[i].recorded)
            fail_msg("%s: recorded %d", table[i].sentence, !table[i].recorded);
    }
}

static void not_online_leaves_no_operation_behind(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    struct cmk_result result = failure(ERR_INVALID, "Database account orders is not online");
    (void)state;

    scene_init(&scene, "account armed op=EnableKey:Requested");
    fold(&scene, CMK_SEND, &result);
    expect_rule(&scene, "refused-busy", &step);
    assert_int_equal(op_of(&scene)->type, CMK_NO_STEP);
}

static void a_refusal_becomes_a_failed_operation_and_is_not_repeated_in_the_pass(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    struct cmk_result result = failure(ERR_INVALID, "Updating KeyVaultKeyUri is not supported");
    (void)state;

    scene_init(&scene, "account armed op=EnableKey:Requested asked");
    (void)str_copy(result.err.code, sizeof(result.err.code), "BadRequest");
    fold(&scene, CMK_SEND, &result);
    expect_rule(&scene, "refused", &step);
    cmk_fold(&scene.view, &step, NULL);
    assert_string_equal(op_of(&scene)->state, CMK_FAILED);
    assert_string_equal(op_of(&scene)->error_code, "BadRequest");
    assert_int_equal(op_of(&scene)->completed_at, NOW);
    scene_add(&scene, "account");
    expect_rule(&scene, "failure-final", &step);
    assert_non_null(strstr(step.message, "Updating KeyVaultKeyUri is not supported"));
}

static void an_accepted_change_is_followed(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    struct cmk_result result = account_in("Updating", NULL);
    char url[] = "https://management.azure.com/operations/1", id[] = "op-1";
    (void)state;

    scene_init(&scene, "account armed op=EnableKey:Requested quiet=1h");
    result.status_url = url;
    result.operation_id = id;
    fold(&scene, CMK_SEND, &result);
    assert_string_equal(op_of(&scene)->state, CMK_ACCEPTED);
    assert_string_equal(op_of(&scene)->status_url, "https://management.azure.com/operations/1");
    assert_string_equal(op_of(&scene)->id, "op-1");
    assert_int_equal(op_of(&scene)->started_at, NOW);
    assert_int_equal(scene.view.quiet_since, 0);
    expect_rule(&scene, "operation-running", &step);
}

/* An accepted change whose answer shows an account at rest proves nothing. */
static void ready_is_never_taken_from_the_answer_to_a_change(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    struct cmk_result result = account_in("Succeeded", KEY);
    (void)state;

    scene_init(&scene, "account armed op=EnableKey:Requested quiet=1h");
    fold(&scene, CMK_SEND, &result);
    expect_rule(&scene, "account-unread", &step);
    assert_int_equal(scene.view.quiet_since, UPTIME); /* the time of the last operation does not count */
}

static void what_cannot_be_written_is_not_taken(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result result = account_in("Updating", NULL);
    _cleanup_(freep) char *url = xmalloc(20001);
    char long_word[400];
    (void)state;

    memset(url, 'u', 20000);
    url[20000] = '\0';
    memset(long_word, 'w', sizeof(long_word));
    long_word[sizeof(long_word) - 1] = '\0';
    result.status_url = url;
    result.operation_id = long_word;
    scene_init(&scene, "account armed op=EnableKey:Requested");
    fold(&scene, CMK_SEND, &result);
    assert_null(op_of(&scene)->status_url);
    assert_null(op_of(&scene)->id);
    struct cmk_result polled = {.state = long_word, .error_code = long_word, .error_message = url};
    fold(&scene, CMK_READ_OPERATION, &polled);
    assert_int_equal(strlen(op_of(&scene)->state), 64);
    assert_int_equal(strlen(op_of(&scene)->error_code), 256);
    assert_int_equal(strlen(op_of(&scene)->error_message), 8192);
    struct cmk_result read = account_in(long_word, url);
    fold(&scene, CMK_READ_ACCOUNT, &read);
    assert_int_equal(strlen(scene.view.account.provisioning_state), 64);
    assert_int_equal(strlen(scene.view.account.key_uri), 1024);
}

/* A read that our own pacing held back has looked at nothing: the operation is neither seen nor lost by it. */
static void a_poll_that_was_held_back_has_not_looked(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result held = {.failed = true, .err = ERR_INIT};
    (void)state;

    scene_init(&scene, "account op=EnableKey:Dequeued url");
    (void)err_set(&held.err, ERR_THROTTLED, "its turn comes later");
    (void)str_copy(held.err.code, sizeof(held.err.code), CMK_CLIENT_THROTTLED);
    fold(&scene, CMK_READ_OPERATION, &held);
    assert_int_equal(scene.view.operation_fact, CMK_FAILED_TO_READ);
    assert_int_equal(scene.view.operation_read_at, 0);
    assert_int_equal(op_of(&scene)->last_observed_at, 0);
    held.err.retry_after_ms = HOUR; /* that is no pacing any more, but an answer of Azure's */
    fold(&scene, CMK_READ_OPERATION, &held);
    assert_int_equal(scene.view.operation_read_at, NOW);
    assert_false(scene.view.operation_lost);
}

static void azure_cannot_say_our_word_for_an_unknown_outcome(void **state)
{
    static const char *const words[] = {CMK_REQUESTED, "", NULL};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        struct cmk_result result = {.state = (char *)words[i]};
        scene_init(&scene, "account busy op=EnableKey:Dequeued url age=1h");
        fold(&scene, CMK_READ_OPERATION, &result);
        assert_string_equal(op_of(&scene)->state, CMK_ACCEPTED);
        expect_rule(&scene, "operation-running", &step);
    }
}

static void some_errors_mean_that_the_url_is_lost(void **state)
{
    static const struct {
        enum err_kind kind;
        bool lost;
    } table[] = {
        {ERR_NOT_FOUND, true},
        {ERR_FORBIDDEN, true},
        {ERR_GONE, true},
        {ERR_INVALID, true},
        {ERR_PROTOCOL, true},
        {ERR_TOO_LARGE, true},
        {ERR_UNAVAILABLE, false},
        {ERR_TIMEOUT, false},
        {ERR_THROTTLED, false},
        {ERR_UNAUTHORIZED, false},
        {ERR_CANCELLED, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_result result = failure(table[i].kind, "no");
        scene_init(&scene, "account op=EnableKey:Dequeued url age=1h");
        fold(&scene, CMK_READ_OPERATION, &result);
        assert_int_equal(scene.view.operation_lost, table[i].lost);
        assert_string_equal(op_of(&scene)->state, "Dequeued");
        assert_non_null(op_of(&scene)->status_url);
    }
}

static void how_an_operation_ends(void **state)
{
    static const struct {
        const char *given;
        enum cmk_settlement settlement;
        const char *state, *code;
        bool ended;
    } table[] = {
        {"op=EnableKey:Requested", CMK_OP_RUNS, CMK_ACCEPTED, NULL, false},
        {"op=EnableKey:Dequeued url", CMK_OP_DONE, CMK_SUCCEEDED, NULL, true},
        {"op=EnableKey:Failed url code=TooLong", CMK_OP_FAILED, CMK_FAILED, "TooLong", true},
        {"op=EnableKey:Canceled url", CMK_OP_FAILED, CMK_FAILED, "Canceled", true},
        {"op=EnableKey:Requested", CMK_OP_NO_EFFECT, CMK_FAILED, "NoEffect", true},
        {"op=EnableKey:Succeeded url", CMK_OP_NOT_APPLIED, CMK_FAILED, "NotApplied", true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        scene_init(&scene, table[i].given);
        settle(&scene, table[i].settlement);
        assert_string_equal(op_of(&scene)->state, table[i].state);
        assert_true(str_eq(op_of(&scene)->error_code, table[i].code));
        assert_int_equal(op_of(&scene)->completed_at, table[i].ended ? NOW : 0);
        assert_int_equal(cmk_operation_open(op_of(&scene)), !table[i].ended);
        assert_null(op_of(&scene)->status_url);
        if (table[i].code)
            assert_non_null(op_of(&scene)->error_message);
    }
}

/* When it was encrypted is read off the record of the operation, whichever pass concludes. */
static void settle_and_conclude(struct scene *scene)
{
    const struct cmk_step step = {.effect = CMK_REST, .reason = CMK_REASON_ENCRYPTED, .phase = CMK_IS_READY};

    settle(scene, CMK_OP_DONE);
    cmk_conclude(&scene->view, &step);
}

/* The key was changed in the spec, and changed back before Azure was done: what the account shows then is our own doing
 * and no drift, so it is set back. */
static void a_key_of_our_own_is_no_drift(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    (void)state;

    scene_init(&scene, "account has-key=" OTHER_KEY " was-ready report op=EnableKey:Dequeued");
    str_replace(&op_of(&scene)->target, OTHER_KEY);
    settle(&scene, CMK_OP_DONE);
    expect_rule(&scene, "write-ahead", &step);
    assert_int_equal(step.type, CMK_ENABLE_KEY);
}

static void encrypted_at_is_the_first_time_only(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "op=EnableKey:Dequeued");
    settle_and_conclude(&scene);
    assert_int_equal(scene.view.status.encrypted_at, NOW);
    scene_add(&scene, "op=EnableKey:Dequeued");
    scene.view.now += DAY;
    str_replace(&op_of(&scene)->previous_key_uri, OTHER_KEY);
    op_of(&scene)->completed_at = 0;
    settle_and_conclude(&scene);
    assert_int_equal(scene.view.status.encrypted_at, NOW);
    assert_int_equal(op_of(&scene)->completed_at, NOW + DAY);
}

static void encrypted_at_survives_a_status_that_was_not_written(void **state)
{
    const struct cmk_step step = {.effect = CMK_REST, .reason = CMK_REASON_ENCRYPTED, .phase = CMK_IS_READY};
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "op=EnableKey:Succeeded");
    op_of(&scene)->completed_at = NOW - DAY; /* recorded by itself, see kube_port.write_operation */
    cmk_conclude(&scene.view, &step);
    assert_int_equal(scene.view.status.encrypted_at, NOW - DAY);
}

static void a_key_change_says_nothing_about_when_it_was_encrypted(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    (void)state;

    scene_init(&scene, "op=EnableKey:Dequeued");
    str_replace(&op_of(&scene)->previous_key_uri, OTHER_KEY);
    settle_and_conclude(&scene);
    assert_int_equal(scene.view.status.encrypted_at, 0);
}

static void failing_since_is_the_first_failure_until_azure_answers(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result bad = failure(ERR_UNAVAILABLE, "no"), good = account_in("Succeeded", NULL);
    (void)state;

    scene_init(&scene, "");
    fold(&scene, CMK_READ_ACCOUNT, &bad);
    scene.view.now += HOUR;
    fold(&scene, CMK_READ_ACCOUNT, &bad);
    assert_int_equal(scene.view.failing_since, NOW);
    fold(&scene, CMK_READ_ACCOUNT, &good);
    assert_int_equal(scene.view.failing_since, 0);
}

static void quiet_since_is_when_the_account_came_to_rest(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result busy = account_in("Updating", NULL), rest = account_in("Succeeded", NULL);
    struct cmk_result rest_later = account_in("Succeeded", NULL);
    (void)state;

    scene_init(&scene, "op=EnableKey:Dequeued url");
    fold(&scene, CMK_READ_ACCOUNT, &busy);
    assert_int_equal(scene.view.quiet_since, 0);
    fold(&scene, CMK_READ_ACCOUNT, &rest);
    scene.view.now += MINUTE;
    scene.view.uptime += MINUTE;
    fold(&scene, CMK_READ_ACCOUNT, &rest_later);
    assert_int_equal(scene.view.quiet_since, UPTIME);
}

static void what_is_quiet_over_another_record_counts_anew(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result rest = account_in("Succeeded", NULL);
    (void)state;

    scene_init(&scene, "op=EnableKey:Requested quiet=1h");
    op_of(&scene)->requested_at += SECOND;
    fold(&scene, CMK_READ_ACCOUNT, &rest);
    assert_int_equal(scene.view.quiet_since, UPTIME);
}

/* A process that stood still right before the request left must not count that time. */
static void a_lost_answer_is_counted_from_when_it_was_lost(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;
    struct cmk_result cut = {.failed = true, .err = ERR_INIT}, rest = account_in("Succeeded", NULL);
    (void)state;

    scene_init(&scene, "account armed op=EnableKey:Requested quiet=1h");
    scene.view.uptime += HOUR;
    (void)err_set(&cut.err, ERR_TIMEOUT, "no answer");
    cut.err.maybe_sent = true;
    fold(&scene, CMK_SEND, &cut);
    scene.view.uptime += SECOND;
    fold(&scene, CMK_READ_ACCOUNT, &rest);
    assert_int_equal(scene.view.quiet_since, UPTIME + HOUR + SECOND);
    expect_rule(&scene, "lost-answer-unsettled", &step);
}

static void a_busy_account_does_not_make_a_lost_grant_look_young(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_result busy = account_in("Updating", NULL);
    (void)state;

    scene_init(&scene, "grant op=GrantKeyAccess:Requested quiet=1h");
    fold(&scene, CMK_READ_ACCOUNT, &busy);
    assert_int_equal(scene.view.quiet_since, UPTIME - HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_ahead_records_what_will_be_asked),
        cmocka_unit_test(a_write_ahead_that_may_not_be_written_is_not_sent),
        cmocka_unit_test(attempts_count_only_failures_of_the_same_step),
        cmocka_unit_test(what_sending_brings),
        cmocka_unit_test(not_online_leaves_no_operation_behind),
        cmocka_unit_test(a_refusal_becomes_a_failed_operation_and_is_not_repeated_in_the_pass),
        cmocka_unit_test(an_accepted_change_is_followed),
        cmocka_unit_test(ready_is_never_taken_from_the_answer_to_a_change),
        cmocka_unit_test(what_cannot_be_written_is_not_taken),
        cmocka_unit_test(a_poll_that_was_held_back_has_not_looked),
        cmocka_unit_test(azure_cannot_say_our_word_for_an_unknown_outcome),
        cmocka_unit_test(some_errors_mean_that_the_url_is_lost),
        cmocka_unit_test(how_an_operation_ends),
        cmocka_unit_test(a_key_of_our_own_is_no_drift),
        cmocka_unit_test(encrypted_at_is_the_first_time_only),
        cmocka_unit_test(encrypted_at_survives_a_status_that_was_not_written),
        cmocka_unit_test(a_key_change_says_nothing_about_when_it_was_encrypted),
        cmocka_unit_test(failing_since_is_the_first_failure_until_azure_answers),
        cmocka_unit_test(quiet_since_is_when_the_account_came_to_rest),
        cmocka_unit_test(what_is_quiet_over_another_record_counts_anew),
        cmocka_unit_test(a_lost_answer_is_counted_from_when_it_was_lost),
        cmocka_unit_test(a_busy_account_does_not_make_a_lost_grant_look_young),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
