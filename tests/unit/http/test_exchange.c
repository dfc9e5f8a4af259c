/* One request and its answer over plain HTTP/1.1: what goes out byte for byte, what is understood, and what every kind
 * of failure is called. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <stdio.h>
#include <string.h>

static struct http_engine *engine;

static int set_up(void **state)
{
    struct http_engine_options options = {.user_agent = "cosmoscmk/test"};
    struct err err = ERR_INIT;
    (void)state;

    return http_engine_new(&engine, &options, &err);
}

static int tear_down(void **state)
{
    (void)state;
    engine = http_engine_free(engine);
    return 0;
}

static int get(const char *url, struct http_response *response, struct err *err)
{
    struct http_request request = {.url = url};

    *err = ERR_INIT;
    return http_do(http_engine_client(engine), &request, response, err);
}

/* Copies each request into the buffer and answers 200. */
static void record(struct scripted_conn *conn, void *ctx)
{
    const char *request;

    while ((request = scripted_read_request(conn))) {
        buf_clear(ctx);
        buf_puts(ctx, request);
        scripted_reply(conn, "ok");
    }
}

/* Reads one request, answers with these bytes and closes. */
static void answer_once(struct scripted_conn *conn, void *ctx)
{
    const struct buf *bytes = ctx;

    if (scripted_read_request(conn))
        scripted_send(conn, bytes->data, bytes->len);
}

/* --- what goes out --- */

struct sent_row {
    const char *name;
    struct http_request request;
    const char *expected; /* after it comes the body only; %s is "Host: ..." and user agent */
};

static void a_request_is_sent_byte_for_byte_and_nothing_is_added(void **state)
{
    static const struct sent_row rows[] = {
        {"a GET", {.url = "/a?b=c"}, "GET /a?b=c HTTP/1.1\r\n%s\r\n\r\n"},
        {"no path", {.url = ""}, "GET / HTTP/1.1\r\n%s\r\n\r\n"},
        {"a query alone", {.url = "?x"}, "GET /?x HTTP/1.1\r\n%s\r\n\r\n"},
        {"an empty query", {.url = "/a?"}, "GET /a? HTTP/1.1\r\n%s\r\n\r\n"},
        {"dots, escapes and doubled slashes", {.url = "/a/../b//./%2e%2F%zz?q=[{}]|\"'"},
            "GET /a/../b//./%2e%2F%zz?q=[{}]|\"' HTTP/1.1\r\n%s\r\n\r\n"},
        {"a fragment stays here", {.url = "/a#b"}, "GET /a HTTP/1.1\r\n%s\r\n\r\n"},
        {"headers", {.url = "/", .headers = {{"Accept", "application/json"}, {"X-Empty", ""}, {"X-S", "a;b: c"}}},
            "GET / HTTP/1.1\r\n%s\r\nAccept: application/json\r\nX-Empty:\r\nX-S: a;b: c\r\n\r\n"},
        {"a PATCH with a body",
            {.method = "PATCH",
                .url = "/p",
                .body = "{\"a\":1}",
                .body_len = 7,
                .headers = {{"Content-Type", "application/merge-patch+json"}}},
            "PATCH /p HTTP/1.1\r\n%s\r\nContent-Type: application/merge-patch+json\r\nContent-Length: "
            "7\r\n\r\n{\"a\":1}"},
        {"a POST without body", {.method = "POST", .url = "/p"}, "POST /p HTTP/1.1\r\n%s\r\nContent-Length: 0\r\n\r\n"},
        {"a DELETE without body", {.method = "DELETE", .url = "/p"}, "DELETE /p HTTP/1.1\r\n%s\r\n\r\n"},
        {"a DELETE with a body", {.method = "DELETE", .url = "/p", .body = "x", .body_len = 1},
            "DELETE /p HTTP/1.1\r\n%s\r\nContent-Length: 1\r\n\r\nx"},
        {"a once request", {.method = "PUT", .url = "/p", .body = "x", .body_len = 1, .once = true},
            "PUT /p HTTP/1.1\r\n%s\r\nContent-Length: 1\r\n\r\nx"},
    };
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_request request = rows[i].request;
        struct http_response response;
        struct err err = ERR_INIT;
        bool accepts = request.headers[0].name && str_eq(request.headers[0].name, "Accept");
        _cleanup_(freep) char *common = xasprintf("Host: 127.0.0.1:%d\r\nUser-Agent: cosmoscmk/test%s",
            scripted_port(server), accepts ? "" : "\r\nAccept: */*");
        _cleanup_(buf_done) struct buf expected = BUF_INIT(1 << 20);
        const char *gap = strstr(rows[i].expected, "%s\r\n");
        buf_add(&expected, rows[i].expected, (size_t)(gap - rows[i].expected));
        buf_puts(&expected, common);
        buf_puts(&expected, gap + 2);

        request.url = scripted_url(server, request.url);
        if (http_do(http_engine_client(engine), &request, &response, &err) < 0)
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_string_equal(buf_str(&response.body), "ok");
        http_response_done(&response);
        assert_string_equal(buf_str(&seen), buf_str(&expected));
    }
    scripted_stop(server);
    buf_done(&seen);
}

