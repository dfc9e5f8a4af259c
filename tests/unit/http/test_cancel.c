/* Calls that are ended from outside, engines that are shut down, and many threads at once. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct http_engine *engine;

static int set_up(void **state)
{
    struct http_engine_options options = {.user_agent = "cosmoscmk/test", .max_connections_per_host = 64};
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

struct sink {
    struct buf bytes;
    int calls;
    bool foreign_thread;
    pthread_t owner;
    int (*hook)(struct sink *sink, struct err *err);
    void *arg;
};

static int collect(void *data, const char *bytes, size_t len, struct err *err)
{
    struct sink *sink = data;

    sink->calls++;
    sink->foreign_thread |= !pthread_equal(sink->owner, pthread_self());
    buf_add(&sink->bytes, bytes, len);
    return sink->hook ? sink->hook(sink, err) : 0;
}

static struct sink sink_new(void)
{
    return (struct sink){.bytes = BUF_INIT(64 << 20), .owner = pthread_self()};
}

static int run(const struct http_request *request, int *ret_status, struct err *err)
{
    struct http_response response;

    *err = ERR_INIT;
    int r = http_do(http_engine_client(engine), request, &response, err);
    if (ret_status)
        *ret_status = response.status;
    http_response_done(&response);
    return r;
}

static void send_part_and_wait(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn) && scripted_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"))
        scripted_wait_closed(conn);
}

struct call {
    pthread_t thread;
    struct http_request request;
    struct err err;
    int r;
};

static void *run_call(void *arg)
{
    struct call *call = arg;

    call->r = run(&call->request, NULL, &call->err);
    return NULL;
}

static void call_start(struct call *call, const struct http_request *request)
{
    *call = (struct call){.request = *request};
    assert_int_equal(pthread_create(&call->thread, NULL, run_call, call), 0);
}

static void wait_for_requests(const struct scripted_server *server, int n)
{
    while (scripted_requests(server) < n)
        clock_sleep_ms(1);
}

static void a_cancel_reaches_every_blocked_call_and_those_that_come_later(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = send_part_and_wait});
    struct http_cancel *cancel = http_cancel_new();
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct http_request request = {.url = url, .timeout_ms = -1, .cancel = cancel};
    struct sink sink = sink_new();
    struct http_request stream = request;
    struct call calls[6];
    (void)state;

    stream.on_data = collect;
    stream.data = &sink;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        call_start(&calls[i], i == 0 ? &stream : &request);
    wait_for_requests(server, (int)ARRAY_LEN(calls));
    assert_false(http_cancel_triggered(cancel));
    http_cancel_trigger(cancel);
    http_cancel_trigger(cancel);
    assert_true(http_cancel_triggered(cancel));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        pthread_join(calls[i].thread, NULL);
        assert_int_equal(calls[i].r, -1);
        assert_int_equal(calls[i].err.kind, ERR_CANCELLED);
        assert_true(calls[i].err.maybe_sent);
    }
    struct call late = {.request = request};
    run_call(&late);
    assert_int_equal(late.err.kind, ERR_CANCELLED);
    assert_false(late.err.maybe_sent);
    assert_int_equal(scripted_requests(server), (int)ARRAY_LEN(calls));
    buf_done(&sink.bytes);
    http_cancel_free(cancel);
    assert_null(http_cancel_free(NULL));
    scripted_stop(server);
}

static int cancel_myself(struct sink *sink, struct err *err)
{
    (void)err;
    http_cancel_trigger(sink->arg);
    return 0;
}

static void a_call_can_be_cancelled_from_its_own_on_data(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = send_part_and_wait});
    struct http_cancel *cancel = http_cancel_new();
    struct sink sink = sink_new();
    struct err err;
    (void)state;

    sink.hook = cancel_myself;
    sink.arg = cancel;
    struct http_request request = {
        .url = scripted_url(server, "/"), .on_data = collect, .data = &sink, .timeout_ms = -1, .cancel = cancel};
    assert_int_equal(run(&request, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    buf_done(&sink.bytes);
    http_cancel_free(cancel);
    scripted_stop(server);
}

static void a_shutdown_ends_every_call_and_refuses_new_ones(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = send_part_and_wait});
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct http_request request = {.url = url, .timeout_ms = -1};
    struct call calls[6];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        call_start(&calls[i], &request);
    wait_for_requests(server, (int)ARRAY_LEN(calls));
    http_engine_shutdown(engine);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        pthread_join(calls[i].thread, NULL);
        assert_int_equal(calls[i].err.kind, ERR_CANCELLED);
    }
    struct call late = {.request = request};
    run_call(&late);
    assert_int_equal(late.err.kind, ERR_CANCELLED);
    assert_false(late.err.maybe_sent);
    scripted_stop(server);
}

static void answer_all(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    while (scripted_read_request(conn))
        scripted_reply(conn, "ok");
}

struct worker {
    pthread_t thread;
    const char *url;
    struct http_cancel *cancel;
    int ok, cancelled, other;
};

static void *work(void *arg)
{
    struct worker *worker = arg;

    for (int i = 0; i < 200; i++) {
        struct http_request request = {.url = worker->url, .cancel = worker->cancel, .once = i % 16 == 0};
        struct err err;
        int r = run(&request, NULL, &err);
        worker->ok += r == 0;
        worker->cancelled += r < 0 && err.kind == ERR_CANCELLED;
        worker->other += r < 0 && err.kind != ERR_CANCELLED;
    }
    return NULL;
}

static void many_threads_share_an_engine_and_a_cancel_comes_at_any_moment(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_all});
    _cleanup_(freep) char *url = xstrdup(scripted_url(server, "/"));
    struct http_cancel *cancel = http_cancel_new();
    struct worker workers[8];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        workers[i] = (struct worker){.url = url, .cancel = i % 2 ? cancel : NULL};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    wait_for_requests(server, 300);
    http_cancel_trigger(cancel);
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].other, 0);
        assert_int_equal(workers[i].ok + workers[i].cancelled, 200);
        if (i % 2 == 0)
            assert_int_equal(workers[i].ok, 200);
    }
    http_cancel_free(cancel);
    scripted_stop(server);
}

static void the_heart_beats_while_nothing_happens(void **state)
{
    int64_t before = http_engine_heartbeat_ms(engine);
    (void)state;

    for (int i = 0; i < 600 && http_engine_heartbeat_ms(engine) == before; i++)
        clock_sleep_ms(100);
    assert_true(http_engine_heartbeat_ms(engine) > before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cancel_reaches_every_blocked_call_and_those_that_come_later),
        TEST(a_call_can_be_cancelled_from_its_own_on_data),
        TEST(a_shutdown_ends_every_call_and_refuses_new_ones),
        TEST(many_threads_share_an_engine_and_a_cancel_comes_at_any_moment),
        TEST(the_heart_beats_while_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
