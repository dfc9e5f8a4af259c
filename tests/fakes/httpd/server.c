/* The server: a listening socket, a libwebsockets context and the one thread that serves it.
 *
 * Other threads only put exchanges on the dirty list and call lws_cancel_service(), under the lock, so that it cannot
 * meet the end of the context. Connections are accepted here and not by libwebsockets, for errors that say what is
 * wrong with the address and for the limit of connections. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_BURST 64

void server_unref(struct httpd_server *server)
{
    bool last;

    pthread_mutex_lock(&server->lock);
    last = --server->refs == 0;
    pthread_mutex_unlock(&server->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&server->lock);
    tls_context_free(server->tls);
    free(server);
}

static void log_line(int level, const char *line)
{
    (void)level;
    log_debug("libwebsockets", LOG_S("line", line));
}

/* -- accepting */

static void pause_accept(struct httpd_server *server, bool pause)
{
    if (server->accept_paused == pause || !server->listener)
        return;
    server->accept_paused = pause;
    (void)lws_rx_flow_control(server->listener, !pause);
}

void server_connection_closed(struct httpd_server *server)
{
    server->connections--;
    pause_accept(server, false);
}

static void adopt(struct httpd_server *server, struct lws_vhost *vhost, int fd)
{
    const int one = 1;
    lws_sock_file_fd_type adopted;

    if (server->connections >= server->max_connections) {
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    adopted.sockfd = fd;
    (void)lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_SOCKET, adopted, "http", NULL);
}

static void accept_some(struct httpd_server *server, struct lws *listener)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(lws_get_socket_fd(listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            adopt(server, lws_get_vhost(listener), fd);
            continue;
        }
        /* Out of descriptors: the waiting connection would wake us again and again. Look again when one has closed. */
        if ((errno == EMFILE || errno == ENFILE) && server->connections > 0)
            pause_accept(server, true);
        return;
    }
}

static int listener_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct httpd_server *server;

    (void)user;
    (void)in;
    (void)len;
    if (reason != LWS_CALLBACK_RAW_RX_FILE && reason != LWS_CALLBACK_RAW_CLOSE_FILE)
        return 0;
    server = lws_context_user(lws_get_context(wsi));
    if (reason == LWS_CALLBACK_RAW_CLOSE_FILE)
        server->listener = NULL;
    else
        accept_some(server, wsi);
    return 0;
}

static int port_of(int fd)
{
    struct sockaddr_in6 address = {0}; /* that of IPv4 is smaller and has its port at the same place */
    socklen_t len = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &len) < 0 ? -1 : ntohs(address.sin6_port);
}

/* A listening descriptor, or -1. */
static int listen_on(const char *address, int port, int *ret_port, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *info;
    const int one = 1;
    char service[16];
    int fd, failed;

    (void)snprintf(service, sizeof(service), "%d", port);
    if (port < 0 || port > 65535 || getaddrinfo(address, service, &hints, &info) != 0)
        return err_set(err, ERR_INVALID, "cannot listen on %s port %d: not a numeric address and port", address, port);
    fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    failed = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
             bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0;
    freeaddrinfo(info);
    if (failed) {
        err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %d: %s", address, port, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    *ret_port = port_of(fd);
    return fd;
}

/* -- the service thread */

static void drain(struct httpd_server *server)
{
    struct httpd_exchange *x = exchange_take_dirty(server), *next;

    for (; x; x = next) {
        next = x->dirty_next;
        if (x->conn)
            conn_wake(x->conn);
        exchange_unref(x);
    }
}

static bool stopping(struct httpd_server *server)
{
    bool ret;

    pthread_mutex_lock(&server->lock);
    ret = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return ret;
}

static void *service(void *arg)
{
    struct httpd_server *server = arg;

    pthread_mutex_lock(&server->lock);
    server->service = pthread_self();
    pthread_mutex_unlock(&server->lock);
    while (!stopping(server)) {
        (void)lws_service(server->lws, 0);
        drain(server);
    }
    lws_context_destroy(server->lws);
    drain(server);
    return NULL;
}

static int create_context(struct httpd_server *server, int listening, struct err *err)
{
    static const struct lws_protocols protocols[] = {
        {.name = "listener", .callback = listener_callback},
        {.name = "http", .callback = conn_callback, .per_session_data_size = sizeof(void *), .tx_packet_size = 65536},
        {0},
    };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .user = server,
        .gid = -1,
        .uid = -1,
        .pt_serv_buf_size = RX_CHUNK + LWS_PRE,
        /* Else it sizes its tables by RLIMIT_NOFILE. Some more, so that the limit is met in adopt() and never there. */
        .fd_limit_per_thread = (unsigned)server->max_connections + 32,
    };
    lws_sock_file_fd_type fd;

    lws_set_log_level(LLL_ERR, log_line);
    server->lws = lws_create_context(&info);
    if (!server->lws) {
        (void)close(listening);
        return err_set(err, ERR_INTERNAL, "libwebsockets cannot start");
    }
    fd.filefd = listening;
    server->listener = lws_adopt_descriptor_vhost(
        lws_get_vhost_by_name(server->lws, "default"), LWS_ADOPT_RAW_FILE_DESC, fd, "listener", NULL);
    if (!server->listener) {
        lws_context_destroy(server->lws);
        return err_set(err, ERR_INTERNAL, "libwebsockets does not take the listening socket");
    }
    return 0;
}

int httpd_start(struct httpd_server **ret, const struct httpd_options *options, struct err *err)
{
    struct httpd_server *server = xcalloc(1, sizeof(*server));
    const char *address = str_empty(options->address) ? "127.0.0.1" : options->address;
    int fd, failed;

    server->handler = options->handler;
    server->ctx = options->ctx;
    server->max_body = options->max_body ? options->max_body : 1 << 20;
    server->max_queue = options->max_queue ? options->max_queue : STREAM_QUEUE_MAX;
    server->max_connections = options->max_connections > 0 ? options->max_connections : 1024;
    server->refs = 1;
    pthread_mutex_init(&server->lock, NULL);
    fd = tls_context_new(&server->tls, options, err) < 0 ? -1 : listen_on(address, options->port, &server->port, err);
    if (fd < 0 || create_context(server, fd, err) < 0) {
        server_unref(server);
        return -1;
    }
    failed = pthread_create(&server->thread, NULL, service, server);
    if (failed) {
        lws_context_destroy(server->lws);
        server_unref(server);
        return err_set(err, ERR_INTERNAL, "cannot start the server's thread: %s", strerror(failed));
    }
    *ret = server;
    return 0;
}

int httpd_port(const struct httpd_server *server)
{
    return server->port;
}

struct httpd_server *httpd_stop(struct httpd_server *server)
{
    if (!server)
        return NULL;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    lws_cancel_service(server->lws);
    pthread_mutex_unlock(&server->lock);
    (void)pthread_join(server->thread, NULL);
    server_unref(server);
    return NULL;
}