static void a_poll_url_of_3500_bytes_and_a_body_of_two_megabytes_pass(void **state)
{
    struct buf seen = BUF_INIT(4 << 20);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    _cleanup_(buf_done) struct buf path = BUF_INIT(4096), body = BUF_INIT(3 << 20);
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    buf_puts(&path, "/operations/1?t=");
    while (path.len < 3500)
        buf_puts(&path, "aB3%2F");
    while (body.len < 2000000)
        buf_puts(&body, "0123456789");
    struct http_request request = {.method = "PUT",
        .url = scripted_url(server, buf_str(&path)),
        .body = body.data,
        .body_len = body.len,
        .once = true};
    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), 0);
    http_response_done(&response);
    assert_memory_equal(seen.data + strlen("PUT "), path.data, path.len);
    assert_null(strstr(seen.data, "100-continue"));
    assert_memory_equal(seen.data + seen.len - body.len, body.data, body.len);
    scripted_stop(server);
    buf_done(&seen);
}

static void what_cannot_be_sent_as_it_is_is_refused_before_anything_is_sent(void **state)
{
    static const struct {
        const char *name;
        struct http_request request;
    } rows[] = {
        {"another scheme", {.url = "file:///etc/passwd"}},
        {"no URL", {.url = NULL}},
        {"a user name in the URL", {.url = "http://user:hunter2@127.0.0.1:1/"}},
        {"a space in the method", {.method = "GET /x", .url = "http://127.0.0.1:1/"}},
        {"an empty method", {.method = "", .url = "http://127.0.0.1:1/"}},
        {"a line break in a value", {.url = "http://127.0.0.1:1/", .headers = {{"X", "hunter2\r\nY: 1"}}}},
        {"a line break in a name", {.url = "http://127.0.0.1:1/", .headers = {{"X\r\nY", "1"}}}},
        {"a value that is missing", {.url = "http://127.0.0.1:1/", .headers = {{"X", NULL}}}},
        {"framing by the caller", {.url = "http://127.0.0.1:1/", .headers = {{"transfer-encoding", "chunked"}}}},
        {"a length by the caller", {.url = "http://127.0.0.1:1/", .headers = {{"Content-Length", "5"}}}},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_response response;
        struct err err = ERR_INIT;
        if (http_do(http_engine_client(engine), &rows[i].request, &response, &err) == 0)
            fail_msg("sent: %s", rows[i].name);
        http_response_done(&response);
        if (err.kind != ERR_INVALID)
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_false(err.maybe_sent);
        assert_null(strstr(err.msg, "hunter2"));
    }
}

