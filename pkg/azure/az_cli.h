/* The token of whoever is logged in to the az CLI, for a controller or a command that runs on a person's own machine.
 * Private to this folder. */
#pragma once

#include "base/secret.h"
#include "http/http.h"

struct az_cli_request {
    const char *program;        /* "az": looked for in $PATH */
    const char *scope;          /* nothing but letters, digits and - _ . : / */
    const char *tenant_id;      /* NULL: that of the login */
    struct http_cancel *cancel; /* may be NULL */
};

/* *ret: the caller's (secret_unref). ERR_UNAUTHORIZED with what to do: az is not installed, nobody is logged in, or az
 * says something else; ERR_TIMEOUT after 30 seconds, ERR_TOO_LARGE, ERR_CANCELLED, ERR_PROTOCOL. */
int az_cli_token(const struct az_cli_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err);
