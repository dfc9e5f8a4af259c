/* HTTP/1.1 and what the contract in serve/server.h promises for any protocol. */
#include "rig.h"

#include "base/file.h"

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_start(&rig, (struct httpd_options){.max_body = 100000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static void every_method_arrives_with_its_body(void **state)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        _cleanup_(answer_done) struct answer a = rig_request(&rig, methods[i], "/echo", "body!", 5);
        _cleanup_(freep) char *want = xasprintf("%s /echo ? body=5 odd=- host=1 auth=- [body!]", methods[i]);

        assert_int_equal(a.status, 200);
        assert_string_equal(buf_str(&a.body), want);
    }
}

static void path_and_query_arrive_byte_for_byte(void **state)
{
    static const char *const targets[] = {"/a?x=1&y=%26&&z", "/a%2Fb//c/../d/./e", "/%zz+%00?+%20;a=b?c#", "/?"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        _cleanup_(freep) char *request =
            xasprintf("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", targets[i]);
        _cleanup_(buf_done) struct buf got = raw_exchange(&rig, request, strlen(request));
        const char *mark = strchr(targets[i], '?');
        int path_len = mark ? (int)(mark - targets[i]) : (int)strlen(targets[i]);
        _cleanup_(freep) char *want = xasprintf("GET %.*s ?%s body=0", path_len, targets[i], mark ? mark + 1 : "");

        assert_non_null(strstr(buf_str(&got), want));
    }
}

static void an_eight_kilobyte_url_and_sixty_kilobytes_of_headers_are_taken(void **state)
{
    _cleanup_(buf_done) struct buf request = BUF_INIT(1 << 20), got = BUF_INIT(0);

    (void)state;
    buf_puts(&request, "GET /echo?t=");
    for (int i = 0; i < 8000; i++)
        buf_putc(&request, 'q');
    buf_puts(&request, "z HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd_Name: ");
    for (int i = 0; i < 50000; i++)
        buf_putc(&request, 'h');
    buf_puts(&request, "y\r\n\r\n");
    got = raw_exchange(&rig, request.data, request.len);
    assert_non_null(strstr(buf_str(&got), "qqqz body=0 odd=hhh"));
    assert_non_null(strstr(buf_str(&got), "hhhy host=1"));
}

static void headers_of_any_name_are_readable(void **state)
{
    struct answer a;
    CURL *curl = rig_curl(&rig, "/echo", &a);
    struct curl_slist *list = curl_slist_append(NULL, "X-ODD_Name:  two words ");

    (void)state;
    list = curl_slist_append(list, "Authorization: Bearer t");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    rig_finish(curl, &a);
    curl_slist_free_all(list);
    assert_string_equal(buf_str(&a.body), "GET /echo ? body=0 odd=two words host=1 auth=Bearer t []");
    answer_done(&a);
}

static void the_answer_has_its_own_reason_and_headers_and_no_injected_ones(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/echo", NULL, 0);

    (void)state;
    assert_true(str_has_prefix(buf_str(&a.head), "HTTP/1.1 200 Fine Indeed\r\n"));
    assert_non_null(strstr(buf_str(&a.head), "X-Server: rig\r\n"));
    assert_non_null(strstr(buf_str(&a.head), "\r\ndate: "));
    assert_null(strstr(buf_str(&a.head), "Evil"));
}

static void bodies_beyond_the_cap_get_413_whether_announced_or_chunked(void **state)
{
    _cleanup_(freep) char *body = xcalloc(1, 100001);
    _cleanup_(answer_done) struct answer fits = rig_request(&rig, "PUT", "/echo", body, 100000);
    _cleanup_(answer_done) struct answer large = rig_request(&rig, "PUT", "/echo", body, 100001);
    static const char chunked[] = "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n";
    _cleanup_(buf_done) struct buf got = raw_exchange(&rig, chunked, sizeof(chunked) - 1);

    (void)state;
    assert_int_equal(fits.status, 200);
    assert_int_equal(large.status, 413);
    assert_true(str_has_prefix(buf_str(&got), "HTTP/1.1 413 "));
}

