/* One effect of a pass: the mirror of controller/reconcile.c (run, perform, rest, write_failed) and of
 * controller/kube_port.c (write_operation), in which the world may answer in every way that is allowed. Change it when
 * they change. */
#include "model/model.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>

#define EVERYBODY ((1U << MODEL_PROCESSES) - 1)

/* One transition under way. */
struct turn {
    const struct model_world *from;
    const struct model_step *step;
    struct model_sink *sink;
    unsigned process;
    bool fair;
};

static struct model_process *actor(const struct turn *t, struct model_world *world)
{
    return &world->process[t->process];
}

/* The world in which the pass has decided: what was pending is folded. */
static struct model_world decided(const struct turn *t)
{
    struct model_world world = *t->from;
    struct model_process *p = actor(t, &world);

    if (p->core.pending.effect == CMK_SEND + 1 && p->core.pending.error != MODEL_CUT)
        world.unknown &= (uint8_t) ~(1U << t->process); /* the answer is known now */
    p->core = t->step->core;
    p->passing = true;
    return world;
}

static void done(const struct turn *t, struct model_world *world, const char *outcome)
{
    struct model_sink *sink = t->sink;

    if (sink->tell) {
        buf_clear(sink->tell);
        buf_printf(sink->tell, "%c ", 'A' + (int)t->process);
        for (size_t i = 0; i < t->step->settled && i < ARRAY_LEN(t->step->conclusions); i++)
            buf_printf(sink->tell, "%s, ", t->step->conclusions[i]);
        buf_printf(sink->tell, "%s: %s", t->step->rule, outcome);
    }
    model_emit(sink, world);
}

/* The effect is performed and its result waits to be folded. */
static void pend(const struct turn *t, struct model_world *world, struct model_pending pending, const char *outcome)
{
    pending.effect = (uint8_t)(t->step->effect + 1);
    pending.type = t->step->type;
    actor(t, world)->core.pending = pending;
    done(t, world, outcome);
}

static void pend_error(const struct turn *t, enum model_fault fault, enum model_error error)
{
    struct model_world world = decided(t);

    if (!t->fair && model_fault(&world, t->sink->config, fault))
        pend(t, &world, (struct model_pending){.error = (uint8_t)error}, model_error_name(error));
}

static void end_pass(const struct turn *t, struct model_world *world, bool awake, const char *outcome)
{
    model_world_idle(world, t->process, awake);
    t->sink->rested = t->step;
    done(t, world, outcome);
}

/* ---- reads ---- */

static void read_account(const struct turn *t)
{
    struct model_world world = decided(t);
    struct model_process *p = actor(t, &world);

    if (world.azure.exists) {
        p->witness.read = p->witness.ahead ? 2 : 1;
        p->witness.account = world.azure.account;
        world.unknown &= (uint8_t) ~(1U << t->process);
        pend(t, &world, (struct model_pending){.account = world.azure.account}, "GET account");
    } else {
        pend(t, &world, (struct model_pending){.error = MODEL_NOT_FOUND}, "GET account: not found");
    }
    pend_error(t, FAULT_READ, MODEL_DENIED);
    pend_error(t, FAULT_READ, MODEL_THROTTLED);
    pend_error(t, FAULT_READ, MODEL_DOWN);
}

static void read_operation(const struct turn *t)
{
    static const char *const words[] = {"lost", "runs", "Succeeded", "Failed, may pass", "Failed for good"};
    struct model_world world = decided(t);
    uint8_t url = model_status(t->step->core.status)->url;
    uint8_t end = url ? world.azure.end[url - 1] : END_NONE;

    pend(t, &world, (struct model_pending){.value = end, .error = end ? MODEL_WELL : MODEL_NOT_FOUND}, words[end]);
    world = decided(t);
    if (!t->fair && end > END_RUNNING && model_fault(&world, t->sink->config, FAULT_URL))
        pend(t, &world, (struct model_pending){.value = END_RUNNING}, "runs (the URL is behind)");
    pend_error(t, FAULT_URL, MODEL_NOT_FOUND);
    pend_error(t, FAULT_URL, MODEL_THROTTLED);
    pend_error(t, FAULT_URL, MODEL_DOWN);
}

static void gather(const struct turn *t)
{
    struct model_world world = decided(t);
    bool fails = world.azure.preflight_fails;

    actor(t, &world)->witness.evidence = fails ? 2 : 1;
    pend(t, &world, (struct model_pending){.value = fails}, fails ? "a lock forbids it" : "preflight is well");
    pend_error(t, FAULT_GATHER, MODEL_THROTTLED);
    pend_error(t, FAULT_GATHER, MODEL_DOWN);
}

