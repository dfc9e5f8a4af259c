/* SIGTERM ends it cleanly and soon, whatever it is doing; the probes answer. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/files.h"
#include "e2e/harness.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MS 5000 /* two seconds are the promise */
#define POLL_MS 20

static void stop_and_tell(struct world *w)
{
    int64_t took = controller_stop(w, LIMIT_MS);

    (void)printf("             ended after %lld ms\n", (long long)took);
    (void)fflush(stdout);
}

static void when_idle(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    stop_and_tell(w);
}

static void during_an_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    stop_and_tell(w);
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void hang(struct world *w, const char *match)
{
    _cleanup_(freep) char *rule = xasprintf("{\"match\":{%s,\"count\":1},\"action\":{\"hold\":true}}", match);

    azure_start(w, NULL);
    azure_fault(w, rule);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
}

static void while_azure_hangs(struct world *w)
{
    hang(w, "\"method\":\"GET\"");
    azure_await_count(w, "GET", "demo-orders", 1);
    stop_and_tell(w);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void while_a_patch_hangs(struct world *w)
{
    hang(w, "\"method\":\"PATCH\"");
    azure_await_count(w, "PATCH", "demo-orders", 1);
    stop_and_tell(w);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void while_entra_hangs(struct world *w)
{
    hang(w, "\"pathContains\":\"oauth2\"");
    azure_await_count(w, "POST", "oauth2", 1);
    stop_and_tell(w);
}

static void while_the_api_server_hangs(struct world *w)
{
    _cleanup_(freep) char *rule =
        xasprintf("{\"match\":{\"method\":\"PATCH\",\"pathContains\":\"%s\"},\"action\":{\"hold\":true}}", w->ns);

    azure_start(w, NULL);
    json_free(apiserver_ask("POST", "/fake/faults", rule));
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    while (apiserver_count(w, "PATCH") < 1 && clock_mono_ms() < deadline)
        clock_sleep_ms(POLL_MS);
    stop_and_tell(w);
}

/* ---- probes ---- */

/* The status, or 0 when there is no answer (yet). */
static int probe(const char *base, const char *path)
{
    _cleanup_(http_response_done) struct http_response response;
    _cleanup_(freep) char *url = xasprintf("%s%s", base, path);
    const struct http_request request = {.method = "GET", .url = url};
    struct err err = ERR_INIT;

    http_response_init(&response);
    return http_do(the_http(), &request, &response, &err) < 0 ? 0 : response.status;
}

static void await_probe(const char *base, const char *path, int status)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (int seen; (seen = probe(base, path)) != status; clock_sleep_ms(POLL_MS))
        if (clock_mono_ms() >= deadline)
            fail_msg("%s answers %d and not %d", path, seen, status);
}

static void probes_answer(struct world *w)
{
    int port = free_port();
    _cleanup_(freep) char *address = xasprintf("127.0.0.1:%d", port), *base = xasprintf("http://%s", address);

    azure_start(w, NULL);
    controller_start(w, (const char *const[]){"--probe-address", address, NULL});
    await_probe(base, "/readyz", 200);
    await_probe(base, "/livez", 200);
    await_probe(base, "/nothing", 404);
    stop_and_tell(w);
    assert_int_equal(probe(base, "/livez"), 0);
}

static void not_ready_before_the_list(struct world *w)
{
    int port = free_port();
    _cleanup_(freep) char *address = xasprintf("127.0.0.1:%d", port), *base = xasprintf("http://%s", address);
    _cleanup_(freep) char *rule = xasprintf(
        "{\"match\":{\"method\":\"GET\",\"pathContains\":\"%s/cosmoscmks\",\"count\":0},\"action\":{\"status\":500}}",
        w->ns);

    azure_start(w, NULL);
    json_free(apiserver_ask("POST", "/fake/faults", rule));
    controller_start(w, (const char *const[]){"--probe-address", address, NULL});
    await_probe(base, "/livez", 200);
    await_probe(base, "/readyz", 503);
    stop_and_tell(w);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"SIGTERM ends it when it is idle", when_idle},
        {"SIGTERM ends it during an operation, and the next one follows it to its end", during_an_operation},
        {"SIGTERM ends it while Azure hangs", while_azure_hangs},
        {"SIGTERM ends it while a PATCH hangs, which is then not forgotten", while_a_patch_hangs},
        {"SIGTERM ends it while Entra hangs", while_entra_hangs, .no_crash = "it ends before anything is at rest"},
        {"SIGTERM ends it while the API server hangs", while_the_api_server_hangs, .fake_only = true,
            .no_crash = "it ends before anything is at rest"},
        {"the probes answer as long as it runs", probes_answer},
        {"it is alive, but not ready, before it has seen all resources", not_ready_before_the_list, .fake_only = true,
            .no_crash = "in the end the API server is broken"},
    };

    return run_scenes("ends", scenes, ARRAY_LEN(scenes));
}
