/* The thread-safe wrapper: one lock around the pure queue, one condition on which workers sleep until the next due
 * time.
 *
 * Invariant: as long as workers wait and keys wait, one worker, the keeper, sleeps with the due time of the first key
 * as its deadline, or has just been woken to do so. The others sleep without one: if all had it, all would wake for
 * every key, and all but one for nothing. Whoever makes another key the first, or was the keeper and leaves with a key,
 * nudges one who waits. */
#include "queue/queue.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct work_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue *queue;
    int64_t kept_ms; /* the keeper's deadline; INT64_MAX: there is no keeper */
    int waiting;
    bool stopped, held;
    void (*got)(void *ctx, int64_t waited_ms); /* or NULL */
    void *got_ctx;
};

static void unlock(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

/* Held until the end of the scope. */
#define HOLD(w) _cleanup_(unlock) _unused_ pthread_mutex_t *held_ = take(w)

static pthread_mutex_t *take(struct work_queue *w)
{
    (void)pthread_mutex_lock(&w->lock);
    return &w->lock;
}

struct work_queue *work_queue_new(const struct queue_options *options)
{
    struct work_queue *w = xcalloc(1, sizeof(*w));
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    if (pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 || pthread_cond_init(&w->changed, &attr) != 0 ||
        pthread_mutex_init(&w->lock, NULL) != 0)
        fatal("cannot make a lock", 0); /* on Linux only for want of memory */
    (void)pthread_condattr_destroy(&attr);
    w->queue = queue_new(options);
    w->kept_ms = INT64_MAX;
    return w;
}

struct work_queue *work_queue_free(struct work_queue *w)
{
    if (!w)
        return NULL;
    queue_free(w->queue);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

/* Called with the lock held: somebody must wake earlier than the keeper would. */
static void nudge(struct work_queue *w)
{
    if (w->waiting > 0 && !w->held && queue_next_due_ms(w->queue) < w->kept_ms)
        (void)pthread_cond_signal(&w->changed);
}

void work_queue_add(struct work_queue *w, const char *key)
{
    HOLD(w);

    if (w->held)
        return;
    queue_add(w->queue, key, clock_mono_ms());
    nudge(w);
}

void work_queue_add_after(struct work_queue *w, const char *key, int64_t delay_ms)
{
    HOLD(w);
    int64_t due;

    if (w->held)
        return;
    if (__builtin_add_overflow(clock_mono_ms(), delay_ms > 0 ? delay_ms : 0, &due))
        due = INT64_MAX;
    queue_add_at(w->queue, key, due);
    nudge(w);
}

int64_t work_queue_add_backoff(struct work_queue *w, const char *key)
{
    HOLD(w);
    int64_t delay = queue_add_backoff(w->queue, key, clock_mono_ms());

    nudge(w);
    return delay;
}

void work_queue_forget(struct work_queue *w, const char *key)
{
    HOLD(w);
    queue_forget(w->queue, key);
}

int work_queue_failures(struct work_queue *w, const char *key)
{
    HOLD(w);
    return queue_failures(w->queue, key);
}

void work_queue_remove(struct work_queue *w, const char *key)
{
    HOLD(w);
    queue_remove(w->queue, key);
}

void work_queue_hold(struct work_queue *w, bool hold)
{
    HOLD(w);
    w->held = hold;
    (void)pthread_cond_broadcast(&w->changed);
}

void work_queue_stats(struct work_queue *w, struct queue_stats *ret)
{
    HOLD(w);

    queue_stats(w->queue, clock_mono_ms(), ret);
}

void work_queue_on_get(struct work_queue *w, void (*got)(void *ctx, int64_t waited_ms), void *ctx)
{
    HOLD(w);

    w->got = got;
    w->got_ctx = ctx;
}

static void wait_until(struct work_queue *w, int64_t wake_ms)
{
    struct timespec at = {.tv_sec = wake_ms / 1000, .tv_nsec = (wake_ms % 1000) * 1000000};

    w->waiting++;
    if (wake_ms >= w->kept_ms) { /* also when nothing waits */
        (void)pthread_cond_wait(&w->changed, &w->lock);
    } else {
        w->kept_ms = wake_ms;
        (void)pthread_cond_timedwait(&w->changed, &w->lock, &at);
        if (w->kept_ms == wake_ms)
            w->kept_ms = INT64_MAX;
    }
    w->waiting--;
}

char *work_queue_get(struct work_queue *w)
{
    HOLD(w);
    int64_t wake_ms;

    while (!w->stopped) {
        const char *key = w->held ? NULL : queue_get(w->queue, clock_mono_ms(), &wake_ms);
        if (w->held)
            wake_ms = INT64_MAX;
        if (key) {
            if (w->got)
                w->got(w->got_ctx, queue_waited_ms(w->queue));
            nudge(w);
            return xstrdup(key);
        }
        wait_until(w, wake_ms);
    }
    return NULL;
}

void work_queue_done(struct work_queue *w, const char *key)
{
    HOLD(w);
    queue_done(w->queue, key);
    nudge(w);
}

void work_queue_stop(struct work_queue *w)
{
    HOLD(w);
    w->stopped = true;
    (void)pthread_cond_broadcast(&w->changed);
}
