/* Tokens for this process.
 *
 * One credential is one identity (tenant and client). Tokens are cached per scope, fetched by one caller while others
 * wait, refreshed 5 minutes ahead of expiry by one caller while the others go on with the old one, and dropped when the
 * peer refuses them. They are wiped from memory when the last user lets go, and so are secrets, passwords, keys and
 * assertions; none of them is ever in an error. */
#pragma once

#include "azure/cloud.h"
#include "http/layer.h"

/* In the order in which they are tried, which is that of the Azure SDKs' DefaultAzureCredential. */
enum azure_credential_kind {
    AZURE_CLIENT_SECRET,
    AZURE_CLIENT_CERTIFICATE,
    AZURE_WORKLOAD_IDENTITY,
    AZURE_MANAGED_IDENTITY,
    AZURE_AZ_CLI,
};
#define AZURE_CREDENTIAL_KINDS (AZURE_AZ_CLI + 1)

/* For people: "client secret", "client certificate", "workload identity", "managed identity", "az CLI". */
const char *azure_credential_kind_name(enum azure_credential_kind kind);

struct azure_credential;

/* Everything is copied. NULL or "": not set. */
struct azure_credential_options {
    const char *tenant_id;            /* AZURE_TENANT_ID */
    const char *client_id;            /* AZURE_CLIENT_ID */
    const char *client_secret;        /* AZURE_CLIENT_SECRET */
    const char *federated_token_file; /* AZURE_FEDERATED_TOKEN_FILE: read again at each exchange */
    const char *certificate_path;     /* AZURE_CLIENT_CERTIFICATE_PATH: PEM or PKCS#12, read again at each exchange */
    const char *certificate_password; /* AZURE_CLIENT_CERTIFICATE_PASSWORD */
    /* Which user-assigned identity of the machine; at most one of them. Neither: the one of client_id, else the
     * system-assigned one, or the only one there is. */
    const char *managed_identity_client_id;
    const char *managed_identity_resource_id;
    const char *imds_endpoint; /* loopback or link-local only; default http://169.254.169.254 */
    const char *az_program;    /* default "az", looked for in $PATH */
    /* "auto" (default), or the one kind to use: "secret", "certificate", "workload-identity", "managed-identity",
     * "az-cli" */
    const char *kind;
    struct http_tls *tls;       /* trust for the authority host; NULL: the system's */
    const char *proxy;          /* on the way to it; NULL: none */
    struct http_cancel *cancel; /* ends azure_credential_new; borrowed for the call */
};

/* Chooses: the kind that is named, or the first that serves. The settings decide for the first three (a certificate is
 * loaded, to see whether it can be used); whether there is an instance metadata service is asked (two seconds at most),
 * and so is the az CLI (thirty). ERR_INVALID with one sentence that says, for each kind that was tried, why it does not
 * serve; ERR_CANCELLED.
 * http: borrowed, the bare engine (no auth layer). cloud: borrowed, must outlive the credential. */
int azure_credential_new(struct azure_credential **ret, struct http_client *http, const struct azure_cloud *cloud,
    const struct azure_credential_options *options, struct err *err);
struct azure_credential *azure_credential_free(struct azure_credential *credential); /* accepts and returns NULL */
DEFINE_CLEANUP(struct azure_credential *, azure_credential_free)
enum azure_credential_kind azure_credential_kind(const struct azure_credential *credential);
/* What was tried before the kind that was chosen, and why it did not serve; "" for the first or a named kind. Borrowed.
 */
const char *azure_credential_passed_over(const struct azure_credential *credential);

/* For http_auth_new; the credential must outlive the source. Errors: ERR_UNAUTHORIZED when Entra refuses (its
 * AADSTS text is in the message, its code "AADSTS7000215" in err.code), or a file, the instance metadata service or the
 * az CLI has no token for us; ERR_THROTTLED, ERR_UNAVAILABLE, ERR_PROTOCOL (a proxy's page instead of an answer), else
 * what the transport says; never with maybe_sent, because the request that wanted the token was not sent. */
struct http_token_source azure_credential_source(struct azure_credential *credential, const char *scope);
