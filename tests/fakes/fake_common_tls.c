/* A certificate authority for one run: made anew at each start, in a directory that the test names.
 *
 * EC P-256 keys, because making RSA keys takes long enough to be felt in a suite of many starts. */
#include "base/mem.h"
#include "base/random.h"
#include "fakes/fake_common.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALID_SECONDS (30L * 24 * 3600)

static void cert_freep(X509 **cert)
{
    X509_free(*cert);
}

static void key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

struct cert_spec {
    const char *common_name;
    const char *organization; /* or NULL */
    const char *alt_names;    /* or NULL */
    const char *basic_constraints;
    const char *key_usage;
    const char *extended_key_usage; /* or NULL */
};

static int openssl_failed(struct err *err, const char *what)
{
    return err_set(err, ERR_INTERNAL, "OpenSSL cannot %s", what);
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    if (!value)
        return 0;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension)
        return -1;
    int added = X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return added == 1 ? 0 : -1;
}

static int name_subject(X509 *cert, const struct cert_spec *spec)
{
    X509_NAME *name = X509_get_subject_name(cert);
    const unsigned char *org = (const unsigned char *)spec->organization;
    const unsigned char *cn = (const unsigned char *)spec->common_name;

    if (org && X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, org, -1, -1, 0) != 1)
        return -1;
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0) == 1 ? 0 : -1;
}

/* Two certificates of one issuer must not share a serial number, or clients refuse the second. */
static int set_serial(X509 *cert)
{
    uint64_t serial = 0;

    random_bytes(&serial, sizeof(serial));
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), (serial >> 1) + 1) == 1 ? 0 : -1;
}

/* issuer and issuer_key NULL: self-signed. */
static X509 *make_cert(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const struct cert_spec *spec)
{
    _cleanup_(cert_freep) X509 *cert = X509_new();
    X509 *signer = issuer ? issuer : cert;

    if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || set_serial(cert) < 0 || name_subject(cert, spec) < 0)
        return NULL;
    /* An hour back, so that a clock that runs a little behind does not refuse the certificate. */
    if (!X509_gmtime_adj(X509_getm_notBefore(cert), -3600) || !X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS))
        return NULL;
    if (X509_set_issuer_name(cert, X509_get_subject_name(signer)) != 1 || X509_set_pubkey(cert, key) != 1)
        return NULL;
    if (add_extension(cert, signer, NID_basic_constraints, spec->basic_constraints) < 0 ||
        add_extension(cert, signer, NID_key_usage, spec->key_usage) < 0 ||
        add_extension(cert, signer, NID_ext_key_usage, spec->extended_key_usage) < 0 ||
        add_extension(cert, signer, NID_subject_key_identifier, "hash") < 0 ||
        add_extension(cert, signer, NID_authority_key_identifier, "keyid") < 0 ||
        add_extension(cert, signer, NID_subject_alt_name, spec->alt_names) < 0)
        return NULL;
    if (X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) == 0)
        return NULL;
    return TAKE_PTR(cert);
}

static FILE *open_in(const char *dir, const char *name, const char *suffix, mode_t mode, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s%s", dir, name, suffix);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        (void)err_set(err, ERR_INVALID, "cannot write %s: %s", path, strerror(errno));
    return f;
}

/* NAME.pem with cert and, when given, the one that signed it; NAME.key. */
static int write_pair(const char *dir, const char *name, X509 *cert, X509 *issuer, EVP_PKEY *key, struct err *err)
{
    FILE *f = open_in(dir, name, ".pem", 0644, err);

    if (!f)
        return -1;
    bool good = PEM_write_X509(f, cert) == 1 && (!issuer || PEM_write_X509(f, issuer) == 1);
    if (fclose(f) != 0 || !good)
        return openssl_failed(err, "write a certificate");
    f = open_in(dir, name, ".key", 0600, err);
    if (!f)
        return -1;
    good = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    return fclose(f) == 0 && good ? 0 : openssl_failed(err, "write a key");
}

static int issue(
    const char *dir, const char *file, X509 *ca, EVP_PKEY *ca_key, const struct cert_spec *spec, struct err *err)
{
    _cleanup_(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(cert_freep) X509 *cert = key ? make_cert(key, ca, ca_key, spec) : NULL;

    if (!cert)
        return openssl_failed(err, "make a certificate");
    return write_pair(dir, file, cert, ca, key, err);
}

int fake_tls_generate(const char *dir, struct err *err)
{
    static const struct cert_spec authority = {.common_name = "authority of the fakes",
        .basic_constraints = "critical,CA:TRUE",
        .key_usage = "critical,keyCertSign,cRLSign"};
    static const struct cert_spec server = {.common_name = "localhost",
        .alt_names = "DNS:localhost,IP:127.0.0.1,IP:::1",
        .basic_constraints = "critical,CA:FALSE",
        .key_usage = "critical,digitalSignature",
        .extended_key_usage = "serverAuth"};

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_INVALID, "cannot make %s: %s", dir, strerror(errno));
    _cleanup_(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(cert_freep) X509 *ca = key ? make_cert(key, NULL, NULL, &authority) : NULL;
    if (!ca)
        return openssl_failed(err, "make a certificate authority");
    if (write_pair(dir, "ca", ca, NULL, key, err) < 0)
        return -1;
    return issue(dir, "server", ca, key, &server, err);
}

static FILE *open_ca(const char *dir, const char *suffix, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/ca%s", dir, suffix);
    FILE *f = fopen(path, "re");

    if (!f)
        (void)err_set(err, ERR_INVALID, "cannot read %s: %s", path, strerror(errno));
    return f;
}

int fake_tls_client(
    const char *dir, const char *name, const char *common_name, const char *organization, struct err *err)
{
    const struct cert_spec client = {.common_name = common_name,
        .organization = organization,
        .basic_constraints = "critical,CA:FALSE",
        .key_usage = "critical,digitalSignature",
        .extended_key_usage = "clientAuth"};
    FILE *f = open_ca(dir, ".pem", err);

    if (!f)
        return -1;
    _cleanup_(cert_freep) X509 *ca = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    f = open_ca(dir, ".key", err);
    if (!f)
        return -1;
    _cleanup_(key_freep) EVP_PKEY *ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    (void)fclose(f);
    if (!ca || !ca_key)
        return openssl_failed(err, "read the certificate authority");
    return issue(dir, name, ca, ca_key, &client, err);
}
