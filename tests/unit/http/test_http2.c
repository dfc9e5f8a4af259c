/* HTTP/2: requests share a connection, and what must not be repeated is not, although libcurl wants to.
 *
 * The server here speaks just enough of the protocol: frames by hand, every answer "200" by its number in the static
 * table. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/certs.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PRIORITY = 0x20 };
#define REFUSED_STREAM "\0\0\0\7"
#define INDEXED_POST 0x83 /* RFC 7541, appendix A */
#define INDEXED_200 "\x88"

static struct test_cert ca, cert;
static struct http_tls *tls;
static struct http_engine *engine;

/* --- the server's side --- */

struct frame {
    size_t len;
    unsigned type, flags, stream;
    unsigned char payload[65536];
};

static bool read_frame(struct scripted_conn *conn, struct frame *f)
{
    unsigned char h[9];

    if (!scripted_read(conn, h, sizeof(h)))
        return false;
    f->len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
    f->type = h[3];
    f->flags = h[4];
    f->stream = (unsigned)(h[5] & 0x7f) << 24 | (unsigned)h[6] << 16 | (unsigned)h[7] << 8 | h[8];
    return f->len <= sizeof(f->payload) && scripted_read(conn, f->payload, f->len);
}

static bool send_frame(
    struct scripted_conn *conn, unsigned type, unsigned flags, unsigned stream, const void *payload, size_t len)
{
    unsigned char h[9] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len,
        (unsigned char)type, (unsigned char)flags, (unsigned char)(stream >> 24), (unsigned char)(stream >> 16),
        (unsigned char)(stream >> 8), (unsigned char)stream};

    return scripted_send(conn, h, sizeof(h)) && scripted_send(conn, payload, len);
}

static bool greet(struct scripted_conn *conn)
{
    char preface[24];

    return scripted_read(conn, preface, sizeof(preface)) && memcmp(preface, "PRI * HTTP/2.0", 14) == 0 &&
           send_frame(conn, SETTINGS, 0, 0, "", 0);
}

/* The next request: its stream and whether it is a POST. False when the peer is gone. */
static bool next_request(struct scripted_conn *conn, unsigned *ret_stream, bool *ret_post)
{
    _cleanup_(freep) struct frame *f = xmalloc(sizeof(*f));

    while (read_frame(conn, f)) {
        if (f->type == SETTINGS && !(f->flags & ACK))
            send_frame(conn, SETTINGS, ACK, 0, "", 0);
        if (f->type == PING && !(f->flags & ACK))
            send_frame(conn, PING, ACK, 0, f->payload, f->len);
        if (f->type == HEADERS) {
            *ret_stream = f->stream;
            *ret_post = f->payload[f->flags & PRIORITY ? 5 : 0] == INDEXED_POST;
            return true;
        }
    }
    return false;
}

static void answer(struct scripted_conn *conn, unsigned stream)
{
    send_frame(conn, HEADERS, END_HEADERS, stream, INDEXED_200, 1);
    send_frame(conn, DATA, END_STREAM, stream, "ok", 2);
}

/* --- the client's side --- */

struct call {
    pthread_t thread;
    struct http_request request;
    struct err err;
    int r;
    char body[16];
};

static void *run_call(void *arg)
{
    struct call *call = arg;
    struct http_response response;

    call->err = ERR_INIT;
    call->r = http_do(http_engine_client(engine), &call->request, &response, &call->err);
    (void)str_copy(call->body, sizeof(call->body), buf_str(&response.body));
    http_response_done(&response);
    return NULL;
}

static void call_start(struct call *call, const struct http_request *request)
{
    *call = (struct call){.request = *request};
    assert_int_equal(pthread_create(&call->thread, NULL, run_call, call), 0);
}

static void call_join_ok(struct call *call)
{
    pthread_join(call->thread, NULL);
    if (call->r < 0)
        fail_msg("%s", call->err.msg);
    assert_string_equal(call->body, "ok");
}

static struct scripted_server *start(scripted_handler handler, void *ctx)
{
    return scripted_start(&(struct scripted_options){
        .handler = handler, .ctx = ctx, .cert_pem = cert.cert_pem, .key_pem = cert.key_pem, .h2 = true});
}

static void wait_until(atomic_int *n, int value)
{
    while (atomic_load(n) < value)
        clock_sleep_ms(1);
}

/* --- sharing --- */

#define SHARED 8

/* Answers nobody before all have come over this one connection. */
static void answer_when_all_are_here(struct scripted_conn *conn, void *ctx)
{
    unsigned streams[SHARED];
    bool post;
    (void)ctx;

    if (!greet(conn))
        return;
    for (int i = 0; i < SHARED; i++)
        if (!next_request(conn, &streams[i], &post))
            return;
    for (int i = 0; i < SHARED; i++)
        answer(conn, streams[i]);
    scripted_wait_closed(conn);
}

