/* In the place of pkg/http/engine.c: a request is carried to a server of the model and its answer back, each way in its
 * own time, by a fiber that belongs to nobody. So what was sent arrives whatever becomes of the sender: it may have
 * been killed, stopped, or tired of waiting.
 *
 * The promises of http.h hold: permit() is asked when nothing has been sent yet, maybe_sent says whether anything was,
 * a cancellation and a deadline end the call at once. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/cancel.h"

#include <string.h>

#define DEFAULT_TIMEOUT_MS 60000
#define GATEWAY_MS 60000
#define BREAK_MS 2000

struct http_engine {
    struct http_client client; /* first: perform() finds the rest through it */
    bool shut;
};

/* A request on its way. Held by its sender and by its carrier; whoever comes last frees it. */
struct carriage {
    struct call call;
    struct fault *fault;
    int64_t slow_ms;
    const void *sender; /* what it waits on, until it has left */
    bool left;          /* by the sender */
    bool done;          /* by the carrier */
    enum err_kind failure;
};

/* ---- faults ---- */

struct fault *fault_of(struct cluster *c, enum effect effect)
{
    for (size_t i = 0; !c->well && i < c->plan.n_faults; i++) {
        struct fault *f = &c->plan.faults[i];
        int64_t number = (int64_t)c->effects[effect];
        if (f->on == effect && number >= f->at && number < f->at + f->times) {
            c->fault_used[i]++;
            return f;
        }
    }
    return NULL;
}

static bool is(const struct fault *f, enum fault_kind kind)
{
    return f && f->kind == kind;
}

static void pause(struct process *p, int64_t ms)
{
    note(p->cluster, "%s stands still for %lld ms", p->name, (long long)ms);
    p->group.frozen_until = fiber_now() + ms;
}

/* ---- on the server's side ---- */

static bool is_kube(const struct call *call)
{
    return str_has_prefix(call->url, KUBE_URL "/");
}

/* True: refused. */
static bool refuse(struct call *call, const struct fault *f)
{
    static const struct {
        enum fault_kind kind;
        int status;
        const char *code;
    } rows[] = {
        {F_429, 429, "TooManyRequests"},
        {F_500, 500, "InternalError"},
        {F_503, 503, "ServiceUnavailable"},
        {F_401, 401, "Unauthorized"},
        {F_403, 403, "Forbidden"},
        {F_404, 404, "NotFound"},
        {F_409, 409, "Conflict"},
        {F_410, 410, "Expired"},
    };

    for (size_t i = 0; f && i < ARRAY_LEN(rows); i++) {
        if (rows[i].kind != f->kind)
            continue;
        if (f->kind == F_429 && f->arg)
            buf_printf(&call->headers, "retry-after: %lld\n", (long long)(f->arg + 999) / 1000);
        if (is_kube(call))
            kube_error(call, rows[i].status, rows[i].code, "this was a fault of the simulation");
        else
            azure_error(call, rows[i].status, rows[i].code, "this was a fault of the simulation");
        return true;
    }
    return false;
}

static void serve(struct call *call)
{
    buf_clear(&call->headers);
    buf_clear(&call->reply);
    call->status = 0;
    if (is_kube(call))
        kube_serve(call);
    else
        azure_serve(call);
}

static void answer(struct call *call, const struct fault *f)
{
    if (refuse(call, f))
        return;
    call->stale_ms = is(f, F_STALE) ? f->arg : 0;
    serve(call);
    if (is(f, F_TWICE))
        serve(call);
    if (is(f, F_504_AFTER))
        azure_error(call, 504, "GatewayTimeout", "The gateway did not receive a response within the specified time.");
    if (is(f, F_GARBAGE)) {
        buf_clear(&call->reply);
        buf_puts(&call->reply, "<html>Your connection is being checked</html>");
    }
}

/* ---- the carrier ---- */

static void call_done(struct call *call)
{
    free(call->method);
    free(call->url);
    free(call->path);
    free(call->query);
    free(call->body);
    buf_done(&call->headers);
    buf_done(&call->reply);
}

