/* One pass over one resource: gather, decide, perform one effect, fold, repeat; then write the status if it differs. */
#pragma once

#include "controller/ports.h"
#include "controller/store.h"

struct reconciler {
    const struct ports *ports;
    const struct cmk_options *options;
    struct store *store;
    const char *zone_directory; /* NULL: the system's */
    /* Somebody else (controller/sweep.h) looks at the settled resources of this account's subscription: they need no
     * timer. NULL: nobody does. */
    bool (*covers)(void *ctx, const char *account_id);
    void *covers_ctx;
};

/* When to look at the resource again. */
struct reconcile_verdict {
    bool backoff;     /* after the queue's growing delay */
    int64_t after_ms; /* else after so long; 0: only when it changes */
    bool exact;       /* an appointment: not later */
    bool held;        /* throttled before it could learn anything: the failures of earlier passes still count */
    bool stalled;     /* a person must act */
    const char *rule; /* the row that ended the pass, for logs and metrics; NULL when there was nothing to do */
};

/* A pass over a settled resource for which the account was read already, and which may not touch the world: whether
 * there is nothing to do. The account is moved. */
bool reconcile_confirms(struct reconciler *reconciler, const struct store_item *item, struct cmk_account *account);
/* Never sleeps; blocks only in the ports. key is "namespace/name". */
struct reconcile_verdict reconcile(struct reconciler *reconciler, const char *key);
