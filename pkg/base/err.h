/* Failures.
 *
 * A function that can fail returns -1 and fills a caller-owned struct err on the caller's stack. Outcomes that a caller
 * must branch on are positive values of that one call. Retry policy is a function of the kind only; what to tell a
 * person is the message, a sentence to which callers prepend context on the way up:
 *
 *     if (file_read(path, &b, err) < 0)
 *         return err_wrap(err, "cannot load kubeconfig");
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

enum err_kind {
    ERR_NONE,
    ERR_INVALID,      /* what we were given is wrong: repeating it will not help */
    ERR_NOT_FOUND,    /* 404, or a file that does not exist */
    ERR_CONFLICT,     /* 409: somebody else changed it; look again */
    ERR_EXISTS,       /* 409 AlreadyExists */
    ERR_GONE,         /* 410: the version asked for is no longer served */
    ERR_UNAUTHORIZED, /* 401, or the token endpoint refused the credential */
    ERR_FORBIDDEN,    /* 403 */
    ERR_THROTTLED,    /* 429: retry_after_ms may say when */
    ERR_LOCKED,       /* 412 of the resource provider: another operation holds the account's exclusive lock */
    ERR_UNAVAILABLE,  /* no connection, or 5xx */
    ERR_TIMEOUT,
    ERR_CANCELLED, /* we were told to stop */
    ERR_TLS,       /* the peer could not be verified */
    ERR_TOO_LARGE, /* a peer sent more than the cap allows */
    ERR_PROTOCOL,  /* a peer sent what we cannot understand */
    ERR_INTERNAL,
};

struct err {
    enum err_kind kind;
    /* The request may have reached the peer: for anything that is not safe to repeat, the outcome is unknown. */
    bool maybe_sent;
    int http_status;        /* 0 when there was no HTTP answer */
    int64_t retry_after_ms; /* what the peer asked for; -1 when it did not say */
    char code[96];          /* the peer's own error code, or "" */
    char msg[1024];         /* a sentence without final newline; never holds a secret */
};

#define ERR_INIT ((struct err){.retry_after_ms = -1})

/* Stable lower-case word for logs and metrics, for example "not-found". */
const char *err_kind_name(enum err_kind kind);

/* True for kinds that heal by themselves (unavailable, timeout, throttled, conflict, locked, gone). */
bool err_is_transient(const struct err *err);

/* Overwrites *err; the value is -1. err may be NULL. A message that does not fit is cut at a character boundary and
 * ends in
 * "...". The -1 is written out where the call stands, so that compilers and analysers see that the caller fails. */
#define err_set(...)                                                                                                   \
    ({                                                                                                                 \
        err_format(__VA_ARGS__);                                                                                       \
        -1;                                                                                                            \
    })
void err_format(struct err *err, enum err_kind kind, const char *format, ...) _printf_(3, 4);

/* Prepends "context: " to the message; everything else stays. The value is -1. err may be NULL. */
#define err_wrap(...)                                                                                                  \
    ({                                                                                                                 \
        err_prepend(__VA_ARGS__);                                                                                      \
        -1;                                                                                                            \
    })
void err_prepend(struct err *err, const char *format, ...) _printf_(2, 3);
