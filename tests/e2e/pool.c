#include "e2e/pool.h"

#include "base/clock.h"

#define POLL_MS 10

static void start(struct pool_job *job)
{
    job->started_at = clock_mono_ms();
    job->process = process_start(&job->spec);
}

/* True when it has ended now. */
static bool look(struct pool_job *job, bool stopping)
{
    int64_t now = clock_mono_ms();

    if (!process_wait(job->process, 0, &job->status)) {
        if (!stopping && now < job->started_at + job->timeout_ms)
            return false;
        job->status = -1;
        job->process = process_end(job->process); /* lets it stop what it has started */
    }
    job->process = process_kill(job->process);
    job->took_ms = now - job->started_at;
    return true;
}

size_t pool_run(
    struct pool_job *jobs, size_t n, size_t at_once, void (*done)(const struct pool_job *job), bool (*stop)(void))
{
    size_t next = 0, running = 0, failed = 0;
    bool stopping = false;

    while (running > 0 || (next < n && !stopping)) {
        stopping = stopping || (stop && stop());
        while (!stopping && running < at_once && next < n) {
            start(&jobs[next++]);
            running++;
        }
        for (size_t i = 0; i < next; i++) {
            if (!jobs[i].process || !look(&jobs[i], stopping))
                continue;
            running--;
            failed += jobs[i].status != 0;
            if (done)
                done(&jobs[i]);
        }
        clock_sleep_ms(POLL_MS);
    }
    return failed + (n - next);
}
