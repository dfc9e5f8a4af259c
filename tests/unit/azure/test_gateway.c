/* Requests to the gateway: where they may go, how they are signed, and what its refusals say. */
#include "azure/gateway_private.h"
#include "base/timefmt.h"
#include "fake_gateway.h"

#define LISTED "{\"_rid\":\"\",\"Databases\":[{\"id\":\"a\"}],\"_count\":1}"

static void endpoints_are_https_hosts_of_the_clouds_cosmos_suffix(void **state)
{
    static const struct {
        const char *endpoint;
        const char *loopback;
        bool good;
    } rows[] = {
        {"https://shop.documents.azure.com:443/", NULL, true},
        {"https://shop.documents.azure.com", NULL, true},
        {"https://shop-westeurope.documents.azure.com:443/", NULL, true},
        {"https://SHOP.Documents.Azure.com:443/", NULL, true},
        {NULL, NULL, false},
        {"", NULL, false},
        {"shop.documents.azure.com", NULL, false},
        {"http://shop.documents.azure.com/", NULL, false},
        {"https://documents.azure.com/", NULL, false},
        {"https://.documents.azure.com/", NULL, false},
        {"https://shopdocuments.azure.com/", NULL, false},
        {"https://shop.documents.azure.com.evil.example/", NULL, false},
        {"https://shop.documents.azure.cn/", NULL, false},
        {"https://evil.example/shop.documents.azure.com", NULL, false},
        {"https://evil.example#.documents.azure.com", NULL, false},
        {"https://evil.example\\.documents.azure.com", NULL, false},
        {"https://user@shop.documents.azure.com/", NULL, false},
        {"https://shop.documents.azure.com/path", NULL, false},
        {"https://shop.documents.azure.com/?q", NULL, false},
        {"https://127.0.0.1:8443/cosmos/shop/", NULL, false},
        {"https://127.0.0.1:8443/cosmos/shop/", "127.0.0.1", true},
        {"https://localhost:8443/", "localhost", true},
        {"https://127.0.0.1:8443/?q", "127.0.0.1", false},
        {"http://127.0.0.1:8443/", "127.0.0.1", false},
        {"https://127.0.0.2:8443/", "127.0.0.1", false},
        {"https://evil.example/", "evil.example", false}, /* the option is for loopback hosts only */
        {"https://shop.documents.azure.com/", "127.0.0.1", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        int r = gateway_endpoint_check(rows[i].endpoint, "documents.azure.com", rows[i].loopback, &err);
        if ((r == 0) != rows[i].good)
            fail_msg("%s: %s", rows[i].endpoint, r ? err.msg : "accepted");
    }
}

static int counting_token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    int *count = ctx;
    char text[32];

    (void)cancel;
    (void)err;
    (void)snprintf(text, sizeof(text), "token+%d", ++*count);
    *ret = secret_new(text, strlen(text));
    return 0;
}