static void chunked_bodies_are_put_together_however_they_are_cut(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < 40; step += 6) {
        _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
        int fd = rig_connect(&rig);

        for (size_t at = 0; at < sizeof(text) - 1; at += step)
            raw_send(fd, text + at, at + step < sizeof(text) - 1 ? step : sizeof(text) - 1 - at);
        raw_read(fd, &got, NULL);
        close(fd);
        assert_non_null(strstr(buf_str(&got), "body=13 odd=- host=1 auth=- [abc0123456789]"));
    }
}

static void malformed_requests_are_refused_and_the_connection_closed(void **state)
{
    static const struct {
        const char *text, *status;
    } rows[] = {
        {"nonsense\r\n\r\n", "400"},
        {"GET /\r\n\r\n", "400"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"GET relative HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded: y\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nab", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", "400"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf got = raw_exchange(&rig, rows[i].text, strlen(rows[i].text));

        if (got.len < 12 || strncmp(got.data + 9, rows[i].status, 3) != 0)
            fail_msg("%s got: %.60s", rows[i].text, buf_str(&got));
    }
}

static void headers_beyond_the_cap_get_431(void **state)
{
    _cleanup_(buf_done) struct buf request = BUF_INIT(1 << 20), got = BUF_INIT(0);

    (void)state;
    buf_puts(&request, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 70000; i++)
        buf_putc(&request, 'h');
    got = raw_exchange(&rig, request.data, request.len);
    assert_true(str_has_prefix(buf_str(&got), "HTTP/1.1 431 "));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    static const char three[] = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /held HTTP/1.1\r\nHost: a\r\n\r\n"
                                "POST /three HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);
    const char *one, *two, *last;

    (void)state;
    raw_send(fd, three, sizeof(three) - 1);
    httpd_reply_text(rig_held(&rig, 0), 202, "text/plain", "second");
    raw_read(fd, &got, NULL);
    close(fd);
    one = strstr(buf_str(&got), "GET /one");
    two = strstr(buf_str(&got), "second");
    last = strstr(buf_str(&got), "POST /three");
    assert_true(one && two && last && one < two && two < last);
}

static void a_thousand_pipelined_requests_wait_for_a_held_one(void **state)
{
    static const char held[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(16 << 20), many = BUF_INIT(1 << 20);
    int fd = rig_connect(&rig), n = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_printf(&many, "GET /echo?%d HTTP/1.1\r\nHost: a\r\nX-Filler: %0100d\r\n%s\r\n", i, 0,
            i == 999 ? "Connection: close\r\n" : "");
    raw_send(fd, held, sizeof(held) - 1);
    raw_send(fd, many.data, many.len);
    httpd_reply_text(rig_held(&rig, 0), 200, "text/plain", "go");
    raw_read(fd, &got, NULL);
    close(fd);
    for (const char *p = buf_str(&got); (p = strstr(p, "GET /echo")); p++)
        n++;
    assert_int_equal(n, 1000);
}

static void five_megabytes_arrive_unchanged(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/big", NULL, 0);

    (void)state;
    assert_int_equal(a.body.len, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++) {
        if (a.body.data[i] != big_byte(i))
            fail_msg("byte %zu is wrong", i);
    }
}

static void head_has_the_length_and_no_body(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "HEAD", "/big", NULL, 0);

    (void)state;
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(buf_str(&a.head), "content-length: 5242880\r\n"));
    assert_int_equal(a.body.len, 0);
}

