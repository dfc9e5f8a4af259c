/* Golden traces: whole lives of a resource in virtual time, to be read like a specification (tests/sim/traces/).
 *
 * SIM_UPDATE=1 rewrites the files; read the difference before it is committed. */
#include "unit.h"

#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>

#define FOLDER "sim/traces/" /* tests run in tests/ */
#define MAX_TRACE (4 << 20)

static size_t line_length(const char *s)
{
    return strcspn(s, "\n");
}

/* Prints where two texts part, with a few lines before and after. */
static void print_difference(const char *name, const char *expected, const char *actual)
{
    const char *before[3] = {expected, expected, expected};

    while (line_length(expected) == line_length(actual) && memcmp(expected, actual, line_length(expected)) == 0 &&
           expected[line_length(expected)] && actual[line_length(actual)]) {
        before[0] = before[1];
        before[1] = before[2];
        before[2] = expected;
        expected += line_length(expected) + 1;
        actual += line_length(actual) + 1;
    }
    print_error("%s: the trace differs (SIM_UPDATE=1 rewrites it)\n%.*s", name, (int)(expected - before[0]), before[0]);
    for (int i = 0; i < 6 && *expected;
         i++, expected += line_length(expected) + (expected[line_length(expected)] != '\0'))
        print_error("-%.*s\n", (int)line_length(expected), expected);
    for (int i = 0; i < 6 && *actual; i++, actual += line_length(actual) + (actual[line_length(actual)] != '\0'))
        print_error("+%.*s\n", (int)line_length(actual), actual);
}

static void update(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void compare(const char *name, const char *actual)
{
    _cleanup_(freep) char *path = xasprintf(FOLDER "%s.trace", name);
    _cleanup_(buf_done) struct buf expected = BUF_INIT(MAX_TRACE);
    struct err err = ERR_INIT;

    if (env_get("SIM_UPDATE")) {
        update(path, actual);
        return;
    }
    if (file_read(path, &expected, &err) < 0)
        fail_msg("%s; SIM_UPDATE=1 writes it", err.msg);
    if (str_eq(buf_str(&expected), actual))
        return;
    print_difference(name, buf_str(&expected), actual);
    fail();
}

static void finish(const char *name, struct world *w)
{
    _cleanup_(freep) char *text = xstrdup(trace_text(w));
    _cleanup_(freep) char *broken = w->violation.len ? xstrdup(buf_str(&w->violation)) : NULL;

    (void)world_free(w);
    if (broken)
        fail_msg("%s: %s\n%s", name, broken, text);
    compare(name, text);
}

#define USER_IDENTITY "\"defaultIdentity\":\"UserAssignedIdentity=" IDENTITY_ID("cmk") "\""
#define LONG_RUN ((struct world_options){.identity_ms = 40000, .encrypt_ms = 3 * HOUR_MS})

static struct world *world_with(const char *account_members, const char *spec_members)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    world_account(w, "orders", account_members);
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), spec_members);
    return w;
}

static void an_account_with_periodic_backup(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_run(w, 6 * HOUR_MS);
    finish("periodic", w);
}

static void an_account_with_continuous_backup_and_an_identity(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    scenarios[1].begin(w);
    world_run(w, 6 * HOUR_MS);
    finish("continuous-identity", w);
}

static void continuous_backup_without_an_identity_fails_preflight(void **state _unused_)
{
    struct world *w = world_with("\"backupPolicy\":\"Continuous\"", "");

    world_run(w, HOUR_MS);
    finish("continuous-without-identity", w);
}

static void access_to_the_key_is_granted(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    scenarios[4].begin(w);
    world_run(w, 6 * HOUR_MS);
    assert_int_equal(w->grants, 1);
    finish("grant", w);
}

static void a_vault_without_purge_protection_is_mended(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    w->purgeable = true;
    world_account(w, "orders", "");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
    world_run(w, HOUR_MS);
    trace_note(w, "somebody switches purge protection on");
    w->purgeable = false;
    world_run(w, 6 * HOUR_MS);
    finish("purge-protection", w);
}

