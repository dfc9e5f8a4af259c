/* Who may have the metrics: decided at once when it is known, else by a thread of its own, which asks the API server.
 * Private to the metrics' server. */
#pragma once

#include "base/buf.h"
#include "kube/review.h"
#include "serve/server.h"

#define METRICS_MAX_WAITING 32

enum metrics_decision {
    METRICS_ALLOWED,
    METRICS_NO_TOKEN,
    METRICS_UNKNOWN_TOKEN,
    METRICS_DENIED,
    METRICS_CANNOT_ASK, /* the API server refuses our question: a right of ours is missing */
    METRICS_TRY_LATER,  /* it cannot be reached */
    METRICS_TOO_MANY,
};

struct metrics_answer {
    int status;
    struct buf body;
};
/* Fills up to two; returns how many. */
size_t metrics_answer_headers(const struct metrics_answer *answer, struct serve_header ret[static 2]);

struct metrics_access;

/* answer() gives the whole answer to a decision, on the thread that decides. kube and ctx are borrowed. */
struct metrics_access *metrics_access_start(struct kube_client *kube, const char *path,
    struct metrics_answer (*answer)(void *ctx, enum metrics_decision decision), void *ctx);
/* On the server's thread. False: the exchange is put off, and will be answered. */
bool metrics_access_decide(struct metrics_access *access, struct serve_exchange *exchange, enum metrics_decision *ret);
/* Ends the thread; what waits is not answered any more. The server may still be running. Accepts NULL. */
void metrics_access_end(struct metrics_access *access);
/* The server has been stopped. Accepts and returns NULL. */
struct metrics_access *metrics_access_free(struct metrics_access *access);
