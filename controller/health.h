/* /livez and /readyz on their own port. Alive: the HTTP engine turns, no pass has been stuck for long, the reflector's
 * thread moves, and a leader renews its lease. Ready: the first list of resources is complete. */
#pragma once

#include "controller/leadership.h"
#include "controller/workers.h"
#include "http/http.h"
#include "serve/server.h"

#include <stdatomic.h>

struct health {
    struct serve_server *server;
    struct http_engine *engine;
    struct workers *workers;
    const struct leadership *leadership; /* set before health_start */
    atomic_bool synced;
    _Atomic int64_t reflector_beat_ms; /* monotonic; 0: it has not begun */
};

/* address: "ADDRESS:PORT" or ":PORT"; NULL or "" starts no server. Engine and workers are borrowed until health_stop.
 */
int health_start(
    struct health *health, const char *address, struct http_engine *engine, struct workers *workers, struct err *err);
void health_stop(struct health *health);
/* The reflector's thread is alive, and moves: to be called at each of its steps. */
void health_beat(struct health *health);
bool health_is_synced(const struct health *health);
/* Returns whether it was synced before. */
bool health_set_synced(struct health *health);
