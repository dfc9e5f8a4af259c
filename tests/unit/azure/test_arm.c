/* Requests to ARM, the rules for poll URLs, and operations. */
#include "unit.h"

#include "azure/arm.h"
#include "base/str.h"
#include "fake_http.h"

#include <stdio.h>

#define ARM "https://management.azure.com"
#define PATH                                                                                                           \
    "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg/providers/Microsoft.DocumentDB/"            \
    "databaseAccounts/orders"
#define POLL                                                                                                           \
    ARM "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/providers/Microsoft.DocumentDB/locations/westus/"         \
        "operationsStatus/"                                                                                            \
        "714b14cc-0a5b-4d0c-8f6a-64c2bb1f1c52?api-version=2025-10-15&t=638992159348143221&c=MII_-~&s=A"

struct world {
    struct fake_http *fake;
    struct azure_cloud *cloud;
    struct arm_client *arm;
};

static void open_world(struct world *w, const char *endpoint, const struct fake_answer *answers, size_t n)
{
    struct err err = ERR_INIT;

    *w = (struct world){.fake = fake_new(answers, n)};
    assert_int_equal(azure_cloud_new(&w->cloud, &(struct azure_cloud_options){.arm_endpoint = endpoint}, &err), 0);
    const struct arm_options options = {.http = &w->fake->client, .cloud = w->cloud};
    assert_int_equal(arm_client_new(&w->arm, &options, &err), 0);
}

static void close_world(struct world *w)
{
    arm_client_free(w->arm);
    azure_cloud_free(w->cloud);
    fake_free(w->fake);
}

/* --- arm_call --- */

static void a_get_has_its_api_version_and_tracing_headers(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = "{}"}, {.status = 200, .body = "{}"}};
    _cleanup_(close_world) struct world w;
    struct arm_response response;
    struct err err = ERR_INIT;
    char expected[256];

    (void)state;
    open_world(&w, NULL, answers, ARRAY_LEN(answers));
    assert_int_equal(arm_call(w.arm, "GET", PATH, "2025-10-15", NULL, NULL, &response, &err), 0);
    const struct fake_request *seen = &w.fake->seen[0];
    assert_string_equal(seen->method, "GET");
    assert_string_equal(seen->url, ARM PATH "?api-version=2025-10-15");
    assert_null(seen->body);
    assert_false(seen->once);
    assert_int_equal(seen->max_body, 8 * 1024 * 1024);
    assert_non_null(strstr(seen->headers, "Accept: application/json\n"));
    assert_null(strstr(seen->headers, "Content-Type"));
    assert_true(str_is_guid(response.correlation_id));
    (void)snprintf(expected, sizeof(expected), "x-ms-correlation-request-id: %s\n", response.correlation_id);
    assert_non_null(strstr(seen->headers, expected));
    assert_non_null(strstr(seen->headers, "x-ms-client-request-id: "));
    assert_string_equal(buf_str(&response.http.body), "{}");
    arm_response_done(&response);

    assert_int_equal(arm_call(w.arm, "GET", PATH, "2025-10-15", NULL, NULL, &response, &err), 0);
    assert_null(strstr(w.fake->seen[1].headers, expected));
    arm_response_done(&response);
}

static void a_patch_sends_exactly_its_body_once(void **state)
{
    static const struct fake_answer answers[] = {{.status = 202}};
    static const char correlation[] = "0f0e0d0c-0b0a-4908-8706-050403020100";
    _cleanup_(close_world) struct world w;
    struct arm_response response;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, NULL, answers, ARRAY_LEN(answers));
    assert_int_equal(arm_call(w.arm, "PATCH", PATH, "2025-10-15", "{\"a\": 1 }", correlation, &response, &err), 0);
    assert_string_equal(w.fake->seen[0].method, "PATCH");
    assert_string_equal(w.fake->seen[0].body, "{\"a\": 1 }");
    assert_true(w.fake->seen[0].once);
    assert_non_null(strstr(w.fake->seen[0].headers, "Content-Type: application/json\n"));
    assert_non_null(
        strstr(w.fake->seen[0].headers, "x-ms-correlation-request-id: 0f0e0d0c-0b0a-4908-8706-050403020100\n"));
    assert_string_equal(response.correlation_id, correlation);
    assert_int_equal(response.status, 202);
    arm_response_done(&response);
}

