/* Certificates by OpenSSL 3's EVP interface, and JSON Web Tokens by hand: a header, some claims, a signature.
 *
 * Format of the assertion: Microsoft Entra documentation, "Microsoft identity platform application authentication
 * certificate credentials". The header names the certificate by its thumbprint: x5t#S256, and for RS256 also the SHA-1
 * x5t, because what does not know PS256 may not know the other either. No chain is sent (x5c): the certificate itself
 * is what is registered with the application. */
#include "azure/certificate.h"

#include "azure/token_answer.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#define FILE_MAX ((size_t)256 * 1024)
#define CERTIFICATES_MAX 16
#define KEY_BITS_MIN 2048
#define LIFETIME_S 600
#define SKEW_S 300 /* our clock may be wrong by so much before we call a certificate expired ourselves */
#define JWT_MAX ((size_t)16 * 1024)

struct certificate {
    EVP_PKEY *key;
    X509 *x509;
};

struct certificate *certificate_free(struct certificate *certificate)
{
    if (!certificate)
        return NULL;
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
    free(certificate);
    return NULL;
}

/* --- reading --- */

/* What one reading needs; asked tells an encrypted key from a broken one. */
struct reading {
    const char *path;
    const struct secret *password;
    bool asked;
};

/* Never the terminal, which is what OpenSSL's own would ask. */
static int give_password(char *ret, int size, int writing _unused_, void *ctx)
{
    struct reading *reading = ctx;
    size_t n = reading->password ? secret_len(reading->password) : 0;

    reading->asked = true;
    if (n == 0 || n > (size_t)size)
        return -1;
    memcpy(ret, secret_reveal(reading->password), n);
    return (int)n;
}

static int no_key(const struct reading *reading, struct err *err)
{
    if (reading->asked && !reading->password)
        return err_set(err, ERR_UNAUTHORIZED,
            "the private key in %s is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD", reading->path);
    if (reading->asked)
        return err_set(err, ERR_UNAUTHORIZED,
            "AZURE_CLIENT_CERTIFICATE_PASSWORD does not open the private key in %s, or its cipher is not supported",
            reading->path);
    return err_set(err, ERR_UNAUTHORIZED, "%s holds no private key that can be read", reading->path);
}

static int read_pem_key(struct certificate *ret, const struct buf *file, struct reading *reading, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(file->data, (int)file->len);

    ret->key = PEM_read_bio_PrivateKey(bio, NULL, give_password, reading);
    (void)BIO_free(bio);
    return ret->key ? 0 : no_key(reading, err);
}

/* The certificate that belongs to the key: there may be those of its issuers in the file too, in any order. */
static int read_pem_certificate(
    struct certificate *ret, const struct buf *file, const struct reading *reading, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(file->data, (int)file->len);
    int seen = 0;

    while (!ret->x509 && seen < CERTIFICATES_MAX) {
        X509 *x509 = PEM_read_bio_X509(bio, NULL, give_password, (void *)reading);
        if (!x509)
            break;
        seen++;
        if (X509_check_private_key(x509, ret->key) == 1)
            ret->x509 = x509;
        else
            X509_free(x509);
    }
    (void)BIO_free(bio);
    if (ret->x509)
        return 0;
    if (seen == 0)
        return err_set(err, ERR_UNAUTHORIZED, "%s holds a private key but no certificate", reading->path);
    return err_set(err, ERR_UNAUTHORIZED, "the private key in %s belongs to no certificate in it", reading->path);
}

static int read_pkcs12(struct certificate *ret, const struct buf *file, const struct reading *reading, struct err *err)
{
    const unsigned char *p = (const unsigned char *)file->data;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file->len);
    const char *password = reading->password ? secret_reveal(reading->password) : "";

    if (!p12)
        return err_set(err, ERR_UNAUTHORIZED, "%s is neither a PEM nor a PKCS#12 file", reading->path);
    bool opened = PKCS12_verify_mac(p12, password, -1) == 1 || (!*password && PKCS12_verify_mac(p12, NULL, 0) == 1);
    int parsed = opened ? PKCS12_parse(p12, password, &ret->key, &ret->x509, NULL) : 0;
    PKCS12_free(p12);
    if (!opened)
        return err_set(err, ERR_UNAUTHORIZED, "AZURE_CLIENT_CERTIFICATE_PASSWORD %s the PKCS#12 file %s",
            reading->password ? "does not open" : "is not set, and is needed for", reading->path);
    if (parsed != 1)
        return err_set(err, ERR_UNAUTHORIZED,
            "the PKCS#12 file %s cannot be read: its cipher may be too old; convert it to PEM with openssl pkcs12 "
            "-legacy",
            reading->path);
    if (!ret->key || !ret->x509)
        return err_set(
            err, ERR_UNAUTHORIZED, "the PKCS#12 file %s lacks a private key or its certificate", reading->path);
    return 0;
}

static int check(const struct certificate *certificate, const char *path, int64_t wall_ms, struct err *err)
{
    time_t late = (time_t)(wall_ms / 1000 - SKEW_S), early = (time_t)(wall_ms / 1000 + SKEW_S);

    if (!EVP_PKEY_is_a(certificate->key, "RSA"))
        return err_set(err, ERR_UNAUTHORIZED, "the private key in %s is no RSA key, which Entra ID asks for", path);
    if (EVP_PKEY_get_bits(certificate->key) < KEY_BITS_MIN)
        return err_set(err, ERR_UNAUTHORIZED, "the private key in %s is shorter than %d bits", path, KEY_BITS_MIN);
    if (X509_cmp_time(X509_get0_notAfter(certificate->x509), &late) < 0)
        return err_set(err, ERR_UNAUTHORIZED, "the certificate in %s has expired", path);
    if (X509_cmp_time(X509_get0_notBefore(certificate->x509), &early) > 0)
        return err_set(err, ERR_UNAUTHORIZED, "the certificate in %s is not valid yet", path);
    return 0;
}

