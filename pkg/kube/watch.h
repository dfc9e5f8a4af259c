/* The watch decoder: bytes in, events out. Pure.
 *
 * A watch is a stream of JSON documents, one a line, that arrives split at any byte. The decoder keeps the unfinished
 * line (capped), never scans a byte twice, and hands out each event once. */
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

enum kube_watch_type { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED, KUBE_BOOKMARK };

struct kube_watch_event {
    enum kube_watch_type type;
    const cJSON *object;          /* borrowed for the call */
    const char *resource_version; /* metadata.resourceVersion, never NULL or empty */
    bool ends_initial;            /* the bookmark after the last initial event of a WatchList */
};

struct kube_watch;
struct kube_watch *kube_watch_new(size_t max_line); /* 0: 4 MiB */
struct kube_watch *kube_watch_free(struct kube_watch *watch);
DEFINE_CLEANUP(struct kube_watch *, kube_watch_free)

/* Decodes what is complete. An ERROR event of the stream becomes -1 with the kind of its Status (410 is ERR_GONE); a
 * line that is too long ERR_TOO_LARGE; what is no event ERR_PROTOCOL. on_event may return -1 to stop. */
int kube_watch_feed(struct kube_watch *watch, const char *bytes, size_t len,
    int (*on_event)(void *ctx, const struct kube_watch_event *event, struct err *err), void *ctx, struct err *err);
/* ERR_UNAVAILABLE when the stream ended within a line. */
int kube_watch_end(const struct kube_watch *watch, struct err *err);