static void a_path_beyond_ascii_is_percent_encoded(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200}};
    _cleanup_(close_world) struct world w;
    struct arm_response response;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, NULL, answers, ARRAY_LEN(answers));
    assert_int_equal(arm_call(w.arm, "GET", "/g/r\xC3\xA4(1)", "v+1", NULL, NULL, &response, &err), 0);
    assert_string_equal(w.fake->seen[0].url, ARM "/g/r%C3%A4(1)?api-version=v%2B1");
    arm_response_done(&response);
}

static void a_path_that_walks_or_ends_early_is_never_sent(void **state)
{
    static const char *const paths[] = {"", "x", "/a?b", "/a#b", "/a\\b", "/a b", "/a\nb", "/../a", "/a/..", "/a/./b",
        "@evil.example/", ".evil.example/"};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, NULL, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct arm_response response;
        struct err err = ERR_INIT;
        assert_int_equal(arm_call(w.arm, "GET", paths[i], "v", NULL, NULL, &response, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        arm_response_done(&response);
    }
    assert_int_equal(w.fake->n_seen, 0);
}

static void refusals_and_lost_answers_differ_in_what_may_have_happened(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
        bool patch_maybe_sent;
        int64_t retry_after_ms;
    } rows[] = {
        {{.status = 429, .headers = "retry-after: 17\n"}, ERR_THROTTLED, false, 17000},
        {{.status = 429}, ERR_THROTTLED, false, -1},
        {{.status = 503, .headers = "retry-after: 5\n"}, ERR_UNAVAILABLE, true, 5000},
        {{.status = 504}, ERR_UNAVAILABLE, true, -1},
        {{.status = 500}, ERR_UNAVAILABLE, true, -1},
        {{.status = 400}, ERR_INVALID, false, -1},
        {{.status = 412, .body = "{\"code\":\"PreconditionFailed\",\"message\":\"requires exclusive lock on x\"}"},
            ERR_LOCKED, false, -1},
        {{.fails = ERR_UNAVAILABLE, .maybe_sent = true}, ERR_UNAVAILABLE, true, -1},
        {{.fails = ERR_UNAVAILABLE, .maybe_sent = false}, ERR_UNAVAILABLE, false, -1},
        {{.fails = ERR_TIMEOUT, .maybe_sent = true}, ERR_TIMEOUT, true, -1},
        {{.fails = ERR_TOO_LARGE, .maybe_sent = true}, ERR_TOO_LARGE, true, -1},
        {{.fails = ERR_PROTOCOL}, ERR_PROTOCOL, false, -1},
        {{.fails = ERR_TLS}, ERR_TLS, false, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct fake_answer answers[] = {rows[i].answer, rows[i].answer};
        _cleanup_(close_world) struct world w;
        struct arm_response response;
        struct err err = ERR_INIT;
        open_world(&w, NULL, answers, 2);
        assert_int_equal(arm_call(w.arm, "PATCH", PATH, "v", "{}", NULL, &response, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_int_equal(err.maybe_sent, rows[i].patch_maybe_sent);
        assert_int_equal(err.retry_after_ms, rows[i].retry_after_ms);
        assert_true(str_is_guid(response.correlation_id));
        arm_response_done(&response);
        if (rows[i].answer.fails)
            continue;
        assert_int_equal(arm_call(w.arm, "GET", PATH, "v", NULL, NULL, &response, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_false(err.maybe_sent);
        arm_response_done(&response);
    }
}

/* --- poll URLs --- */

static void only_our_own_arm_host_is_polled(void **state)
{
    static const struct {
        const char *name, *url, *breaks; /* NULL: allowed */
    } rows[] = {
        {"as recorded", POLL, NULL},
        {"upper-case host", "https://Management.AZURE.com/x?y", NULL},
        {"explicit port", "https://management.azure.com:443/x", NULL},
        {"none", NULL, "has no URL"},
        {"empty", "", "has no URL"},
        {"relative", "/subscriptions/x", "cannot be used"},
        {"another host", "https://evil.example/x?signature", "points at evil.example"},
        {"suffix trick", "https://management.azure.com.evil.example/x", "points at management.azure.com.evil.example"},
        {"prefix trick", "https://xmanagement.azure.com/x", "points at xmanagement.azure.com"},
        {"final dot", "https://management.azure.com./x", "points at management.azure.com."},
        {"another scheme", "http://management.azure.com/x", "not https"},
        {"no http at all", "file:///etc/passwd", "cannot be used"},
        {"user name", "https://user@management.azure.com/x", "user name"},
        {"host as user name", "https://management.azure.com@evil.example/x", "user name"},
        {"host and port as user name", "https://management.azure.com:443@evil.example/x", "user name"},
        {"backslash", "https://management.azure.com\\@evil.example/x", "cannot be used"},
        {"another port", "https://management.azure.com:8443/x", "port 8443 and not at 443"},
        {"line feed", "https://management.azure.com/x\r\nHost: evil.example", "cannot be used"},
        {"space", "https://management.azure.com/x y", "cannot be used"},
        {"control byte", "https://management.azure.com/x\x01", "cannot be used"},
        {"encoded host", "https://management%2eazure.com/x", "cannot be used"},
    };
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, NULL, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        int r = arm_poll_url_check(w.arm, rows[i].url, &err);
        if (r != (rows[i].breaks ? -1 : 0))
            fail_msg("%s: %d %s", rows[i].name, r, err.msg);
        if (!rows[i].breaks)
            continue;
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.msg, rows[i].breaks))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].name, err.msg, rows[i].breaks);
        assert_null(strstr(err.msg, "signature"));

        struct arm_operation operation;
        assert_int_equal(arm_operation_get(w.arm, rows[i].url, &operation, &err), -1);
        arm_operation_done(&operation);
    }
    assert_int_equal(w.fake->n_seen, 0);
}

