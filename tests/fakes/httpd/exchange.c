/* The answer to one request, which may come from any thread and at any time.
 *
 * An exchange is shared by the connection, the user and the dirty list; the last one frees it. It keeps the server's
 * memory (not its thread) alive, so that a held exchange can be answered, to no effect, even after httpd_stop. */
#include "base/mem.h"
#include "base/str.h"
#include "httpd/internal.h"

#include <string.h>

struct httpd_exchange *exchange_new(struct conn *conn)
{
    struct httpd_exchange *x = xcalloc(1, sizeof(*x));
    struct httpd_exchange **slot = &conn->exchanges;

    x->server = conn->server;
    x->conn = conn;
    x->refs = 1;
    x->fields = BUF_INIT(HEAD_MAX);
    x->out = PIPE_INIT;
    request_init(&x->request, conn->server->max_body);
    pthread_mutex_lock(&x->server->lock);
    x->server->refs++;
    pthread_mutex_unlock(&x->server->lock);
    while (*slot)
        slot = &(*slot)->next;
    *slot = x;
    return x;
}

static void exchange_free(struct httpd_exchange *x)
{
    request_done(&x->request);
    buf_done(&x->fields);
    pipe_done(&x->out);
    free(x->reason);
    server_unref(x->server);
    free(x);
}

static void unlock_and_unref(struct httpd_exchange *x)
{
    bool last = --x->refs == 0;

    pthread_mutex_unlock(&x->server->lock);
    if (last)
        exchange_free(x);
}

void exchange_unref(struct httpd_exchange *x)
{
    pthread_mutex_lock(&x->server->lock);
    unlock_and_unref(x);
}

void exchange_drop(struct conn *conn, struct httpd_exchange *x)
{
    struct httpd_exchange **slot = &conn->exchanges;

    while (*slot != x)
        slot = &(*slot)->next;
    *slot = x->next;
    x->next = NULL;
    x->conn = NULL;
    pthread_mutex_lock(&x->server->lock);
    x->gone = true;
    pipe_done(&x->out);
    unlock_and_unref(x);
}

/* Under the lock. The service thread looks at the dirty list by itself after each event; others wake it, once. */
static void mark_dirty(struct httpd_exchange *x)
{
    struct httpd_server *server = x->server;
    bool wake = !server->dirty && !server->stopping && !pthread_equal(pthread_self(), server->service);

    if (x->dirty || x->gone)
        return;
    x->dirty = true;
    x->refs++;
    x->dirty_next = server->dirty;
    server->dirty = x;
    if (wake)
        lws_cancel_service(server->lws);
}

struct httpd_exchange *exchange_take_dirty(struct httpd_server *server)
{
    struct httpd_exchange *list, *x;

    pthread_mutex_lock(&server->lock);
    list = server->dirty;
    server->dirty = NULL;
    for (x = list; x; x = x->dirty_next)
        x->dirty = false;
    pthread_mutex_unlock(&server->lock);
    return list;
}

static void begin(struct httpd_exchange *x, int status, const struct httpd_header *headers, size_t n)
{
    x->begun = true;
    x->status = status;
    for (size_t i = 0; i < n && !x->gone; i++) {
        size_t name_len = strlen(headers[i].name), value_len = strlen(headers[i].value);

        /* A value that could end the header block early must never get out. */
        if (!token_valid(headers[i].name, name_len) || !field_value_valid(headers[i].value, value_len))
            continue;
        buf_add(&x->fields, headers[i].name, name_len + 1);
        buf_add(&x->fields, headers[i].value, value_len + 1);
    }
    if (x->fields.overflow)
        x->aborted = true;
}

/* Under the lock: a whole answer. Nothing happens when one was begun. */
static void answer(
    struct httpd_exchange *x, int status, const struct httpd_header *headers, size_t n, const void *body, size_t len)
{
    if (x->begun)
        return;
    begin(x, status, headers, n);
    x->whole = true;
    x->ended = true;
    if (!x->gone)
        pipe_add(&x->out, body, len);
    mark_dirty(x);
}

