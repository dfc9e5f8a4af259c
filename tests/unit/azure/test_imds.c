/* The instance metadata service: what is asked, what the answers become, how often it is asked again, in virtual time.
 */
#include "unit.h"

#include "azure/imds.h"
#include "base/clock.h"
#include "base/str.h"
#include "fake_http.h"

#include <stdio.h>

#define SCOPE "https://management.azure.com/.default"
#define CANARY "eyJc4n4ry"
#define WAITS_MAX 16

static int64_t waits[WAITS_MAX];
static size_t n_waits, stops_at; /* the wait during which we are told to stop, counted from 1; 0: never */

static bool virtual_wait(struct http_cancel *cancel, int64_t ms)
{
    (void)cancel;
    assert_true(n_waits < WAITS_MAX);
    waits[n_waits++] = ms;
    return n_waits == stops_at;
}

struct asked {
    struct fake_http *fake;
    struct secret *token;
    int64_t lifetime_ms;
    struct err err;
    int r;
};

static void asked_done(struct asked *a)
{
    fake_free(a->fake);
    secret_unref(a->token);
}

static struct imds_request request_with(struct fake_http *fake)
{
    return (struct imds_request){
        .http = &fake->client, .endpoint = IMDS_ENDPOINT, .scope = SCOPE, .wait = virtual_wait};
}

static struct asked ask(const struct fake_answer *answers, size_t n)
{
    struct asked a = {.fake = fake_new(answers, n), .err = ERR_INIT};
    const struct imds_request request = request_with(a.fake);

    n_waits = 0;
    a.r = imds_token(&request, &a.token, &a.lifetime_ms, &a.err);
    return a;
}

#define TOKEN_BODY(members)                                                                                            \
    "{\"access_token\":\"" CANARY "\",\"client_id\":\"x\"," members ",\"token_type\":\"Bearer\"}"

static void a_token_comes_with_numbers_as_strings(void **state)
{
    static const struct fake_answer answer = {
        .status = 200, .body = TOKEN_BODY("\"expires_in\":\"3599\",\"expires_on\":\"1506484173\"")};
    _cleanup_(asked_done) struct asked a = ask(&answer, 1);

    (void)state;
    assert_int_equal(a.r, 0);
    assert_string_equal(secret_reveal(a.token), CANARY);
    assert_int_equal(a.lifetime_ms, 3599000);
    assert_string_equal(a.fake->seen[0].url,
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2F"
        "management.azure.com");
    assert_non_null(strstr(a.fake->seen[0].headers, "Metadata: true\n"));
    assert_null(a.fake->seen[0].body);
    assert_false(a.fake->seen[0].proxied);
    assert_int_equal(n_waits, 0);
}

static void without_expires_in_the_end_is_what_counts(void **state)
{
    _cleanup_(freep) char *body =
        xasprintf("{\"access_token\":\"t\",\"expires_on\":\"%lld\",\"token_type\":\"Bearer\"}",
            (long long)(clock_wall_ms() / 1000 + 7200));
    const struct fake_answer answer = {.status = 200, .body = body};
    _cleanup_(asked_done) struct asked a = ask(&answer, 1);

    (void)state;
    assert_int_equal(a.r, 0);
    assert_true(a.lifetime_ms > 6000 * 1000 && a.lifetime_ms <= 7200 * 1000);
}

static void which_identity_and_which_resource_go_into_the_query(void **state)
{
    static const struct {
        const char *scope, *client_id, *resource_id, *ends;
    } rows[] = {
        {SCOPE, "c1", NULL, "&resource=https%3A%2F%2Fmanagement.azure.com&client_id=c1"},
        {SCOPE, NULL, "/subscriptions/s/x y",
            "&resource=https%3A%2F%2Fmanagement.azure.com&msi_res_id=%2Fsubscriptions%2Fs%2Fx%20y"},
        {"https://management.core.windows.net//.default", NULL, NULL,
            "&resource=https%3A%2F%2Fmanagement.core.windows.net%2F"},
        {"https://cosmos.azure.com", NULL, NULL, "&resource=https%3A%2F%2Fcosmos.azure.com"},
    };
    static const struct fake_answer answer = {.status = 200, .body = TOKEN_BODY("\"expires_in\":\"1\"")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(asked_done) struct asked a = {.fake = fake_new(&answer, 1), .err = ERR_INIT};
        struct imds_request request = request_with(a.fake);
        request.scope = rows[i].scope;
        request.client_id = rows[i].client_id;
        request.resource_id = rows[i].resource_id;
        assert_int_equal(imds_token(&request, &a.token, &a.lifetime_ms, &a.err), 0);
        if (!str_has_suffix_nocase(a.fake->seen[0].url, rows[i].ends))
            fail_msg("row %zu: %s", i, a.fake->seen[0].url);
    }
}

