/* The causes, each as small as it can be, and the ways back that the messages name. */
#include "sequences/recovery.h"

#include "base/mem.h"
#include "base/str.h"
#include "sim/scenario.h"

#define OTHER_KEY "{\"properties\":{\"keyVaultKeyUri\":\"" KEY_URI("other") "\"}}"
#define REVOKED "Access to your account is currently revoked because the access to the encryption key is lost."

static void begin_with(struct world *w, const char *account, const char *spec)
{
    if (account)
        world_account(w, "orders", account);
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), spec);
}

static void plain(struct world *w)
{
    begin_with(w, "", "");
}

static struct azure_account *orders(struct world *w)
{
    return world_azure_account(w, "orders");
}

static void ready_first(struct world *w, const char *spec)
{
    begin_with(w, "", spec);
    if (!world_run_until_ready(w, HOUR_MS))
        violation(w, "it does not become Ready in the first place");
}

/* ---- the spec ---- */

static void wrong_mode(struct world *w)
{
    begin_with(w, "", "\"mode\":\"enforce\"");
}

static void right_mode(struct world *w)
{
    world_edit(w, "orders", "{\"mode\":\"Enforce\"}");
}

static void with_priority(struct world *w)
{
    begin_with(w, "", "\"priority\":5");
}

static void without_priority(struct world *w)
{
    world_edit(w, "orders", "{\"priority\":null}");
}

static void another_account(struct world *w)
{
    ready_first(w, "");
    world_edit(w, "orders", "{\"accountId\":\"" ACCOUNT_ID("ledger") "\"}");
}

static void the_account_again(struct world *w)
{
    world_edit(w, "orders", "{\"accountId\":\"" ACCOUNT_ID("orders") "\"}");
}

static void no_such_zone(struct world *w)
{
    begin_with(w, "",
        "\"window\":{\"timeZone\":\"Nowhere/City\",\"periods\":[{\"days\":[\"Mon\"],\"start\":\"00:00\",\"duration\":"
        "\"168h\"}]}");
}

static void a_zone(struct world *w)
{
    world_edit(w, "orders", "{\"window\":{\"timeZone\":\"Europe/Rome\"}}");
}

static void two_for_one(struct world *w)
{
    world_account(w, "orders", "");
    world_apply(w, "first", ACCOUNT_ID("orders"), KEY_URI("other"), "\"suspend\":true");
    world_run(w, MINUTE_MS);
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
}

static void one_for_one(struct world *w)
{
    world_delete(w, "first");
}

static void suspended(struct world *w)
{
    begin_with(w, "", "\"suspend\":true");
}

static void resumed(struct world *w)
{
    world_edit(w, "orders", "{\"suspend\":false}");
}

static void observe(struct world *w)
{
    begin_with(w, "", "\"mode\":\"Observe\"");
}

static void manual(struct world *w)
{
    begin_with(w, "", "\"approval\":\"Manual\"");
}

static void approved(struct world *w)
{
    _cleanup_(freep) char *edit =
        xasprintf("{\"approvedPlan\":\"%s\"}", json_string_at(world_object(w, "orders")->json, "status.plan.hash"));

    world_edit(w, "orders", edit);
}

static void window_later(struct world *w)
{
    begin_with(w, "",
        "\"window\":{\"timeZone\":\"UTC\",\"periods\":[{\"days\":[\"Mon\"],\"start\":\"10:00\",\"duration\":\"1h\"}]}");
}

/* ---- Azure does not take the change ---- */

static void faulty(struct world *w, enum effect effect, enum fault fault, int times)
{
    plain(w);
    world_fault_next(w, effect, fault, times);
}

static void busy_when_sent(struct world *w)
{
    faulty(w, EFFECT_PATCH, FAULT_412, 3);
}

static void throttled_when_sent(struct world *w)
{
    faulty(w, EFFECT_PATCH, FAULT_429_LATER, 3);
}

static void denied_when_sent(struct world *w)
{
    faulty(w, EFFECT_PATCH, FAULT_403, 1000);
}

static void answer_lost(struct world *w)
{
    faulty(w, EFFECT_PATCH, FAULT_CUT_BEFORE, 1);
}

static void slow_before_sent(struct world *w)
{
    plain(w);
    world_fault_at(w, 4, FAULT_SLOW); /* after the account, the evidence and the write-ahead: the account again */
}

static void faults_end(struct world *w)
{
    w->n_faults = 0;
    trace_note(w, "what was wrong with Azure is over");
}

/* ---- the account ---- */

static void no_account(struct world *w)
{
    begin_with(w, NULL, "");
}

static void account_made(struct world *w)
{
    world_account(w, "orders", "");
}

static void account_denied(struct world *w)
{
    faulty(w, EFFECT_READ_ACCOUNT, FAULT_403, 1000);
}

static void account_throttled(struct world *w)
{
    faulty(w, EFFECT_READ_ACCOUNT, FAULT_429_LATER, 1000);
}

static void account_unreadable(struct world *w)
{
    faulty(w, EFFECT_READ_ACCOUNT, FAULT_500, 1000);
}

static void account_broken(struct world *w)
{
    begin_with(w, "\"provisioningState\":\"Failed\"", "");
}

static void account_repaired(struct world *w)
{
    world_account(w, "orders", "\"provisioningState\":\"Succeeded\"");
}

static void account_busy(struct world *w)
{
    world_account(w, "orders", "\"identitySeconds\":900");
    world_azure_patch(w, "orders", "{\"tags\":{\"owner\":\"shop\"}}");
    begin_with(w, NULL, "");
}