static void a_port_of_our_own_must_be_in_the_poll_url(void **state)
{
    _cleanup_(close_world) struct world w;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, "https://127.0.0.1:8443", NULL, 0);
    assert_int_equal(arm_poll_url_check(w.arm, "https://127.0.0.1:8443/x", &err), 0);
    assert_int_equal(arm_poll_url_check(w.arm, "https://127.0.0.1/x", &err), -1);
    assert_int_equal(arm_poll_url_check(w.arm, "https://management.azure.com/x", &err), -1);
}

static void signed_urls_fit_and_endless_ones_do_not(void **state)
{
    _cleanup_(close_world) struct world w;
    _cleanup_(buf_done) struct buf url = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, NULL, NULL, 0);
    buf_puts(&url, POLL);
    while (url.len < 3584)
        buf_putc(&url, 'A');
    assert_int_equal(arm_poll_url_check(w.arm, url.data, &err), 0);
    while (url.len < 16384)
        buf_putc(&url, 'A');
    assert_int_equal(arm_poll_url_check(w.arm, url.data, &err), 0);
    buf_putc(&url, 'A');
    assert_int_equal(arm_poll_url_check(w.arm, url.data, &err), -1);
    assert_non_null(strstr(err.msg, "longer than 16384 bytes"));
    assert_null(strstr(err.msg, "AAAA"));
}

/* --- operations --- */

static void the_words_of_azure_have_four_outcomes(void **state)
{
    static const struct {
        const char *state;
        enum arm_outcome outcome;
    } rows[] = {
        {"Enqueued", ARM_RUNNING},
        {"Dequeued", ARM_RUNNING},
        {"InProgress", ARM_RUNNING},
        {"", ARM_RUNNING},
        {NULL, ARM_RUNNING},
        {"Succeeded ", ARM_RUNNING},
        {"Succeeded", ARM_SUCCEEDED},
        {"SUCCEEDED", ARM_SUCCEEDED},
        {"failed", ARM_FAILED},
        {"Canceled", ARM_CANCELED},
        {"cancelled", ARM_CANCELED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(arm_outcome_of(rows[i].state), rows[i].outcome);
}

static void an_operation_is_read_from_its_url_byte_for_byte(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = "{\"status\":\"Enqueued\"}"},
        {.status = 200, .body = "\xEF\xBB\xBF{\"status\":\"Dequeued\"}", .headers = "retry-after: 30\n"},
        {.status = 200, .body = "{\"status\":\"Succeeded\",\"error\":{\"code\":\"x\",\"message\":\"ignored\"}}"},
    };
    static const char *const states[] = {"Enqueued", "Dequeued", "Succeeded"};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, NULL, answers, ARRAY_LEN(answers));
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        _cleanup_(arm_operation_done) struct arm_operation operation;
        struct err err = ERR_INIT;
        assert_int_equal(arm_operation_get(w.arm, POLL, &operation, &err), 0);
        assert_string_equal(w.fake->seen[i].url, POLL);
        assert_string_equal(operation.state, states[i]);
        assert_null(operation.error_code);
        assert_null(operation.error_message);
        assert_int_equal(operation.retry_after_ms, i == 1 ? 30000 : -1);
    }
}

