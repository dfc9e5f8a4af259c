#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_CONFLICT] = "conflict",
    [ERR_EXISTS] = "exists",
    [ERR_GONE] = "gone",
    [ERR_UNAUTHORIZED] = "unauthorized",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_THROTTLED] = "throttled",
    [ERR_LOCKED] = "locked",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELLED] = "cancelled",
    [ERR_TLS] = "tls",
    [ERR_TOO_LARGE] = "too-large",
    [ERR_PROTOCOL] = "protocol",
    [ERR_INTERNAL] = "internal",
};

const char *err_kind_name(enum err_kind kind)
{
    return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}

bool err_is_transient(const struct err *err)
{
    switch (err->kind) {
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_THROTTLED:
    case ERR_CONFLICT:
    case ERR_LOCKED:
    case ERR_GONE:
        return true;
    default:
        return false;
    }
}

/* The message was cut at the end of the array: step back over a split UTF-8 sequence and mark the cut. */
static void mark_cut(struct err *err)
{
    size_t end = sizeof(err->msg) - 4;

    while (end > 0 && ((unsigned char)err->msg[end] & 0xC0) == 0x80)
        end--;
    memcpy(err->msg + end, "...", 4);
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;

    if (!err)
        return -1;
    *err = ERR_INIT;
    err->kind = kind;
    va_start(args, format);
    int n = vsnprintf(err->msg, sizeof(err->msg), format, args);
    va_end(args);
    if (n >= (int)sizeof(err->msg))
        mark_cut(err);
    return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
    char old[sizeof(err->msg)];
    va_list args;

    if (!err)
        return -1;
    memcpy(old, err->msg, sizeof(old));
    va_start(args, format);
    int n = vsnprintf(err->msg, sizeof(err->msg), format, args);
    va_end(args);
    if (n >= 0 && n < (int)sizeof(err->msg))
        n += snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", old);
    if (n >= (int)sizeof(err->msg))
        mark_cut(err);
    return -1;
}
