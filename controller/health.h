/* /livez and /readyz on their own port. Alive: the HTTP engine turns and no pass has been stuck for long. Ready: the
 * first list of resources is complete. */
#pragma once

#include "controller/workers.h"
#include "http/http.h"
#include "serve/server.h"

#include <stdatomic.h>

struct health {
    struct serve_server *server;
    struct http_engine *engine;
    struct workers *workers;
    atomic_bool synced;
};

/* address: "ADDRESS:PORT" or ":PORT"; NULL or "" starts no server. Engine and workers are borrowed until health_stop.
 */
int health_start(
    struct health *health, const char *address, struct http_engine *engine, struct workers *workers, struct err *err);
void health_stop(struct health *health);
bool health_is_synced(const struct health *health);
/* Returns whether it was synced before. */
bool health_set_synced(struct health *health);
