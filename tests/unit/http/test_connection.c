/* Connections: kept, dead, refused, silent, by way of a proxy; and that what must be sent once is sent once. */
#include "unit.h"

#include "base/str.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void connections_are_kept(void **state)
{
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    (void)state;

    for (int i = 0; i < 5; i++) {
        struct http_response response;
        struct err err;
        assert_int_equal(get(scripted_url(server, "/"), &response, &err), 0);
        http_response_done(&response);
    }
    assert_int_equal(scripted_connections(server), 1);
    scripted_stop(server);
    buf_done(&seen);
}

/* Answers the first request of a connection; reads a second one and closes without a word. */
static void die_at_the_second(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn) && scripted_reply(conn, "ok"))
        (void)scripted_read_request(conn);
}

static int send_post(const char *url, bool once, struct err *err)
{
    struct http_request request = {.method = "POST", .url = url, .body = "x", .body_len = 1, .once = once};
    struct http_response response;

    *err = ERR_INIT;
    int r = http_do(http_engine_client(engine), &request, &response, err);
    http_response_done(&response);
    return r;
}

static void libcurl_does_repeat_a_post_on_a_dead_kept_connection_when_once_is_not_asked_for(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = die_at_the_second});
    struct err err;
    (void)state;

    assert_int_equal(send_post(scripted_url(server, "/"), false, &err), 0);
    assert_int_equal(send_post(scripted_url(server, "/"), false, &err), 0);
    assert_int_equal(scripted_requests(server), 3); /* the trap that once is for */
    scripted_stop(server);
}

static void a_once_request_is_delivered_once(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = die_at_the_second});
    struct err err;
    (void)state;

    assert_int_equal(send_post(scripted_url(server, "/"), false, &err), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(send_post(scripted_url(server, "/"), true, &err), 0);
    assert_int_equal(scripted_requests(server), 6);
    scripted_stop(server);
}

struct permission {
    bool given;
    int asked;
};

static bool ask(void *ctx)
{
    struct permission *permission = ctx;

    permission->asked++;
    return permission->given;
}

static void a_request_without_permit_is_not_sent(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = die_at_the_second});
    struct permission permission = {0};
    struct http_request request = {.method = "PATCH",
        .url = scripted_url(server, "/"),
        .body = "x",
        .body_len = 1,
        .once = true,
        .permit = ask,
        .permit_ctx = &permission};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_false(err.maybe_sent);
    assert_non_null(strstr(err.msg, "no longer permitted"));
    http_response_done(&response);
    permission.given = true;
    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), 0);
    http_response_done(&response);
    assert_int_equal(permission.asked, 2);
    assert_int_equal(scripted_requests(server), 1);
    scripted_stop(server);
}

static void a_once_request_takes_the_place_of_an_idle_connection_when_no_more_are_allowed(void **state)
{
    struct http_engine *wide = engine;
    struct http_engine_options options = {.user_agent = "cosmoscmk/test", .max_connections_per_host = 1};
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_engine_new(&engine, &options, &err), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(send_post(scripted_url(server, "/"), i % 2 == 1, &err), 0);
    assert_int_equal(scripted_requests(server), 4);
    http_engine_free(engine);
    engine = wide;
    scripted_stop(server);
    buf_done(&seen);
}

static void read_and_hang_up(struct scripted_conn *conn, void *ctx)
{
    (void)scripted_read_request(conn);
    if (ctx)
        scripted_reset(conn);
}

static void a_once_request_whose_connection_dies_unanswered_has_an_unknown_outcome(void **state)
{
    (void)state;
    for (intptr_t reset = 0; reset < 2; reset++) {
        struct scripted_server *server =
            scripted_start(&(struct scripted_options){.handler = read_and_hang_up, .ctx = (void *)reset});
        struct err err;
        assert_int_equal(send_post(scripted_url(server, "/"), true, &err), -1);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_true(err.maybe_sent);
        assert_int_equal(scripted_requests(server), 1);
        scripted_stop(server);
    }
}

/* A port on which nobody listens. */
static int closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void a_refused_connection_is_unavailable_names_the_cause_and_nothing_was_sent(void **state)
{
    char url[64], expected[128];
    struct http_response response;
    struct err err;
    int port = closed_port();
    (void)state;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", port);
    assert_int_equal(get(url, &response, &err), -1);
    http_response_done(&response);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_false(err.maybe_sent);
    (void)snprintf(expected, sizeof(expected), "cannot connect to 127.0.0.1:%d: Connection refused", port);
    assert_string_equal(err.msg, expected);
}

static void stay_silent(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    if (scripted_read_request(conn))
        scripted_wait_closed(conn);
}

