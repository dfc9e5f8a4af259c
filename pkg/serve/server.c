/* The server: a libwebsockets context with one listening vhost, and the one thread that serves it.
 *
 * Other threads only set `stopping` and call lws_cancel_service(), under the lock, so that it cannot meet the end of
 * the context; that is the thread's work too, because the thread takes no SIGPIPE. libwebsockets binds the address
 * itself; since it only logs why it could not, a failed start asks the kernel again for the reason. */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "serve/internal.h"
#include "serve/tls.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_DESCRIPTORS 16 /* what a context needs besides connections, generously */

/* What libwebsockets complained about first, for the error of a start that failed on this thread; what follows only
 * says what else failed. */
static _Thread_local char complaint[256];

static void on_log(int level, const char *line)
{
    (void)level;
    if (!complaint[0])
        (void)snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(line, "\n"), line);
    log_debug("libwebsockets", LOG_S("line", line));
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct serve_server *server = lws_context_user(lws_get_context(wsi));

    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS: /* user is the SSL_CTX that it has made */
        return server->tls ? serve_tls_install(server->tls, user) : 0;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        server->wakes = true;
        deferred_deliver(server);
        return 0;
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return server->connections >= server->max_connections;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        server->connections++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY: /* also of the listening socket, but that is the end of the server */
        server->connections--;
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: /* to a websocket or h2c */
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
    case LWS_CALLBACK_RAW_ADOPT: /* what it makes of CONNECT */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return exchange_event(user, wsi, reason, in, len);
    }
}

/* -- starting */

/* Why nobody can listen there, or 0. */
static int listen_errno(const struct addrinfo *address)
{
    const int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = 0;

    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, 1) < 0)
        ret = errno;
    (void)close(fd);
    return ret;
}

static int create_context(
    struct serve_server *server, const struct serve_options *options, const char *address, bool v6)
{
    static const struct lws_protocols protocols[] = {
        {.name = "http", .callback = callback, .per_session_data_size = sizeof(struct serve_exchange)},
        {0},
    };
    struct lws_context_creation_info info = {
        .iface = address,
        .port = options->port,
        .protocols = protocols,
        .user = server,
        .gid = -1,
        .uid = -1,
        .max_http_header_data = REQUEST_HEAD_MAX,
        .timeout_secs = (unsigned)server->idle_timeout_s,
        .timeout_secs_ah_idle = (unsigned)server->idle_timeout_s,
        .keepalive_timeout = server->idle_timeout_s,
        .alpn = "http/1.1",
        .ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1,
        /* Else it sizes its tables by RLIMIT_NOFILE, which can be a thousand million. */
        .fd_limit_per_thread = (unsigned)(server->max_connections + SPARE_DESCRIPTORS),
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
    };
    struct lws_vhost *vhost;

    if (server->tls)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    server->lws = lws_create_context(&info);
    if (!server->lws)
        return -1;
    /* With IPv6 on, it takes the address of an IPv4 vhost for "any" (its issue 2290). */
    info.options |= LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | (v6 ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6);
    vhost = lws_create_vhost(server->lws, &info);
    if (!vhost)
        return -1;
    server->port = lws_get_vhost_listen_port(vhost);
    return 0;
}

/* NULL, or what libwebsockets is to listen on: the caller's, for freeaddrinfo(). */
static struct addrinfo *parse_address(const char *address, int port, struct err *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *ret = NULL;
    char service[16];

    (void)snprintf(service, sizeof(service), "%d", port);
    int reason = port < 0 || port > 65535 ? EAI_SERVICE : getaddrinfo(address, service, &hints, &ret);
    if (reason == EAI_NONAME || reason == EAI_SERVICE)
        (void)err_set(err, ERR_INVALID, "cannot listen on %s port %d: not a numeric address and port", address, port);
    else if (reason)
        (void)err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %d: %s", address, port, gai_strerror(reason));
    return reason ? NULL : ret;
}

static int open_tls(struct serve_server *server, const struct serve_options *options, struct err *err)
{
    const struct serve_tls_options tls = {.cert_file = options->tls_cert_file,
        .key_file = options->tls_key_file,
        .check_ms = options->tls_check_ms,
        .changed = options->tls_changed,
        .ctx = options->ctx};

    return options->tls_cert_file || options->tls_self_signed ? serve_tls_new(&server->tls, &tls, err) : 0;
}

