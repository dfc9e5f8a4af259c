/* Answers that never came, operations that nobody can look up any more, tokens that end in between, outages: the
 * account is read and no change is sent twice. */
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <string.h>

static void start_with(struct world *w, const char *rule)
{
    azure_start(w, NULL);
    azure_fault(w, rule);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
}

static void cut_after_the_patch(struct world *w)
{
    start_with(w, "{\"match\":{\"method\":\"PATCH\"},\"action\":{\"cut\":\"after\"}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* The operation takes longer than an effect may take to show: the account says that something runs, and that is enough.
 */
static void cut_after_a_patch_that_takes_long(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    azure_fault(w, "{\"match\":{\"method\":\"PATCH\"},\"action\":{\"cut\":\"after\"}}");
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void cut_before_the_patch(struct world *w)
{
    start_with(w, "{\"match\":{\"method\":\"PATCH\"},\"action\":{\"cut\":\"before\"}}");
    _cleanup_(json_freep) cJSON *waiting = await_reason(w, "orders", "Confirming");
    assert_condition(waiting, "Ready", "False", "Confirming", "nothing is sent again before that");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2); /* the first had no effect */
}

static void gateway_timeout_after_the_patch(struct world *w)
{
    start_with(w,
        "{\"match\":{\"method\":\"PATCH\"},\"action\":{\"status\":504,\"commit\":true,\"body\":{\"error\":{\"code\":"
        "\"GatewayTimeout\",\"message\":\"The gateway did not receive a response\"}}}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void lost_operation_url(struct world *w)
{
    start_with(w, "{\"match\":{\"pathContains\":\"operationsStatus\",\"count\":0},\"action\":{\"status\":404,\"body\":{"
                  "\"error\":{"
                  "\"code\":\"NotFound\",\"message\":\"The operation was not found\"}}}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* Tokens live for two seconds, the operation for longer. */
static void tokens_expire_during_the_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--token-seconds", "2", "--encrypt-seconds", "4", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    assert_true(azure_count(w, "POST", "/oauth2/v2.0/token") >= 2);
}

static void tokens_are_revoked_during_the_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    json_free(azure_ask(w, "POST", "/fake/tokens/revoke", NULL));
    azure_await_count(w, "POST", "/oauth2/v2.0/token", 2);
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void azure_is_down_for_a_while(struct world *w)
{
    start_with(w, "{\"match\":{\"count\":0},\"action\":{\"cut\":\"before\"}}");
    _cleanup_(json_freep) cJSON *down = await_reason(w, "orders", "AzureUnavailable");
    assert_condition(down, "Ready", "Unknown", "AzureUnavailable", "cannot be read");
    assert_condition(down, "Reconciling", "True", "AzureUnavailable", NULL);
    azure_heal(w);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

/* ---- the API server fails ---- */

static void fault_of_namespace(struct world *w, const char *match, const char *action)
{
    _cleanup_(freep) char *rule =
        xasprintf("{\"match\":{\"pathContains\":\"%s\",%s},\"action\":{%s}}", w->ns, match, action);

    json_free(apiserver_ask("POST", "/fake/faults", rule));
}

static void status_writes_fail(struct world *w)
{
    azure_start(w, NULL);
    fault_of_namespace(w, "\"method\":\"PATCH\",\"nth\":1,\"count\":2", "\"status\":500");
    fault_of_namespace(w, "\"method\":\"PATCH\",\"nth\":4,\"count\":1", "\"status\":503,\"commit\":true");
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    controller_start(w, NULL);
    await_end(w, "ledger", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
}

static void the_record_of_a_change_is_lost(struct world *w)
{
    azure_start(w, NULL);
    /* The first write is the write-ahead; the second would record what Azure answered, and so would the third, on its
     * own. */
    fault_of_namespace(w, "\"method\":\"PATCH\",\"nth\":2,\"count\":2", "\"status\":500");
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void watches_end(struct world *w)
{
    azure_start(w, NULL);
    controller_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    await_end(w, "orders", "Encrypted");
    json_free(apiserver_ask("POST", "/fake/compact", NULL));
    json_free(apiserver_ask("POST", "/fake/drop-watches?gone=true", NULL));
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    await_end(w, "ledger", "Encrypted");
    assert_int_equal(azure_count(w, "PATCH", NULL), 4);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a connection cut after Azure took the change: it is found by reading, not sent again", cut_after_the_patch},
        {"a connection cut after Azure took a change that takes long: it is followed",
            cut_after_a_patch_that_takes_long},
        {"a connection cut before Azure took the change: it is sent again after a while", cut_before_the_patch},
        {"a 504 after Azure took the change: it is found by reading, not sent again", gateway_timeout_after_the_patch},
        {"an operation whose URL is gone is followed through the account", lost_operation_url},
        {"tokens that expire during the operation are renewed", tokens_expire_during_the_operation},
        {"tokens that are revoked during the operation are renewed", tokens_are_revoked_during_the_operation},
        {"an outage of Azure is said, and everything goes on by itself afterwards", azure_is_down_for_a_while},
        {"status writes that fail are repeated, and no change is sent twice", status_writes_fail, .fake_only = true},
        {"a change whose record is lost is found by reading", the_record_of_a_change_is_lost, .fake_only = true},
        {"watches that end with 410 are begun again, and nothing is missed", watches_end, .fake_only = true},
    };

    return run_scenes("lost answers", scenes, ARRAY_LEN(scenes));
}