static void expect_continue_is_answered(void **state)
{
    static const char head[] = "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);

    (void)state;
    raw_send(fd, head, sizeof(head) - 1);
    raw_read(fd, &got, "\r\n\r\n");
    assert_string_equal(buf_str(&got), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(fd, "ok", 2);
    raw_read(fd, &got, "[ok]");
    close(fd);
    assert_non_null(strstr(buf_str(&got), "[ok]"));
}

static void http_1_0_gets_a_closed_connection_and_no_chunks(void **state)
{
    static const char text[] = "GET /held HTTP/1.0\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);
    struct httpd_exchange *x;

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    x = rig_held(&rig, 0);
    httpd_stream_begin(x, 200, NULL, 0);
    httpd_stream_write(x, "streamed", 8);
    httpd_stream_end(x);
    raw_read(fd, &got, NULL);
    close(fd);
    assert_non_null(strstr(buf_str(&got), "connection: close\r\n\r\nstreamed"));
    assert_null(strstr(buf_str(&got), "chunked"));
}

static void a_stream_arrives_piece_by_piece_while_it_is_open(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);
    struct httpd_exchange *x;

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    x = rig_held(&rig, 0);
    httpd_stream_begin(x, 200, &(struct httpd_header){"content-type", "application/json"}, 1);
    raw_read(fd, &got, "\r\n\r\n");
    assert_non_null(strstr(buf_str(&got), "transfer-encoding: chunked\r\n"));
    httpd_stream_write(x, "first", 5);
    raw_read(fd, &got, "5\r\nfirst\r\n");
    httpd_stream_write(x, "second", 6);
    raw_read(fd, &got, "6\r\nsecond\r\n");
    httpd_stream_end(x);
    raw_read(fd, &got, "0\r\n\r\n");
    assert_non_null(strstr(buf_str(&got), "6\r\nsecond\r\n0\r\n\r\n"));
    raw_send(fd, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 32);
    raw_read(fd, &got, "GET /echo");
    close(fd);
    assert_non_null(strstr(buf_str(&got), "GET /echo"));
}

static void an_abort_closes_the_connection_without_answer(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(answer_done) struct answer at_once = rig_request(&rig, "GET", "/abort", NULL, 0);
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);

    (void)state;
    assert_int_equal(at_once.code, CURLE_GOT_NOTHING);
    raw_send(fd, text, sizeof(text) - 1);
    httpd_abort(rig_held(&rig, 0));
    raw_read(fd, &got, NULL);
    close(fd);
    assert_int_equal(got.len, 0);
}

static void an_abort_in_a_stream_leaves_it_unfinished(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = rig_connect(&rig);
    struct httpd_exchange *x;

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    x = rig_held(&rig, 0);
    httpd_stream_begin(x, 200, NULL, 0);
    httpd_stream_write(x, "part", 4);
    raw_read(fd, &got, "part");
    httpd_abort(x);
    raw_read(fd, &got, NULL);
    close(fd);
    assert_null(strstr(buf_str(&got), "\r\n0\r\n"));
}

static void a_peer_that_goes_away_is_noticed_and_its_answer_dropped(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = rig_connect(&rig), fd2 = rig_connect(&rig);
    struct httpd_exchange *x;

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    x = rig_held(&rig, 0);
    assert_false(httpd_gone(x));
    close(fd);
    wait_until_gone(x);
    httpd_reply_text(x, 200, "text/plain", "nobody reads this");

    raw_send(fd2, text, sizeof(text) - 1);
    x = rig_held(&rig, 1);
    httpd_stream_begin(x, 200, NULL, 0);
    close(fd2);
    wait_until_gone(x);
    httpd_stream_write(x, "nor this", 8);
    httpd_stream_end(x);
}

static void a_handler_that_gives_no_answer_is_a_500(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/none", NULL, 0);

    (void)state;
    assert_int_equal(a.status, 500);
}

/* The peer reads nothing, so the queue fills: the connection ends instead of the memory. */
static void a_stream_that_nobody_reads_is_cut_at_its_cap(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(freep) char *megabyte = xcalloc(1, 1 << 20);
    int fd = rig_connect(&rig);
    struct httpd_exchange *x;

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    x = rig_held(&rig, 0);
    httpd_stream_begin(x, 200, NULL, 0);
    for (int i = 0; i < 64 && !httpd_gone(x); i++)
        httpd_stream_write(x, megabyte, 1 << 20);
    wait_until_gone(x);
    httpd_stream_end(x);
    close(fd);
}