static const struct answer_row {
    struct fake_answer answer;
    enum err_kind kind;
    const char *says;
    size_t waits; /* how often it is asked again when it always answers so */
} rows[] = {
    {{.status = 400, .body = "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}"},
        ERR_UNAUTHORIZED, "answered 400: invalid_request: Identity not found", 0},
    {{.status = 403, .body = "{\"error\":\"x\\u001b[0m\",\"error_description\":\"a\\r\\nb\"}"}, ERR_UNAUTHORIZED,
        "answered 403: x [0m: a", 0},
    {{.status = 401, .body = "{}"}, ERR_UNAUTHORIZED, "answered 401", 0},
    {{.status = 400, .body = "<html>" CANARY}, ERR_PROTOCOL, "not JSON", 0},
    {{.status = 302, .body = ""}, ERR_PROTOCOL, "not JSON", 0},
    {{.status = 200, .body = "hello " CANARY}, ERR_PROTOCOL, "not JSON", 0},
    {{.status = 200, .body = "{}"}, ERR_PROTOCOL, "no usable access_token", 0},
    {{.status = 200, .body = TOKEN_BODY("\"expires_in\":\"soon\"")}, ERR_PROTOCOL, "no usable expires_in", 0},
    {{.status = 200, .body = TOKEN_BODY("\"expires_on\":\"1506484173\"")}, ERR_PROTOCOL, "no usable expires_in", 0},
    {{.fails = ERR_TOO_LARGE}, ERR_TOO_LARGE, "no answer", 0},
    {{.fails = ERR_CANCELLED}, ERR_CANCELLED, "no answer", 0},
    {{.status = 404, .body = ""}, ERR_UNAVAILABLE, "answered 404", 5},
    {{.status = 410, .body = "<x>"}, ERR_UNAVAILABLE, "answered 410", 6},
    {{.status = 429, .body = "{\"error\":\"too many\"}"}, ERR_THROTTLED, "answered 429: too many", 5},
    {{.status = 500, .body = ""}, ERR_UNAVAILABLE, "answered 500", 5},
    {{.status = 503, .body = CANARY}, ERR_UNAVAILABLE, "answered 503", 5},
    {{.fails = ERR_UNAVAILABLE, .maybe_sent = true}, ERR_UNAVAILABLE, "no answer", 5},
    {{.fails = ERR_TIMEOUT}, ERR_TIMEOUT, "no answer", 5},
};

static void what_may_pass_is_asked_again_and_nothing_else(void **state)
{
    static const int64_t expected[] = {0, 2000, 6000, 14000, 30000, 30000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake_answer answers[8];
        int64_t total = 0;
        for (size_t k = 0; k < ARRAY_LEN(answers); k++)
            answers[k] = rows[i].answer;
        _cleanup_(asked_done) struct asked a = ask(answers, ARRAY_LEN(answers));
        assert_int_equal(a.r, -1);
        assert_null(a.token);
        if (a.err.kind != rows[i].kind || !strstr(a.err.msg, rows[i].says) || n_waits != rows[i].waits)
            fail_msg("row %zu: %s \"%s\", %zu waits", i, err_kind_name(a.err.kind), a.err.msg, n_waits);
        assert_int_equal(a.fake->n_seen, n_waits + 1);
        for (size_t k = 0; k < n_waits; k++) {
            assert_int_equal(waits[k], expected[k]);
            total += waits[k];
        }
        assert_true(rows[i].answer.status != 410 || total >= 70000);
        assert_null(strstr(a.err.msg, CANARY));
    }
}

static void it_comes_back_and_the_token_with_it(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 410}, {.status = 410}, {.status = 500}, {.status = 200, .body = TOKEN_BODY("\"expires_in\":3600")}};
    _cleanup_(asked_done) struct asked a = ask(answers, ARRAY_LEN(answers));

    (void)state;
    assert_int_equal(a.r, 0);
    assert_int_equal(n_waits, 3);
}

