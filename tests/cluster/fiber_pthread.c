/* pthread's calls as fibers understand them (cluster/fiber.h). The linker's --wrap sends those of the program here,
 * and those of shared libraries to the real ones.
 *
 * A lock's memory holds who has it. Every lock may cost its taker the turn, and a wait may end without a cause, as
 * POSIX allows: what depends on it not doing so shows. Deadlines are those of the group's own monotonic clock. */
#include "cluster/fiber.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define YIELD_ONE_IN 24
#define SPURIOUS_ONE_IN 200

struct lock {
    const void *held; /* by whom: any address; NULL: free */
};
_Static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t), "a lock must fit where pthread's was");

struct thread {
    void *(*run)(void *ctx);
    void *ctx;
    struct fiber *fiber;
};

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *ctx);
int __wrap_pthread_join(pthread_t thread, void **ret);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *deadline);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);

/* ---- threads ---- */

static void run_thread(void *ctx)
{
    struct thread *thread = ctx;

    (void)thread->run(thread->ctx);
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr _unused_, void *(*run)(void *), void *ctx)
{
    struct thread *thread = xcalloc(1, sizeof(*thread));

    *thread = (struct thread){.run = run, .ctx = ctx};
    thread->fiber = fiber_start(fiber_own_group(), run_thread, thread, true);
    *ret = (pthread_t)(uintptr_t)thread;
    return 0;
}

int __wrap_pthread_join(pthread_t id, void **ret _unused_)
{
    struct thread *thread = (struct thread *)(uintptr_t)id;

    fiber_join(thread->fiber);
    free(thread);
    return 0;
}

int __wrap_pthread_sigmask(int how _unused_, const sigset_t *set _unused_, sigset_t *old _unused_)
{
    return 0; /* there are no signals here; see cluster_process.c */
}

/* ---- locks ---- */

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr _unused_)
{
    memset(mutex, 0, sizeof(*mutex));
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (((struct lock *)mutex)->held)
        abort(); /* undefined with pthread */
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct lock *lock = (struct lock *)mutex;

    if (!fiber_runs())
        return 0;
    if (fiber_chance(YIELD_ONE_IN))
        fiber_yield();
    while (lock->held)
        (void)fiber_wait(lock, FIBER_NEVER);
    lock->held = fiber_own_group();
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct lock *lock = (struct lock *)mutex;

    if (!fiber_runs())
        return 0;
    lock->held = NULL;
    fiber_wake_one(lock);
    return 0;
}

/* ---- conditions ---- */

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr _unused_)
{
    memset(cond, 0, sizeof(*cond));
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond _unused_)
{
    return 0;
}

static int wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until)
{
    bool woken = true;

    (void)__wrap_pthread_mutex_unlock(mutex);
    if (fiber_chance(SPURIOUS_ONE_IN))
        fiber_yield();
    else
        woken = fiber_wait(cond, until);
    (void)__wrap_pthread_mutex_lock(mutex);
    return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    (void)wait_for(cond, mutex, FIBER_NEVER);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *deadline)
{
    int64_t left = (int64_t)deadline->tv_sec * 1000 + deadline->tv_nsec / 1000000 - clock_mono_ms();
    int64_t own_now = fiber_now() + fiber_own_group()->ahead_ms;

    if (left <= 0)
        return ETIMEDOUT;
    return wait_for(cond, mutex, left < FIBER_NEVER - own_now ? own_now + left : FIBER_NEVER);
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    fiber_wake_one(cond);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    fiber_wake(cond);
    return 0;
}