static void cassandra(struct world *w)
{
    begin_with(w, "\"capabilities\":[\"EnableCassandra\"]", "");
}

static void another_api(struct world *w)
{
    world_account(w, "orders", "\"capabilities\":[]");
}

static void revoked(struct world *w)
{
    ready_first(w, "");
    str_replace(&orders(w)->key_status, REVOKED);
}

static void restored(struct world *w)
{
    str_replace(&orders(w)->key_status, AZURE_KEY_CONFIRMED);
}

static void drifted(struct world *w)
{
    ready_first(w, "\"drift\":\"Report\"");
    world_azure_patch(w, "orders", OTHER_KEY);
}

static void corrected(struct world *w)
{
    world_edit(w, "orders", "{\"drift\":\"Correct\"}");
}

static void adopted(struct world *w)
{
    world_edit(w, "orders", "{\"keyVaultKeyUri\":\"" KEY_URI("other") "\"}");
}

/* ---- the operation ---- */

#define FAILS(code, times) "\"failWith\":{\"code\":\"" code "\",\"message\":\"no\",\"times\":" times "}"

static void fails_for_good(struct world *w)
{
    begin_with(w, FAILS("BadRequest", "1"), "");
}

static void asked_again(struct world *w)
{
    world_annotate(w, "orders", "2026-03-02T09:00:00Z");
}

static void spec_touched(struct world *w)
{
    world_edit(w, "orders", "{\"drift\":\"Report\"}");
}

static void fails_for_now(struct world *w)
{
    begin_with(w, FAILS("InternalServerError", "1"), "");
}

static void operation_throttled(struct world *w)
{
    faulty(w, EFFECT_READ_OPERATION, FAULT_429_LATER, 1000);
}

static void operation_unreadable(struct world *w)
{
    faulty(w, EFFECT_READ_OPERATION, FAULT_500, 1000);
}

/* Until the change is under way. */
static void sent(struct world *w)
{
    plain(w);
    while (w->n_patches == 0)
        world_run(w, w->now - w->begin + 1000);
}

/* Azure says that it is done, and the account shows nothing of it. */
static void not_shown(struct world *w)
{
    sent(w);
    while (orders(w)->running)
        world_run(w, w->now - w->begin + 100);
    str_replace(&orders(w)->key_uri, NULL);
}

/* The account looks at rest, and the operation is still running by its own word. */
static void still_runs(struct world *w)
{
    sent(w);
    orders(w)->running = NULL;
}

static void grants(struct world *w)
{
    scenarios[4].begin(w);
}

/* ---- what else is looked at ---- */

static void evidence_throttled(struct world *w)
{
    faulty(w, EFFECT_GATHER, FAULT_429, 1000);
}

static void evidence_unreadable(struct world *w)
{
    faulty(w, EFFECT_GATHER, FAULT_500, 1000);
}

static void scan_runs(struct world *w)
{
    w->scan = CMK_SCAN_RUNNING;
    begin_with(w, "", "\"preflight\":{\"documentIds\":\"Scan\"}");
}

static void scan_ends(struct world *w)
{
    w->scan = CMK_SCAN_CLEAN;
}

static void purgeable(struct world *w)
{
    w->purgeable = true;
    plain(w);
}

static void protected(struct world *w)
{
    w->purgeable = false;
}

/* ---- the cases ---- */

const struct recovery recoveries[] = {
    {"spec-invalid", wrong_mode, right_mode},
    {"spec-unsupported", with_priority, without_priority},
    {"account-changed", another_account, the_account_again},
    {"zone-unknown", no_such_zone, a_zone},
    {"account-conflict", two_for_one, one_for_one},
    {"suspended", suspended, resumed},
    {"refused-busy", busy_when_sent, NULL},
    {"refused-throttled", throttled_when_sent, NULL},
    {"refused-denied", denied_when_sent, faults_end},
    {"account-not-found", no_account, account_made},
    {"account-denied", account_denied, faults_end},
    {"account-throttled", account_throttled, faults_end},
    {"account-unreadable", account_unreadable, faults_end},
    {"lost-answer-unsettled", answer_lost, NULL},
    {"grant-propagates", grants, NULL},
    {"operation-running", plain, NULL},
    {"operation-still-runs", still_runs, NULL},
    {"operation-throttled", operation_throttled, faults_end},
    {"operation-unreadable", operation_unreadable, faults_end},
    {"operation-unreadable", operation_unreadable, NULL}, /* the account is the truth, the URL a detail */
    {"operation-not-shown", not_shown, NULL},
    {"failure-final", fails_for_good, asked_again},
    {"failure-final", fails_for_good, spec_touched},
    {"account-broken", account_broken, account_repaired},
    {"account-busy", account_busy, NULL},
    {"key-revoked", revoked, restored},
    {"encrypted", plain, NULL},
    {"failure-waits", fails_for_now, NULL},
    {"account-unsupported", cassandra, another_api},
    {"evidence-throttled", evidence_throttled, faults_end},
    {"evidence-unreadable", evidence_unreadable, faults_end},
    {"scan-running", scan_runs, scan_ends},
    {"preflight-failed", purgeable, protected},
    {"drifted", drifted, corrected},
    {"drifted", drifted, adopted},
    {"observing", observe, right_mode},
    {"awaiting-approval", manual, approved},
    {"awaiting-window", window_later, NULL},
    {"armed-too-long", slow_before_sent, NULL},
};

const size_t n_recoveries = ARRAY_LEN(recoveries);
