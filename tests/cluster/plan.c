/* Plans: drawn from a seed, printed as one line, read back from it. A line says everything that a life depends on, so
 * that one can be kept, shortened by hand, and run again. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *effect_name(enum effect effect)
{
    static const char *const names[E_COUNT + 1] = {"read", "list", "operation", "patch", "look", "token", "status",
        "record", "get", "resources", "watch", "lease-read", "lease-write", "event", "version", "time"};

    return names[effect];
}

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[F_COUNT] = {"crash-before", "crash-sent", "crash-after", "pause-before",
        "pause-after", "cut", "lost", "late", "slow", "twice", "429", "500", "503", "504-after", "401", "403", "404",
        "409", "410", "garbage", "stale", "crash", "terminate", "pause", "wall", "lag", "move", "break", "silent",
        "gone", "compact", "repeat", "no-kube", "no-arm", "tokens", "forget", "suspend", "touch", "tag", "recreate",
        "twin", "wipe", "key", "undo"};

    return names[kind];
}

bool plan_has_people(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_faults; i++)
        if (plan->faults[i].kind >= F_SUSPEND)
            return true;
    return false;
}

bool plan_may_end_otherwise(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_faults; i++)
        if (plan->faults[i].kind == F_TWICE && plan->faults[i].on == E_PATCH)
            return true;
    return plan_has_people(plan);
}

/* ---- drawing ---- */

#define SEEDS_OF_A_WORLD 8

static int64_t between(uint64_t *dice, int64_t least, int64_t most)
{
    return least + (int64_t)(fiber_mix(dice) % (uint64_t)(most - least + 1));
}

static int one_of(uint64_t *dice, const int *list, size_t n)
{
    return list[fiber_mix(dice) % n];
}

struct plan plan_draw(uint64_t seed)
{
    static const int replicas[] = {1, 2, 2, 3}, accounts[] = {1, 1, 2, 3, 4, 5, 8, 12, 20, 60},
                     workers[] = {1, 2, 4, 4, 8}, pages[] = {0, 0, 2, 7}, latencies[] = {5, 50, 200, 1000},
                     skews[] = {0, 0, 200, 20000, 3600000};
    uint64_t dice = seed / SEEDS_OF_A_WORLD;
    struct plan plan = {.seed = seed};

    plan.replicas = one_of(&dice, replicas, ARRAY_LEN(replicas));
    plan.accounts = one_of(&dice, accounts, ARRAY_LEN(accounts));
    if (seed / SEEDS_OF_A_WORLD % 50 == 49)
        plan.accounts = MAX_ACCOUNTS;
    plan.workers = one_of(&dice, workers, ARRAY_LEN(workers));
    plan.mix = between(&dice, 0, 3) > 0;
    plan.vault = between(&dice, 0, 2) == 0;
    plan.latency = one_of(&dice, latencies, ARRAY_LEN(latencies));
    plan.encrypt = between(&dice, 20, 400) * 1000;
    plan.watch_list = between(&dice, 0, 1) == 1;
    plan.page = one_of(&dice, pages, ARRAY_LEN(pages));
    plan.skew = one_of(&dice, skews, ARRAY_LEN(skews));
    plan.elect = plan.replicas > 1 || between(&dice, 0, 2) > 0;
    plan.early = (int)between(&dice, 0, 1);
    plan.resets = between(&dice, 0, 2) == 0;
    return plan;
}

#define BIT(e) (1U << (e))
#define OF_ARM (BIT(E_READ) | BIT(E_LIST) | BIT(E_OPERATION) | BIT(E_PATCH) | BIT(E_LOOK))
#define OF_KUBE_WRITES (BIT(E_STATUS) | BIT(E_RECORD) | BIT(E_LEASE_WRITE))
#define OF_KUBE (OF_KUBE_WRITES | BIT(E_GET) | BIT(E_RESOURCES) | BIT(E_LEASE_READ) | BIT(E_EVENT) | BIT(E_VERSION))
#define OF_ALL (OF_ARM | OF_KUBE | BIT(E_TOKEN))

