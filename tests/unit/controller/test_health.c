/* Probes of the controller over HTTP: what makes it unwell. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/health.h"

#include <string.h>

struct fixture {
    struct http_engine *engine;
    struct work_queue *queue;
    struct workers *workers;
    struct health health;
};

static void begin(struct fixture *f)
{
    static const struct leadership_options no_election;
    static const struct leadership alone = {.options = &no_election};
    const struct http_engine_options options = {.user_agent = "test/1"};

    *f = (struct fixture){0};
    assert_int_equal(http_engine_new(&f->engine, &options, NULL), 0);
    f->health.leadership = &alone;
    f->queue = work_queue_new(NULL);
    f->workers = workers_start(f->queue, NULL, 1, NULL); /* it never gets a key */
    assert_int_equal(health_start(&f->health, "127.0.0.1:0", f->engine, f->workers, NULL), 0);
}

static void end(struct fixture *f)
{
    health_stop(&f->health);
    work_queue_stop(f->queue);
    workers_join(f->workers);
    work_queue_free(f->queue);
    http_engine_free(f->engine);
}

static void expect(struct fixture *f, const char *path, int status, const char *body)
{
    _cleanup_(freep) char *url = xasprintf("http://127.0.0.1:%d%s", serve_port(f->health.server), path);
    _cleanup_(http_response_done) struct http_response response;
    const struct http_request request = {.url = url};
    struct err err = ERR_INIT;

    http_response_init(&response);
    if (http_do(http_engine_client(f->engine), &request, &response, &err) < 0)
        fail_msg("%s", err.msg);
    if (response.status != status || !str_has_prefix(buf_str(&response.body), body))
        fail_msg("%s: %d %s", path, response.status, buf_str(&response.body));
}

static void a_reflector_that_does_not_move_is_not_alive(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    expect(&f, "/livez?verbose", 200,
        "[+]engine ok\n[+]workers ok\n[+]reflector ok\n[+]lease ok\n"); /* it has not begun */
    health_beat(&f.health);
    expect(&f, "/livez", 200, "ok");
    atomic_store(&f.health.reflector_beat_ms, clock_mono_ms() - 299000);
    expect(&f, "/livez", 200, "ok");
    atomic_store(&f.health.reflector_beat_ms, clock_mono_ms() - 301000);
    expect(&f, "/livez", 503, "[-]reflector failed: the watch of the API server has not moved for 30");
    health_beat(&f.health);
    expect(&f, "/livez", 200, "ok");
    end(&f);
}

static void it_is_ready_once_the_first_list_is_complete(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    expect(&f, "/readyz", 503, "[-]synced failed");
    assert_false(health_set_synced(&f.health));
    expect(&f, "/readyz", 200, "ok");
    assert_true(health_set_synced(&f.health));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reflector_that_does_not_move_is_not_alive),
        cmocka_unit_test(it_is_ready_once_the_first_list_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
