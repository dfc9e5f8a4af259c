/* The recorder: a bounded queue, and one thread that asks the core what to do and writes.
 *
 * Invariant: the core belongs to the thread alone; the lock guards the queue, the figures and the words between the
 * threads, and is never held during a request. What cannot be written is given up after three tries: the next event of
 * its kind is then a first one again. */
#include "kube/events.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "kube/event_object.h"

#include <pthread.h>
#include <sys/queue.h>
#include <time.h>

#define QUEUE_DEFAULT 1000
#define RETRY_MS 1000
#define TRIES 3
#define RETRY_AFTER_MAX_MS 10000
#define COMPLAIN_MS 600000

static const struct kube_resource events_resource = {"events.k8s.io", "v1", "events"};

struct waiting {
    struct kube_event event; /* strings are owned */
    int64_t wall;
    STAILQ_ENTRY(waiting) link;
};

struct kube_events {
    struct kube_events_options options;
    char *controller, *instance;
    struct event_core *core;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    STAILQ_HEAD(, waiting) queue;
    size_t waiting;
    bool flushing; /* nothing new is taken; the thread ends when all is written */
    bool stopped;  /* the thread ends now */
    bool ended;
    struct kube_events_stats stats;

    /* Of the thread. */
    int64_t complained_at;
    bool has_complained;
    uint64_t lost;
};

static void unlock(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

/* Held until the end of the scope. */
#define HOLD(e) _cleanup_(unlock) _unused_ pthread_mutex_t *held_ = take(e)

static pthread_mutex_t *take(struct kube_events *e)
{
    (void)pthread_mutex_lock(&e->lock);
    return &e->lock;
}

static void waiting_free(struct waiting *w)
{
    kube_event_done(&w->event);
    free(w);
}

/* With the lock held: until something has changed or the time (monotonic ms) has come. */
static void wait_until(struct kube_events *e, int64_t at)
{
    struct timespec when = {.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};

    if (at == INT64_MAX)
        (void)pthread_cond_wait(&e->changed, &e->lock);
    else
        (void)pthread_cond_timedwait(&e->changed, &e->lock, &when);
}

static void count(struct kube_events *e, uint64_t *figure)
{
    HOLD(e);

    (*figure)++;
}

/* ---- writing ---- */

/* The queue may be told to stop meanwhile, or to hurry: then nothing is waited for. False: do not try again. */
static bool pause_before_retry(struct kube_events *e, const struct err *err, int try)
{
    int64_t ms = e->options.retry_ms << try;
    HOLD(e);

    if (err->retry_after_ms > ms)
        ms = err->retry_after_ms < RETRY_AFTER_MAX_MS ? err->retry_after_ms : RETRY_AFTER_MAX_MS;
    for (int64_t until = clock_mono_ms() + ms; !e->flushing && !e->stopped && clock_mono_ms() < until;)
        wait_until(e, until);
    return !e->stopped;
}

static int write_once(struct kube_events *e, const struct event_series *s, bool patch, struct err *err)
{
    const char *ns = s->event->regarding.ns;
    _cleanup_(json_freep) cJSON *answer = NULL, *object = NULL;

    if (patch) {
        object = event_object_series(s);
        if (kube_merge_patch(e->options.client, &events_resource, ns, s->name, NULL, object, &answer, err) == 0)
            return 0;
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        (void)json_free(TAKE_PTR(object)); /* it has expired, or was never taken */
        *err = ERR_INIT;
    }
    object = event_object_new(s, e->controller, e->instance);
    if (kube_create(e->options.client, &events_resource, ns, object, &answer, err) == 0)
        return 0;
    /* The name is unique: an earlier try has arrived. */
    return err->kind == ERR_EXISTS ? 0 : -1;
}

static void complain(struct kube_events *e, const struct err *err)
{
    int64_t now = clock_mono_ms();

    e->lost++;
    if (e->has_complained && now < e->complained_at + e->options.complain_ms)
        return;
    e->has_complained = true;
    e->complained_at = now;
    if (e->options.trouble)
        e->options.trouble(e->options.ctx, err, e->lost);
    e->lost = 0;
}

static void write_event(struct kube_events *e, const struct event_series *s, bool patch)
{
    struct err err = ERR_INIT;

    for (int try = 0; try < TRIES; try++) {
        err = ERR_INIT;
        if (write_once(e, s, patch, &err) == 0) {
            count(e, &e->stats.written);
            return;
        }
        bool worth_it = err_is_transient(&err) && err.kind != ERR_CONFLICT && err.kind != ERR_GONE;
        if (!worth_it || try == TRIES - 1 || !pause_before_retry(e, &err, try))
            break;
    }
    count(e, &e->stats.refused);
    if (err.kind != ERR_CANCELLED)
        complain(e, &err);
    event_core_forget(e->core, s->name);
}

/* ---- the thread ---- */

static void observe(struct kube_events *e, const struct waiting *w)
{
    const struct event_time now = {.mono = clock_mono_ms(), .wall = w->wall};
    struct event_series s;
    uint64_t unique;

    random_bytes(&unique, sizeof(unique));
    switch (event_core_observe(e->core, &w->event, now, unique, &s)) {
    case EVENT_COUNTED:
        count(e, &e->stats.counted);
        break;
    case EVENT_LIMITED:
        count(e, &e->stats.limited);
        break;
    case EVENT_CREATE:
        write_event(e, &s, false);
        break;
    case EVENT_PATCH:
        write_event(e, &s, true);
        break;
    }
}

static bool is_stopped(struct kube_events *e)
{
    HOLD(e);

    return e->stopped;
}

/* Writes the counts that are due. The time at which the next one will be. */
static int64_t write_due(struct kube_events *e, bool all)
{
    struct event_series s;
    int64_t wake;

    while (!is_stopped(e)) {
        const struct event_time now = {.mono = clock_mono_ms(), .wall = clock_wall_ms()};
        if (event_core_due(e->core, now, all, &s, &wake) == EVENT_COUNTED)
            return wake;
        write_event(e, &s, true);
    }
    return INT64_MAX;
}

/* The next event, the caller's; NULL when there is none before the time, or at the end. */
static struct waiting *next_event(struct kube_events *e, int64_t until)
{
    HOLD(e);

    while (!e->stopped && !e->flushing && STAILQ_EMPTY(&e->queue) && clock_mono_ms() < until)
        wait_until(e, until);
    struct waiting *w = e->stopped ? NULL : STAILQ_FIRST(&e->queue);
    if (w) {
        STAILQ_REMOVE_HEAD(&e->queue, link);
        e->waiting--;
    }
    return w;
}

static bool is_at_end(struct kube_events *e)
{
    HOLD(e);

    return e->stopped || (e->flushing && STAILQ_EMPTY(&e->queue));
}

static void *run(void *ctx)
{
    struct kube_events *e = ctx;

    while (!is_at_end(e)) {
        struct waiting *w = next_event(e, write_due(e, false));
        if (w) {
            observe(e, w);
            waiting_free(w);
        }
    }
    (void)write_due(e, true);
    HOLD(e);
    e->ended = true;
    (void)pthread_cond_broadcast(&e->changed);
    return NULL;
}

/* ---- the outside ---- */

static void init_lock(struct kube_events *e)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    if (pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 || pthread_cond_init(&e->changed, &attr) != 0 ||
        pthread_mutex_init(&e->lock, NULL) != 0)
        fatal("cannot make a lock", 0); /* on Linux only for want of memory */
    (void)pthread_condattr_destroy(&attr);
}

