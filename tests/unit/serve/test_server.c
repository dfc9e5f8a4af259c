/* Requests and answers, as serve/server.h promises them. */
#include "rig.h"

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_start(&rig, (struct serve_options){.max_body = 100000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* -- requests */

static void methods_arrive_with_their_body(void **state)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        _cleanup_(answer_done) struct answer a = rig_request(&rig, methods[i], "/echo", "body!", 5);
        _cleanup_(answer_done) struct answer empty = rig_request(&rig, methods[i], "/echo", "", 0);
        _cleanup_(freep) char *want = xasprintf("%s /echo ? body=5 ", methods[i]);

        assert_int_equal(a.status, 200);
        assert_true(str_has_prefix(buf_str(&a.body), want));
        assert_non_null(strstr(buf_str(&a.body), "[body!]"));
        assert_non_null(strstr(buf_str(&empty.body), " body=0 "));
    }
}

static void path_and_query_arrive_decoded(void **state)
{
    static const struct {
        const char *target, *want;
    } rows[] = {
        {"/", "GET / ? body=0 v=-"},
        {"/a%2Fb//c/../d/./e", "GET /a/b/d/e ? body=0 v=-"},
        {"/../../x", "GET /x ? body=0 v=-"},
        {"/a?v=1&y", "GET /a ?v=1&y body=0 v=1"},
        {"/a?vv=1&v=x%26%3d+%2B", "GET /a ?vv=1&v=x&= + body=0 v=x&= +"},
        {"/a?v&v=2", "GET /a ?v&v=2 body=0 v= "},
        {"/a?v=0123456789abcdef", "GET /a ?v=0123456789abcdef body=0 v=-"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", rows[i].target, NULL, 0);

        if (!str_has_prefix(buf_str(&a.body), rows[i].want))
            fail_msg("%s: %ld %s", rows[i].target, a.status, buf_str(&a.body));
    }
}

static void headers_known_and_unknown_are_readable_and_the_first_one_wins(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-ODD_Name:  two words \r\n"
                               "Authorization: Bearer t \r\nAccept: a/b\r\nAccept: c\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    assert_true(raw_read(fd, &got, "]"));
    close(fd);
    assert_non_null(strstr(buf_str(&got), " x-odd_name=two words authorization=Bearer t accept=a/b x-absent=- []"));
}

static void a_fifteen_kilobyte_head_is_taken_and_a_larger_one_closes(void **state)
{
    static const size_t sizes[] = {15000, 20000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(buf_done) struct buf request = BUF_INIT(1 << 20), got = BUF_INIT(65536);
        int fd = rig_connect(&rig);

        buf_puts(&request, "GET /a HTTP/1.1\r\nHost: a\r\nX-Odd_Name: ");
        for (size_t n = 0; n < sizes[i]; n++)
            buf_putc(&request, 'h');
        buf_puts(&request, "y\r\n\r\n");
        raw_send(fd, request.data, request.len);
        assert_int_equal(raw_read(fd, &got, "hhhy authorization"), i == 0);
        close(fd);
    }
}

