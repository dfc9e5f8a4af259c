/* What holds a change back although Azure would take it: approval, suspension, observation, windows, another owner, a
 * spec that this version does not carry out; and what changes of the spec do. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "e2e/harness.h"

#include <stdio.h>
#include <string.h>

#define MINUTE 60000LL
#define DAY (24 * 60 * MINUTE)

static void start(struct world *w, const char *spec)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", spec);
    controller_start(w, NULL);
}

/* Looked at that many more times from now, and so decided about. */
static void await_looks(struct world *w, const char *account, int times)
{
    azure_await_count(w, "GET", account, azure_count(w, "GET", account) + times);
}

static void patch_spec(struct world *w, const char *name, const char *members)
{
    _cleanup_(freep) char *patch = xasprintf("{\"spec\":{%s}}", members);

    resource_patch(w, name, patch);
}

/* ---- approval ---- */

static void approval(struct world *w)
{
    start(w, "\"approval\":\"Manual\"");
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "AwaitingApproval");
    const char *hash = json_string_at(object, "status.plan.hash");
    assert_non_null(hash);
    assert_condition(object, "Reconciling", "True", "AwaitingApproval", hash);
    assert_string_equal(cJSON_GetArrayItem(json_at(object, "status.plan.steps"), 0)->valuestring, "EnableKey");

    patch_spec(w, "orders", "\"approvedPlan\":\"00000000000000000000000000000000\"");
    await_end(w, "orders", "AwaitingApproval");
    await_looks(w, "demo-orders", 2);
    assert_int_equal(azure_patches(w, "demo-orders"), 0);

    _cleanup_(freep) char *approve = xasprintf("{\"spec\":{\"approvedPlan\":\"%s\"}}", hash);
    _cleanup_(freep) char *out =
        kubectl(w, (const char *[]){"patch", "ccmk", "orders", "--type", "merge", "-p", approve, NULL});
    assert_non_null(strstr(out, "patched"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* One approval covers all three steps, although the plan that is left gets shorter. */
static void approval_of_three_steps(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\",\"approval\":\"Manual\"");
    controller_start(w, NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "ledger", "AwaitingApproval");
    assert_int_equal(cJSON_GetArraySize(json_at(object, "status.plan.steps")), 3);
    _cleanup_(freep) char *approve = xasprintf("\"approvedPlan\":\"%s\"", json_string_at(object, "status.plan.hash"));
    patch_spec(w, "ledger", approve);
    await_end(w, "ledger", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
}

/* ---- suspension and observation ---- */

static void suspended_before(struct world *w)
{
    start(w, "\"suspend\":true");
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Suspended");
    assert_condition(object, "Ready", "Unknown", "Suspended", "neither read nor changed");
    assert_int_equal(azure_count(w, NULL, "demo-orders"), 0);
    patch_spec(w, "orders", "\"suspend\":false");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void suspended_during(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    patch_spec(w, "orders", "\"suspend\":true");
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Suspended");
    assert_condition(object, "Ready", "Unknown", "Suspended", "goes on there and is not followed");
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    patch_spec(w, "orders", "\"suspend\":false");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void observed(struct world *w)
{
    start(w, "\"mode\":\"Observe\"");
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Observing");
    assert_condition(object, "Ready", "False", "Observing", "EnableKey");
    assert_non_null(json_string_at(object, "status.plan.hash"));
    assert_true(cJSON_GetArraySize(json_at(object, "status.preflight")) > 0);
    await_looks(w, "demo-orders", 2);
    assert_int_equal(azure_count(w, "PATCH", NULL), 0);
}

/* ---- windows ---- */

/* A period of an hour of every day that begins so many minutes from now, in UTC. */
static char *window_in(int64_t minutes)
{
    int64_t at = ((clock_wall_ms() + minutes * MINUTE) % DAY) / MINUTE;

    return xasprintf(
        "\"window\":{\"timeZone\":\"UTC\",\"periods\":[{\"days\":[\"Mon\",\"Tue\",\"Wed\",\"Thu\",\"Fri\",\"Sat\","
        "\"Sun\"],\"start\":\"%02d:%02d\",\"duration\":\"1h\"}]}",
        (int)(at / 60), (int)(at % 60));
}

static void window(struct world *w)
{
    _cleanup_(freep) char *closed = window_in(300), *open = window_in(-20);

    start(w, closed);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "AwaitingWindow");
    assert_condition(object, "Reconciling", "True", "AwaitingWindow", "which opens at 20");
    await_looks(w, "demo-orders", 2);
    assert_int_equal(azure_patches(w, "demo-orders"), 0);
    patch_spec(w, "orders", open);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* ---- changes of the spec ---- */

static void key_change(struct world *w)
{
    start(w, NULL);
    _cleanup_(json_freep) cJSON *before = await_reason(w, "orders", "Encrypted");
    patch_spec(w, "orders", "\"keyVaultKeyUri\":\"" OTHER_KEY "\"");
    _cleanup_(json_freep) cJSON *after = await_reason(w, "orders", "Encrypted");
    assert_member(after, "status.account.keyVaultKeyUri", OTHER_KEY);
    assert_member(after, "status.encryptedAt", json_string_at(before, "status.encryptedAt"));
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

/* What runs is followed to its end first; Azure takes one change at a time. */
static void key_change_during_the_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    patch_spec(w, "orders", "\"keyVaultKeyUri\":\"" OTHER_KEY "\"");
    await_end(w, "orders", "Encrypting");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    azure_await_count(w, "PATCH", "demo-orders", 2);
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Encrypted");
    assert_member(object, "status.account.keyVaultKeyUri", OTHER_KEY);
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void drift_is_corrected(struct world *w)
{
    start(w, NULL);
    await_end(w, "orders", "Encrypted");
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders", "{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}"));
    azure_await_count(w, "PATCH", "demo-orders", 2);
    await_end(w, "orders", "Encrypted");
}

static void drift_is_reported(struct world *w)
{
    start(w, "\"drift\":\"Report\"");
    await_end(w, "orders", "Encrypted");
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders", "{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}"));
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Drifted");
    assert_condition(object, "Stalled", "True", "Drifted", OTHER_KEY);
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static bool is_handled(const cJSON *object, const void *value)
{
    return str_eq(json_string_at(object, "status.lastHandledReconcileAt"), value);
}

static void act_now(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, (const char *const[]){"--resync", "1h", NULL});
    await_end(w, "orders", "Encrypted");
    int looks = azure_count(w, "GET", "demo-orders");
    _cleanup_(freep) char *out = kubectl(w, (const char *[]){"annotate", "ccmk", "orders",
                                                "cosmoscmk.io/reconcile-requested-at=2026-11-24T07:00:00Z", NULL});
    json_free(await_object(w, "orders", is_handled, "2026-11-24T07:00:00Z", "handled"));
    assert_true(azure_count(w, "GET", "demo-orders") > looks);
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    assert_non_null(strstr(out, "annotated"));
}

/* ---- two for one account ---- */

/* Times of creation are whole seconds, and within one the uid decides, which nobody can foresee. */
static void two_for_one_account(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "older", "demo-orders", "\"approval\":\"Manual\"");
    clock_sleep_ms(1001);
    resource_create(w, "younger", "demo-orders", NULL);
    controller_start(w, NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "younger", "AccountConflict");
    assert_condition(object, "Stalled", "True", "AccountConflict", "older");
    await_end(w, "older", "AwaitingApproval");
    resource_delete(w, "older");
    await_end(w, "younger", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* ---- specs that are not carried out ---- */

static void unsupported_spec(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "unsupported", "\"priority\":5");
    controller_start(w, NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "UnsupportedSpec");
    assert_condition(object, "Stalled", "True", "UnsupportedSpec", "spec.priority");
    assert_int_equal(azure_count(w, NULL, "unsupported"), 0);
}

/* ---- what is looked at before ---- */

/* A vault without purge protection is Stalled with what to do, and goes on when somebody has done it. */
static void preflight_of_the_vault(struct world *w)
{
    static const char without[] =
        "{\"id\":\"" GROUP_ID "/providers/Microsoft.KeyVault/vaults/demo-vault\",\"location\":"
        "\"westeurope\",\"properties\":{\"tenantId\":\"" TENANT
        "\",\"enableSoftDelete\":true,\"vaultUri\":\"https://demo-vault.vault.azure.net/\"}}",
                      with[] = "{\"id\":\"" GROUP_ID "/providers/Microsoft.KeyVault/vaults/demo-vault\",\"location\":"
                               "\"westeurope\",\"properties\":{\"tenantId\":\"" TENANT
                               "\",\"enableSoftDelete\":true,\"enablePurgeProtection\":true,\"vaultUri\":"
                               "\"https://demo-vault.vault.azure.net/\"}}";

    azure_start(w, NULL);
    (void)json_free(azure_ask(w, "PUT", "/fake/resources", without));
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, (const char *const[]){"--recheck", "1s", NULL});
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "PreflightFailed");
    assert_condition(object, "Stalled", "True", "PreflightFailed", "purge protection");
    assert_int_equal(azure_count(w, "PATCH", ""), 0);
    (void)json_free(azure_ask(w, "PUT", "/fake/resources", with));
    (void)json_free(await_reason(w, "orders", "Encrypted"));
}

/* The identity lacks access, the spec says Grant: it is granted between attaching and making it the default, and
 * nothing else of the vault changes. */
static void access_is_granted(struct world *w)
{
    static const char vault[] =
        "{\"id\":\"" GROUP_ID
        "/providers/Microsoft.KeyVault/vaults/demo-vault\",\"location\":\"westeurope\",\"properties\":{"
        "\"tenantId\":\"" TENANT "\",\"accessPolicies\":[{\"tenantId\":\"" TENANT
        "\",\"objectId\":\"00000000-0000-0000-0000-0000000000aa\",\"permissions\":{\"keys\":[\"get\"]}}],"
        "\"enableSoftDelete\":true,\"enablePurgeProtection\":true,\"vaultUri\":\"https://demo-vault.vault.azure.net/"
        "\"}}";

    azure_start(w, NULL);
    (void)json_free(azure_ask(w, "PUT", "/fake/resources", vault));
    resource_create(w, "ledger", "demo-ledger", "\"keyVaultAccess\":\"Grant\",\"defaultIdentity\":\"" IDENTITY "\"");
    controller_start(w, (const char *const[]){"--propagation", "1s", NULL});
    (void)json_free(await_reason(w, "ledger", "Encrypted"));
    assert_int_equal(azure_count(w, "PUT", "accessPolicies/add"), 1);
    assert_int_equal(azure_count(w, "PATCH", "demo-ledger"), 3);
}

/* A document id over 990 bytes is found before Azure is asked to encrypt. */
static void documents_are_scanned(struct world *w)
{
    static const char data[] =
        "{\"data\":{\"databases\":[{\"id\":\"shop\",\"containers\":[{\"id\":\"carts\",\"documents\":50,"
        "\"ids\":[{\"text\":\"b\",\"repeat\":991,\"count\":1}],\"ranges\":2,\"documentsPerPage\":20}]}]}}";

    azure_start(w, NULL);
    (void)json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders", data));
    resource_create(w, "orders", "demo-orders", "\"preflight\":{\"documentIds\":\"Scan\"}");
    controller_start(w, (const char *const[]){"--recheck", "1s", NULL});
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "PreflightFailed");
    assert_condition(object, "Stalled", "True", "PreflightFailed", "990 bytes");
    assert_int_equal(azure_count(w, "PATCH", ""), 0);
}

static void unknown_time_zone(struct world *w)
{
    start(w, "\"window\":{\"timeZone\":\"Europe/"
             "Atlantis\",\"periods\":[{\"days\":[\"Mon\"],\"start\":\"01:00\",\"duration\":\"4h\"}]}");
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "InvalidSpec");
    assert_condition(object, "Stalled", "True", "InvalidSpec", "Europe/Atlantis");
    assert_int_equal(azure_count(w, NULL, "demo-orders"), 0);
}

/* ---- what is not ours ---- */

static void only_what_is_selected(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    resource_create(w, "orders", "demo-orders", NULL);
    resource_patch(w, "orders", "{\"metadata\":{\"labels\":{\"wave\":\"1\"}}}");
    controller_start(w, (const char *const[]){"--selector", "wave=1", NULL});
    await_end(w, "orders", "Encrypted");
    _cleanup_(json_freep) cJSON *other = resource_get(w, "ledger");
    assert_null(json_at(other, "status.conditions"));
    assert_int_equal(azure_count(w, NULL, "demo-ledger"), 0);
    resource_patch(w, "ledger", "{\"metadata\":{\"labels\":{\"wave\":\"1\"}}}");
    await_end(w, "ledger", "Encrypted");
}

/* ---- deletion ---- */

static void deleted_during_the_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    _cleanup_(freep) char *out = kubectl(w, (const char *[]){"delete", "ccmk", "orders", "--timeout=30s", NULL});
    assert_non_null(strstr(out, "deleted"));
    /* Another one is served meanwhile: the controller has had its time, and has left the account of the deleted one
     * alone. */
    resource_create(w, "legacy", "demo-legacy", NULL);
    await_end(w, "legacy", "UnsupportedAccount");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    _cleanup_(json_freep) cJSON *account = azure_ask(w, "GET", "/fake/accounts/demo-orders", NULL);
    assert_non_null(account);
}