static void the_data_is_searched_first(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    w->scan = CMK_SCAN_RUNNING;
    world_account(w, "orders", "");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "\"preflight\":{\"documentIds\":\"Scan\"}");
    world_run(w, 20 * MINUTE_MS);
    trace_note(w, "the search finds a long id");
    w->scan = CMK_SCAN_FOUND;
    world_run(w, HOUR_MS);
    trace_note(w, "somebody shortens it, and a new search finds none");
    w->scan = CMK_SCAN_CLEAN;
    world_run(w, 6 * HOUR_MS);
    finish("document-scan", w);
}

/* Azure says hours or days: this one takes 72 hours, through restarts and outages. */
static void three_days_with_restarts(void **state _unused_)
{
    struct world_options options = {.encrypt_ms = 72 * HOUR_MS};
    struct world *w = world_new(&options);

    world_account(w, "orders", "");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
    for (int day = 1; day <= 4; day++) {
        world_run(w, day * 20 * HOUR_MS);
        if (day < 4)
            world_fault_next(w, EFFECT_READ_ACCOUNT, day % 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER, 1);
        if (day == 2)
            world_fault_next(w, EFFECT_READ_OPERATION, FAULT_TOKEN, 3);
    }
    assert_int_equal(world_accepted(w, CMK_ENABLE_KEY), 1);
    finish("three-days", w);
}

/* Events are of transitions: a process that finds everything as its forerunner left it has nothing to tell. */
static void a_restart_in_the_steady_state_tells_nothing(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "");

    world_run(w, HOUR_MS);
    size_t told = w->n_events;
    assert_int_equal(told, 3);
    world_fault_next(w, EFFECT_READ_ACCOUNT, FAULT_CRASH_BEFORE, 1);
    world_run(w, 3 * HOUR_MS);
    assert_int_equal(w->n_processes, 2);
    assert_int_equal(w->n_events, told);
    assert_string_equal(buf_str(&w->violation), "");
    (void)world_free(w);
}

static void an_account_for_cassandra_is_refused(void **state _unused_)
{
    struct world *w = world_with("\"capabilities\":[\"EnableCassandra\"]", "");

    world_run(w, HOUR_MS);
    finish("cassandra", w);
}

static void manual_approval(void **state _unused_)
{
    struct world *w = world_with("", "\"approval\":\"Manual\"");

    world_run(w, 30 * MINUTE_MS);
    world_edit(w, "orders", "{\"approvedPlan\":\"0123456789abcdef0123456789abcdef\"}");
    world_run(w, 35 * MINUTE_MS);
    _cleanup_(freep) char *edit =
        xasprintf("{\"approvedPlan\":\"%s\"}", json_string_at(world_object(w, "orders")->json, "status.plan.hash"));
    world_edit(w, "orders", edit);
    world_run(w, 5 * HOUR_MS);
    finish("manual-approval", w);
}

static void a_maintenance_window(void **state _unused_)
{
    struct world *w = world_with("",
        "\"window\":{\"timeZone\":\"UTC\",\"periods\":[{\"days\":[\"Mon\"],\"start\":\"10:30\",\"duration\":\"1h\"}]}");

    world_run(w, 7 * HOUR_MS);
    finish("window", w);
}

static void observing_never_writes(void **state _unused_)
{
    struct world *w = world_with("", "\"mode\":\"Observe\"");

    world_run(w, HOUR_MS);
    world_edit(w, "orders", "{\"mode\":\"Enforce\"}");
    world_run(w, 5 * HOUR_MS);
    finish("observe", w);
}

static void suspended_while_azure_encrypts(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_run(w, HOUR_MS);
    world_edit(w, "orders", "{\"suspend\":true}");
    world_run(w, 4 * HOUR_MS);
    world_edit(w, "orders", "{\"suspend\":false}");
    world_run(w, 5 * HOUR_MS);
    finish("suspend", w);
}

