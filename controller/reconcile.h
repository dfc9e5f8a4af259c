/* One pass over one resource: gather, decide, perform one effect, fold, repeat; then write the status if it differs. */
#pragma once

#include "controller/ports.h"
#include "controller/store.h"

struct reconciler {
    const struct ports *ports;
    const struct cmk_options *options;
    struct store *store;
    const char *zone_directory; /* NULL: the system's */
};

/* When to look at the resource again. */
struct reconcile_verdict {
    bool backoff;     /* after the queue's growing delay */
    int64_t after_ms; /* else after so long; 0: only when it changes */
    bool exact;       /* an appointment: not later */
    bool stalled;     /* a person must act */
    const char *rule; /* the row that ended the pass, for logs and metrics; NULL when there was nothing to do */
};

/* Never sleeps; blocks only in the ports. key is "namespace/name". */
struct reconcile_verdict reconcile(struct reconciler *reconciler, const char *key);
