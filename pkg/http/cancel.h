/* Internal to pkg/http: how blocked calls hear of a cancellation.
 *
 * A waiter is on the list of its cancel object exactly while its call can be ended. http_cancel_trigger() calls wake()
 * with the object's lock held, and http_cancel_remove() takes that lock: once it returns, wake() has returned too and
 * will not be called again, so waiter and context may live on the stack of the blocked call. Lock order: the cancel
 * object's lock before any lock that wake() takes. */
#pragma once

#include "http/http.h"

#include <sys/queue.h>

struct http_cancel_waiter {
    void (*wake)(void *ctx);
    void *ctx;
    TAILQ_ENTRY(http_cancel_waiter) link;
};

/* False, and nothing is registered, when it is triggered already. cancel may be NULL: true. */
bool http_cancel_add(struct http_cancel *cancel, struct http_cancel_waiter *waiter);
/* For a waiter that was added. cancel may be NULL. */
void http_cancel_remove(struct http_cancel *cancel, struct http_cancel_waiter *waiter);