static void let_go(struct carriage *x)
{
    if (!x->left || !x->done)
        return;
    call_done(&x->call);
    free(x);
}

static void arrive_done(struct carriage *x)
{
    x->done = true;
    if (!x->left)
        fiber_wake(x->sender);
    let_go(x);
}

static bool is_out(const struct call *call)
{
    const struct cluster *c = call->c;

    return fiber_now() < (is_kube(call) ? c->no_kube_until : c->no_arm_until);
}

static int64_t way(const struct cluster *c)
{
    return 1 + (int64_t)fiber_below((uint64_t)c->plan.latency);
}

static const char *or_none(const char *text)
{
    return str_empty(text) ? "none" : text;
}

/* What a body says, as far as a reader of traces cares. */
static void describe(const struct call *call, struct buf *b)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (!call->body || json_parse(&tree, call->body, strlen(call->body), NULL) < 0)
        return;
    if (call->effect == E_STATUS || call->effect == E_RECORD)
        buf_printf(b, " Ready %s, operation %s %s, if %s", or_none(kube_condition(tree, "Ready", "reason")),
            or_none(json_string_at(tree, "status.operation.type")),
            or_none(json_string_at(tree, "status.operation.state")),
            or_none(json_string_at(tree, "metadata.resourceVersion")));
    else if (call->effect == E_LEASE_WRITE)
        buf_printf(b, " %s", json_string_at(tree, "spec.holderIdentity"));
    else if (call->effect == E_EVENT)
        buf_printf(b, " %s", json_string_at(tree, "reason"));
    else if (call->effect == E_PATCH)
        buf_printf(b, " %s", call->body);
}

/* Renewals that go well would hide the rest. */
static void note_call(const struct call *call, const struct fault *f)
{
    bool lease = call->effect == E_LEASE_READ || call->effect == E_LEASE_WRITE;
    _cleanup_(buf_done) struct buf what = BUF_INIT(4096);
    _cleanup_(freep) char *path = xstrdup(call->path);
    char *name;

    if (!call->c->trace || (lease && !f && call->status < 300))
        return;
    if (str_has_suffix_nocase(path, "/status"))
        *strrchr(path, '/') = '\0';
    name = strrchr(path, '/');
    describe(call, &what);
    note(call->c, "%s > %s %.40s%.300s: %d%s%s%s%.300s", call->from->name, effect_name(call->effect), name + 1,
        buf_str(&what), call->status, f ? ", met by " : "", f ? fault_name(f->kind) : "",
        call->status >= 300 ? " " : "", call->status >= 300 ? buf_str(&call->reply) : "");
}

static void carry(void *ctx)
{
    struct carriage *x = ctx;
    struct call *call = &x->call;
    const struct fault *f = x->fault;

    fiber_sleep(is(f, F_LATE) ? f->arg : way(call->c));
    if (is(f, F_CRASH_SENT) && call->from->number == call->process)
        process_kill(call->from, "what it sent is under way");
    if (is(f, F_CUT)) {
        x->done = true; /* and nobody is told */
        let_go(x);
        return;
    }
    if (is_out(call))
        x->failure = ERR_UNAVAILABLE;
    else
        answer(call, f);
    oracle_refused(call);
    note_call(call, f);
    if (is(f, F_CRASH_AFTER))
        process_kill(call->from, "it has not heard the answer");
    if (is(f, F_PAUSE_AFTER) && !call->from->ended && !call->from->group.dead)
        pause(call->from, f->arg);
    if (is(f, F_LOST) || is(f, F_LATE)) {
        x->done = true;
        let_go(x);
        return;
    }
    fiber_sleep(way(call->c) + (is(f, F_SLOW) ? f->arg : 0) + (is(f, F_504_AFTER) ? GATEWAY_MS : 0));
    arrive_done(x);
}

/* ---- the sender ---- */