/* As GitOps tools do it: what Azure runs is somebody else's for the new resource, and its end is what was wanted. */
static void made_again_during_the_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    resource_delete(w, "orders");
    resource_create(w, "orders", "demo-orders", NULL);
    await_end(w, "orders", "AccountBusy");
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"with approval Manual nothing happens before the plan's own hash is approved", approval},
        {"one approval covers all the steps of a plan", approval_of_three_steps},
        {"a suspended resource is left alone until it is not suspended any more", suspended_before},
        {"suspended during the operation, it says so and finds the end afterwards", suspended_during},
        {"in mode Observe the plan is published and nothing is changed", observed},
        {"a closed window is waited for, an open one is used", window},
        {"another key in the spec of a Ready resource is a key change", key_change},
        {"another key in the spec during the operation follows after it", key_change_during_the_operation},
        {"a key changed by somebody else is put back", drift_is_corrected},
        {"with drift Report a key changed by somebody else is only reported", drift_is_reported},
        {"the annotation makes it look at once, and is echoed", act_now},
        {"of two resources for one account the older acts, and after its end the younger", two_for_one_account},
        {"a spec that this version does not carry out is said, without any request to Azure", unsupported_spec},
        {"a vault without purge protection stalls, and goes on when it is mended", preflight_of_the_vault},
        {"access to the key is granted as a step of the plan", access_is_granted},
        {"a document id over 990 bytes is found before anything is sent", documents_are_scanned},
        {"an unknown time zone is said, without any request to Azure", unknown_time_zone},
        {"a resource that --selector leaves out is left alone until it has the label", only_what_is_selected},
        {"deleting the resource during the operation touches nothing in Azure", deleted_during_the_operation},
        {"a resource that is made again during the operation waits for its end", made_again_during_the_operation},
    };

    return run_scenes("gates", scenes, ARRAY_LEN(scenes));
}
