/* The certificate that a server shows: from files that may change, or made here. Private to this folder.
 *
 * Everything happens at a handshake, on the server's thread: that is when the files are looked at again, and when a
 * certificate made here is made anew. So there is no thread, timer or signal of its own. */
#pragma once

#include "base/err.h"

#include <openssl/ssl.h>

#define SELF_SIGNED_DAYS 365
#define SELF_SIGNED_RENEW_DAYS 120 /* left when another one is made */

/* A key with its certificate and the chain above it. */
struct serve_pair {
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * chain;
};
void serve_pair_done(struct serve_pair *pair);
/* ERR_INVALID says what is wrong with which text: no certificate, no key, an encrypted key, two that do not fit. */
int serve_pair_parse(struct serve_pair *ret, const char *cert_pem, size_t cert_len, const char *key_pem, size_t key_len,
    struct err *err);
/* ECDSA P-256, for "localhost", the host's name and the loopback addresses; valid from an hour before wall_ms. */
int serve_pair_make(struct serve_pair *ret, int64_t wall_ms, struct err *err);

struct serve_tls;

struct serve_tls_options {
    const char *cert_file; /* NULL: made here; borrowed for the call */
    const char *key_file;
    int64_t check_ms; /* 0: 2000 */
    void (*changed)(void *ctx, const struct err *err);
    void *ctx;
    int64_t (*wall_ms)(void); /* NULL: the system's clock */
};

/* Fails when there is no usable certificate now; the error names the files. */
int serve_tls_new(struct serve_tls **ret, const struct serve_tls_options *options, struct err *err);
struct serve_tls *serve_tls_free(struct serve_tls *tls); /* accepts and returns NULL */
/* For the SSL_CTX of a server; nonzero when OpenSSL refuses. tls must outlive it. */
int serve_tls_install(struct serve_tls *tls, SSL_CTX *ctx);
/* What a handshake now would show; borrowed until the next call. */
const struct serve_pair *serve_tls_current(struct serve_tls *tls);
