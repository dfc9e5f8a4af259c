/* A server with a few routes, and clients: curl for whole requests, a plain socket for what curl would never send.
 *
 *     /echo    what was received      /held    kept for rig_held()    /big    5 MB of a pattern
 *     /abort   connection closed      /none    no answer given        /head   many and large headers */
#pragma once

#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIG_SIZE ((size_t)5 << 20)
#define HELD_MAX 64
#define PATIENCE_S 20 /* how long a test waits before it fails; nothing that succeeds waits for it */

struct rig {
    struct httpd_server *server;
    const char *tls_cert; /* or NULL */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct httpd_exchange *held[HELD_MAX];
    size_t n_held;
};

static inline char big_byte(size_t i)
{
    return (char)('a' + i * 7 % 26 + i / 65536 % 3);
}

static inline void rig_echo(struct httpd_exchange *x, const struct httpd_request *r)
{
    const struct httpd_header headers[] = {{"X-Server", "rig"}, {"X-Split", "a\r\nX-Evil: 1"}};
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    const char *odd = httpd_request_header(x, "x-odd_name"), *host = httpd_request_header(x, "host");
    const char *auth = httpd_request_header(x, "authorization"), *absent = httpd_request_header(x, "x-absent");

    buf_printf(&b, "%s %s ?%s body=%zu odd=%s host=%d auth=%s%s", r->method, r->path, r->query, r->body_len,
        odd ? odd : "-", host != NULL, auth ? auth : "-", absent ? " absent!" : "");
    if (r->body_len < 64)
        buf_printf(&b, " [%s]", r->body);
    httpd_status_text(x, "Fine Indeed");
    httpd_reply(x, 200, headers, ARRAY_LEN(headers), b.data, b.len);
}

static inline void rig_big(struct httpd_exchange *x)
{
    char *data = xmalloc(BIG_SIZE);

    for (size_t i = 0; i < BIG_SIZE; i++)
        data[i] = big_byte(i);
    httpd_reply(x, 200, NULL, 0, data, BIG_SIZE);
    free(data);
}

static inline void rig_head(struct httpd_exchange *x)
{
    char *value = xmalloc(40001);

    memset(value, 'v', 40000);
    value[40000] = '\0';
    httpd_reply(x, 200, &(struct httpd_header){"x-long", value}, 1, "ok", 2);
    free(value);
}

static inline void rig_handle(void *ctx, struct httpd_exchange *x, const struct httpd_request *r)
{
    struct rig *rig = ctx;

    if (str_eq(r->path, "/big")) {
        rig_big(x);
    } else if (str_eq(r->path, "/head")) {
        rig_head(x);
    } else if (str_eq(r->path, "/abort")) {
        httpd_abort(x);
    } else if (str_eq(r->path, "/held")) {
        httpd_hold(x);
        pthread_mutex_lock(&rig->lock);
        assert_true(rig->n_held < HELD_MAX);
        rig->held[rig->n_held++] = x;
        pthread_cond_broadcast(&rig->arrived);
        pthread_mutex_unlock(&rig->lock);
    } else if (!str_eq(r->path, "/none")) {
        rig_echo(x, r);
    }
}

/* The i-th exchange that was held since the start; waits for it. */
static inline struct httpd_exchange *rig_held(struct rig *rig, size_t i)
{
    struct timespec until;
    struct httpd_exchange *x;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&rig->lock);
    while (rig->n_held <= i)
        assert_int_equal(pthread_cond_timedwait(&rig->arrived, &rig->lock, &until), 0);
    x = rig->held[i];
    pthread_mutex_unlock(&rig->lock);
    return x;
}

static inline void rig_start(struct rig *rig, struct httpd_options options)
{
    struct err err = ERR_INIT;

    *rig = (struct rig){.tls_cert = options.tls_cert_file};
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->arrived, NULL);
    options.handler = rig_handle;
    options.ctx = rig;
    if (httpd_start(&rig->server, &options, &err) < 0)
        fail_msg("%s", err.msg);
}

static inline void rig_stop(struct rig *rig)
{
    rig->server = httpd_stop(rig->server);
    pthread_cond_destroy(&rig->arrived);
    pthread_mutex_destroy(&rig->lock);
}

static inline void wait_until_gone(struct httpd_exchange *x)
{
    for (int i = 0; !httpd_gone(x); i++) {
        assert_true(i < PATIENCE_S * 100);
        clock_sleep_ms(10);
    }
}

/* -- curl */

struct answer {
    CURLcode code;
    long status, version;
    struct buf body, head;
};

static inline void answer_done(struct answer *a)
{
    buf_done(&a->body);
    buf_done(&a->head);
}

static inline size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
    buf_add(ctx, data, size * n);
    return size * n;
}

/* A handle that does not yet know its method; path goes out as it is. */
static inline CURL *rig_curl(struct rig *rig, const char *path, struct answer *a)
{
    CURL *curl = curl_easy_init();
    _cleanup_(freep) char *url =
        xasprintf("%s://127.0.0.1:%d%s", rig->tls_cert ? "https" : "http", httpd_port(rig->server), path);

    *a = (struct answer){.body = BUF_INIT(64 << 20), .head = BUF_INIT(1 << 20)};
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a->head);
    if (rig->tls_cert)
        curl_easy_setopt(curl, CURLOPT_CAINFO, rig->tls_cert);
    return curl;
}

static inline void rig_finish(CURL *curl, struct answer *a)
{
    a->code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &a->version);
    curl_easy_cleanup(curl);
}

/* body may be NULL. */
static inline struct answer rig_request(
    struct rig *rig, const char *method, const char *path, const char *body, size_t len)
{
    struct answer a;
    CURL *curl = rig_curl(rig, path, &a);

    if (str_eq(method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    rig_finish(curl, &a);
    return a;
}

/* -- sockets */

static inline int rig_connect(struct rig *rig)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)httpd_port(rig->server))};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline void raw_send(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server may have refused already; the answer tells */
        data += n;
        len -= (size_t)n;
    }
}

/* Reads until the server closes, or until what was read contains until. */
static inline void raw_read(int fd, struct buf *b, const char *until)
{
    char chunk[4096];
    ssize_t n;

    while (!until || !strstr(buf_str(b), until)) {
        n = recv(fd, chunk, sizeof(chunk), 0);
        if (n <= 0)
            break;
        buf_add(b, chunk, (size_t)n);
    }
}

/* Sends one text and reads all until the server closes. */
static inline struct buf raw_exchange(struct rig *rig, const char *text, size_t len)
{
    struct buf b = BUF_INIT(16 << 20);
    int fd = rig_connect(rig);

    raw_send(fd, text, len);
    raw_read(fd, &b, NULL);
    close(fd);
    return b;
}
