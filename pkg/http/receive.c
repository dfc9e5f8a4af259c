/* What libcurl hands over, on the engine's thread: header lines and body bytes, each under its cap.
 *
 * Only the last block of headers is kept: a 1xx answer's are dropped when the next status line begins, and trailers are
 * not looked at. A streamed body waits in t->stream until the caller's thread takes it; when that is full libcurl is
 * told to pause, which lets TCP or the HTTP/2 window slow the peer down. */
#include "http/transfer.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/limits.h"

#include <string.h>

static size_t refuse(struct transfer *t, enum transfer_end end)
{
    t->end = end;
    return CURL_WRITEFUNC_ERROR;
}

/* "HTTP/1.1 200 OK" */
static void begin_block(struct transfer *t, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    size_t left = space ? len - (size_t)(space - line) : 0;
    int status = 0;

    for (size_t i = 1; i < left && i <= 3 && ascii_isdigit(space[i]); i++)
        status = status * 10 + (space[i] - '0');
    t->response->status = status;
    t->in_block = true;
    buf_clear(&t->response->headers);
}

static void put_clean(struct buf *b, const char *s, size_t len)
{
    while (len > 0 && (*s == ' ' || *s == '\t'))
        s++, len--;
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    for (size_t i = 0; i < len; i++)
        buf_putc(b, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i]);
    buf_putc(b, '\n');
}

/* A line that begins with white space continues the one before (RFC 9112, 5.2). */
static void add_continuation(struct buf *b, const char *line, size_t len)
{
    if (b->len == 0)
        return;
    b->data[b->len - 1] = ' ';
    put_clean(b, line, len);
}

static void add_line(struct buf *b, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : 0;

    if (line[0] == ' ' || line[0] == '\t') {
        add_continuation(b, line, len);
        return;
    }
    for (size_t i = 0; i < name_len; i++)
        if ((unsigned char)line[i] <= ' ' || line[i] == 0x7f)
            return; /* "name :" means different things to different readers */
    if (name_len == 0)
        return;
    for (size_t i = 0; i < name_len; i++)
        buf_putc(b, ascii_tolower(line[i]));
    buf_puts(b, ": ");
    put_clean(b, colon + 1, len - name_len - 1);
}

size_t transfer_on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t all = size * n, len = all;

    t->last_byte_ms = clock_mono_ms();
    t->header_bytes += all;
    if (t->header_bytes > HTTP_MAX_HEADER_BYTES)
        return refuse(t, END_HEADERS_TOO_LARGE);
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    if (t->headers_done)
        return all; /* a trailer */
    if (!t->in_block) {
        begin_block(t, line, len);
    } else if (len == 0) {
        t->in_block = false;
        t->headers_done = t->response->status >= 200;
    } else {
        add_line(&t->response->headers, line, len);
    }
    return t->response->headers.overflow ? refuse(t, END_HEADERS_TOO_LARGE) : all;
}

static size_t stream(struct transfer *t, const char *bytes, size_t len)
{
    size_t taken = len;

    (void)pthread_mutex_lock(t->lock);
    if (t->stream.len > 0 && (len > t->stream.max || t->stream.len > t->stream.max - len)) {
        t->paused = true;
        taken = CURL_WRITEFUNC_PAUSE;
    } else {
        buf_add(&t->stream, bytes, len);
        (void)pthread_cond_signal(&t->changed);
        if (t->stream.overflow)
            taken = refuse(t, END_BODY_TOO_LARGE);
    }
    (void)pthread_mutex_unlock(t->lock);
    return taken;
}

size_t transfer_on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * n;

    t->last_byte_ms = clock_mono_ms();
    if (t->request->on_data && t->response->status == 200)
        return stream(t, bytes, len);
    buf_add(&t->response->body, bytes, len);
    return t->response->body.overflow ? refuse(t, END_BODY_TOO_LARGE) : len;
}
