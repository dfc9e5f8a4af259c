#include "controller/health.h"

#include "base/clock.h"
#include "base/str.h"
#include "serve/probes.h"

#include <stdio.h>
#include <string.h>

#define ENGINE_STUCK_MS 30000
#define PASS_STUCK_MS 600000 /* a pass makes a handful of requests of at most two minutes each */

static int engine_turns(void *ctx, char *why, size_t size)
{
    const struct health *health = ctx;
    int64_t age = clock_mono_ms() - http_engine_heartbeat_ms(health->engine);

    if (age < ENGINE_STUCK_MS)
        return 0;
    (void)snprintf(why, size, "the HTTP engine has not turned for %lld s", (long long)age / 1000);
    return -1;
}

static int workers_move(void *ctx, char *why, size_t size)
{
    const struct health *health = ctx;
    int64_t longest = workers_longest_ms(health->workers);

    if (longest < PASS_STUCK_MS)
        return 0;
    (void)snprintf(why, size, "a pass has been running for %lld s", (long long)longest / 1000);
    return -1;
}

static int is_synced(void *ctx, char *why, size_t size)
{
    const struct health *health = ctx;

    if (atomic_load(&health->synced))
        return 0;
    (void)snprintf(why, size, "the first list of resources is not complete");
    return -1;
}

static void handle(void *ctx, struct serve_exchange *exchange, const struct serve_request *request)
{
    const struct serve_probe live[] = {{"engine", engine_turns, ctx}, {"workers", workers_move, ctx}};
    const struct serve_probe ready[] = {{"synced", is_synced, ctx}};
    const struct serve_probes probes = {
        .live = live, .n_live = ARRAY_LEN(live), .ready = ready, .n_ready = ARRAY_LEN(ready)};

    if (!serve_probes_handle(&probes, exchange, request))
        serve_reply_text(exchange, 404, "text/plain", "not found; there are /livez and /readyz\n");
}

/* "ADDRESS:PORT", ":PORT", "[IPV6]:PORT" */
static int split(const char *text, char *address, size_t size, int64_t *ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (!colon || len >= size || !str_to_i64(colon + 1, 0, 65535, ret_port))
        return err_set(err, ERR_INVALID, "--probe-address takes ADDRESS:PORT or :PORT, not \"%.100s\"", text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (!len)
        (void)str_copy(address, size, "0.0.0.0");
    return 0;
}

int health_start(
    struct health *health, const char *address, struct http_engine *engine, struct workers *workers, struct err *err)
{
    char host[64];
    int64_t port;

    health->engine = engine;
    health->workers = workers;
    if (str_empty(address))
        return 0;
    if (split(address, host, sizeof(host), &port, err) < 0)
        return -1;
    const struct serve_options options = {
        .address = host, .port = (int)port, .max_body = 1024, .max_connections = 64, .handler = handle, .ctx = health};
    if (serve_start(&health->server, &options, err) < 0)
        return err_wrap(err, "--probe-address %s", address);
    return 0;
}

void health_stop(struct health *health)
{
    health->server = serve_stop(health->server);
}

bool health_is_synced(const struct health *health)
{
    return atomic_load(&health->synced);
}

bool health_set_synced(struct health *health)
{
    return atomic_exchange(&health->synced, true);
}
