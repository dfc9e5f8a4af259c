/* Answers that come later, from another thread. */
#include "rig.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define MAX_TICKETS 64

/* What the handler put off; the tests' own thread answers. */
static struct {
    pthread_mutex_t lock;
    struct serve_ticket tickets[MAX_TICKETS];
    size_t n;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct rig rig;

static void handle(void *ctx, struct serve_exchange *x, const struct serve_request *r)
{
    struct serve_ticket ticket;

    (void)ctx;
    if (!str_eq(r->path, "/later")) {
        serve_reply_text(x, 200, "text/plain", "at once");
        return;
    }
    if (!serve_defer(x, &ticket)) {
        serve_reply_text(x, 503, "text/plain", "too many");
        return;
    }
    (void)pthread_mutex_lock(&waiting.lock);
    if (waiting.n < MAX_TICKETS)
        waiting.tickets[waiting.n++] = ticket;
    (void)pthread_mutex_unlock(&waiting.lock);
}

static int setup(void **state)
{
    (void)state;
    waiting.n = 0;
    rig_start(&rig, (struct serve_options){.handler = handle, .max_deferred = 3});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static size_t n_waiting(void)
{
    (void)pthread_mutex_lock(&waiting.lock);
    size_t n = waiting.n;
    (void)pthread_mutex_unlock(&waiting.lock);
    return n;
}

static void await_waiting(size_t n)
{
    for (int i = 0; i < PATIENCE_S * 100 && n_waiting() < n; i++)
        clock_sleep_ms(10);
    assert_int_equal(n_waiting(), n);
}

static void answer(size_t i, const char *text)
{
    (void)pthread_mutex_lock(&waiting.lock);
    struct serve_ticket ticket = waiting.tickets[i];
    (void)pthread_mutex_unlock(&waiting.lock);
    serve_reply_later(&ticket, 200, &(struct serve_header){"x-later", "yes"}, 1, text, strlen(text));
}

static int ask(const char *text)
{
    int fd = rig_connect(&rig);

    raw_send(fd, text, strlen(text));
    return fd;
}

#define LATER "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
#define NOW "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"

static void assert_read(int fd, const char *text)
{
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);

    if (!raw_read(fd, &got, text))
        fail_msg("closed, and no \"%s\" in: %s", text, buf_str(&got));
}

static void another_thread_answers_while_others_are_served(void **state)
{
    int first = ask(LATER), second;

    (void)state;
    await_waiting(1);
    second = ask(LATER);
    await_waiting(2);
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/now", NULL, 0);
    assert_string_equal(buf_str(&a.body), "at once");
    answer(1, "second answer");
    assert_read(second, "second answer");
    answer(0, "first answer");
    assert_read(first, "first answer");
    raw_send(first, NOW, strlen(NOW)); /* the connection goes on */
    assert_read(first, "at once");
    close(first);
    close(second);
}

static void the_head_has_the_headers_that_were_given(void **state)
{
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = ask(LATER);

    (void)state;
    await_waiting(1);
    answer(0, "done");
    assert_true(raw_read(fd, &got, "done"));
    assert_non_null(strstr(buf_str(&got), "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(buf_str(&got), "x-later: yes\r\n"));
    assert_non_null(strstr(buf_str(&got), "content-length: 4\r\n"));
    close(fd);
}

/* Its memory may serve another connection by then. */
static void an_answer_to_a_peer_that_has_gone_reaches_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        int gone = ask(LATER);
        await_waiting(2 * i + 1);
        close(gone);
        int fd = ask(LATER);
        await_waiting(2 * i + 2);
        answer(2 * i, "for nobody");
        answer(2 * i + 1, "for me");
        _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
        assert_true(raw_read(fd, &got, "for me"));
        assert_null(strstr(buf_str(&got), "nobody"));
        close(fd);
    }
}

static void a_ticket_is_good_for_one_answer(void **state)
{
    int fd = ask(LATER);

    (void)state;
    await_waiting(1);
    answer(0, "first");
    answer(0, "again");
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    assert_true(raw_read(fd, &got, "first"));
    raw_send(fd, NOW, strlen(NOW));
    assert_true(raw_read(fd, &got, "at once"));
    assert_null(strstr(buf_str(&got), "again"));
    close(fd);
}

static void more_than_the_limit_are_not_put_off(void **state)
{
    int fds[3];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = ask(LATER);
    await_waiting(3);
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/later", NULL, 0);
    assert_int_equal(a.status, 503);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        answer(i, "at last");
        assert_read(fds[i], "at last");
        close(fds[i]);
    }
    int fd = ask(LATER);
    await_waiting(4);
    answer(3, "room again");
    assert_read(fd, "room again");
    close(fd);
}