static void bodies_are_whole_however_they_are_cut_and_beyond_the_cap_get_413(void **state)
{
    static const char text[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nabc0123456789";
    _cleanup_(freep) char *body = xcalloc(1, 4000000);
    _cleanup_(answer_done) struct answer fits = rig_request(&rig, "PUT", "/a", body, 100000);
    _cleanup_(answer_done) struct answer over = rig_request(&rig, "PUT", "/a", body, 100001);
    _cleanup_(answer_done) struct answer far_over = rig_request(&rig, "POST", "/a", body, 4000000);

    (void)state;
    assert_int_equal(fits.status, 200);
    assert_non_null(strstr(buf_str(&fits.body), " body=100000 "));
    assert_int_equal(over.status, 413);
    assert_non_null(strstr(buf_str(&over.head), "connection: close\r\n"));
    assert_int_equal(far_over.status, 413);
    for (size_t step = 1; step < 40; step += 6) {
        _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
        int fd = rig_connect(&rig);

        for (size_t at = 0; at < sizeof(text) - 1; at += step)
            raw_send(fd, text + at, at + step < sizeof(text) - 1 ? step : sizeof(text) - 1 - at);
        assert_true(raw_read(fd, &got, "[abc0123456789]"));
        close(fd);
    }
}

static void what_cannot_be_understood_is_refused_and_the_connection_closed(void **state)
{
#define REST " HTTP/1.1\r\nHost: a\r\n"
    static const struct {
        const char *text, *want; /* "": only closed */
    } rows[] = {
        {"nonsense\r\n\r\n", " 403 "},
        {"GET relative" REST "\r\n", " 403 "},
        {"TRACE /a" REST "\r\n", " 403 "},
        {"PURGE /a" REST "\r\n", " 403 "},
        {"GET /%zz" REST "\r\n", " 403 "},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", " 403 "},
        {"CONNECT a:80" REST "\r\n", ""},
        {"POST /a" REST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /a" REST "\r\n", " 411 "},
        {"POST /a" REST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", " 411 "},
        {"GET /a" REST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", " 411 "},
        {"POST /a" REST "\r\nGET /a" REST "\r\n", "POST /a ? body=0 "},
        {"POST /a" REST "Content-Length: -1\r\n\r\n", " 400 "},
        {"POST /a" REST "Content-Length: 3x\r\n\r\nabc", " 400 "},
        {"POST /a" REST "Content-Length: 99999999999999999999\r\n\r\nabc", " 400 "},
        {"POST /a" REST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", " 400 "},
        {"GET /a" REST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            ""},
        {"GET /a" REST "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf got = raw_exchange(&rig, rows[i].text, strlen(rows[i].text));
        const char *s = buf_str(&got);

        if (!rows[i].want[0] ? got.len != 0 : !strstr(s, rows[i].want) || strstr(s + 1, "HTTP/1.1"))
            fail_msg("%s: %s", rows[i].text, s);
    }
}

/* -- answers */

static void an_answer_has_its_headers_and_no_injected_ones(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/a", NULL, 0);

    (void)state;
    assert_true(str_has_prefix(buf_str(&a.head), "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(buf_str(&a.head), "\r\nx-server: rig\r\n"));
    assert_null(strstr(buf_str(&a.head), "evil"));
    assert_null(strstr(buf_str(&a.head), "libwebsockets"));
}

static void head_has_the_length_and_no_body(void **state)
{
    static const char text[] = "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    assert_true(raw_read(fd, &got, "GET /a ?"));
    assert_non_null(strstr(buf_str(&got), "content-length: 5242880\r\n\r\nHTTP/1.1 200 OK"));
    close(fd);
}

static void no_answer_or_a_too_large_one_is_500_and_a_second_one_is_ignored(void **state)
{
    _cleanup_(answer_done) struct answer none = rig_request(&rig, "GET", "/none", NULL, 0);
    _cleanup_(answer_done) struct answer huge = rig_request(&rig, "GET", "/huge", NULL, 0);
    _cleanup_(answer_done) struct answer twice = rig_request(&rig, "GET", "/twice", NULL, 0);

    (void)state;
    assert_int_equal(none.status, 500);
    assert_int_equal(huge.status, 500);
    assert_int_equal(twice.status, 200);
}

static void a_large_answer_arrives_whole(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/big", NULL, 0);

    (void)state;
    assert_big(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_arrive_with_their_body),
        cmocka_unit_test(path_and_query_arrive_decoded),
        cmocka_unit_test(headers_known_and_unknown_are_readable_and_the_first_one_wins),
        cmocka_unit_test(a_fifteen_kilobyte_head_is_taken_and_a_larger_one_closes),
        cmocka_unit_test(bodies_are_whole_however_they_are_cut_and_beyond_the_cap_get_413),
        cmocka_unit_test(what_cannot_be_understood_is_refused_and_the_connection_closed),
        cmocka_unit_test(an_answer_has_its_headers_and_no_injected_ones),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(no_answer_or_a_too_large_one_is_500_and_a_second_one_is_ignored),
        cmocka_unit_test(a_large_answer_arrives_whole),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
