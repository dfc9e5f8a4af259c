/* Errors as Azure words them: which kind, which code, which sentence. Bodies are from public recordings and issues,
 * with ids replaced. */
#include "unit.h"

#include "azure/arm_error.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <string.h>

#define TAIL "\\r\\nActivityId: 5d1c5a0e-26a4-4b2d-8c30-6a4c5f0f9a10, Microsoft.Azure.Documents.Common/2.14.0"

struct row {
    const char *name;
    int status;
    const char *body;
    enum err_kind kind;
    const char *code;
    const char *msg;
};

static const struct row rows[] = {
    {"front door, not found", 404,
        "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"The Resource "
        "'Microsoft.DocumentDB/databaseAccounts/x' "
        "under resource group 'rg' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix\"}}",
        ERR_NOT_FOUND, "ResourceNotFound",
        "The Resource 'Microsoft.DocumentDB/databaseAccounts/x' under resource group 'rg' was not found."},
    {"no such group", 404,
        "{\"error\":{\"code\":\"ResourceGroupNotFound\",\"message\":\"Resource group 'X' could not be found.\"}}",
        ERR_NOT_FOUND, "ResourceGroupNotFound", "Resource group 'X' could not be found."},
    {"no such subscription", 404,
        "{\"error\":{\"code\":\"SubscriptionNotFound\",\"message\":\"The subscription 'S' could not be found.\"}}",
        ERR_NOT_FOUND, "SubscriptionNotFound", "The subscription 'S' could not be found."},
    {"token expired", 401,
        "{\"error\":{\"code\":\"ExpiredAuthenticationToken\",\"message\":\"The access token expiry UTC time "
        "'11/24/2025 11:31:00 PM' is earlier than current UTC time '11/28/2025 5:28:45 AM'.\"}}",
        ERR_UNAUTHORIZED, "ExpiredAuthenticationToken",
        "The access token expiry UTC time '11/24/2025 11:31:00 PM' is earlier than current UTC time '11/28/2025 "
        "5:28:45 "
        "AM'."},
    {"no right", 403,
        "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"The client 'o' with object id 'o' does not have "
        "authorization to perform action 'a' over scope 's' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.\"}}",
        ERR_FORBIDDEN, "AuthorizationFailed",
        "The client 'o' with object id 'o' does not have authorization to perform action 'a' over scope 's' or the "
        "scope "
        "is invalid. If access was recently granted, please refresh your credentials."},
    {"policy", 403,
        "{\"error\":{\"code\":\"RequestDisallowedByPolicy\",\"target\":\"x\",\"message\":\"Resource 'x' was disallowed "
        "by "
        "policy. Policy identifiers: '[{\\\"policyAssignment\\\":{\\\"name\\\":\\\"n\\\"}}]'.\",\"additionalInfo\":[{"
        "\"type\":\"PolicyViolation\",\"info\":{\"policyDefinitionEffect\":\"deny\"}}]}}",
        ERR_FORBIDDEN, "RequestDisallowedByPolicy",
        "Resource 'x' was disallowed by policy. Policy identifiers: '[{\"policyAssignment\":{\"name\":\"n\"}}]'."},
    {"resource lock", 409,
        "{\"error\":{\"code\":\"ScopeLocked\",\"message\":\"The scope '/s' cannot perform write operation because "
        "following scope(s) are locked: '/l'. Please remove the lock and try again.\"}}",
        ERR_FORBIDDEN, "ScopeLocked",
        "The scope '/s' cannot perform write operation because following scope(s) are locked: '/l'. Please remove the "
        "lock and try again."},
    {"another conflict", 409,
        "{\"error\":{\"code\":\"MissingSubscriptionRegistration\",\"message\":\"The subscription is not registered to "
        "use namespace 'X'.\",\"details\":[{\"code\":\"c\",\"target\":\"t\",\"message\":\"m\"}]}}",
        ERR_CONFLICT, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace 'X'."},
    {"exclusive lock, first wording", 412,
        "{\"code\":\"PreconditionFailed\",\"message\":\"There is already an operation in progress which requires "
        "exclusive lock on this service orders. Please retry the operation after sometime." TAIL "\"}",
        ERR_LOCKED, "PreconditionFailed",
        "There is already an operation in progress which requires exclusive lock on this service orders. Please retry "
        "the operation after sometime."},
    {"exclusive lock, second wording", 412,
        "{\"code\":\"PreconditionFailed\",\"message\":\"There is another user operation in progress which requires an "
        "exclusive lock on [orders]. Please retry after sometime." TAIL "\"}",
        ERR_LOCKED, "PreconditionFailed",
        "There is another user operation in progress which requires an exclusive lock on [orders]. Please retry after "
        "sometime."},
    {"another precondition", 412, "{\"code\":\"PreconditionFailed\",\"message\":\"ETag mismatch.\"}", ERR_CONFLICT,
        "PreconditionFailed", "ETag mismatch."},
    {"account not online", 400,
        "{\"code\":\"BadRequest\",\"message\":\"Database account orders is not online" TAIL "\"}", ERR_INVALID,
        "BadRequest", "Database account orders is not online"},
    {"tail after a line feed only", 400,
        "{\"code\":\"BadRequest\",\"message\":\"Provided KeyVaultKeyUri http://x is Invalid.\\nActivityId: g, "
        "Microsoft.Azure.Documents.Common/2.14.0\"}",
        ERR_INVALID, "BadRequest", "Provided KeyVaultKeyUri http://x is Invalid."},
    {"tail after a space", 400,
        "{\"code\":\"BadRequest\",\"message\":\"Enablement on an existing Analytical Store enabled Account is not "
        "supported ActivityId: g\"}",
        ERR_INVALID, "BadRequest", "Enablement on an existing Analytical Store enabled Account is not supported"},
    {"version tail alone", 400,
        "{\"code\":\"BadRequest\",\"message\":\"Updating KeyVaultKeyUri is not supported, "
        "Microsoft.Azure.Documents.Common/2.14.0\"}",
        ERR_INVALID, "BadRequest", "Updating KeyVaultKeyUri is not supported"},
    {"no tail", 400,
        "{\"code\":\"BadRequest\",\"message\":\"Cannot update Customer Managed Key settings and other properties at "
        "the "
        "same time.\"}",
        ERR_INVALID, "BadRequest",
        "Cannot update Customer Managed Key settings and other properties at the same time."},
    {"key vault firewall, nested", 403,
        "{\"code\":\"Forbidden\",\"message\":\"Database account creation failed. Operation Id: g, Error: "
        "{\\\"error\\\":{\\\"code\\\":\\\"Forbidden\\\",\\\"message\\\":\\\"Client address is not authorized and "
        "caller "
        "was ignored because bypass is set to None \\\\r\\\\nClient address: 1.2.3.4\\\\r\\\\nCaller: "
        "name=Unknown/unknown;appid=a;oid=o\\\\r\\\\nVault: "
        "mykeyvault;location=eastus\\\",\\\"innererror\\\":{\\\"code\\\":\\\"ForbiddenByFirewall\\\"}}}" TAIL "\"}",
        ERR_FORBIDDEN, "Forbidden",
        "Database account creation failed. Operation Id: g, Error: Client address is not authorized and caller was "
        "ignored because bypass is set to None Client address: 1.2.3.4 Caller: name=Unknown/unknown;appid=a;oid=o "
        "Vault: "
        "mykeyvault;location=eastus (Forbidden, ForbiddenByFirewall)"},
    {"nested with its line breaks unescaped", 403,
        "{\"code\":\"Forbidden\",\"message\":\"Error: {\\\"error\\\":{\\\"code\\\":\\\"Forbidden\\\",\\\"message\\\":"
        "\\\"No.\\r\\nVault: v\\\"}}\"}",
        ERR_FORBIDDEN, "Forbidden", "Error: No. Vault: v (Forbidden)"},
    {"braces that are no JSON", 400, "{\"code\":\"BadRequest\",\"message\":\"Bad value {x} here\"}", ERR_INVALID,
        "BadRequest", "Bad value {x} here"},
    {"vault not found", 503,
        "{\"code\":\"ServiceUnavailable\",\"message\":\"Error contacting the Azure Key Vault resource. Please try "
        "again." TAIL "\"}",
        ERR_UNAVAILABLE, "ServiceUnavailable", "Error contacting the Azure Key Vault resource. Please try again."},
    {"scan throttled", 500,
        "{\"code\":\"InternalServerError\",\"message\":\"Unexpected error on document scan for CMK Migration. Please "
        "retry the operation.\"}",
        ERR_UNAVAILABLE, "InternalServerError",
        "Unexpected error on document scan for CMK Migration. Please retry the operation."},
    {"throttled", 429,
        "{\"error\":{\"code\":\"SubscriptionRequestsThrottled\",\"message\":\"Number of 'read' requests for "
        "subscription "
        "'s' actor 'o' exceeded. Please try again after '10' seconds\"}}",
        ERR_THROTTLED, "SubscriptionRequestsThrottled",
        "Number of 'read' requests for subscription 's' actor 'o' exceeded. Please try again after '10' seconds"},
    {"failed operation", 400,
        "{\"status\":\"Failed\",\"error\":{\"code\":\"Conflict\",\"message\":\"Database account creation failed." TAIL
        ", Microsoft.Azure.Documents.Common/2.14.0\"}}",
        ERR_INVALID, "Conflict", "Database account creation failed."},
    {"capitals", 400, "{\"Code\":\"BadRequest\",\"Message\":\"The start time cannot be that.\"}", ERR_INVALID,
        "BadRequest", "The start time cannot be that."},
    {"byte order mark", 404, "\xEF\xBB\xBF{\"error\":{\"code\":\"C\",\"message\":\"M\"}}", ERR_NOT_FOUND, "C", "M"},
    {"code only", 400, "{\"error\":{\"code\":\"OnlyCode\"}}", ERR_INVALID, "OnlyCode",
        "Azure Resource Manager answered 400 OnlyCode"},
    {"message only", 400, "{\"message\":\"Only text\"}", ERR_INVALID, "", "Only text"},
    {"a message that is only a tail is kept", 400, "{\"code\":\"C\",\"message\":\"ActivityId: g\"}", ERR_INVALID, "C",
        "ActivityId: g"},
    {"control bytes", 400, "{\"code\":\"a\\nb\",\"message\":\"\\u001b[31mred\\u0007 \\t text\\u007f\"}", ERR_INVALID,
        "a b", "[31mred text"},
    {"wrong types", 400, "{\"error\":{\"code\":7,\"message\":[\"x\"]}}", ERR_INVALID, "",
        "Azure Resource Manager answered 400 without an error that can be read"},
    {"an error that is a list", 400, "{\"error\":[]}", ERR_INVALID, "",
        "Azure Resource Manager answered 400 without an error that can be read"},
    {"duplicate names", 400, "{\"code\":\"a\",\"code\":\"b\"}", ERR_INVALID, "",
        "Azure Resource Manager answered 400 without an error that can be read"},
    {"html", 502, "<html>Bad gateway</html>", ERR_UNAVAILABLE, "",
        "Azure Resource Manager answered 502 without an error that can be read"},
    {"nothing", 504, "", ERR_UNAVAILABLE, "", "Azure Resource Manager answered 504 without an error that can be read"},
    {"request timeout", 408, "", ERR_TIMEOUT, "",
        "Azure Resource Manager answered 408 without an error that can be read"},
    {"redirect", 307, "", ERR_PROTOCOL, "", "Azure Resource Manager answered 307, a redirect, which is never followed"},
};

static void every_known_body_becomes_a_kind_a_code_and_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        const struct arm_answer answer = {
            .status = r->status, .body = r->body, .len = strlen(r->body), .retry_after_ms = -1};
        struct err err = ERR_INIT;
        assert_int_equal(arm_error_set(&answer, &err), -1);
        if (err.kind != r->kind || strcmp(err.code, r->code) != 0 || strcmp(err.msg, r->msg) != 0)
            fail_msg("%s: %s \"%s\" \"%s\"", r->name, err_kind_name(err.kind), err.code, err.msg);
        assert_int_equal(err.http_status, r->status);
        assert_int_equal(err.retry_after_ms, -1);
        assert_false(err.maybe_sent);
    }
}

