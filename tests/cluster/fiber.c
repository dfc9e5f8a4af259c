/* The scheduler: one context of its own, one for each fiber; a fiber that waits goes back to the scheduler's.
 *
 * Invariant: whatever chooses (who goes on, who is woken) draws from one generator, and fibers stand in the order in
 * which they were started, so that one seed gives one history, whatever the addresses. */
#include "cluster/fiber.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#define STACK_SIZE (1U << 20)
#else
#define STACK_SIZE (256U << 10)
#endif

#define MAX_FIBERS 1024
#define MAX_STANDSTILL 20000000 /* turns without time */

struct fiber {
    ucontext_t context;
    char *stack;
    struct fiber_group *group;
    void (*run)(void *ctx);
    void *ctx;
    bool joined, ended, woken, ready;
    const void *channel;
    int64_t until;
    void *fake_stack;
};

static struct {
    ucontext_t scheduler;
    struct fiber *current;
    struct fiber *fibers[MAX_FIBERS];
    size_t n;
    int64_t now;
    uint64_t random;
    size_t switches, standstill;
    struct fiber_group outside;
    char *stacks[MAX_FIBERS]; /* free ones */
    size_t n_stacks;
    void *fake_stack; /* the scheduler's */
    const void *bottom;
    size_t size;
} world;

/* ---- numbers ---- */

uint64_t fiber_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t fiber_random(void)
{
    return fiber_mix(&world.random);
}

uint64_t fiber_below(uint64_t bound)
{
    return bound ? fiber_random() % bound : 0;
}

bool fiber_chance(unsigned of)
{
    return fiber_below(of) == 0;
}

/* ---- to and fro ---- */

static void into(struct fiber *f)
{
    world.current = f;
    world.switches++;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&world.fake_stack, f->stack, STACK_SIZE);
#endif
    (void)swapcontext(&world.scheduler, &f->context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(world.fake_stack, NULL, NULL);
#endif
    world.current = NULL;
}

static void back(struct fiber *f)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(f->ended ? NULL : &f->fake_stack, world.bottom, world.size);
#endif
    (void)swapcontext(&f->context, &world.scheduler);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &world.bottom, &world.size);
#endif
}

static void begin(void)
{
    struct fiber *f = world.current;

#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &world.bottom, &world.size);
#endif
    f->run(f->ctx);
    f->ended = true;
    f->group->n--;
    fiber_wake(f);
    fiber_wake(f->group);
    back(f);
    abort(); /* nobody returns to one that has ended */
}

/* ---- stacks ---- */

static char *take_stack(void)
{
    if (world.n_stacks)
        return world.stacks[--world.n_stacks];
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE) != 0)
        abort();
    return stack;
}

static void free_fiber(struct fiber *f)
{
    world.stacks[world.n_stacks++] = f->stack;
    free(f);
}

/* ---- life ---- */

struct fiber *fiber_start(struct fiber_group *group, void (*run)(void *ctx), void *ctx, bool joined)
{
    struct fiber *f = xcalloc(1, sizeof(*f));

    if (world.n == MAX_FIBERS)
        abort();
    *f = (struct fiber){.stack = take_stack(),
        .group = group ? group : &world.outside,
        .run = run,
        .ctx = ctx,
        .joined = joined,
        .ready = true,
        .until = FIBER_NEVER};
    (void)getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&f->context, begin, 0);
    f->context.uc_stack.ss_size = 0; /* ASan's swapcontext() would sweep it each time */
    f->group->n++;
    world.fibers[world.n++] = f;
    return f;
}

void fiber_join(struct fiber *fiber)
{
    while (!fiber->ended)
        (void)fiber_wait(fiber, FIBER_NEVER);
    free_fiber(fiber);
}

bool fiber_runs(void)
{
    return world.current != NULL;
}

struct fiber_group *fiber_own_group(void)
{
    return world.current ? world.current->group : &world.outside;
}

int64_t fiber_now(void)
{
    return world.now;
}

size_t fiber_switches(void)
{
    return world.switches;
}

/* ---- waiting ---- */

void fiber_yield(void)
{
    struct fiber *f = world.current;

    f->ready = true;
    back(f);
}

