/* The loop of the design's section 4.2. The only decisions here are mechanical: when a pass ends, and what a failed
 * status write means. Everything else is in controller/cmk. */
#include "controller/reconcile.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tz_file.h"

#include <string.h>

/* The longest chain of the rules is well below; reaching this is a bug in the table, not a state of the world. */
#define MAX_EFFECTS 32

struct pass {
    struct reconciler *r;
    struct cmk_view view;
    char *version;          /* of the resource as last read or written in this pass */
    uint32_t observed_at_s; /* by earlier passes */
    char *owner;
    struct tz *zone;
    struct cmk_events events; /* to be told once what they are about is written */
    size_t n_effect_events;   /* how many of them are about operations, not conditions */
};

static void result_done(struct cmk_result *result)
{
    cmk_account_done(&result->account);
    free(result->state);
    free(result->error_code);
    free(result->error_message);
    free(result->status_url);
    free(result->operation_id);
    cmk_evidence_done(&result->evidence);
}

static bool holds_lease(const struct pass *p)
{
    const struct world_port *world = &p->r->ports->world;

    return world->holds_lease(world->ctx);
}

/* Asked for again right before every effect that others would notice: the process may have stood still since the
 * decision. */
static int check_lease(const struct pass *p, struct err *err)
{
    if (holds_lease(p))
        return 0;
    return err_set(err, ERR_CANCELLED, "this process no longer leads");
}

static void tell(struct pass *p)
{
    const struct event_port *port = &p->r->ports->events;

    for (size_t i = 0; port->record && i < p->events.n; i++)
        port->record(port->ctx, p->view.resource, p->version, &p->events.list[i]);
    p->events.n = 0;
}

static int write_status(struct pass *p, struct err *err)
{
    const struct kube_port *kube = &p->r->ports->kube;
    char *version = NULL;

    if (check_lease(p, err) < 0)
        return -1;
    if (kube->write_status(kube->ctx, p->view.resource, p->version, &p->view.status, &version, err) < 0)
        return -1;
    free(p->version);
    p->version = version;
    tell(p);
    return 0;
}

static int write_ahead(struct pass *p, const struct cmk_step *step, struct err *err)
{
    const struct world_port *world = &p->r->ports->world;
    char correlation[UUID_SIZE];

    world->uuid(world->ctx, correlation);
    cmk_write_ahead(&p->view, step, correlation);
    cmk_conclude(&p->view, step);
    return write_status(p, err);
}

/* The only place that touches the world. -1 only when the pass cannot go on: Kubernetes did not take a write, or we no
 * longer lead. */
static int perform(struct pass *p, const struct cmk_step *step, struct cmk_result *result, struct err *err)
{
    const struct azure_port *azure = &p->r->ports->azure;
    int r = 0;

    switch (step->effect) {
    case CMK_READ_ACCOUNT:
        r = azure->read_account(azure->ctx, p->view.resource->spec.account_id, &result->account, &result->err);
        break;
    case CMK_READ_OPERATION:
        r = azure->read_operation(azure->ctx, p->view.status.operation.status_url, result, &result->err);
        break;
    case CMK_GATHER:
        r = azure->gather(azure->ctx, &p->view, &result->evidence, &result->err);
        break;
    case CMK_READ_CULPRIT:
        r = azure->read_culprit(azure->ctx, p->view.resource->spec.account_id, result->culprit, &result->err);
        break;
    case CMK_WRITE_AHEAD:
        return write_ahead(p, step, err);
    case CMK_SEND:
        if (check_lease(p, err) < 0)
            return -1;
        r = azure->send(azure->ctx, &p->view, step, result, &result->err);
        break;
    case CMK_SETTLE:
    case CMK_REST:
    case CMK_YIELD:
    case CMK_GONE:
        break;
    }
    result->failed = r < 0;
    return 0;
}

static void log_step(const struct pass *p, const struct cmk_step *step, const struct cmk_result *result)
{
    const struct cmk_resource *r = p->view.resource;

    if (step->effect == CMK_SEND)
        log_info(result->failed ? "change not confirmed" : "change accepted", LOG_S("namespace", r->ns),
            LOG_S("name", r->name), LOG_S("step", cmk_step_type_name(step->type)), LOG_S("account", r->spec.account_id),
            LOG_S("correlationId", p->view.status.operation.correlation_id),
            LOG_S("error", result->failed ? result->err.msg : ""));
    else
        log_debug("step", LOG_S("namespace", r->ns), LOG_S("name", r->name), LOG_S("rule", step->rule),
            LOG_S("error", result->failed ? result->err.msg : ""));
}

