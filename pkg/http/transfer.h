/* Internal to pkg/http: one request on its way through libcurl.
 *
 * Life: transfer_open() on the caller's thread, then handed to the engine's thread, which alone touches it until done
 * is set under the engine's lock; then transfer_result() and transfer_close() on the caller's thread. The one part
 * shared while it runs is the last group of fields, under *lock. It lives on the stack of the blocked caller. */
#pragma once

#include "http/cancel.h"
#include "http/http.h"
#include "http/url.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/queue.h>

/* Why it ended. END_LIBCURL leaves the verdict to the CURLcode; the others are ours and go before it. */
enum transfer_end {
    END_LIBCURL,
    END_CANCELLED,
    END_SHUTDOWN,
    END_TIMEOUT,
    END_IDLE,
    END_FORBIDDEN, /* the caller's permit was not given */
    END_REPEATED,  /* libcurl was about to send a once request again */
    END_CUT,       /* closed within the headers, which libcurl takes for an answer */
    END_HEADERS_TOO_LARGE,
    END_BODY_TOO_LARGE,
};

struct transfer {
    const struct http_request *request;
    struct http_response *response;
    struct http_engine *engine;
    struct http_url url;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    char detail[CURL_ERROR_SIZE]; /* libcurl's own words */

    TAILQ_ENTRY(transfer) link;
    int64_t timeout_ms;   /* -1: none */
    int64_t deadline_ms;  /* INT64_MAX: none */
    int64_t last_byte_ms; /* for idle_timeout_ms */
    bool handed_over;     /* to a connection: from here on the peer may have seen it */
    bool in_block;        /* between a status line and the empty line that ends its headers */
    bool headers_done;    /* of the answer proper, not of a 1xx before it */
    size_t header_bytes;
    enum transfer_end end;
    CURLcode code;

    pthread_mutex_t *lock;
    pthread_cond_t changed;
    struct http_cancel_waiter waiter;
    struct buf stream; /* received, waiting for on_data */
    bool paused;       /* stream is full and libcurl was told to stop reading */
    bool resume;       /* asked for by the caller after it made room */
    bool cancelled;
    bool abandoned; /* on_data wants no more; its error is in the caller's *err */
    bool done;
};

TAILQ_HEAD(transfer_list, transfer);

/* ERR_INVALID when the request cannot be sent as it is; then there is nothing to close. */
int transfer_open(struct transfer *t, const struct http_request *request, struct http_response *response,
    const char *user_agent, struct err *err);
void transfer_close(struct transfer *t);
/* 0, or -1 and what went wrong. For a transfer that is done. */
int transfer_result(const struct transfer *t, struct err *err);

/* receive.c: libcurl's callbacks on the engine's thread. */
size_t transfer_on_header(char *line, size_t size, size_t n, void *ctx);
size_t transfer_on_body(char *bytes, size_t size, size_t n, void *ctx);

/* "host:port" for messages. */
#define TRANSFER_PEER_SIZE 280
void transfer_peer(const struct http_url *url, char ret[static TRANSFER_PEER_SIZE]);
