/* What a pass tells people: a row is what the pass found, what it sees, and the events of it. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/events.h"
#include "cmk/reasons.h"
#include "scene.h"

#include <string.h>

#define CORRELATION "c0000000-0000-4000-8000-000000000001"

static void put_condition(
    struct cmk_status *status, const char *type, enum cmk_truth truth, const char *reason, const char *message)
{
    status->conditions[status->n_conditions++] = (struct cmk_condition){
        .type = xstrdup(type), .status = truth, .reason = xstrdup(reason), .message = xstrdup(message)};
}

/* The pass found the operation that the scene has, and these conditions. */
static void found(struct scene *scene, const char *ready, enum cmk_truth key_access)
{
    struct cmk_status *status = &scene->view.status;

    if (ready)
        put_condition(status, "Ready", CMK_FALSE, ready, "what was said");
    if (key_access != CMK_UNKNOWN)
        put_condition(status, "KeyAccessible", key_access, "AccessLost", "what was said");
    if (status->operation.type != CMK_NO_STEP)
        str_replace(&status->operation.correlation_id, CORRELATION);
    cmk_status_done(&scene->resource.status);
    cmk_status_copy(&scene->resource.status, status);
}

/* One effect as the shell performs it, in a world where all goes well. */
static void perform(struct cmk_view *view, const struct cmk_step *step)
{
    struct cmk_result result = {.err = ERR_INIT};

    if (step->effect == CMK_WRITE_AHEAD) {
        cmk_write_ahead(view, step, "c0000000-0000-4000-8000-000000000002");
        cmk_conclude(view, step);
    }
    if (step->effect == CMK_READ_ACCOUNT || step->effect == CMK_SEND)
        cmk_account_copy(&result.account, &view->account);
    if (step->effect == CMK_SEND) {
        str_replace(&result.account.provisioning_state, "Updating");
        result.status_url = xstrdup("https://management.azure.com/operationsStatus/1?sig=secret");
    }
    cmk_fold(view, step, &result);
    cmk_account_done(&result.account);
    free(result.status_url);
}

static void pass(struct scene *scene, struct cmk_events *events)
{
    struct cmk_step step;

    events->n = 0;
    for (int i = 0; i < 16; i++) {
        cmk_next(&scene->view, &step);
        if (step.effect == CMK_REST)
            cmk_conclude(&scene->view, &step);
        else
            perform(&scene->view, &step);
        cmk_events_add(events, &scene->view, &step);
        if (step.effect == CMK_REST)
            return;
    }
    fail_msg("the pass did not come to rest");
}

static void put_list(struct buf *b, const struct cmk_events *events)
{
    for (size_t i = 0; i < events->n; i++)
        buf_printf(b, "%s%s%s/%s", i ? ", " : "", events->list[i].warning ? "!" : "", events->list[i].reason,
            events->list[i].action);
}

