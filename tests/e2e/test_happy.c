/* The main job as a user sees it: the samples are applied with kubectl, every account ends as it should, Azure receives
 * each change once, and then nothing is written any more. */
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <string.h>

#define ATTACH_BODY                                                                                                    \
    "{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"" GROUP_ID                                 \
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cosmos-cmk\":{}}}}"
#define DEFAULT_BODY "{\"properties\":{\"defaultIdentity\":\"" IDENTITY "\"}}"

static void apply_samples(struct world *w)
{
    _cleanup_(freep) char *out = kubectl(w, (const char *[]){"apply", "-f", E2E_SOURCE "/deploy/samples", NULL});

    assert_non_null(strstr(out, "cosmoscmk.cosmoscmk.io/orders created"));
}

static void kubectl_wait(struct world *w, const char *what, const char *condition)
{
    _cleanup_(freep) char *out = kubectl(w, (const char *[]){"wait", condition, what, "--timeout=60s", NULL});

    assert_non_null(strstr(out, "condition met"));
}

/* The PATCHes of an account are exactly these, in this order, byte for byte. */
static void assert_patches(struct world *w, const char *account, const char *const *bodies)
{
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, "PATCH", account);
    const cJSON *entry;
    int64_t status;

    cJSON_ArrayForEach (entry, journal) {
        assert_non_null(*bodies);
        assert_member(entry, "body", *bodies++);
        assert_true(json_int(json_at(entry, "status"), false, &status) && status == 200);
    }
    assert_null(*bodies);
}

static void start(struct world *w)
{
    azure_start(w, NULL);
    controller_start(w, NULL);
    apply_samples(w);
    kubectl_wait(w, "ccmk/orders", "--for=condition=Ready");
    kubectl_wait(w, "ccmk/ledger", "--for=condition=Ready");
    kubectl_wait(w, "ccmk/legacy", "--for=condition=Stalled");
}

static void samples_reach_their_ends(struct world *w)
{
    start(w);
    assert_patches(w, "demo-orders", (const char *[]){KEY_BODY, NULL});
    assert_patches(w, "demo-ledger", (const char *[]){ATTACH_BODY, DEFAULT_BODY, KEY_BODY, NULL});
    assert_patches(w, "demo-legacy", (const char *[]){NULL});

    _cleanup_(json_freep) cJSON *ledger = resource_get(w, "ledger"), *legacy = resource_get(w, "legacy");
    assert_condition(ledger, "Ready", "True", "Encrypted", KEY);
    assert_condition(ledger, "Encrypting", "False", "Encrypted", KEY);
    assert_condition(ledger, "PreflightPassed", "True", "Passed", NULL);
    assert_null(condition_of(ledger, "Reconciling"));
    assert_null(condition_of(ledger, "Stalled"));
    assert_member(ledger, "status.operation.state", "Succeeded");
    assert_member(ledger, "status.operation.statusUrl", NULL);
    assert_member(ledger, "status.account.keyVaultKeyUri", KEY);
    assert_non_null(json_string_at(ledger, "status.encryptedAt"));
    assert_condition(legacy, "Ready", "False", "UnsupportedAccount", "API for Cassandra");
    assert_condition(legacy, "Stalled", "True", "UnsupportedAccount", "API for Cassandra");
    assert_null(json_at(legacy, "status.operation"));
}

static void kubectl_shows_it(struct world *w)
{
    start(w);
    _cleanup_(freep) char *table = kubectl(w, (const char *[]){"get", "ccmk", NULL});
    _cleanup_(freep) char *azure = kubectl(w, (const char *[]){"get", "azure", "--no-headers", NULL});
    _cleanup_(freep) char *described = kubectl(w, (const char *[]){"describe", "ccmk", "legacy", NULL});
    const char *const columns[] = {"NAME", "READY", "REASON", "OPERATION", "STARTED", "ACCOUNT", "AGE"};
    const char *at = table;

    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        at = strstr(at, columns[i]);
        assert_non_null(at);
    }
    assert_non_null(strstr(table, "Encrypted"));
    assert_non_null(strstr(table, "UnsupportedAccount"));
    assert_non_null(strstr(azure, "demo-ledger"));
    assert_non_null(strstr(described, "Azure cannot enable customer-managed keys on an existing account"));
}

static char *version_of(struct world *w, const char *name)
{
    _cleanup_(json_freep) cJSON *object = resource_get(w, name);

    return xstrdup(json_string_at(object, "metadata.resourceVersion"));
}

static void assert_version(struct world *w, const char *name, const char *before)
{
    _cleanup_(freep) char *now = version_of(w, name);

    assert_string_equal(now, before);
}

static int writes(struct world *w)
{
    return the_apiserver()->fake_url
               ? apiserver_count(w, "PATCH") + apiserver_count(w, "PUT") + apiserver_count(w, "POST")
               : 0;
}

/* Idle means: all three were looked at again, several times. */
static void nothing_is_written_when_idle(struct world *w)
{
    start(w);
    _cleanup_(freep) char *orders = version_of(w, "orders"), *ledger = version_of(w, "ledger");
    _cleanup_(freep) char *legacy = version_of(w, "legacy");
    int written = writes(w), patched = azure_count(w, "PATCH", NULL);
    static const char *const accounts[] = {"demo-orders", "demo-ledger", "demo-legacy"};

    for (size_t i = 0; i < ARRAY_LEN(accounts); i++)
        azure_await_count(w, "GET", accounts[i], azure_count(w, "GET", accounts[i]) + 3);
    assert_int_equal(writes(w), written);
    assert_int_equal(azure_count(w, "PATCH", NULL), patched);
    assert_version(w, "orders", orders);
    assert_version(w, "ledger", ledger);
    assert_version(w, "legacy", legacy);
}

static void a_restart_writes_nothing(struct world *w)
{
    start(w);
    (void)controller_stop(w, 5000);
    _cleanup_(freep) char *orders = version_of(w, "orders"), *ledger = version_of(w, "ledger");
    int read = azure_count(w, "GET", "demo-ledger");

    controller_start(w, NULL);
    azure_await_count(w, "GET", "demo-ledger", read + 2);
    assert_version(w, "orders", orders);
    assert_version(w, "ledger", ledger);
    assert_int_equal(azure_count(w, "PATCH", NULL), 4);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"the three samples reach the ends that they should, with one PATCH for each step", samples_reach_their_ends},
        {"kubectl get and describe show what happened", kubectl_shows_it, .no_crash = "it is about what kubectl shows"},
        {"once Ready, nothing is written to Kubernetes or Azure", nothing_is_written_when_idle},
        {"a restart of the controller writes nothing either", a_restart_writes_nothing},
    };

    return run_scenes("happy path", scenes, ARRAY_LEN(scenes));
}