static void only_a_failure_leaves_the_outcome_of_a_change_unknown(void **state)
{
    static const struct {
        int status;
        bool maybe_sent;
    } cases[] = {{400, false}, {401, false}, {403, false}, {404, false}, {409, false}, {412, false}, {429, false},
        {408, true}, {500, true}, {502, true}, {503, true}, {504, true}, {529, true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        (void)arm_error_set(
            &(struct arm_answer){.status = cases[i].status, .changes = true, .retry_after_ms = 7000}, &err);
        if (err.maybe_sent != cases[i].maybe_sent)
            fail_msg("%d: maybe_sent %d", cases[i].status, err.maybe_sent);
        assert_int_equal(err.retry_after_ms, 7000);
    }
}

static void a_very_long_message_is_cut_between_characters(void **state)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(1 << 20);
    _cleanup_(json_freep) cJSON *tree = NULL;
    _cleanup_(arm_error_done) struct arm_error found = {0};
    struct err err = ERR_INIT;

    (void)state;
    buf_puts(&body, "{\"error\":{\"code\":\"");
    for (int i = 0; i < 1000; i++)
        buf_puts(&body, "c");
    buf_puts(&body, "\",\"message\":\"");
    for (int i = 0; i < 50000; i++)
        buf_puts(&body, "\xE2\x82\xAC");
    buf_puts(&body, "\"}}");
    assert_int_equal(arm_json_parse(&tree, body.data, body.len, &err), 0);
    assert_true(arm_error_find(tree, &found));
    assert_in_range(strlen(found.message), 2040, 2048);
    assert_true(utf8_valid(found.message, strlen(found.message)));
    assert_string_equal(found.message + strlen(found.message) - 3, "...");
    assert_int_equal(strlen(found.code), 95);
    (void)arm_error_set(&(struct arm_answer){.status = 400, .body = body.data, .len = body.len}, &err);
    assert_true(utf8_valid(err.msg, strlen(err.msg)));
}

static void nesting_beyond_the_cap_is_left_alone(void **state)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_puts(&body, "{\"error\":");
    (void)arm_error_set(&(struct arm_answer){.status = 400, .body = body.data, .len = body.len}, &err);
    assert_string_equal(err.msg, "Azure Resource Manager answered 400 without an error that can be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_body_becomes_a_kind_a_code_and_a_sentence),
        cmocka_unit_test(only_a_failure_leaves_the_outcome_of_a_change_unknown),
        cmocka_unit_test(a_very_long_message_is_cut_between_characters),
        cmocka_unit_test(nesting_beyond_the_cap_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
