/* What the files of a credential share: its settings, and one function per kind. Private to this folder. */
#pragma once

#include "azure/credential.h"

#include <pthread.h>
#include <stdatomic.h>

struct azure_credential {
    enum azure_credential_kind kind;
    struct http_client *http;
    const struct azure_cloud *cloud;
    char *tenant_id;
    char *client_id;
    struct secret *client_secret;
    char *federated_token_file;
    char *certificate_path;
    struct secret *certificate_password;
    char *identity_client_id; /* of a managed identity */
    char *identity_resource_id;
    char *imds_endpoint;
    char *az_program;
    struct http_tls *tls;
    char *proxy;
    atomic_bool needs_rs256; /* Entra has refused PS256 and taken RS256 */
    char *passed_over;
    pthread_mutex_t lock; /* of the list */
    struct scope_tokens *scopes;
};

struct credential_kind {
    const char *word; /* as options and flags call it */
    const char *name; /* as people call it */
    /* Can it serve? -1 says why not. asked_for: it was named, so an answer that may still come is no reason. */
    int (*check)(
        const struct azure_credential *credential, bool asked_for, struct http_cancel *cancel, struct err *err);
    /* A new token for this scope. */
    int (*token)(struct azure_credential *credential, const char *scope, struct secret **ret, int64_t *ret_lifetime_ms,
        struct http_cancel *cancel, struct err *err);
};

extern const struct credential_kind credential_kinds[AZURE_CREDENTIAL_KINDS];

/* Sets credential->kind and passed_over. word: NULL for auto. */
int credential_choose(
    struct azure_credential *credential, const char *word, struct http_cancel *cancel, struct err *err);
