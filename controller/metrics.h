/* The controller's metrics: which there are, and where their values come from.
 *
 * Names are those of controller-runtime and client-go where they have one, so that dashboards that exist work, and
 * cosmoscmk_* otherwise. No label names a resource, an account or a subscription: a fleet of any size has the same few
 * hundred series. The layers below know nothing of this; they offer hooks, which are tied here. */
#pragma once

#include "base/buf.h"
#include "controller/store.h"
#include "controller/workers.h"
#include "http/layer.h"
#include "kube/reflector.h"

#define METRICS_TEXT_MAX ((size_t)4 << 20)

struct app_metrics;

struct app_metrics *app_metrics_new(void);
struct app_metrics *app_metrics_free(struct app_metrics *m); /* accepts and returns NULL */
DEFINE_CLEANUP(struct app_metrics *, app_metrics_free)

/* Hooks, for those who take them; they hold for the life of m. */
struct http_observer app_metrics_azure(struct app_metrics *m);
struct http_observer app_metrics_kube(struct app_metrics *m);
struct workers_observer app_metrics_workers(struct app_metrics *m);
void app_metrics_queued(void *m, int64_t waited_ms);                            /* for work_queue_on_get */
void app_metrics_sent(void *m, enum cmk_step_type step, const struct err *err); /* for azure_port_context */
void app_metrics_watch(struct app_metrics *m, enum kube_reflector_progress what);
void app_metrics_watch_failed(struct app_metrics *m, const struct err *err);

/* What is looked at when somebody scrapes. All borrowed; they must outlive the last scrape. NULL: not shown. */
struct app_metrics_sources {
    struct work_queue *queue;
    const struct workers *workers;
    struct store *store;
    struct http_client *limiter;  /* azure/limiter.h */
    bool (*is_leader)(void *ctx); /* NULL: there is no election */
    void *leader_ctx;
    const char *lease_name;
};
/* Before the first scrape. */
void app_metrics_look_at(struct app_metrics *m, const struct app_metrics_sources *sources);

/* Appends Prometheus' text. Any thread. */
void app_metrics_render(struct app_metrics *m, struct buf *ret);
