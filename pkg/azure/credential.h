/* Tokens from Entra ID.
 *
 * One credential is one identity of this process (tenant and client). Tokens are cached per scope, fetched by one
 * caller while others wait, refreshed 5 minutes ahead of expiry by one caller while the others go on with the old one,
 * and dropped when the peer refuses them. They are wiped from memory when the last user lets go.
 *
 * Kinds so far: client secret, and workload identity (a federated token file, read again at each exchange).
 * Certificates, managed identity and the az CLI's token take their place in enum azure_credential_kind and the table in
 * credential.c. */
#pragma once

#include "azure/cloud.h"
#include "http/layer.h"

enum azure_credential_kind { AZURE_CLIENT_SECRET, AZURE_WORKLOAD_IDENTITY };

struct azure_credential;

struct azure_credential_options {
    const char *tenant_id;            /* AZURE_TENANT_ID */
    const char *client_id;            /* AZURE_CLIENT_ID */
    const char *client_secret;        /* AZURE_CLIENT_SECRET */
    const char *federated_token_file; /* AZURE_FEDERATED_TOKEN_FILE */
    struct http_tls *tls;             /* trust for the authority host; NULL: the system's */
    const char *proxy;                /* NULL: none */
};

/* Chooses as the Azure SDKs' EnvironmentCredential and WorkloadIdentityCredential do: the secret when there is one,
 * else the federated token file. ERR_INVALID when neither serves: the sentence says what was tried and what is missing.
 * http: borrowed, the bare engine (no auth layer). cloud: borrowed, must outlive the credential. */
int azure_credential_new(struct azure_credential **ret, struct http_client *http, const struct azure_cloud *cloud,
    const struct azure_credential_options *options, struct err *err);
struct azure_credential *azure_credential_free(struct azure_credential *credential); /* accepts and returns NULL */
DEFINE_CLEANUP(struct azure_credential *, azure_credential_free)
enum azure_credential_kind azure_credential_kind(const struct azure_credential *credential);

/* For http_auth_new; the credential must outlive the source. Errors: ERR_UNAUTHORIZED when Entra refuses (its
 * AADSTS text is in the message, its code "AADSTS7000215" in err.code) or the token file cannot be used, ERR_THROTTLED,
 * ERR_UNAVAILABLE, ERR_PROTOCOL (a proxy's page instead of an answer), else what the transport says; never with
 * maybe_sent, because the request that wanted the token was not sent. */
struct http_token_source azure_credential_source(struct azure_credential *credential, const char *scope);