static void a_pass_tells_what_has_changed(void **state _unused_)
{
    static const struct {
        const char *words, *ready;
        enum cmk_truth key_access;
        const char *expected;
    } rows[] = {
        /* nothing new */
        {"account has-key confirmed", "Encrypted", CMK_TRUE, ""},
        {"account busy op=EnableKey:Dequeued age=1h url polled=Dequeued", "Encrypting", CMK_UNKNOWN, ""},
        {"account manual", "AwaitingApproval", CMK_UNKNOWN, ""},
        {"account suspended", "Suspended", CMK_UNKNOWN, ""},
        /* reasons of Ready */
        {"account has-key confirmed", NULL, CMK_UNKNOWN, "Encrypted/Reconcile"},
        {"account manual", NULL, CMK_UNKNOWN, "AwaitingApproval/Reconcile"},
        {"account window=closed", "AwaitingApproval", CMK_UNKNOWN, "AwaitingWindow/Reconcile"},
        {"account observe", NULL, CMK_UNKNOWN, "Observing/Reconcile"},
        {"invalid", NULL, CMK_UNKNOWN, "!InvalidSpec/Reconcile"},
        {"account cassandra", NULL, CMK_UNKNOWN, "!UnsupportedAccount/Reconcile"},
        {"account owner", "Encrypted", CMK_UNKNOWN, "!AccountConflict/Reconcile"},
        {"account suspended", "Encrypted", CMK_UNKNOWN, "Suspended/Reconcile"},
        {"account no-access", "Starting", CMK_UNKNOWN, "!PreflightFailed/Reconcile"},
        {"account has-key=" OTHER_KEY " report was-ready", "Encrypted", CMK_UNKNOWN, "!Drifted/Reconcile"},
        /* a change that Azure accepts */
        {"account", NULL, CMK_UNKNOWN, "Encrypting/EnableKey"},
        {"account", "AwaitingApproval", CMK_UNKNOWN, "Encrypting/EnableKey"},
        {"account attached identity", NULL, CMK_UNKNOWN, "PreparingIdentity/SetDefaultIdentity"},
        {"account identity", NULL, CMK_UNKNOWN, "PreparingIdentity/AttachIdentity"},
        /* one step ends and the next begins */
        {"account attached identity op=AttachIdentity:Succeeded age=1m", "PreparingIdentity", CMK_UNKNOWN,
            "OperationSucceeded/AttachIdentity, PreparingIdentity/SetDefaultIdentity"},
        /* the end of the whole */
        {"account has-key confirmed op=EnableKey:Succeeded age=3h", "Encrypting", CMK_UNKNOWN,
            "OperationSucceeded/EnableKey, Encrypted/Reconcile"},
        /* failures: one event for the failure and what follows from it */
        {"account op=EnableKey:Dequeued age=1h url polled=Failed code=Forbidden", "Encrypting", CMK_UNKNOWN,
            "!OperationFailed/EnableKey"},
        {"account op=EnableKey:Dequeued age=1h url polled=Failed code=InternalServerError", "Encrypting", CMK_UNKNOWN,
            "!OperationFailed/EnableKey"},
        /* a lost answer */
        {"account op=EnableKey:Requested age=1m", "Starting", CMK_UNKNOWN, "Confirming/EnableKey"},
        {"account op=EnableKey:Requested age=1m", "Confirming", CMK_UNKNOWN, ""},
        {"account busy op=EnableKey:Requested age=1m", "Confirming", CMK_UNKNOWN, "OperationAdopted/EnableKey"},
        {"account busy op=EnableKey:Requested age=1m", "Starting", CMK_UNKNOWN, "OperationAdopted/EnableKey"},
        {"account has-key confirmed op=EnableKey:Requested age=1m", "Confirming", CMK_UNKNOWN,
            "OperationSucceeded/EnableKey, Encrypted/Reconcile"},
        /* an operation that was told of already */
        {"account busy op=EnableKey:Accepted age=1m", "Starting", CMK_UNKNOWN, ""},
        {"account busy op=EnableKey:Accepted age=1h url polled=Dequeued", "Suspended", CMK_UNKNOWN,
            "Encrypting/EnableKey"},
        {"account busy op=EnableKey:Accepted age=1h url polled=Dequeued", "AzureUnavailable", CMK_UNKNOWN,
            "Encrypting/EnableKey"},
        /* access to the key */
        {"account has-key revoked", "Encrypted", CMK_TRUE, "!KeyRevoked/Reconcile"},
        {"account has-key revoked", "KeyRevoked", CMK_FALSE, ""},
        {"account has-key confirmed", "KeyRevoked", CMK_FALSE, "AccessConfirmed/Reconcile, Encrypted/Reconcile"},
        {"account has-key=" OTHER_KEY " revoked busy op=EnableKey:Accepted age=1h url polled=Dequeued", "Encrypting",
            CMK_TRUE, "!AccessLost/Reconcile"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_done) struct scene scene;
        _cleanup_(buf_done) struct buf told = BUF_INIT(4096);
        struct cmk_events events;
        scene_init(&scene, rows[i].words);
        found(&scene, rows[i].ready, rows[i].key_access);
        pass(&scene, &events);
        put_list(&told, &events);
        if (!str_eq(buf_str(&told), rows[i].expected))
            fail_msg("%s (was %s): told \"%s\" instead of \"%s\"", rows[i].words, rows[i].ready ? rows[i].ready : "new",
                buf_str(&told), rows[i].expected);
        for (size_t j = 0; j < events.n; j++) {
            assert_true(events.list[j].note[0]);
            assert_null(strstr(events.list[j].note, "sig="));
        }
    }
}

static const struct cmk_event *only(const struct cmk_events *events)
{
    assert_int_equal(events->n, 1);
    return &events->list[0];
}

static void what_cannot_be_undone_is_told_with_account_and_correlation(void **state _unused_)
{
    _cleanup_(scene_done) struct scene scene, change;
    struct cmk_events events;

    scene_init(&scene, "account");
    found(&scene, NULL, CMK_UNKNOWN);
    pass(&scene, &events);
    assert_string_equal(only(&events)->note,
        "Azure accepted EnableKey (" KEY ") for the account " ACCOUNT_ID
        ", correlation id c0000000-0000-4000-8000-000000000002. This cannot be undone: the key can be changed, but not "
        "taken away");

    scene_init(&change, "account has-key=" OTHER_KEY " confirmed");
    found(&change, "Encrypted", CMK_TRUE);
    pass(&change, &events);
    assert_string_equal(only(&events)->note,
        "Azure accepted EnableKey (" KEY ", in place of " OTHER_KEY ") for the account " ACCOUNT_ID
        ", correlation id c0000000-0000-4000-8000-000000000002. The key can be changed again, but not taken away");
}

