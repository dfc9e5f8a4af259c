/* One thread that owns the curl multi handle, and the callers that wait for it.
 *
 * A caller prepares its transfer, queues it under the lock, wakes the thread and waits on its transfer's own condition
 * variable until it is done. Only the thread calls libcurl on a transfer that is queued or running. It never holds the
 * lock while it does, because libcurl's callbacks take it. on_data runs on the caller's thread, so a slow consumer
 * slows only its own transfer. Timeouts of the whole call and of silence are kept here and not by libcurl, which knows
 * neither of requests that wait for a free connection nor of time lost to a slow consumer. */
#include "http/transfer.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/limits.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define DEFAULT_CONNECTIONS_PER_HOST 8L
#define KEPT_CONNECTIONS 64L
#define MAX_TURN_MS 1000 /* the loop turns at least so often, which is what the heartbeat shows */

struct http_engine {
    struct http_client client; /* first: perform() gets its address */
    CURLM *multi;
    char *user_agent;
    struct http_trust *trust;
    pthread_t thread;
    _Atomic int64_t heartbeat_ms;
    struct transfer_list active; /* the thread's alone */

    pthread_mutex_t lock;
    struct transfer_list queue; /* handed over, not yet seen by the thread */
    bool stopping;
};

static void lock(struct http_engine *e)
{
    (void)pthread_mutex_lock(&e->lock);
}

static void unlock(struct http_engine *e)
{
    (void)pthread_mutex_unlock(&e->lock);
}

/* --- the engine's thread --- */

/* The caller may return as soon as the lock is free: t is gone then. */
static void finish(struct http_engine *e, struct transfer *t, enum transfer_end end, CURLcode code)
{
    (void)curl_multi_remove_handle(e->multi, t->easy);
    TAILQ_REMOVE(&e->active, t, link);
    if (t->end == END_LIBCURL)
        t->end = end;
    if (t->end == END_LIBCURL && code == CURLE_OK && !t->headers_done)
        t->end = END_CUT;
    t->code = code;
    lock(e);
    t->done = true;
    (void)pthread_cond_signal(&t->changed);
    unlock(e);
}

static void start(struct http_engine *e, struct transfer *t)
{
    int64_t now_ms = clock_mono_ms();

    TAILQ_INSERT_TAIL(&e->active, t, link);
    t->last_byte_ms = now_ms;
    t->deadline_ms = t->timeout_ms < 0 ? INT64_MAX : now_ms + t->timeout_ms;
    if (curl_multi_add_handle(e->multi, t->easy) != CURLM_OK)
        finish(e, t, END_LIBCURL, CURLE_FAILED_INIT);
}

/* False when the engine is stopping and nothing can come any more. */
static bool take_queue(struct http_engine *e)
{
    struct transfer_list taken = TAILQ_HEAD_INITIALIZER(taken);
    struct transfer *t;

    lock(e);
    bool stopping = e->stopping;
    TAILQ_CONCAT(&taken, &e->queue, link);
    unlock(e);
    while ((t = TAILQ_FIRST(&taken))) {
        TAILQ_REMOVE(&taken, t, link);
        start(e, t);
    }
    return !stopping || !TAILQ_EMPTY(&e->active);
}

static void reap(struct http_engine *e)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(e->multi, &left))) {
        CURLcode code = message->data.result; /* the message ends with the removal */
        struct transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK)
            fatal("libcurl does not say which transfer has ended", 0); /* whose caller would wait for ever */
        finish(e, t, END_LIBCURL, code);
    }
}

/* When t must be looked at again; a time that has passed ends it, and *end says how. */
static int64_t due_ms(const struct transfer *t, bool paused, enum transfer_end *end)
{
    int64_t idle_ms = t->request->idle_timeout_ms;

    *end = END_TIMEOUT;
    if (idle_ms <= 0 || paused || t->last_byte_ms + idle_ms >= t->deadline_ms)
        return t->deadline_ms;
    *end = END_IDLE;
    return t->last_byte_ms + idle_ms;
}

/* Does what the caller or the clock asks for. Returns when to look again, 0 when t is done. */
static int64_t tend_one(struct http_engine *e, struct transfer *t, int64_t now_ms)
{
    enum transfer_end end;

    lock(e);
    bool stopping = e->stopping, unwanted = t->cancelled || t->abandoned, resume = t->resume;
    if (resume)
        t->resume = t->paused = false;
    bool paused = t->paused;
    unlock(e);

    if (stopping || unwanted) {
        finish(e, t, unwanted ? END_CANCELLED : END_SHUTDOWN, CURLE_OK);
        return 0;
    }
    if (resume) {
        t->last_byte_ms = now_ms; /* the silence was ours */
        CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
        if (code != CURLE_OK) {
            finish(e, t, END_LIBCURL, code);
            return 0;
        }
    }
    int64_t due = due_ms(t, paused, &end);
    if (due > now_ms)
        return due;
    finish(e, t, end, CURLE_OK);
    return 0;
}

/* Returns how long the loop may sleep. */
static int tend(struct http_engine *e)
{
    int64_t now_ms = clock_mono_ms(), next_ms = now_ms + MAX_TURN_MS;

    for (struct transfer *t = TAILQ_FIRST(&e->active), *next; t; t = next) {
        next = TAILQ_NEXT(t, link);
        int64_t due = tend_one(e, t, now_ms);
        if (due > 0 && due < next_ms)
            next_ms = due;
    }
    return (int)(next_ms - now_ms);
}

static void *run(void *arg)
{
    struct http_engine *e = arg;
    int running;

    while (take_queue(e)) {
        atomic_store(&e->heartbeat_ms, clock_mono_ms());
        (void)curl_multi_perform(e->multi, &running);
        reap(e);
        if (curl_multi_poll(e->multi, NULL, 0, tend(e), NULL) != CURLM_OK)
            clock_sleep_ms(10); /* out of memory or descriptors: others may free some */
    }
    return NULL;
}

