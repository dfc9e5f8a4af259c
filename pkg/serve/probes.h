/* Kubernetes' probes: /livez and /readyz, each a list of named checks.
 *
 *     200 "ok", or 503 with a line for each check that failed: "[-]lease failed: not renewed for 20s"
 *     ?verbose lists all of them: "[+]lease ok" ..., as the API server does
 *
 * /livez answers whether the process should be restarted, so it must not depend on anything outside of it. */
#pragma once

#include "serve/server.h"

struct serve_probe {
    const char *name;
    /* 0: well. -1: not, and why (a sentence of at most size - 1 bytes, one line, nothing secret). Runs on the server's
     * thread and must not block. */
    int (*check)(void *ctx, char *why, size_t size);
    void *ctx;
};

struct serve_probes {
    const struct serve_probe *live; /* borrowed; no checks at all are well */
    size_t n_live;
    const struct serve_probe *ready;
    size_t n_ready;
};

/* Answers the request when its path is /livez or /readyz; false when it is another one, and then nothing has happened.
 */
bool serve_probes_handle(
    const struct serve_probes *probes, struct serve_exchange *exchange, const struct serve_request *request);
