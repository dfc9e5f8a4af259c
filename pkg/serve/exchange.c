/* One request and its answer, as libwebsockets reports and sends them.
 *
 * The head of the answer goes out when the handler gives it, the body in pieces as the connection takes them. What
 * libwebsockets 4.1 gets wrong is refused before the handler sees it: bodies without a length, which it does not
 * decode, and lengths that are no numbers. While bytes wait behind a body it reports the end of that body again and
 * again, for ever and without polling; the second such report therefore ends the connection. */
#include "base/mem.h"
#include "base/str.h"
#include "serve/internal.h"

#include <string.h>

#define CHUNK 65536
#define DISCARD_MAX ((size_t)16 << 20)
#define LINGER_S 2

/* By libwebsockets' LWSHUMETH_ numbers. */
static const char *const methods[] = {
    [LWSHUMETH_GET] = "GET",
    [LWSHUMETH_POST] = "POST",
    [LWSHUMETH_OPTIONS] = "OPTIONS",
    [LWSHUMETH_PUT] = "PUT",
    [LWSHUMETH_PATCH] = "PATCH",
    [LWSHUMETH_DELETE] = "DELETE",
    [LWSHUMETH_HEAD] = "HEAD",
};

static void empty(struct serve_exchange *x)
{
    deferred_forget(x);
    buf_done(&x->body);
    free(x->header);
    free(x->answer);
    *x = (struct serve_exchange){0};
}

/* -- the request */

/* The n-th fragment of a header, or NULL: the caller's to free. */
static char *fragment(struct lws *wsi, enum lws_token_indexes token, int n)
{
    char text[REQUEST_HEAD_MAX];
    int len = lws_hdr_copy_fragment(wsi, text, sizeof(text), token, n);

    return len < 0 ? NULL : xstrndup(text, (size_t)len);
}

static char *unknown_header(struct lws *wsi, const char *name_colon)
{
    int name_len = (int)strlen(name_colon), len = lws_hdr_custom_length(wsi, name_colon, name_len);
    char *ret;

    if (len < 0)
        return NULL;
    ret = xmalloc((size_t)len + 1);
    len = lws_hdr_custom_copy(wsi, ret, len + 1, name_colon, name_len);
    ret[len < 0 ? 0 : len] = '\0';
    return ret;
}

static void trim_end(char *s)
{
    size_t len = s ? strlen(s) : 0;

    while (len && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        s[--len] = '\0';
}

const char *serve_request_header(struct serve_exchange *exchange, const char *name)
{
    _cleanup_(freep) char *name_colon = xasprintf("%s:", name);
    int token = 0;

    while (token < WSI_TOKEN_COUNT &&
           !str_eq((const char *)lws_token_to_string((enum lws_token_indexes)token), name_colon))
        token++;
    free(exchange->header);
    exchange->header = token < WSI_TOKEN_COUNT ? fragment(exchange->wsi, (enum lws_token_indexes)token, 0)
                                               : unknown_header(exchange->wsi, name_colon);
    trim_end(exchange->header);
    return exchange->header;
}

bool serve_query(struct serve_exchange *exchange, const char *name, char *ret, size_t size)
{
    size_t name_len = strlen(name);

    for (int i = 0;; i++) {
        _cleanup_(freep) char *argument = fragment(exchange->wsi, WSI_TOKEN_HTTP_URI_ARGS, i);

        if (!argument)
            return false;
        if (strncmp(argument, name, name_len) == 0 && (argument[name_len] == '=' || !argument[name_len]))
            return str_copy(ret, size, argument + name_len + (argument[name_len] == '='));
    }
}

static void join_query(struct lws *wsi, struct buf *ret)
{
    for (int i = 0;; i++) {
        _cleanup_(freep) char *argument = fragment(wsi, WSI_TOKEN_HTTP_URI_ARGS, i);

        if (!argument)
            return;
        if (i)
            buf_putc(ret, '&');
        buf_puts(ret, argument);
    }
}

/* The handler's turn. */
static void dispatch(struct serve_exchange *x)
{
    _cleanup_(buf_done) struct buf query = BUF_INIT(REQUEST_HEAD_MAX);
    char *path;
    int path_len, method = lws_http_get_uri_and_method(x->wsi, &path, &path_len);
    struct serve_request request = {.body = buf_str(&x->body), .body_len = x->body.len};

    if (method < 0 || method >= (int)ARRAY_LEN(methods) || !methods[method]) {
        serve_reply_text(x, 501, "text/plain", "unknown method\n");
        return;
    }
    request.method = methods[method];
    request.path = path;
    join_query(x->wsi, &query);
    request.query = buf_str(&query);
    x->is_head = method == LWSHUMETH_HEAD;
    x->server->handler(x->server->ctx, x, &request);
    if (x->ticket)
        lws_set_timeout(x->wsi, PENDING_TIMEOUT_HTTP_CONTENT, x->server->idle_timeout_s);
    else if (!x->answered)
        serve_reply_text(x, 500, "text/plain", "no answer\n");
}

static void refuse(struct serve_exchange *x, int status, const char *why)
{
    x->close = true; /* the body may be on its way and would be taken for the next request */
    serve_reply_text(x, status, "text/plain", why);
}

/* Its peer is still sending and would lose the answer to a connection closed with bytes unread. */
static void refuse_body(struct serve_exchange *x)
{
    x->discard = DISCARD_MAX;
    refuse(x, 413, "the body is too large\n");
}

static int take_body(struct serve_exchange *x, const void *data, size_t len)
{
    if (!x->answered) {
        buf_add(&x->body, data, len);
        return 0;
    }
    if (x->discard && len >= x->discard)
        return -1;
    x->discard -= x->discard ? len : 0;
    return 0;
}

static int end_body(struct serve_exchange *x)
{
    if (++x->ends > 1 || x->lingers)
        return -1;
    x->discard = 0;
    if (!x->answered)
        dispatch(x);
    return 0;
}

/* To libwebsockets, even without a content-length. */
static bool wants_body(struct lws *wsi)
{
    return lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) || lws_hdr_total_length(wsi, WSI_TOKEN_PUT_URI) ||
           lws_hdr_total_length(wsi, WSI_TOKEN_PATCH_URI);
}

