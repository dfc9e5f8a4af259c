/* Recorded for another service, documented for this one: {"value":[{"name":{"value"},"timeseries":[{"metadatavalues":
 * [{"name":{"value":"collectionname"},"value"}],"data":[{"timeStamp","maximum"}]}]}]}. Without data the list of series
 * is empty. The number of series is 10 unless "top" says more. */
#include "azure/metrics.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#define METRIC "NormalizedRUConsumption"
#define HOUR_MS (60 * 60 * 1000LL)
#define WAIT_MIN_MS 10000
#define PERCENT_MAX 100000

void metrics_peak_done(struct metrics_peak *peak)
{
    free(peak->container);
    *peak = (struct metrics_peak){0};
}

static const char *container_of(const cJSON *series)
{
    const cJSON *entry;

    cJSON_ArrayForEach (entry, json_member(series, "metadatavalues"))
        if (str_eq_nocase(json_string_at(entry, "name.value"), "CollectionName"))
            return json_string_at(entry, "value");
    return NULL;
}

static int round_up(double value)
{
    if (!(value > 0))
        return 0;
    if (value > PERCENT_MAX)
        return PERCENT_MAX;
    int whole = (int)value;
    return whole + (whole < value);
}

static void take_series(struct metrics_peak *peak, const cJSON *series)
{
    const cJSON *point;

    cJSON_ArrayForEach (point, json_member(series, "data")) {
        const cJSON *maximum = json_member(point, "maximum");
        if (!cJSON_IsNumber(maximum))
            continue;
        int percent = round_up(maximum->valuedouble);
        if (peak->known && percent <= peak->percent)
            continue;
        peak->known = true;
        peak->percent = percent;
        str_replace(&peak->container, container_of(series));
    }
}

int metrics_decode(struct metrics_peak *ret, const cJSON *tree, struct err *err)
{
    const cJSON *value = json_member(tree, "value"), *metric, *series;

    *ret = (struct metrics_peak){0};
    if (!cJSON_IsArray(value))
        return err_set(err, ERR_PROTOCOL, "Azure's answer has no metrics");
    cJSON_ArrayForEach (metric, value)
        if (str_eq_nocase(json_string_at(metric, "name.value"), METRIC))
            cJSON_ArrayForEach (series, json_member(metric, "timeseries"))
                take_series(ret, series);
    return 0;
}

static char *last_hour(int64_t now_ms)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];

    time_format_rfc3339(now_ms - HOUR_MS, from);
    time_format_rfc3339(now_ms, to);
    return xasprintf("%s/%s", from, to);
}

int metrics_ru_peak(
    struct arm_client *client, const struct arm_id *account, int64_t now_ms, struct metrics_peak *ret, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/providers/microsoft.insights/metrics", account->text);
    _cleanup_(freep) char *timespan = last_hour(now_ms);
    const struct arm_query query[] = {{"metricnames", METRIC}, {"timespan", timespan}, {"interval", "PT5M"},
        {"aggregation", "Maximum"}, {"$filter", "CollectionName eq '*'"}, {"top", "200"}, {NULL, NULL}};
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct arm_response response;

    *ret = (struct metrics_peak){0};
    int r = arm_get(client, path, METRICS_API_VERSION, query, &response, err);
    if (r < 0) {
        if (err && err->kind == ERR_THROTTLED && err->retry_after_ms < WAIT_MIN_MS)
            err->retry_after_ms = WAIT_MIN_MS;
        (void)arm_say_missing(err, "metrics", "Microsoft.Insights/metrics/read", account->text);
    } else if (arm_json_parse(&tree, response.http.body.data, response.http.body.len, err) < 0 ||
               metrics_decode(ret, tree, err) < 0) {
        r = err_wrap(err, "metrics cannot be read");
    }
    arm_response_done(&response);
    return r;
}