/* --- the callers' threads --- */

static void on_cancel(void *ctx)
{
    struct transfer *t = ctx;

    lock(t->engine);
    t->cancelled = true;
    unlock(t->engine);
    (void)curl_multi_wakeup(t->engine->multi);
}

static bool submit(struct http_engine *e, struct transfer *t)
{
    lock(e);
    bool accepted = !e->stopping;
    if (accepted)
        TAILQ_INSERT_TAIL(&e->queue, t, link);
    unlock(e);
    if (accepted)
        (void)curl_multi_wakeup(e->multi);
    return accepted;
}

/* Called and left with the lock held; on_data runs without it. */
static void deliver(struct http_engine *e, struct transfer *t, struct err *err)
{
    struct buf chunk = t->stream;

    t->stream = BUF_INIT(chunk.max);
    unlock(e);
    int r = t->request->on_data(t->request->data, chunk.data, chunk.len, err);
    buf_done(&chunk);
    lock(e);
    t->abandoned = r != 0;
    t->resume = t->paused && r == 0;
    if (t->resume || t->abandoned)
        (void)curl_multi_wakeup(e->multi);
}

/* What arrived before a failure is still delivered, except when the caller was told to stop. */
static bool has_delivery(const struct transfer *t)
{
    bool stopped = t->done && (t->end == END_CANCELLED || t->end == END_SHUTDOWN);

    return t->stream.len > 0 && !t->abandoned && !t->cancelled && !stopped;
}

static void wait_for(struct http_engine *e, struct transfer *t, struct err *err)
{
    lock(e);
    for (;;) {
        if (has_delivery(t))
            deliver(e, t, err);
        else if (t->done)
            break;
        else
            (void)pthread_cond_wait(&t->changed, &e->lock);
    }
    if (t->cancelled && t->stream.len > 0)
        t->end = END_CANCELLED; /* complete, but not delivered */
    unlock(e);
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct http_engine *e = (struct http_engine *)self;
    const struct transfer_settings settings = {.user_agent = e->user_agent, .trust = e->trust};
    struct transfer t;

    if (transfer_open(&t, request, response, &settings, err) < 0)
        return -1;
    t.engine = e;
    t.lock = &e->lock;
    t.waiter = (struct http_cancel_waiter){.wake = on_cancel, .ctx = &t};
    if (!http_cancel_add(request->cancel, &t.waiter)) {
        t.end = END_CANCELLED;
    } else {
        if (submit(e, &t))
            wait_for(e, &t, err);
        else
            t.end = END_SHUTDOWN;
        http_cancel_remove(request->cancel, &t.waiter);
    }
    int r = transfer_result(&t, err);
    transfer_close(&t);
    return r;
}

/* --- life --- */

static void global_init(void)
{
    /* A failed allocation ends the program here as everywhere else (base/mem.h). */
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, xmalloc, free, xrealloc, xstrdup, xcalloc) != CURLE_OK)
        fatal("libcurl cannot be initialised", 0);
}

static int start_thread(struct http_engine *e)
{
    /* Signals are for the program's main thread. A broken connection must not raise SIGPIPE, either. */
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t blocked, before;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(synchronous); i++)
        (void)sigdelset(&blocked, synchronous[i]);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int r = pthread_create(&e->thread, NULL, run, e);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int http_engine_new(struct http_engine **ret, const struct http_engine_options *options, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    long connections = options->max_connections_per_host;

    if (str_empty(options->user_agent) || strpbrk(options->user_agent, "\r\n"))
        return err_set(err, ERR_INVALID, "the HTTP client needs a user agent of one line");
    (void)pthread_once(&once, global_init);
    struct http_engine *e = xcalloc(1, sizeof(*e));
    e->client.perform = perform;
    e->user_agent = xstrdup(options->user_agent);
    e->trust = http_trust_new();
    TAILQ_INIT(&e->active);
    TAILQ_INIT(&e->queue);
    atomic_init(&e->heartbeat_ms, clock_mono_ms());
    (void)pthread_mutex_init(&e->lock, NULL);
    e->multi = curl_multi_init();
    if (!e->multi)
        fatal("libcurl cannot make a multi handle", 0);
    (void)curl_multi_setopt(
        e->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections > 0 ? connections : DEFAULT_CONNECTIONS_PER_HOST);
    (void)curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    int r = start_thread(e);
    if (r != 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "cannot start the HTTP client's thread: error %d", r);
        (void)curl_multi_cleanup(e->multi);
        (void)pthread_mutex_destroy(&e->lock);
        free(e->user_agent);
        http_trust_free(e->trust);
        free(e);
        return -1;
    }
    *ret = e;
    return 0;
}

struct http_client *http_engine_client(struct http_engine *engine)
{
    return &engine->client;
}

void http_engine_shutdown(struct http_engine *engine)
{
    lock(engine);
    engine->stopping = true;
    unlock(engine);
    (void)curl_multi_wakeup(engine->multi);
}

struct http_engine *http_engine_free(struct http_engine *engine)
{
    if (!engine)
        return NULL;
    http_engine_shutdown(engine);
    (void)pthread_join(engine->thread, NULL);
    (void)curl_multi_cleanup(engine->multi);
    (void)pthread_mutex_destroy(&engine->lock);
    free(engine->user_agent);
    http_trust_free(engine->trust);
    free(engine);
    return NULL;
}

int64_t http_engine_heartbeat_ms(const struct http_engine *engine)
{
    return atomic_load(&engine->heartbeat_ms);
}
