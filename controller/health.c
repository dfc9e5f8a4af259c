#include "controller/health.h"

#include "base/clock.h"
#include "base/str.h"
#include "controller/listen.h"
#include "serve/probes.h"

#include <stdio.h>
#include <string.h>

#define ENGINE_STUCK_MS 30000
#define REFLECTOR_STUCK_MS 300000
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

static int lease_is_renewed(void *ctx, char *why, size_t size)
{
    const struct health *health = ctx;

    return leadership_check_renewal(health->leadership, why, size);
}

/* Whatever it waits for, it says so before: a page for a minute at most and three times over, a silent stream for a
 * minute and a half, and time to try again in small pieces. */
static int reflector_moves(void *ctx, char *why, size_t size)
{
    const struct health *health = ctx;
    int64_t since = atomic_load(&health->reflector_beat_ms), age = since ? clock_mono_ms() - since : 0;

    if (age < REFLECTOR_STUCK_MS)
        return 0;
    (void)snprintf(why, size, "the watch of the API server has not moved for %lld s", (long long)age / 1000);
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
    const struct serve_probe live[] = {{"engine", engine_turns, ctx}, {"workers", workers_move, ctx},
        {"reflector", reflector_moves, ctx}, {"lease", lease_is_renewed, ctx}};
    const struct serve_probe ready[] = {{"synced", is_synced, ctx}};
    const struct serve_probes probes = {
        .live = live, .n_live = ARRAY_LEN(live), .ready = ready, .n_ready = ARRAY_LEN(ready)};

    if (!serve_probes_handle(&probes, exchange, request))
        serve_reply_text(exchange, 404, "text/plain", "not found; there are /livez and /readyz\n");
}

int health_start(
    struct health *health, const char *address, struct http_engine *engine, struct workers *workers, struct err *err)
{
    char host[LISTEN_HOST_SIZE];
    int port;

    health->engine = engine;
    health->workers = workers;
    if (str_empty(address))
        return 0;
    if (listen_parse("--probe-address", address, host, &port, err) < 0)
        return -1;
    const struct serve_options options = {
        .address = host, .port = port, .max_body = 1024, .max_connections = 64, .handler = handle, .ctx = health};
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

void health_beat(struct health *health)
{
    atomic_store(&health->reflector_beat_ms, clock_mono_ms());
}
