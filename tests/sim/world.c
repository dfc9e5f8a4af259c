/* The life of the world: the driver, the process and its deaths, the faults.
 *
 * A process that dies is not torn out of reconcile(): from that moment nothing it asks for happens and everything
 * fails, so that it unwinds and frees what it holds; then its store, queue and memory are thrown away and a new one
 * lists the API server. */
#include "sim/world.h"

#include "azure/cloud.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "controller/azure_port.h"
#include "controller/codec.h"

#include <stdio.h>
#include <string.h>

#define UP_SINCE_MS 1000000 /* when the world begins */

#define BEGIN "2026-03-02T08:00:00Z" /* a Monday */
#define SLOW_MS 100000
#define RETENTION_MS 86400000

const char *effect_name(enum effect effect)
{
    static const char *const names[EFFECT_COUNT] = {
        "none", "read account", "read operation", "patch", "gather", "grant", "write status", "write operation"};

    return names[effect];
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {"none", "crash before", "crash after", "lease lost",
        "paused before, lease lost", "paused after, lease lost", "slow", "pause", "outsider", "Kubernetes conflict",
        "Kubernetes down", "Kubernetes answer lost", "429", "429 with Retry-After", "500", "503 with Retry-After",
        "504 after the change", "cut before", "cut after", "late", "403", "404", "412", "token refused", "garbage"};

    return names[fault];
}

bool fault_fits(enum fault fault, enum effect effect)
{
    if (fault <= FAULT_OUTSIDER)
        return true;
    if (fault == FAULT_KUBE_CONFLICT)
        return effect == EFFECT_WRITE;
    if (fault <= FAULT_KUBE_LOST)
        return effect == EFFECT_WRITE || effect == EFFECT_WRITE_OPERATION;
    if (effect == EFFECT_GATHER || effect == EFFECT_GRANT)
        return fault == FAULT_429 || fault == FAULT_500 || fault == FAULT_TOKEN;
    if (fault == FAULT_412 || fault == FAULT_LATE)
        return effect == EFFECT_PATCH;
    return effect == EFFECT_READ_ACCOUNT || effect == EFFECT_READ_OPERATION || effect == EFFECT_PATCH;
}

/* ---- ports of the process's own ---- */

static int64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static int64_t uptime_ms(void *ctx)
{
    const struct world *w = ctx;

    return w->now - w->begin + UP_SINCE_MS;
}

static void uuid(void *ctx, char ret[static UUID_SIZE])
{
    struct world *w = ctx;

    (void)snprintf(ret, UUID_SIZE, "c0000000-0000-4000-8000-%012llx", (unsigned long long)++w->uuids);
}

static bool holds_lease(void *ctx)
{
    return ((struct world *)ctx)->leads;
}

/* Only of what was written, and never a place where an operation can be read. */
static void record_event(void *ctx, const struct cmk_resource *resource, const char *resource_version _unused_,
    const struct cmk_event *event)
{
    struct world *w = ctx;

    w->n_events++;
    if (w->dead || !w->pass_wrote)
        violation(w, "%s: the event %s of nothing that was written", resource->name, event->reason);
    if (strstr(event->note, "/operationsStatus/") || strstr(event->note, "api-version"))
        violation(w, "%s: the event %s shows the URL of an operation", resource->name, event->reason);
    trace_event(w, event);
}

static void enqueue(void *ctx, const char *key)
{
    struct world *w = ctx;

    queue_add(w->queue, key, w->now);
}

/* ---- the process ---- */

static void process_start(struct world *w)
{
    static const struct queue_options queue = {.backoff_base_ms = 500, .backoff_max_ms = 300000};

    w->process = ++w->n_processes;
    w->dead = false;
    w->leads = true;
    w->store = store_new();
    w->queue = queue_new(&queue);
    w->kube = (struct kube_port_context){.client = (struct kube_client *)w, .store = w->store};
    w->ports = (struct ports){.azure = world_azure_port(w),
        .kube = kube_port_make(&w->kube),
        .events = {.ctx = w, .record = record_event},
        .world = {.ctx = w, .now_ms = now_ms, .uptime_ms = uptime_ms, .uuid = uuid, .holds_lease = holds_lease}};
    w->reconciler = (struct reconciler){.ports = &w->ports, .options = &cmk_default_options, .store = w->store};
    for (size_t i = 0; i < w->n_objects; i++)
        w->objects[i].changed = true;
}

static void process_end(struct world *w)
{
    w->store = store_free(w->store);
    w->queue = queue_free(w->queue);
}

