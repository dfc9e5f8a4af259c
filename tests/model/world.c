/* What happens by itself: Azure works, requests arrive, time passes, the watch tells, leases change hands, processes
 * die. */
#include "model/model.h"

#include "base/mem.h"

#define FLIGHT_MAX (MODEL_UNIT_SETTLE / 2)

bool model_fault(struct model_world *world, const struct model_config *config, enum model_fault fault)
{
    bool counted = config->max_faults > 0;

    if (!(config->faults & fault) || (counted && !world->faults))
        return false;
    world->faults = (uint8_t)(world->faults - counted);
    world->misfortune |= (fault & (FAULT_READ | FAULT_URL | FAULT_GATHER | FAULT_LAG | FAULT_LEASE)) == 0;
    return true;
}

void model_world_begin(struct model_world *world, const struct model_config *config)
{
    struct cmk_status empty = {0};

    *world = (struct model_world){
        .resource = {.key = KEY_FIRST, .generation = 1, .manual = config->manual},
        .azure = {.exists = true},
        .edits = config->max_edits,
        .acts = config->max_acts,
        .faults = config->max_faults,
    };
    world->azure.account.key = config->has_key ? KEY_FOREIGN : KEY_NONE;
    world->resource.status = model_status_intern(&empty);
    for (unsigned p = 0; p < config->processes; p++) {
        struct model_process *process = &world->process[p];
        process->core.slot = (uint8_t)p;
        process->core.leads = p == 0 || !(config->faults & FAULT_LEASE);
        process->core.resource = world->resource;
        process->core.status = process->learned = world->resource.status;
        process->fresh = process->awake = true;
    }
}

/* ---- knowledge ---- */

void model_world_written(struct model_world *world, unsigned writer)
{
    for (unsigned p = 0; p < MODEL_PROCESSES; p++)
        if (p != writer)
            world->process[p].fresh = false;
}

/* controller/app.c enqueues what has changed but for the status. */
void model_world_watch(struct model_world *world, unsigned process)
{
    struct model_process *p = &world->process[process];
    struct model_resource seen = world->resource;

    if (p->fresh || p->passing || !p->core.resource.generation)
        return;
    seen.status = p->core.resource.status;
    p->awake = p->awake || __builtin_memcmp(&seen, &p->core.resource, sizeof(seen)) != 0;
    p->core.resource = world->resource;
    p->core.status = p->learned = world->resource.status;
    p->fresh = true;
}

void model_world_idle(struct model_world *world, unsigned process, bool awake)
{
    struct model_process *p = &world->process[process];
    const struct model_core was = p->core;

    p->core = (struct model_core){
        .resource = was.resource, .memory = was.memory, .leads = was.leads, .slot = was.slot, .status = p->learned};
    p->core.resource.status = p->learned;
    p->witness = (struct model_witness){0};
    p->passing = p->written = false;
    p->awake = awake;
}

static void dies(struct model_world *world, unsigned process, const struct model_config *config)
{
    struct model_process *p = &world->process[process];

    model_world_idle(world, process, true);
    p->core.memory = (struct model_memory){0};
    p->core.leads = !(config->faults & FAULT_LEASE);
    p->fresh = false; /* it lists anew, and what it finds is enqueued */
    model_world_watch(world, process);
    p->awake = true;
}

/* ---- Azure ---- */

static void apply(struct model_account *account, const struct model_change *change)
{
    if (change->type == CMK_ENABLE_KEY) {
        account->key = change->key;
        account->revoked = false;
    } else if (change->type == CMK_ATTACH_IDENTITY) {
        account->attached = true;
    } else {
        account->identity = true;
    }
}

void model_world_shows(struct model_world *world)
{
    apply(&world->azure.account, &world->azure.running);
    world->azure.lags = false;
    world->azure.running = (struct model_change){0};
}

void model_world_end_operation(struct model_world *world, enum model_end end, bool lags)
{
    struct model_azure *azure = &world->azure;

    azure->account.state = STATE_SUCCEEDED;
    if (azure->holder == HOLDER_OURS) {
        azure->end[azure->running.sender] = (uint8_t)end;
        model_oracle_ended(world, &azure->running, end);
        if (end == END_WELL && !lags)
            model_world_shows(world);
        azure->lags = lags;
        if (!lags)
            azure->running = (struct model_change){0};
    }
    azure->holder = HOLDER_NONE;
}

enum model_error model_world_arrive(
    struct model_world *world, const struct model_change *change, struct model_sink *sink)
{
    struct model_azure *azure = &world->azure;

    if (!azure->exists)
        return MODEL_NOT_FOUND;
    if (azure->account.state != STATE_SUCCEEDED || azure->lags)
        return MODEL_LOCKED;
    model_oracle_accept(world, change, sink);
    azure->account.state = STATE_UPDATING;
    azure->holder = HOLDER_OURS;
    azure->running = *change;
    azure->end[change->sender] = END_RUNNING;
    return MODEL_WELL;
}

void model_world_flight_arrives(struct model_world *world, struct model_sink *sink)
{
    struct model_change change = world->azure.flight;

    world->azure.flight = (struct model_change){0};
    world->azure.flight_age = 0;
    (void)model_world_arrive(world, &change, sink);
}

