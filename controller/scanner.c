/* Jobs by account, and the threads that work on them.
 *
 * A job belongs to the map until it is forgotten; one that is in work then is freed by its thread. The lock is held for
 * looks and changes only, never during a request. Order of locks: the scanner's, the scan's own, the job's. */
#include "controller/scanner.h"

#include "azure/scan.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <sys/queue.h>

#define DEFAULT_JOBS 2
#define MAX_JOBS 32
#define DEFAULT_KEEP_MS (24 * 3600 * 1000LL)
#define DEFAULT_RETRY_MS (10 * 60 * 1000LL)
#define SWEEP_MS 60000
#define LOGGED_OFFENDERS 20 /* of one account; the subcommand lists all */

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_FINISHED };

struct job {
    struct scanner *scanner;
    char *account_id;
    enum job_state state;
    bool forgotten; /* no longer in the map */
    struct http_cancel *cancel;
    struct scan *scan;    /* while it runs */
    char *position;       /* of one that failed */
    pthread_mutex_t told; /* of the two below: the scan's threads write them */
    char *first_offender;
    int64_t offenders_told;
    struct scan_progress progress; /* when it was finished */
    struct err err;                /* of one that failed */
    int64_t finished_ms;
    STAILQ_ENTRY(job) link;
};

struct scanner {
    struct scanner_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map jobs; /* lower-case account id -> struct job */
    STAILQ_HEAD(, job) queue;
    pthread_t threads[MAX_JOBS];
    int n_threads;
    bool stopping;
    int64_t swept_ms;
};

static struct job *job_free(struct job *job)
{
    if (!job)
        return NULL;
    (void)http_cancel_free(job->cancel);
    (void)pthread_mutex_destroy(&job->told);
    free(job->account_id);
    free(job->position);
    free(job->first_offender);
    free(job);
    return NULL;
}
struct scanner *scanner_new(const struct scanner_options *options)
{
    struct scanner *scanner = xcalloc(1, sizeof(*scanner));
    struct scanner_options *o = &scanner->options;

    *o = *options;
    o->jobs = o->jobs <= 0 ? DEFAULT_JOBS : o->jobs < MAX_JOBS ? o->jobs : MAX_JOBS;
    o->keep_ms = o->keep_ms > 0 ? o->keep_ms : DEFAULT_KEEP_MS;
    o->retry_ms = o->retry_ms > 0 ? o->retry_ms : DEFAULT_RETRY_MS;
    o->now_ms = o->now_ms ? o->now_ms : clock_mono_ms;
    (void)pthread_mutex_init(&scanner->lock, NULL);
    (void)pthread_cond_init(&scanner->changed, NULL);
    STAILQ_INIT(&scanner->queue);
    return scanner;
}

/* --- on the scanner's threads --- */

static void on_offender(void *ctx, const struct scan_offender *offender)
{
    struct job *job = ctx;

    (void)pthread_mutex_lock(&job->told);
    if (!job->first_offender)
        job->first_offender = xasprintf(
            "%s in %s/%s (%zu bytes)", offender->id, offender->database, offender->container, offender->id_bytes);
    bool log = job->offenders_told++ < LOGGED_OFFENDERS;
    (void)pthread_mutex_unlock(&job->told);
    if (log)
        log_warn("a document id is too long for customer-managed keys", LOG_S("account", job->account_id),
            LOG_S("database", offender->database), LOG_S("container", offender->container), LOG_S("id", offender->id),
            LOG_I("bytes", offender->id_bytes));
}

static void on_skipped(void *ctx, const char *database, const char *container, const struct err *why)
{
    const struct job *job = ctx;

    log_info("a container is gone and was not scanned", LOG_S("account", job->account_id), LOG_S("database", database),
        LOG_S("container", container), LOG_S("error", why->msg));
}

/* Makes the scan visible to looks for as long as it runs; scan NULL: what it has come to stays. */
static void show(struct job *job, struct scan *scan, const struct scan_progress *progress)
{
    (void)pthread_mutex_lock(&job->scanner->lock);
    job->scan = scan;
    if (progress)
        job->progress = *progress;
    (void)pthread_mutex_unlock(&job->scanner->lock);
}

