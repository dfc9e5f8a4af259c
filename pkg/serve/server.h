/* An HTTP server on one libwebsockets service thread, for probes, metrics and the status page, and for the fakes of the
 * tests.
 *
 * The handler runs on the service thread and must not block; a request whose answer takes time is answered later, from
 * any thread, through its struct serve_exchange. HTTP/1.1 always; HTTP/2 when TLS is on (ALPN). Every request has caps:
 * body (max_body, answered with 413), headers (64 KiB with the request line, answered with 431 or a closed connection),
 * connections (those beyond are closed at once), time (60 s for a request to arrive, 300 s idle; an answer may take for
 * ever, and a peer that stops reading is dropped after 60 s). Requests of any method are passed on, bodies of any. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serve_server;
struct serve_exchange;

/* A request, complete with its body. Borrowed for the time of the handler's call; copy what is needed later. */
struct serve_request {
    const char *method;
    const char
        *path; /* byte for byte as sent, nothing decoded or normalised, without the query; begins with '/' or is "*" */
    const char *query; /* byte for byte as sent, without '?', or "" */
    const char *body;  /* NUL-terminated, never NULL */
    size_t body_len;
};

/* Called once per request. It either answers at once (serve_reply) or keeps the exchange (serve_hold) for later. */
typedef void (*serve_handler)(void *ctx, struct serve_exchange *exchange, const struct serve_request *request);

struct serve_options {
    const char *address;       /* numeric address to bind, "127.0.0.1" by default */
    int port;                  /* 0: any free port, see serve_port */
    const char *tls_cert_file; /* both or none: PEM files */
    const char *tls_key_file;
    /* optional: client certificates are asked for and verified against it, not required */
    const char *tls_client_ca_file;
    size_t max_body;     /* 0: 1 MiB */
    int max_connections; /* 0: 1024 */
    serve_handler handler;
    void *ctx;
};

/* Starts the thread and listens, or says why not (address in use, bad certificate). */
int serve_start(struct serve_server **ret, const struct serve_options *options, struct err *err);
int serve_port(const struct serve_server *server);
/* Stops the thread, closes everything at once, open streams too. Not from the handler. Exchanges that are still held
 * stay valid; answering them does nothing. Accepts and returns NULL. */
struct serve_server *serve_stop(struct serve_server *server);
DEFINE_CLEANUP(struct serve_server *, serve_stop)

/* Request header by lower-case name, any there is; the first one when it came more than once; NULL when absent.
 * HTTP/2's :authority is "host". Borrowed, handler's call only. */
const char *serve_request_header(struct serve_exchange *exchange, const char *name);
/* Decoded value of a query parameter into ret (empty when given without value); false when absent or too long. */
bool serve_query(const struct serve_request *request, const char *name, char *ret, size_t size);

struct serve_header {
    const char *name;
    const char *value;
};

/* The whole answer. headers: n of them, besides content-length; those with control characters are left out. A date is
 * added when there is none. The exchange is over and must not be used again. Everything is copied. From the handler or,
 * for a held exchange, from any thread. */
void serve_reply(struct serve_exchange *exchange, int status, const struct serve_header *headers, size_t n,
    const void *body, size_t len);
/* Shorthand with one content type. */
void serve_reply_text(struct serve_exchange *exchange, int status, const char *content_type, const char *body);

/* The reason phrase of the answer on HTTP/1.1, where the usual one will not do (Azure says "200 Ok"). Before
 * serve_reply or serve_stream_begin. */
void serve_status_text(struct serve_exchange *exchange, const char *text);

/* Keeps the exchange beyond the handler's call. It stays valid until serve_reply, serve_stream_end or serve_abort is
 * called on it, even if the peer goes away meanwhile (then answers are dropped). */
void serve_hold(struct serve_exchange *exchange);
/* The peer has closed the connection of this held exchange. */
bool serve_gone(struct serve_exchange *exchange);

/* A streamed answer (chunked on HTTP/1.1): begin, any number of writes, end. Each from any thread; serve_stream_begin
 * implies serve_hold. Writes are queued up to 16 MiB; beyond that the connection is closed. */
void serve_stream_begin(struct serve_exchange *exchange, int status, const struct serve_header *headers, size_t n);
void serve_stream_write(struct serve_exchange *exchange, const void *data, size_t len);
void serve_stream_end(struct serve_exchange *exchange);
/* Closes the connection without (further) answer: for fakes that cut connections. */
void serve_abort(struct serve_exchange *exchange);