static void read_culprit(const struct turn *t)
{
    struct model_world world = decided(t);

    pend(t, &world, (struct model_pending){0}, "nobody knows");
}

/* ---- the change ---- */

/* For the next change everything has to be looked at again. */
static void sent(struct model_process *p, bool answered)
{
    p->witness = (struct model_witness){.answered = answered};
}

static void send_arrives(const struct turn *t, bool answered)
{
    struct model_world world = decided(t);
    struct model_process *p = actor(t, &world);
    const struct model_change change = {
        .type = t->step->type, .key = p->core.resource.key, .sender = (uint8_t)t->process};
    struct model_pending pending = {0};

    if (!answered && (t->fair || !model_fault(&world, t->sink->config, FAULT_ANSWER)))
        return;
    sent(p, answered);
    pending.error = (uint8_t)model_world_arrive(&world, &change, t->sink);
    pending.account = world.azure.account;
    pending.url = (uint8_t)(t->process + 1);
    if (!answered)
        pending = (struct model_pending){.error = MODEL_CUT};
    else if (pending.error)
        pending = (struct model_pending){.error = pending.error};
    world.unknown = EVERYBODY;
    world.misfortune |= pending.error == MODEL_NOT_FOUND;
    pend(t, &world, pending, answered ? model_error_name((enum model_error)pending.error) : "the answer is lost");
}

static void send_flies(const struct turn *t)
{
    struct model_world world = decided(t);
    struct model_process *p = actor(t, &world);

    if (t->fair || !model_fault(&world, t->sink->config, FAULT_LATE))
        return;
    sent(p, false);
    world.azure.flight =
        (struct model_change){.type = t->step->type, .key = p->core.resource.key, .sender = (uint8_t)t->process};
    world.azure.flight_age = 0;
    world.unknown = EVERYBODY;
    pend(t, &world, (struct model_pending){.error = MODEL_CUT}, "no answer, and it may still arrive");
}

static void send_is_refused(const struct turn *t, enum model_error error)
{
    struct model_world world = decided(t);

    if (t->fair || !model_fault(&world, t->sink->config, FAULT_REFUSE))
        return;
    sent(actor(t, &world), true);
    world.unknown = EVERYBODY;
    world.misfortune |= error == MODEL_BAD;
    pend(t, &world, (struct model_pending){.error = (uint8_t)error}, model_error_name(error));
}

static void yield(const struct turn *t)
{
    struct model_world world = decided(t);

    end_pass(t, &world, true, "it does not lead");
}

static void send(const struct turn *t)
{
    if (!t->from->process[t->process].core.leads) { /* asked again right before */
        yield(t);
        return;
    }
    model_oracle_send(t->from, t->process, t->step, t->sink);
    send_arrives(t, true);
    send_arrives(t, false);
    send_flies(t);
    send_is_refused(t, MODEL_DENIED);
    send_is_refused(t, MODEL_THROTTLED);
    send_is_refused(t, MODEL_BAD);
    send_is_refused(t, MODEL_DOWN);
}

/* ---- writes ---- */

/* The API server takes the status that was decided on. */
static void take_status(const struct turn *t, struct model_world *world)
{
    struct model_process *p = actor(t, world);

    world->resource.status = t->step->core.status;
    model_world_written(world, t->process);
    p->learned = t->step->core.status;
    p->written = true;
    t->sink->wrote = true;
}

static bool same_operation_id(const struct model_world *world, const struct model_step *step)
{
    const struct model_status *there = model_status(world->resource.status), *ours = model_status(step->core.status);

    return there->type && ours->type && there->sender == ours->sender;
}

/* After a write that failed in a pass that sent a change: its record on its own. */
static void write_operation(const struct turn *t, const struct model_world *before, const char *why)
{
    struct model_world world = *before;
    struct model_process *p = actor(t, &world);
    char text[96];

    if (!p->core.sent || t->step->effect != CMK_REST || world.resource.deleting ||
        !same_operation_id(&world, t->step)) {
        end_pass(t, &world, true, why);
        return;
    }
    world.resource.status = model_status_with_operation(world.resource.status, t->step->core.status);
    model_world_written(&world, t->process);
    p->core.resource = world.resource;
    p->learned = world.resource.status;
    p->fresh = true;
    (void)snprintf(text, sizeof(text), "%s; the operation is recorded on its own", why);
    end_pass(t, &world, true, text);
    world = *before;
    if (!t->fair && model_fault(&world, t->sink->config, FAULT_WRITE)) {
        (void)snprintf(text, sizeof(text), "%s; the operation is not recorded either", why);
        end_pass(t, &world, true, text);
    }
}

