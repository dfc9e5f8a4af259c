/* What the files of this folder share. Nobody else includes it.
 *
 * libwebsockets accepts, polls, reads, writes and keeps the timers; it moves bytes ("raw" role) and nothing more. HTTP
 * is ours, because libwebsockets 4.1 decodes the path and the query, hides headers that it does not know on HTTP/2,
 * refuses methods that it does not know, cannot send a reason phrase, and is built with assert() in Debian:
 *
 *     server.c    context, service thread, listening socket, wake-ups
 *     conn.c      one connection: bytes in, bytes out, TLS or not, timers
 *     tls.c       OpenSSL on memory buffers
 *     h1.c        HTTP/1.1           h1_head.c  its request heads
 *     h2.c        HTTP/2 frames in   h2_send.c  and out          hpack.c  header compression
 *     request.c   a request as both protocols deliver it
 *     exchange.c  the answer, which may come from any thread
 *     status.c, pipe.c    small things
 *
 * The invariant: struct conn and everything below it belongs to the service thread. Other threads touch only the part
 * of struct httpd_exchange that says "under the lock", put the exchange on the server's dirty list and wake the service
 * thread. */
#pragma once

#include "base/buf.h"
#include "httpd/server.h"

#include <libwebsockets.h>
#include <pthread.h>

#define HEAD_MAX (64 * 1024)        /* request line and headers, as sent or as decoded */
#define STREAM_QUEUE_MAX (16 << 20) /* bytes of a streamed answer that wait for a slow peer, unless told otherwise */
#define WIRE_ENOUGH (256 * 1024)    /* do not produce more output while this much waits for the socket */
#define WIRE_MAX (4 << 20)          /* a peer that makes us produce more than this without reading it is dropped */
#define RX_CHUNK (32 * 1024)
#define DATE_SIZE 64

/* Bytes in order; dropping from the front does not move the rest each time. */
struct pipe {
    struct buf b;
    size_t off;
};
#define PIPE_INIT ((struct pipe){.b = BUF_INIT(SIZE_MAX / 4)})
void pipe_add(struct pipe *q, const void *data, size_t len);
void pipe_drop(struct pipe *q, size_t n);
void pipe_done(struct pipe *q);
static inline size_t pipe_len(const struct pipe *q)
{
    return q->b.len - q->off;
}
static inline const char *pipe_data(const struct pipe *q)
{
    return buf_str(&q->b) + q->off;
}

/* -- request.c */

/* text holds NUL-terminated strings: method, path, query, then names and values in turn. */
struct request {
    struct buf text;
    size_t path, query, fields; /* offsets in text */
    struct buf body;
};
void request_init(struct request *r, size_t max_body);
void request_done(struct request *r);
void request_line(struct request *r, const char *method, size_t method_len, const char *target, size_t target_len);
/* The name is lower-cased. Call after request_line. */
void request_field(struct request *r, const char *name, size_t name_len, const char *value, size_t value_len);
const char *request_header(const struct request *r, const char *name);
/* RFC 9110 token, not empty. */
bool token_valid(const char *s, size_t len);
/* No control characters but tab. */
bool field_value_valid(const char *s, size_t len);

/* -- exchange.c */

struct conn;

struct httpd_exchange {
    struct httpd_server *server;

    /* service thread */
    struct conn *conn; /* NULL once the connection has let go of it */
    struct httpd_exchange *next;
    struct request request;
    bool received;  /* the request is complete */
    bool head_sent; /* of the answer */
    bool is_head;   /* HEAD: the answer has no body */
    uint32_t id;    /* HTTP/2 stream */
    int64_t window; /* HTTP/2: what the peer still takes on this stream */
    bool oversized; /* HTTP/2: already answered with 413 or 431; the rest of the request is ignored */

    /* under the lock of the server */
    struct httpd_exchange *dirty_next;
    unsigned refs; /* the connection, the user, the dirty list */
    bool dirty, held, gone, begun, whole, ended, aborted;
    int status;
    char *reason;      /* or NULL */
    struct buf fields; /* names and values in turn, NUL-terminated */
    struct pipe out;
};