static void requests_share_one_connection_also_when_it_is_not_open_yet(void **state)
{
    struct scripted_server *server = start(answer_when_all_are_here, NULL);
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct http_request request = {.url = url, .tls = tls};
    struct call calls[SHARED];
    (void)state;

    for (int i = 0; i < SHARED; i++)
        call_start(&calls[i], &request);
    for (int i = 0; i < SHARED; i++)
        call_join_ok(&calls[i]);
    assert_int_equal(scripted_connections(server), 1);
    scripted_stop(server);
}

/* --- once --- */

struct tally {
    atomic_int gets, posts;
    bool reset;
};

/* The first connection is cut when it holds an unanswered POST and an unanswered GET; on others every request is
 * answered. */
static void cut_the_first(struct scripted_conn *conn, void *ctx)
{
    struct tally *tally = ctx;
    unsigned stream;
    bool post;
    int seen = 0;

    if (!greet(conn))
        return;
    while (next_request(conn, &stream, &post)) {
        atomic_fetch_add(post ? &tally->posts : &tally->gets, 1);
        if (scripted_number(conn) > 1) {
            answer(conn, stream);
        } else if (++seen == 2) {
            if (tally->reset)
                scripted_reset(conn);
            return;
        }
    }
}

/* Whether libcurl repeats the GET does not matter; the POST it must not. */
static void check_cut(bool reset)
{
    struct tally tally = {.reset = reset};
    struct scripted_server *server = start(cut_the_first, &tally);
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct http_request post = {.method = "POST", .url = url, .tls = tls, .body = "x", .body_len = 1, .once = true};
    struct http_request get = {.url = url, .tls = tls};
    struct call calls[2];

    call_start(&calls[0], &post);
    wait_until(&tally.posts, 1);
    call_start(&calls[1], &get);
    pthread_join(calls[0].thread, NULL);
    pthread_join(calls[1].thread, NULL);
    assert_int_equal(calls[0].r, -1);
    assert_int_equal(calls[0].err.kind, ERR_UNAVAILABLE);
    assert_true(calls[0].err.maybe_sent);
    scripted_stop(server);
    assert_int_equal(atomic_load(&tally.posts), 1);
}

static void a_once_request_is_not_repeated_when_others_joined_its_connection(void **state)
{
    (void)state;
    check_cut(false);
    check_cut(true);
}

/* Answers as long as it is asked on its first connection. */
static void answer_all(struct scripted_conn *conn, void *ctx)
{
    struct tally *tally = ctx;
    unsigned stream;
    bool post;

    if (!greet(conn))
        return;
    while (next_request(conn, &stream, &post)) {
        atomic_fetch_add(post ? &tally->posts : &tally->gets, 1);
        answer(conn, stream);
    }
}

static void a_warm_request_takes_the_connection_that_was_just_used(void **state)
{
    struct tally tally = {0};
    struct scripted_server *server = start(answer_all, &tally);
    const char *url = scripted_url(server, "/");
    struct call get = {.request = {.url = url, .tls = tls}};
    struct call post = {
        .request = {.method = "POST", .url = url, .tls = tls, .body = "x", .body_len = 1, .once = true, .warm = true}};
    (void)state;

    run_call(&get);
    run_call(&post);
    assert_int_equal(post.r, 0);
    assert_int_equal(scripted_connections(server), 1);
    scripted_stop(server);
    assert_int_equal(atomic_load(&tally.posts), 1);
}

/* Answers a GET and hangs up when a POST comes. */
static void cut_at_the_post(struct scripted_conn *conn, void *ctx)
{
    struct tally *tally = ctx;
    unsigned stream;
    bool post;

    if (!greet(conn))
        return;
    while (next_request(conn, &stream, &post)) {
        atomic_fetch_add(post ? &tally->posts : &tally->gets, 1);
        if (post) {
            if (tally->reset)
                scripted_reset(conn);
            return;
        }
        answer(conn, stream);
    }
}

static void a_warm_request_is_not_repeated_when_its_connection_dies(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct tally tally = {.reset = reset};
        struct scripted_server *server = start(cut_at_the_post, &tally);
        const char *url = scripted_url(server, "/");
        struct call get = {.request = {.url = url, .tls = tls}};
        struct call post = {
            .request = {
                .method = "POST", .url = url, .tls = tls, .body = "x", .body_len = 1, .once = true, .warm = true}};

        run_call(&get);
        run_call(&post);
        assert_int_equal(post.r, -1);
        assert_int_equal(post.err.kind, ERR_UNAVAILABLE);
        assert_true(post.err.maybe_sent);
        scripted_stop(server);
        assert_int_equal(atomic_load(&tally.posts), 1);
    }
}

