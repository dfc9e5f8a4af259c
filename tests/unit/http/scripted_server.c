/* See scripted_server.h. Plain blocking sockets, one thread each; stopping shuts the sockets down, which ends every
 * read. */
#include "http/scripted_server.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 256

struct scripted_conn {
    struct scripted_server *server;
    pthread_t thread;
    int fd, number;
    SSL *ssl;
    struct buf request;
};

struct scripted_server {
    struct scripted_options options;
    int fd, port;
    SSL_CTX *ssl_ctx;
    pthread_t thread;
    pthread_mutex_t lock; /* for conns */
    struct scripted_conn *conns[MAX_CONNECTIONS];
    int n;
    atomic_int connections, requests;
    atomic_bool stopping;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static bool receive(struct scripted_conn *c, void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        char *at = (char *)bytes + done;
        ssize_t n = c->ssl ? SSL_read(c->ssl, at, (int)(len - done)) : recv(c->fd, at, len - done, 0);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

bool scripted_read(struct scripted_conn *conn, void *bytes, size_t len)
{
    return receive(conn, bytes, len);
}

bool scripted_send(struct scripted_conn *conn, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        const char *at = (const char *)bytes + done;
        ssize_t n =
            conn->ssl ? SSL_write(conn->ssl, at, (int)(len - done)) : send(conn->fd, at, len - done, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

bool scripted_puts(struct scripted_conn *conn, const char *text)
{
    return scripted_send(conn, text, strlen(text));
}

bool scripted_reply(struct scripted_conn *conn, const char *body)
{
    _cleanup_(freep) char *text = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);

    return scripted_puts(conn, text);
}

const char *scripted_read_request(struct scripted_conn *conn)
{
    char c;

    buf_clear(&conn->request);
    while (!strstr(buf_str(&conn->request), "\r\n\r\n")) {
        if (!receive(conn, &c, 1))
            return NULL;
        buf_putc(&conn->request, c);
    }
    const char *length = str_find_nocase(buf_str(&conn->request), "\r\ncontent-length: ");
    size_t body = length ? strtoul(length + strlen("\r\ncontent-length: "), NULL, 10) : 0;
    _cleanup_(freep) char *bytes = xmalloc(body);
    if (!receive(conn, bytes, body))
        return NULL;
    buf_add(&conn->request, bytes, body);
    atomic_fetch_add(&conn->server->requests, 1);
    return buf_str(&conn->request);
}

void scripted_wait_closed(struct scripted_conn *conn)
{
    char c;

    while (receive(conn, &c, 1)) {
    }
}

void scripted_reset(struct scripted_conn *conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

int scripted_number(const struct scripted_conn *conn)
{
    return conn->number;
}

const char *scripted_sni(const struct scripted_conn *conn)
{
    const char *name = conn->ssl ? SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name) : NULL;

    return name ? name : "";
}

void scripted_client_name(const struct scripted_conn *conn, char *ret, size_t size)
{
    X509 *cert = conn->ssl ? SSL_get1_peer_certificate(conn->ssl) : NULL;

    ret[0] = '\0';
    if (cert)
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret, (int)size);
    X509_free(cert);
}

static bool shake_hands(struct scripted_conn *c)
{
    if (!c->server->ssl_ctx)
        return true;
    c->ssl = SSL_new(c->server->ssl_ctx);
    must(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "SSL_new");
    return SSL_accept(c->ssl) == 1;
}

/* Closing with unread bytes would reset the connection and destroy the alert on its way to the client. */
static void linger(struct scripted_conn *c)
{
    char rest[256];

    (void)shutdown(c->fd, SHUT_WR);
    while (recv(c->fd, rest, sizeof(rest), 0) > 0) {
    }
}

static void *serve(void *arg)
{
    struct scripted_conn *c = arg;

    if (shake_hands(c)) {
        c->number = atomic_fetch_add(&c->server->connections, 1) + 1;
        c->server->options.handler(c, c->server->options.ctx);
    } else {
        linger(c);
    }
    pthread_mutex_lock(&c->server->lock);
    if (c->ssl)
        SSL_free(c->ssl);
    close(c->fd);
    c->fd = -1;
    pthread_mutex_unlock(&c->server->lock);
    buf_done(&c->request);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct scripted_server *s = arg;

    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0 || atomic_load(&s->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        must(s->n < MAX_CONNECTIONS, "too many connections");
        struct scripted_conn *c = xcalloc(1, sizeof(*c));
        c->server = s;
        c->fd = fd;
        c->request = BUF_INIT(8 << 20);
        pthread_mutex_lock(&s->lock);
        s->conns[s->n++] = c;
        must(pthread_create(&c->thread, NULL, serve, c) == 0, "pthread_create");
        pthread_mutex_unlock(&s->lock);
    }
}

static int choose_h2(
    SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned int inlen, void *ctx)
{
    (void)ssl;
    (void)ctx;
    static const unsigned char h2[] = "\x02h2";
    return SSL_select_next_proto((unsigned char **)out, outlen, h2, 3, in, inlen) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static X509 *parse_cert(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    must(cert != NULL, "certificate");
    return cert;
}

static SSL_CTX *make_ssl_ctx(const struct scripted_options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *bio = BIO_new_mem_buf(o->key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *cert = parse_cert(o->cert_pem);

    must(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1, "server certificate");
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (o->client_ca_pem) {
        X509 *ca = parse_cert(o->client_ca_pem);
        must(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1, "client CA");
        X509_free(ca);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
    }
    if (o->h2)
        SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
    return ctx;
}

struct scripted_server *scripted_start(const struct scripted_options *options)
{
    struct scripted_server *s = xcalloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    s->options = *options;
    s->ssl_ctx = options->cert_pem ? make_ssl_ctx(options) : NULL;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&address, len) == 0 && listen(s->fd, 64) == 0, "listen");
    must(getsockname(s->fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    s->port = ntohs(address.sin_port);
    pthread_mutex_init(&s->lock, NULL);
    must(pthread_create(&s->thread, NULL, accept_all, s) == 0, "pthread_create");
    return s;
}

void scripted_stop(struct scripted_server *s)
{
    atomic_store(&s->stopping, true);
    (void)shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->n; i++)
        if (s->conns[i]->fd >= 0)
            (void)shutdown(s->conns[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < s->n; i++) {
        pthread_join(s->conns[i]->thread, NULL);
        free(s->conns[i]);
    }
    close(s->fd);
    SSL_CTX_free(s->ssl_ctx);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int scripted_port(const struct scripted_server *server)
{
    return server->port;
}

const char *scripted_url(const struct scripted_server *server, const char *path)
{
    static _Thread_local char url[32768];

    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", server->ssl_ctx ? "https" : "http", server->port, path);
    return url;
}

int scripted_connections(const struct scripted_server *server)
{
    return atomic_load(&server->connections);
}

int scripted_requests(const struct scripted_server *server)
{
    return atomic_load(&server->requests);
}