static void a_silent_peer_is_a_timeout_of_a_request_that_was_sent(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = stay_silent});
    const struct http_request rows[] = {
        {.url = scripted_url(server, "/"), .timeout_ms = 1000},
        {.url = scripted_url(server, "/"), .timeout_ms = -1, .idle_timeout_ms = 1000},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_response response;
        struct err err = ERR_INIT;
        assert_int_equal(http_do(http_engine_client(engine), &rows[i], &response, &err), -1);
        http_response_done(&response);
        assert_int_equal(err.kind, ERR_TIMEOUT);
        assert_true(err.maybe_sent);
        assert_non_null(strstr(err.msg, "1000 ms"));
    }
    scripted_stop(server);
}

/* A listener that never accepts, its queue full: the handshake of TCP itself gets no answer. */
static void a_connection_that_is_not_answered_is_a_timeout_and_nothing_was_sent(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    char url[64];
    struct err err = ERR_INIT;
    struct http_response response;
    (void)state;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, len);
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct http_request request = {.url = url, .connect_timeout_ms = 300};
    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), -1);
    http_response_done(&response);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_false(err.maybe_sent);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    close(listener);
}

/* --- proxies --- */

static void a_proxy_gets_the_whole_url_of_a_plain_request(void **state)
{
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *proxy = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    struct http_request request = {.url = "http://api.test:81/a/../b?c", .proxy = scripted_url(proxy, "")};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), 0);
    http_response_done(&response);
    assert_true(str_has_prefix(buf_str(&seen), "GET http://api.test:81/a/../b?c HTTP/1.1\r\nHost: api.test:81\r\n"));
    scripted_stop(proxy);
    buf_done(&seen);
}

static void refuse_tunnel(struct scripted_conn *conn, void *ctx)
{
    const char *request = scripted_read_request(conn);

    buf_puts(ctx, request ? request : "");
    scripted_puts(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
}

static void a_proxy_that_cannot_be_is_refused_without_showing_its_password(void **state)
{
    static const char *const proxies[] = {"http://user:hunter2@[bad", "foo://user:hunter2@127.0.0.1:1",
        "http://user:hunter2@127.0.0.1:99999", "user:hunter2@a b"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        struct http_request request = {.url = "http://api.test/", .proxy = proxies[i]};
        struct http_response response;
        struct err err = ERR_INIT;
        assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), -1);
        http_response_done(&response);
        if (err.kind != ERR_INVALID || err.maybe_sent || strstr(err.msg, "hunter2"))
            fail_msg("%s: %s: %s", proxies[i], err_kind_name(err.kind), err.msg);
    }
}

static void a_proxy_sees_of_an_https_request_where_it_goes_and_no_header(void **state)
{
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *proxy = scripted_start(&(struct scripted_options){.handler = refuse_tunnel, .ctx = &seen});
    struct http_request request = {.url = "https://api.test/a?b",
        .proxy = scripted_url(proxy, ""),
        .headers = {{"Authorization", "Bearer hunter2"}}};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), -1);
    http_response_done(&response);
    scripted_stop(proxy);
    assert_true(str_has_prefix(buf_str(&seen), "CONNECT api.test:443 HTTP/1.1\r\n"));
    assert_null(strstr(buf_str(&seen), "hunter2"));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_false(err.maybe_sent);
    assert_non_null(strstr(err.msg, "403"));
    buf_done(&seen);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    struct buf seen = BUF_INIT(1 << 20);
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = record, .ctx = &seen});
    struct http_response response;
    struct err err;
    (void)state;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(get(scripted_url(server, "/"), &response, &err), 0);
    http_response_done(&response);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    scripted_stop(server);
    buf_done(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(libcurl_does_repeat_a_post_on_a_dead_kept_connection_when_once_is_not_asked_for),
        cmocka_unit_test(a_once_request_is_delivered_once),
        cmocka_unit_test(a_request_without_permit_is_not_sent),
        cmocka_unit_test(a_once_request_takes_the_place_of_an_idle_connection_when_no_more_are_allowed),
        cmocka_unit_test(a_once_request_whose_connection_dies_unanswered_has_an_unknown_outcome),
        cmocka_unit_test(a_refused_connection_is_unavailable_names_the_cause_and_nothing_was_sent),
        cmocka_unit_test(a_silent_peer_is_a_timeout_of_a_request_that_was_sent),
        cmocka_unit_test(a_connection_that_is_not_answered_is_a_timeout_and_nothing_was_sent),
        cmocka_unit_test(a_proxy_gets_the_whole_url_of_a_plain_request),
        cmocka_unit_test(a_proxy_that_cannot_be_is_refused_without_showing_its_password),
        cmocka_unit_test(a_proxy_sees_of_an_https_request_where_it_goes_and_no_header),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
