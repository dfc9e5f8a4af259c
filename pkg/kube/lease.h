/* A Lease object (coordination.k8s.io/v1) held, or waited for, by a thread of its own. The rules are in kube/elector.h.
 *
 * Verbs that it needs on leases.coordination.k8s.io in its namespace: get, create, patch. A renewal is a merge patch of
 * our own fields on condition of the resourceVersion, so that whatever else is in the object stays. */
#pragma once

#include "kube/client.h"

struct kube_lease_options {
    struct kube_client *client; /* borrowed, like all of this */
    const char *ns, *name;
    int64_t lease_duration_ms, renew_deadline_ms, retry_period_ms; /* as kube_lease_check() has them */

    /* All on the lease's thread; none may call back into the lease but for the questions below. */
    void (*started_leading)(void *ctx);
    /* Once, and it is final: the thread ends after it. Not called for kube_lease_release(). */
    void (*stopped_leading)(void *ctx, const char *why);
    void (*new_leader)(void *ctx, const char *holder, bool is_us); /* for logs */
    /* NULL: it works again. For logs; may come at every attempt. */
    void (*trouble)(void *ctx, const struct err *err);
    void *ctx;
};

/* The relations that client-go demands: duration > deadline > 1.2 * period. The sentence names the flags, which begin
 * with prefix ("--leader-elect-"). */
int kube_lease_check(const struct kube_lease_options *options, const char *prefix, struct err *err);

struct kube_lease;
/* Not running yet. ERR_INVALID when namespace or name cannot be ones. Whether the server allows it is for trouble() to
 * tell. */
int kube_lease_new(struct kube_lease **ret, const struct kube_lease_options *options, struct err *err);
void kube_lease_start(struct kube_lease *lease);
/* Ends the thread, if it runs; when we lead, gives the Lease back first, within 2 s. What it guards must have stopped.
 * Frees. Accepts and returns NULL. */
struct kube_lease *kube_lease_release(struct kube_lease *lease);

/* For any thread, at any time; they do not block. */

/* May we act as the leader at this instant? */
bool kube_lease_valid(const struct kube_lease *lease);
/* Do we believe to lead? For metrics; it may be true for a moment after the validity has run out. */
bool kube_lease_is_leader(const struct kube_lease *lease);
/* How long ago the last renewal that succeeded was begun; 0 when we do not lead. For a watchdog. */
int64_t kube_lease_unrenewed_ms(const struct kube_lease *lease);

struct kube_lease_counts {
    int64_t transitions;   /* of the Lease, as last seen */
    int64_t slow_renewals; /* attempts to renew that failed while we led */
};
struct kube_lease_counts kube_lease_counts(const struct kube_lease *lease);
/* HOSTNAME_UUID, new for each start. Borrowed. */
const char *kube_lease_identity(const struct kube_lease *lease);