static void nothing_is_asked_for_or_sent_when_the_endpoint_is_not_to_be_trusted(void **state)
{
    int tokens = 0;
    const struct http_token_source source = {.token = counting_token, .ctx = &tokens};
    const struct gateway_options options = {
        .endpoint = "https://evil.example/", .cosmos_suffix = "documents.azure.com", .token = &source};
    struct gateway *gateway = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(gateway_new(&gateway, &options, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(gateway);
    assert_int_equal(tokens, 0);
}

static void dates_are_those_of_rfc_7231(void **state)
{
    char date[GATEWAY_DATE_SIZE];

    (void)state;
    gateway_date(784111777000, date);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (int64_t day = 0; day < 40000; day += 17) {
        int64_t back = 0, ms = day * 86400000 + day % 86400 * 1000;
        gateway_date(ms, date);
        assert_true(time_parse_http_date(date, &back));
        assert_int_equal(back, ms);
    }
}

static void a_signature_is_that_of_the_documented_example(void **state)
{
    static const char key[] =
        "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw==";
    const struct gateway_signed what = {"GET", "dbs", "dbs/ToDoList", "Thu, 27 Apr 2017 00:51:12 GMT"};
    _cleanup_(secret_unrefp) struct secret *base64 = secret_new(key, strlen(key)), *raw = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(gateway_key_decode(base64, &raw, &err), 0);
    assert_int_equal(secret_len(raw), 64);
    _cleanup_(gateway_authorization_done) struct buf b = gateway_authorize_key(raw, &what);
    assert_string_equal(b.data, "type%3Dmaster%26ver%3D1.0%26sig%3Dc09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu%2Bc%2Bc%3D");
}

static void what_is_no_key_is_refused_without_being_repeated(void **state)
{
    static const char *const keys[] = {"", "=", "abc", "abc!", "se cret=", "AAAA\nAAA"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        _cleanup_(secret_unrefp) struct secret *base64 = secret_new(keys[i], strlen(keys[i])), *raw = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(gateway_key_decode(base64, &raw, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(strstr(err.msg, "cret"));
    }
}

static void requests_have_encoded_names_in_the_url_and_plain_ones_in_the_signature(void **state)
{
    static const struct rule rules[] = {
        {"GET /dbs", LISTED},
        {"GET /dbs/Shop%20%C3%A9/colls", "{\"DocumentCollections\":[]}"},
        {"POST /dbs/Shop%20%C3%A9/colls/c%2B%231/docs 0 -", "{\"Documents\":[]}"},
    };
    static const struct {
        struct gateway_question question;
        const char *headers;
    } rows[] = {
        {{.what = GATEWAY_DATABASES},
            "authorization: type%3Dmaster%26ver%3D1.0%26sig%3DOOxVae%2BAMOcpFAVFEBa09UJDK58aZtpOOm2yH2Q4qDo%3D\n"
            "x-ms-date: Thu, 20 Nov 2025 06:00:00 GMT\nx-ms-version: 2018-12-31\nAccept: application/json\n"},
        {{.what = GATEWAY_CONTAINERS, .database = "Shop é"},
            "authorization: type%3Dmaster%26ver%3D1.0%26sig%3DPqZrySw9tXq7QqzflnRSyd5RCK%2FHXBPckkhhELdM9s0%3D\n"
            "x-ms-date: Thu, 20 Nov 2025 06:00:00 GMT\nx-ms-version: 2018-12-31\nAccept: application/json\n"},
        {{.what = GATEWAY_QUERY,
             .database = "Shop é",
             .container = "c+#1",
             .query = SCAN_QUERY,
             .range_id = "0",
             .page_size = 500},
            "authorization: type%3Dmaster%26ver%3D1.0%26sig%3DJEofp6GAEQyCTu%2FT7mpygBT%2B9tUobo3OtOUeEogCgF4%3D\n"
            "x-ms-date: Thu, 20 Nov 2025 06:00:00 GMT\nx-ms-version: 2018-12-31\nAccept: application/json\n"
            "Content-Type: application/query+json\nx-ms-documentdb-isquery: True\n"
            "x-ms-documentdb-query-enablecrosspartition: True\nx-ms-documentdb-partitionkeyrangeid: 0\n"
            "x-ms-max-item-count: 500\n"},
    };
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, ARRAY_LEN(rules));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(gateway_page_done) struct gateway_page page = {0};
        struct err err = ERR_INIT;
        if (gateway_ask(fake->gateway, &rows[i].question, &page, &err) < 0)
            fail_msg("%s", err.msg);
        assert_string_equal(fake->last_headers, rows[i].headers);
    }
}

static void names_that_would_not_mean_themselves_in_a_path_are_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "a\\b", "a\nb", "a\x7f"};
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(NULL, 0);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct gateway_question q = {.what = GATEWAY_CONTAINERS, .database = names[i]};
        struct gateway_page page;
        struct err err = ERR_INIT;
        assert_int_equal(gateway_ask(fake->gateway, &q, &page, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
    }
    assert_int_equal(fake->requests, 0);
}

static void a_page_tells_its_continuation_charge_and_substatus(void **state)
{
    static const struct rule rules[] = {
        {"GET /dbs", LISTED, "x-ms-continuation: {\"token\":\"+RID:~a==#RT:1\"}\nx-ms-request-charge: 12.3456\n",
            .times = 1},
        {"GET /dbs", "{\"code\":\"Gone\",\"message\":\"m\"}", "x-ms-substatus: 1002\nx-ms-request-charge: 1\n",
            .status = 410, .times = 1},
        {"GET /dbs", LISTED, "x-ms-request-charge: 99999999999999999999999999\n", .times = 1},
        {"GET /dbs", LISTED, "x-ms-request-charge: -1\nx-ms-continuation: \n", .times = 1},
    };
    static const struct {
        int r, substatus;
        int64_t charge;
        const char *continuation;
    } rows[] = {{0, 0, 12345, "{\"token\":\"+RID:~a==#RT:1\"}"}, {-1, 1002, 1000, NULL}, {0, 0, 1000000000, NULL},
        {0, 0, 0, NULL}};
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, ARRAY_LEN(rules));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(gateway_page_done) struct gateway_page page = {0};
        struct err err = ERR_INIT;
        assert_int_equal(
            gateway_ask(fake->gateway, &(struct gateway_question){.what = GATEWAY_DATABASES}, &page, &err), rows[i].r);
        assert_int_equal(page.substatus, rows[i].substatus);
        assert_int_equal(page.charge_milli, rows[i].charge);
        assert_int_equal(page.continuation != NULL, rows[i].continuation != NULL);
        if (page.continuation)
            assert_string_equal(page.continuation, rows[i].continuation);
    }
}