static void stopping_closes_open_streams_and_held_exchanges_stay_valid(void **state)
{
    static const char text[] = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    struct httpd_exchange *stream, *held;
    int fd = rig_connect(&rig), fd2 = rig_connect(&rig);

    (void)state;
    raw_send(fd, text, sizeof(text) - 1);
    stream = rig_held(&rig, 0);
    httpd_stream_begin(stream, 200, NULL, 0);
    raw_send(fd2, text, sizeof(text) - 1);
    held = rig_held(&rig, 1);
    rig.server = httpd_stop(rig.server);
    raw_read(fd2, &got, NULL);
    assert_int_equal(got.len, 0);
    assert_true(httpd_gone(stream) && httpd_gone(held));
    httpd_stream_write(stream, "late", 4);
    httpd_stream_end(stream);
    httpd_reply_text(held, 200, "text/plain", "late");
    close(fd);
    close(fd2);
}

static void connections_beyond_the_limit_are_closed(void **state)
{
    struct rig small;
    _cleanup_(buf_done) struct buf got = BUF_INIT(4096), first = BUF_INIT(4096);
    int a, b;

    (void)state;
    rig_start(&small, (struct httpd_options){.max_connections = 1});
    a = rig_connect(&small);
    raw_send(a, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 32);
    raw_read(a, &first, "[]");
    b = rig_connect(&small);
    raw_read(b, &got, NULL);
    assert_int_equal(got.len, 0);
    close(a);
    close(b);
    rig_stop(&small);
}

static void a_bad_start_says_why(void **state)
{
    const struct {
        struct httpd_options options;
        const char *says;
    } rows[] = {
        {{.port = httpd_port(rig.server)}, "Address already in use"},
        {{.address = "localhost"}, "not a numeric address"},
        {{.port = 70000}, "not a numeric address and port"},
        {{.tls_cert_file = "/nonexistent"}, "both a certificate file and a key file"},
        {{.tls_cert_file = "/nonexistent", .tls_key_file = "/nonexistent"},
            "cannot use /nonexistent as TLS certificate"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct httpd_server *server = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(httpd_start(&server, &rows[i].options, &err), -1);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("%s", err.msg);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_method_arrives_with_its_body),
        T(path_and_query_arrive_byte_for_byte),
        T(an_eight_kilobyte_url_and_sixty_kilobytes_of_headers_are_taken),
        T(headers_of_any_name_are_readable),
        T(the_answer_has_its_own_reason_and_headers_and_no_injected_ones),
        T(bodies_beyond_the_cap_get_413_whether_announced_or_chunked),
        T(chunked_bodies_are_put_together_however_they_are_cut),
        T(malformed_requests_are_refused_and_the_connection_closed),
        T(headers_beyond_the_cap_get_431),
        T(pipelined_requests_are_answered_in_order),
        T(a_thousand_pipelined_requests_wait_for_a_held_one),
        T(five_megabytes_arrive_unchanged),
        T(head_has_the_length_and_no_body),
        T(expect_continue_is_answered),
        T(http_1_0_gets_a_closed_connection_and_no_chunks),
        T(a_stream_arrives_piece_by_piece_while_it_is_open),
        T(an_abort_closes_the_connection_without_answer),
        T(an_abort_in_a_stream_leaves_it_unfinished),
        T(a_peer_that_goes_away_is_noticed_and_its_answer_dropped),
        T(a_handler_that_gives_no_answer_is_a_500),
        T(a_stream_that_nobody_reads_is_cut_at_its_cap),
        T(stopping_closes_open_streams_and_held_exchanges_stay_valid),
        T(connections_beyond_the_limit_are_closed),
        T(a_bad_start_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
