/* Azure says no: operations that fail, accounts that are not there, rights that are missing, throttling, locks. The
 * status says it in Azure's words, and goes on by itself when the reason is gone. */
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <string.h>

static void start(struct world *w, const char *account_change, const char *rule)
{
    azure_start(w, NULL);
    if (account_change)
        json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders", account_change));
    if (rule)
        azure_fault(w, rule);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
}

/* The reason shows, stalled or not, with the fragment; once the rules are gone it ends Ready with so many PATCHes. */
static void assert_heals(struct world *w, const char *reason, bool stalled, const char *fragment, int patches)
{
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", reason);

    assert_condition(object, stalled ? "Stalled" : "Reconciling", "True", reason, fragment);
    azure_heal(w);
    await_end(w, "orders", "Encrypted");
    if (patches)
        assert_int_equal(azure_patches(w, "demo-orders"), patches);
}

static void failed_scan_is_retried(struct world *w)
{
    start(w,
        "{\"failWith\":{\"code\":\"InternalServerError\",\"message\":\"The document scan could not be "
        "finished\",\"times\":1}}",
        NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
    assert_member(object, "status.operation.error.code", NULL);
}

static void scan_that_never_succeeds(struct world *w)
{
    azure_start(w, NULL);
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders",
        "{\"failWith\":{\"code\":\"InternalServerError\",\"message\":\"The document scan could not be "
        "finished\",\"times\":9}}"));
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, (const char *const[]){"--max-attempts", "2", NULL});
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "OperationFailed");
    assert_condition(object, "Stalled", "True", "OperationFailed", "The document scan could not be finished");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void refused_by_the_key_vault(struct world *w)
{
    start(w,
        "{\"failWith\":{\"code\":\"Forbidden\",\"message\":\"Access to the key vault was denied: "
        "{\\\"error\\\":{\\\"code\\\":\\\"Forbidden\\\",\\\"message\\\":\\\"The user, group or application does not "
        "have "
        "keys get permission on key vault 'demo-vault'\\\",\\\"innererror\\\":{\\\"code\\\":\\\"AccessDenied\\\"}}}\","
        "\"times\":1}}",
        NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "OperationFailed");
    assert_condition(object, "Ready", "False", "OperationFailed", "does not have keys get permission on key vault");
    assert_condition(object, "Stalled", "True", "OperationFailed", NULL);
    assert_condition(object, "Encrypting", "False", "OperationFailed", NULL);
    assert_member(object, "status.operation.error.code", "Forbidden");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);

    /* Somebody gives the permission, and says so. */
    resource_patch(w, "orders", "{\"metadata\":{\"annotations\":{\"cosmoscmk.io/reconcile-requested-at\":\"1\"}}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void refused_patch(struct world *w)
{
    start(w,
        "{\"refuseWith\":{\"status\":400,\"code\":\"BadRequest\",\"message\":\"The key is not usable\",\"times\":1}}",
        NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "OperationFailed");
    assert_condition(object, "Stalled", "True", "OperationFailed", "The key is not usable");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void account_appears_later(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "late", "demo-late", NULL);
    controller_start(w, NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "late", "AccountNotFound");
    assert_condition(object, "Stalled", "True", "AccountNotFound", "demo-late");
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-late",
        "{\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\",\"location\":\"West "
        "Europe\"}"));
    await_end(w, "late", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-late"), 1);
}

static void wrong_secret(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start_env(w, NULL, (const char *const[]){"AZURE_CLIENT_SECRET=wrong-" CLIENT_SECRET, NULL});
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "AccessDenied");
    assert_condition(object, "Stalled", "True", "AccessDenied", "AADSTS7000215");
    assert_int_equal(azure_count(w, NULL, "demo-orders"), 0);
}

/* Not an error of the start: kubelet may be about to write it again. */
static void missing_token_file(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start_env(
        w, NULL, (const char *const[]){"AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE=/no/such/token", NULL});
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "AccessDenied");
    assert_condition(object, "Stalled", "True", "AccessDenied", "/no/such/token");
}

static void no_right_to_read(struct world *w)
{
    start(w, NULL,
        "{\"match\":{\"method\":\"GET\",\"pathContains\":\"demo-orders\",\"count\":0},\"action\":{\"status\":403,"
        "\"body\":{\"error\":{"
        "\"code\":\"AuthorizationFailed\",\"message\":\"The client does not have authorization to perform action "
        "'Microsoft.DocumentDB/databaseAccounts/read'\"}}}}");
    assert_heals(w, "AccessDenied", true, "Microsoft.DocumentDB/databaseAccounts/read", 1);
}

