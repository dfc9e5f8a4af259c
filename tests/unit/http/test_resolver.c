/* Names. The system's resolver is replaced by one that answers when the test says so: a name server that is down must
 * hold up nobody but those who ask for its names, and those only as long as they want to wait. */
#include "unit.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_bool released;
static atomic_int stuck;

/* Takes the place of libc's for libcurl's resolver threads. Every name is stuck until released, then unknown. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    (void)node;
    (void)service;
    (void)hints;
    *res = NULL;
    atomic_fetch_add(&stuck, 1);
    while (!atomic_load(&released))
        clock_sleep_ms(1);
    atomic_fetch_sub(&stuck, 1);
    return EAI_NONAME;
}

static struct http_engine *engine;

static int set_up(void **state)
{
    struct http_engine_options options = {.user_agent = "cosmoscmk/test"};
    (void)state;

    atomic_store(&released, false);
    return http_engine_new(&engine, &options, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    engine = http_engine_free(engine);
    atomic_store(&released, true);
    while (atomic_load(&stuck) > 0)
        clock_sleep_ms(1);
    clock_sleep_ms(50); /* the resolver's threads free their own memory at their end */
    return 0;
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
    struct http_response response;

    call->err = ERR_INIT;
    call->r = http_do(http_engine_client(engine), &call->request, &response, &call->err);
    http_response_done(&response);
    return NULL;
}

static void answer_all(struct scripted_conn *conn, void *ctx)
{
    (void)ctx;
    while (scripted_read_request(conn))
        scripted_reply(conn, "ok");
}

static void a_call_whose_name_is_not_answered_can_be_cancelled_and_holds_up_nobody(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = answer_all});
    struct http_cancel *cancel = http_cancel_new();
    struct call call = {
        .request = {.url = "http://down.test/", .timeout_ms = -1, .connect_timeout_ms = 3600000, .cancel = cancel}};
    struct call other = {.request = {.url = scripted_url(server, "/")}};
    (void)state;

    assert_int_equal(pthread_create(&call.thread, NULL, run_call, &call), 0);
    while (atomic_load(&stuck) == 0)
        clock_sleep_ms(1);
    run_call(&other);
    assert_int_equal(other.r, 0);
    http_cancel_trigger(cancel);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.err.kind, ERR_CANCELLED);
    assert_false(call.err.maybe_sent);
    assert_int_equal(atomic_load(&stuck), 1); /* it still is, and we are not */
    run_call(&other);
    assert_int_equal(other.r, 0);
    http_cancel_free(cancel);
    scripted_stop(server);
}

static void a_name_that_is_not_answered_in_time_is_a_timeout_and_nothing_was_sent(void **state)
{
    struct call call = {.request = {.url = "http://down.test/", .connect_timeout_ms = 1000}};
    (void)state;

    run_call(&call);
    assert_int_equal(call.err.kind, ERR_TIMEOUT);
    assert_false(call.err.maybe_sent);
    assert_non_null(strstr(call.err.msg, "down.test:80"));
    assert_int_equal(atomic_load(&stuck), 1);
}

static void an_engine_can_be_freed_while_a_name_is_not_answered(void **state)
{
    struct call call = {.request = {.url = "http://down.test/", .timeout_ms = -1, .connect_timeout_ms = 3600000}};
    (void)state;

    assert_int_equal(pthread_create(&call.thread, NULL, run_call, &call), 0);
    while (atomic_load(&stuck) == 0)
        clock_sleep_ms(1);
    http_engine_shutdown(engine);
    pthread_join(call.thread, NULL);
    assert_int_equal(call.err.kind, ERR_CANCELLED);
    engine = http_engine_free(engine);
    assert_int_equal(atomic_load(&stuck), 1);
}

static void an_unknown_name_is_unavailable_and_named(void **state)
{
    struct call call = {.request = {.url = "https://unknown.test/x?sig=hunter2"}};
    (void)state;

    atomic_store(&released, true);
    run_call(&call);
    assert_int_equal(call.err.kind, ERR_UNAVAILABLE);
    assert_false(call.err.maybe_sent);
    assert_true(str_has_prefix(call.err.msg, "cannot find the address of unknown.test:443"));
    assert_null(strstr(call.err.msg, "hunter2"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_whose_name_is_not_answered_can_be_cancelled_and_holds_up_nobody),
        TEST(a_name_that_is_not_answered_in_time_is_a_timeout_and_nothing_was_sent),
        TEST(an_engine_can_be_freed_while_a_name_is_not_answered),
        TEST(an_unknown_name_is_unavailable_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