/* A new exchange of this connection, which holds a reference. */
struct httpd_exchange *exchange_new(struct conn *conn);
/* The connection lets go of it, answered or not. */
void exchange_drop(struct conn *conn, struct httpd_exchange *exchange);
/* Calls the handler. */
void exchange_dispatch(struct httpd_exchange *exchange);
/* Answers in the place of the handler. */
void exchange_refuse(struct httpd_exchange *exchange, int status);
void exchange_unref(struct httpd_exchange *exchange);
/* Takes what became dirty; the caller owns a reference to each and follows dirty_next. */
struct httpd_exchange *exchange_take_dirty(struct httpd_server *server);
const char *status_reason(int status);
/* Statuses whose answers never have a body. */
bool status_has_body(int status);
/* The date header's value, "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_date(char ret[static DATE_SIZE]);

/* -- server.c */

struct httpd_server {
    httpd_handler handler;
    void *ctx;
    size_t max_body;
    size_t max_queue;
    int max_connections;
    int port;
    void *tls; /* SSL_CTX or NULL */

    struct lws_context *lws;
    pthread_t thread;
    struct lws *listener; /* service thread, as the two below */
    int connections;
    bool accept_paused;

    pthread_mutex_t lock;
    pthread_t service; /* set by the service thread before anything else runs */
    unsigned refs;     /* the owner and every exchange */
    bool stopping;
    struct httpd_exchange *dirty;
};
void server_unref(struct httpd_server *server);
void server_connection_closed(struct httpd_server *server);

/* -- tls.c */

struct tls;
int tls_context_new(void **ret, const struct httpd_options *options, struct err *err);
void tls_context_free(void *context);
struct tls *tls_new(void *context);
void tls_free(struct tls *t);
/* Takes bytes from the socket, appends what they decrypt to. -1: the connection is broken or was ended by the peer. */
int tls_feed(struct tls *t, const void *data, size_t len, struct buf *plain);
void tls_write(struct tls *t, const void *data, size_t len);
void tls_end(struct tls *t);
/* Moves what must be sent to the socket. */
void tls_drain(struct tls *t, struct pipe *wire);
bool tls_established(const struct tls *t);
bool tls_chose_h2(const struct tls *t);

/* -- conn.c */

struct conn_protocol {
    /* Reads from conn->in what it can. -1: drop the connection. */
    int (*input)(struct conn *conn);
    /* Writes what exchanges have to say, as long as conn_room() allows. True when input that waits may be read now. */
    bool (*output)(struct conn *conn);
};

enum h1_state { H1_HEAD, H1_BODY, H1_CHUNK_SIZE, H1_CHUNK_DATA, H1_CHUNK_END, H1_TRAILERS };

struct h1 {
    enum h1_state state;
    size_t remaining; /* bytes of the body or of the chunk */
    size_t trailers;  /* bytes of trailers seen */
    bool keep_alive, http10, chunked_answer;
    struct httpd_exchange *current; /* whose request is being received */
};

enum conn_timer { TIMER_NONE, TIMER_HANDSHAKE, TIMER_RECEIVING, TIMER_IDLE, TIMER_SENDING, TIMER_LINGER };

struct conn {
    struct httpd_server *server;
    struct lws *wsi;
    const struct conn_protocol *protocol; /* NULL until TLS has chosen */
    struct tls *tls;
    struct buf in;    /* plain bytes not yet understood */
    struct pipe wire; /* bytes for the socket */
    struct httpd_exchange *exchanges;
    enum conn_timer timer;
    bool closing;   /* nothing more is read; close when everything is sent */
    bool lingering; /* everything is sent; waiting for the peer to close */
    bool dead;      /* close now */
    bool rx_paused;
    struct h1 h1;
    struct h2 *h2;
};

int conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
/* Reads and writes until nothing more can be done without the socket. */
void conn_run(struct conn *conn);
/* The same, from outside of the connection's own callbacks. */
void conn_wake(struct conn *conn);
void conn_write(struct conn *conn, const void *data, size_t len);
size_t conn_room(const struct conn *conn);

/* -- h1.c, h1_head.c */

extern const struct conn_protocol h1_protocol;
/* A complete head of len bytes, ending in an empty line. 0, or the status to refuse it with. Fills conn->h1. */
int h1_parse_head(struct conn *conn, struct request *request, const char *head, size_t len);

/* -- h2.c, h2_send.c */

struct h2;
extern const struct conn_protocol h2_protocol;
void h2_start(struct conn *conn);
void h2_free(struct h2 *h2);
