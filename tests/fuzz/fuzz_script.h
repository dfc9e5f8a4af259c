/* A peer that plays the input: its answers one after the other, each a status, header lines, an empty line and a body,
 * up to a line "--". Headers go through the receiver of pkg/http, so that what they become is what it makes of them.
 *
 *     200
 *     retry-after: 7
 *
 *     {"value":[]}
 *     --
 *
 * A status of 0 is a request that may have been sent and was never answered; after the last answer the peer is away,
 * and said so to `ended`. Whatever is asked must go to the origin that was expected: the one promise of every client.
 */
#pragma once

#include "fuzz.h"

#include "base/str.h"
#include "http/transfer.h"

#define FUZZ_MAX_ANSWERS 64

struct fuzz_script {
    struct http_client client; /* first: perform() finds the rest through it */
    struct fuzz_lines left;
    const char *origin;                                           /* every URL is there, under its path */
    void (*asked)(void *ctx, const struct http_request *request); /* may be NULL */
    void (*ended)(void *ctx);                                     /* may be NULL */
    void *ctx;
    int answers, changes; /* so far; and of them to anything but a GET */
};

/* The rest of the answer: up to a line "--", handed over in two pieces. */
static inline int fuzz_script_body(
    struct fuzz_script *script, const struct http_request *request, struct transfer *t, struct err *err)
{
    struct fuzz_lines *left = &script->left;
    const char *end = left->left ? memmem(left->at, left->left, "\n--\n", 4) : NULL;
    size_t len = end ? (size_t)(end - left->at) : left->left;

    for (size_t from = 0, n; from < len; from += n) {
        n = from ? len - from : (len + 1) / 2;
        _cleanup_(freep) char *piece = xmalloc(n);
        memcpy(piece, left->at + from, n);
        if (request->on_data && t->response->status == 200) {
            if (request->on_data(request->data, piece, n, err) != 0)
                return -1;
        } else if (transfer_on_body(piece, 1, n, t) != n) {
            return err_set(err, ERR_TOO_LARGE, "the body is over its cap");
        }
    }
    len += end ? 4 : 0;
    left->at += len;
    left->left -= len;
    return 0;
}

/* False when the headers are over their cap. */
static inline bool fuzz_script_headers(struct fuzz_script *script, struct transfer *t)
{
    struct fuzz_lines *left = &script->left;

    while (!t->headers_done && left->left) {
        const char *end = memchr(left->at, '\n', left->left);
        size_t len = end ? (size_t)(end - left->at) : left->left;
        _cleanup_(freep) char *line = xmalloc(len + 1);
        memcpy(line, left->at, len);
        left->at += end ? len + 1 : len;
        left->left -= end ? len + 1 : len;
        if (transfer_on_header(line, 1, len, t) != len)
            return false;
        if (!t->in_block)
            break;
    }
    return true;
}

static inline int fuzz_script_away(struct fuzz_script *script, struct err *err)
{
    if (script->ended)
        script->ended(script->ctx);
    return err_set(err, ERR_UNAVAILABLE, "the peer is away");
}

static inline void fuzz_script_check_url(const struct fuzz_script *script, const char *text)
{
    struct http_url url, origin;
    struct err err = ERR_INIT;

    FUZZ_CHECK(http_url_parse(script->origin, &origin, &err) == 0 && http_url_parse(text, &url, &err) == 0);
    FUZZ_CHECK(http_url_same_origin(&url, &origin) && str_has_prefix(url.path, origin.path));
}

static inline int fuzz_script_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct fuzz_script *script = (struct fuzz_script *)self;
    struct transfer t = {.request = request, .response = response};
    char status_line[] = "HTTP/1.1 000";
    int64_t status = 0;

    fuzz_script_check_url(script, request->url);
    FUZZ_CHECK(!strpbrk(request->url, " \r\n") && !str_empty(request->method));
    script->changes += !str_eq(request->method, "GET");
    if (script->asked)
        script->asked(script->ctx, request);
    if (request->cancel && http_cancel_triggered(request->cancel))
        return err_set(err, ERR_CANCELLED, "told to stop");
    if (!script->left.left || script->answers++ >= FUZZ_MAX_ANSWERS)
        return fuzz_script_away(script, err);
    if (request->max_body)
        response->body.max = request->max_body;
    _cleanup_(freep) char *first = fuzz_line(&script->left);
    (void)str_to_i64(first, 0, 999, &status);
    (void)snprintf(status_line, sizeof(status_line), "HTTP/1.1 %03d", (int)status);
    (void)transfer_on_header(status_line, 1, strlen(status_line), &t);
    if (!fuzz_script_headers(script, &t))
        return err_set(err, ERR_TOO_LARGE, "the headers are over their cap");
    if (fuzz_script_body(script, request, &t, err) < 0)
        return -1;
    if (status >= 100)
        return 0;
    (void)err_set(err, ERR_UNAVAILABLE, "the connection was lost");
    if (err)
        err->maybe_sent = true;
    return -1;
}

static inline struct fuzz_script fuzz_script_from(const uint8_t *data, size_t size, const char *origin)
{
    return (struct fuzz_script){.client = {fuzz_script_perform}, .left = {(const char *)data, size}, .origin = origin};
}

/* What every failure has. */
static inline void fuzz_check_err(const struct err *err)
{
    FUZZ_CHECK(err->kind != ERR_NONE && *err->msg);
    FUZZ_CHECK(fuzz_is_one_line(err->msg) && fuzz_is_one_line(err->code));
    FUZZ_CHECK(err->retry_after_ms >= -1);
}
