/* One line per event: a fixed message and fields.
 *
 *     log_info("operation accepted", LOG_S("account", id), LOG_I("attempt", n));
 *
 * JSON lines for machines, readable text on a terminal, always on standard error, each line written with one write() so
 * that threads do not mix. Nothing secret is ever passed here: tokens live in struct secret, which has no LOG_ macro.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

struct log_field {
    const char *key;
    const char *s; /* NULL: the value is i */
    int64_t i;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .s = log_or_empty(v)})
#define LOG_I(k, v) ((struct log_field){.key = (k), .i = (int64_t)(v)})

/* For use before other threads exist. LOG_AUTO: text when standard error is a terminal. */
void log_setup(enum log_level threshold, enum log_format format);
/* "debug", "info", "warn", "error"; false when it is none of them. */
bool log_level_parse(const char *s, enum log_level *ret);
bool log_format_parse(const char *s, enum log_format *ret);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n);

static inline const char *log_or_empty(const char *s)
{
    return s ? s : "";
}

/* The first element only makes an empty list legal. */
#define log_at(level, message, ...)                                                                                    \
    do {                                                                                                               \
        if (log_enabled(level)) {                                                                                      \
            const struct log_field fields_[] = {{0}, ##__VA_ARGS__};                                                   \
            log_write(level, message, fields_ + 1, sizeof(fields_) / sizeof(fields_[0]) - 1);                          \
        }                                                                                                              \
    } while (0)

#define log_debug(message, ...) log_at(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...) log_at(LOG_INFO, message, ##__VA_ARGS__)
#define log_warn(message, ...) log_at(LOG_WARN, message, ##__VA_ARGS__)
#define log_error(message, ...) log_at(LOG_ERROR, message, ##__VA_ARGS__)
