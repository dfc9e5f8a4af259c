/* Credentials: which one is chosen, what is sent for it, what the answers become, and that the secret shows nowhere. */
#include "unit.h"

#include "azure/credential.h"
#include "base/clock.h"
#include "base/str.h"
#include "fake_http.h"

#include <stdio.h>
#include <unistd.h>

#define TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define CLIENT "11112222-bbbb-3333-cccc-4444dddd5555"
#define SCOPE "https://management.azure.com/.default"
#define CANARY "c4n@ry/+&secret~"
#define CANARY_ENCODED "c4n%40ry%2F%2B%26secret~"
#define GRANTED(token)                                                                                                 \
    "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"" token "\"}"

static const struct azure_credential_options with_secret = {
    .tenant_id = TENANT, .client_id = CLIENT, .client_secret = CANARY};

struct world {
    struct fake_http *fake;
    struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct http_token_source source;
};

static void open_world(
    struct world *w, const struct azure_credential_options *options, const struct fake_answer *answers, size_t n)
{
    struct err err = ERR_INIT;

    *w = (struct world){.fake = fake_new(answers, n)};
    assert_int_equal(azure_cloud_new(&w->cloud, &(struct azure_cloud_options){0}, &err), 0);
    if (azure_credential_new(&w->credential, &w->fake->client, w->cloud, options, &err) < 0)
        fail_msg("%s", err.msg);
    w->source = azure_credential_source(w->credential, SCOPE);
}

static void close_world(struct world *w)
{
    azure_credential_free(w->credential);
    azure_cloud_free(w->cloud);
    fake_free(w->fake);
}

static int get(struct world *w, struct secret **ret, struct err *err)
{
    return w->source.token(w->source.ctx, ret, NULL, err);
}