void httpd_reply(
    struct httpd_exchange *x, int status, const struct httpd_header *headers, size_t n, const void *body, size_t len)
{
    pthread_mutex_lock(&x->server->lock);
    answer(x, status, headers, n, body, len);
    unlock_and_unref(x);
}

void httpd_reply_text(struct httpd_exchange *x, int status, const char *content_type, const char *body)
{
    const struct httpd_header headers[] = {{"content-type", content_type}};

    httpd_reply(x, status, headers, 1, body, strlen(body));
}

void httpd_status_text(struct httpd_exchange *x, const char *text)
{
    pthread_mutex_lock(&x->server->lock);
    if (field_value_valid(text, strlen(text)))
        str_replace(&x->reason, text);
    pthread_mutex_unlock(&x->server->lock);
}

void httpd_hold(struct httpd_exchange *x)
{
    pthread_mutex_lock(&x->server->lock);
    x->held = true;
    pthread_mutex_unlock(&x->server->lock);
}

bool httpd_gone(struct httpd_exchange *x)
{
    bool gone;

    pthread_mutex_lock(&x->server->lock);
    gone = x->gone;
    pthread_mutex_unlock(&x->server->lock);
    return gone;
}

void httpd_stream_begin(struct httpd_exchange *x, int status, const struct httpd_header *headers, size_t n)
{
    pthread_mutex_lock(&x->server->lock);
    x->held = true;
    if (!x->begun)
        begin(x, status, headers, n);
    mark_dirty(x);
    pthread_mutex_unlock(&x->server->lock);
}

void httpd_stream_write(struct httpd_exchange *x, const void *data, size_t len)
{
    pthread_mutex_lock(&x->server->lock);
    if (!x->gone && !x->aborted) {
        if (pipe_len(&x->out) + len > x->server->max_queue)
            x->aborted = true;
        else
            pipe_add(&x->out, data, len);
        mark_dirty(x);
    }
    pthread_mutex_unlock(&x->server->lock);
}

void httpd_stream_end(struct httpd_exchange *x)
{
    pthread_mutex_lock(&x->server->lock);
    if (!x->begun)
        begin(x, 500, NULL, 0);
    x->ended = true;
    mark_dirty(x);
    unlock_and_unref(x);
}

void httpd_abort(struct httpd_exchange *x)
{
    pthread_mutex_lock(&x->server->lock);
    x->aborted = true;
    mark_dirty(x);
    unlock_and_unref(x);
}

void exchange_dispatch(struct httpd_exchange *x)
{
    struct request *r = &x->request;
    const char *text = buf_str(&r->text);
    const struct httpd_request view = {
        .method = text,
        .path = text + r->path,
        .query = text + r->query,
        .body = buf_str(&r->body),
        .body_len = r->body.len,
    };
    bool forgotten;

    x->received = true;
    x->is_head = str_eq(text, "HEAD");
    pthread_mutex_lock(&x->server->lock);
    x->refs++;
    pthread_mutex_unlock(&x->server->lock);
    x->server->handler(x->server->ctx, x, &view);

    pthread_mutex_lock(&x->server->lock);
    forgotten = !x->held && !x->begun && !x->aborted;
    pthread_mutex_unlock(&x->server->lock);
    if (forgotten)
        httpd_reply_text(x, 500, "text/plain", "the handler gave no answer\n");
    request_done(r); /* a stream may stay open for hours and needs none of it */
}

void exchange_refuse(struct httpd_exchange *x, int status)
{
    const char *reason = status_reason(status);

    pthread_mutex_lock(&x->server->lock);
    answer(x, status, &(const struct httpd_header){"content-type", "text/plain"}, 1, reason, strlen(reason));
    pthread_mutex_unlock(&x->server->lock);
}

const char *httpd_request_header(struct httpd_exchange *x, const char *name)
{
    return request_header(&x->request, name);
}
