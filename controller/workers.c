#include "controller/workers.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/mem.h"
#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>

#define JITTER_FROM_MS 60000

struct worker {
    pthread_t thread;
    struct workers *all;
    _Atomic int64_t busy_since; /* monotonic ms; 0: between passes */
};

struct workers {
    struct work_queue *queue;
    struct reconciler *reconciler;
    struct workers_observer observer;
    int n;
    struct worker each[];
};

/* Long waits are spread, so that resources that became Ready together are not looked at together for ever; but not an
 * appointment, which is one's own already. */
static int64_t delay_of(const struct reconcile_verdict *verdict)
{
    int64_t ms = verdict->after_ms;

    return ms < JITTER_FROM_MS || verdict->exact ? ms : ms + (int64_t)random_below((uint64_t)ms / 10);
}

static void put_back(struct work_queue *queue, const char *key, const struct reconcile_verdict *verdict)
{
    if (verdict->backoff) {
        (void)work_queue_add_backoff(queue, key);
        return;
    }
    if (!verdict->held)
        work_queue_forget(queue, key);
    if (verdict->after_ms > 0)
        work_queue_add_after(queue, key, delay_of(verdict));
}

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    struct work_queue *queue = worker->all->queue;
    const struct workers_observer *observer = &worker->all->observer;

    for (char *key; (key = work_queue_get(queue)); free(key)) {
        int64_t since = clock_mono_ms();
        atomic_store(&worker->busy_since, since);
        struct reconcile_verdict verdict = reconcile(worker->all->reconciler, key);
        atomic_store(&worker->busy_since, 0);
        if (observer->passed)
            observer->passed(observer->ctx, &verdict, clock_mono_ms() - since);
        put_back(queue, key, &verdict);
        work_queue_done(queue, key);
    }
    return NULL;
}

struct workers *workers_start(
    struct work_queue *queue, struct reconciler *reconciler, int n, const struct workers_observer *observer)
{
    struct workers *workers = xcalloc(1, sizeof(*workers) + (size_t)n * sizeof(workers->each[0]));

    *workers = (struct workers){.queue = queue, .reconciler = reconciler, .n = n};
    if (observer)
        workers->observer = *observer;
    for (int i = 0; i < n; i++) {
        workers->each[i].all = workers;
        int r = pthread_create(&workers->each[i].thread, NULL, work, &workers->each[i]);
        if (r != 0)
            fatal("cannot start a thread", r);
    }
    return workers;
}

struct workers *workers_join(struct workers *workers)
{
    if (!workers)
        return NULL;
    for (int i = 0; i < workers->n; i++)
        (void)pthread_join(workers->each[i].thread, NULL);
    free(workers);
    return NULL;
}

bool workers_idle(const struct workers *workers)
{
    for (int i = 0; i < workers->n; i++)
        if (atomic_load(&workers->each[i].busy_since))
            return false;
    return true;
}

int64_t workers_longest_ms(const struct workers *workers)
{
    int64_t now = clock_mono_ms(), longest = 0;

    for (int i = 0; i < workers->n; i++) {
        int64_t since = atomic_load(&workers->each[i].busy_since);
        if (since && now - since > longest)
            longest = now - since;
    }
    return longest;
}

void workers_look(const struct workers *workers, struct workers_now *ret)
{
    int64_t now = clock_mono_ms();

    *ret = (struct workers_now){.n = workers->n};
    for (int i = 0; i < workers->n; i++) {
        int64_t since = atomic_load(&workers->each[i].busy_since);
        if (!since)
            continue;
        ret->busy++;
        ret->busy_ms += now - since;
    }
}
