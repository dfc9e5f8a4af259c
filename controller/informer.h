/* From the API server into the store and the queue: one reflector for each namespace that is watched, or one for all.
 *
 * Who acts for an account is known only when every resource is known. So nothing is queued by the first lists: once
 * all are complete the first sweep (controller/sweep.h) asks for the passes that are needed. What a later list changes
 * waits for that list's end. */
#pragma once

#include "controller/store.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "queue/queue.h"

#define INFORMER_MAX_NAMESPACES 64

struct informer_options {
    struct kube_client *client;
    struct store *store;
    struct work_queue *queue;
    const char *const *namespaces; /* checked DNS labels, each once */
    size_t n_namespaces;           /* 0: all namespaces */
    const char *label_selector;    /* NULL: none */
    /* After the first lists of all namespaces (first), and after each list from then on. On a reflector's thread. */
    void (*synced)(void *ctx, bool first);
    /* Signs of life and failures, of any namespace; NULL: of no interest. On a reflector's thread. */
    void (*progress)(void *ctx, enum kube_reflector_progress what);
    void (*trouble)(void *ctx, const struct err *err);
    void *ctx;
};

struct informer;
/* What options point to is borrowed until informer_join. */
int informer_start(struct informer **ret, const struct informer_options *options, struct err *err);
/* Ends the watches; does not wait. Accepts NULL. */
void informer_cancel(struct informer *informer);
/* After informer_cancel. Accepts and returns NULL. */
struct informer *informer_join(struct informer *informer);
