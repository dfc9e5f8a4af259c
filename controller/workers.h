/* Blocking workers over the work queue: each takes a key, reconciles it, and puts it back for when the verdict says. */
#pragma once

#include "controller/reconcile.h"
#include "queue/queue.h"

struct workers;

/* Told of each pass when it is over, on the worker's thread. */
struct workers_observer {
    void (*passed)(void *ctx, const struct reconcile_verdict *verdict, int64_t ms); /* may be NULL */
    void *ctx;
};

/* Starts n threads. Queue and reconciler are borrowed and must outlive the workers; observer (may be NULL) is copied.
 */
struct workers *workers_start(
    struct work_queue *queue, struct reconciler *reconciler, int n, const struct workers_observer *observer);
/* The queue must have been stopped. Waits until every pass has ended, frees. Accepts and returns NULL. */
struct workers *workers_join(struct workers *workers);
/* True once every worker has left its last pass. */
bool workers_idle(const struct workers *workers);
/* How long the longest pass has been running, in ms: for a watchdog. */
int64_t workers_longest_ms(const struct workers *workers);

struct workers_now {
    int n;
    int busy;
    int64_t busy_ms; /* of all passes that run, together */
};
void workers_look(const struct workers *workers, struct workers_now *ret);
