/* The registry as a whole, and what belongs to no other file: the build, the lease, the watch. */
#include "controller/metrics_private.h"

#include "base/clock.h"
#include "base/mem.h"

static void collect_build(void *ctx _unused_, struct metric *metric)
{
    metric_set(metric, METRIC_LABELS(COSMOSCMK_VERSION), 1);
}

static void collect_leader(void *ctx, struct metric *metric)
{
    const struct app_metrics_sources *s = &((struct app_metrics *)ctx)->sources;

    if (s->is_leader)
        metric_set(metric, METRIC_LABELS(s->lease_name), s->is_leader(s->leader_ctx) ? 1 : 0);
}

static void collect_last_event(void *ctx, struct metric *metric)
{
    int64_t ms = atomic_load(&((struct app_metrics *)ctx)->last_event_ms);

    if (ms)
        metric_set(metric, NULL, (double)ms / 1000);
}

static void register_watch(struct app_metrics *m)
{
    struct metrics *r = m->registry;

    m->watch_lists = metrics_add(r, &(struct metric_desc){"cosmoscmk_watch_lists_total",
                                        "Lists of all resources that were begun.", METRIC_COUNTER});
    m->watch_streams = metrics_add(
        r, &(struct metric_desc){"cosmoscmk_watch_streams_total", "Watch streams that were opened.", METRIC_COUNTER});
    m->watch_failures =
        metrics_add(r, &(struct metric_desc){"cosmoscmk_watch_failures_total",
                           "Lists and watches that failed, by the kind of error.", METRIC_COUNTER, .labels = {"kind"}});
    (void)metrics_add(r, &(struct metric_desc){"cosmoscmk_watch_last_event_timestamp_seconds",
                             "When the API server last sent anything about resources, bookmarks included.",
                             METRIC_GAUGE, .collect = collect_last_event, .ctx = m});
    metric_add(m->watch_lists, NULL, 0);
    metric_add(m->watch_streams, NULL, 0);
}

struct app_metrics *app_metrics_new(void)
{
    struct app_metrics *m = xcalloc(1, sizeof(*m));

    m->registry = metrics_new();
    m->started_ms = clock_wall_ms();
    (void)metrics_add(m->registry, &(struct metric_desc){"cosmoscmk_build_info", "The version that runs; always 1.",
                                       METRIC_GAUGE, .labels = {"version"}, .collect = collect_build});
    (void)metrics_add(
        m->registry, &(struct metric_desc){"leader_election_master_status", "Whether this process holds the lease.",
                         METRIC_GAUGE, .labels = {"name"}, .collect = collect_leader, .ctx = m});
    register_watch(m);
    metrics_http_register(m);
    metrics_work_register(m);
    metrics_fleet_register(m);
    metrics_process_register(m);
    return m;
}

struct app_metrics *app_metrics_free(struct app_metrics *m)
{
    if (!m)
        return NULL;
    metrics_free(m->registry);
    free(m);
    return NULL;
}

void app_metrics_watch(struct app_metrics *m, enum kube_reflector_progress what)
{
    if (what == KUBE_REFLECTOR_LISTS)
        metric_add(m->watch_lists, NULL, 1);
    else if (what == KUBE_REFLECTOR_WATCHES)
        metric_add(m->watch_streams, NULL, 1);
    else if (what == KUBE_REFLECTOR_HEARS)
        atomic_store(&m->last_event_ms, clock_wall_ms());
}

void app_metrics_watch_failed(struct app_metrics *m, const struct err *err)
{
    metric_add(m->watch_failures, METRIC_LABELS(err_kind_name(err->kind)), 1);
}

void app_metrics_look_at(struct app_metrics *m, const struct app_metrics_sources *sources)
{
    m->sources = *sources;
}

void app_metrics_render(struct app_metrics *m, struct buf *ret)
{
    metrics_render(m->registry, ret);
}