struct sender {
    struct process *p;
    struct cluster *c;
    const struct http_request *request;
    struct http_response *response;
    struct err *err;
    struct http_cancel_waiter waiter;
    bool cancelled;
    int64_t deadline;
};

static void on_cancel(void *ctx)
{
    struct sender *s = ctx;

    s->cancelled = true;
    fiber_wake(s);
    fiber_wake(&s->c->etcd); /* on which watches wait */
}

static int fail(struct sender *s, enum err_kind kind, bool maybe_sent, const char *message)
{
    (void)err_set(s->err, kind, "%s", message);
    if (s->err)
        s->err->maybe_sent = maybe_sent;
    return -1;
}

static bool is_gone(const struct sender *s)
{
    return s->cancelled || s->p->group.dead;
}

static const char *header(const struct http_request *request, const char *name)
{
    for (const struct http_header *h = request->headers; h < request->headers + HTTP_MAX_REQUEST_HEADERS && h->name;
         h++)
        if (str_eq_nocase(h->name, name))
            return h->value;
    return "";
}

static void fill_call(struct sender *s, struct call *call)
{
    const struct http_request *r = s->request;
    const char *slash = strstr(r->url, "://") ? strchr(strstr(r->url, "://") + 3, '/') : NULL;

    *call = (struct call){.c = s->c,
        .from = s->p,
        .process = s->p->number,
        .method = xstrdup(r->method ? r->method : "GET"),
        .url = xstrdup(r->url),
        .path = xstrdup(slash ? slash : "/"),
        .body = r->body ? xstrndup(r->body, r->body_len) : NULL,
        .headers = BUF_INIT(65536),
        .reply = BUF_INIT(64 << 20)};
    char *question = strchr(call->path, '?');
    if (question) {
        *question = '\0';
        call->query = xstrdup(question + 1);
    }
    (void)str_copy(call->authorization, sizeof(call->authorization), header(r, "authorization"));
    (void)str_copy(call->correlation, sizeof(call->correlation), header(r, "x-ms-correlation-request-id"));
    call->effect = is_kube(call) ? kube_effect(call) : azure_effect(call);
}

/* Invariant 6: who may hear which secret. */
static void check_secrets(const struct call *call)
{
    struct cluster *c = call->c;
    bool kube = is_kube(call), arm = str_has_prefix(call->url, ARM_URL "/"),
         entra = str_has_prefix(call->url, ENTRA_URL "/");

    if (!kube && !arm && !entra)
        violation(c, "a request to %.80s", call->url);
    if (strstr(call->authorization, SECRET_MARK "-kube") && !kube)
        violation(c, "the API server's token goes to %.80s", call->url);
    if (strstr(call->authorization, SECRET_MARK "-arm") && !arm)
        violation(c, "ARM's token goes to %.80s", call->url);
    oracle_secret(c, "a URL", call->url);
    if (!entra)
        oracle_secret(c, "a body", call->body);
}

/* Until the time comes; false when the call is over. */
static bool spend(struct sender *s, int64_t ms)
{
    int64_t until = fiber_now() + ms;

    while (!is_gone(s) && fiber_now() < until)
        (void)fiber_wait(s, until);
    return !is_gone(s);
}

/* What happens at the sender before anything has left. */
static int set_out(struct sender *s, struct call *call, const struct fault *f)
{
    if (is_gone(s) || !spend(s, way(s->c)))
        return fail(s, ERR_CANCELLED, false, "the request was cancelled");
    if (is(f, F_CRASH_BEFORE)) {
        process_kill(s->p, effect_name(call->effect));
        return fail(s, ERR_CANCELLED, false, "killed");
    }
    if (is(f, F_PAUSE_BEFORE)) {
        pause(s->p, f->arg);
        fiber_yield();
        if (is_gone(s))
            return fail(s, ERR_CANCELLED, false, "the request was cancelled");
    }
    if (is_out(call))
        return fail(s, ERR_UNAVAILABLE, false, "cannot connect: simulated");
    if (s->request->permit && !s->request->permit(s->request->permit_ctx))
        return fail(s, ERR_CANCELLED, false, "it was no longer permitted");
    check_secrets(call);
    oracle_leaves(call);
    return 0;
}

