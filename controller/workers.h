/* Blocking workers over the work queue: each takes a key, reconciles it, and puts it back for when the verdict says. */
#pragma once

#include "controller/reconcile.h"
#include "queue/queue.h"

struct workers;

/* Starts n threads. Both are borrowed and must outlive the workers. */
struct workers *workers_start(struct work_queue *queue, struct reconciler *reconciler, int n);
/* The queue must have been stopped. Waits until every pass has ended, frees. Accepts and returns NULL. */
struct workers *workers_join(struct workers *workers);
/* True once every worker has left its last pass. */
bool workers_idle(const struct workers *workers);
/* How long the longest pass has been running, in ms: for a watchdog. */
int64_t workers_longest_ms(const struct workers *workers);
