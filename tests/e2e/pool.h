/* Many programs, a few at a time: the runner's programs, and the cases of the crash tests. */
#pragma once

#include "e2e/process.h"

struct pool_job {
    struct process_spec spec; /* out is where its output goes */
    int64_t timeout_ms;
    int status; /* out: as process_wait(); -1: it took too long and was killed */
    int64_t took_ms;
    struct process *process;
    int64_t started_at;
};

/* Runs all; done (may be NULL) is called for each as it ends. stop (may be NULL) is asked now and then; when it says
 * true everything ends, with status -1. Returns how many did not end with 0. */
size_t pool_run(
    struct pool_job *jobs, size_t n, size_t at_once, void (*done)(const struct pool_job *job), bool (*stop)(void));