static void a_failure_says_what_follows_from_it(void **state _unused_)
{
    static const struct {
        const char *words, *part;
    } rows[] = {
        {"account op=EnableKey:Dequeued age=1h url polled=Failed code=Forbidden",
            "to try again once the cause is removed"},
        {"account op=EnableKey:Dequeued age=1h url polled=Failed code=InternalServerError", "attempt 2 follows at"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_events events;
        scene_init(&scene, rows[i].words);
        found(&scene, "Encrypting", CMK_UNKNOWN);
        pass(&scene, &events);
        assert_non_null(strstr(only(&events)->note, rows[i].part));
    }
}

static void a_change_that_is_not_taken_is_no_news_when_the_reason_stays(void **state _unused_)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_events events = {.n = 0};
    struct cmk_step step;

    scene_init(&scene, "account");
    found(&scene, "AccountBusy", CMK_UNKNOWN);
    do {
        cmk_next(&scene.view, &step);
        if (step.effect == CMK_SEND) {
            struct cmk_result refused = {.failed = true, .err = ERR_INIT};
            (void)err_set(&refused.err, ERR_LOCKED, "another operation holds the lock");
            cmk_fold(&scene.view, &step, &refused);
        } else if (step.effect == CMK_REST) {
            cmk_conclude(&scene.view, &step);
        } else {
            perform(&scene.view, &step);
        }
        cmk_events_add(&events, &scene.view, &step);
    } while (step.effect != CMK_REST);
    assert_int_equal(step.reason, CMK_REASON_ACCOUNT_BUSY);
    assert_int_equal(events.n, 0);
}

static void warnings_are_told_when_encryption_begins_and_only_at_the_first_attempt(void **state _unused_)
{
    for (int attempts = 1; attempts <= 2; attempts++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_events events = {.n = 0};
        struct cmk_status *status;
        scene_init(&scene, "account busy op=EnableKey:Accepted");
        status = &scene.view.status;
        status->operation.attempts = attempts;
        status->checks[0] = (struct cmk_check){xstrdup("Throughput"), CMK_WARNING, xstrdup("little room")};
        status->checks[1] = (struct cmk_check){xstrdup("SoftDelete"), CMK_PASSED, xstrdup("on")};
        status->checks[2] = (struct cmk_check){xstrdup("Key"), CMK_WARNING, xstrdup("expires soon")};
        status->n_checks = 3;
        scene.view.sent = true;
        cmk_events_add(&events, &scene.view, &(struct cmk_step){.effect = CMK_SEND});
        assert_int_equal(events.n, attempts == 1 ? 2 : 1);
        if (attempts > 1)
            continue;
        assert_string_equal(events.list[1].reason, "PreflightWarning");
        assert_true(events.list[1].warning);
        assert_string_equal(events.list[1].note,
            "Encryption has begun although checks warned. Throughput: little room; Key: expires soon");
    }
}

static void a_long_note_is_cut_at_a_character(void **state _unused_)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_events events = {.n = 0};
    char message[1300];

    scene_init(&scene, "account op=EnableKey:Failed age=1h");
    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    for (size_t i = 900; i + 2 < sizeof(message); i += 2)
        memcpy(message + i, "\xc3\xbc", 2);
    str_replace(&scene.view.status.operation.error_message, message);
    cmk_events_add(&events, &scene.view, &(struct cmk_step){.effect = CMK_SETTLE, .settlement = CMK_OP_FAILED});
    size_t n = strlen(only(&events)->note);
    assert_true(n == 1024 || n == 1023);
    assert_true(utf8_valid(events.list[0].note, n));
}

/* Every event of the rows above, and none twice. */
static void the_table_names_every_kind_once(void **state _unused_)
{
    _cleanup_(buf_done) struct buf all = BUF_INIT(65536);
    struct cmk_event_row row, other;
    size_t n = 0;

    for (; cmk_event_row(n, &row); n++) {
        assert_true(row.reason[0] && row.meaning[0]);
        for (size_t i = 0; i < n; i++)
            if (cmk_event_row(i, &other) && str_eq(other.reason, row.reason))
                fail_msg("%s is in the table twice", row.reason);
        buf_printf(&all, "%s%s/%s ", row.warning ? "!" : "", row.reason, row.action ? row.action : "STEP");
    }
    static const char *const some[] = {"!OperationFailed/STEP ", "OperationSucceeded/STEP ", "Encrypting/STEP ",
        "PreparingIdentity/STEP ", "GrantingAccess/STEP ", "Encrypted/Reconcile ", "!KeyRevoked/Reconcile ",
        "Confirming/STEP ", "!PreflightWarning/EnableKey ", "AwaitingApproval/Reconcile "};
    for (size_t i = 0; i < ARRAY_LEN(some); i++)
        if (!strstr(buf_str(&all), some[i]))
            fail_msg("%s is not in the table: %s", some[i], buf_str(&all));
    assert_null(strstr(buf_str(&all), "Starting"));
    assert_null(strstr(buf_str(&all), "None"));
    /* every reason but None and Starting, and the five that are no reason of Ready */
    assert_int_equal(n, CMK_REASON_COUNT - 2 + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_tells_what_has_changed),
        cmocka_unit_test(what_cannot_be_undone_is_told_with_account_and_correlation),
        cmocka_unit_test(a_failure_says_what_follows_from_it),
        cmocka_unit_test(a_change_that_is_not_taken_is_no_news_when_the_reason_stays),
        cmocka_unit_test(warnings_are_told_when_encryption_begins_and_only_at_the_first_attempt),
        cmocka_unit_test(a_long_note_is_cut_at_a_character),
        cmocka_unit_test(the_table_names_every_kind_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
