/* The layer: takes the lock and the time to the pure core (limiter_core.h), before and after a request. The lock is
 * never held while a request runs. A bucket with a request on its way is not forgotten, so it is found again after. */
#include "azure/limiter_core.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>

#define WAIT_DEFAULT_MS 10000
#define WAIT_LEAST_MS 1000

struct limiter {
    struct http_client client; /* first */
    struct http_client *next;
    struct limiter_clock clock;
    pthread_mutex_t lock;
    struct limiter_core core; /* under the lock */
};

/* A request on its way. */
struct passage {
    struct limiter *limiter;
    struct limiter_request what;
    struct limiter_bucket *bucket;
    uint64_t number;
};

static int64_t mono_now(void *ctx _unused_)
{
    return clock_mono_ms();
}

static int64_t wall_now(void *ctx _unused_)
{
    return clock_wall_ms();
}

/* ---- before ---- */

/* 0, or how long to wait. */
static int64_t enter(struct limiter *limiter, const struct http_request *request, struct passage *ret)
{
    struct limiter_request *what = &ret->what;

    *ret = (struct passage){.limiter = limiter};
    limiter_classify(request->method, request->url, request->caller, what);
    (void)pthread_mutex_lock(&limiter->lock);
    int64_t now = limiter->clock.mono_ms(limiter->clock.ctx);
    ret->bucket = limiter_core_bucket(&limiter->core, what, now);
    int64_t wait = limiter_bucket_ask(ret->bucket, what->key, what->lane, now, &ret->number);
    if (wait > 0)
        limiter->core.stats.refused[what->kind]++;
    else
        limiter->core.stats.sent[what->kind]++;
    (void)pthread_mutex_unlock(&limiter->lock);
    return wait;
}

/* The message has no time in it: it may end up in a status, and a new time would be a new write. */
static int refuse(const struct passage *p, int64_t wait_ms, struct err *err)
{
    (void)err_set(err, ERR_THROTTLED, "%s of this subscription wait their turn, to stay within Azure's limits",
        limiter_kind_name(p->what.kind));
    if (!err)
        return -1;
    err->retry_after_ms = wait_ms;
    (void)str_copy(err->code, sizeof(err->code), LIMITER_CODE);
    return -1;
}

/* ---- after ---- */

static double count_of(const struct http_response *response, const char *scope, enum limiter_kind kind)
{
    _cleanup_(freep) char *name =
        xasprintf("x-ms-ratelimit-remaining-subscription-%s%s", scope, limiter_kind_name(kind));
    char text[24];
    int64_t n;

    return http_response_header(response, name, text, sizeof(text)) && str_to_i64(text, 0, 100000000, &n) ? (double)n
                                                                                                          : -1;
}

/* What everybody is to wait. */
static int64_t wait_of(const struct limiter *limiter, const struct http_response *response)
{
    if (response->status != 429 && response->status != 503)
        return 0;
    int64_t ms = http_response_retry_after_ms(response, limiter->clock.wall_ms(limiter->clock.ctx));
    if (ms < 0)
        return response->status == 429 ? WAIT_DEFAULT_MS : 0;
    return ms < WAIT_LEAST_MS ? WAIT_LEAST_MS : ms;
}

static void leave(const struct passage *p, const struct http_response *response)
{
    struct limiter *limiter = p->limiter;
    const struct limiter_heard heard = {
        .number = p->number,
        .key = p->what.key,
        .lane = p->what.lane,
        .throttled = response->status == 429,
        .left = {[LIMITER_LOCAL] = count_of(response, "", p->what.kind),
            [LIMITER_GLOBAL] = count_of(response, "global-", p->what.kind)},
        .wait_ms = wait_of(limiter, response),
    };

    (void)pthread_mutex_lock(&limiter->lock);
    limiter_bucket_heard(p->bucket, &heard, limiter->clock.mono_ms(limiter->clock.ctx));
    limiter->core.stats.throttled[p->what.kind] += heard.throttled;
    (void)pthread_mutex_unlock(&limiter->lock);
}

static void leave_without_answer(const struct passage *p, const struct err *err)
{
    struct limiter *limiter = p->limiter;

    (void)pthread_mutex_lock(&limiter->lock);
    limiter_bucket_lost(p->bucket, err->maybe_sent, limiter->clock.mono_ms(limiter->clock.ctx));
    (void)pthread_mutex_unlock(&limiter->lock);
}

/* ---- the layer ---- */

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct passage passage;
    struct err own = ERR_INIT, *e = err ? err : &own;
    int64_t wait_ms = enter((struct limiter *)self, request, &passage);

    if (wait_ms > 0)
        return refuse(&passage, wait_ms, e);
    int r = http_do(passage.limiter->next, request, response, e);
    if (r == 0)
        leave(&passage, response);
    else
        leave_without_answer(&passage, e);
    return r;
}

struct http_client *limiter_new(struct http_client *next, const struct limiter_clock *clock)
{
    struct limiter *limiter = xcalloc(1, sizeof(*limiter));

    limiter->client.perform = perform;
    limiter->next = next;
    if (clock)
        limiter->clock = *clock;
    if (!limiter->clock.mono_ms)
        limiter->clock.mono_ms = mono_now;
    if (!limiter->clock.wall_ms)
        limiter->clock.wall_ms = wall_now;
    (void)pthread_mutex_init(&limiter->lock, NULL);
    return &limiter->client;
}

struct http_client *limiter_free(struct http_client *layer)
{
    struct limiter *limiter = (struct limiter *)layer;

    if (!limiter)
        return NULL;
    limiter_core_done(&limiter->core);
    (void)pthread_mutex_destroy(&limiter->lock);
    free(limiter);
    return NULL;
}

void limiter_stats(struct http_client *layer, struct limiter_stats *ret)
{
    struct limiter *limiter = (struct limiter *)layer;

    (void)pthread_mutex_lock(&limiter->lock);
    *ret = limiter->core.stats;
    ret->subscriptions = limiter->core.subscriptions.len;
    map_foreach (entry, &limiter->core.subscriptions)
        for (int k = 0; k < LIMITER_KINDS; k++)
            ret->waiting += limiter_bucket_waiting((const struct limiter_bucket *)entry->value + k);
    (void)pthread_mutex_unlock(&limiter->lock);
}

bool limiter_view(struct http_client *layer, const char *subscription, enum limiter_kind kind, struct limiter_view *ret)
{
    struct limiter *limiter = (struct limiter *)layer;
    _cleanup_(freep) char *key = str_lower(xstrdup(subscription));

    (void)pthread_mutex_lock(&limiter->lock);
    const struct limiter_bucket *buckets = map_get(&limiter->core.subscriptions, key);
    if (buckets)
        *ret = (struct limiter_view){.tokens = limiter_bucket_level(&buckets[kind]),
            .per_second = limiter_bucket_rate(&buckets[kind]),
            .waiting = limiter_bucket_waiting(&buckets[kind])};
    (void)pthread_mutex_unlock(&limiter->lock);
    return buckets != NULL;
}
