/* Answers that are taken as they come, by consumers fast and slow. */
#include "unit.h"

#include "base/clock.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <pthread.h>
#include <stdatomic.h>
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

/* --- delivery --- */

static void send_three_lines(struct scripted_conn *conn, void *ctx)
{
    atomic_int *seen = ctx;

    if (!scripted_read_request(conn))
        return;
    scripted_puts(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        scripted_puts(conn, "5\r\nline\n\r\n");
        while (atomic_load(seen) <= i)
            clock_sleep_ms(1); /* the next only after this one was delivered */
    }
    scripted_puts(conn, "0\r\n\r\n");
}

static int count_line(struct sink *sink, struct err *err)
{
    (void)err;
    atomic_fetch_add((atomic_int *)sink->arg, 1);
    return 0;
}

static void bytes_are_delivered_as_they_come_on_the_callers_thread(void **state)
{
    atomic_int seen = 0;
    struct scripted_server *server =
        scripted_start(&(struct scripted_options){.handler = send_three_lines, .ctx = &seen});
    struct sink sink = sink_new();
    int status;
    struct err err;
    (void)state;

    sink.hook = count_line;
    sink.arg = &seen;
    struct http_request request = {.url = scripted_url(server, "/"), .on_data = collect, .data = &sink};
    assert_int_equal(run(&request, &status, &err), 0);
    assert_int_equal(status, 200);
    assert_int_equal(sink.calls, 3);
    assert_false(sink.foreign_thread);
    assert_string_equal(buf_str(&sink.bytes), "line\nline\nline\n");
    buf_done(&sink.bytes);
    scripted_stop(server);
}

static void answer_410(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn))
        scripted_puts(conn, "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone");
}

static void another_status_than_200_goes_to_the_body(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_410});
    struct sink sink = sink_new();
    struct http_request request = {.url = scripted_url(server, "/"), .on_data = collect, .data = &sink};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), 0);
    assert_int_equal(response.status, 410);
    assert_string_equal(buf_str(&response.body), "gone");
    assert_int_equal(sink.calls, 0);
    http_response_done(&response);
    scripted_stop(server);
}

#define FLOOD_BYTES (48 << 20)

static void flood(struct scripted_conn *conn, void *ctx)
{
    char block[4096];
    atomic_size_t *sent = ctx;

    if (!scripted_read_request(conn))
        return;
    scripted_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 50331648\r\n\r\n");
    for (size_t n = 0; n < FLOOD_BYTES; n += sizeof(block)) {
        memset(block, 'a' + (int)(n / sizeof(block) % 26), sizeof(block));
        if (!scripted_send(conn, block, sizeof(block)))
            return;
        atomic_store(sent, n + sizeof(block));
    }
}

struct meter {
    atomic_size_t sent;
    size_t sent_while_held;
    size_t largest;
};

/* At the first bytes: do nothing until the server has stopped making progress. */
static int hold_then_check(struct sink *sink, struct err *err)
{
    struct meter *meter = sink->arg;
    (void)err;

    if (sink->bytes.len > meter->largest)
        meter->largest = sink->bytes.len;
    buf_clear(&sink->bytes);
    if (sink->calls > 1)
        return 0;
    for (size_t before = 0; before != atomic_load(&meter->sent);) {
        before = atomic_load(&meter->sent);
        clock_sleep_ms(200);
    }
    meter->sent_while_held = atomic_load(&meter->sent);
    return 0;
}

