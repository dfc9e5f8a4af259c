/* A flag that ends calls from another thread; see cancel.h for the rules that make it free of races. It knows nothing
 * of what it ends. */
#include "http/cancel.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct http_cancel {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool triggered; /* written under the lock, read without */
    TAILQ_HEAD(, http_cancel_waiter) waiters;
};

struct http_cancel *http_cancel_new(void)
{
    struct http_cancel *cancel = xcalloc(1, sizeof(*cancel));
    pthread_condattr_t attr;

    (void)pthread_mutex_init(&cancel->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cancel->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    atomic_init(&cancel->triggered, false);
    TAILQ_INIT(&cancel->waiters);
    return cancel;
}

void http_cancel_trigger(struct http_cancel *cancel)
{
    struct http_cancel_waiter *waiter;

    (void)pthread_mutex_lock(&cancel->lock);
    atomic_store(&cancel->triggered, true);
    TAILQ_FOREACH(waiter, &cancel->waiters, link)
    waiter->wake(waiter->ctx);
    (void)pthread_cond_broadcast(&cancel->changed);
    (void)pthread_mutex_unlock(&cancel->lock);
}

bool http_cancel_triggered(const struct http_cancel *cancel)
{
    return atomic_load(&cancel->triggered);
}

struct http_cancel *http_cancel_free(struct http_cancel *cancel)
{
    if (!cancel)
        return NULL;
    (void)pthread_cond_destroy(&cancel->changed);
    (void)pthread_mutex_destroy(&cancel->lock);
    free(cancel);
    return NULL;
}

bool http_cancel_add(struct http_cancel *cancel, struct http_cancel_waiter *waiter)
{
    if (!cancel)
        return true;
    (void)pthread_mutex_lock(&cancel->lock);
    bool added = !atomic_load(&cancel->triggered);
    if (added)
        TAILQ_INSERT_TAIL(&cancel->waiters, waiter, link);
    (void)pthread_mutex_unlock(&cancel->lock);
    return added;
}

void http_cancel_remove(struct http_cancel *cancel, struct http_cancel_waiter *waiter)
{
    if (!cancel)
        return;
    (void)pthread_mutex_lock(&cancel->lock);
    TAILQ_REMOVE(&cancel->waiters, waiter, link);
    (void)pthread_mutex_unlock(&cancel->lock);
}

bool http_cancel_wait(struct http_cancel *cancel, int64_t ms)
{
    if (!cancel) {
        clock_sleep_ms(ms);
        return false;
    }
    int64_t until = clock_mono_ms() + ms;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = (until % 1000) * 1000000};
    (void)pthread_mutex_lock(&cancel->lock);
    while (!atomic_load(&cancel->triggered))
        if (pthread_cond_timedwait(&cancel->changed, &cancel->lock, &deadline) != 0)
            break;
    bool triggered = atomic_load(&cancel->triggered);
    (void)pthread_mutex_unlock(&cancel->lock);
    return triggered;
}
