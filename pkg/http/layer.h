/* Layers: clients that add one behaviour to the client below them. Each is freed by its own _free, outermost first;
 * none owns the client below. All are safe for any number of threads. */
#pragma once

#include "base/secret.h"
#include "http/http.h"

/* --- auth: adds "Authorization: Bearer TOKEN" ---
 * A refusal that repeats the token has '*' in its place. Over https only; ERR_INVALID otherwise, except for plain http
 * straight to a loopback address. */

/* How the layer gets a token. token(): borrowed reference handed over as the caller's own (secret_unref). rejected():
 * the peer answered 401 to this token; drop it from any cache. When another token is to be had the layer then repeats
 * the request once, because a 401 was refused before it had any effect. */
struct http_token_source {
    int (*token)(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err);
    void (*rejected)(void *ctx, const struct secret *token); /* may be NULL */
    void *ctx;
};
struct http_client *http_auth_new(struct http_client *next, const struct http_token_source *source);
struct http_client *http_auth_free(struct http_client *layer);

/* --- retry: repeats what is safe to repeat ---
 * Only GET requests without on_data that failed with a transient kind or with 502, 503, 504; waits base_ms doubled each
 * time, jittered, at most max_ms, never longer than the request's cancel allows. 429 is not its business (see
 * throttle). */
struct http_retry_options {
    int attempts; /* in all; 1 means never repeat */
    int64_t base_ms;
    int64_t max_ms;
};
struct http_client *http_retry_new(struct http_client *next, const struct http_retry_options *options);
struct http_client *http_retry_free(struct http_client *layer);

/* --- throttle: honours Retry-After for everyone ---
 * After a 429 (or a 503 with Retry-After) every request through this layer is refused at once with ERR_THROTTLED and
 * retry_after_ms until the time the peer asked for has passed: a worker never sleeps. Without Retry-After: default_ms.
 */
struct http_client *http_throttle_new(struct http_client *next, int64_t default_ms);
struct http_client *http_throttle_free(struct http_client *layer);

/* --- log: one debug line per request (label, method, host, status, duration, bytes), never a query, header or body ---
 */
struct http_client *http_log_new(struct http_client *next);
struct http_client *http_log_free(struct http_client *layer);

/* --- observe: tells somebody of each request when it is over, with what came of it and how long it took --- */

struct http_observation {
    const struct http_request *request;   /* borrowed for the call */
    const struct http_response *response; /* its status is 0 when there was no answer */
    const struct err *err;                /* NULL when there was an answer */
    int64_t ms;
};
/* Called on the thread of the request, and must not block. */
struct http_observer {
    void (*observed)(void *ctx, const struct http_observation *observation);
    void *ctx;
};
/* observer is copied; observed NULL: nobody is told. */
struct http_client *http_observe_new(struct http_client *next, const struct http_observer *observer);
struct http_client *http_observe_free(struct http_client *layer);
/* Another observer from now on; before the first request only. */
void http_observe_set(struct http_client *layer, const struct http_observer *observer);
