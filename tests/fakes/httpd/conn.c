/* One connection: moves bytes between the socket, TLS and the protocol, and decides how long a silent peer is waited
 * for.
 *
 * It is freed only by libwebsockets' close callback; everything else that wants it gone sets dead (now), or closing
 * (when all is sent). After an answer that ends the connection it lingers: closing a socket with unread input would
 * make the kernel send a reset, and the peer might lose the answer. */
#include "base/log.h"
#include "base/mem.h"
#include "httpd/internal.h"

#include <sys/socket.h>

#define WRITE_CHUNK (64 * 1024)

struct session {
    struct conn *conn;
};

size_t conn_room(const struct conn *c)
{
    size_t used = pipe_len(&c->wire);

    return used < WIRE_ENOUGH ? WIRE_ENOUGH - used : 0;
}

void conn_write(struct conn *c, const void *data, size_t len)
{
    if (!c->tls) {
        pipe_add(&c->wire, data, len);
        return;
    }
    tls_write(c->tls, data, len);
    tls_drain(c->tls, &c->wire);
}

static bool any_aborted(const struct conn *c)
{
    bool aborted = false;

    pthread_mutex_lock(&c->server->lock);
    for (const struct httpd_exchange *x = c->exchanges; x; x = x->next)
        aborted = aborted || x->aborted;
    pthread_mutex_unlock(&c->server->lock);
    return aborted;
}

static enum conn_timer timer_wanted(const struct conn *c)
{
    if (c->lingering)
        return TIMER_LINGER;
    if (pipe_len(&c->wire))
        return TIMER_SENDING;
    if (!c->protocol)
        return TIMER_HANDSHAKE;
    for (const struct httpd_exchange *x = c->exchanges; x; x = x->next) {
        if (!x->received)
            return TIMER_RECEIVING;
    }
    if (c->exchanges)
        return TIMER_NONE; /* the handler may take as long as it likes */
    return c->in.len ? TIMER_RECEIVING : TIMER_IDLE;
}

static void set_timer(struct conn *c, bool restart)
{
    static const int seconds[] = {
        [TIMER_NONE] = 0,
        [TIMER_HANDSHAKE] = 15,
        [TIMER_RECEIVING] = 60,
        [TIMER_IDLE] = 300,
        [TIMER_SENDING] = 60,
        [TIMER_LINGER] = 2,
    };
    enum conn_timer wanted = timer_wanted(c);

    if (wanted == c->timer && !restart)
        return;
    c->timer = wanted;
    if (wanted == TIMER_NONE)
        lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
    else
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, seconds[wanted]);
}

/* Pipelined requests wait in the socket, not in our memory, while one is being answered. */
static void pause_or_resume(struct conn *c)
{
    bool pause = c->in.len > HEAD_MAX && c->exchanges && !c->h2;

    if (pause == c->rx_paused)
        return;
    c->rx_paused = pause;
    (void)lws_rx_flow_control(c->wsi, !pause);
}

void conn_run(struct conn *c)
{
    bool again = c->protocol != NULL && !c->lingering;

    while (again && !c->dead) {
        if (!c->closing && c->protocol->input(c) < 0)
            c->dead = true;
        if (c->dead || any_aborted(c))
            break;
        again = c->protocol->output(c) && !c->closing;
    }
    c->dead = c->dead || any_aborted(c) || pipe_len(&c->wire) > WIRE_MAX;
    if (c->dead)
        return;
    if (c->closing && c->tls && !pipe_len(&c->wire) && !c->lingering)
        tls_end(c->tls);
    if (c->tls)
        tls_drain(c->tls, &c->wire);
    if (pipe_len(&c->wire) || (c->closing && !c->lingering))
        (void)lws_callback_on_writable(c->wsi);
    pause_or_resume(c);
    set_timer(c, false);
}

static void choose_protocol(struct conn *c)
{
    if (c->protocol || (c->tls && !tls_established(c->tls)))
        return;
    c->protocol = &h1_protocol;
    if (c->tls && tls_chose_h2(c->tls)) {
        c->protocol = &h2_protocol;
        h2_start(c);
    }
}

static int receive(struct conn *c, const void *data, size_t len)
{
    bool broken = false;

    if (c->closing)
        return 0; /* read and forgotten, see the top */
    if (c->tls)
        broken = tls_feed(c->tls, data, len, &c->in) < 0;
    else
        buf_add(&c->in, data, len);
    choose_protocol(c);
    if (c->in.overflow)
        return -1;
    conn_run(c);
    if (c->h2 && c->timer == TIMER_RECEIVING)
        set_timer(c, true);
    if (broken) {
        /* What TLS has to say about it (an alert) is worth one try; the peer has ended or will not understand more. */
        size_t n = pipe_len(&c->wire);

        if (n)
            (void)lws_write(c->wsi, (unsigned char *)(c->wire.b.data + c->wire.off), n, LWS_WRITE_RAW);
    }
    return broken || c->dead ? -1 : 0;
}

static void linger(struct conn *c)
{
    c->lingering = true;
    (void)shutdown(lws_get_socket_fd(c->wsi), SHUT_WR);
    set_timer(c, false);
}

/* libwebsockets keeps what the socket did not take and calls again only when that is gone. */
static int writeable(struct conn *c)
{
    size_t n = pipe_len(&c->wire);

    if (n > WRITE_CHUNK)
        n = WRITE_CHUNK;
    if (n) {
        if (lws_write(c->wsi, (unsigned char *)(c->wire.b.data + c->wire.off), n, LWS_WRITE_RAW) < 0)
            return -1;
        pipe_drop(&c->wire, n);
        set_timer(c, c->timer == TIMER_SENDING);
    } else if (c->closing) {
        if (!c->lingering)
            linger(c);
        return 0;
    }
    conn_run(c);
    return c->dead ? -1 : 0;
}

static struct conn *conn_new(struct lws *wsi)
{
    struct httpd_server *server = lws_context_user(lws_get_context(wsi));
    struct conn *c = xcalloc(1, sizeof(*c));

    c->server = server;
    c->wsi = wsi;
    /* Room for what one read may bring on top of what makes us pause. */
    c->in = BUF_INIT(HEAD_MAX + 4 * RX_CHUNK);
    c->wire = PIPE_INIT;
    if (server->tls)
        c->tls = tls_new(server->tls);
    choose_protocol(c);
    server->connections++;
    set_timer(c, true);
    return c;
}

static void conn_free(struct conn *c)
{
    while (c->exchanges)
        exchange_drop(c, c->exchanges);
    h2_free(c->h2);
    tls_free(c->tls);
    buf_done(&c->in);
    pipe_done(&c->wire);
    server_connection_closed(c->server);
    free(c);
}

void conn_wake(struct conn *c)
{
    conn_run(c);
    if (c->dead)
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

int conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct session *session = user;

    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        session->conn = conn_new(wsi);
        return 0;
    case LWS_CALLBACK_RAW_RX:
        return session->conn ? receive(session->conn, in, len) : -1;
    case LWS_CALLBACK_RAW_WRITEABLE:
        return session->conn ? writeable(session->conn) : -1;
    case LWS_CALLBACK_RAW_CLOSE:
        if (session && session->conn)
            conn_free(session->conn);
        if (session)
            session->conn = NULL;
        return 0;
    default:
        return 0;
    }
}