static void the_document_scan_fails_and_is_retried(void **state _unused_)
{
    struct world *w =
        world_with("\"failWith\":{\"code\":\"InternalServerError\",\"message\":\"Document scan failed with "
                   "StatusCode 429. Please increase the throughput of the collection and retry.\",\"times\":2}",
            "");

    world_run(w, 12 * HOUR_MS);
    finish("scan-fails", w);
}

static void a_long_document_id_needs_a_person(void **state _unused_)
{
    struct world *w =
        world_with("\"encryptSeconds\":600,\"failWith\":{\"code\":\"BadRequest\",\"message\":\"Customer Managed "
                   "Key enablement failed: documents with ids longer than 990 bytes exist.\",\"times\":1}",
            "");

    world_run(w, HOUR_MS);
    world_annotate(w, "orders", "2026-03-02T09:00:00Z");
    world_run(w, 3 * HOUR_MS);
    finish("long-document-id", w);
}

static void throttled(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_READ_ACCOUNT, FAULT_429_LATER, 2);
    world_fault_next(w, EFFECT_READ_ACCOUNT, FAULT_429, 3);
    world_fault_next(w, EFFECT_PATCH, FAULT_429_LATER, 1);
    world_run(w, 5 * HOUR_MS);
    finish("throttled", w);
}

static void another_operation_holds_the_lock(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_PATCH, FAULT_412, 3);
    world_run(w, 5 * HOUR_MS);
    finish("exclusive-lock", w);
}

static void somebody_else_is_changing_the_account(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    world_account(w, "orders", "\"identitySeconds\":900");
    world_azure_patch(w, "orders", "{\"tags\":{\"owner\":\"shop\"}}");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
    world_run(w, 5 * HOUR_MS);
    finish("account-busy", w);
}

static void the_answer_is_lost_after_the_change(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_PATCH, FAULT_CUT_AFTER, 1);
    world_run(w, 5 * HOUR_MS);
    finish("answer-lost-after", w);
}

static void the_request_is_lost_before_the_change(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_PATCH, FAULT_CUT_BEFORE, 1);
    world_run(w, 5 * HOUR_MS);
    finish("answer-lost-before", w);
}

static void the_process_dies_while_it_sends(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_PATCH, FAULT_CRASH_AFTER, 1);
    world_run(w, 5 * HOUR_MS);
    finish("crash-while-sending", w);
}

static void the_operation_url_is_no_longer_served(void **state _unused_)
{
    struct world *w = world_with("", "");

    world_fault_next(w, EFFECT_READ_OPERATION, FAULT_404, 1000);
    world_run(w, 5 * HOUR_MS);
    finish("operation-url-lost", w);
}

static void azure_is_down_while_ready(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "");

    world_run(w, HOUR_MS);
    world_fault_next(w, EFFECT_READ_ACCOUNT, FAULT_500, 25);
    world_run(w, 4 * HOUR_MS);
    finish("outage-while-ready", w);
}

#define OTHER_KEY "{\"properties\":{\"keyVaultKeyUri\":\"" KEY_URI("other") "\"}}"

static void drift_is_corrected(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "");

    world_run(w, HOUR_MS);
    world_azure_patch(w, "orders", OTHER_KEY);
    world_run(w, 2 * HOUR_MS);
    finish("drift-correct", w);
}

static void drift_is_reported(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "\"drift\":\"Report\"");

    world_run(w, HOUR_MS);
    world_azure_patch(w, "orders", OTHER_KEY);
    world_run(w, 2 * HOUR_MS);
    world_edit(w, "orders", "{\"drift\":\"Correct\"}");
    world_run(w, 3 * HOUR_MS);
    finish("drift-report", w);
}