static int scan_account(struct job *job, struct err *err)
{
    const struct scanner_options *o = &job->scanner->options;
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    _cleanup_(scan_freep) struct scan *scan = NULL;
    struct scan_progress progress;
    const struct scan_options options = {.threads = o->threads,
        .ru_per_second = o->ru_per_second,
        .position = job->position,
        .cancel = job->cancel,
        .events = {.offender = on_offender, .skipped = on_skipped, .ctx = job}};

    if (o->open(o->ctx, job->account_id, job->cancel, &gateway, err) < 0 || scan_new(&scan, gateway, &options, err) < 0)
        return -1;
    show(job, scan, NULL);
    int r = scan_run(scan, err);
    scan_look(scan, &progress);
    show(job, NULL, &progress);
    free(job->position);
    job->position = r < 0 ? scan_position(scan) : NULL;
    return r;
}

static void tell_end(const struct job *job, const struct err *err)
{
    const struct scan_progress *p = &job->progress; /* only this thread writes it */

    if (err->kind == ERR_CANCELLED)
        return;
    if (err->kind != ERR_NONE)
        log_warn("the scan for long document ids failed", LOG_S("account", job->account_id),
            LOG_I("containers", p->containers_done), LOG_S("error", err->msg));
    else
        log_info("the scan for long document ids is complete", LOG_S("account", job->account_id),
            LOG_I("containers", p->containers_done), LOG_I("ranges", p->ranges_done), LOG_I("offenders", p->offenders),
            LOG_I("requestUnits", p->charge_milli / 1000));
}

/* With the lock held. */
static void finish(struct job *job)
{
    job->state = JOB_FINISHED;
    job->finished_ms = job->scanner->options.now_ms();
    if (job->forgotten)
        (void)job_free(job);
}

static void *work(void *ctx)
{
    struct scanner *scanner = ctx;

    (void)pthread_mutex_lock(&scanner->lock);
    for (;;) {
        while (!scanner->stopping && STAILQ_EMPTY(&scanner->queue))
            (void)pthread_cond_wait(&scanner->changed, &scanner->lock);
        if (scanner->stopping)
            break;
        struct job *job = STAILQ_FIRST(&scanner->queue);
        STAILQ_REMOVE_HEAD(&scanner->queue, link);
        job->state = JOB_RUNNING;
        job->err = ERR_INIT;
        (void)pthread_mutex_unlock(&scanner->lock);
        struct err err = ERR_INIT;
        if (scan_account(job, &err) == 0)
            err = ERR_INIT;
        tell_end(job, &err);
        (void)pthread_mutex_lock(&scanner->lock);
        job->err = err;
        finish(job);
    }
    (void)pthread_mutex_unlock(&scanner->lock);
    return NULL;
}

/* --- from outside; all with the lock held --- */

static char *key_of(const char *account_id)
{
    return str_lower(xstrdup(account_id));
}

static bool is_stale(const struct job *job, int64_t now_ms)
{
    return job->state == JOB_FINISHED && now_ms - job->finished_ms >= job->scanner->options.keep_ms;
}

/* What heals by itself is tried again sooner. */
static bool may_retry(const struct job *job, int64_t now_ms)
{
    int64_t wait_ms = job->scanner->options.retry_ms;

    if (job->state != JOB_FINISHED || job->err.kind == ERR_NONE)
        return false;
    return now_ms - job->finished_ms >= (err_is_transient(&job->err) ? wait_ms / 10 : wait_ms);
}

static void enqueue(struct scanner *scanner, struct job *job)
{
    job->state = JOB_QUEUED;
    STAILQ_INSERT_TAIL(&scanner->queue, job, link);
    while (scanner->n_threads < scanner->options.jobs &&
           pthread_create(&scanner->threads[scanner->n_threads], NULL, work, scanner) == 0)
        scanner->n_threads++;
    (void)pthread_cond_signal(&scanner->changed);
}

static void drop(struct scanner *scanner, const char *key)
{
    struct job *job = map_remove(&scanner->jobs, key);

    if (!job)
        return;
    job->forgotten = true;
    if (job->state == JOB_QUEUED)
        STAILQ_REMOVE(&scanner->queue, job, job, link);
    if (job->state == JOB_RUNNING)
        http_cancel_trigger(job->cancel);
    else
        (void)job_free(job);
}

