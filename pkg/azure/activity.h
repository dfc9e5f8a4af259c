/* The Activity Log, api-version 2015-04-01: who changed an account. */
#pragma once

#include "azure/arm.h"

#define ACTIVITY_API_VERSION "2015-04-01"

struct activity {
    char *caller;         /* a user's name, or an application's or object's id; NULL: there is no event */
    char *operation;      /* "Microsoft.DocumentDB/databaseAccounts/write" */
    char *correlation_id; /* or NULL */
    int64_t started_at;   /* wall ms */
    bool ended;           /* the log also has its end: then it is the newest change, and none is known to run */
};
void activity_done(struct activity *activity); /* accepts a zeroed struct */

/* The change of an account that runs: the newest that has begun and not ended, else the newest. Only events between
 * since_ms and now_ms count (Azure keeps 90 days), and only changes: reading keys is an action, too, and left out.
 * Events appear some minutes late. Right: Microsoft.Insights/eventtypes/values/read at the subscription. */
int activity_find_running(struct arm_client *client, const struct arm_id *account, int64_t since_ms, int64_t now_ms,
    struct activity *ret, struct err *err);
