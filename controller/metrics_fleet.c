/* How the fleet stands, and how Azure's limits are kept: all looked at when somebody scrapes, the fleet once for all
 * the families that show it. */
#include "controller/metrics_private.h"

#include "azure/limiter.h"
#include "base/clock.h"
#include "base/mem.h"

#define SECONDS(ms) ((double)(ms) / 1000)

/* ---- the fleet ---- */

static void look_at_fleet(void *ctx)
{
    struct app_metrics *m = ctx;

    if (m->sources.store)
        store_survey(m->sources.store, &m->survey);
}

static void collect_key_lost(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (m->sources.store)
        metric_set(metric, NULL, (double)m->survey.key_lost);
}

static void collect_operations(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    for (int step = CMK_NO_STEP + 1; m->sources.store && step < SURVEY_OPERATIONS; step++)
        metric_set(
            metric, METRIC_LABELS(cmk_step_type_name((enum cmk_step_type)step)), (double)m->survey.operations[step]);
}

static void collect_oldest_operation(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;
    int64_t at = m->survey.oldest_operation_at, age = at ? clock_wall_ms() - at : 0;

    if (m->sources.store)
        metric_set(metric, NULL, SECONDS(age > 0 ? age : 0));
}

static void collect_oldest_observation(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (m->sources.store && m->survey.oldest_observed_s)
        metric_set(metric, NULL, m->survey.oldest_observed_s);
}

static void collect_newest_observation(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (m->sources.store && m->survey.newest_observed_s)
        metric_set(metric, NULL, m->survey.newest_observed_s);
}

static void collect_unobserved(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (m->sources.store)
        metric_set(metric, NULL, (double)m->survey.unobserved);
}

/* Those that have resources; and Ready with Encrypted, so that an empty fleet is a zero and not silence. */
static void collect_states(void *ctx, struct metric *metric)
{
    const struct app_metrics *m = ctx;

    if (!m->sources.store)
        return;
    metric_add(metric, METRIC_LABELS(survey_phase_name(SURVEY_READY), cmk_reason_text(CMK_REASON_ENCRYPTED)->word), 0);
    for (int phase = 0; phase < SURVEY_PHASES; phase++)
        for (int reason = 0; reason < CMK_REASON_COUNT; reason++)
            if (m->survey.states[phase][reason])
                metric_add(metric,
                    METRIC_LABELS(
                        survey_phase_name((enum survey_phase)phase), cmk_reason_text((enum cmk_reason)reason)->word),
                    (double)m->survey.states[phase][reason]);
}

/* ---- Azure's limits ---- */

static bool look_at_limiter(void *ctx, struct limiter_stats *ret)
{
    struct http_client *limiter = ((struct app_metrics *)ctx)->sources.limiter;

    *ret = (struct limiter_stats){0};
    if (limiter)
        limiter_stats(limiter, ret);
    return limiter;
}

static void collect_deferred(void *ctx, struct metric *metric)
{
    struct limiter_stats stats;

    for (int k = 0; look_at_limiter(ctx, &stats) && k < LIMITER_KINDS; k++)
        metric_set(metric, METRIC_LABELS(limiter_kind_name((enum limiter_kind)k)), (double)stats.refused[k]);
}

static void collect_throttled(void *ctx, struct metric *metric)
{
    struct limiter_stats stats;

    for (int k = 0; look_at_limiter(ctx, &stats) && k < LIMITER_KINDS; k++)
        metric_set(metric, METRIC_LABELS(limiter_kind_name((enum limiter_kind)k)), (double)stats.throttled[k]);
}

static void collect_waiting(void *ctx, struct metric *metric)
{
    struct limiter_stats stats;

    if (look_at_limiter(ctx, &stats))
        metric_set(metric, NULL, (double)stats.waiting);
}

void metrics_fleet_register(struct app_metrics *m)
{
    const struct metric_desc families[] = {
        {"cosmoscmk_key_inaccessible_resources", "Resources whose account Azure reports without access to its key.",
            METRIC_GAUGE, .collect = collect_key_lost},
        {"cosmoscmk_observation_newest_timestamp_seconds", "When any account was last read from Azure.", METRIC_GAUGE,
            .collect = collect_newest_observation},
        {"cosmoscmk_observation_oldest_timestamp_seconds",
            "The last reading of the account whose last reading is longest ago.", METRIC_GAUGE,
            .collect = collect_oldest_observation},
        {"cosmoscmk_operation_oldest_age_seconds",
            "How long ago the oldest operation that is on its way was asked for; 0 without any.", METRIC_GAUGE,
            .collect = collect_oldest_operation},
        {"cosmoscmk_operations_in_flight", "Operations of Azure that are on their way, by step of the plan.",
            METRIC_GAUGE, .labels = {"step"}, .collect = collect_operations},
        {"cosmoscmk_resources", "Resources by phase, and the reason of their condition Ready.", METRIC_GAUGE,
            .labels = {"phase", "reason"}, .collect = collect_states},
        {"cosmoscmk_unobserved_resources", "Resources whose account this process has not read yet.", METRIC_GAUGE,
            .collect = collect_unobserved},
        {"cosmoscmk_azure_deferred_total",
            "Requests that were held back to stay within Azure's limits; each is tried again at its turn.",
            METRIC_COUNTER, .labels = {"kind"}, .collect = collect_deferred},
        {"cosmoscmk_azure_throttled_total", "Requests that Azure Resource Manager answered with 429.", METRIC_COUNTER,
            .labels = {"kind"}, .collect = collect_throttled},
        {"cosmoscmk_azure_turns_waiting", "Callers that have a turn to come, to stay within Azure's limits.",
            METRIC_GAUGE, .collect = collect_waiting},
    };

    metrics_on_scrape(m->registry, look_at_fleet, m);
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct metric_desc desc = families[i];
        desc.ctx = m;
        (void)metrics_add(m->registry, &desc);
    }
}
