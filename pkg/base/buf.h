/* A growing byte buffer with a cap from birth and a sticky error.
 *
 * The content is always followed by a NUL that does not count, so b.data can be read as a string as long as the content
 * has no NUL of its own. Appending past the cap sets b.overflow and changes nothing else from then on; callers check
 * once, at the end. data is NULL until the first byte is added: use buf_str() to read it as a string. */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap; /* allocated */
    size_t max; /* bytes of content allowed */
    bool overflow;
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

/* Frees the content; the buffer can be used again with the same cap. Accepts a zeroed buffer. */
void buf_done(struct buf *b);
/* Empties the buffer and keeps its memory; clears overflow. */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) _printf_(2, 3);
void buf_vprintf(struct buf *b, const char *format, va_list args) _printf_(2, 0);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Borrowed, never NULL. */
const char *buf_str(const struct buf *b);
/* The content as a string of the caller's (never NULL); the buffer is empty afterwards. */
char *buf_take(struct buf *b);

/* s as a JSON string with its quotes. Control characters are escaped, bytes that are not UTF-8 become U+FFFD. */
void buf_put_json_string(struct buf *b, const char *s, size_t len);
/* s with everything but RFC 3986 unreserved characters percent-encoded. */
void buf_put_urlencoded(struct buf *b, const char *s);
