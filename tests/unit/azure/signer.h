/* Keys and self-signed certificates made by OpenSSL for a test, in the forms in which people keep them. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

struct signer {
    EVP_PKEY *key;
    X509 *x509;
};

/* Valid from and to so many seconds from now. */
static _unused_ struct signer signer_new(EVP_PKEY *key, long from_s, long to_s)
{
    struct signer s = {.key = key, .x509 = X509_new()};
    X509_NAME *name = X509_get_subject_name(s.x509);

    (void)X509_set_version(s.x509, X509_VERSION_3);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(s.x509), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(s.x509), from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(s.x509), to_s);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"cosmoscmk test", -1, -1, 0);
    (void)X509_set_issuer_name(s.x509, name);
    (void)X509_set_pubkey(s.x509, key);
    if (X509_sign(s.x509, key, EVP_sha256()) <= 0)
        abort();
    return s;
}

static _unused_ void signer_done(struct signer *s)
{
    X509_free(s->x509);
    EVP_PKEY_free(s->key);
}

static _unused_ void add_bio(struct buf *b, BIO *bio)
{
    char *data = NULL;
    long n = BIO_get_mem_data(bio, &data);

    buf_add(b, data, (size_t)n);
    (void)BIO_free(bio);
}

static _unused_ void add_certificate(struct buf *b, const struct signer *s)
{
    BIO *bio = BIO_new(BIO_s_mem());

    (void)PEM_write_bio_X509(bio, s->x509);
    add_bio(b, bio);
}

/* password NULL: not encrypted. */
static _unused_ void add_key(struct buf *b, const struct signer *s, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());

    (void)PEM_write_bio_PKCS8PrivateKey(
        bio, s->key, password ? EVP_aes_256_cbc() : NULL, password, password ? (int)strlen(password) : 0, NULL, NULL);
    add_bio(b, bio);
}

static _unused_ void add_pkcs12(struct buf *b, const struct signer *s, const char *password)
{
    PKCS12 *p12 = PKCS12_create(password, "test", s->key, s->x509, NULL, 0, 0, 0, 0, 0);
    BIO *bio = BIO_new(BIO_s_mem());

    (void)i2d_PKCS12_bio(bio, p12);
    PKCS12_free(p12);
    add_bio(b, bio);
}

/* base64url; bytes into ret, its length returned, 0 when it is none. */
static _unused_ size_t decode_base64url(const char *text, size_t len, unsigned char *ret, size_t size)
{
    size_t padded = (len + 3) / 4 * 4;
    char *copy = xmalloc(padded + 1);

    for (size_t i = 0; i < padded; i++)
        copy[i] = i >= len ? '=' : text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    int n = padded / 4 * 3 <= size ? EVP_DecodeBlock(ret, (const unsigned char *)copy, (int)padded) : -1;
    free(copy);
    return n < 0 ? 0 : (size_t)n - (padded - len);
}