static void an_engine_without_a_user_agent_is_refused(void **state)
{
    struct http_engine *none = NULL;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_engine_new(&none, &(struct http_engine_options){.user_agent = NULL}, &err), -1);
    assert_int_equal(http_engine_new(&none, &(struct http_engine_options){.user_agent = "a\nb"}, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(http_engine_free(NULL));
}

/* --- what comes back --- */

struct answer_row {
    const char *name;
    const char *bytes;
    int status; /* 0: a failure */
    enum err_kind kind;
    const char *headers;
    const char *body;
};

static const struct answer_row answers[] = {
    {"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nhi", 200, ERR_NONE,
        "content-length: 2\nx-a: b\n", "hi"},
    {"up to the close", "HTTP/1.1 200 OK\r\n\r\nhi", 200, ERR_NONE, "", "hi"},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", 200, ERR_NONE, "", "hi"},
    {"chunked, with a trailer that is dropped",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nX-Trailer: t\r\n\r\n", 200,
        ERR_NONE, "transfer-encoding: chunked\n", "hi"},
    {"a trailer that looks like a status line",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\nHTTP/1.1 500 x: y\r\n\r\n", 200, ERR_NONE,
        "transfer-encoding: chunked\n", "h"},
    {"a 1xx before it, whose headers are dropped",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nA: b\r\n"
        "Content-Length: 0\r\n\r\n",
        404, ERR_NONE, "a: b\ncontent-length: 0\n", ""},
    {"a redirect is an answer", "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 307,
        ERR_NONE, "location: http://127.0.0.1:1/\ncontent-length: 0\n", ""},
    {"204 without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204, ERR_NONE, "", ""},
    {"a 500", "HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx", 500, ERR_NONE, "content-length: 1\n", "x"},
    {"a content encoding nobody asked for is left alone",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", 200, ERR_NONE,
        "content-encoding: gzip\ncontent-length: 2\n", "hi"},
    {"a header on two lines", "HTTP/1.1 200 OK\r\nA: b\r\n  c\r\nContent-Length: 0\r\n\r\n", 200, ERR_NONE,
        "a: b c\ncontent-length: 0\n", ""},
    {"lines that are no headers are skipped", "HTTP/1.1 200 OK\r\nA b: c\r\n: d\r\nB:\r\nContent-Length: 0\r\n\r\n",
        200, ERR_NONE, "b: \ncontent-length: 0\n", ""},
    {"control bytes in a value become spaces",
        "HTTP/1.1 200 OK\r\nA: b\x01\x7f"
        "c\rd\r\nContent-Length: 0\r\n\r\n",
        200, ERR_NONE, "a: b  c d\ncontent-length: 0\n", ""},

    {"nothing", "", 0, ERR_UNAVAILABLE, NULL, NULL},
    {"half a status line", "HTTP/1.1 20", 0, ERR_UNAVAILABLE, NULL, NULL},
    {"a body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", 0, ERR_UNAVAILABLE, NULL, NULL},
    {"chunks cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", 0, ERR_UNAVAILABLE, NULL,
        NULL},
    {"the last chunk missing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", 0, ERR_UNAVAILABLE,
        NULL, NULL},
    {"junk", "SSH-2.0-OpenSSH_9.2\r\n", 0, ERR_PROTOCOL, NULL, NULL},
    {"junk for a chunk length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0, ERR_PROTOCOL, NULL,
        NULL},
    {"junk for a status", "HTTP/1.1 abc\r\n\r\n", 0, ERR_PROTOCOL, NULL, NULL},
    {"two different lengths", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi", 0, ERR_PROTOCOL, NULL, NULL},
};

static void check_answer(const struct answer_row *row)
{
    struct buf bytes = BUF_INIT(1 << 20);
    buf_puts(&bytes, row->bytes);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_once, .ctx = &bytes});
    struct http_response response;
    struct err err;

    int r = get(scripted_url(server, "/secret/path?sig=hunter2"), &response, &err);
    if ((r == 0) != (row->status != 0))
        fail_msg("%s: %d %s", row->name, response.status, err.msg);
    if (r == 0) {
        assert_int_equal(response.status, row->status);
        assert_string_equal(buf_str(&response.headers), row->headers);
        assert_string_equal(buf_str(&response.body), row->body);
    } else {
        char host[64];
        (void)snprintf(host, sizeof(host), "127.0.0.1:%d", scripted_port(server));
        if (err.kind != row->kind || !err.maybe_sent || !strstr(err.msg, host) || strstr(err.msg, "secret") ||
            strstr(err.msg, "hunter2"))
            fail_msg("%s: %s: %s", row->name, err_kind_name(err.kind), err.msg);
    }
    http_response_done(&response);
    scripted_stop(server);
    buf_done(&bytes);
}

static void an_answer_is_understood_or_the_failure_has_a_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        check_answer(&answers[i]);
}