/* Which faults can meet which effects. */
static const unsigned fits[F_END_OF_EFFECTS] = {
    [F_CRASH_BEFORE] = OF_ALL | BIT(E_WATCH),
    [F_CRASH_SENT] = OF_ALL,
    [F_CRASH_AFTER] = OF_ALL,
    [F_PAUSE_BEFORE] = OF_ALL | BIT(E_WATCH),
    [F_PAUSE_AFTER] = OF_ALL,
    [F_CUT] = OF_ALL,
    [F_LOST] = OF_ALL,
    [F_LATE] = BIT(E_PATCH) | OF_KUBE_WRITES,
    [F_SLOW] = OF_ALL,
    [F_TWICE] = BIT(E_PATCH) | OF_KUBE_WRITES | BIT(E_EVENT),
    [F_429] = OF_ARM | OF_KUBE | BIT(E_WATCH),
    [F_500] = OF_ALL | BIT(E_WATCH),
    [F_503] = OF_ALL | BIT(E_WATCH),
    [F_504_AFTER] = OF_ARM,
    [F_401] = OF_ARM | OF_KUBE,
    [F_403] = BIT(E_READ) | BIT(E_LIST) | BIT(E_OPERATION) | BIT(E_PATCH) | BIT(E_STATUS) | BIT(E_LEASE_WRITE),
    [F_404] = BIT(E_READ) | BIT(E_OPERATION) | BIT(E_LIST),
    [F_409] = OF_KUBE_WRITES,
    [F_410] = BIT(E_WATCH) | BIT(E_RESOURCES),
    /* A page instead of evidence is Unknown in preflight, by design, and stays in the status. */
    [F_GARBAGE] = (OF_ARM & ~BIT(E_LOOK)) | BIT(E_STATUS) | BIT(E_LEASE_READ) | BIT(E_RESOURCES),
    [F_STALE] = BIT(E_GET) | BIT(E_RESOURCES),
};

static int64_t arg_of(uint64_t *dice, enum fault_kind kind)
{
    switch (kind) {
    case F_PAUSE_BEFORE:
    case F_PAUSE_AFTER:
    case F_PAUSE:
        return between(dice, 0, 1) ? between(dice, 1000, 25000) : between(dice, 25000, 700000);
    case F_LATE:
        return between(dice, 3000, 55000);
    case F_SLOW:
        return between(dice, 1000, 70000);
    case F_429:
        return between(dice, 0, 2) ? between(dice, 1, 60) * 1000 : 0;
    case F_STALE:
    case F_LAG:
        return between(dice, 500, 90000);
    case F_WALL:
        return between(dice, -20000, 20000);
    case F_NO_KUBE:
    case F_NO_ARM:
        return between(dice, 1000, 240000);
    case F_SUSPEND:
    case F_TWIN:
        return between(dice, 1000, 120000);
    default:
        return 0;
    }
}

static bool draw_effect(struct fault *f, uint64_t *dice, const size_t counts[static E_COUNT])
{
    enum effect on = (enum effect)(fiber_mix(dice) % E_COUNT);

    if (!(fits[f->kind] & BIT(on)))
        return false;
    f->on = on;
    int64_t most = counts[on] ? (int64_t)counts[on] : 1;
    f->at = between(dice, 1, most);
    f->times = between(dice, 0, 3) ? 1 : (int)between(dice, 2, 12);
    if (f->kind <= F_PAUSE_AFTER)
        f->times = 1;
    return true;
}

/* No clock that people set decides anything that cannot be undone: it may be wrong by as much as it likes. */
static void widen_jumps(struct plan *plan, uint64_t *dice)
{
    for (size_t i = 0; i < plan->n_faults; i++)
        if (plan->faults[i].kind == F_WALL && between(dice, 0, 1))
            plan->faults[i].arg *= 60;
}

void plan_draw_faults(struct plan *plan, int64_t length_ms, const size_t counts[static E_COUNT])
{
    uint64_t dice = plan->seed ^ 0x5eedfa17ULL;
    size_t n = (size_t)between(&dice, 1, 3) * (size_t)between(&dice, 1, 4) * (plan->seed % 5 == 0 ? 3 : 1);
    bool people = between(&dice, 0, 2) == 0, times_only = between(&dice, 0, 5) == 0;
    uint64_t chosen = fiber_mix(&dice) | fiber_mix(&dice); /* a swarm: some kinds only */

    for (size_t tries = 0; plan->n_faults < n && tries < 5000; tries++) {
        struct fault f = {.kind = (enum fault_kind)(fiber_mix(&dice) % (people ? F_COUNT : F_SUSPEND)), .times = 1};
        if (!(chosen >> f.kind & 1) || (times_only && f.kind < F_END_OF_EFFECTS))
            continue;
        f.arg = arg_of(&dice, f.kind);
        if (f.kind < F_END_OF_EFFECTS && !draw_effect(&f, &dice, counts))
            continue;
        if (f.kind >= F_END_OF_EFFECTS) {
            f.on = E_TIME;
            f.at = between(&dice, 0, length_ms + length_ms / 2);
            f.who = (int)between(&dice, 0,
                (f.kind >= F_SUSPEND  ? plan->accounts
                    : f.kind == F_LAG ? MAX_SERVERS
                                      : plan->replicas) -
                    1);
        }
        plan->faults[plan->n_faults++] = f;
    }
    widen_jumps(plan, &dice);
}