static void refuse_the_first(struct scripted_conn *conn, void *ctx)
{
    struct tally *tally = ctx;
    unsigned stream;
    bool post;

    if (!greet(conn))
        return;
    while (next_request(conn, &stream, &post)) {
        atomic_fetch_add(post ? &tally->posts : &tally->gets, 1);
        if (scripted_number(conn) == 1)
            send_frame(conn, RST_STREAM, 0, stream, REFUSED_STREAM, 4);
        else
            answer(conn, stream);
    }
}

static void a_once_request_is_not_repeated_when_its_stream_is_refused(void **state)
{
    struct tally tally = {0};
    struct scripted_server *server = start(refuse_the_first, &tally);
    struct call call = {
        .request = {
            .method = "POST", .url = scripted_url(server, "/"), .tls = tls, .body = "x", .body_len = 1, .once = true}};
    (void)state;

    run_call(&call);
    assert_int_equal(call.r, -1);
    assert_int_equal(call.err.kind, ERR_UNAVAILABLE);
    assert_true(call.err.maybe_sent);
    scripted_stop(server);
    assert_int_equal(atomic_load(&tally.posts), 1);
}

/* --- streams --- */

#define FLOOD_BYTES (24 << 20) /* within the window that libcurl grants */

static void flood_the_first(struct scripted_conn *conn, void *ctx)
{
    static const char block[16384];
    unsigned stream;
    bool post;
    int seen = 0;
    (void)ctx;

    if (!greet(conn))
        return;
    while (next_request(conn, &stream, &post)) {
        if (seen++ || scripted_number(conn) > 1) {
            answer(conn, stream);
            continue;
        }
        send_frame(conn, HEADERS, END_HEADERS, stream, INDEXED_200, 1);
        for (size_t n = 0; n < FLOOD_BYTES; n += sizeof(block))
            send_frame(conn, DATA, 0, stream, block, sizeof(block));
        send_frame(conn, DATA, END_STREAM, stream, "", 0);
    }
}

struct sink {
    const char *url;
    size_t bytes;
    struct call nested;
};

/* At the first bytes: another request to the same server, while this stream is not read. */
static int ask_meanwhile(void *data, const char *bytes, size_t len, struct err *err)
{
    struct sink *sink = data;
    (void)bytes;
    (void)err;

    if (sink->bytes == 0) {
        clock_sleep_ms(500);
        sink->nested.request = (struct http_request){.url = sink->url, .tls = tls, .timeout_ms = 10000};
        run_call(&sink->nested);
    }
    sink->bytes += len;
    return 0;
}

static void a_stream_that_is_not_read_does_not_hold_up_others(void **state)
{
    struct scripted_server *server = start(flood_the_first, NULL);
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct sink sink = {.url = url};
    struct call call = {
        .request = {.url = url, .tls = tls, .on_data = ask_meanwhile, .data = &sink, .max_body = 65536}};
    (void)state;

    run_call(&call);
    if (sink.nested.r < 0)
        fail_msg("%s", sink.nested.err.msg);
    if (call.r < 0)
        fail_msg("%s", call.err.msg);
    assert_string_equal(sink.nested.body, "ok");
    assert_int_equal(sink.bytes, FLOOD_BYTES);
    scripted_stop(server);
}

static int set_up(void **state)
{
    struct http_engine_options options = {.user_agent = "cosmoscmk/test"};
    struct http_tls_options trust;
    (void)state;

    ca = test_cert_make("test CA", NULL, NULL);
    cert = test_cert_make("server", "IP:127.0.0.1", &ca);
    trust = (struct http_tls_options){.ca_pem = ca.cert_pem};
    return http_tls_new(&tls, &trust, NULL) < 0 || http_engine_new(&engine, &options, NULL) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    engine = http_engine_free(engine);
    tls = http_tls_unref(tls);
    test_cert_done(&cert);
    test_cert_done(&ca);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_share_one_connection_also_when_it_is_not_open_yet),
        TEST(a_once_request_is_not_repeated_when_others_joined_its_connection),
        TEST(a_warm_request_takes_the_connection_that_was_just_used),
        TEST(a_warm_request_is_not_repeated_when_its_connection_dies),
        TEST(a_once_request_is_not_repeated_when_its_stream_is_refused),
        TEST(a_stream_that_is_not_read_does_not_hold_up_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
