/* One token exchange with Entra ID, OAuth 2.0 client credentials. Private to this folder.
 *
 * The secret and the assertion go into the request's body and nowhere else: buffers that held them are wiped, and no
 * error repeats them, even when the peer echoes them. */
#pragma once

#include "base/secret.h"
#include "http/http.h"

struct entra_request {
    struct http_client *http; /* no auth layer */
    struct http_tls *tls;     /* may be NULL */
    const char *proxy;        /* may be NULL */
    struct http_cancel *cancel;
    const char *authority_host; /* without final slash */
    const char *tenant_id;
    const char *client_id;
    const char *scope;
    const struct secret *credential;
    bool is_assertion; /* the credential is a signed assertion (JWT) and no client secret */
};

/* *ret: the caller's (secret_unref). Kinds: ERR_UNAUTHORIZED when Entra refuses, with its code in err.code;
 * ERR_THROTTLED, ERR_UNAVAILABLE, ERR_PROTOCOL, and what http_do reports. */
int entra_token(const struct entra_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err);

/* The endpoint that entra_token asks, which a signed assertion has to name as its audience. The caller frees it. */
char *entra_token_url(const char *authority_host, const char *tenant_id);
