/* A ring of tokens that wait for a review, and the thread that has them reviewed one after the other.
 *
 * One thread is enough: a scraper's token is reviewed once a minute, and a flood of unknown ones should not become a
 * flood for the API server. The ring is as long as the server's limit of answers put off, so it is never full. */
#include "controller/metrics_access.h"

#include "base/fatal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "serve/metrics.h"

#include <pthread.h>
#include <string.h>

#define TOKEN_MAX 12288 /* of a head of 16 KiB */

struct job {
    struct serve_ticket ticket;
    struct secret *token;
};

struct metrics_access {
    struct kube_reviewer *reviewer;
    struct metrics_answer (*answer)(void *ctx, enum metrics_decision decision);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    struct job jobs[METRICS_MAX_WAITING];
    size_t first, n;
    bool complained; /* of the thread: reviews fail, and it has been said */
};

size_t metrics_answer_headers(const struct metrics_answer *answer, struct serve_header ret[static 2])
{
    ret[0] = (struct serve_header){"content-type", answer->status == 200 ? METRICS_CONTENT_TYPE : "text/plain"};
    ret[1] = (struct serve_header){"www-authenticate", "Bearer"};
    return answer->status == 401 ? 2 : 1;
}

static enum metrics_decision decision_of(enum kube_verdict verdict)
{
    switch (verdict) {
    case KUBE_ALLOWED:
        return METRICS_ALLOWED;
    case KUBE_UNAUTHENTICATED:
        return METRICS_UNKNOWN_TOKEN;
    case KUBE_DENIED:
        break;
    }
    return METRICS_DENIED;
}

/* ---- the thread ---- */

static void complain(struct metrics_access *access, const struct err *err)
{
    if (!access->complained && err->kind != ERR_CANCELLED)
        log_warn("the API server does not say who may get the metrics", LOG_S("error", err->msg),
            LOG_S("hint", err->kind == ERR_FORBIDDEN ? "bind the ClusterRole system:auth-delegator" : ""));
    access->complained = true;
}

static enum metrics_decision review(struct metrics_access *access, const struct secret *token)
{
    enum kube_verdict verdict;
    struct err err = ERR_INIT;

    /* Others with the same token may have waited before it. */
    if (kube_reviewer_recall(access->reviewer, secret_reveal(token), &verdict))
        return decision_of(verdict);
    if (kube_reviewer_ask(access->reviewer, secret_reveal(token), &verdict, &err) == 0) {
        access->complained = false;
        return decision_of(verdict);
    }
    complain(access, &err);
    return err_is_transient(&err) || err.kind == ERR_CANCELLED ? METRICS_TRY_LATER : METRICS_CANNOT_ASK;
}

static bool next(struct metrics_access *access, struct job *ret)
{
    (void)pthread_mutex_lock(&access->lock);
    while (!access->n && !access->ended)
        (void)pthread_cond_wait(&access->changed, &access->lock);
    bool there = !access->ended;
    if (there) {
        *ret = access->jobs[access->first];
        access->first = (access->first + 1) % METRICS_MAX_WAITING;
        access->n--;
    }
    (void)pthread_mutex_unlock(&access->lock);
    return there;
}

static void *work(void *ctx)
{
    struct metrics_access *access = ctx;

    for (struct job job; next(access, &job); secret_unref(job.token)) {
        struct metrics_answer answer = access->answer(access->ctx, review(access, job.token));
        struct serve_header headers[2];
        size_t n = metrics_answer_headers(&answer, headers);
        serve_reply_later(&job.ticket, answer.status, headers, n, answer.body.data, answer.body.len);
        buf_done(&answer.body);
    }
    return NULL;
}

/* ---- the server's thread ---- */

/* RFC 6750: the scheme in any case, then the token in its alphabet. NULL when there is none, or none that could be. */
static const char *bearer(struct serve_exchange *exchange)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    const char *header = serve_request_header(exchange, "authorization");

    if (!header || !str_has_prefix_nocase(header, "Bearer "))
        return NULL;
    header += strlen("Bearer ");
    header += strspn(header, " ");
    size_t len = strspn(header, alphabet);
    return len && len <= TOKEN_MAX && !header[len] ? header : NULL;
}

/* Whoever finds no ticket finds no room either: a job leaves the ring before its exchange is answered. */
static bool put_off(struct metrics_access *access, struct serve_exchange *exchange, struct secret *token)
{
    struct job job = {.token = token};
    bool room;

    (void)pthread_mutex_lock(&access->lock);
    room = access->n < METRICS_MAX_WAITING && !access->ended && serve_defer(exchange, &job.ticket);
    if (room) {
        access->jobs[(access->first + access->n++) % METRICS_MAX_WAITING] = job;
        (void)pthread_cond_signal(&access->changed);
    }
    (void)pthread_mutex_unlock(&access->lock);
    return room;
}

bool metrics_access_decide(struct metrics_access *access, struct serve_exchange *exchange, enum metrics_decision *ret)
{
    const char *token = bearer(exchange);
    enum kube_verdict verdict;

    if (!token) {
        *ret = METRICS_NO_TOKEN;
        return true;
    }
    if (kube_reviewer_recall(access->reviewer, token, &verdict)) {
        *ret = decision_of(verdict);
        return true;
    }
    struct secret *kept = secret_new(token, strlen(token));
    if (put_off(access, exchange, kept))
        return false;
    secret_unref(kept);
    *ret = METRICS_TOO_MANY;
    return true;
}

/* ---- life ---- */

struct metrics_access *metrics_access_start(struct kube_client *kube, const char *path,
    struct metrics_answer (*answer)(void *ctx, enum metrics_decision decision), void *ctx)
{
    const struct kube_reviewer_options options = {.client = kube, .path = path, .verb = "get"};
    struct metrics_access *access = xcalloc(1, sizeof(*access));

    access->reviewer = kube_reviewer_new(&options);
    access->answer = answer;
    access->ctx = ctx;
    (void)pthread_mutex_init(&access->lock, NULL);
    (void)pthread_cond_init(&access->changed, NULL);
    int r = pthread_create(&access->thread, NULL, work, access);
    if (r != 0)
        fatal("cannot start a thread", r);
    return access;
}

void metrics_access_end(struct metrics_access *access)
{
    if (!access)
        return;
    (void)pthread_mutex_lock(&access->lock);
    access->ended = true;
    (void)pthread_cond_signal(&access->changed);
    (void)pthread_mutex_unlock(&access->lock);
    (void)pthread_join(access->thread, NULL);
}

struct metrics_access *metrics_access_free(struct metrics_access *access)
{
    if (!access)
        return NULL;
    for (; access->n; access->n--) {
        secret_unref(access->jobs[access->first].token);
        access->first = (access->first + 1) % METRICS_MAX_WAITING;
    }
    kube_reviewer_free(access->reviewer);
    (void)pthread_cond_destroy(&access->changed);
    (void)pthread_mutex_destroy(&access->lock);
    free(access);
    return NULL;
}