static void the_key_is_changed(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "");

    world_run(w, HOUR_MS);
    world_edit(w, "orders", "{\"keyVaultKeyUri\":\"" KEY_URI("second") "\"}");
    world_run(w, 2 * HOUR_MS);
    finish("key-change", w);
}

static void set_key_status(struct world *w, const char *text)
{
    str_replace(&world_azure_account(w, "orders")->key_status, text);
    trace_note(w, "the account's customerManagedKeyStatus becomes: %s", text);
}

static void the_key_is_revoked_and_restored(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":60", "");

    world_run(w, HOUR_MS);
    set_key_status(w, "Access to your account is currently revoked because the access to the encryption key is lost.");
    world_run(w, 2 * HOUR_MS);
    set_key_status(w, AZURE_KEY_CONFIRMED);
    world_run(w, 3 * HOUR_MS);
    finish("key-revoked", w);
}

static void two_resources_for_one_account(void **state _unused_)
{
    struct world *w = world_with("\"encryptSeconds\":600", "");

    world_run(w, MINUTE_MS);
    world_apply(w, "copy", ACCOUNT_ID("orders"), KEY_URI("other"), "");
    world_run(w, HOUR_MS);
    world_delete(w, "orders");
    world_run(w, 2 * HOUR_MS);
    finish("two-resources", w);
}

static void the_account_is_created_later(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
    world_run(w, HOUR_MS);
    world_account(w, "orders", "");
    trace_note(w, "somebody creates the account");
    world_run(w, 5 * HOUR_MS);
    finish("account-created-later", w);
}

static void a_malformed_key_uri_is_mended(void **state _unused_)
{
    struct world_options options = LONG_RUN;
    struct world *w = world_new(&options);

    world_account(w, "orders", "\"encryptSeconds\":60");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos/0123456789abcdef0123456789abcdef"), "");
    world_run(w, HOUR_MS);
    world_edit(w, "orders", "{\"keyVaultKeyUri\":\"" KEY_URI("cosmos") "\"}");
    world_run(w, 2 * HOUR_MS);
    finish("invalid-spec", w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_with_periodic_backup),
        cmocka_unit_test(an_account_with_continuous_backup_and_an_identity),
        cmocka_unit_test(continuous_backup_without_an_identity_fails_preflight),
        cmocka_unit_test(access_to_the_key_is_granted),
        cmocka_unit_test(a_vault_without_purge_protection_is_mended),
        cmocka_unit_test(the_data_is_searched_first),
        cmocka_unit_test(three_days_with_restarts),
        cmocka_unit_test(a_restart_in_the_steady_state_tells_nothing),
        cmocka_unit_test(an_account_for_cassandra_is_refused),
        cmocka_unit_test(manual_approval),
        cmocka_unit_test(a_maintenance_window),
        cmocka_unit_test(observing_never_writes),
        cmocka_unit_test(suspended_while_azure_encrypts),
        cmocka_unit_test(the_document_scan_fails_and_is_retried),
        cmocka_unit_test(a_long_document_id_needs_a_person),
        cmocka_unit_test(throttled),
        cmocka_unit_test(another_operation_holds_the_lock),
        cmocka_unit_test(somebody_else_is_changing_the_account),
        cmocka_unit_test(the_answer_is_lost_after_the_change),
        cmocka_unit_test(the_request_is_lost_before_the_change),
        cmocka_unit_test(the_process_dies_while_it_sends),
        cmocka_unit_test(the_operation_url_is_no_longer_served),
        cmocka_unit_test(azure_is_down_while_ready),
        cmocka_unit_test(drift_is_corrected),
        cmocka_unit_test(drift_is_reported),
        cmocka_unit_test(the_key_is_changed),
        cmocka_unit_test(the_key_is_revoked_and_restored),
        cmocka_unit_test(two_resources_for_one_account),
        cmocka_unit_test(the_account_is_created_later),
        cmocka_unit_test(a_malformed_key_uri_is_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
