/* Who we are to the API server at this moment. Internal to pkg/kube.
 *
 * A static token, a token file (read again at most once a minute, and after a 401; the CA's file with it), an exec
 * plugin (run again when its credential has expired, and after a 401), a client certificate, or nobody. Safe for any
 * number of threads; while a plugin runs, others that need it wait. */
#pragma once

#include "http/layer.h"
#include "kube/config.h"

struct kube_credentials;

int kube_credentials_new(struct kube_credentials **ret, const struct kube_config *config, struct err *err);
struct kube_credentials *kube_credentials_free(struct kube_credentials *credentials); /* accepts and returns NULL */
DEFINE_CLEANUP(struct kube_credentials *, kube_credentials_free)

/* The trust and certificate for the next request (the caller's, http_tls_unref), and whether a token goes with it. */
int kube_credentials_tls(struct kube_credentials *credentials, struct http_tls **ret, bool *ret_has_token,
    struct http_cancel *cancel, struct err *err);
/* For the auth layer; valid as long as the credentials. */
struct http_token_source kube_credentials_tokens(struct kube_credentials *credentials);
/* The server answered 401 to the certificate alone. */
void kube_credentials_refused(struct kube_credentials *credentials);
