/* Answers that come from other threads.
 *
 * A ticket is a number that is never used twice, so that an answer whose peer has gone finds nobody, also when another
 * connection has taken the same memory. Answers are left in a list under the server's lock; lws_cancel_service(), the
 * one call that other threads may make, has the service thread look there. */
#include "base/mem.h"
#include "serve/internal.h"

#include <string.h>

struct later {
    struct later *next;
    uint64_t number;
    int status;
    struct serve_header *headers; /* n of them; the strings are ours too */
    size_t n;
    char *body;
    size_t len;
};

static struct later *later_free(struct later *later)
{
    for (size_t i = 0; i < later->n; i++) {
        free((void *)later->headers[i].name);
        free((void *)later->headers[i].value);
    }
    free(later->headers);
    free(later->body);
    free(later);
    return NULL;
}

/* ---- on the service thread ---- */

bool serve_defer(struct serve_exchange *exchange, struct serve_ticket *ret)
{
    struct serve_server *server = exchange->server;

    if (server->n_deferred >= server->max_deferred)
        return false;
    server->n_deferred++;
    exchange->ticket = ++server->tickets;
    exchange->next_deferred = server->deferred;
    server->deferred = exchange;
    *ret = (struct serve_ticket){server, exchange->ticket};
    /* Bytes that were sent ahead would wake the thread again and again, and for ever. */
    (void)lws_rx_flow_control(exchange->wsi, 0);
    return true;
}

void deferred_forget(struct serve_exchange *x)
{
    struct serve_exchange **at = x->ticket ? &x->server->deferred : NULL;

    if (!at)
        return;
    while (*at != x)
        at = &(*at)->next_deferred;
    *at = x->next_deferred;
    x->server->n_deferred--;
    x->ticket = 0;
}

static struct serve_exchange *find(const struct serve_server *server, uint64_t number)
{
    struct serve_exchange *x = server->deferred;

    while (x && x->ticket != number)
        x = x->next_deferred;
    return x;
}

void deferred_deliver(struct serve_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    struct later *first = TAKE_PTR(server->later);
    (void)pthread_mutex_unlock(&server->lock);
    for (struct later *later = first, *next; later; later = next) {
        struct serve_exchange *x = find(server, later->number);
        next = later->next;
        if (x) {
            (void)lws_rx_flow_control(x->wsi, 1);
            serve_reply(x, later->status, later->headers, later->n, later->body, later->len);
        }
        later_free(later);
    }
}

void deferred_done(struct serve_server *server)
{
    for (struct later *later = server->later, *next; later; later = next) {
        next = later->next;
        later_free(later);
    }
}

/* ---- on any thread ---- */

void serve_reply_later(const struct serve_ticket *ticket, int status, const struct serve_header *headers, size_t n,
    const void *body, size_t len)
{
    struct serve_server *server = ticket->server;
    struct later *later = xcalloc(1, sizeof(*later));

    *later = (struct later){.number = ticket->number, .status = status, .n = n, .len = len};
    later->headers = xcalloc(n + 1, sizeof(*later->headers));
    for (size_t i = 0; i < n; i++)
        later->headers[i] = (struct serve_header){xstrdup(headers[i].name), xstrdup(headers[i].value)};
    later->body = xmalloc(len + 1);
    if (len)
        memcpy(later->body, body, len);
    (void)pthread_mutex_lock(&server->lock);
    struct later **end = &server->later;
    while (*end)
        end = &(*end)->next;
    *end = later;
    if (!server->stopping)
        lws_cancel_service(server->lws);
    (void)pthread_mutex_unlock(&server->lock);
}