static void a_slow_consumer_slows_the_peer_down_and_loses_nothing(void **state)
{
    struct meter meter = {0};
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = flood, .ctx = &meter.sent});
    struct sink sink = sink_new();
    struct err err;
    (void)state;

    sink.hook = hold_then_check;
    sink.arg = &meter;
    struct http_request request = {
        .url = scripted_url(server, "/"), .on_data = collect, .data = &sink, .max_body = 65536};
    if (run(&request, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(meter.largest <= 65536);
    assert_true(meter.sent_while_held < FLOOD_BYTES / 2); /* what the two sockets' buffers hold */
    assert_int_equal(atomic_load(&meter.sent), FLOOD_BYTES);
    buf_done(&sink.bytes);
    scripted_stop(server);
}

static int check_pattern(void *data, const char *bytes, size_t len, struct err *err)
{
    size_t *offset = data;
    (void)err;

    for (size_t i = 0; i < len; i++, (*offset)++)
        if (bytes[i] != 'a' + (char)(*offset / 4096 % 26))
            return 1;
    return 0;
}

static void a_tiny_buffer_delivers_every_byte_in_order(void **state)
{
    atomic_size_t sent = 0;
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = flood, .ctx = &sent});
    size_t offset = 0;
    struct http_request request = {
        .url = scripted_url(server, "/"), .on_data = check_pattern, .data = &offset, .max_body = 1};
    struct err err;
    (void)state;

    assert_int_equal(run(&request, NULL, &err), 0);
    assert_int_equal(offset, FLOOD_BYTES);
    scripted_stop(server);
}

static int refuse(struct sink *sink, struct err *err)
{
    (void)sink;
    return err_set(err, ERR_GONE, "the version is too old");
}

static void a_consumer_that_has_enough_ends_the_call_with_its_own_error(void **state)
{
    atomic_size_t sent = 0;
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = flood, .ctx = &sent});
    struct sink sink = sink_new();
    struct err err;
    (void)state;

    sink.hook = refuse;
    struct http_request request = {
        .url = scripted_url(server, "/"), .on_data = collect, .data = &sink, .timeout_ms = -1};
    assert_int_equal(run(&request, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_GONE);
    assert_string_equal(err.msg, "the version is too old");
    assert_int_equal(sink.calls, 1);
    buf_done(&sink.bytes);
    scripted_stop(server);
}

static void send_part_and_wait(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn) && scripted_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"))
        scripted_wait_closed(conn);
}

static void send_part_and_close(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn))
        scripted_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
}

static void what_came_before_a_failure_is_delivered(void **state)
{
    static const struct {
        scripted_handler handler;
        enum err_kind kind;
    } rows[] = {{send_part_and_wait, ERR_TIMEOUT}, {send_part_and_close, ERR_UNAVAILABLE}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = rows[i].handler});
        struct sink sink = sink_new();
        struct http_request request = {.url = scripted_url(server, "/"),
            .on_data = collect,
            .data = &sink,
            .timeout_ms = -1,
            .idle_timeout_ms = 2000};
        struct err err;
        assert_int_equal(run(&request, NULL, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_string_equal(buf_str(&sink.bytes), "hello");
        buf_done(&sink.bytes);
        scripted_stop(server);
    }
}

static int dawdle(struct sink *sink, struct err *err)
{
    (void)err;
    buf_clear(&sink->bytes);
    if (sink->calls == 1)
        clock_sleep_ms(4500);
    return 0;
}

static void time_lost_by_a_slow_consumer_is_not_silence_of_the_peer(void **state)
{
    atomic_size_t sent = 0;
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = flood, .ctx = &sent});
    struct sink sink = sink_new();
    struct err err;
    (void)state;

    sink.hook = dawdle;
    struct http_request request = {.url = scripted_url(server, "/"),
        .on_data = collect,
        .data = &sink,
        .max_body = 65536,
        .idle_timeout_ms = 4000};
    if (run(&request, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    buf_done(&sink.bytes);
    scripted_stop(server);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_delivered_as_they_come_on_the_callers_thread),
        TEST(another_status_than_200_goes_to_the_body),
        TEST(a_slow_consumer_slows_the_peer_down_and_loses_nothing),
        TEST(a_tiny_buffer_delivers_every_byte_in_order),
        TEST(a_consumer_that_has_enough_ends_the_call_with_its_own_error),
        TEST(what_came_before_a_failure_is_delivered),
        TEST(time_lost_by_a_slow_consumer_is_not_silence_of_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
