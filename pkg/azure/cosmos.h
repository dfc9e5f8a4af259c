/* Microsoft.DocumentDB/databaseAccounts through ARM, api-version 2025-10-15 (the newest with recorded traffic). */
#pragma once

#include "azure/arm.h"
#include "base/secret.h"

#define COSMOS_API_VERSION "2025-10-15"

struct cosmos_identity {
    char *id;
    char *principal_id; /* the object id that rights are granted to; NULL: not said */
    char *client_id;    /* NULL: not said */
};

struct cosmos_account {
    char *id;
    char *name;
    char *location;
    char *kind;               /* GlobalDocumentDB, MongoDB, Parse */
    char *api_types;          /* EnabledApiTypes as sent, or NULL */
    char *provisioning_state; /* absent means Succeeded (ARM RPC) */
    char *key_uri;            /* keyVaultKeyUri; NULL when absent, null or "" */
    char *key_uri_version;    /* keyVaultKeyUriVersion, or NULL */
    char *cmk_status;         /* customerManagedKeyStatus, or NULL */
    char *default_identity;   /* or NULL */
    char *identity_type;      /* identity.type, "None" when absent */
    char *backup_policy;      /* backupPolicy.type, or NULL */
    char *sql_endpoint;       /* sqlEndpoint, else documentEndpoint */
    bool local_auth_disabled; /* disableLocalAuth: the account takes no keys */
    bool analytical_storage;
    bool materialized_views;        /* true only when the answer shows it */
    bool full_fidelity_change_feed; /* enableFullFidelityChangeFeed or enableAllVersionsAndDeletesChangeFeed */
    char *system_principal_id;      /* of the system-assigned identity, or NULL */
    char *tenant_id;                /* of the identities, or NULL */
    struct cosmos_identity *user_identities;
    size_t n_user_identities;
    char **capabilities; /* names, n of them */
    size_t n_capabilities;
};
void cosmos_account_done(struct cosmos_account *account); /* accepts a zeroed struct */

/* Decodes a body of GET or PATCH; caps on every list (256). ERR_PROTOCOL, naming the path, when it is no account or a
 * value has another type than expected; *ret is untouched then. Pure. */
int cosmos_account_decode(struct cosmos_account *ret, const char *body, size_t len, struct err *err);
int cosmos_account_decode_tree(struct cosmos_account *ret, const cJSON *tree, struct err *err);

/* ERR_PROTOCOL also when the answer is about an account of another name. *ret is zeroed on failure. */
int cosmos_account_get(struct arm_client *client, const struct arm_id *id, struct cosmos_account *ret, struct err *err);

/* Every account of a subscription, or of one resource group (NULL: all). on_account may move what it wants out of the
 * account; -1 with *err ends the list and is its result. An account that cannot be decoded is passed over: it may be
 * anybody's, and whom it concerns reads it by itself. Right: Microsoft.DocumentDB/databaseAccounts/read at that scope.
 */
int cosmos_account_list(struct arm_client *client, const char *subscription, const char *resource_group,
    int (*on_account)(void *data, struct cosmos_account *account, struct err *err), void *data, struct err *err);

/* POST readonlykeys: the primary read-only key in base64, which opens all of the account's data for reading. *ret is
 * the caller's (secret_unref). ERR_FORBIDDEN names the right that is missing. It changes nothing, so maybe_sent is
 * never set. */
int cosmos_account_read_only_key(
    struct arm_client *client, const struct arm_id *id, struct secret **ret, struct err *err);

/* What a PATCH that was accepted tells. */
struct cosmos_accepted {
    char *status_url;   /* Azure-AsyncOperation, checked; NULL when the answer had none (then the account is the only
                           source) */
    char *operation_id; /* the guid of the status URL's path, or NULL */
    char *correlation_id;
    struct cosmos_account account; /* as answered: still the old values, provisioningState Updating; all zero (id NULL)
                                      when the answer had no readable account */
};
void cosmos_accepted_done(struct cosmos_accepted *accepted);

/* PATCH with exactly this body. correlation: the caller's id for it (a GUID), or NULL. Any status from 200 to 299 is
 * acceptance (recorded: 200 and 202), and then the call succeeds: a status URL that is not trusted, or a body that is
 * no account, is dropped with a warning in ret_warning (kind ERR_NONE otherwise; may be NULL). On failure ret holds
 * only the correlation id. ret is the caller's (cosmos_accepted_done) in either case. */
int cosmos_account_patch(struct arm_client *client, const struct arm_id *id, const char *body, const char *correlation,
    struct cosmos_accepted *ret, struct err *ret_warning, struct err *err);

/* The three bodies, each the caller's to free. They send one thing each because the service loses or refuses combined
 * updates. */
char *cosmos_body_key(const char *key_uri);                       /* {"properties":{"keyVaultKeyUri":"..."}} */
char *cosmos_body_default_identity(const char *default_identity); /* {"properties":{"defaultIdentity":"..."}} */
char *cosmos_body_identity(
    const char *type, const char *user_identity_id); /* {"identity":{"type":...[,"userAssignedIdentities":{id:{}}]}} */