static void refusals_say_what_to_do(void **state)
{
    static const struct {
        struct gateway_answer answer;
        const char *body;
        enum err_kind kind;
        const char *says;
    } rows[] = {
        {{.status = 401, .substatus = 5202, .with_key = true},
            "{\"code\":\"Unauthorized\",\"message\":\"Local Authorization is disabled. Use an AAD token to authorize "
            "all "
            "requests.\\r\\nActivityId: 1, Microsoft.Azure.Documents.Common/2.14.0\"}",
            ERR_FORBIDDEN,
            "the account takes no keys (disableLocalAuth): let this identity read it with the role \"Cosmos DB "
            "Built-in "
            "Data Reader\" (00000000-0000-0000-0000-000000000001) instead"},
        {{.status = 403, .substatus = 5301},
            "{\"code\":\"Forbidden\",\"message\":\"Request blocked by Auth shop : Request is blocked because principal "
            "[p] "
            "does not have required RBAC permissions to perform action "
            "[Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [/].\\r\\nActivityId: 1\"}",
            ERR_FORBIDDEN, "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery"},
        {{.status = 403, .substatus = 5300},
            "{\"code\":\"Forbidden\",\"message\":\"The given request [GET /dbs] cannot be authorized by AAD token in "
            "data "
            "plane.\"}",
            ERR_FORBIDDEN, "only to an account key"},
        {{.status = 403, .with_key = true},
            "{\"code\":\"Forbidden\",\"message\":\"The authorization token is not valid at the current time.\"}",
            ERR_FORBIDDEN, "is this machine's clock right?"},
        {{.status = 403},
            "{\"code\":\"Forbidden\",\"message\":\"Request originated from IP 1.2.3.4 through public internet. This is "
            "blocked by your Cosmos DB account firewall settings.\"}",
            ERR_FORBIDDEN, "allow its address"},
        {{.status = 401, .with_key = true},
            "{\"code\":\"Unauthorized\",\"message\":\"The input authorization token can't serve the request.\"}",
            ERR_UNAUTHORIZED, "refused its key"},
        {{.status = 403, .substatus = 4002},
            "{\"Errors\":[\"Request is blocked due to Customer Managed Key not being accessible.\"]}", ERR_FORBIDDEN,
            "Request is blocked due to Customer Managed Key not being accessible."},
        {{.status = 400, .substatus = 1004},
            "{\"code\":\"BadRequest\",\"message\":\"The provided cross partition query can not be directly served by "
            "the "
            "gateway.\"}",
            ERR_INVALID, "can not be directly served"},
        {{.status = 404, .substatus = 1003},
            "{\"code\":\"NotFound\",\"message\":\"Message: {\\\"Errors\\\":[\\\"Owner resource does not "
            "exist\\\"]}\\r\\nActivityId: 1, Request URI: /apps/x\"}",
            ERR_NOT_FOUND, "Owner resource does not exist"},
        {{.status = 404, .substatus = 1002}, "{}", ERR_UNAVAILABLE, "answered 404 (1002)"},
        {{.status = 408}, "", ERR_TIMEOUT, "answered 408"},
        {{.status = 410, .substatus = 1002}, "{\"code\":\"Gone\",\"message\":\"m\"}", ERR_GONE, "m"},
        {{.status = 429, .substatus = 3200, .retry_after_ms = 40},
            "{\"code\":\"TooManyRequests\",\"message\":\"Message: {\\\"Errors\\\":[\\\"Request rate is large.\\\"]}\"}",
            ERR_THROTTLED, "Request rate is large."},
        {{.status = 449}, "{\"code\":\"RetryWith\"}", ERR_UNAVAILABLE, "answered 449"},
        {{.status = 503}, "<html>", ERR_UNAVAILABLE, "answered 503"},
        {{.status = 302}, "", ERR_PROTOCOL, "answered 302"},
        {{.status = 418}, "{\"code\":7,\"message\":[]}", ERR_INVALID, "answered 418"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gateway_answer answer = rows[i].answer;
        struct err err = ERR_INIT;
        answer.body = rows[i].body;
        answer.len = strlen(rows[i].body);
        assert_int_equal(gateway_error_set(&answer, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_int_equal(err.http_status, answer.status);
        assert_int_equal(err.retry_after_ms, answer.retry_after_ms);
        if (!strstr(err.msg, rows[i].says) || strstr(err.msg, "ActivityId"))
            fail_msg("row %zu: %s", i, err.msg);
    }
}

struct token_world {
    int tokens, rejected;
};

static int world_token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    struct token_world *w = ctx;

    return counting_token(&w->tokens, ret, cancel, err);
}

static void world_rejected(void *ctx, const struct secret *token)
{
    struct token_world *w = ctx;

    assert_string_equal(secret_reveal(token), "token+1");
    w->rejected++;
}

static void a_token_that_is_refused_is_asked_for_anew_once(void **state)
{
    static const struct rule rules[] = {
        {"GET /dbs", "{\"code\":\"Unauthorized\",\"message\":\"m\"}", .status = 401, .times = 1},
        {"GET /dbs", LISTED, .times = 1},
        {"GET /dbs", "{\"code\":\"Unauthorized\",\"message\":\"m\"}", .status = 401},
    };
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, ARRAY_LEN(rules));
    struct token_world w = {0};
    const struct http_token_source source = {.token = world_token, .rejected = world_rejected, .ctx = &w};
    const struct gateway_options options = {
        .http = &fake->client, .endpoint = FAKE_ENDPOINT, .cosmos_suffix = "documents.azure.com", .token = &source};
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    const struct gateway_question q = {.what = GATEWAY_DATABASES};
    struct gateway_page page;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(gateway_new(&gateway, &options, &err), 0);
    assert_int_equal(gateway_ask(gateway, &q, &page, &err), 0);
    gateway_page_done(&page);
    assert_int_equal(w.rejected, 1);
    assert_true(str_has_prefix(fake->last_headers, "authorization: type%3Daad%26ver%3D1.0%26sig%3Dtoken%2B2\n"));
    w.tokens = 0;
    assert_int_equal(gateway_ask(gateway, &q, &page, &err), -1);
    gateway_page_done(&page);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_int_equal(fake->requests, 4);
}

static void an_account_for_mongodb_says_so_where_it_must(void **state)
{
    static const struct rule rules[] = {{"GET /dbs", LISTED}, {"GET /dbs/d/colls", "{\"DocumentCollections\":[]}"},
        {"POST /dbs/d/colls/c/docs 0 -", "{\"Documents\":[]}"}};
    static const struct gateway_question questions[] = {{.what = GATEWAY_DATABASES},
        {.what = GATEWAY_CONTAINERS, .database = "d"},
        {.what = GATEWAY_QUERY, .database = "d", .container = "c", .query = "q", .range_id = "0"}};
    static const bool expected[] = {true, false, true};
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, ARRAY_LEN(rules));
    _cleanup_(secret_unrefp) struct secret *key = secret_new(FAKE_KEY, strlen(FAKE_KEY));
    const struct gateway_options options = {.http = &fake->client,
        .endpoint = FAKE_ENDPOINT,
        .cosmos_suffix = "documents.azure.com",
        .key = key,
        .mongo = true};
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(gateway_new(&gateway, &options, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct gateway_page page;
        assert_int_equal(gateway_ask(gateway, &questions[i], &page, &err), 0);
        gateway_page_done(&page);
        assert_int_equal(strstr(fake->last_headers, "x-ms-cosmos-apitype: MongoDB\n") != NULL, expected[i]);
    }
}

static void what_is_no_page_is_refused(void **state)
{
    static const char *const bodies[] = {"", "<html>", "[]", "{}", "null", "{\"Databases\":{}}", "{\"databases\":[]}",
        "{\"Databases\":[]} x", "{\"Databases\":[],\"Databases\":[]}", "{\"Databases\":[{\"id\":\"a\\u0000b\"}]}",
        "{\"Databases\":[{\"id\":\"\xff\"}]}", "{\"Databases\":["};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct rule rules[] = {{"GET /dbs", bodies[i]}};
        _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, 1);
        _cleanup_(gateway_page_done) struct gateway_page page = {0};
        struct err err = ERR_INIT;
        if (gateway_ask(fake->gateway, &(struct gateway_question){.what = GATEWAY_DATABASES}, &page, &err) == 0)
            fail_msg("accepted: %s", bodies[i]);
        assert_int_equal(err.kind, ERR_PROTOCOL);
    }
}