static int take_reply(struct sender *s, struct call *call)
{
    const struct http_request *r = s->request;

    s->response->status = call->status;
    oracle_heard(call);
    buf_add(&s->response->headers, call->headers.data, call->headers.len);
    if (!r->on_data || call->status != 200) {
        buf_add(&s->response->body, call->reply.data, call->reply.len);
        return 0;
    }
    for (size_t at = 0, n; at < call->reply.len; at += n) {
        n = 1 + fiber_below(8192);
        n = n < call->reply.len - at ? n : call->reply.len - at;
        if (r->on_data(r->data, call->reply.data + at, n, s->err) != 0)
            return -1;
    }
    return 0;
}

static int wait_for(struct sender *s, struct carriage *x)
{
    int64_t until = is(x->fault, F_LATE) ? fiber_now() + BREAK_MS : s->deadline;
    bool lost = is(x->fault, F_LOST) || is(x->fault, F_CUT) || is(x->fault, F_LATE);

    while ((lost || !x->done) && !is_gone(s) && fiber_now() < until)
        (void)fiber_wait(s, until);
    if (is_gone(s))
        return fail(s, ERR_CANCELLED, true, "the request was cancelled");
    if (lost || !x->done)
        return is(x->fault, F_LATE) ? fail(s, ERR_UNAVAILABLE, true, "the connection was lost")
                                    : fail(s, ERR_TIMEOUT, true, "no complete answer in time");
    if (x->failure)
        return fail(s, x->failure, true, "the connection was lost");
    return take_reply(s, &x->call);
}

static int perform_one(struct sender *s, struct carriage *x)
{
    struct call *call = &x->call;

    fill_call(s, call);
    call->number = ++s->c->n_effects;
    s->c->effects[call->effect]++;
    x->fault = fault_of(s->c, call->effect);
    if (set_out(s, call, x->fault) < 0) {
        x->done = true;
        return -1;
    }
    if (call->effect == E_WATCH) {
        x->done = true;
        if (refuse(call, x->fault))
            return take_reply(s, call);
        return watch_serve(call, s->request, s->response, s->err);
    }
    (void)fiber_start(NULL, carry, x, false);
    return wait_for(s, x);
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct process *p = process_current();
    struct sender s = {.p = p,
        .c = p->cluster,
        .request = request,
        .response = response,
        .err = err,
        .deadline = fiber_now() + (request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS)};

    if (p->group.dead || ((struct http_engine *)self)->shut)
        return fail(&s, ERR_CANCELLED, false, "the engine is shut down");
    s.waiter = (struct http_cancel_waiter){.wake = on_cancel, .ctx = &s};
    if (!http_cancel_add(request->cancel, &s.waiter))
        return fail(&s, ERR_CANCELLED, false, "the request was cancelled");
    struct carriage *x = xcalloc(1, sizeof(*x));
    x->sender = &s;
    int r = perform_one(&s, x);
    http_cancel_remove(request->cancel, &s.waiter);
    x->left = true;
    let_go(x);
    return r;
}

/* ---- pkg/http/http.h ---- */

int http_engine_new(
    struct http_engine **ret, const struct http_engine_options *options _unused_, struct err *err _unused_)
{
    *ret = xcalloc(1, sizeof(**ret));
    (*ret)->client.perform = perform;
    return 0;
}

struct http_client *http_engine_client(struct http_engine *engine)
{
    return &engine->client;
}

void http_engine_shutdown(struct http_engine *engine)
{
    engine->shut = true;
}

struct http_engine *http_engine_free(struct http_engine *engine)
{
    free(engine);
    return NULL;
}

int64_t http_engine_heartbeat_ms(const struct http_engine *engine _unused_)
{
    return 0;
}