static void a_failed_operation_is_an_answer_with_a_readable_reason(void **state)
{
    static const char body[] =
        "{\"status\":\"Failed\",\"error\":{\"code\":\"Conflict\",\"message\":\"Database account creation failed. "
        "Operation Id: g, Error : Sorry.\\r\\nActivityId: g, Microsoft.Azure.Documents.Common/2.14.0\"}}";
    static const struct fake_answer answers[] = {
        {.status = 200, .body = body},
        {.status = 409, .body = body},
        {.status = 200, .body = "{\"status\":\"Canceled\",\"error\":null}"},
    };
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, NULL, answers, ARRAY_LEN(answers));
    for (size_t i = 0; i < 2; i++) {
        _cleanup_(arm_operation_done) struct arm_operation operation;
        struct err err = ERR_INIT;
        assert_int_equal(arm_operation_get(w.arm, POLL, &operation, &err), 0);
        assert_string_equal(operation.state, "Failed");
        assert_string_equal(operation.error_code, "Conflict");
        assert_string_equal(
            operation.error_message, "Database account creation failed. Operation Id: g, Error : Sorry.");
    }
    _cleanup_(arm_operation_done) struct arm_operation operation;
    struct err err = ERR_INIT;
    assert_int_equal(arm_operation_get(w.arm, POLL, &operation, &err), 0);
    assert_int_equal(arm_outcome_of(operation.state), ARM_CANCELED);
    assert_null(operation.error_code);
}

static void a_failure_to_read_the_state_is_not_the_operations(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
    } rows[] = {
        {{.status = 404, .body = "{\"error\":{\"code\":\"NotFound\",\"message\":\"m\"}}"}, ERR_NOT_FOUND},
        {{.status = 410}, ERR_NOT_FOUND},
        {{.status = 403, .body = "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"m\"}}"}, ERR_FORBIDDEN},
        {{.status = 401}, ERR_UNAUTHORIZED},
        {{.status = 500, .body = "{\"status\":\"Dequeued\"}"}, ERR_UNAVAILABLE},
        {{.status = 503}, ERR_UNAVAILABLE},
        {{.status = 200, .body = ""}, ERR_PROTOCOL},
        {{.status = 200, .body = "<html>"}, ERR_PROTOCOL},
        {{.status = 200, .body = "[]"}, ERR_PROTOCOL},
        {{.status = 200, .body = "{\"status\":5}"}, ERR_PROTOCOL},
        {{.status = 200, .body = "{\"status\":\"Failed\",\"status\":\"Succeeded\"}"}, ERR_PROTOCOL},
        {{.status = 200, .body = "{\"Status\":\"Succeeded\"}"}, ERR_PROTOCOL},
        {{.fails = ERR_TIMEOUT}, ERR_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        _cleanup_(arm_operation_done) struct arm_operation operation;
        struct err err = ERR_INIT;
        open_world(&w, NULL, &rows[i].answer, 1);
        assert_int_equal(arm_operation_get(w.arm, POLL, &operation, &err), -1);
        if (err.kind != rows[i].kind)
            fail_msg("row %zu: %s", i, err_kind_name(err.kind));
        assert_null(operation.state);
        assert_null(strstr(err.msg, "638992159348143221"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_has_its_api_version_and_tracing_headers),
        cmocka_unit_test(a_patch_sends_exactly_its_body_once),
        cmocka_unit_test(a_path_beyond_ascii_is_percent_encoded),
        cmocka_unit_test(a_path_that_walks_or_ends_early_is_never_sent),
        cmocka_unit_test(refusals_and_lost_answers_differ_in_what_may_have_happened),
        cmocka_unit_test(only_our_own_arm_host_is_polled),
        cmocka_unit_test(a_port_of_our_own_must_be_in_the_poll_url),
        cmocka_unit_test(signed_urls_fit_and_endless_ones_do_not),
        cmocka_unit_test(the_words_of_azure_have_four_outcomes),
        cmocka_unit_test(an_operation_is_read_from_its_url_byte_for_byte),
        cmocka_unit_test(a_failed_operation_is_an_answer_with_a_readable_reason),
        cmocka_unit_test(a_failure_to_read_the_state_is_not_the_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
