/* microsoft.insights/metrics of one account, api-version 2024-02-01. */
#pragma once

#include "azure/arm.h"

#define METRICS_API_VERSION "2024-02-01"

struct metrics_peak {
    bool known;      /* false: Azure Monitor has no value, which is not 0 */
    int percent;     /* rounded up */
    char *container; /* where; NULL when the series does not say */
};
void metrics_peak_done(struct metrics_peak *peak); /* accepts a zeroed struct */

/* The highest NormalizedRUConsumption (Maximum of five minutes) of any container in the hour before now_ms. Gaps in a
 * series are no value. Right: Microsoft.Insights/metrics/read. ERR_THROTTLED has a retry_after_ms of at least 10 s:
 * Azure Monitor is known to say 0. */
int metrics_ru_peak(
    struct arm_client *client, const struct arm_id *account, int64_t now_ms, struct metrics_peak *ret, struct err *err);
/* Pure. */
int metrics_decode(struct metrics_peak *ret, const cJSON *tree, struct err *err);
