#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
static const char *const format_names[] = {[LOG_AUTO] = "auto", [LOG_JSON] = "json", [LOG_TEXT] = "text"};

static enum log_level threshold_level = LOG_INFO;
static bool as_text;

void log_setup(enum log_level threshold, enum log_format format)
{
    threshold_level = threshold;
    as_text = format == LOG_TEXT || (format == LOG_AUTO && isatty(STDERR_FILENO));
}

bool log_level_parse(const char *s, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (str_eq(s, level_names[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_format_parse(const char *s, enum log_format *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(format_names); i++)
        if (str_eq(s, format_names[i])) {
            *ret = (enum log_format)i;
            return true;
        }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold_level;
}

static void put_quoted(struct buf *b, const char *s)
{
    buf_put_json_string(b, s, strlen(s));
}

static void write_json(
    struct buf *b, const char *at, const char *level, const char *message, const struct log_field *f, size_t n)
{
    buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", at, level);
    put_quoted(b, message);
    for (size_t i = 0; i < n; i++) {
        buf_putc(b, ',');
        put_quoted(b, f[i].key);
        buf_putc(b, ':');
        if (f[i].s)
            put_quoted(b, f[i].s);
        else
            buf_printf(b, "%lld", (long long)f[i].i);
    }
    buf_puts(b, "}\n");
}

/* A value is quoted only when a reader could not tell where it ends. */
static bool is_plain(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s == '"' || *s == '=' || *s == 0x7f)
            return false;
    return true;
}

static void write_text(
    struct buf *b, const char *at, const char *level, const char *message, const struct log_field *f, size_t n)
{
    buf_printf(b, "%.8s %-5s %s", at + strlen("2006-01-02T"), level, message);
    for (size_t i = 0; i < n; i++) {
        if (f[i].s && !*f[i].s)
            continue;
        buf_printf(b, " %s=", f[i].key);
        if (!f[i].s)
            buf_printf(b, "%lld", (long long)f[i].i);
        else if (is_plain(f[i].s))
            buf_puts(b, f[i].s);
        else
            put_quoted(b, f[i].s);
    }
    buf_putc(b, '\n');
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    _cleanup_(buf_done) struct buf line = BUF_INIT(LINE_MAX_BYTES);
    char at[TIME_TEXT_SIZE];

    time_format_rfc3339_ms(clock_wall_ms(), at);
    (as_text ? write_text : write_json)(&line, at, level_names[level], message, fields, n);
    if (line.overflow) {
        buf_clear(&line);
        (as_text ? write_text : write_json)(&line, at, level_names[level], message, NULL, 0);
    }
    if (write(STDERR_FILENO, line.data, line.len) < 0)
        return; /* nowhere left to say it */
}