static int open_server(struct serve_server *server, const struct serve_options *options, struct err *err)
{
    const char *address = str_empty(options->address) ? "127.0.0.1" : options->address;
    struct addrinfo *parsed = parse_address(address, options->port, err);
    struct sigaction sigpipe;
    int failed, reason;

    if (!parsed)
        return -1;
    complaint[0] = '\0';
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    (void)sigaction(SIGPIPE, NULL, &sigpipe); /* libwebsockets ignores it for the whole process */
    failed = create_context(server, options, address, parsed->ai_family == AF_INET6);
    (void)sigaction(SIGPIPE, &sigpipe, NULL);
    reason = failed ? listen_errno(parsed) : 0;
    freeaddrinfo(parsed);
    if (reason)
        err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %d: %s", address, options->port, strerror(reason));
    else if (failed)
        err_set(err, ERR_INVALID, "cannot serve on %s port %d: %s", address, options->port,
            complaint[0] ? complaint : "libwebsockets does not say why");
    return failed;
}

/* libwebsockets takes a vhost whose socket could not be made for one that does not listen, and a context without the
 * descriptor that wakes it for one that nobody wakes: it would serve nothing, or never stop. So both are tried. */
static int check_works(struct serve_server *server, const struct serve_options *options, struct err *err)
{
    const char *address = str_empty(options->address) ? "127.0.0.1" : options->address;
    struct addrinfo *parsed;
    int reason;

    if (server->port <= 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %d", address, options->port);
    parsed = parse_address(address, server->port, err);
    if (!parsed)
        return -1;
    reason = listen_errno(parsed);
    freeaddrinfo(parsed);
    if (reason != EADDRINUSE) /* which it is when we listen there */
        return err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %d%s%s", address, options->port,
            reason ? ": " : "", reason ? strerror(reason) : "");
    for (int i = 0; i < 3 && !server->wakes; i++) {
        lws_cancel_service(server->lws);
        (void)lws_service(server->lws, -1);
    }
    if (!server->wakes)
        return err_set(
            err, ERR_UNAVAILABLE, "cannot serve on %s port %d: nothing would wake its thread", address, options->port);
    return 0;
}

/* -- the service thread */

static bool stopping(struct serve_server *server)
{
    bool ret;

    (void)pthread_mutex_lock(&server->lock);
    ret = server->stopping;
    (void)pthread_mutex_unlock(&server->lock);
    return ret;
}

static void *service(void *arg)
{
    struct serve_server *server = arg;

    while (!stopping(server))
        (void)lws_service(server->lws, 0);
    lws_context_destroy(server->lws);
    return NULL;
}

/* Signals go to the process's other threads; of a peer that is gone, a write to it tells. */
static int start_thread(struct serve_server *server, struct err *err)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&server->thread, NULL, service, server);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return err_set(err, ERR_INTERNAL, "cannot start the server's thread: %s", strerror(failed));
    return 0;
}

static struct serve_server *server_free(struct serve_server *server)
{
    deferred_done(server);
    serve_tls_free(server->tls);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
    return NULL;
}

int serve_start(struct serve_server **ret, const struct serve_options *options, struct err *err)
{
    struct serve_server *server;

    if (!options->tls_cert_file != !options->tls_key_file)
        return err_set(err, ERR_INVALID, "a certificate needs its key, and a key its certificate");
    server = xcalloc(1, sizeof(*server));
    server->handler = options->handler;
    server->ctx = options->ctx;
    server->max_body = options->max_body ? options->max_body : 1 << 20;
    server->max_connections = options->max_connections > 0 ? options->max_connections : 256;
    server->idle_timeout_s = options->idle_timeout_s > 0 ? options->idle_timeout_s : 60;
    server->max_deferred = options->max_deferred > 0 ? options->max_deferred : 32;
    (void)pthread_mutex_init(&server->lock, NULL);
    if (open_tls(server, options, err) < 0 || open_server(server, options, err) < 0 ||
        check_works(server, options, err) < 0 || start_thread(server, err) < 0) {
        if (server->lws)
            lws_context_destroy(server->lws);
        server_free(server);
        return -1;
    }
    *ret = server;
    return 0;
}

int serve_port(const struct serve_server *server)
{
    return server->port;
}

struct serve_server *serve_stop(struct serve_server *server)
{
    if (!server)
        return NULL;
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    lws_cancel_service(server->lws);
    (void)pthread_mutex_unlock(&server->lock);
    (void)pthread_join(server->thread, NULL);
    return server_free(server);
}