static void begin(struct serve_exchange *x, struct lws *wsi)
{
    char length[32] = "";
    bool has_length = lws_hdr_copy(wsi, length, sizeof(length), WSI_TOKEN_HTTP_CONTENT_LENGTH) != 0;
    int64_t n = 0;

    empty(x);
    x->wsi = wsi;
    x->server = lws_context_user(lws_get_context(wsi));
    x->body = BUF_INIT(x->server->max_body);
    x->is_head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    x->close = !has_length && wants_body(wsi); /* all that follows is a body to libwebsockets */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING))
        refuse(x, 411, "a body needs a content-length\n");
    else if (has_length && !str_to_i64(length, 0, INT64_MAX, &n))
        refuse(x, 400, "content-length is not a number\n");
    else if ((uint64_t)n > x->server->max_body)
        refuse_body(x);
    else if (n == 0)
        dispatch(x); /* the end of an empty body is reported for some methods only */
}

/* -- the answer */

/* As soon as the peer takes more, and not for ever: libwebsockets has no time limit of its own here. */
static void go_on(struct serve_exchange *x)
{
    lws_set_timeout(x->wsi, PENDING_TIMEOUT_HTTP_CONTENT, x->server->idle_timeout_s);
    (void)lws_callback_on_writable(x->wsi);
}

static bool printable(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    }
    return true;
}

static bool add_header(
    struct serve_exchange *x, const char *name, const char *value, unsigned char **p, unsigned char *end)
{
    _cleanup_(freep) char *name_colon = xasprintf("%s:", name);

    return !printable(name) || !printable(value) ||
           lws_add_http_header_by_name(x->wsi, (const unsigned char *)name_colon, (const unsigned char *)value,
               (int)strlen(value), p, end) == 0;
}

static bool send_head(
    struct serve_exchange *x, int status, const struct serve_header *headers, size_t n, size_t body_len)
{
    unsigned char head[LWS_PRE + ANSWER_HEAD_MAX], *p = head + LWS_PRE, *end = head + sizeof(head);
    bool good = lws_add_http_header_status(x->wsi, (unsigned)status | LWSAHH_FLAG_NO_SERVER_NAME, &p, end) == 0;

    for (size_t i = 0; i < n; i++)
        good = good && add_header(x, headers[i].name, headers[i].value, &p, end);
    if (x->close)
        good = good && add_header(x, "connection", "close", &p, end);
    return good && lws_add_http_header_content_length(x->wsi, body_len, &p, end) == 0 &&
           lws_finalize_write_http_header(x->wsi, head + LWS_PRE, &p, end) == 0;
}

void serve_reply(struct serve_exchange *exchange, int status, const struct serve_header *headers, size_t n,
    const void *body, size_t len)
{
    struct serve_exchange *x = exchange;

    if (x->answered)
        return;
    deferred_forget(x);
    if (len > ANSWER_MAX) {
        serve_reply_text(x, 500, "text/plain", "the answer is too large\n");
        return;
    }
    x->answered = true;
    x->failed = !send_head(x, status, headers, n, len);
    if (len && !x->is_head) {
        x->answer = xmalloc(LWS_PRE + len);
        memcpy(x->answer + LWS_PRE, body, len);
        x->answer_len = len;
    }
    go_on(x);
}

void serve_reply_text(struct serve_exchange *exchange, int status, const char *content_type, const char *body)
{
    serve_reply(exchange, status, &(struct serve_header){"content-type", content_type}, 1, body, strlen(body));
}

static int send_more(struct serve_exchange *x)
{
    size_t left = x->answer_len - x->sent, n = left < CHUNK ? left : CHUNK;

    if (x->failed)
        return -1;
    if (n) {
        /* It may write to the LWS_PRE bytes before the piece, which have been sent. */
        if (lws_write(x->wsi, x->answer + LWS_PRE + x->sent, n, n < left ? LWS_WRITE_HTTP : LWS_WRITE_HTTP_FINAL) < 0)
            return -1;
        x->sent += n;
    }
    if (n < left) {
        go_on(x);
        return 0;
    }
    if (x->discard) {
        x->lingers = true;
        lws_set_timeout(x->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LINGER_S);
        return 0;
    }
    return x->close || lws_http_transaction_completed(x->wsi) ? -1 : 0;
}

int exchange_event(struct serve_exchange *x, struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        begin(x, wsi);
        return 0;
    case LWS_CALLBACK_HTTP_BODY:
        return take_body(x, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return end_body(x);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return x->answered ? send_more(x) : 0;
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (x)
            empty(x);
        return 0;
    default:
        return 0;
    }
}
