/* HTTP/1.1 on one connection: one request after the other, each answered before the next is looked at. Pipelined
 * requests simply wait in conn->in. */
#include "base/mem.h"
#include "base/str.h"
#include "httpd/internal.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 256 /* of a chunk's size with its extensions */

/* -- requests */

/* Length of the head at the front of in, with its empty line; 0 when it is not complete. */
static size_t head_length(const struct buf *in)
{
    const char *end = in->data + in->len;

    for (const char *lf = in->data; lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf))); lf++) {
        if (lf + 1 < end && lf[1] == '\n')
            return (size_t)(lf + 2 - in->data);
        if (lf + 2 < end && lf[1] == '\r' && lf[2] == '\n')
            return (size_t)(lf + 3 - in->data);
    }
    return 0;
}

/* An answer to something that is no request. */
static void refuse(struct conn *c, int status)
{
    const char *reason = status_reason(status);
    char text[256];
    int n = snprintf(text, sizeof(text),
        "HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n%s\n", status,
        reason, strlen(reason) + 1, reason);

    conn_write(c, text, (size_t)n);
    c->closing = true;
}

/* The request being received is over, and so is the connection. */
static void refuse_current(struct conn *c, int status)
{
    exchange_drop(c, c->h1.current);
    c->h1.current = NULL;
    refuse(c, status);
}

static void drop_empty_lines(struct buf *in)
{
    size_t n = 0;

    while (n < in->len && (in->data[n] == '\r' || in->data[n] == '\n'))
        n++;
    buf_consume(in, n);
}

static void expect_continue(struct conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *expect = request_header(&c->h1.current->request, "expect");

    if (expect && str_eq_nocase(expect, "100-continue") && !c->h1.http10 && !c->in.len)
        conn_write(c, go_on, sizeof(go_on) - 1);
}

/* As the steps below: 1 when something was understood, 0 when more is needed, -1 when the connection is to be dropped.
 */
static int read_head(struct conn *c)
{
    size_t len;
    int status;

    drop_empty_lines(&c->in);
    if (!c->in.len)
        return 0;
    len = head_length(&c->in);
    if (len > HEAD_MAX || (!len && c->in.len > HEAD_MAX)) {
        refuse(c, 431);
        return 0;
    }
    if (!len)
        return 0;
    c->h1.current = exchange_new(c);
    status = h1_parse_head(c, &c->h1.current->request, c->in.data, len);
    buf_consume(&c->in, len);
    if (status) {
        refuse_current(c, status);
        return 0;
    }
    expect_continue(c);
    return 1;
}

static void complete(struct conn *c)
{
    struct httpd_exchange *x = c->h1.current;

    c->h1.current = NULL;
    c->h1.state = H1_HEAD;
    c->h1.trailers = 0;
    exchange_dispatch(x);
}

/* Moves what is there of the body or of the chunk. */
static void take_body(struct conn *c)
{
    size_t n = c->in.len < c->h1.remaining ? c->in.len : c->h1.remaining;

    if (n)
        buf_add(&c->h1.current->request.body, c->in.data, n);
    buf_consume(&c->in, n);
    c->h1.remaining -= n;
}

static int read_body(struct conn *c)
{
    take_body(c);
    if (c->h1.remaining)
        return 0;
    complete(c);
    return 1;
}

/* A line of at most max bytes, without its end and NUL-terminated in place: its length with its end, 0 when it is not
 * complete, -1 when it is too long. */
static int take_line(struct conn *c, size_t max)
{
    char *lf = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL;
    size_t len = lf ? (size_t)(lf + 1 - c->in.data) : c->in.len;

    if (len > max)
        return -1;
    if (!lf)
        return 0;
    *lf = '\0';
    if (lf > c->in.data && lf[-1] == '\r')
        lf[-1] = '\0';
    return (int)len;
}

static bool parse_chunk_size(const char *s, size_t *ret)
{
    size_t n = 0;
    int digits = 0;

    for (; ascii_isxdigit(*s) && digits < 8; s++, digits++)
        n = n << 4 | (size_t)(ascii_isdigit(*s) ? *s - '0' : ascii_tolower(*s) - 'a' + 10);
    *ret = n;
    return digits > 0 && (!*s || *s == ';' || *s == ' ' || *s == '\t');
}

static int read_chunk_size(struct conn *c)
{
    struct buf *body = &c->h1.current->request.body;
    int len = take_line(c, LINE_MAX_LEN);

    if (len == 0)
        return 0;
    if (len < 0 || !parse_chunk_size(c->in.data, &c->h1.remaining)) {
        refuse_current(c, 400);
        return 0;
    }
    buf_consume(&c->in, (size_t)len);
    if (c->h1.remaining > body->max - body->len) {
        refuse_current(c, 413);
        return 0;
    }
    c->h1.state = c->h1.remaining ? H1_CHUNK_DATA : H1_TRAILERS;
    return 1;
}

static int read_chunk_data(struct conn *c)
{
    take_body(c);
    if (c->h1.remaining)
        return 0;
    c->h1.state = H1_CHUNK_END;
    return 1;
}

