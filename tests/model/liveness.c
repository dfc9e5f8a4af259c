/* Once faults and other actors stop (Anvil's Eventually Stable Reconciliation): from any state, the fair steps alone
 * lead to Ready, or to a rest whose reason names what a person must do and is true of the world; and then nothing is
 * written any more.
 *
 * The fair steps are: a pass goes on, the watch tells, a timer runs out and a pass begins, Azure ends what it runs,
 * well. What was on its way arrives at once, or never: both are walked. That makes one way from every state, which is
 * followed until it has been quiet for longer than any age can tell; all states on it are then known to be well. */
#include "model/model.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define QUIET 24 /* units: more than twice the longest age */
#define MAX_UNITS 400
#define MAX_EFFECTS 32
#define MAX_WAY (2 * MAX_UNITS)
#define SPUN "a pass does not end"

struct walk {
    struct model_sink sink;
    struct model_world world;
    uint8_t timers[MODEL_PROCESSES]; /* units until the next pass; 0: none */
    unsigned quiet;
    bool wrote;
    struct buf *tell;
    struct buf words;
    uint64_t way[MAX_WAY];
    size_t n_way;
};

/* ---- what is known to be well ---- */

static uint64_t *known;
static size_t n_known, known_size;

static uint64_t *slot_of(uint64_t hash)
{
    size_t i = hash & (known_size - 1);

    while (known[i] && known[i] != hash)
        i = (i + 1) & (known_size - 1);
    return &known[i];
}

static void remember(uint64_t hash)
{
    if (2 * (n_known + 1) >= known_size) {
        uint64_t *old = known;
        size_t old_size = known_size;
        known_size = known_size ? 2 * known_size : 1 << 16;
        known = xcalloc(known_size, sizeof(*known));
        for (size_t i = 0; i < old_size; i++)
            if (old[i])
                *slot_of(old[i]) = old[i];
        free(old);
    }
    n_known += *slot_of(hash) == 0;
    *slot_of(hash) = hash;
}

static bool is_known(uint64_t hash)
{
    return known_size && *slot_of(hash);
}

void model_liveness_forget(void)
{
    free(known);
    known = NULL;
    n_known = known_size = 0;
}

/* Of all that the rest of the way depends on. 64 bits: a clash among some million states would hide one of them. */
static uint64_t hash_of(const struct walk *w)
{
    struct model_world world = w->world;
    uint64_t h = 14695981039346656037ULL;
    const unsigned char *p = (const unsigned char *)&world;

    world.edits = world.acts = world.faults = world.unknown = 0;
    memset(world.accepted, 0, sizeof(world.accepted));
    for (unsigned i = 0; i < MODEL_PROCESSES; i++)
        world.process[i].witness = (struct model_witness){0};
    for (size_t i = 0; i < sizeof(world); i++)
        h = (h ^ p[i]) * 1099511628211ULL;
    for (size_t i = 0; i < MODEL_PROCESSES; i++)
        h = (h ^ w->timers[i]) * 1099511628211ULL;
    h ^= h >> 31;
    return h ? h : 1;
}

/* ---- the fair steps ---- */

static void tell(struct walk *w, const char *words)
{
    if (!w->tell || w->quiet > 3)
        return;
    buf_printf(w->tell, "  %s\n", words);
}

/* False when the pass does not end. */
static bool finish_pass(struct walk *w, unsigned p)
{
    for (int i = 0; i < MAX_EFFECTS; i++) {
        w->sink.tell = w->tell ? &w->words : NULL;
        model_loop_fair(&w->world, p, &w->sink);
        tell(w, buf_str(&w->words));
        w->wrote |= w->sink.wrote;
        if (w->world.process[p].passing)
            continue;
        const struct model_step *step = w->sink.rested;
        w->timers[p] = !w->world.process[p].awake ? 0 : step->backoff || !step->wake ? 1 : step->wake;
        return true;
    }
    return false;
}

static bool all_passes(struct walk *w)
{
    for (unsigned p = 0; p < w->sink.config->processes; p++) {
        struct model_process *process = &w->world.process[p];
        if (!process->passing && !process->core.leads)
            continue;
        if (process->passing && !finish_pass(w, p))
            return false;
        bool awake = process->awake;
        model_world_watch(&w->world, p);
        bool news = process->awake && !awake;
        if ((w->timers[p] == 1 || news) && !finish_pass(w, p))
            return false;
    }
    return true;
}

