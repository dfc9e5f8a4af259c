/* The small pure parts: base64, NO_PROXY, paths, Status errors. */
#include "unit.h"

#include "base/mem.h"
#include "kube/base64.h"
#include "kube/path.h"
#include "kube/proxy.h"
#include "kube/status.h"

#include <string.h>

static void base64_follows_the_rfc_and_takes_nothing_else(void **state)
{
    static const struct {
        const char *text, *bytes; /* bytes NULL: refused */
    } rows[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9v\nYmE=\r\n", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
        {"Z", NULL},
        {"Zg", NULL},
        {"Zg=", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zg=a", NULL},
        {"Zm9 v", NULL},
        {"Zm-_", NULL},
        {"Zm9v=", NULL},
        {"Zm9vYmFyQ==", NULL},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(64);
        print_message("  \"%s\"\n", rows[i].text);
        assert_int_equal(kube_base64_decode(rows[i].text, &b), rows[i].bytes != NULL);
        if (rows[i].bytes)
            assert_string_equal(buf_str(&b), rows[i].bytes);
    }
    _cleanup_(buf_done) struct buf small = BUF_INIT(3);
    assert_false(kube_base64_decode("Zm9vYg==", &small));
}

static void base64_round_trips_every_length_and_byte(void **state)
{
    char bytes[256];
    (void)state;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        _cleanup_(freep) char *text = kube_base64_encode(bytes, n);
        _cleanup_(buf_done) struct buf b = BUF_INIT(256);
        assert_true(kube_base64_decode(text, &b));
        assert_int_equal(b.len, n);
        if (n)
            assert_memory_equal(b.data, bytes, n);
    }
}

