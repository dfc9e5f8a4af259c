/* Certificates for the tests of TLS, and a server that uses them. */
#pragma once

#include "rig.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static struct rig rig;
static char folder[] = "/tmp/serve-h2-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64];

/* A key and a certificate signed with itself, for 127.0.0.1. */
static inline void write_pair(const char *cert_file, const char *key_file)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *f = fopen(cert_file, "w"), *g = fopen(key_file, "w");

    assert_true(pair && san && f && g);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cert_file, -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_add_ext(x, san, -1);
    assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
    PEM_write_X509(f, x);
    PEM_write_PrivateKey(g, pair, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    fclose(g);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static inline int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert", folder);
    (void)snprintf(key, sizeof(key), "%s/key", folder);
    (void)snprintf(other_cert, sizeof(other_cert), "%s/cert2", folder);
    (void)snprintf(other_key, sizeof(other_key), "%s/key2", folder);
    write_pair(cert, key);
    write_pair(other_cert, other_key);
    return 0;
}

static inline int remove_certificates(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    unlink(other_cert);
    unlink(other_key);
    return rmdir(folder);
}

static inline int setup(void **state)
{
    (void)state;
    rig_start(&rig, (struct httpd_options){.tls_cert_file = cert, .tls_key_file = key, .max_body = 300000});
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}
