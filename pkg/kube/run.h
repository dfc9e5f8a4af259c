/* Runs a program and takes what it prints. Internal to pkg/kube. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

#include <stdint.h>

struct kube_run {
    char *const *argv; /* argv[0] is the program: a path, or a bare name that is looked for in $PATH */
    char *const *envp;
    int64_t timeout_ms;
    struct http_cancel *cancel; /* may be NULL */
};

/* Standard output is appended to out, whose cap applies (ERR_TOO_LARGE); standard input is empty; standard error is
 * ours, because it is where plugins talk to people. Returns 0 when the program ended with exit status 0. Errors:
 * ERR_NOT_FOUND there is no such program, ERR_INVALID it cannot be started, ERR_TIMEOUT, ERR_CANCELLED,
 * ERR_UNAUTHORIZED any other end. The program and what it has started is killed when it did not end by itself. */
int kube_run(const struct kube_run *run, struct buf *out, struct err *err);