static void assert_token(struct world *w, const char *expected)
{
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    if (get(w, &token, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(secret_reveal(token), expected);
}

/* --- choosing --- */

static void the_secret_wins_over_the_token_file(void **state)
{
    static const struct {
        struct azure_credential_options options;
        enum azure_credential_kind kind;
    } rows[] = {
        {{TENANT, CLIENT, .client_secret = "s"}, AZURE_CLIENT_SECRET},
        {{TENANT, CLIENT, .federated_token_file = "/f"}, AZURE_WORKLOAD_IDENTITY},
        {{TENANT, CLIENT, .client_secret = "s", .federated_token_file = "/f"}, AZURE_CLIENT_SECRET},
        {{"contoso.onmicrosoft.com", CLIENT, .client_secret = "", .federated_token_file = "/f"},
            AZURE_WORKLOAD_IDENTITY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        open_world(&w, &rows[i].options, NULL, 0);
        assert_int_equal(azure_credential_kind(w.credential), rows[i].kind);
    }
}

static void what_is_missing_is_named(void **state)
{
    static const struct {
        struct azure_credential_options options;
        const char *says;
    } rows[] = {
        {{0}, "not set: AZURE_TENANT_ID AZURE_CLIENT_ID AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE)"},
        {{TENANT, CLIENT}, "not set: AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE)"},
        {{NULL, CLIENT, .client_secret = CANARY}, "not set: AZURE_TENANT_ID"},
        {{TENANT, "", .client_secret = CANARY}, "not set: AZURE_CLIENT_ID"},
        {{"a/b", CLIENT, .client_secret = CANARY}, "must be a GUID or a domain name"},
        {{"..", CLIENT, .client_secret = CANARY}, "must be a GUID or a domain name"},
        {{"a?b", CLIENT, .client_secret = CANARY}, "must be a GUID or a domain name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct azure_credential *credential = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(azure_credential_new(&credential, NULL, NULL, &rows[i].options, &err), -1);
        assert_null(credential);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\"", i, err.msg);
        assert_null(strstr(err.msg, CANARY));
    }
}

/* --- what is sent --- */

static void a_secret_is_exchanged_for_a_token(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("eyJ.first")}};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_token(&w, "eyJ.first");
    assert_token(&w, "eyJ.first");
    assert_int_equal(w.fake->n_seen, 1);
    const struct fake_request *seen = &w.fake->seen[0];
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->url, "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token");
    assert_string_equal(seen->body,
        "client_id=" CLIENT "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials"
        "&client_secret=" CANARY_ENCODED);
    assert_non_null(strstr(seen->headers, "Content-Type: application/x-www-form-urlencoded\n"));
    assert_null(strstr(seen->headers, "Authorization"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void the_federated_token_is_read_again_for_each_exchange(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = GRANTED("one")}, {.status = 200, .body = GRANTED("two")}};
    char path[] = "/tmp/cosmoscmk-token-XXXXXX";
    int fd = mkstemp(path);
    const struct azure_credential_options options = {
        .tenant_id = TENANT, .client_id = CLIENT, .federated_token_file = path};
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    {
        _cleanup_(close_world) struct world w;
        open_world(&w, &options, answers, ARRAY_LEN(answers));
        write_file(path, "aaa.bbb.ccc\n");
        assert_int_equal(get(&w, &token, &err), 0);
        w.source.rejected(w.source.ctx, token);
        write_file(path, "ddd.eee.fff");
        assert_token(&w, "two");
        const char *form =
            "client_id=" CLIENT "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials"
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
            "&client_assertion=";
        assert_true(str_has_prefix(w.fake->seen[0].body, form));
        assert_string_equal(w.fake->seen[0].body + strlen(form), "aaa.bbb.ccc");
        assert_string_equal(w.fake->seen[1].body + strlen(form), "ddd.eee.fff");
    }
    (void)unlink(path);
}

static void a_token_file_that_cannot_be_used_is_no_answer_of_azure(void **state)
{
    static const struct {
        const char *content; /* NULL: no file */
        const char *says;
    } rows[] = {
        {NULL, "No such file"},
        {"", "is empty"},
        {" \n", "is empty"},
        {"aaa bbb " CANARY, "holds something that is not a token"},
        {"\x7f"
         "ELF",
            "holds something that is not a token"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[] = "/tmp/cosmoscmk-token-XXXXXX";
        int fd = mkstemp(path);
        const struct azure_credential_options options = {
            .tenant_id = TENANT, .client_id = CLIENT, .federated_token_file = path};
        _cleanup_(close_world) struct world w;
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        assert_true(fd >= 0);
        (void)close(fd);
        if (rows[i].content)
            write_file(path, rows[i].content);
        else
            (void)unlink(path);
        open_world(&w, &options, NULL, 0);
        assert_int_equal(get(&w, &token, &err), -1);
        (void)unlink(path);
        assert_int_equal(err.kind, ERR_UNAUTHORIZED);
        assert_non_null(strstr(err.msg, path));
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\"", i, err.msg);
        assert_null(strstr(err.msg, CANARY));
        assert_int_equal(w.fake->n_seen, 0);
    }
}

/* --- what comes back --- */

static void numbers_may_be_strings_and_bearer_any_case(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = "{\"token_type\":\"bearer\",\"expires_in\":\"3599\",\"access_token\":\"t\"}"}};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_token(&w, "t");
    assert_token(&w, "t");
}

#define REFUSED(code, text)                                                                                            \
    "{\"error\":\"" code "\",\"error_description\":\"" text                                                            \
    "\\r\\nTrace ID: t\\r\\nCorrelation ID: c\\r\\nTimestamp: 2016-01-09 02:02:12Z\",\"error_codes\":[7000215]}"