static void no_right_to_write(struct world *w)
{
    start(w, NULL,
        "{\"match\":{\"method\":\"PATCH\",\"count\":0},\"action\":{\"status\":403,\"body\":{\"error\":{\"code\":"
        "\"AuthorizationFailed\",\"message\":\"The client does not have authorization to perform action "
        "'Microsoft.DocumentDB/databaseAccounts/write'\"}}}}");
    assert_heals(w, "AccessDenied", true, "Microsoft.DocumentDB/databaseAccounts/write", 0);
}

#define TOO_MANY "\"body\":{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"The request is being throttled\"}}"

static void throttled_with_a_time(struct world *w)
{
    start(w, NULL,
        "{\"match\":{\"pathContains\":\"demo-orders\",\"count\":0},\"action\":{\"status\":429,\"retryAfter\":"
        "1," TOO_MANY "}}");
    assert_heals(w, "Throttled", false, "throttled", 1);
}

static void throttled_without_a_time(struct world *w)
{
    start(
        w, NULL, "{\"match\":{\"pathContains\":\"demo-orders\",\"count\":0},\"action\":{\"status\":429," TOO_MANY "}}");
    assert_heals(w, "Throttled", false, "throttled", 1);
}

static void throttled_patch(struct world *w)
{
    start(w, NULL,
        "{\"match\":{\"method\":\"PATCH\",\"count\":0},\"action\":{\"status\":429,\"retryAfter\":1," TOO_MANY "}}");
    assert_heals(w, "Throttled", false, "throttled", 0);
}

static void locked_account(struct world *w)
{
    start(w, NULL,
        "{\"match\":{\"method\":\"PATCH\",\"count\":0},\"action\":{\"status\":412,\"body\":{\"code\":"
        "\"PreconditionFailed\","
        "\"message\":\"There is already an operation in progress which requires exclusive lock on this service "
        "demo-orders. "
        "Please retry the operation after sometime.\"}}}");
    assert_heals(w, "AccountBusy", false, "exclusive lock", 0);
}

static void somebody_else_changes_the_account(struct world *w)
{
    azure_start(w, (const char *const[]){"--identity-seconds", "600", NULL});
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/start", "{\"tags\":{\"owner\":\"somebody\"}}"));
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "AccountBusy");
    assert_condition(object, "Reconciling", "True", "AccountBusy", "started elsewhere");
    assert_int_equal(azure_patches(w, "demo-orders"), 0);
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void key_is_revoked(struct world *w)
{
    start(w, NULL, NULL);
    await_end(w, "orders", "Encrypted");
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders",
        "{\"customerManagedKeyStatus\":\"Azure Key Vault key was deleted or disabled. Substatus: 4002\"}"));
    _cleanup_(json_freep) cJSON *object = await_reason(w, "orders", "KeyRevoked");
    assert_condition(object, "KeyAccessible", "False", "AccessLost", "4002");
    assert_condition(object, "Stalled", "True", "KeyRevoked", "4002");
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders",
        "{\"customerManagedKeyStatus\":\"Access to the configured customer managed key confirmed.\"}"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a document scan that fails is tried again and succeeds", failed_scan_is_retried},
        {"a document scan that goes on failing stalls in the end, with Azure's words", scan_that_never_succeeds,
            .no_crash = "an attempt that was cut off counts, and it is about their number"},
        {"an operation refused by the key vault stalls with its words, until somebody asks again",
            refused_by_the_key_vault, .no_crash = "the refusal comes once, and is lost with its answer"},
        {"a refused PATCH stalls with Azure's words and is not repeated", refused_patch,
            .no_crash = "the refusal comes once, and is lost with its answer"},
        {"an account that appears later is encrypted then", account_appears_later},
        {"a wrong client secret is said in Entra's words", wrong_secret},
        {"a missing token file is said", missing_token_file},
        {"a missing right to read is said, and taken up once it is given", no_right_to_read},
        {"a missing right to write is said, and taken up once it is given", no_right_to_write},
        {"throttling with Retry-After is waited for", throttled_with_a_time},
        {"throttling without Retry-After is waited for", throttled_without_a_time},
        {"a throttled PATCH is sent again", throttled_patch},
        {"an exclusive lock is waited for", locked_account},
        {"an operation of somebody else is waited for", somebody_else_changes_the_account},
        {"a key that is revoked after Ready is said, and its return too", key_is_revoked},
    };

    return run_scenes("faults", scenes, ARRAY_LEN(scenes));
}
