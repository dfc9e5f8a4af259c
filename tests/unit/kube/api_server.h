/* A scripted API server: the n-th request gets the n-th answer, and a journal says what was asked.
 *
 * When the script is at its end, requests hang until the server stops. Each line of the journal is "METHOD path?query",
 * with " type=..." for a body's content type, " auth=..." for credentials, and " body=...". The random timeoutSeconds
 * of watches is checked and written as "T". */
#pragma once

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum api_end {
    API_REPLY,  /* an ordinary answer */
    API_STREAM, /* chunked, then ended properly */
    API_HANG,   /* chunked, then silence until api_cut() */
    API_ABORT,  /* no answer: the connection is closed */
};

struct api_answer {
    int status;
    const char *body;
    enum api_end end;
    const char *retry_after; /* header, or NULL */
};

#define API_MAX_HELD 64

struct api_server {
    struct httpd_server *server;
    const struct api_answer *script;
    size_t n;
    pthread_mutex_t lock;
    size_t served;
    struct buf journal;
    struct httpd_exchange *held[API_MAX_HELD];
    size_t n_held;
};

static inline void api_note(struct api_server *api, struct httpd_exchange *exchange, const struct httpd_request *r)
{
    const char *type = httpd_request_header(exchange, "content-type");
    const char *auth = httpd_request_header(exchange, "authorization");
    char timeout[16], *query = xstrdup(r->query);
    int64_t seconds = 0;

    if (httpd_query(r, "timeoutSeconds", timeout, sizeof(timeout))) {
        char *at = strstr(query, "timeoutSeconds=") + strlen("timeoutSeconds=");
        size_t digits = strlen(timeout);
        if (str_to_i64(timeout, 300, 600, &seconds)) {
            *at = 'T';
            memmove(at + 1, at + digits, strlen(at + digits) + 1);
        }
    }
    buf_printf(&api->journal, "%s %s%s%s", r->method, r->path, *query ? "?" : "", query);
    if (type)
        buf_printf(&api->journal, " type=%s", type);
    if (auth)
        buf_printf(&api->journal, " auth=%s", auth);
    if (r->body_len)
        buf_printf(&api->journal, " body=%s", r->body);
    if (!str_eq(httpd_request_header(exchange, "accept"), "application/json"))
        buf_puts(&api->journal, " without-accept");
    buf_putc(&api->journal, '\n');
    free(query);
}

static inline void api_hold(struct api_server *api, struct httpd_exchange *exchange)
{
    if (api->n_held == API_MAX_HELD)
        abort();
    api->held[api->n_held++] = exchange;
}

static inline void api_handle(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    struct api_server *api = ctx;
    struct httpd_header headers[2] = {{"content-type", "application/json"}};

    (void)pthread_mutex_lock(&api->lock);
    api_note(api, exchange, request);
    const struct api_answer *a = api->served < api->n ? &api->script[api->served] : NULL;
    api->served++;
    if (a && a->retry_after)
        headers[1] = (struct httpd_header){"retry-after", a->retry_after};
    size_t n = a && a->retry_after ? 2 : 1;
    if (!a) {
        httpd_hold(exchange);
        api_hold(api, exchange);
    } else if (a->end == API_REPLY) {
        httpd_reply(exchange, a->status, headers, n, a->body, strlen(a->body));
    } else if (a->end == API_ABORT) {
        httpd_abort(exchange);
    } else {
        httpd_stream_begin(exchange, a->status, headers, n);
        httpd_stream_write(exchange, a->body, strlen(a->body));
        if (a->end == API_STREAM)
            httpd_stream_end(exchange);
        else
            api_hold(api, exchange);
    }
    (void)pthread_mutex_unlock(&api->lock);
}

/* options: of TLS only. */
static inline void api_start_with(
    struct api_server *api, const struct api_answer *script, size_t n, struct httpd_options options)
{
    options.address = "127.0.0.1";
    options.handler = api_handle;
    options.ctx = api;
    *api = (struct api_server){.script = script, .n = n, .journal = BUF_INIT(1 << 20)};
    (void)pthread_mutex_init(&api->lock, NULL);
    assert_int_equal(httpd_start(&api->server, &options, NULL), 0);
}

static inline void api_start(struct api_server *api, const struct api_answer *script, size_t n)
{
    api_start_with(api, script, n, (struct httpd_options){0});
}

/* Closes the connections of what hangs. */
static inline void api_cut(struct api_server *api)
{
    (void)pthread_mutex_lock(&api->lock);
    while (api->n_held > 0)
        httpd_abort(api->held[--api->n_held]);
    (void)pthread_mutex_unlock(&api->lock);
}

static inline void api_stop(struct api_server *api)
{
    api_cut(api);
    api->server = httpd_stop(api->server);
    buf_done(&api->journal);
    (void)pthread_mutex_destroy(&api->lock);
}

/* The caller frees it. */
static inline char *api_journal(struct api_server *api)
{
    (void)pthread_mutex_lock(&api->lock);
    char *text = xstrdup(buf_str(&api->journal));
    (void)pthread_mutex_unlock(&api->lock);
    return text;
}

static inline size_t api_served(struct api_server *api)
{
    (void)pthread_mutex_lock(&api->lock);
    size_t n = api->served;
    (void)pthread_mutex_unlock(&api->lock);
    return n;
}

/* Waits until so many requests have come; false after a minute. */
static inline bool api_wait(struct api_server *api, size_t requests)
{
    for (int i = 0; i < 6000; i++) {
        if (api_served(api) >= requests)
            return true;
        clock_sleep_ms(10);
    }
    return false;
}
