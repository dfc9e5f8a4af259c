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

/* Formats aside first, because an argument may well point into *err ("...: %s", err->msg). */
static void format_message(struct err *err, const char *tail, const char *format, va_list args) _printf_(3, 0);

static void format_message(struct err *err, const char *tail, const char *format, va_list args)
{
    char msg[sizeof(err->msg)];
    int n = vsnprintf(msg, sizeof(msg), format, args);

    if (n < 0)
        msg[n = 0] = '\0';
    if (tail && n < (int)sizeof(msg))
        n += snprintf(msg + n, sizeof(msg) - (size_t)n, ": %s", tail);
    if (n >= (int)sizeof(msg)) {
        size_t end = sizeof(msg) - sizeof("...");
        while (end > 0 && ((unsigned char)msg[end] & 0xC0) == 0x80)
            end--; /* not within a UTF-8 sequence */
        memcpy(msg + end, "...", sizeof("..."));
    }
    memcpy(err->msg, msg, strlen(msg) + 1);
}

void err_format(struct err *err, enum err_kind kind, const char *format, ...)
{
    struct err fresh = ERR_INIT;
    va_list args;

    if (!err)
        return;
    fresh.kind = kind;
    va_start(args, format);
    format_message(&fresh, NULL, format, args);
    va_end(args);
    *err = fresh;
}

void err_prepend(struct err *err, const char *format, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, format);
    format_message(err, err->msg, format, args);
    va_end(args);
}
