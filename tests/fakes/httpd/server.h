/* An HTTP server on one libwebsockets service thread, for probes, metrics and the status page, and for the fakes of the
 * tests.
 *
 * The handler runs on the service thread and must not block; a request whose answer takes time is answered later, from
 * any thread, through its struct httpd_exchange. HTTP/1.1 always; HTTP/2 when TLS is on (ALPN). Every request has caps:
 * body (max_body, answered with 413), headers (64 KiB with the request line, answered with 431 or a closed connection),
 * connections (those beyond are closed at once), time (60 s for a request to arrive, 300 s idle; an answer may take for
 * ever, and a peer that stops reading is dropped after 60 s). Requests of any method are passed on, bodies of any. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct httpd_server;
struct httpd_exchange;

/* A request, complete with its body. Borrowed for the time of the handler's call; copy what is needed later. */
struct httpd_request {
    const char *method;
    const char
        *path; /* byte for byte as sent, nothing decoded or normalised, without the query; begins with '/' or is "*" */
    const char *query; /* byte for byte as sent, without '?', or "" */
    const char *body;  /* NUL-terminated, never NULL */
    size_t body_len;
};

/* Called once per request. It either answers at once (httpd_reply) or keeps the exchange (httpd_hold) for later. */
typedef void (*httpd_handler)(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request);

struct httpd_options {
    const char *address;       /* numeric address to bind, "127.0.0.1" by default */
    int port;                  /* 0: any free port, see httpd_port */
    const char *tls_cert_file; /* both or none: PEM files */
    const char *tls_key_file;
    /* optional: client certificates are asked for and verified against it, not required */
    const char *tls_client_ca_file;
    size_t max_body;     /* 0: 1 MiB */
    size_t max_queue;    /* of a stream that the peer does not read; 0: 16 MiB */
    int max_connections; /* 0: 1024 */
    httpd_handler handler;
    void *ctx;
};

/* Starts the thread and listens, or says why not (address in use, bad certificate). */
int httpd_start(struct httpd_server **ret, const struct httpd_options *options, struct err *err);
int httpd_port(const struct httpd_server *server);
/* Stops the thread, closes everything at once, open streams too. Not from the handler. Exchanges that are still held
 * stay valid; answering them does nothing. Accepts and returns NULL. */
struct httpd_server *httpd_stop(struct httpd_server *server);
DEFINE_CLEANUP(struct httpd_server *, httpd_stop)

/* Request header by lower-case name, any there is; the first one when it came more than once; NULL when absent.
 * HTTP/2's :authority is "host". Borrowed, handler's call only. */
const char *httpd_request_header(struct httpd_exchange *exchange, const char *name);
/* Decoded value of a query parameter into ret (empty when given without value); false when absent or too long. */
bool httpd_query(const struct httpd_request *request, const char *name, char *ret, size_t size);

struct httpd_header {
    const char *name;
    const char *value;
};

/* The whole answer. headers: n of them, besides content-length; those with control characters are left out. A date is
 * added when there is none. The exchange is over and must not be used again. Everything is copied. From the handler or,
 * for a held exchange, from any thread. */
void httpd_reply(struct httpd_exchange *exchange, int status, const struct httpd_header *headers, size_t n,
    const void *body, size_t len);
/* Shorthand with one content type. */
void httpd_reply_text(struct httpd_exchange *exchange, int status, const char *content_type, const char *body);

/* The reason phrase of the answer on HTTP/1.1, where the usual one will not do (Azure says "200 Ok"). Before
 * httpd_reply or httpd_stream_begin. */
void httpd_status_text(struct httpd_exchange *exchange, const char *text);

/* Keeps the exchange beyond the handler's call. It stays valid until httpd_reply, httpd_stream_end or httpd_abort is
 * called on it, even if the peer goes away meanwhile (then answers are dropped). */
void httpd_hold(struct httpd_exchange *exchange);
/* The peer has closed the connection of this held exchange. */
bool httpd_gone(struct httpd_exchange *exchange);

/* A streamed answer (chunked on HTTP/1.1): begin, any number of writes, end. Each from any thread; httpd_stream_begin
 * implies httpd_hold. Writes are queued up to max_queue; beyond that the connection is closed. */
void httpd_stream_begin(struct httpd_exchange *exchange, int status, const struct httpd_header *headers, size_t n);
void httpd_stream_write(struct httpd_exchange *exchange, const void *data, size_t len);
void httpd_stream_end(struct httpd_exchange *exchange);
/* Closes the connection without (further) answer: for fakes that cut connections. */
void httpd_abort(struct httpd_exchange *exchange);
