/* A certificate with its private key, and the assertions signed with it. Private to this folder.
 *
 * The key is held by OpenSSL, which wipes it when it is freed; the file's text and the password never leave here, and
 * no error repeats either. */
#pragma once

#include "base/err.h"
#include "base/secret.h"

#include <stdint.h>

struct certificate;

/* path: a PEM file with the certificate and its RSA key in any order, among other certificates if need be, the key
 * encrypted or not; or a PKCS#12 file. password: NULL when there is none. wall_ms: the time, to tell an expired
 * certificate. ERR_UNAUTHORIZED with a sentence that names the path and what is wrong. */
int certificate_load(
    struct certificate **ret, const char *path, const struct secret *password, int64_t wall_ms, struct err *err);
struct certificate *certificate_free(struct certificate *certificate); /* accepts and returns NULL */
DEFINE_CLEANUP(struct certificate *, certificate_free)

/* PS256 (RSASSA-PSS) is what Entra ID recommends; RS256 (PKCS #1 v1.5) is what everything understands. */
enum assertion_algorithm { ASSERTION_PS256, ASSERTION_RS256 };

/* A JWT (RFC 7523) by which the holder of the certificate says that it is client_id, to the token endpoint audience,
 * for ten minutes from wall_ms. *ret is the caller's. */
int certificate_assertion(const struct certificate *certificate, enum assertion_algorithm algorithm,
    const char *audience, const char *client_id, int64_t wall_ms, struct secret **ret, struct err *err);
