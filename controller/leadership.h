/* Which of several controllers works: the one that holds the Lease. The others do everything but work, so that they are
 * warm when their turn comes: their keys wait in the queue.
 *
 * A leader that loses the Lease cannot go on: what it knows may be old, so the process ends, as those of client-go do,
 * and starts again as a candidate. */
#pragma once

#include "kube/lease.h"
#include "queue/queue.h"

#include <stdatomic.h>

struct leadership_options {
    bool elect;                 /* false: this one works, whoever else does */
    const char *namespace_name; /* NULL: where we run */
    const char *name;
    int64_t lease_duration, renew_deadline, retry_period;
};
#define LEADERSHIP_DEFAULTS                                                                                            \
    {                                                                                                                  \
        .elect = true, .name = "cosmoscmk", .lease_duration = 15000, .renew_deadline = 10000, .retry_period = 2000     \
    }

struct leadership {
    const struct leadership_options *options;
    struct work_queue *queue;
    void (*on_leading)(void *ctx);
    void (*on_lost)(void *ctx);
    void *ctx;
    struct kube_lease *lease; /* NULL without election */
    char *place;              /* "namespace/name", for logs */
    enum err_kind trouble;    /* as last said; of the lease's thread */
    atomic_bool lost;
};

/* For the command line: a sentence when the durations do not fit together. */
int leadership_check_options(const struct leadership_options *options, struct err *err);

/* Holds the queue until we lead; without election does nothing. default_ns: for options without one. on_leading is
 * called on another thread, once, when we do; on_lost once, when nothing may be changed any more and the process must
 * end. All is borrowed. */
int leadership_init(struct leadership *l, struct kube_client *client, const char *default_ns, struct err *err);
void leadership_start(struct leadership *l);
/* When the workers have ended: gives the Lease back, so that another need not wait until it runs out. Accepts one that
 * was never initialised. */
void leadership_stop(struct leadership *l);

/* For any thread. */

/* May we change anything at this instant? ctx is a struct leadership. */
bool leadership_valid(void *ctx);
/* For metrics: true without election. */
bool leadership_is_leader(const struct leadership *l);
bool leadership_is_lost(const struct leadership *l);
/* A probe: fails when we believe to lead and have not renewed for so long that another must have taken over
 * (client-go's healthz adaptor, whose tolerance is 20 s as well). */
int leadership_check_renewal(const struct leadership *l, char *why, size_t size);