static void operation_moves(const struct model_world *world, struct model_sink *sink)
{
    static const char *const ends[] = {
        [END_WELL] = "ends well", [END_PASSING] = "fails, which may pass", [END_FINAL] = "fails for good"};
    bool ours = world->azure.holder == HOLDER_OURS;

    for (int end = END_WELL; end <= END_FINAL; end++) {
        struct model_world next = *world;
        if (end != END_WELL && (!ours || !model_fault(&next, sink->config, FAULT_END)))
            continue;
        model_tell(sink, "Azure: %s operation %s", ours ? "our" : "somebody's", ends[end]);
        model_world_end_operation(&next, (enum model_end)end, false);
        model_emit(sink, &next);
    }
    struct model_world next = *world;
    bool answered = !model_status(world->resource.status)->requested;
    if (ours && answered && model_fault(&next, sink->config, FAULT_LAG)) {
        model_tell(sink, "Azure: our operation ends well, and the account does not show it yet");
        model_world_end_operation(&next, END_WELL, true);
        model_emit(sink, &next);
    }
}

static void flight_moves(const struct model_world *world, struct model_sink *sink)
{
    struct model_world next = *world;

    model_tell(sink, "network: the change arrives in Azure");
    model_world_flight_arrives(&next, sink);
    model_emit(sink, &next);
    next = *world;
    model_tell(sink, "network: the change is lost");
    next.azure.flight = (struct model_change){0};
    next.azure.flight_age = 0;
    next.misfortune = true;
    model_emit(sink, &next);
}

/* ---- time ---- */

static void grow_older(uint8_t *age, int64_t cap)
{
    if (*age && *age <= cap)
        ++*age;
}

static void process_later(struct model_process *p)
{
    struct model_memory *m = &p->core.memory;

    if (!p->core.resource.generation) /* there is none */
        return;
    p->witness.answered = false; /* a pass that stands still for so long may find that it is time to try again */
    grow_older(&m->failing, MODEL_UNIT_GRACE);
    grow_older(&m->quiet, MODEL_UNIT_SETTLE);
    grow_older(&m->quiet_record, MODEL_UNIT_SETTLE);
    grow_older(&m->read, 4);
    grow_older(&p->core.account_age, MODEL_UNIT_SETTLE);
    if (p->core.pending.effect == CMK_READ_ACCOUNT + 1 && model_status(p->core.status)->open &&
        p->core.pending.age < MODEL_UNIT_SETTLE)
        p->core.pending.age++;
    p->core.status = model_status_older(p->core.status);
    p->core.resource.status = model_status_older(p->core.resource.status);
    p->learned = model_status_older(p->learned);
}

bool model_world_later(struct model_world *world, const struct model_config *config)
{
    struct model_azure *azure = &world->azure;
    bool in_flight = azure->flight.type != CMK_NO_STEP;

    if (azure->lags || (in_flight && azure->flight_age == FLIGHT_MAX))
        return false;
    azure->flight_age = (uint8_t)(azure->flight_age + in_flight);
    world->resource.status = model_status_older(world->resource.status);
    for (unsigned p = 0; p < config->processes; p++) {
        world->misfortune |= world->process[p].witness.ahead; /* stood still: what is never sent has no effect */
        process_later(&world->process[p]);
    }
    return true;
}

/* ---- the processes ---- */

static void lease_moves(const struct model_world *world, unsigned process, struct model_sink *sink)
{
    struct model_world next = *world;
    bool led = false;

    for (unsigned p = 0; p < MODEL_PROCESSES; p++)
        led |= world->process[p].core.leads;
    if (world->process[process].core.leads && model_fault(&next, sink->config, FAULT_LEASE)) {
        model_tell(sink, "%c loses the lease", 'A' + (int)process);
        next.process[process].core.leads = false;
        next.misfortune |= next.process[process].witness.ahead;
        model_emit(sink, &next);
    } else if (!led && !world->process[process].passing) {
        model_tell(sink, "%c leads", 'A' + (int)process);
        next.process[process].core.leads = true;
        next.process[process].awake = true;
        model_emit(sink, &next);
    }
}

static void process_moves(const struct model_world *world, unsigned process, struct model_sink *sink)
{
    const struct model_process *p = &world->process[process];
    struct model_world next = *world;

    if (p->passing || p->core.leads) /* the queue of one that does not lead is held */
        model_loop_moves(world, process, sink);
    if (!p->passing && !p->fresh) {
        model_tell(sink, "%c's watch tells of the resource", 'A' + (int)process);
        model_world_watch(&next, process);
        model_emit(sink, &next);
    }
    next = *world;
    if (p->passing && model_fault(&next, sink->config, FAULT_CRASH)) {
        model_tell(sink, "%c dies and starts again", 'A' + (int)process);
        dies(&next, process, sink->config);
        model_emit(sink, &next);
    }
    if (sink->config->faults & FAULT_LEASE)
        lease_moves(world, process, sink);
}

void model_world_moves(const struct model_world *world, struct model_sink *sink)
{
    struct model_world next = *world;

    if (world->azure.holder != HOLDER_NONE)
        operation_moves(world, sink);
    if (world->azure.flight.type != CMK_NO_STEP)
        flight_moves(world, sink);
    if (world->azure.lags) {
        model_tell(sink, "Azure: the account shows what was done");
        model_world_shows(&next);
        model_emit(sink, &next);
    }
    for (unsigned p = 0; p < sink->config->processes; p++)
        process_moves(world, p, sink);
    model_people_moves(world, sink);
    next = *world;
    model_tell(sink, "time passes");
    if (model_world_later(&next, sink->config))
        model_emit(sink, &next);
}