/* Results of accounts that nobody asks about any more go, too. One at a time, because the map moves. */
static void sweep(struct scanner *scanner, int64_t now_ms)
{
    for (bool found = now_ms - scanner->swept_ms >= SWEEP_MS; found;) {
        _cleanup_(freep) char *key = NULL;
        map_foreach (entry, &scanner->jobs)
            if (!key && is_stale(entry->value, now_ms))
                key = xstrdup(entry->key);
        found = key != NULL;
        if (found)
            drop(scanner, key);
        scanner->swept_ms = now_ms;
    }
}

static struct job *add(struct scanner *scanner, const char *key, const char *account_id)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->scanner = scanner;
    job->account_id = xstrdup(account_id);
    job->cancel = http_cancel_new();
    job->err = ERR_INIT;
    (void)pthread_mutex_init(&job->told, NULL);
    (void)map_set(&scanner->jobs, key, job);
    return job;
}

void scanner_want(struct scanner *scanner, const char *account_id)
{
    _cleanup_(freep) char *key = key_of(account_id);

    (void)pthread_mutex_lock(&scanner->lock);
    int64_t now = scanner->options.now_ms();
    sweep(scanner, now);
    struct job *job = map_get(&scanner->jobs, key);
    if (job && is_stale(job, now)) {
        drop(scanner, key);
        job = NULL;
    }
    if (scanner->stopping)
        ; /* too late */
    else if (!job && scanner->jobs.len < SCANNER_MAX_JOBS)
        enqueue(scanner, add(scanner, key, account_id));
    else if (job && may_retry(job, now))
        enqueue(scanner, job);
    (void)pthread_mutex_unlock(&scanner->lock);
}

static enum cmk_scan_state state_of(const struct job *job)
{
    if (job->state != JOB_FINISHED)
        return CMK_SCAN_RUNNING;
    if (job->err.kind != ERR_NONE)
        return CMK_SCAN_FAILED;
    return job->progress.offenders > 0 ? CMK_SCAN_FOUND : CMK_SCAN_CLEAN;
}

static void fill(struct job *job, struct cmk_scan_evidence *ret)
{
    struct scan_progress progress = job->progress;

    if (job->scan)
        scan_look(job->scan, &progress);
    ret->state = state_of(job);
    ret->error = job->err;
    ret->containers = progress.containers;
    ret->containers_done = progress.containers_done;
    ret->ranges = progress.ranges;
    ret->ranges_done = progress.ranges_done;
    ret->offenders = progress.offenders;
    (void)pthread_mutex_lock(&job->told);
    ret->first_offender = xstrdup(job->first_offender);
    (void)pthread_mutex_unlock(&job->told);
}

void scanner_look(struct scanner *scanner, const char *account_id, struct cmk_scan_evidence *ret)
{
    _cleanup_(freep) char *key = key_of(account_id);

    *ret = (struct cmk_scan_evidence){.error = ERR_INIT};
    (void)pthread_mutex_lock(&scanner->lock);
    struct job *job = map_get(&scanner->jobs, key);
    if (job && !is_stale(job, scanner->options.now_ms()))
        fill(job, ret);
    (void)pthread_mutex_unlock(&scanner->lock);
}

void scanner_look_done(struct cmk_scan_evidence *evidence)
{
    free(evidence->first_offender);
    evidence->first_offender = NULL;
}

void scanner_forget(struct scanner *scanner, const char *account_id)
{
    _cleanup_(freep) char *key = key_of(account_id);

    (void)pthread_mutex_lock(&scanner->lock);
    drop(scanner, key);
    (void)pthread_mutex_unlock(&scanner->lock);
}

struct scanner *scanner_stop(struct scanner *scanner)
{
    if (!scanner)
        return NULL;
    (void)pthread_mutex_lock(&scanner->lock);
    scanner->stopping = true;
    map_foreach (entry, &scanner->jobs)
        http_cancel_trigger(((struct job *)entry->value)->cancel);
    (void)pthread_cond_broadcast(&scanner->changed);
    (void)pthread_mutex_unlock(&scanner->lock);
    for (int i = 0; i < scanner->n_threads; i++)
        (void)pthread_join(scanner->threads[i], NULL);
    map_foreach (entry, &scanner->jobs)
        (void)job_free(entry->value);
    map_done(&scanner->jobs);
    (void)pthread_cond_destroy(&scanner->changed);
    (void)pthread_mutex_destroy(&scanner->lock);
    free(scanner);
    return NULL;
}
