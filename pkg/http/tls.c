/* Trust and identity of a connection: PEM text that was checked once, so that a bad certificate is reported where it
 * was configured and not as a failed handshake hours later. It verifies no peer: libcurl does, with these texts. */
#include "http/tls.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "http/url.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* OpenSSL would ask on the terminal otherwise. */
static int no_password(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static X509 *read_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

/* Every certificate in the text can be read and there is one at least. */
static bool has_certificates(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    size_t n = 0;

    for (X509 *x; bio && (x = read_certificate(bio)); n++)
        X509_free(x);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    ERR_clear_error();
    return n > 0 && at_end;
}

static int check_client(const char *cert_pem, const char *key_pem, struct err *err)
{
    BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1);
    BIO *key_bio = BIO_new_mem_buf(key_pem, -1);
    X509 *cert = cert_bio ? read_certificate(cert_bio) : NULL;
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, no_password, NULL) : NULL;
    int r = 0;

    if (!cert)
        r = err_set(err, ERR_INVALID, "the client certificate is not a PEM certificate");
    else if (!key)
        r = err_set(err, ERR_INVALID, "the client key is not an unencrypted PEM private key");
    else if (X509_check_private_key(cert, key) != 1)
        r = err_set(err, ERR_INVALID, "the client key does not belong to the client certificate");
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    ERR_clear_error();
    return r;
}

/* It becomes the host of a URL, so it has to look like one. */
static int check_server_name(const char *name, struct err *err)
{
    _cleanup_(freep) char *text = xasprintf(strchr(name, ':') ? "https://[%s]" : "https://%s", name);
    struct http_url url;

    if (http_url_parse(text, &url, NULL) < 0 || !str_eq_nocase(url.host, name))
        return err_set(err, ERR_INVALID, "the TLS server name is not a host name or an IP address");
    return 0;
}

int http_tls_new(struct http_tls **ret, const struct http_tls_options *options, struct err *err)
{
    const char *server_name = str_empty(options->server_name) ? NULL : options->server_name;

    if (options->ca_pem && !has_certificates(options->ca_pem))
        return err_set(err, ERR_INVALID, "the CA bundle holds no PEM certificate, or a damaged one");
    if (!options->client_cert_pem != !options->client_key_pem)
        return err_set(err, ERR_INVALID, "a client certificate and a client key are needed together");
    if (options->client_cert_pem && check_client(options->client_cert_pem, options->client_key_pem, err) < 0)
        return -1;
    if (server_name && check_server_name(server_name, err) < 0)
        return -1;

    struct http_tls *tls = xcalloc(1, sizeof(*tls));
    atomic_init(&tls->refs, 1);
    tls->ca_pem = xstrdup(options->ca_pem);
    tls->client_cert_pem = xstrdup(options->client_cert_pem);
    tls->client_key_pem = xstrdup(options->client_key_pem);
    tls->server_name = xstrdup(server_name);
    if (server_name)
        (void)str_lower(tls->server_name);
    *ret = tls;
    return 0;
}

struct http_tls *http_tls_ref(struct http_tls *tls)
{
    if (tls)
        atomic_fetch_add(&tls->refs, 1);
    return tls;
}

struct http_tls *http_tls_unref(struct http_tls *tls)
{
    if (!tls || atomic_fetch_sub(&tls->refs, 1) > 1)
        return NULL;
    if (tls->client_key_pem)
        secret_wipe(tls->client_key_pem, strlen(tls->client_key_pem));
    free(tls->ca_pem);
    free(tls->client_cert_pem);
    free(tls->client_key_pem);
    free(tls->server_name);
    free(tls);
    return NULL;
}