/* What a peer sends ahead waits; it must not keep the thread busy meanwhile. */
static void what_is_sent_ahead_waits_for_its_turn(void **state)
{
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    int fd = ask(LATER NOW NOW);

    (void)state;
    await_waiting(1);
    raw_send(fd, NOW, strlen(NOW));
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/now", NULL, 0);
    assert_int_equal(a.status, 200);
    answer(0, "was put off");
    assert_true(raw_read(fd, &got, "was put off"));
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(buf_done) struct buf rest = BUF_INIT(65536);
        const char *behind = strstr(buf_str(&got), "was put off");
        size_t seen = 0;
        for (const char *p = behind; (p = strstr(p, "at once")); p++)
            seen++;
        if (seen > i)
            continue;
        if (!raw_read(fd, &rest, "at once"))
            fail_msg("only %zu answers: %s", i, buf_str(&got));
        buf_add(&got, rest.data, rest.len);
    }
    close(fd);
}

static double cpu_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void waiting_costs_no_time_whatever_was_sent_ahead(void **state)
{
    int fd = ask(LATER NOW);

    (void)state;
    await_waiting(1);
    raw_send(fd, NOW, strlen(NOW));
    double before = cpu_s();
    clock_sleep_ms(1000);
    assert_true(cpu_s() - before < 0.5); /* a thread that turns all the time takes a whole second */
    answer(0, "done");
    assert_read(fd, "done");
    close(fd);
}

static void a_peer_that_waits_too_long_is_closed(void **state)
{
    struct rig short_rig;

    (void)state;
    rig_start(&short_rig, (struct serve_options){.handler = handle, .idle_timeout_s = 1});
    _cleanup_(buf_done) struct buf got = raw_exchange(&short_rig, LATER, strlen(LATER));
    assert_string_equal(buf_str(&got), "");
    answer(n_waiting() - 1, "too late");
    rig_stop(&short_rig);
}

static void stopping_ends_those_that_wait(void **state)
{
    struct rig other;
    size_t before = n_waiting();

    (void)state;
    rig_start(&other, (struct serve_options){.handler = handle});
    int fd = rig_connect(&other);
    raw_send(fd, LATER, strlen(LATER));
    await_waiting(before + 1);
    rig_stop(&other);
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);
    assert_false(raw_read(fd, &got, NULL));
    close(fd);
}

static void *answer_all(void *arg)
{
    atomic_bool *stop = arg;

    for (size_t answered = 0; !atomic_load(stop);) {
        if (answered < n_waiting())
            answer(answered++, "concurrently");
        else
            clock_sleep_ms(1);
    }
    return NULL;
}

static void answers_meet_the_end_of_the_server(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        atomic_bool stop = false;
        pthread_t thread;
        int fds[3];

        setup(NULL);
        assert_int_equal(pthread_create(&thread, NULL, answer_all, &stop), 0);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            fds[i] = ask(LATER);
        clock_sleep_ms(round);
        atomic_store(&stop, true); /* what other threads do ends before the server does */
        (void)pthread_join(thread, NULL);
        rig_stop(&rig);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            close(fds[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_thread_answers_while_others_are_served),
        TEST(the_head_has_the_headers_that_were_given),
        TEST(an_answer_to_a_peer_that_has_gone_reaches_nobody),
        TEST(a_ticket_is_good_for_one_answer),
        TEST(more_than_the_limit_are_not_put_off),
        TEST(what_is_sent_ahead_waits_for_its_turn),
        TEST(waiting_costs_no_time_whatever_was_sent_ahead),
        TEST(a_peer_that_waits_too_long_is_closed),
        TEST(stopping_ends_those_that_wait),
        cmocka_unit_test(answers_meet_the_end_of_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
