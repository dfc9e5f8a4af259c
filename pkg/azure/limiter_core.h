/* Which bucket a request takes from, who asks, and the buckets of all subscriptions. Pure: told the time. Private to
 * this folder; the layer is azure/limiter.h. */
#pragma once

#include "azure/limiter.h"
#include "azure/limiter_bucket.h"

#define LIMITER_MAX_SUBSCRIPTIONS 256
#define LIMITER_SUBSCRIPTION_SIZE 64

/* What a request is to the limiter. */
struct limiter_request {
    char subscription[LIMITER_SUBSCRIPTION_SIZE]; /* lower case; "" for what belongs to none */
    enum limiter_kind kind;
    enum limiter_lane lane;
    uint64_t key; /* of the caller */
};
/* caller: see http_request.caller; NULL: the account named in the URL, else the path. */
void limiter_classify(const char *method, const char *url, const char *caller, struct limiter_request *ret);

struct limiter_core {
    struct map subscriptions; /* by id: struct limiter_bucket[LIMITER_KINDS] */
    struct limiter_stats stats;
};
void limiter_core_done(struct limiter_core *core);

/* Borrowed until the next call that names another subscription and finds no room. Never NULL. */
struct limiter_bucket *limiter_core_bucket(
    struct limiter_core *core, const struct limiter_request *request, int64_t now);