int kube_events_new(struct kube_events **ret, const struct kube_events_options *options, struct err *err)
{
    if (!event_controller_valid(options->controller))
        return err_set(err, ERR_INVALID, "events: \"%s\" is no name of a controller",
            options->controller ? options->controller : "");
    if (str_empty(options->instance))
        return err_set(err, ERR_INVALID, "events: the name of this instance is empty");
    struct kube_events *e = xcalloc(1, sizeof(*e));
    e->options = *options;
    e->options.queue = options->queue ? options->queue : QUEUE_DEFAULT;
    e->options.retry_ms = options->retry_ms ? options->retry_ms : RETRY_MS;
    e->options.complain_ms = options->complain_ms ? options->complain_ms : COMPLAIN_MS;
    e->controller = xstrdup(options->controller);
    e->instance = xstrdup(options->instance);
    e->core = event_core_new(NULL);
    STAILQ_INIT(&e->queue);
    init_lock(e);
    int r = pthread_create(&e->thread, NULL, run, e);
    if (r != 0)
        fatal("cannot start a thread", r);
    *ret = e;
    return 0;
}

void kube_events_record(struct kube_events *e, const struct kube_event *event)
{
    if (!event_object_valid(event)) {
        count(e, &e->stats.refused);
        return;
    }
    struct waiting *w = xcalloc(1, sizeof(*w));
    kube_event_copy(&w->event, event);
    w->wall = clock_wall_ms();
    HOLD(e);
    if (e->flushing || e->stopped || e->waiting == e->options.queue) {
        e->stats.overflow++;
        waiting_free(w);
        return;
    }
    STAILQ_INSERT_TAIL(&e->queue, w, link);
    e->waiting++;
    (void)pthread_cond_signal(&e->changed);
}

void kube_events_stats(struct kube_events *e, struct kube_events_stats *ret)
{
    HOLD(e);

    *ret = e->stats;
}

void kube_events_flush(struct kube_events *e, int64_t limit_ms)
{
    int64_t until = clock_mono_ms() + limit_ms;
    HOLD(e);

    e->flushing = true;
    (void)pthread_cond_broadcast(&e->changed);
    while (!e->ended && clock_mono_ms() < until)
        wait_until(e, until);
}

struct kube_events *kube_events_free(struct kube_events *e)
{
    if (!e)
        return NULL;
    (void)pthread_mutex_lock(&e->lock);
    e->stopped = true;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->lock);
    (void)pthread_join(e->thread, NULL);
    for (struct waiting *w; (w = STAILQ_FIRST(&e->queue));) {
        STAILQ_REMOVE_HEAD(&e->queue, link);
        waiting_free(w);
    }
    (void)event_core_free(e->core);
    (void)pthread_cond_destroy(&e->changed);
    (void)pthread_mutex_destroy(&e->lock);
    free(e->controller);
    free(e->instance);
    free(e);
    return NULL;
}