bool fiber_wait(const void *channel, int64_t until)
{
    struct fiber *f = world.current;
    struct fiber_group *group = f->group;

    f->channel = channel;
    f->woken = false;
    f->until = until;
    f->ready = false;
    if (group->dead && until != FIBER_NEVER) { /* the time passes for it alone */
        if (until > world.now + group->ahead_ms)
            group->ahead_ms = until - world.now;
        f->ready = true;
    }
    back(f);
    f->channel = NULL;
    return f->woken;
}

void fiber_sleep(int64_t ms)
{
    int64_t until = world.now + world.current->group->ahead_ms + (ms > 0 ? ms : 0);

    while (world.now + world.current->group->ahead_ms < until)
        (void)fiber_wait(NULL, until);
}

static void wake(struct fiber *f)
{
    f->woken = true;
    f->ready = true;
    f->channel = NULL;
}

void fiber_wake(const void *channel)
{
    for (size_t i = 0; i < world.n; i++)
        if (world.fibers[i]->channel == channel && channel)
            wake(world.fibers[i]);
}

void fiber_wake_one(const void *channel)
{
    struct fiber *found[MAX_FIBERS];
    size_t n = 0;

    for (size_t i = 0; i < world.n; i++)
        if (world.fibers[i]->channel == channel)
            found[n++] = world.fibers[i];
    if (n)
        wake(found[n > 1 ? fiber_below(n) : 0]);
}

void fiber_kill(struct fiber_group *group)
{
    group->dead = true;
    group->frozen_until = 0;
    for (size_t i = 0; i < world.n; i++)
        if (world.fibers[i]->group == group && world.fibers[i]->until != FIBER_NEVER)
            world.fibers[i]->ready = true;
}

/* ---- the loop ---- */

static bool is_frozen(struct fiber_group *group)
{
    if (group->frozen_until && group->frozen_until <= world.now)
        group->frozen_until = 0;
    return group->frozen_until != 0;
}

static bool can_go_on(struct fiber *f)
{
    return f->ready || (f->until != FIBER_NEVER && f->until <= world.now);
}

/* The dead go first, so that nobody sees them unwind. */
static struct fiber *choose(void)
{
    struct fiber *found[MAX_FIBERS];
    size_t n = 0;
    bool dead = false;

    for (size_t i = 0; i < world.n; i++) {
        struct fiber *f = world.fibers[i];
        if (!can_go_on(f) || is_frozen(f->group) || (dead && !f->group->dead))
            continue;
        if (f->group->dead && !dead) {
            dead = true;
            n = 0;
        }
        found[n++] = f;
    }
    return n ? found[n > 1 ? fiber_below(n) : 0] : NULL;
}

/* False: there is no next moment. */
static bool leap(void)
{
    int64_t next = FIBER_NEVER;

    for (size_t i = 0; i < world.n; i++) {
        const struct fiber *f = world.fibers[i];
        int64_t at = f->ready ? world.now : f->until;
        if (f->group->frozen_until > at && at != FIBER_NEVER)
            at = f->group->frozen_until;
        if (at < next)
            next = at;
    }
    if (next == FIBER_NEVER)
        return false;
    world.now = next;
    world.standstill = 0;
    return true;
}

static void remove_ended(struct fiber *f)
{
    size_t i = 0;

    while (world.fibers[i] != f)
        i++;
    memmove(&world.fibers[i], &world.fibers[i + 1], (world.n - i - 1) * sizeof(struct fiber *));
    world.n--;
    if (!f->joined)
        free_fiber(f);
}

bool fiber_world_run(void)
{
    while (world.n > 0) {
        struct fiber *f = choose();
        if (!f) {
            if (!leap())
                return false;
            continue;
        }
        if (++world.standstill > MAX_STANDSTILL)
            return false;
        f->ready = false;
        f->until = FIBER_NEVER;
        into(f);
        if (f->ended)
            remove_ended(f);
    }
    return true;
}

void fiber_world_begin(uint64_t seed)
{
    world.now = 0;
    world.random = seed;
    world.switches = world.standstill = 0;
    world.outside = (struct fiber_group){0};
}

void fiber_world_end(void)
{
    while (world.n_stacks)
        (void)munmap(world.stacks[--world.n_stacks], STACK_SIZE);
}