/* Whoever leads now finds the record, or reads the account. Nothing more is written, and nothing said that others do
 * not say better. */
static struct reconcile_verdict yield(const struct pass *p)
{
    log_warn("pass ended: this process no longer leads", LOG_S("namespace", p->view.resource->ns),
        LOG_S("name", p->view.resource->name));
    return (struct reconcile_verdict){.backoff = true, .rule = "lease-lost"};
}

/* The status could not be written. Somebody changed the resource: look again and decide again. But when this pass has
 * sent a change, its record is written on its own, so that no more than detail can be lost. */
static struct reconcile_verdict write_failed(struct pass *p, const struct cmk_step *step, const struct err *err)
{
    const struct cmk_resource *r = p->view.resource;
    const struct kube_port *kube = &p->r->ports->kube;
    struct err again = ERR_INIT;

    if (!holds_lease(p))
        return yield(p);
    if (err->kind == ERR_NOT_FOUND)
        return (struct reconcile_verdict){.rule = "deleted"};
    if (err->kind == ERR_CONFLICT)
        log_debug("status write conflict", LOG_S("namespace", r->ns), LOG_S("name", r->name));
    else
        log_warn("status not written", LOG_S("namespace", r->ns), LOG_S("name", r->name), LOG_S("error", err->msg));
    p->events.n = p->n_effect_events; /* of conditions that were not written */
    if (p->view.sent && step->effect == CMK_REST) {
        if (kube->write_operation(kube->ctx, r, &p->view.status.operation, &again) == 0)
            tell(p);
        else
            log_warn("operation not recorded; it will be found by reading the account", LOG_S("namespace", r->ns),
                LOG_S("name", r->name), LOG_S("error", again.msg));
    }
    return (struct reconcile_verdict){.backoff = true, .rule = step->rule};
}

static void log_transition(const struct pass *p, const struct cmk_step *step)
{
    const struct cmk_resource *r = p->view.resource;
    const char *word = cmk_reason_text(step->reason)->word;

    for (size_t i = 0; i < r->status.n_conditions; i++)
        if (str_eq(r->status.conditions[i].type, "Ready") && str_eq(r->status.conditions[i].reason, word))
            return;
    log_info("status", LOG_S("namespace", r->ns), LOG_S("name", r->name), LOG_S("reason", word),
        LOG_S("rule", step->rule), LOG_S("message", step->message));
}

static int64_t wait_of(const struct pass *p, const struct cmk_step *step)
{
    const struct reconciler *r = p->r;

    if (!step->wake_at ||
        (step->phase == CMK_IS_READY && r->covers && r->covers(r->covers_ctx, p->view.resource->spec.account_id)))
        return 0;
    return step->wake_at > p->view.now ? step->wake_at - p->view.now : 1;
}

static struct reconcile_verdict rest(struct pass *p, const struct cmk_step *step)
{
    const struct cmk_status *read = &p->view.resource->status;
    struct err err = ERR_INIT;
    bool written_before = !str_eq(p->version, p->view.resource->resource_version);

    cmk_conclude(&p->view, step);
    p->n_effect_events = p->events.n;
    cmk_events_add(&p->events, &p->view, step);
    if (written_before || !cmk_status_equal(&p->view.status, read)) {
        log_transition(p, step);
        if (write_status(p, &err) < 0)
            return write_failed(p, step, &err);
    }
    return (struct reconcile_verdict){.backoff = step->backoff,
        .after_ms = wait_of(p, step),
        .exact = step->exact,
        .held = step->reason == CMK_REASON_THROTTLED,
        .stalled = step->phase == CMK_IS_STALLED,
        .rule = step->rule};
}

static struct reconcile_verdict run(struct pass *p)
{
    const struct world_port *world = &p->r->ports->world;
    struct cmk_step step;

