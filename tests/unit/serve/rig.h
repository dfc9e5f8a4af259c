/* A server that tells what it received, and clients: curl for whole requests, a plain socket for what curl would never
 * send.
 *
 *     /big    5 MB of a pattern      /huge   more than an answer may have      /none   no answer given
 *     /twice  two answers given      anything else: what was received */
#pragma once

#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define BIG_SIZE ((size_t)5 << 20)
#define HUGE_SIZE (((size_t)16 << 20) + 1)
#define PATIENCE_S 20 /* how long a test waits before it fails; nothing that succeeds waits for it */

struct rig {
    struct serve_server *server;
    const char *tls_cert; /* or NULL */
};

static inline char big_byte(size_t i)
{
    return (char)('a' + i * 7 % 26 + i / 65536 % 3);
}

static inline void rig_echo(struct serve_exchange *x, const struct serve_request *r)
{
    const struct serve_header headers[] = {{"x-server", "rig"}, {"x-split", "a\r\nx-evil: 1"}};
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    char value[16] = "-";

    buf_printf(&b, "%s %s ?%s body=%zu", r->method, r->path, r->query, r->body_len);
    buf_printf(&b, " v=%s", serve_query(x, "v", value, sizeof(value)) ? value : "-");
    for (const char *const *n = (const char *const[]){"x-odd_name", "authorization", "accept", "x-absent", NULL}; *n;
         n++) {
        const char *header = serve_request_header(x, *n);

        buf_printf(&b, " %s=%s", *n, header ? header : "-");
    }
    if (r->body_len < 64)
        buf_printf(&b, " [%s]", r->body);
    serve_reply(x, 200, headers, ARRAY_LEN(headers), b.data, b.len);
}

static inline void rig_pattern(struct serve_exchange *x, size_t size)
{
    char *data = xmalloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = big_byte(i);
    serve_reply(x, 200, NULL, 0, data, size);
    free(data);
}

static inline void rig_handle(void *ctx, struct serve_exchange *x, const struct serve_request *r)
{
    (void)ctx;
    if (str_eq(r->path, "/big"))
        rig_pattern(x, BIG_SIZE);
    else if (str_eq(r->path, "/huge"))
        rig_pattern(x, HUGE_SIZE);
    else if (!str_eq(r->path, "/none"))
        rig_echo(x, r);
    if (str_eq(r->path, "/twice"))
        serve_reply_text(x, 500, "text/plain", "second");
}

static inline void rig_start(struct rig *rig, struct serve_options options)
{
    struct err err = ERR_INIT;

    *rig = (struct rig){.tls_cert = options.tls_cert_file};
    if (!options.handler)
        options.handler = rig_handle;
    if (serve_start(&rig->server, &options, &err) < 0)
        fail_msg("%s", err.msg);
}

static inline void rig_stop(struct rig *rig)
{
    rig->server = serve_stop(rig->server);
}

static inline void leaks_are_reported(bool yes)
{
    (void)yes;
#ifdef __SANITIZE_ADDRESS__
    if (yes)
        __lsan_enable();
    else
        __lsan_disable();
#endif
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
        xasprintf("%s://127.0.0.1:%d%s", rig->tls_cert ? "https" : "http", serve_port(rig->server), path);

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
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)serve_port(rig->server))};
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

/* Reads until what was read contains until (true), or until the server closes; fails when it does neither. */
static inline bool raw_read(int fd, struct buf *b, const char *until)
{
    char chunk[4096];
    ssize_t n;

    while (!until || !strstr(buf_str(b), until)) {
        n = recv(fd, chunk, sizeof(chunk), 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            fail_msg("still open after: %s", buf_str(b));
        if (n <= 0)
            return false;
        buf_add(b, chunk, (size_t)n);
    }
    return true;
}

/* Sends one text and reads all until the server closes. */
static inline struct buf raw_exchange(struct rig *rig, const char *text, size_t len)
{
    struct buf b = BUF_INIT(16 << 20);
    int fd = rig_connect(rig);

    raw_send(fd, text, len);
    (void)raw_read(fd, &b, NULL);
    close(fd);
    return b;
}

static inline void assert_big(const struct answer *a)
{
    assert_int_equal(a->code, CURLE_OK);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body.len, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++) {
        if (a->body.data[i] != big_byte(i))
            fail_msg("byte %zu", i);
    }
}
