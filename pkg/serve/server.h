/* A small HTTP/1.1 server on libwebsockets' own HTTP, for probes, metrics and a status page.
 *
 * One thread serves everything and runs the handler, which answers at once or puts the answer off (serve_defer), and
 * must not block. Everything a peer sends
 * has a cap: the head of a request (16 KiB; connection closed), its body (max_body; 413), connections (max_connections;
 * more are closed at once), silence (idle_timeout_s, also while an answer is sent; connection closed). Only GET, HEAD,
 * OPTIONS, POST, PUT, PATCH and DELETE come through. Chunked bodies are refused (411), and nothing may be sent behind a
 * body before its answer has come (connection closed). There is no HTTP/2, no websocket and no upgrade. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serve_server;
struct serve_exchange;

/* A request, complete with its body. Borrowed for the time of the handler's call. */
struct serve_request {
    const char *method;
    /* As libwebsockets understands it: percent-decoded, "//", "/./" and "/../" resolved, without the query. */
    const char *path;
    /* The parameters as libwebsockets decodes them, joined with '&', or "". To read one, use serve_query(): a decoded
     * value may have an '&' of its own. */
    const char *query;
    const char *body; /* NUL-terminated, never NULL */
    size_t body_len;
};

/* Called once per request, on the server's thread. It answers with one serve_reply(); without one the peer gets 500. */
typedef void (*serve_handler)(void *ctx, struct serve_exchange *exchange, const struct serve_request *request);

struct serve_options {
    const char *address;       /* numeric, IPv4 or IPv6, "127.0.0.1" by default; "::" takes IPv4 too */
    int port;                  /* 0: any free port, see serve_port */
    const char *tls_cert_file; /* both or none: PEM files, the certificate with its chain; TLS 1.2 and 1.3 */
    const char *tls_key_file;
    bool tls_self_signed; /* without files: a certificate made here, for "localhost" and the host's name */
    int64_t tls_check_ms; /* files are looked at again so long after the last look, at the next handshake; 0: 2000 */
    /* On the server's thread: NULL when another certificate is in use from now on; else why the files, as they are now,
     * cannot be used (once for each state of theirs): the old certificate stays. May be NULL itself. */
    void (*tls_changed)(void *ctx, const struct err *err);
    size_t max_body;     /* 0: 1 MiB */
    int max_connections; /* 0: 256 */
    int max_deferred;    /* 0: 32 */
    int idle_timeout_s;  /* 0: 60 */
    serve_handler handler;
    void *ctx;
};

/* Starts the thread and listens, or says why not (address in use, bad certificate). No signal handler is changed and
 * the thread takes no signals. */
int serve_start(struct serve_server **ret, const struct serve_options *options, struct err *err);
int serve_port(const struct serve_server *server);
/* Closes everything at once and ends the thread. Not from the handler. Accepts and returns NULL. */
struct serve_server *serve_stop(struct serve_server *server);
DEFINE_CLEANUP(struct serve_server *, serve_stop)

/* Request header by lower-case name, the first one when it came more than once; NULL when absent. libwebsockets 4.1
 * loses some headers it does not know when their names begin like one it knows: "x-forwarded-proto" like
 * "x-forwarded-for". Borrowed until the next call with this exchange. */
const char *serve_request_header(struct serve_exchange *exchange, const char *name);
/* Decoded value of a query parameter into ret (empty when given without value); false when absent or too long. */
bool serve_query(struct serve_exchange *exchange, const char *name, char *ret, size_t size);

struct serve_header {
    const char *name; /* lower case */
    const char *value;
};

/* The whole answer. headers: n of them, besides content-length, 8 KiB in all; those with control characters are left
 * out. The body may have 16 MiB; it is copied, and not sent when the method is HEAD. */
void serve_reply(struct serve_exchange *exchange, int status, const struct serve_header *headers, size_t n,
    const void *body, size_t len);
/* Shorthand with one content type. */
void serve_reply_text(struct serve_exchange *exchange, int status, const char *content_type, const char *body);

/* An answer that is put off. Plain data, which any thread may have a copy of. */
struct serve_ticket {
    struct serve_server *server;
    uint64_t number;
};

/* From the handler, instead of an answer: it will come from another thread. False when max_deferred exchanges wait
 * already: then answer at once. The request, its headers too, is gone when the handler returns. A peer that waits for
 * longer than idle_timeout_s is closed. */
bool serve_defer(struct serve_exchange *exchange, struct serve_ticket *ret);
/* serve_reply() of any thread, once for each ticket; all is copied. Nothing happens when the peer has gone. Not after
 * serve_stop() has returned. */
void serve_reply_later(const struct serve_ticket *ticket, int status, const struct serve_header *headers, size_t n,
    const void *body, size_t len);
