/* TLS on memory buffers: bytes of the socket in, plain bytes out, and the reverse. Never touches a socket, so it never
 * blocks and never has to be asked twice.
 *
 * Not libwebsockets' own TLS, because there the choice of "h2" by ALPN always hands the connection to libwebsockets'
 * own HTTP/2, which is not used here (internal.h). Client certificates are verified when they are sent and a CA is
 * configured. */
#include "base/log.h"
#include "base/mem.h"
#include "httpd/internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

struct tls {
    SSL *ssl; /* owns both buffers */
    BIO *rx, *tx;
};

static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

static int choose_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int load(SSL_CTX *ctx, const struct httpd_options *o, struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, o->tls_cert_file) != 1)
        return err_set(err, ERR_INVALID, "cannot use %s as TLS certificate: %s", o->tls_cert_file, openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, o->tls_key_file, SSL_FILETYPE_PEM) != 1)
        return err_set(err, ERR_INVALID, "cannot use %s as TLS key: %s", o->tls_key_file, openssl_reason());
    if (SSL_CTX_check_private_key(ctx) != 1)
        return err_set(
            err, ERR_INVALID, "TLS key %s does not belong to certificate %s", o->tls_key_file, o->tls_cert_file);
    if (!o->tls_client_ca_file)
        return 0;
    if (SSL_CTX_load_verify_file(ctx, o->tls_client_ca_file) != 1)
        return err_set(err, ERR_INVALID, "cannot use %s as CA for client certificates: %s", o->tls_client_ca_file,
            openssl_reason());
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(o->tls_client_ca_file));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return 0;
}

int tls_context_new(void **ret, const struct httpd_options *o, struct err *err)
{
    static const unsigned char session[] = "serve";
    SSL_CTX *ctx;

    if (!o->tls_cert_file && !o->tls_key_file)
        return 0;
    if (!o->tls_cert_file || !o->tls_key_file)
        return err_set(err, ERR_INVALID, "a TLS server needs both a certificate file and a key file");
    ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return err_set(err, ERR_INTERNAL, "cannot set up TLS: %s", openssl_reason());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_id_context(ctx, session, sizeof(session) - 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    if (load(ctx, o, err) < 0) {
        SSL_CTX_free(ctx);
        return -1;
    }
    *ret = ctx;
    return 0;
}

void tls_context_free(void *context)
{
    SSL_CTX_free(context);
}

struct tls *tls_new(void *context)
{
    struct tls *t = xcalloc(1, sizeof(*t));

    t->ssl = SSL_new(context);
    t->rx = BIO_new(BIO_s_mem());
    t->tx = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->rx || !t->tx)
        abort(); /* out of memory, see base/mem.h */
    SSL_set_bio(t->ssl, t->rx, t->tx);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

bool tls_established(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

bool tls_chose_h2(const struct tls *t)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(t->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* 0: more bytes are needed. */
static int progress(struct tls *t, int result)
{
    int code = SSL_get_error(t->ssl, result);

    if (code == SSL_ERROR_WANT_READ)
        return 0;
    if (code != SSL_ERROR_ZERO_RETURN)
        log_debug("TLS connection failed", LOG_S("reason", openssl_reason()));
    ERR_clear_error();
    return -1;
}

int tls_feed(struct tls *t, const void *data, size_t len, struct buf *plain)
{
    char chunk[16 * 1024];
    int n;

    if (BIO_write(t->rx, data, (int)len) != (int)len)
        return -1;
    ERR_clear_error();
    if (!SSL_is_init_finished(t->ssl)) {
        n = SSL_do_handshake(t->ssl);
        if (n <= 0)
            return progress(t, n);
    }
    while ((n = SSL_read(t->ssl, chunk, sizeof(chunk))) > 0)
        buf_add(plain, chunk, (size_t)n);
    return progress(t, n);
}

void tls_write(struct tls *t, const void *data, size_t len)
{
    ERR_clear_error();
    if (len && SSL_write(t->ssl, data, (int)len) <= 0)
        log_debug("cannot encrypt an answer", LOG_S("reason", openssl_reason()));
}

void tls_end(struct tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl);
}

void tls_drain(struct tls *t, struct pipe *wire)
{
    char *data;
    long n = BIO_get_mem_data(t->tx, &data);

    if (n <= 0)
        return;
    pipe_add(wire, data, (size_t)n);
    (void)BIO_reset(t->tx);
}
