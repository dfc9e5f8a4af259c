/* Blocking work that does not depend on each other, side by side. */
#pragma once

#include <stddef.h>

struct job {
    void (*run)(void *ctx);
    void *ctx; /* what the job reads and writes: nobody else's until all are done */
};

/* Runs all of them and returns when the last has ended. The first runs in the calling thread, each other one in a
 * thread of its own for as long as it takes; where no thread can be had, in the calling one as well. */
void run_together(const struct job *jobs, size_t n);
/* The same one after the other, in their order: for where order matters, as in tests. */
void run_in_order(const struct job *jobs, size_t n);
