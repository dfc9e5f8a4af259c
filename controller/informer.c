/* The reflectors' callbacks, each on its reflector's thread.
 *
 * Lock order: the informer's, the store's, the queue's. The informer's covers the question whether a change is held or
 * queued together with the answer, so that no change is held after the last release. What a namespace's own list holds
 * is released by its end. */
#include "controller/informer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trim.h"
#include "controller/codec.h"
#include "controller/kube_port.h"
#include "kube/reflector.h"

#include <pthread.h>
#include <string.h>

/* A connection that is dead is found by TCP (pkg/http/transfer.c). This is for what answers TCP and nothing else, a
 * proxy or a server that hangs: servers send a bookmark once a minute. */
#define WATCH_IDLE_MS 75000

struct reflection {
    struct informer *informer;
    const char *ns; /* NULL: all */
    pthread_t thread;
    bool listing; /* its own thread's alone */
    bool synced;  /* it was listed once; its own thread's alone */
};

struct informer {
    struct informer_options options;
    struct http_cancel *cancel;
    pthread_mutex_t lock;
    size_t unsynced; /* namespaces without a complete list; under the lock */
    size_t n;        /* threads that were started */
    struct reflection each[];
};

static void enqueue(void *ctx, const char *key)
{
    struct informer *informer = ctx;

    work_queue_add(informer->options.queue, key);
}

/* ---- what the reflector says ---- */

static void on_list_begin(void *ctx)
{
    struct reflection *r = ctx;

    r->listing = true;
    store_list_begin(r->informer->options.store, r->ns);
}

static void changed(struct reflection *r, const char *key)
{
    struct informer *informer = r->informer;

    pthread_mutex_lock(&informer->lock);
    if (!informer->unsynced && r->listing)
        store_hold(informer->options.store, key);
    else if (!informer->unsynced)
        work_queue_add(informer->options.queue, key);
    pthread_mutex_unlock(&informer->lock);
}

static void on_upsert(void *ctx, const cJSON *object)
{
    struct reflection *r = ctx;
    const struct informer_options *o = &r->informer->options;
    struct cmk_resource resource;
    struct err err = ERR_INIT;

    if (cmk_decode(&resource, object, &err) < 0) {
        log_warn("object ignored", LOG_S("error", err.msg));
        return;
    }
    _cleanup_(freep) char *key = store_key(resource.ns, resource.name);
    if (store_put(o->store, &resource) == STORE_CHANGED)
        changed(r, key);
}

static void on_remove(void *ctx, const char *ns, const char *name)
{
    struct reflection *r = ctx;
    struct informer *informer = r->informer;
    _cleanup_(freep) char *key = store_key(ns ? ns : "", name);

    pthread_mutex_lock(&informer->lock);
    store_remove(informer->options.store, key, informer->unsynced ? NULL : enqueue, informer);
    pthread_mutex_unlock(&informer->lock);
    work_queue_remove(informer->options.queue, key);
}

static void on_list_end(void *ctx)
{
    struct reflection *r = ctx;
    struct informer *informer = r->informer;
    const struct informer_options *o = &informer->options;

    pthread_mutex_lock(&informer->lock);
    store_list_end(o->store, r->ns, informer->unsynced ? NULL : enqueue, informer);
    bool first = !r->synced && --informer->unsynced == 0;
    bool all = informer->unsynced == 0;
    r->synced = true;
    r->listing = false;
    if (all && !first)
        store_release(o->store, r->ns, enqueue, informer);
    pthread_mutex_unlock(&informer->lock);
    memory_trim(); /* what the list took while it was read */
    if (all)
        o->synced(o->ctx, first);
}

static void on_progress(void *ctx, enum kube_reflector_progress what)
{
    const struct informer_options *o = &((const struct reflection *)ctx)->informer->options;

    if (o->progress)
        o->progress(o->ctx, what);
}

static void on_trouble(void *ctx, const struct err *err, int64_t retry_in_ms)
{
    const struct reflection *r = ctx;
    const struct informer_options *o = &r->informer->options;

    if (o->trouble)
        o->trouble(o->ctx, err);

    log_warn("watching the API server", LOG_S("namespace", r->ns ? r->ns : ""), LOG_S("error", err->msg),
        LOG_I("retryInMs", retry_in_ms),
        LOG_S("hint", err->kind == ERR_NOT_FOUND ? "is the CRD installed? kubectl apply -f crd/cosmoscmk.yaml" : ""));
}

/* ---- life ---- */

static void *reflect(void *ctx)
{
    struct reflection *r = ctx;
    const struct kube_reflector_options options = {
        .resource = &cosmoscmk_resource,
        .ns = r->ns,
        .label_selector = r->informer->options.label_selector,
        .idle_timeout_ms = WATCH_IDLE_MS,
        .cancel = r->informer->cancel,
        .list_begin = on_list_begin,
        .upsert = on_upsert,
        .remove = on_remove,
        .list_end = on_list_end,
        .progress = on_progress,
        .trouble = on_trouble,
        .ctx = r,
    };

    kube_reflector_run(r->informer->options.client, &options);
    return NULL;
}

int informer_start(struct informer **ret, const struct informer_options *options, struct err *err)
{
    size_t n = options->n_namespaces ? options->n_namespaces : 1;
    struct informer *informer = xcalloc(1, sizeof(*informer) + n * sizeof(informer->each[0]));

    informer->options = *options;
    informer->cancel = http_cancel_new();
    informer->unsynced = n;
    (void)pthread_mutex_init(&informer->lock, NULL);
    *ret = informer; /* what was started must be ended, whatever comes */
    for (; informer->n < n; informer->n++) {
        struct reflection *r = &informer->each[informer->n];
        *r = (struct reflection){
            .informer = informer, .ns = options->n_namespaces ? options->namespaces[informer->n] : NULL};
        if (pthread_create(&r->thread, NULL, reflect, r) != 0)
            return err_set(err, ERR_INTERNAL, "cannot start a thread");
    }
    return 0;
}

void informer_cancel(struct informer *informer)
{
    if (informer)
        http_cancel_trigger(informer->cancel);
}

struct informer *informer_join(struct informer *informer)
{
    if (!informer)
        return NULL;
    for (size_t i = 0; i < informer->n; i++)
        (void)pthread_join(informer->each[i].thread, NULL);
    http_cancel_free(informer->cancel);
    (void)pthread_mutex_destroy(&informer->lock);
    free(informer);
    return NULL;
}