void world_die(struct world *w)
{
    w->dead = true;
    w->crashes++;
}

#define PAUSE_MS 600000

/* What the paused pass has said so far comes after what the other process says. */
void world_pause(struct world *w)
{
    struct world paused = *w;

    w->pass_text = BUF_INIT(1 << 20);
    w->pass_print = BUF_INIT(1 << 20);
    process_start(w);
    world_run(w, w->now - w->begin + PAUSE_MS);
    process_end(w);
    buf_done(&w->pass_text);
    buf_done(&w->pass_print);
    w->pass_text = paused.pass_text;
    w->pass_print = paused.pass_print;
    w->store = paused.store;
    w->queue = paused.queue;
    w->kube = paused.kube;
    w->process = paused.process;
    w->pass_begin = paused.pass_begin;
    w->pass_wrote = paused.pass_wrote;
    w->reconciler.store = paused.store;
    w->leads = paused.leads;
    w->dead = false;
    for (size_t i = 0; i < w->n_objects; i++)
        w->objects[i].changed = true;
    trace_effect(w, TRACE_NEWS, "the process goes on after a pause of 10 min");
}

struct world *world_new(const struct world_options *options)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err err = ERR_INIT;

    if (options)
        w->options = *options;
    const struct azure_options azure = {.tenant = "contoso",
        .identity_ms = w->options.identity_ms ? w->options.identity_ms : 30000,
        .encrypt_ms = w->options.encrypt_ms ? w->options.encrypt_ms : 60000,
        .enqueued_ms = 10000,
        .retention_ms = RETENTION_MS,
        .key_visible_early = w->options.key_visible_early,
        .identity_resets_default = w->options.identity_resets_default};
    (void)time_parse_rfc3339(BEGIN, &w->begin);
    w->now = w->begin;
    w->last_version = 1000;
    log_setup(LOG_ERROR, LOG_JSON);
    w->model = azure_model_new(&azure, "simulation");
    w->violation = BUF_INIT(65536);
    w->trace = BUF_INIT(4 << 20);
    w->pass_text = BUF_INIT(1 << 20);
    w->pass_print = BUF_INIT(1 << 20);
    w->http = (struct world_http *)world_http_new(w);
    const struct azure_cloud_options cloud = {0};
    if (azure_cloud_new(&w->cloud, &cloud, &err) < 0)
        abort();
    const struct arm_options arm = {
        .http = (struct http_client *)w->http, .cloud = w->cloud, .permit = holds_lease, .permit_ctx = w};
    if (arm_client_new(&w->arm, &arm, &err) < 0)
        abort();
    process_start(w);
    return w;
}

static void object_done(struct world_object *o)
{
    free(o->key);
    (void)json_free(o->json);
    free(o->ahead_spec);
    free(o->shown);
    free(o->status_line);
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    process_end(w);
    (void)arm_client_free(w->arm);
    (void)azure_cloud_free(w->cloud);
    free(w->http);
    for (size_t i = 0; i < w->n_patches; i++)
        free(w->patches[i].body);
    for (size_t i = 0; i < w->n_objects; i++)
        object_done(&w->objects[i]);
    (void)azure_model_free(w->model);
    free(w->seen.state);
    free(w->seen.key_uri);
    free(w->seen.key_status);
    free(w->operation_word);
    free(w->late.account);
    free(w->late.body);
    buf_done(&w->violation);
    buf_done(&w->trace);
    buf_done(&w->pass_text);
    buf_done(&w->pass_print);
    free(w);
    return NULL;
}

/* ---- faults ---- */

void world_fault_at(struct world *w, size_t at, enum fault fault)
{
    w->faults[w->n_faults++] = (struct world_fault){.at = at, .fault = fault};
}

void world_fault_next(struct world *w, enum effect effect, enum fault fault, int times)
{
    w->faults[w->n_faults++] = (struct world_fault){.effect = effect, .fault = fault, .times = times};
}

static enum fault fault_of(struct world *w, enum effect effect)
{
    for (size_t i = 0; i < w->n_faults; i++) {
        struct world_fault *f = &w->faults[i];
        if (!fault_fits(f->fault, effect))
            continue;
        if (f->at == w->n_effects)
            return f->fault;
        if (f->at == 0 && f->effect == effect && f->times > 0) {
            f->times--;
            return f->fault;
        }
    }
    return FAULT_NONE;
}

static void lose_lease(struct world *w)
{
    trace_effect(w, TRACE_NEWS, "the process no longer leads");
    w->leads = false;
}