static void no_proxy_is_read_as_go_reads_it(void **state)
{
    static const struct {
        const char *list, *host;
        bool excepted;
    } rows[] = {
        {"*", "anything.example", true},
        {"example.com", "example.com", true},
        {"example.com", "EXAMPLE.com", true},
        {"example.com", "api.example.com", true},
        {"example.com", "notexample.com", false},
        {".example.com", "api.example.com", true},
        {".example.com", "example.com", false},
        {"*.example.com", "api.example.com", true},
        {"a,b , example.com", "example.com", true},
        {"example.com:6443", "example.com", true},
        {"example.com:443", "example.com", false},
        {"example.com:x", "example.com", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1:6443", "10.0.0.1", true},
        {"0.0.1", "10.0.0.1", false},
        {"10.0.0.0/8", "10.200.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.96.0.0/12", "10.111.255.255", true},
        {"10.96.0.0/12", "10.112.0.0", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "example.com", false},
        {"10.0.0.0/33", "10.0.0.0", false},
        {"10.0.0.0/", "10.0.0.0", false},
        {"fd00::/8", "fd12::1", true},
        {"fd00::/8", "10.0.0.1", false},
        {"fd00::1", "fd00:0::1", true},
        {"[fd00::1]:6443", "fd00::1", true},
        {"[fd00::1]:1", "fd00::1", false},
        {"", "example.com", false},
        {",, ,", "example.com", false},
        {".", "example.com", false},
        {"*.", "example.com", false},
        {":6443", "example.com", false},
        {"[", "example.com", false},
        {"/", "10.0.0.1", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("  \"%s\" and %s\n", rows[i].list, rows[i].host);
        assert_int_equal(kube_no_proxy(rows[i].list, rows[i].host, 6443), rows[i].excepted);
    }
}

static void loopback_is_an_address_or_the_one_name(void **state)
{
    (void)state;
    assert_true(kube_host_is_loopback("localhost"));
    assert_true(kube_host_is_loopback("127.0.0.1"));
    assert_true(kube_host_is_loopback("127.9.9.9"));
    assert_true(kube_host_is_loopback("::1"));
    assert_false(kube_host_is_loopback("127.example.com"));
    assert_false(kube_host_is_loopback("localhost.example"));
    assert_false(kube_host_is_loopback("128.0.0.1"));
    assert_false(kube_host_is_loopback("::2"));
}

static const struct kube_resource cmks = {"cosmoscmk.io", "v1", "cosmoscmks"};
static const struct kube_resource accounts = {"", "v1", "serviceaccounts"};

static void paths_are_built_from_checked_parts(void **state)
{
    static const struct {
        struct kube_path path;
        const char *text; /* NULL: refused */
    } rows[] = {
        {{&cmks}, "S/apis/cosmoscmk.io/v1/cosmoscmks"},
        {{&cmks, "payments"}, "S/apis/cosmoscmk.io/v1/namespaces/payments/cosmoscmks"},
        {{&cmks, "payments", "orders"}, "S/apis/cosmoscmk.io/v1/namespaces/payments/cosmoscmks/orders"},
        {{&cmks, "payments", "or.de-rs", "status"},
            "S/apis/cosmoscmk.io/v1/namespaces/payments/cosmoscmks/or.de-rs/status"},
        {{&accounts, "n", "a", "token"}, "S/api/v1/namespaces/n/serviceaccounts/a/token"},
        {{&cmks, NULL, "orders"}, "S/apis/cosmoscmk.io/v1/cosmoscmks/orders"},
        {{&cmks, "", "orders"}, NULL},
        {{&cmks, "..", "orders"}, NULL},
        {{&cmks, "a/b", "orders"}, NULL},
        {{&cmks, "a.b", "orders"}, NULL},
        {{&cmks, "-a", "orders"}, NULL},
        {{&cmks, "a-", "orders"}, NULL},
        {{&cmks, "Payments", "orders"}, NULL},
        {{&cmks, "a%2fb", "orders"}, NULL},
        {{&cmks, "n", ""}, NULL},
        {{&cmks, "n", "."}, NULL},
        {{&cmks, "n", ".."}, NULL},
        {{&cmks, "n", "a..b"}, NULL},
        {{&cmks, "n", "a/../b"}, NULL},
        {{&cmks, "n", "a%2e"}, NULL},
        {{&cmks, "n", "a?watch=1"}, NULL},
        {{&cmks, "n", "-a"}, NULL},
        {{&cmks, "n", "a-"}, NULL},
        {{&cmks, "n", "a.-b"}, NULL},
        {{&cmks, "n", "a-.b"}, NULL},
        {{&cmks, "n", "a\nb"}, NULL},
        {{&cmks, "n", "a", "../x"}, NULL},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(1024);
        struct err err = ERR_INIT;
        print_message("  %s\n", rows[i].text ? rows[i].text : rows[i].path.name);
        int r = kube_path_build(&b, "S", &rows[i].path, &err);
        assert_int_equal(r, rows[i].text ? 0 : -1);
        if (rows[i].text)
            assert_string_equal(buf_str(&b), rows[i].text);
        else
            assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void names_have_kubernetes_lengths(void **state)
{
    char label[65], name[255];
    struct kube_path path = {&cmks, label, name};
    (void)state;

    memset(label, 'a', sizeof(label));
    memset(name, 'b', sizeof(name));
    for (size_t extra = 0; extra < 2; extra++) {
        for (size_t more = 0; more < 2; more++) {
            _cleanup_(buf_done) struct buf b = BUF_INIT(1024);
            label[63] = extra ? 'a' : '\0';
            label[64] = '\0';
            name[253] = more ? 'b' : '\0';
            name[254] = '\0';
            assert_int_equal(kube_path_build(&b, "", &path, NULL), extra || more ? -1 : 0);
        }
    }
}

static void queries_are_encoded(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1024);
    (void)state;

    buf_puts(&b, "/x");
    kube_query_add(&b, "none", NULL);
    kube_query_add(&b, "empty", "");
    kube_query_add(&b, "a", "b=c,d&e");
    kube_query_add(&b, "f", "g h");
    assert_string_equal(buf_str(&b), "/x?a=b%3Dc%2Cd%26e&f=g%20h");
}

#define STATUS(reason, message) "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"

static void error_answers_keep_kubernetes_words_and_get_a_kind(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum err_kind kind;
        const char *code, *message;
    } rows[] = {
        {400, STATUS("BadRequest", "no"), ERR_INVALID, "BadRequest", "no"},
        {401, STATUS("Unauthorized", "Unauthorized"), ERR_UNAUTHORIZED, "Unauthorized", "Unauthorized"},
        {403, STATUS("Forbidden", "x is forbidden: User \\\"u\\\" cannot"), ERR_FORBIDDEN, "Forbidden",
            "x is forbidden: User \"u\" cannot"},
        {404, STATUS("NotFound", "x not found"), ERR_NOT_FOUND, "NotFound", "x not found"},
        {409, STATUS("Conflict", "changed"), ERR_CONFLICT, "Conflict", "changed"},
        {409, STATUS("AlreadyExists", "there"), ERR_EXISTS, "AlreadyExists", "there"},
        {410, STATUS("Expired", "too old"), ERR_GONE, "Expired", "too old"},
        {410, STATUS("Gone", "gone"), ERR_GONE, "Gone", "gone"},
        {413, STATUS("RequestEntityTooLarge", "big"), ERR_INVALID, "RequestEntityTooLarge", "big"},
        {415, STATUS("UnsupportedMediaType", "x"), ERR_INVALID, "UnsupportedMediaType", "x"},
        {422, STATUS("Invalid", "spec.accountId: bad"), ERR_INVALID, "Invalid", "spec.accountId: bad"},
        {429, STATUS("TooManyRequests", "slow down"), ERR_THROTTLED, "TooManyRequests", "slow down"},
        {500, STATUS("InternalError", "boom"), ERR_UNAVAILABLE, "InternalError", "boom"},
        {503, STATUS("ServiceUnavailable", "a\\nb\\t\\n"), ERR_UNAVAILABLE, "ServiceUnavailable", "a b"},
        {504, STATUS("Timeout", "late"), ERR_UNAVAILABLE, "Timeout", "late"},
        {502, "<html>Bad Gateway</html>", ERR_UNAVAILABLE, "", "the API server answered 502 without a message"},
        {503, "", ERR_UNAVAILABLE, "", "the API server answered 503 without a message"},
        {500, "{\"kind\":\"Pod\"}", ERR_UNAVAILABLE, "", "the API server answered 500 without a message"},
        {403, "no entry\n", ERR_FORBIDDEN, "", "no entry"},
        {403, "\xff\xfe", ERR_FORBIDDEN, "", "the API server answered 403 without a message"},
        {404, STATUS("NotFound", ""), ERR_NOT_FOUND, "NotFound",
            "the API server answered 404 NotFound without a message"},
        {302, "", ERR_PROTOCOL, "", "the API server answered with a redirect, which is never followed"},
        {418, STATUS("Teapot", "short"), ERR_PROTOCOL, "Teapot", "short"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        print_message("  %d %s\n", rows[i].status, rows[i].body);
        assert_int_equal(kube_status_fail_body(rows[i].body, strlen(rows[i].body), rows[i].status, &err), -1);
        assert_string_equal(err_kind_name(err.kind), err_kind_name(rows[i].kind));
        assert_string_equal(err.code, rows[i].code);
        assert_string_equal(err.msg, rows[i].message);
        assert_int_equal(err.http_status, rows[i].status);
        assert_int_equal(err.maybe_sent, rows[i].status >= 500);
        assert_int_equal(err.retry_after_ms, -1);
    }
}

static void the_status_may_say_when_to_come_back(void **state)
{
    const char *body = "{\"kind\":\"Status\",\"message\":\"m\",\"details\":{\"retryAfterSeconds\":3}}";
    const char *never = "{\"kind\":\"Status\",\"message\":\"m\",\"details\":{\"retryAfterSeconds\":99999999}}";
    struct err err = ERR_INIT;
    (void)state;

    (void)kube_status_fail_body(body, strlen(body), 429, &err);
    assert_int_equal(err.retry_after_ms, 3000);
    (void)kube_status_fail_body(never, strlen(never), 429, &err);
    assert_int_equal(err.retry_after_ms, 3600000);
    assert_int_equal(kube_status_fail_body(never, strlen(never), 429, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_follows_the_rfc_and_takes_nothing_else),
        cmocka_unit_test(base64_round_trips_every_length_and_byte),
        cmocka_unit_test(no_proxy_is_read_as_go_reads_it),
        cmocka_unit_test(loopback_is_an_address_or_the_one_name),
        cmocka_unit_test(paths_are_built_from_checked_parts),
        cmocka_unit_test(names_have_kubernetes_lengths),
        cmocka_unit_test(queries_are_encoded),
        cmocka_unit_test(error_answers_keep_kubernetes_words_and_get_a_kind),
        cmocka_unit_test(the_status_may_say_when_to_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
