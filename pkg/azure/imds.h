/* Tokens of a managed identity, from the instance metadata service of an Azure machine (IMDS). Private to this folder.
 *
 * The service is at a link-local address, over plain HTTP, and nothing but the machine itself may ask it: no proxy is
 * ever used, and no other kind of address is accepted. */
#pragma once

#include "base/secret.h"
#include "http/http.h"

#define IMDS_ENDPOINT "http://169.254.169.254"

struct imds_request {
    struct http_client *http; /* no auth layer */
    struct http_cancel *cancel;
    const char *endpoint;    /* without final slash */
    const char *scope;       /* as for Entra ID, with /.default at its end */
    const char *client_id;   /* of a user-assigned identity; NULL: the system-assigned one, or the only one there is */
    const char *resource_id; /* of a user-assigned identity; NULL */
    /* Waits, and returns true when it was told to stop before; http_cancel_wait but in tests */
    bool (*wait)(struct http_cancel *cancel, int64_t ms);
};

/* ERR_INVALID unless it is http:// and a numeric loopback or link-local address, or localhost, without a path. */
int imds_endpoint_check(const char *endpoint, struct err *err);

/* Does the service answer here at all? One question of at most two seconds. ERR_UNAVAILABLE says that it does not. */
int imds_probe(const struct imds_request *request, struct err *err);

/* *ret: the caller's (secret_unref). Asks again, for up to a minute and a half, while the service says that it is not
 * ready (404, 410, 429, 5xx) or cannot be reached. ERR_UNAUTHORIZED: there is no such identity on this machine, in the
 * service's own words; ERR_THROTTLED, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CANCELLED, ERR_PROTOCOL. */
int imds_token(const struct imds_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err);