static void an_answer_cut_at_any_byte_is_never_taken_for_complete(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
    (void)state;

    for (size_t cut = 0; cut < strlen(whole); cut++) {
        _cleanup_(freep) char *part = xstrndup(whole, cut);
        struct answer_row row = {.name = part, .bytes = part, .kind = ERR_UNAVAILABLE};
        /* Too few bytes to tell that it is HTTP at all: either name is right. */
        if (cut == 0 || cut > strlen("HTTP/"))
            check_answer(&row);
    }
}

static void fill(struct buf *b, const char *before, size_t n, const char *after)
{
    buf_puts(b, before);
    for (size_t i = 0; i < n; i++)
        buf_putc(b, 'x');
    buf_puts(b, after);
}

static int get_bytes(struct buf *bytes, size_t max_body, struct err *err)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_once, .ctx = bytes});
    struct http_request request = {.url = scripted_url(server, "/"), .max_body = max_body};
    struct http_response response;

    *err = ERR_INIT;
    int r = http_do(http_engine_client(engine), &request, &response, err);
    http_response_done(&response);
    scripted_stop(server);
    buf_clear(bytes);
    return r;
}

static void headers_have_a_cap(void **state)
{
    struct buf bytes = BUF_INIT(2 << 20);
    struct err err;
    (void)state;

    fill(&bytes, "HTTP/1.1 200 OK\r\nA: ", 16384, "\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(get_bytes(&bytes, 0, &err), 0);

    buf_puts(&bytes, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++)
        fill(&bytes, "A: ", 1000, "\r\n");
    buf_puts(&bytes, "Content-Length: 0\r\n\r\n");
    assert_int_equal(get_bytes(&bytes, 0, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);

    for (int i = 0; i < 300; i++)
        fill(&bytes, "HTTP/1.1 103 Hints\r\nA: ", 1000, "\r\n\r\n");
    buf_puts(&bytes, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(get_bytes(&bytes, 0, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);

    fill(&bytes, "HTTP/1.1 200 OK\r\nA: ", 1 << 20, "\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(get_bytes(&bytes, 0, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    buf_done(&bytes);
}

static void a_body_has_a_cap(void **state)
{
    struct buf bytes = BUF_INIT(8 << 20);
    struct err err;
    (void)state;

    fill(&bytes, "HTTP/1.1 200 OK\r\n\r\n", 1000, "");
    assert_int_equal(get_bytes(&bytes, 1000, &err), 0);
    fill(&bytes, "HTTP/1.1 200 OK\r\n\r\n", 1001, "");
    assert_int_equal(get_bytes(&bytes, 1000, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    assert_true(err.maybe_sent);
    fill(&bytes, "HTTP/1.1 500 Oh\r\n\r\n", (4 << 20) + 1, "");
    assert_int_equal(get_bytes(&bytes, 0, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    buf_done(&bytes);
}

static void a_head_request_has_no_body_to_wait_for(void **state)
{
    struct buf bytes = BUF_INIT(1024);
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    buf_puts(&bytes, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_once, .ctx = &bytes});
    struct http_request request = {.method = "HEAD", .url = scripted_url(server, "/")};
    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), 0);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body.len, 0);
    http_response_done(&response);
    scripted_stop(server);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_sent_byte_for_byte_and_nothing_is_added),
        cmocka_unit_test(a_poll_url_of_3500_bytes_and_a_body_of_two_megabytes_pass),
        cmocka_unit_test(what_cannot_be_sent_as_it_is_is_refused_before_anything_is_sent),
        cmocka_unit_test(an_engine_without_a_user_agent_is_refused),
        cmocka_unit_test(an_answer_is_understood_or_the_failure_has_a_name),
        cmocka_unit_test(an_answer_cut_at_any_byte_is_never_taken_for_complete),
        cmocka_unit_test(headers_have_a_cap),
        cmocka_unit_test(a_body_has_a_cap),
        cmocka_unit_test(a_head_request_has_no_body_to_wait_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