static void its_own_word_about_when_to_ask_again_counts_up_to_a_minute(void **state)
{
    static const struct fake_answer answers[] = {{.status = 429, .headers = "retry-after: 9\n"},
        {.status = 429, .headers = "retry-after: 1\n"}, {.status = 429, .headers = "retry-after: 4000\n"},
        {.status = 200, .body = TOKEN_BODY("\"expires_in\":3600")}};
    _cleanup_(asked_done) struct asked a = ask(answers, ARRAY_LEN(answers));

    (void)state;
    assert_int_equal(a.r, 0);
    assert_int_equal(n_waits, 3);
    assert_int_equal(waits[0], 9000);
    assert_int_equal(waits[1], 2000);
    assert_int_equal(waits[2], 60000);
}

static void being_told_to_stop_ends_the_waiting(void **state)
{
    static const struct fake_answer answers[] = {{.status = 500}, {.status = 500}};

    (void)state;
    stops_at = 2;
    _cleanup_(asked_done) struct asked a = ask(answers, ARRAY_LEN(answers));
    stops_at = 0;
    assert_int_equal(a.r, -1);
    assert_int_equal(a.err.kind, ERR_CANCELLED);
    assert_int_equal(a.fake->n_seen, 2);
}

static void a_probe_takes_for_azure_only_what_answers_like_azure(void **state)
{
    static const struct {
        struct fake_answer answer;
        int r;
        const char *says;
    } probes[] = {
        {{.status = 400}, 0, NULL},
        {{.status = 410}, 0, NULL},
        {{.status = 429}, 0, NULL},
        {{.status = 500}, 0, NULL},
        {{.status = 404}, -1, "(with 404) is not Azure's"},
        {{.status = 401}, -1, "(with 401) is not Azure's"},
        {{.status = 403}, -1, "(with 403) is not Azure's"},
        {{.status = 200, .body = "ami-id"}, -1, "(with 200) is not Azure's"},
        {{.fails = ERR_TIMEOUT}, -1, "no instance metadata service answers at http://169.254.169.254"},
        {{.fails = ERR_UNAVAILABLE}, -1, "no instance metadata service answers"},
        {{.fails = ERR_CANCELLED}, -1, "no answer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct fake_http *fake = fake_new(&probes[i].answer, 1);
        const struct imds_request request = request_with(fake);
        struct err err = ERR_INIT;
        int r = imds_probe(&request, &err);
        if (r != probes[i].r || (r < 0 && !strstr(err.msg, probes[i].says)))
            fail_msg("row %zu: %d \"%s\"", i, r, err.msg);
        assert_null(strstr(fake->seen[0].headers ? fake->seen[0].headers : "", "Metadata"));
        assert_int_equal(fake->n_seen, 1);
        fake_free(fake);
    }
}

static void only_this_machine_may_be_asked(void **state)
{
    static const struct {
        const char *endpoint;
        bool ok;
    } endpoints[] = {
        {"http://169.254.169.254", true},
        {"http://169.254.169.254/", true},
        {"http://127.0.0.1:8080", true},
        {"http://localhost:8080", true},
        {"http://[::1]:80", true},
        {"http://[fe80::1]", true},
        {"https://127.0.0.1", false},
        {"http://127.0.0.1/x", false},
        {"http://u:p@127.0.0.1", false},
        {"http://10.0.0.1", false},
        {"http://169.253.169.254", false},
        {"http://management.azure.com", false},
        {"http://127.0.0.1.evil.example", false},
        {"http://[2001:db8::1]", false},
        {"127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        struct err err = ERR_INIT;
        if ((imds_endpoint_check(endpoints[i].endpoint, &err) == 0) != endpoints[i].ok)
            fail_msg("%s: \"%s\"", endpoints[i].endpoint, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_with_numbers_as_strings),
        cmocka_unit_test(without_expires_in_the_end_is_what_counts),
        cmocka_unit_test(which_identity_and_which_resource_go_into_the_query),
        cmocka_unit_test(what_may_pass_is_asked_again_and_nothing_else),
        cmocka_unit_test(it_comes_back_and_the_token_with_it),
        cmocka_unit_test(its_own_word_about_when_to_ask_again_counts_up_to_a_minute),
        cmocka_unit_test(being_told_to_stop_ends_the_waiting),
        cmocka_unit_test(a_probe_takes_for_azure_only_what_answers_like_azure),
        cmocka_unit_test(only_this_machine_may_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
