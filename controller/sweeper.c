#include "controller/sweeper.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct sweeper {
    struct sweep *sweep;
    int64_t interval_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun, stopping;
};

/* With the lock held. True: it is time; false: the end. */
static bool wait_until(struct sweeper *sweeper, int64_t due_ms)
{
    struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

    while (!sweeper->stopping && !sweeper->begun)
        (void)pthread_cond_wait(&sweeper->changed, &sweeper->lock);
    while (!sweeper->stopping && clock_mono_ms() < due_ms)
        (void)pthread_cond_timedwait(&sweeper->changed, &sweeper->lock, &due);
    return !sweeper->stopping;
}

static void *sweep_on(void *ctx)
{
    struct sweeper *sweeper = ctx;
    int64_t due_ms = 0;

    pthread_mutex_lock(&sweeper->lock);
    while (wait_until(sweeper, due_ms)) {
        pthread_mutex_unlock(&sweeper->lock);
        int64_t start_ms = clock_mono_ms();
        struct sweep_result result = sweep_round(sweeper->sweep);
        log_debug("swept", LOG_I("settled", result.settled), LOG_I("confirmed", result.confirmed),
            LOG_I("queued", result.queued), LOG_I("lists", result.lists), LOG_I("failed", result.failed_lists),
            LOG_I("ms", clock_mono_ms() - start_ms));
        due_ms = start_ms + sweeper->interval_ms;
        pthread_mutex_lock(&sweeper->lock);
    }
    pthread_mutex_unlock(&sweeper->lock);
    return NULL;
}

struct sweeper *sweeper_start(struct sweep *sweep, int64_t interval_ms)
{
    struct sweeper *sweeper = xcalloc(1, sizeof(*sweeper));
    pthread_condattr_t attributes;

    sweeper->sweep = sweep;
    sweeper->interval_ms = interval_ms;
    (void)pthread_mutex_init(&sweeper->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&sweeper->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int r = pthread_create(&sweeper->thread, NULL, sweep_on, sweeper);
    if (r != 0)
        fatal("cannot start a thread", r);
    return sweeper;
}

void sweeper_begin(struct sweeper *sweeper)
{
    pthread_mutex_lock(&sweeper->lock);
    sweeper->begun = true;
    (void)pthread_cond_broadcast(&sweeper->changed);
    pthread_mutex_unlock(&sweeper->lock);
}

struct sweeper *sweeper_stop(struct sweeper *sweeper)
{
    if (!sweeper)
        return NULL;
    pthread_mutex_lock(&sweeper->lock);
    sweeper->stopping = true;
    (void)pthread_cond_broadcast(&sweeper->changed);
    pthread_mutex_unlock(&sweeper->lock);
    (void)pthread_join(sweeper->thread, NULL);
    (void)pthread_cond_destroy(&sweeper->changed);
    (void)pthread_mutex_destroy(&sweeper->lock);
    free(sweeper);
    return NULL;
}