static int load(struct certificate *ret, const struct buf *file, struct reading *reading, struct err *err)
{
    if (!memmem(file->data, file->len, "-----BEGIN ", strlen("-----BEGIN ")))
        return read_pkcs12(ret, file, reading, err);
    if (read_pem_key(ret, file, reading, err) < 0)
        return -1;
    return read_pem_certificate(ret, file, reading, err);
}

int certificate_load(
    struct certificate **ret, const char *path, const struct secret *password, int64_t wall_ms, struct err *err)
{
    _cleanup_(token_buf_wipe) struct buf file = token_buf(FILE_MAX);
    _cleanup_(certificate_freep) struct certificate *certificate = xcalloc(1, sizeof(*certificate));
    struct reading reading = {.path = path, .password = password};

    if (file_read(path, &file, err) < 0) {
        if (err)
            err->kind = ERR_UNAUTHORIZED;
        return -1;
    }
    int r = load(certificate, &file, &reading, err);
    ERR_clear_error(); /* OpenSSL's queue of this thread, which the next user of it would take for its own */
    if (r < 0 || check(certificate, path, wall_ms, err) < 0)
        return -1;
    *ret = TAKE_PTR(certificate);
    return 0;
}

/* --- assertions --- */

static void put_base64url(struct buf *b, const void *data, size_t len)
{
    _cleanup_(freep) unsigned char *text = xmalloc(4 * (len / 3 + 1) + 1);
    int n = EVP_EncodeBlock(text, data, (int)len);

    for (int i = 0; i < n && text[i] != '='; i++)
        buf_putc(b, text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i]);
    secret_wipe(text, (size_t)n);
}

static void put_thumbprint(struct buf *json, const char *name, const EVP_MD *md, const X509 *x509)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    (void)X509_digest(x509, md, digest, &n);
    buf_printf(json, ",\"%s\":\"", name);
    put_base64url(json, digest, n);
    buf_putc(json, '"');
}

static void put_header(struct buf *jwt, const X509 *x509, enum assertion_algorithm algorithm)
{
    _cleanup_(buf_done) struct buf json = BUF_INIT(JWT_MAX);

    buf_printf(&json, "{\"alg\":\"%s\",\"typ\":\"JWT\"", algorithm == ASSERTION_PS256 ? "PS256" : "RS256");
    put_thumbprint(&json, "x5t#S256", EVP_sha256(), x509);
    if (algorithm == ASSERTION_RS256)
        put_thumbprint(&json, "x5t", EVP_sha1(), x509);
    buf_putc(&json, '}');
    put_base64url(jwt, json.data, json.len);
}

static void put_claims(struct buf *jwt, const char *audience, const char *client_id, int64_t now_s)
{
    _cleanup_(buf_done) struct buf json = BUF_INIT(JWT_MAX);
    char jti[UUID_SIZE];

    random_uuid(jti);
    buf_puts(&json, "{\"aud\":");
    buf_put_json_string(&json, audience, strlen(audience));
    buf_puts(&json, ",\"iss\":");
    buf_put_json_string(&json, client_id, strlen(client_id));
    buf_puts(&json, ",\"sub\":");
    buf_put_json_string(&json, client_id, strlen(client_id));
    buf_printf(&json, ",\"jti\":\"%s\",\"nbf\":%lld,\"iat\":%lld,\"exp\":%lld}", jti, (long long)now_s,
        (long long)now_s, (long long)now_s + LIFETIME_S);
    put_base64url(jwt, json.data, json.len);
}

static bool pad_for(EVP_PKEY_CTX *ctx, enum assertion_algorithm algorithm)
{
    if (algorithm == ASSERTION_RS256)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

/* Over all that is in jwt so far. */
static bool put_signature(struct buf *jwt, EVP_PKEY *key, enum assertion_algorithm algorithm)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL; /* belongs to md */
    unsigned char signature[2048];
    size_t n = sizeof(signature);

    bool ok = EVP_DigestSignInit_ex(md, &ctx, "SHA256", NULL, NULL, key, NULL) == 1 && pad_for(ctx, algorithm) &&
              EVP_DigestSign(md, signature, &n, (const unsigned char *)jwt->data, jwt->len) == 1;
    EVP_MD_CTX_free(md);
    if (ok) {
        buf_putc(jwt, '.');
        put_base64url(jwt, signature, n);
    }
    secret_wipe(signature, sizeof(signature));
    return ok;
}

int certificate_assertion(const struct certificate *certificate, enum assertion_algorithm algorithm,
    const char *audience, const char *client_id, int64_t wall_ms, struct secret **ret, struct err *err)
{
    _cleanup_(token_buf_wipe) struct buf jwt = token_buf(JWT_MAX);

    put_header(&jwt, certificate->x509, algorithm);
    buf_putc(&jwt, '.');
    put_claims(&jwt, audience, client_id, wall_ms / 1000);
    bool ok = put_signature(&jwt, certificate->key, algorithm);
    ERR_clear_error();
    if (!ok || jwt.overflow)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot sign with the certificate's private key");
    *ret = secret_new(jwt.data, jwt.len);
    return 0;
}