    for (int i = 0; i < MAX_EFFECTS; i++) {
        struct cmk_result result = {.begun_at = p->view.now, .begun_uptime = p->view.uptime, .err = ERR_INIT};
        struct err err = ERR_INIT;

        cmk_next(&p->view, &step);
        if (step.effect == CMK_YIELD)
            return yield(p);
        if (step.effect == CMK_GONE)
            return (struct reconcile_verdict){.rule = step.rule};
        if (step.effect == CMK_REST)
            return rest(p, &step);
        if (perform(p, &step, &result, &err) < 0)
            return write_failed(p, &step, &err);
        log_step(p, &step, &result);
        p->view.now = world->now_ms(world->ctx);
        p->view.uptime = world->uptime_ms(world->ctx);
        p->view.lease_valid = holds_lease(p);
        cmk_fold(&p->view, &step, &result);
        cmk_events_add(&p->events, &p->view, &step);
        result_done(&result);
    }
    log_error("a pass did not come to rest; please report this", LOG_S("namespace", p->view.resource->ns),
        LOG_S("name", p->view.resource->name), LOG_S("rule", step.rule));
    return (struct reconcile_verdict){.backoff = true, .rule = step.rule};
}

static void recall(struct pass *p, const struct store_item *item)
{
    struct store_memory memory = store_recall(p->r->store, item);

    p->view.failing_since = memory.failing_since;
    p->view.quiet_since = memory.quiet_since;
    p->view.quiet_record = memory.quiet_record_s * INT64_C(1000);
    p->view.operation_read_at = memory.operation_read_at;
    p->view.operation_lost = memory.operation_lost;
    p->observed_at_s = memory.observed_at_s;
}

static void remember(struct pass *p, const struct store_item *item)
{
    struct store_memory memory = {.failing_since = p->view.failing_since,
        .quiet_since = p->view.quiet_since,
        .quiet_record_s = (uint32_t)(p->view.quiet_record / 1000),
        .operation_read_at = p->view.operation_read_at,
        .operation_lost = p->view.operation_lost,
        .observed_at_s = p->view.account_fact == CMK_KNOWN ? (uint32_t)(p->view.now / 1000) : p->observed_at_s};

    store_remember(p->r->store, item, &memory);
}

/* What a pass begins with. The item is the caller's and outlives it. */
static void begin(struct pass *p, struct reconciler *reconciler, const struct store_item *item)
{
    const struct cmk_resource *resource = store_item_resource(item);
    const struct world_port *world = &reconciler->ports->world;

    *p = (struct pass){.r = reconciler};
    cmk_view_init(&p->view, reconciler->options, resource, world->now_ms(world->ctx), world->uptime_ms(world->ctx));
    p->view.lease_valid = world->holds_lease(world->ctx);
    p->version = xstrdup(resource->resource_version);
    p->owner = store_older_owner(reconciler->store, item);
    p->view.owner = p->owner;
    recall(p, item);
    if (resource->spec.window.present && resource->spec.window.time_zone)
        (void)tz_load(&p->zone, resource->spec.window.time_zone, reconciler->zone_directory, &p->view.zone_err);
    p->view.zone = p->zone;
}

static void pass_done(struct pass *p)
{
    cmk_view_done(&p->view);
    free(p->version);
    free(p->owner);
    (void)tz_free(p->zone);
}

struct reconcile_verdict reconcile(struct reconciler *reconciler, const char *key)
{
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(reconciler->store, key);
    struct pass p;

    if (!item)
        return (struct reconcile_verdict){0};
    begin(&p, reconciler, item);
    struct reconcile_verdict verdict = run(&p);
    remember(&p, item);
    pass_done(&p);
    return verdict;
}

/* The account is folded in as if the pass had read it; what the rules and conditions then say must be what stands. */
static bool changes_nothing(struct pass *p, struct cmk_account *account)
{
    struct cmk_result result = {.err = ERR_INIT, .account = *account};
    struct cmk_step step;

    *account = (struct cmk_account){0};
    cmk_next(&p->view, &step);
    if (step.effect == CMK_READ_ACCOUNT) {
        cmk_fold(&p->view, &step, &result);
        cmk_next(&p->view, &step);
    }
    result_done(&result);
    if (step.effect != CMK_REST || step.phase != CMK_IS_READY)
        return false;
    cmk_conclude(&p->view, &step);
    return cmk_status_equal(&p->view.status, &p->view.resource->status);
}

bool reconcile_confirms(struct reconciler *reconciler, const struct store_item *item, struct cmk_account *account)
{
    struct pass p;

    begin(&p, reconciler, item);
    bool confirmed = changes_nothing(&p, account);
    if (confirmed)
        remember(&p, item);
    pass_done(&p);
    return confirmed;
}
