/* Passes, the queue before them, and the changes that they send. Names and buckets are controller-runtime's
 * (pkg/internal/controller/metrics, pkg/metrics/workqueue.go). */
#include "controller/metrics_private.h"

#include "base/mem.h"
#include "base/str.h"

static const double reconcile_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60};
static const double queue_bounds[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};

#define BY_CONTROLLER METRIC_LABELS(CONTROLLER)
#define BY_QUEUE METRIC_LABELS(CONTROLLER, CONTROLLER)

/* ---- passes ---- */

/* A stalled resource is controller-runtime's terminal error: trying again by itself will not help. */
static void passed(void *ctx, const struct reconcile_verdict *verdict, int64_t ms)
{
    const struct app_metrics *m = ctx;
    bool failed = verdict->backoff || verdict->stalled;
    double seconds = (double)ms / 1000;

    metric_add(m->reconciles,
        METRIC_LABELS(CONTROLLER, failed                  ? "error"
                                  : verdict->after_ms > 0 ? "requeue_after"
                                                          : "success"),
        1);
    metric_add(m->reconcile_errors, BY_CONTROLLER, failed);
    metric_add(m->terminal_errors, BY_CONTROLLER, verdict->stalled);
    metric_observe(m->reconcile_seconds, BY_CONTROLLER, seconds);
    metric_observe(m->work_seconds, BY_QUEUE, seconds);
    metric_add(m->passes, METRIC_LABELS(verdict->rule ? verdict->rule : "gone"), 1);
}

struct workers_observer app_metrics_workers(struct app_metrics *m)
{
    return (struct workers_observer){passed, m};
}

void app_metrics_queued(void *m, int64_t waited_ms)
{
    metric_observe(((struct app_metrics *)m)->queue_seconds, BY_QUEUE, (double)waited_ms / 1000);
}

/* ---- changes ---- */

void app_metrics_sent(void *m, enum cmk_step_type step, const struct err *err)
{
    const char *result = !err ? "accepted" : err->maybe_sent ? "unknown" : "refused";

    metric_add(((struct app_metrics *)m)->changes, METRIC_LABELS(cmk_step_type_name(step), result), 1);
}

/* ---- looked at ---- */

static void collect_workers(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;
    struct workers_now now;

    if (!m->sources.workers)
        return;
    workers_look(m->sources.workers, &now);
    metric_set(metric, BY_CONTROLLER, now.n);
}

static void collect_active(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;
    struct workers_now now;

    if (!m->sources.workers)
        return;
    workers_look(m->sources.workers, &now);
    metric_set(metric, BY_CONTROLLER, now.busy);
}

static void collect_unfinished(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;
    struct workers_now now;

    if (!m->sources.workers)
        return;
    workers_look(m->sources.workers, &now);
    metric_set(metric, BY_QUEUE, (double)now.busy_ms / 1000);
}

static void collect_longest(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (m->sources.workers)
        metric_set(metric, BY_QUEUE, (double)workers_longest_ms(m->sources.workers) / 1000);
}

static bool look_at_queue(void *ctx, struct queue_stats *ret)
{
    struct work_queue *queue = ((struct app_metrics *)ctx)->sources.queue;

    if (queue)
        work_queue_stats(queue, ret);
    return queue;
}

static void collect_depth(void *ctx, struct metric *metric)
{
    struct queue_stats stats;

    if (look_at_queue(ctx, &stats))
        metric_set(metric, BY_QUEUE, (double)stats.ready);
}

static void collect_adds(void *ctx, struct metric *metric)
{
    struct queue_stats stats;

    if (look_at_queue(ctx, &stats))
        metric_set(metric, BY_QUEUE, (double)stats.adds);
}

static void collect_retries(void *ctx, struct metric *metric)
{
    struct queue_stats stats;

    if (look_at_queue(ctx, &stats))
        metric_set(metric, BY_QUEUE, (double)stats.retries);
}

/* ---- families ---- */