static void write_fails(const struct turn *t)
{
    struct model_world world = decided(t);

    if (t->fair || !model_fault(&world, t->sink->config, FAULT_WRITE))
        return;
    write_operation(t, &world, "the status is not written");
    take_status(t, &world);
    actor(t, &world)->learned = actor(t, (struct model_world *)t->from)->learned;
    actor(t, &world)->fresh = false;
    write_operation(t, &world, "the status is written and the answer lost");
}

/* True when the write was answered well: the world is as it is then. */
static bool write_status(const struct turn *t, struct model_world *world)
{
    struct model_process *p = actor(t, world);

    *world = decided(t);
    if (!p->core.leads) {
        yield(t);
        return false;
    }
    if (world->resource.deleting) {
        end_pass(t, world, false, "the resource is gone");
        return false;
    }
    if (!p->fresh) {
        write_operation(t, world, "the resource has changed");
        return false;
    }
    write_fails(t);
    take_status(t, world);
    return true;
}

static void write_ahead(const struct turn *t)
{
    struct model_world world;

    if (!write_status(t, &world))
        return;
    actor(t, &world)->witness.ahead = true;
    actor(t, &world)->witness.read = 0;
    pend(t, &world, (struct model_pending){0}, "status written");
}

static void rest(const struct turn *t)
{
    const struct model_step *step = t->step;
    struct model_world world = decided(t);
    bool awake = step->backoff || step->wake;

    model_oracle_rest(t->from, t->process, step, t->sink);
    if (!actor(t, &world)->written && step->core.status == step->core.resource.status) {
        end_pass(t, &world, awake, "nothing to write");
        return;
    }
    if (write_status(t, &world))
        end_pass(t, &world, awake, "status written");
}

static void perform(const struct turn *t)
{
    struct model_world world = decided(t);

    switch ((enum cmk_effect)t->step->effect) {
    case CMK_READ_ACCOUNT:
        read_account(t);
        break;
    case CMK_READ_OPERATION:
        read_operation(t);
        break;
    case CMK_GATHER:
        gather(t);
        break;
    case CMK_READ_CULPRIT:
        read_culprit(t);
        break;
    case CMK_WRITE_AHEAD:
        write_ahead(t);
        break;
    case CMK_SEND:
        send(t);
        break;
    case CMK_REST:
        rest(t);
        break;
    case CMK_YIELD:
        yield(t);
        break;
    case CMK_GONE:
        end_pass(t, &world, false, "left alone");
        break;
    case CMK_SETTLE:
        t->sink->broken = "a pass draws one conclusion after another";
        end_pass(t, &world, false, "endless");
        break;
    }
}

/* A pass that begins looks at what the process knows, and at who else is there. */
static struct model_world begun(const struct model_world *world, unsigned process)
{
    struct model_world next = *world;

    if (!next.process[process].passing) {
        next.process[process].awake = false;
        next.process[process].core.older = world->older;
    }
    return next;
}

static void turn(const struct model_world *world, unsigned process, struct model_sink *sink, bool fair)
{
    const struct model_world from = begun(world, process);
    const struct turn t = {.from = &from,
        .step = model_core_step(&from.process[process].core, sink->config),
        .sink = sink,
        .process = process,
        .fair = fair};

    perform(&t);
}

void model_loop_moves(const struct model_world *world, unsigned process, struct model_sink *sink)
{
    turn(world, process, sink, false);
}

struct keeper {
    struct model_sink sink;
    struct model_world *world;
    const struct model_step *rested;
    const char *broken;
    bool wrote;
};

static void keep(struct model_sink *sink, const struct model_world *world)
{
    struct keeper *keeper = (struct keeper *)sink;

    *keeper->world = *world;
    keeper->rested = sink->rested;
    keeper->broken = sink->broken;
    keeper->wrote = sink->wrote;
}

void model_loop_fair(struct model_world *world, unsigned process, struct model_sink *sink)
{
    const struct model_world from = *world;
    struct keeper keeper = {.sink = {.take = keep, .config = sink->config, .tell = sink->tell}, .world = world};

    turn(&from, process, &keeper.sink, true);
    sink->rested = keeper.rested;
    sink->broken = keeper.broken;
    sink->wrote = keeper.wrote;
}
