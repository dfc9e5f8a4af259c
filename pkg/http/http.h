/* A blocking HTTP client over one engine thread.
 *
 * What can go wrong, as err kinds: ERR_UNAVAILABLE (no connection; maybe_sent says whether the request may have reached
 * the peer), ERR_TIMEOUT (same), ERR_TLS (peer not verified), ERR_TOO_LARGE (headers or body over the cap),
 * ERR_PROTOCOL (not HTTP), ERR_CANCELLED (http_cancel or engine shutdown), ERR_INVALID (the URL is not http or https, a
 * header holds a line break). An HTTP status of any number is not an error here: it is the answer.
 *
 * One thread owns the curl multi handle: connections are kept, HTTP/2 streams share them, no signal is used. Callers
 * block in http_do() on their own thread. TLS is always verified. Redirects are never followed. Nothing is ever sent
 * twice: a request with once = true uses a fresh connection, because libcurl silently repeats a request when a kept
 * connection turns out dead.
 *
 * Behaviour is added in layers that have the interface of the client below them (http/layer.h):
 * log over retry over throttle over auth over the engine. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Trust and identity of a connection. Immutable and reference counted; PEM text is copied. */
struct http_tls;
struct http_tls_options {
    const char *ca_pem;          /* trust only these; NULL: the system's bundle */
    const char *client_cert_pem; /* with client_key_pem, both or none */
    const char *client_key_pem;
    const char *server_name; /* name to verify instead of the URL's host, or NULL */
};
/* ERR_INVALID when the PEM holds no usable certificate or the key does not fit. */
int http_tls_new(struct http_tls **ret, const struct http_tls_options *options, struct err *err);
struct http_tls *http_tls_ref(struct http_tls *tls);
struct http_tls *http_tls_unref(struct http_tls *tls);
DEFINE_CLEANUP(struct http_tls *, http_tls_unref)

/* A flag that ends calls from another thread. Safe to trigger at any time, more than once; triggered stays triggered.
 */
struct http_cancel;
struct http_cancel *http_cancel_new(void);
void http_cancel_trigger(struct http_cancel *cancel);
bool http_cancel_triggered(const struct http_cancel *cancel);
/* Waits so long; true at once when it is triggered before that. With NULL it just waits. */
bool http_cancel_wait(struct http_cancel *cancel, int64_t ms);
/* No call may be using it any more. Accepts and returns NULL. */
struct http_cancel *http_cancel_free(struct http_cancel *cancel);

struct http_header {
    const char *name;
    const char *value;
};

#define HTTP_MAX_REQUEST_HEADERS 16

/* Everything is borrowed for the time of the call. Zero means the default in parentheses. */
struct http_request {
    const char *method; /* "GET" */
    const char *url;    /* absolute, http or https; sent byte for byte */
    /* Up to the first NULL name. Host, Content-Length, Transfer-Encoding, Connection and Expect are refused: they are
     * ours. */
    struct http_header headers[HTTP_MAX_REQUEST_HEADERS];
    const char *body; /* NULL: none */
    size_t body_len;
    /* Asked on the engine's thread when the connection stands and nothing of the request has been written: the last
     * moment at which it can be taken back. false ends the call with ERR_CANCELLED, and maybe_sent is false. It must
     * not block. NULL: go ahead. */
    bool (*permit)(void *permit_ctx);
    void *permit_ctx;
    bool once; /* use a fresh connection, so that the library cannot send it twice; for anything not idempotent */
    int64_t connect_timeout_ms; /* (10 s) */
    int64_t timeout_ms;         /* whole call (60 s); -1: none, for watches */
    int64_t idle_timeout_ms;    /* no byte for so long ends the call with ERR_TIMEOUT (none) */
    size_t max_body;            /* (4 MiB) of the body kept in memory; for streams: of the bytes waiting for on_data */
    struct http_tls *tls;       /* NULL: system trust, no client certificate */
    const char *proxy;          /* URL of a proxy; NULL: none. The environment's proxies are not looked at here */
    struct http_cancel *cancel; /* may be NULL */
    /* Streaming: called on the caller's own thread, as bytes arrive, for answers with status 200 only (other bodies go
     * to response->body). A return other than 0 ends the call, which then returns -1 with the *err that on_data left.
     */
    int (*on_data)(void *data, const char *bytes, size_t len, struct err *err);
    void *data;
    const char
        *caller; /* on whose behalf, for layers that pace: requests of one caller are one piece of work; or NULL */
    const char *label; /* what this is, for logs and metrics: "arm account get"; never the URL */
};

struct http_response {
    int status;
    struct buf headers; /* lines "name: value\n", names in lower case; read with http_response_header */
    struct buf body;
};

/* Prepares for use; http_do() initialises it as well. */
void http_response_init(struct http_response *response);
void http_response_done(struct http_response *response);
/* Copies the first header of that name (any case) into the buffer; false when absent or longer than size. */
bool http_response_header(const struct http_response *response, const char *name, char *ret, size_t size);
/* Borrowed string of the first header of that name up to its line end; *ret_len is its length. NULL when absent. */
const char *http_response_header_ref(const struct http_response *response, const char *name, size_t *ret_len);
/* Retry-After in milliseconds from seconds or an HTTP date (which needs the wall time); -1 when absent or not
 * understood; never negative otherwise, capped at one hour. */
int64_t http_response_retry_after_ms(const struct http_response *response, int64_t wall_ms);

/* The one interface of the engine and of every layer. */
struct http_client {
    int (*perform)(
        struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err);
};

/* Blocks until the answer is complete. The response is the caller's (http_response_done) whether or not it succeeds. */
int http_do(
    struct http_client *client, const struct http_request *request, struct http_response *response, struct err *err);

struct http_engine;
struct http_engine_options {
    const char *user_agent;        /* required, for example "cosmoscmk/0.1.0 (linux/amd64)" */
    long max_connections_per_host; /* 0: 8 */
};
int http_engine_new(struct http_engine **ret, const struct http_engine_options *options, struct err *err);
/* Borrowed; any number of threads may use it. */
struct http_client *http_engine_client(struct http_engine *engine);
/* Ends every call in flight with ERR_CANCELLED within 100 ms, and refuses new ones. Threads may still be inside
 * http_do. */
void http_engine_shutdown(struct http_engine *engine);
/* Shutdown, join, free. No thread may be inside http_do any more. Accepts and returns NULL. */
struct http_engine *http_engine_free(struct http_engine *engine);
DEFINE_CLEANUP(struct http_engine *, http_engine_free)
/* Milliseconds (monotonic) at which the engine's loop last turned: for a watchdog. */
int64_t http_engine_heartbeat_ms(const struct http_engine *engine);
