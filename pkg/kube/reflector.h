/* List, then watch, for ever: the reflector of client-go (tools/cache/reflector.go), told in one blocking call.
 *
 * First a LIST in pages, then a WATCH from its resourceVersion with bookmarks; a closed stream resumes; 410 in any form
 * lists again, an expired continue token begins the list again; back-off 0.8 s to 30 s with jitter, Retry-After obeyed.
 * A stream without a byte for idle_timeout_ms is taken for half-open and opened anew. What is handed out never goes
 * back in time. */
#pragma once

#include "kube/client.h"

#include <stdint.h>

/* Signs of life, for a watchdog and for metrics. */
enum kube_reflector_progress {
    KUBE_REFLECTOR_LISTS,   /* a list is begun */
    KUBE_REFLECTOR_WATCHES, /* a watch is begun or resumed */
    KUBE_REFLECTOR_HEARS,   /* a page, or bytes of a watch, have come */
    KUBE_REFLECTOR_RESTS,   /* it waits to try again; told many times a second */
};

struct kube_reflector_options {
    const struct kube_resource *resource;
    const char *ns;             /* NULL: all */
    const char *label_selector; /* NULL: none */
    int page_size;              /* 0: 500 */
    int64_t idle_timeout_ms;    /* 0: none is set; servers send a bookmark about once a minute */
    int64_t backoff_base_ms;    /* 0: 800 */
    int64_t backoff_max_ms;     /* 0: 30,000 */
    struct http_cancel *cancel; /* required */

    /* All on the thread that runs the reflector; objects are borrowed for the call. */
    void (*list_begin)(void *ctx); /* everything not seen until list_end is gone; again when a list is begun again */
    void (*upsert)(void *ctx, const cJSON *object); /* list items, ADDED, MODIFIED */
    void (*remove)(void *ctx, const char *ns, const char *name);
    void (*list_end)(void *ctx);                                            /* the first one means: synced */
    void (*progress)(void *ctx, enum kube_reflector_progress what);         /* may be NULL */
    void (*trouble)(void *ctx, const struct err *err, int64_t retry_in_ms); /* for logs; may be NULL */
    void *ctx;
};

/* Returns when cancel is triggered, or the whole client is cancelled. */
void kube_reflector_run(struct kube_client *client, const struct kube_reflector_options *options);