static int read_chunk_end(struct conn *c)
{
    int len = take_line(c, 2);

    if (len == 0)
        return 0;
    if (len < 0 || *c->in.data) {
        refuse_current(c, 400);
        return 0;
    }
    buf_consume(&c->in, (size_t)len);
    c->h1.state = H1_CHUNK_SIZE;
    return 1;
}

/* Trailers are read and forgotten. */
static int read_trailers(struct conn *c)
{
    int len = take_line(c, HEAD_MAX - c->h1.trailers);
    bool last;

    if (len == 0)
        return 0;
    if (len < 0) {
        refuse_current(c, 431);
        return 0;
    }
    last = !*c->in.data;
    c->h1.trailers += (size_t)len;
    buf_consume(&c->in, (size_t)len);
    if (last)
        complete(c);
    return 1;
}

static int input(struct conn *c)
{
    static int (*const steps[])(struct conn *) = {
        [H1_HEAD] = read_head,
        [H1_BODY] = read_body,
        [H1_CHUNK_SIZE] = read_chunk_size,
        [H1_CHUNK_DATA] = read_chunk_data,
        [H1_CHUNK_END] = read_chunk_end,
        [H1_TRAILERS] = read_trailers,
    };
    int progress = 1;

    while (progress > 0 && !c->closing && (!c->exchanges || c->h1.current))
        progress = steps[c->h1.state](c);
    return progress;
}

/* -- answers, under the server's lock */

static void put_field(struct buf *b, const char *name, const char *value)
{
    buf_puts(b, name);
    buf_puts(b, ": ");
    buf_puts(b, value);
    buf_puts(b, "\r\n");
}

static void put_fields(struct buf *b, const struct buf *fields, bool *has_date)
{
    const char *p = fields->data;

    while (p && p < fields->data + fields->len) {
        const char *value = p + strlen(p) + 1;

        *has_date = *has_date || str_eq_nocase(p, "date");
        if (!str_eq_nocase(p, "content-length") && !str_eq_nocase(p, "transfer-encoding"))
            put_field(b, p, value);
        p = value + strlen(value) + 1;
    }
}

static void send_head(struct conn *c, struct httpd_exchange *x)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(2 * HEAD_MAX);
    bool has_date = false;
    char date[DATE_SIZE];

    x->head_sent = true;
    c->h1.chunked_answer = !x->whole && status_has_body(x->status) && !c->h1.http10;
    if (!x->whole && c->h1.http10)
        c->h1.keep_alive = false;
    buf_printf(&b, "HTTP/1.1 %d %s\r\n", x->status, x->reason ? x->reason : status_reason(x->status));
    put_fields(&b, &x->fields, &has_date);
    if (!has_date) {
        http_date(date);
        put_field(&b, "date", date);
    }
    if (x->whole && status_has_body(x->status))
        buf_printf(&b, "content-length: %zu\r\n", pipe_len(&x->out));
    if (c->h1.chunked_answer)
        put_field(&b, "transfer-encoding", "chunked");
    if (!c->h1.keep_alive)
        put_field(&b, "connection", "close");
    else if (c->h1.http10)
        put_field(&b, "connection", "keep-alive");
    buf_puts(&b, "\r\n");
    conn_write(c, b.data, b.len);
    if (x->is_head || !status_has_body(x->status))
        pipe_drop(&x->out, pipe_len(&x->out));
}

static void send_body(struct conn *c, struct httpd_exchange *x)
{
    size_t n;
    char size[24];

    if (x->is_head || !status_has_body(x->status))
        pipe_drop(&x->out, pipe_len(&x->out));
    while ((n = pipe_len(&x->out)) > 0 && conn_room(c) > 0) {
        if (n > conn_room(c))
            n = conn_room(c);
        if (c->h1.chunked_answer) {
            (void)snprintf(size, sizeof(size), "%zx\r\n", n);
            conn_write(c, size, strlen(size));
        }
        conn_write(c, pipe_data(&x->out), n);
        if (c->h1.chunked_answer)
            conn_write(c, "\r\n", 2);
        pipe_drop(&x->out, n);
    }
}

/* True when all of it is written. */
static bool send_answer(struct conn *c, struct httpd_exchange *x)
{
    if (!x->begun)
        return false;
    if (!x->head_sent)
        send_head(c, x);
    send_body(c, x);
    if (!x->ended || pipe_len(&x->out))
        return false;
    if (c->h1.chunked_answer && !x->is_head)
        conn_write(c, "0\r\n\r\n", 5);
    return true;
}

static bool output(struct conn *c)
{
    struct httpd_exchange *x = c->exchanges;
    bool done;

    if (!x || c->h1.current)
        return false;
    pthread_mutex_lock(&c->server->lock);
    done = send_answer(c, x);
    pthread_mutex_unlock(&c->server->lock);
    if (!done)
        return false;
    exchange_drop(c, x);
    c->closing = c->closing || !c->h1.keep_alive;
    return true;
}

const struct conn_protocol h1_protocol = {input, output};
