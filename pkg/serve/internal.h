/* What server.c and exchange.c share: the server, and the one exchange a connection has at a time. */
#pragma once

#include "base/buf.h"
#include "serve/server.h"

#include <libwebsockets.h>
#include <pthread.h>

#define REQUEST_HEAD_MAX 16384
#define ANSWER_HEAD_MAX 8192
#define ANSWER_MAX ((size_t)16 << 20)

struct later;

struct serve_server {
    struct lws_context *lws;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stopping and later */
    bool stopping;
    struct later *later; /* answers on their way to the service thread, in order */
    int port;
    bool wakes;            /* lws_cancel_service() has been seen to work */
    struct serve_tls *tls; /* NULL: plain */
    /* From here on the service thread's alone once it runs. */
    serve_handler handler;
    void *ctx;
    size_t max_body;
    int idle_timeout_s;
    int max_connections;
    int connections;
    struct serve_exchange *deferred;
    int n_deferred, max_deferred;
    uint64_t tickets; /* given so far */
};

/* Lives as long as its connection, in memory that libwebsockets zeroes; emptied between two requests. */
struct serve_exchange {
    struct serve_server *server;
    struct lws *wsi;
    struct buf body;
    char *header;          /* what serve_request_header returned last */
    unsigned char *answer; /* LWS_PRE bytes for libwebsockets, then the body that is to be sent */
    size_t answer_len;
    size_t sent;
    size_t discard; /* so much of a refused body is still read */
    int ends;       /* of the body, as reported */
    bool lingers;   /* the answer is sent, the refused body not yet read */
    bool is_head;
    bool answered;
    bool failed;     /* the head of the answer could not be sent */
    bool close;      /* once the answer is sent */
    uint64_t ticket; /* 0: the answer is not put off */
    struct serve_exchange *next_deferred;
};

/* All events of a connection that speaks HTTP; for the callback of a libwebsockets protocol. Nonzero closes it. */
int exchange_event(struct serve_exchange *x, struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len);

/* ---- deferred.c; on the service thread ---- */

/* The exchange waits no longer: it is answered, or its peer has gone. */
void deferred_forget(struct serve_exchange *x);
/* Gives the answers that other threads have left. */
void deferred_deliver(struct serve_server *server);
/* Frees those that came too late. */
void deferred_done(struct serve_server *server);