/* ---- as text ---- */

struct member {
    const char *name;
    size_t offset;
    bool is_long;
};
#define MEMBER(m) #m, offsetof(struct plan, m)
static const struct member members[] = {
    {MEMBER(seed), true},
    {MEMBER(replicas), false},
    {MEMBER(accounts), false},
    {MEMBER(workers), false},
    {MEMBER(mix), false},
    {MEMBER(vault), false},
    {MEMBER(latency), true},
    {MEMBER(encrypt), true},
    {MEMBER(watch_list), false},
    {MEMBER(page), false},
    {MEMBER(skew), false},
    {MEMBER(elect), false},
    {MEMBER(early), false},
    {MEMBER(resets), false},
};

char *plan_print(const struct plan *plan)
{
    struct buf b = BUF_INIT(65536);

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *at = (const char *)plan + members[i].offset;
        int64_t value = members[i].is_long ? *(const int64_t *)at : *(const int *)at;
        buf_printf(&b, "%s%s=%lld", i ? " " : "", members[i].name, (long long)value);
    }
    for (size_t i = 0; i < plan->n_faults; i++) {
        const struct fault *f = &plan->faults[i];
        buf_printf(&b, " %s@%s:%lld", fault_name(f->kind), effect_name(f->on), (long long)f->at);
        if (f->who)
            buf_printf(&b, ":who=%d", f->who);
        if (f->times != 1)
            buf_printf(&b, ":times=%d", f->times);
        if (f->arg)
            buf_printf(&b, ":arg=%lld", (long long)f->arg);
    }
    return buf_take(&b);
}

static bool read_member(struct plan *plan, const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        size_t n = strlen(members[i].name);
        if (strncmp(word, members[i].name, n) != 0 || word[n] != '=')
            continue;
        char *at = (char *)plan + members[i].offset;
        if (members[i].is_long)
            *(int64_t *)at = strtoll(word + n + 1, NULL, 10);
        else
            *(int *)at = (int)strtol(word + n + 1, NULL, 10);
        return true;
    }
    return false;
}

static int64_t option(const char *word, const char *name, int64_t fallback)
{
    const char *at = strstr(word, name);

    return at ? strtoll(at + strlen(name), NULL, 10) : fallback;
}

static bool read_fault(struct plan *plan, const char *word)
{
    char kind[32], on[32];
    long long at;
    struct fault f = {.kind = F_COUNT, .on = E_COUNT + 1};

    if (sscanf(word, "%31[^@]@%31[^:]:%lld", kind, on, &at) != 3 || plan->n_faults == MAX_FAULTS)
        return false;
    for (int i = 0; i < F_COUNT; i++)
        if (str_eq(kind, fault_name((enum fault_kind)i)))
            f.kind = (enum fault_kind)i;
    for (int i = 0; i <= E_COUNT; i++)
        if (str_eq(on, effect_name((enum effect)i)))
            f.on = (enum effect)i;
    f.at = at;
    f.who = (int)option(word, ":who=", 0);
    f.times = (int)option(word, ":times=", 1);
    f.arg = option(word, ":arg=", 0);
    if (f.kind == F_COUNT || (int)f.on > E_COUNT || (f.kind >= F_END_OF_EFFECTS) != (f.on == E_TIME))
        return false;
    plan->faults[plan->n_faults++] = f;
    return true;
}

int plan_parse(struct plan *ret, const char *line, struct err *err)
{
    _cleanup_(freep) char *copy = xstrdup(line);
    char *save = NULL;

    *ret = (struct plan){0};
    for (char *word = strtok_r(copy, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
        if (!read_member(ret, word) && !read_fault(ret, word))
            return err_set(err, ERR_INVALID, "a plan has no \"%s\"", word);
    ret->elect = ret->elect || ret->replicas > 1;
    if (ret->replicas < 1 || ret->replicas > MAX_REPLICAS || ret->accounts < 1 || ret->accounts > MAX_ACCOUNTS ||
        ret->workers < 1 || ret->latency < 1)
        return err_set(err, ERR_INVALID, "a plan needs replicas, accounts, workers and a latency");
    return 0;
}
