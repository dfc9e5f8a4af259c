/* Threads without a machine's whims: fibers that go on one at a time, in an order drawn from a seed, in virtual time.
 *
 * A program that blocks in pthread's calls runs on them unchanged: the linker (--wrap) sends its pthread_*() to
 * fiber_pthread.c. A fiber loses its turn when it waits and, now and then, when it takes a lock; computing takes no
 * time. When nobody can go on, the clock leaps to the next moment at which somebody can.
 *
 * Fibers belong to groups: a group is a process, which can be stopped (SIGSTOP: its fibers are passed over) and killed.
 * One that was killed is not torn out of its calls: its waits end at once, its time runs without that of the others,
 * and whoever carries its requests refuses them, so that it unwinds and frees what it holds before anybody else goes
 * on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fiber;

struct fiber_group {
    bool dead;
    int64_t frozen_until; /* fiber_now(); 0: it is not */
    int64_t ahead_ms;     /* how far the clock of a dead one has run ahead */
    int64_t mono_ms;      /* its monotonic clock when the world began */
    int64_t wall_ms;      /* its wall clock when the world began; a jump changes it */
    size_t n;             /* fibers that have not ended */
};

#define FIBER_NEVER INT64_MAX

/* A new world, whose time is 0. */
void fiber_world_begin(uint64_t seed);
/* Runs until every fiber has ended. False: those that are left wait for nothing, or time stands still. */
bool fiber_world_run(void);
void fiber_world_end(void);

/* group NULL: the world's own. It is freed when it has ended, unless joined: then by fiber_join(). */
struct fiber *fiber_start(struct fiber_group *group, void (*run)(void *ctx), void *ctx, bool joined);
void fiber_join(struct fiber *fiber);

/* For the fiber that runs. */

bool fiber_runs(void); /* false on the outside */
struct fiber_group *fiber_own_group(void);
int64_t fiber_now(void);
void fiber_yield(void);
/* Until fiber_wake() of this channel (any address), or until that time: whether it was woken. */
bool fiber_wait(const void *channel, int64_t until);
void fiber_sleep(int64_t ms);
void fiber_wake(const void *channel);
void fiber_wake_one(const void *channel);
/* Ends every wait of the group that has a deadline; those without are ended by its own fibers. */
void fiber_kill(struct fiber_group *group);

/* Numbers drawn from the seed. The second stream is for what happens, so that it stays the same when the order of
 * things changes. */
uint64_t fiber_random(void);
uint64_t fiber_below(uint64_t bound);
bool fiber_chance(unsigned of); /* one in so many */
/* One step of SplitMix64. */
uint64_t fiber_mix(uint64_t *state);
size_t fiber_switches(void);
