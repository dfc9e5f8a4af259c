/* Runs a program and takes what it prints.
 *
 * No shell is involved: arguments are passed as they are. The program and what it has started is killed when it does
 * not end by itself in time. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct run {
    char *const *argv; /* argv[0] is the program: a path, or a bare name that is looked for in $PATH */
    char *const *envp; /* NULL: the environment of this process */
    int64_t timeout_ms;
    bool (*stopped)(const void *ctx); /* asked several times a second: are we to give up? May be NULL */
    const void *ctx;
    struct buf *errors; /* standard error is appended here, and cut at its cap; NULL: it is ours */
};

/* Standard output is appended to out, whose cap applies (ERR_TOO_LARGE); standard input is empty. Returns the exit
 * status, 0 to 255, of a program that ended by itself. -1: ERR_NOT_FOUND there is no such program, ERR_INVALID it
 * cannot be started, ERR_TIMEOUT, ERR_CANCELLED, ERR_UNAVAILABLE a signal ended it. The sentence names the program.
 * Nothing of what it printed is in an error, and no copy of it is left behind if both buffers were allocated in full.
 */
int run_program(const struct run *run, struct buf *out, struct err *err);
