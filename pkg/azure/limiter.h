/* Pacing of what is sent to ARM: a layer (http/layer.h) between retry and auth.
 *
 * ARM counts the requests of a subscription and principal in token buckets, one each for reads, writes and deletes
 * (documented: 250 + 25/s, 200 + 10/s, 200 + 10/s; the "global" ones 15 times that), and says what is left in every
 * answer. The layer keeps its own idea of each bucket, begins with the documented figures and learns from the counts
 * and from 429s. What would be too much is not sent.
 *
 * A refused request fails at once with ERR_THROTTLED, code LIMITER_CODE, maybe_sent false, and retry_after_ms: the
 * caller's own turn, at most 10 minutes away. Turns are given in the order in which callers came, a caller being who
 * the request names (http_request.caller), else the account in the URL, else the path; who comes back at its turn is
 * served before anybody who came later. A turn is good for a few more requests of that account in the next seconds.
 * Polls of operations and those further requests have a share of the reads that others cannot take (limiter_bucket.h);
 * a change takes from the bucket of writes, which no read touches.
 *
 * After a 429, or a 503 with Retry-After, nothing is sent from that bucket until the time that Azure asked for has
 * passed: at least a second (it has been seen to say 0), at most an hour, 10 s when a 429 does not say.
 *
 * Never sleeps. Safe for any number of threads. Memory is bounded: 256 subscriptions, 32,768 callers in each bucket. */
#pragma once

#include "http/http.h"

#define LIMITER_CODE "ClientThrottled"

enum limiter_kind { LIMITER_READS, LIMITER_WRITES, LIMITER_DELETES, LIMITER_KINDS };
const char *limiter_kind_name(enum limiter_kind kind); /* "reads" */

/* NULL members: the system's clocks. */
struct limiter_clock {
    int64_t (*mono_ms)(void *ctx);
    int64_t (*wall_ms)(void *ctx); /* for a Retry-After that is a date */
    void *ctx;
};
/* next is borrowed; clock may be NULL. */
struct http_client *limiter_new(struct http_client *next, const struct limiter_clock *clock);
struct http_client *limiter_free(struct http_client *layer); /* accepts and returns NULL */

/* Since the start, by kind; all subscriptions together. */
struct limiter_stats {
    uint64_t sent[LIMITER_KINDS];      /* let through */
    uint64_t refused[LIMITER_KINDS];   /* told to wait, by us */
    uint64_t throttled[LIMITER_KINDS]; /* answered 429 by Azure */
    size_t subscriptions;              /* now known */
    size_t waiting;                    /* callers with a turn to come, now */
};
void limiter_stats(struct http_client *layer, struct limiter_stats *ret);

/* One bucket as it is imagined now. False when nothing was ever asked of it. */
struct limiter_view {
    double tokens;
    double per_second;
    size_t waiting;
};
bool limiter_view(
    struct http_client *layer, const char *subscription, enum limiter_kind kind, struct limiter_view *ret);