static void register_passes(struct app_metrics *m)
{
    struct metrics *r = m->registry;

    m->reconciles =
        metrics_add(r, &(struct metric_desc){"controller_runtime_reconcile_total", "Passes over resources, by result.",
                           METRIC_COUNTER, .labels = {"controller", "result"}});
    m->reconcile_errors = metrics_add(
        r, &(struct metric_desc){"controller_runtime_reconcile_errors_total",
               "Passes that failed, or left a resource stalled.", METRIC_COUNTER, .labels = {"controller"}});
    m->terminal_errors = metrics_add(
        r, &(struct metric_desc){"controller_runtime_terminal_reconcile_errors_total",
               "Passes that left a resource stalled: a person must act.", METRIC_COUNTER, .labels = {"controller"}});
    m->reconcile_seconds = metrics_add(
        r, &(struct metric_desc){"controller_runtime_reconcile_time_seconds", "How long passes took.", METRIC_HISTOGRAM,
               .labels = {"controller"}, .bounds = reconcile_bounds, .n_bounds = ARRAY_LEN(reconcile_bounds)});
    m->passes =
        metrics_add(r, &(struct metric_desc){"cosmoscmk_passes_total",
                           "Passes over resources, by the rule that ended them.", METRIC_COUNTER, .labels = {"rule"}});
    m->changes = metrics_add(r,
        &(struct metric_desc){"cosmoscmk_changes_total",
            "Changes sent to Azure, by step of the plan and result: accepted, refused, or unknown when the answer was "
            "lost.",
            METRIC_COUNTER, .labels = {"step", "result"}});
    for (size_t i = 0; i < 3; i++)
        metric_add(
            m->reconciles, METRIC_LABELS(CONTROLLER, (const char *[]){"success", "error", "requeue_after"}[i]), 0);
    metric_add(m->reconcile_errors, BY_CONTROLLER, 0);
    metric_add(m->terminal_errors, BY_CONTROLLER, 0);
}

static void register_queue(struct app_metrics *m)
{
    const struct metric_desc families[] = {
        {"workqueue_depth", "Keys that are due.", METRIC_GAUGE, .collect = collect_depth},
        {"workqueue_adds_total", "Keys added.", METRIC_COUNTER, .collect = collect_adds},
        {"workqueue_retries_total", "Keys added for later.", METRIC_COUNTER, .collect = collect_retries},
        {"workqueue_unfinished_work_seconds", "How long the passes that run have been running, together.", METRIC_GAUGE,
            .collect = collect_unfinished},
        {"workqueue_longest_running_processor_seconds", "How long the longest pass that runs has been running.",
            METRIC_GAUGE, .collect = collect_longest},
        {"workqueue_queue_duration_seconds", "How long keys were due before a worker took them.", METRIC_HISTOGRAM,
            .bounds = queue_bounds, .n_bounds = ARRAY_LEN(queue_bounds)},
        {"workqueue_work_duration_seconds", "How long workers took for a key.", METRIC_HISTOGRAM,
            .bounds = queue_bounds, .n_bounds = ARRAY_LEN(queue_bounds)},
    };

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct metric_desc desc = families[i];
        desc.labels[0] = "name";
        desc.labels[1] = "controller";
        desc.ctx = m;
        struct metric *metric = metrics_add(m->registry, &desc);
        if (str_eq(desc.name, "workqueue_queue_duration_seconds"))
            m->queue_seconds = metric;
        else if (str_eq(desc.name, "workqueue_work_duration_seconds"))
            m->work_seconds = metric;
    }
}

void metrics_work_register(struct app_metrics *m)
{
    register_passes(m);
    register_queue(m);
    (void)metrics_add(m->registry, &(struct metric_desc){"controller_runtime_max_concurrent_reconciles", "Workers.",
                                       METRIC_GAUGE, .labels = {"controller"}, .collect = collect_workers, .ctx = m});
    (void)metrics_add(
        m->registry, &(struct metric_desc){"controller_runtime_active_workers", "Workers that are in a pass.",
                         METRIC_GAUGE, .labels = {"controller"}, .collect = collect_active, .ctx = m});
}