/* What others would notice is the leader's alone. */
static bool is_guarded(enum effect effect)
{
    return effect == EFFECT_PATCH || effect == EFFECT_GRANT || effect == EFFECT_WRITE ||
           effect == EFFECT_WRITE_OPERATION;
}

enum fault world_begin_effect(struct world *w, enum effect effect)
{
    if (w->dead)
        return FAULT_CRASH_BEFORE;
    if (!w->leads && is_guarded(effect))
        violation(w, "%s by a process that does not lead", effect_name(effect));
    if (++w->n_effects < WORLD_MAX_EFFECTS)
        w->effects[w->n_effects] = (unsigned char)effect;
    enum fault fault = fault_of(w, effect);
    w->now += fault == FAULT_SLOW ? SLOW_MS : w->options.latency_ms;
    world_azure_advance(w);
    if (fault == FAULT_OUTSIDER)
        w->outsider(w);
    if (fault == FAULT_LEASE_STALL)
        world_pause(w);
    if (fault == FAULT_LEASE_STALL || fault == FAULT_LEASE_LOST)
        lose_lease(w);
    if (fault == FAULT_CRASH_BEFORE) {
        trace_effect(w, TRACE_NEWS, "the process dies before: %s", effect_name(effect));
        world_die(w);
    }
    return fault;
}

bool world_dies_after(struct world *w, enum fault fault)
{
    if (fault == FAULT_LEASE_PAUSE) {
        world_pause(w);
        lose_lease(w);
    }
    if (fault != FAULT_CRASH_AFTER)
        return false;
    trace_effect(w, TRACE_NEWS, "the process dies before it hears the answer");
    world_die(w);
    return true;
}

/* ---- the driver ---- */

/* What the watch, or the list of a new process, tells. */
static void deliver(struct world *w)
{
    for (size_t i = 0; i < w->n_objects; i++) {
        struct world_object *o = &w->objects[i];
        struct cmk_resource resource;
        struct err err = ERR_INIT;

        if (!o->changed)
            continue;
        o->changed = false;
        if (!o->exists) {
            store_remove(w->store, o->key, enqueue, w);
            queue_remove(w->queue, o->key);
        } else if (cmk_decode(&resource, o->json, &err) < 0) {
            violation(w, "an object cannot be decoded: %s", err.msg);
        } else if (store_put(w->store, &resource) == STORE_CHANGED) {
            queue_add(w->queue, o->key, w->now);
        }
    }
}

/* As workers.c does, without the jitter. */
static void put_back(struct world *w, const char *key, const struct reconcile_verdict *verdict)
{
    if (verdict->backoff) {
        (void)queue_add_backoff(w->queue, key, w->now);
        return;
    }
    if (!verdict->held)
        queue_forget(w->queue, key);
    if (verdict->after_ms > 0)
        queue_add_at(w->queue, key, w->now + verdict->after_ms);
}

static void restart(struct world *w)
{
    process_end(w);
    w->now += w->options.restart_ms ? w->options.restart_ms : 5000;
    process_start(w);
}

static void one_pass(struct world *w, const char *borrowed_key)
{
    _cleanup_(freep) char *key = xstrdup(borrowed_key);

    w->pass_begin = w->n_effects;
    struct reconcile_verdict verdict = reconcile(&w->reconciler, key);
    trace_pass(w, key, &verdict);
    if (w->dead || !w->leads) {
        restart(w);
        return;
    }
    put_back(w, key, &verdict);
    queue_done(w->queue, key);
}

/* One pass, or one leap to the next one. False at the end of time. */
static bool step(struct world *w, int64_t end)
{
    int64_t wake;

    deliver(w);
    const char *key = queue_get(w->queue, w->now, &wake);
    if (key) {
        one_pass(w, key);
        return w->now < end;
    }
    w->now = wake < end ? wake : end;
    world_azure_advance(w);
    return w->now < end;
}

void world_run(struct world *w, int64_t until_ms)
{
    while (step(w, w->begin + until_ms))
        ;
}

static bool all_ready(const struct world *w)
{
    for (size_t i = 0; i < w->n_objects; i++)
        if (w->objects[i].exists && !str_eq(world_condition(&w->objects[i], "Ready", "status"), "True"))
            return false;
    return true;
}

bool world_run_until_ready(struct world *w, int64_t until_ms)
{
    bool more = true;

    while (more && !all_ready(w))
        more = step(w, w->begin + until_ms);
    return all_ready(w);
}