static const struct refusal {
    struct fake_answer answer;
    enum err_kind kind;
    const char *code;
    const char *says;
    int64_t retry_after_ms;
} refusals[] = {
    {{.status = 401, .body = REFUSED("invalid_client", "AADSTS7000215: Invalid client secret provided.")},
        ERR_UNAUTHORIZED, "AADSTS7000215", "refused the credential: AADSTS7000215: Invalid client secret provided.",
        -1},
    {{.status = 400, .body = REFUSED("invalid_request", "AADSTS90002: Tenant 'x' not found.")}, ERR_UNAUTHORIZED,
        "AADSTS90002", "AADSTS90002: Tenant 'x' not found.", -1},
    {{.status = 400, .body = REFUSED("unauthorized_client", "Something else.")}, ERR_UNAUTHORIZED, "AADSTS7000215",
        "Something else.", -1},
    {{.status = 400, .body = "{\"error\":\"invalid_scope\"}"}, ERR_UNAUTHORIZED, "invalid_scope", "invalid_scope", -1},
    {{.status = 400, .body = "{\"error\":\"temporarily_unavailable\",\"error_description\":\"AADSTS90033: later\"}"},
        ERR_UNAVAILABLE, "AADSTS90033", "AADSTS90033: later", -1},
    {{.status = 429, .body = REFUSED("x", "AADSTS90055: slow down"), .headers = "retry-after: 12\n"}, ERR_THROTTLED,
        "AADSTS90055", "slow down", 12000},
    {{.status = 503, .body = ""}, ERR_UNAVAILABLE, "", "answered 503", -1},
    {{.status = 400, .body = "{}"}, ERR_UNAUTHORIZED, "", "answered 400 without saying why", -1},
    {{.status = 400, .body = REFUSED("\\nx", "AADSTS1: a\\tb\\u001b[0m")}, ERR_UNAUTHORIZED, "AADSTS1",
        "AADSTS1: a b [0m", -1},
    {{.status = 200, .body = "<!DOCTYPE html><html>Sign in " CANARY "</html>", .headers = "content-type: text/html\n"},
        ERR_PROTOCOL, "", "an HTML page instead of JSON", -1},
    {{.status = 407, .body = "<html>"}, ERR_PROTOCOL, "", "an HTML page instead of JSON", -1},
    {{.status = 200, .body = "ok " CANARY}, ERR_PROTOCOL, "", "something that is not JSON", -1},
    {{.status = 302, .headers = "location: https://evil.example\n"}, ERR_PROTOCOL, "", "never followed", -1},
    {{.status = 200, .body = "{}"}, ERR_PROTOCOL, "", "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\\nb\"}"},
        ERR_PROTOCOL, "", "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"\"}"}, ERR_PROTOCOL, "",
        "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"mac\",\"expires_in\":3599,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "",
        "token_type", -1},
    {{.status = 200, .body = "{\"expires_in\":3599,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "", "token_type", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"access_token\":\"a\"}"}, ERR_PROTOCOL, "", "expires_in", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":-5,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "",
        "expires_in", -1},
    {{.status = 400, .body = REFUSED("invalid_client", "AADSTS7000215: you sent " CANARY " to us")}, ERR_UNAUTHORIZED,
        "", "withheld", -1},
    {{.status = 400, .body = REFUSED("invalid_client", "AADSTS7000215: you sent " CANARY_ENCODED)}, ERR_UNAUTHORIZED,
        "", "withheld", -1},
    {{.status = 400, .body = "{\"error\":\"" CANARY "\"}"}, ERR_UNAUTHORIZED, "", "withheld", -1},
    {{.fails = ERR_TIMEOUT, .maybe_sent = true}, ERR_TIMEOUT, "", "no answer", -1},
    {{.fails = ERR_TLS}, ERR_TLS, "", "no answer", -1},
};

