/* A thread for each job but the first, joined before the return, so that callers may hand over what is on their stack.
 * It keeps no threads: what it is for takes milliseconds and more, a thread takes some 30 microseconds. */
#include "base/together.h"

#include "base/mem.h"

#include <pthread.h>

static void *run(void *ctx)
{
    const struct job *job = ctx;

    job->run(job->ctx);
    return NULL;
}

void run_together(const struct job *jobs, size_t n)
{
    _cleanup_(freep) pthread_t *threads = xcalloc(n + 1, sizeof(*threads));
    size_t started = 1;

    while (started < n && pthread_create(&threads[started], NULL, run, (void *)&jobs[started]) == 0)
        started++;
    run_in_order(jobs, n ? 1 : 0);
    for (size_t i = started; i < n; i++)
        jobs[i].run(jobs[i].ctx);
    for (size_t i = 1; i < started; i++)
        (void)pthread_join(threads[i], NULL);
}

void run_in_order(const struct job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jobs[i].run(jobs[i].ctx);
}
