/* Keys and certificates, by OpenSSL: read from PEM text, or made. */
#include "serve/tls.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#define MAX_CHAIN 16
#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

static void bio_free(BIO **bio)
{
    (void)BIO_free(*bio);
}

void serve_pair_done(struct serve_pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->cert);
    sk_X509_pop_free(pair->chain, X509_free);
    *pair = (struct serve_pair){0};
}

/* ---- read ---- */

/* Nobody is asked on a terminal. */
static int no_password(char *ret, int size, int for_writing, void *ctx)
{
    (void)ret;
    (void)size;
    (void)for_writing;
    *(bool *)ctx = true;
    return -1;
}

static int read_certificates(struct serve_pair *pair, const char *pem, size_t len, struct err *err)
{
    _cleanup_(bio_free) BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *next;

    pair->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!pair->cert)
        return err_set(err, ERR_INVALID, "the certificate file holds no PEM certificate");
    pair->chain = sk_X509_new_null();
    while (pair->chain && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (sk_X509_num(pair->chain) < MAX_CHAIN && sk_X509_push(pair->chain, next))
            continue;
        X509_free(next);
        return err_set(err, ERR_INVALID, "the certificate file holds more than %d certificates", MAX_CHAIN + 1);
    }
    return 0;
}

static int read_key(struct serve_pair *pair, const char *pem, size_t len, struct err *err)
{
    _cleanup_(bio_free) BIO *bio = BIO_new_mem_buf(pem, (int)len);
    bool encrypted = false;

    pair->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    if (encrypted)
        return err_set(err, ERR_INVALID, "the key is encrypted; a key without a password is needed");
    if (!pair->key)
        return err_set(err, ERR_INVALID, "the key file holds no PEM private key");
    if (X509_check_private_key(pair->cert, pair->key) != 1)
        return err_set(err, ERR_INVALID, "the key is not that of the certificate");
    return 0;
}

int serve_pair_parse(
    struct serve_pair *ret, const char *cert_pem, size_t cert_len, const char *key_pem, size_t key_len, struct err *err)
{
    struct serve_pair pair = {0};
    int r = read_certificates(&pair, cert_pem, cert_len, err) < 0 ? -1 : read_key(&pair, key_pem, key_len, err);

    ERR_clear_error(); /* the end of the chain is an error to OpenSSL, and would be taken for one of the handshake */
    if (r < 0) {
        serve_pair_done(&pair);
        return -1;
    }
    *ret = pair;
    return 0;
}

/* ---- made ---- */

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

/* Only what can stand in a certificate and in OpenSSL's little language for extensions. */
static bool is_host_name(const char *name)
{
    return *name && strlen(name) < 64 &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")];
}

static bool add_names(X509 *cert)
{
    char host[256] = "";
    X509_NAME *name = X509_get_subject_name(cert);

    if (gethostname(host, sizeof(host) - 1) != 0 || !is_host_name(host))
        host[0] = '\0';
    _cleanup_(freep) char *names = xasprintf("DNS:localhost%s%s,IP:127.0.0.1,IP:::1", host[0] ? ",DNS:" : "", host);
    const unsigned char *common = (const unsigned char *)(host[0] ? host : "localhost");
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0) &&
           X509_set_issuer_name(cert, name) && add_extension(cert, NID_subject_alt_name, names);
}

static bool fill(X509 *cert, EVP_PKEY *key, int64_t now_s)
{
    uint64_t serial;

    random_bytes(&serial, sizeof(serial));
    return X509_set_version(cert, X509_VERSION_3) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), (serial >> 1) | 1) &&
           ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - HOUR_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + (int64_t)SELF_SIGNED_DAYS * DAY_S)) &&
           X509_set_pubkey(cert, key) && add_names(cert) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") && X509_sign(cert, key, EVP_sha256()) > 0;
}

int serve_pair_make(struct serve_pair *ret, int64_t wall_ms, struct err *err)
{
    struct serve_pair pair = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};

    if (pair.key && pair.cert && fill(pair.cert, pair.key, wall_ms / 1000)) {
        *ret = pair;
        return 0;
    }
    ERR_clear_error();
    serve_pair_done(&pair);
    return err_set(err, ERR_INTERNAL, "OpenSSL cannot make a certificate");
}
