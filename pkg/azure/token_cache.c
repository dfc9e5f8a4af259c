/* Single flight with a condition variable.
 *
 * The one who fetches sets fetching, leaves the lock, and comes back with a token or a failure; rounds counts these
 * returns, so that a waiter can tell the failure it waited for from an older one. A refresh ahead of expiry that fails
 * is not a failure: the token at hand goes on being used and the next try comes a little later. */
#include "azure/token_cache.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

#define REFRESH_AHEAD_MS (5 * 60 * 1000)
#define REFRESH_AGAIN_MS (30 * 1000)
#define CANCEL_CHECK_MS 100 /* http_cancel has no way to wake a condition variable */

struct token_cache {
    struct token_cache_options options;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct secret *token; /* NULL: none */
    int64_t expires_at_ms;
    int64_t refresh_at_ms;
    bool fetching;
    uint64_t rounds;
    struct err failure; /* of the last round; ERR_NONE when it succeeded */
};

struct token_cache *token_cache_new(const struct token_cache_options *options)
{
    struct token_cache *cache = xcalloc(1, sizeof(*cache));
    pthread_condattr_t attributes;

    cache->options = *options;
    cache->failure = ERR_INIT;
    (void)pthread_mutex_init(&cache->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cache->returned, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return cache;
}

struct token_cache *token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return NULL;
    secret_unref(cache->token);
    (void)pthread_cond_destroy(&cache->returned);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
    return NULL;
}

static void wait_a_moment(struct token_cache *cache)
{
    int64_t until = clock_mono_ms() + CANCEL_CHECK_MS;
    struct timespec t = {.tv_sec = until / 1000, .tv_nsec = (until % 1000) * 1000000};

    (void)pthread_cond_timedwait(&cache->returned, &cache->lock, &t);
}

/* Five minutes ahead, or at half time for tokens that live less than ten. */
static void store(struct token_cache *cache, struct secret *token, int64_t started_ms, int64_t lifetime_ms)
{
    int64_t good_for = lifetime_ms - REFRESH_AHEAD_MS;

    secret_unref(cache->token);
    cache->token = token;
    cache->expires_at_ms = started_ms + lifetime_ms;
    cache->refresh_at_ms = started_ms + (good_for > lifetime_ms / 2 ? good_for : lifetime_ms / 2);
}

/* Entered and left with the lock held. */
static int fetch(struct token_cache *cache, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    struct secret *token = NULL;
    struct err failure = ERR_INIT;
    int64_t lifetime_ms = 0, started_ms = cache->options.now_ms();

    cache->fetching = true;
    (void)pthread_mutex_unlock(&cache->lock);
    int r = cache->options.fetch(cache->options.ctx, &token, &lifetime_ms, cancel, &failure);
    (void)pthread_mutex_lock(&cache->lock);

    cache->fetching = false;
    cache->rounds++;
    cache->failure = r < 0 ? failure : ERR_INIT;
    (void)pthread_cond_broadcast(&cache->returned);
    if (r == 0) {
        store(cache, token, started_ms, lifetime_ms);
    } else if (cache->token && cache->options.now_ms() < cache->expires_at_ms) {
        cache->refresh_at_ms = cache->options.now_ms() + REFRESH_AGAIN_MS;
    } else {
        if (err)
            *err = failure;
        return -1;
    }
    *ret = secret_ref(cache->token);
    return 0;
}

static int get(struct token_cache *cache, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    uint64_t round = cache->rounds;

    for (;;) {
        int64_t now = cache->options.now_ms();
        if (cache->token && now < cache->expires_at_ms && (cache->fetching || now < cache->refresh_at_ms)) {
            *ret = secret_ref(cache->token);
            return 0;
        }
        /* That the other caller was told to stop is no reason for this one to fail. */
        bool failed = cache->failure.kind != ERR_NONE && cache->failure.kind != ERR_CANCELLED;
        if (cache->rounds != round && failed) {
            if (err)
                *err = cache->failure;
            return -1;
        }
        if (!cache->fetching)
            return fetch(cache, ret, cancel, err);
        if (cancel && http_cancel_triggered(cancel))
            return err_set(err, ERR_CANCELLED, "stopped while waiting for a token");
        wait_a_moment(cache);
    }
}

int token_cache_get(struct token_cache *cache, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    (void)pthread_mutex_lock(&cache->lock);
    int r = get(cache, ret, cancel, err);
    (void)pthread_mutex_unlock(&cache->lock);
    return r;
}

void token_cache_drop(struct token_cache *cache, const struct secret *token)
{
    (void)pthread_mutex_lock(&cache->lock);
    if (cache->token && cache->token == token)
        cache->token = secret_unref(cache->token);
    (void)pthread_mutex_unlock(&cache->lock);
}
