/* How the controller comes to read an account's data: which endpoint, as a token's bearer or with a key. */
#pragma once

#include "azure/credential.h"
#include "azure/gateway.h"

/* All borrowed; must outlive what is opened. */
struct scan_access {
    struct http_client *arm_http; /* with auth, as the ARM client has it */
    struct http_client *http;     /* the bare engine */
    const struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct http_tls *tls;      /* may be NULL */
    const char *proxy;         /* may be NULL */
    const char *loopback_host; /* see gateway.h; NULL in production */
    bool allow_account_keys;   /* may ask ARM for the account's read-only key */
};

/* For scanner_options.open, with a struct scan_access as ctx; also for the subcommand. Reads the account from ARM. An
 * account of the API for NoSQL is read with a token when that works, else with its read-only key when that is allowed;
 * other APIs take keys only. ERR_INVALID for Cassandra, ERR_FORBIDDEN with a sentence when neither way is open. */
int scan_access_open(
    void *ctx, const char *account_id, struct http_cancel *cancel, struct gateway **ret, struct err *err);