static void world_moves(struct walk *w)
{
    if (w->world.azure.holder != HOLDER_NONE) {
        model_world_end_operation(&w->world, END_WELL, false);
        tell(w, "Azure: the operation ends well");
    }
    if (w->world.azure.lags)
        model_world_shows(&w->world);
}

static void time_passes(struct walk *w)
{
    (void)model_world_later(&w->world, w->sink.config);
    for (unsigned p = 0; p < MODEL_PROCESSES; p++)
        if (w->timers[p] > 1)
            w->timers[p]--;
}

/* ---- a good end ---- */

/* What a reason claims about the world. */
static bool is_true(const char *reason, const struct model_world *world)
{
    const struct model_resource *r = &world->resource;
    const struct model_azure *a = &world->azure;
    bool approved = r->approved && r->approved == model_status(r->status)->hash;

    return (str_eq(reason, "InvalidSpec") && r->invalid) || (str_eq(reason, "Suspended") && r->suspend) ||
           (str_eq(reason, "AccountConflict") && world->older) || (str_eq(reason, "AccountNotFound") && !a->exists) ||
           (str_eq(reason, "AccountNotOnline") && a->account.state == STATE_FAILED) ||
           (str_eq(reason, "KeyRevoked") && a->account.revoked) ||
           (str_eq(reason, "PreflightFailed") && a->preflight_fails) ||
           (str_eq(reason, "OperationFailed") && world->misfortune) || (str_eq(reason, "Observing") && r->observe) ||
           (str_eq(reason, "AwaitingApproval") && r->manual && !approved);
}

static const char *judge(const struct model_world *world)
{
    const struct model_status *s = model_status(world->resource.status);
    const struct model_azure *a = &world->azure;

    if (world->resource.deleting)
        return NULL;
    if (!s->reason || s->status.observed_generation != world->resource.generation)
        return "it comes to rest and the status is about an older generation";
    if (s->ready != CMK_TRUE)
        return is_true(s->reason, world) ? NULL : "it comes to rest with a reason that is not true";
    if (!a->exists || a->account.state != STATE_SUCCEEDED || a->account.key != world->resource.key ||
        a->account.revoked)
        return "it comes to rest and claims Ready for what is not so";
    if (s->type == CMK_ENABLE_KEY && s->ended_well && !s->status.operation.previous_key_uri && !s->status.encrypted_at)
        return "it comes to rest and does not know since when the account is encrypted";
    return s->open ? "it comes to rest as Ready with an open operation" : NULL;
}

static const char *walk_on(struct walk *w)
{
    for (unsigned unit = 0; unit < MAX_UNITS; unit++) {
        uint64_t hash = hash_of(w);
        if (is_known(hash) && !w->tell)
            return NULL;
        w->way[w->n_way++] = hash;
        w->wrote = false;
        if (!all_passes(w))
            return SPUN;
        if (w->sink.broken)
            return w->sink.broken;
        bool moves = w->world.azure.holder != HOLDER_NONE || w->world.azure.lags;
        w->quiet = w->wrote || moves ? 0 : w->quiet + 1;
        if (w->quiet == QUIET)
            return judge(&w->world);
        world_moves(w);
        time_passes(w);
    }
    return "it never comes to rest: it still writes, or waits for nothing";
}

static const char *walk(
    const struct model_world *world, const struct model_config *config, bool arrives, struct buf *tell_to)
{
    struct walk w = {.sink = {.config = config}, .world = *world, .tell = tell_to, .words = BUF_INIT(1 << 16)};
    struct model_sink nobody = {.config = config};

    if (world->azure.flight.type && arrives)
        model_world_flight_arrives(&w.world, &nobody);
    w.world.misfortune |= world->azure.flight.type && !arrives;
    w.world.azure.flight = (struct model_change){0};
    w.world.azure.flight_age = 0;
    bool led = false;
    for (unsigned p = 0; p < config->processes; p++) {
        w.timers[p] = world->process[p].awake;
        led |= world->process[p].core.leads;
    }
    if (!led) {
        w.world.process[0].core.leads = w.world.process[0].awake = true;
        w.timers[0] = 1;
    }
    const char *why = walk_on(&w);
    for (size_t i = 0; i < w.n_way && !why; i++)
        remember(w.way[i]);
    buf_done(&w.words);
    return why;
}

const char *model_liveness(const struct model_world *world, const struct model_config *config, struct buf *tell_to)
{
    const char *why = walk(world, config, false, tell_to);

    if (!why && world->azure.flight.type)
        why = walk(world, config, true, tell_to);
    return why;
}
