/* A recorder of Kubernetes events (events.k8s.io/v1).
 *
 * Events are a courtesy to people: recording never blocks, never fails a caller and never retries for long. A bounded
 * queue and a thread of its own; what does not fit, is over the limits or is not taken by the API server is dropped and
 * counted. Repeated events become a series (event_core.h has the rules).
 *
 * Needed rights: create and patch on events in events.k8s.io. */
#pragma once

#include "kube/client.h"

struct kube_event_object {
    const char *api_version; /* "cosmoscmk.io/v1" */
    const char *kind;
    const char *ns; /* the event goes there as well */
    const char *name;
    const char *uid;
    const char *resource_version;
};

/* As events.k8s.io/v1 wants it: reason and action are words of at most 128 bytes, a note is a sentence; one of more
 * than 1024 bytes is cut at a character. Everything is borrowed for the time of the call. */
struct kube_event {
    struct kube_event_object regarding;
    const char *reason;
    const char *action;
    const char *note;
    bool warning;
};

struct kube_events;

struct kube_events_options {
    struct kube_client *client; /* borrowed; must outlive the recorder */
    const char *controller;     /* reportingController: a qualified name such as "cosmoscmk" */
    const char *instance;       /* reportingInstance, cut to 128 bytes: which process it is */
    size_t queue;               /* events that wait; 0: 1000 */
    int64_t retry_ms;           /* before the second try, doubled for the third and last; 0: 1 s */
    /* Called on the recorder's thread when an event was not taken, at most once in 10 minutes (or complain_ms): the
     * cause, and how many have been lost since the last call. May be NULL. */
    void (*trouble)(void *ctx, const struct err *err, uint64_t lost);
    void *ctx;
    int64_t complain_ms;
};

struct kube_events_stats {
    uint64_t written;  /* objects created and series patched */
    uint64_t counted;  /* repeats that only count in a series */
    uint64_t limited;  /* dropped: too many for one object, or of all */
    uint64_t overflow; /* dropped: the queue was full */
    uint64_t refused;  /* dropped: the API server did not take it */
};

/* ERR_INVALID when controller is no qualified name or instance is empty. */
int kube_events_new(struct kube_events **ret, const struct kube_events_options *options, struct err *err);
/* From any thread; returns at once. */
void kube_events_record(struct kube_events *events, const struct kube_event *event);
void kube_events_stats(struct kube_events *events, struct kube_events_stats *ret);
/* Refuses new events, and waits until those that wait and the counts of running series are written, at most so long. */
void kube_events_flush(struct kube_events *events, int64_t limit_ms);
/* Ends the thread. A request in flight is waited for: end it with kube_client_cancel(). Accepts and returns NULL. */
struct kube_events *kube_events_free(struct kube_events *events);
DEFINE_CLEANUP(struct kube_events *, kube_events_free)