static void the_scope_is_one_for_the_public_cloud_and_one_a_host_elsewhere(void **state)
{
    struct azure_cloud public = {.name = (char *)"public"}, china = {.name = (char *)"china"};
    _cleanup_(freep) char *a = gateway_scope(&public, "https://shop.documents.azure.com:443/");
    _cleanup_(freep) char *b = gateway_scope(&china, "https://shop.documents.azure.cn:443/");

    (void)state;
    assert_string_equal(a, "https://cosmos.azure.com/.default");
    assert_string_equal(b, "https://shop.documents.azure.cn/.default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_https_hosts_of_the_clouds_cosmos_suffix),
        cmocka_unit_test(nothing_is_asked_for_or_sent_when_the_endpoint_is_not_to_be_trusted),
        cmocka_unit_test(dates_are_those_of_rfc_7231),
        cmocka_unit_test(a_signature_is_that_of_the_documented_example),
        cmocka_unit_test(what_is_no_key_is_refused_without_being_repeated),
        cmocka_unit_test(requests_have_encoded_names_in_the_url_and_plain_ones_in_the_signature),
        cmocka_unit_test(names_that_would_not_mean_themselves_in_a_path_are_refused),
        cmocka_unit_test(a_page_tells_its_continuation_charge_and_substatus),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(a_token_that_is_refused_is_asked_for_anew_once),
        cmocka_unit_test(an_account_for_mongodb_says_so_where_it_must),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(the_scope_is_one_for_the_public_cloud_and_one_a_host_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
