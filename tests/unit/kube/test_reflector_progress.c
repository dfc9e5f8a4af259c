/* The reflector's signs of life. */
#include "unit.h"

#include "api_server.h"
#include "kube/reflector.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct kube_resource cmks = {"cosmoscmk.io", "v1", "cosmoscmks"};

#define LIST "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}"
#define BOOKMARK "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\"}}}\n"

static atomic_int told[KUBE_REFLECTOR_RESTS + 1];

static void progress(void *ctx, enum kube_reflector_progress what)
{
    (void)ctx;
    atomic_fetch_add(&told[what], 1);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void upsert(void *ctx, const cJSON *object)
{
    (void)ctx;
    (void)object;
}

static void take_away(void *ctx, const char *ns, const char *name)
{
    (void)ctx;
    (void)ns;
    (void)name;
}

struct run {
    struct kube_client *client;
    struct kube_reflector_options options;
};

static void *run(void *ctx)
{
    struct run *r = ctx;

    kube_reflector_run(r->client, &r->options);
    return NULL;
}

static void lists_watches_what_comes_and_waiting_are_signs_of_life(void **state)
{
    static const struct api_answer script[] = {
        {500, "{}"}, /* the list fails: it waits */
        {500, "{}"}, /* its repetitions, of the layer below */
        {500, "{}"},
        {200, LIST},                 /* heard */
        {200, BOOKMARK, API_STREAM}, /* heard */
        {200, BOOKMARK, API_HANG},
    };
    const struct http_engine_options engine_options = {.user_agent = "test/1"};
    struct kube_config config = {0};
    struct api_server api;
    struct http_engine *engine;
    struct run r = {.options = {.resource = &cmks,
                        .backoff_base_ms = 1,
                        .backoff_max_ms = 2,
                        .list_begin = nothing,
                        .upsert = upsert,
                        .remove = take_away,
                        .list_end = nothing,
                        .progress = progress}};
    pthread_t thread;

    (void)state;
    api_start(&api, script, ARRAY_LEN(script));
    config.server = xasprintf("http://127.0.0.1:%d", httpd_port(api.server));
    assert_int_equal(http_engine_new(&engine, &engine_options, NULL), 0);
    assert_int_equal(kube_client_new(&r.client, engine, &config, NULL), 0);
    r.options.cancel = http_cancel_new();
    assert_int_equal(pthread_create(&thread, NULL, run, &r), 0);
    for (int i = 0; i < 3000 && atomic_load(&told[KUBE_REFLECTOR_HEARS]) < 3; i++)
        clock_sleep_ms(10);
    http_cancel_trigger(r.options.cancel);
    (void)pthread_join(thread, NULL);
    assert_true(atomic_load(&told[KUBE_REFLECTOR_LISTS]) >= 2);
    assert_true(atomic_load(&told[KUBE_REFLECTOR_RESTS]) >= 1);
    assert_int_equal(atomic_load(&told[KUBE_REFLECTOR_WATCHES]), 2);
    assert_true(atomic_load(&told[KUBE_REFLECTOR_HEARS]) >= 3);
    kube_client_free(r.client);
    http_engine_free(engine);
    http_cancel_free(r.options.cancel);
    free(config.server);
    api_stop(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_watches_what_comes_and_waiting_are_signs_of_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