static void every_refusal_says_what_to_do_and_never_the_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        _cleanup_(close_world) struct world w;
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        open_world(&w, &with_secret, &r->answer, 1);
        assert_int_equal(get(&w, &token, &err), -1);
        assert_null(token);
        if (err.kind != r->kind || strcmp(err.code, r->code) != 0 || !strstr(err.msg, r->says))
            fail_msg("row %zu: %s \"%s\" \"%s\"", i, err_kind_name(err.kind), err.code, err.msg);
        assert_true(
            str_has_prefix(err.msg, "cannot get a token for " SCOPE " from https://login.microsoftonline.com: "));
        assert_null(strstr(err.msg, CANARY));
        assert_null(strstr(err.msg, CANARY_ENCODED));
        assert_null(strstr(err.code, CANARY));
        assert_null(strstr(err.msg, "Trace ID"));
        assert_false(err.maybe_sent);
        assert_int_equal(err.retry_after_ms, r->retry_after_ms);
    }
}

/* --- sharing --- */

static void a_refused_token_is_fetched_anew_and_each_scope_has_its_own(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("one")},
        {.status = 200, .body = GRANTED("two")}, {.status = 200, .body = GRANTED("three")}};
    _cleanup_(secret_unrefp) struct secret *token = NULL, *other = NULL;
    _cleanup_(close_world) struct world w;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_int_equal(get(&w, &token, &err), 0);
    w.source.rejected(w.source.ctx, token);
    assert_token(&w, "two");
    w.source.rejected(w.source.ctx, token);
    assert_token(&w, "two");

    struct http_token_source same = azure_credential_source(w.credential, SCOPE);
    assert_ptr_equal(same.ctx, w.source.ctx);
    struct http_token_source source = azure_credential_source(w.credential, "https://cosmos.azure.com/.default");
    assert_int_equal(source.token(source.ctx, &other, NULL, &err), 0);
    assert_string_equal(secret_reveal(other), "three");
    assert_non_null(strstr(w.fake->seen[2].body, "&scope=https%3A%2F%2Fcosmos.azure.com%2F.default&"));
    assert_token(&w, "two");
}

static void behind_the_auth_layer_a_401_costs_one_new_token(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("one")}, {.status = 401},
        {.status = 200, .body = GRANTED("two")}, {.status = 200, .body = "done"}};
    const struct http_request request = {.method = "GET", .url = "https://management.azure.com/x"};
    _cleanup_(close_world) struct world w;
    struct http_response response;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    struct http_client *auth = http_auth_new(&w.fake->client, &w.source);
    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    assert_string_equal(buf_str(&response.body), "done");
    assert_non_null(strstr(w.fake->seen[1].headers, "Authorization: Bearer one\n"));
    assert_non_null(strstr(w.fake->seen[3].headers, "Authorization: Bearer two\n"));
    http_response_done(&response);
    (void)http_auth_free(auth);
}

static int slow_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    clock_sleep_ms(50); /* so that others arrive meanwhile; when they do not, they find the token in the cache */
    return fake_perform(self, request, response, err);
}

static void *caller(void *arg)
{
    struct world *w = arg;
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    return get(w, &token, &err) == 0 && str_eq(secret_reveal(token), "shared") ? w : NULL;
}

static void eight_threads_at_once_cause_one_exchange(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("shared")}};
    _cleanup_(close_world) struct world w;
    pthread_t threads[8];

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    w.fake->client.perform = slow_perform;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller, &w), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &w);
    }
    assert_int_equal(w.fake->n_seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secret_wins_over_the_token_file),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_secret_is_exchanged_for_a_token),
        cmocka_unit_test(the_federated_token_is_read_again_for_each_exchange),
        cmocka_unit_test(a_token_file_that_cannot_be_used_is_no_answer_of_azure),
        cmocka_unit_test(numbers_may_be_strings_and_bearer_any_case),
        cmocka_unit_test(every_refusal_says_what_to_do_and_never_the_secret),
        cmocka_unit_test(a_refused_token_is_fetched_anew_and_each_scope_has_its_own),
        cmocka_unit_test(behind_the_auth_layer_a_401_costs_one_new_token),
        cmocka_unit_test(eight_threads_at_once_cause_one_exchange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
