/* Microsoft.KeyVault through ARM, api-version 2026-02-01 (all older ones of the control plane retire in February 2027):
 * vaults, managed HSMs, keys, access policies.
 *
 * Nothing here talks to a vault's own host: a URI of a vault or key is compared and never sent anything. The vault's
 * firewall does not apply to ARM, so what is read here says nothing about who may reach the vault.
 *
 * Errors as in arm.h. ERR_FORBIDDEN names the right that is missing and the scope it is missing at. */
#pragma once

#include "azure/arm.h"

#define VAULT_API_VERSION "2026-02-01"

/* The words of one list of an access policy, as Azure has them ("get", "wrapKey", "all"; case varies). */
struct vault_words {
    char **words;
    size_t n;
};

/* What a vault's access policies give one principal. All four lists are kept because what is sent to add to a policy
 * must also be right where it replaces it. */
struct vault_policy {
    bool found;
    struct vault_words keys, secrets, certificates, storage;
};

struct vault {
    char *id; /* as Azure spells it */
    char *name;
    char *uri; /* normalised (vault_uri_normalize) */
    char *tenant_id;
    bool managed_hsm; /* then there are no policies and no roles of ARM in it */
    bool soft_delete; /* absent means true: it can no longer be switched off */
    bool purge_protection;
    bool rbac; /* role assignments count, access policies do not */
    /* networkAcls; absent ones let everybody in */
    bool default_deny;
    bool trusted_bypass; /* bypass AzureServices, also when absent */
    size_t n_rules;      /* IP and virtual network rules */
    bool not_public;     /* publicNetworkAccess is Disabled or SecuredByPerimeter, or any other word than Enabled */
    struct vault_policy policy;
};
void vault_done(struct vault *vault); /* accepts a zeroed struct */

struct vault_key {
    char *uri;          /* normalised, without version */
    bool enabled;       /* absent means true */
    int64_t not_before; /* wall ms; 0: none */
    int64_t expires;    /* wall ms; 0: none */
    char *type;         /* kty: "RSA", "RSA-HSM", "EC", ... */
    bool may_wrap;      /* keyOps has wrapKey and unwrapKey, or is absent */
};
void vault_key_done(struct vault_key *key); /* accepts a zeroed struct */

/* URIs of vaults and keys in the form in which two of one thing are equal but for the case of the path: lower-case
 * scheme and host, no port 443, no trailing slash. NULL when it is no https URL. The caller frees it. Pure. */
char *vault_uri_normalize(const char *uri);
/* The vault's part of a key URI, normalised: "https://contoso.vault.azure.net". NULL as above. Pure. */
char *vault_uri_of_key(const char *key_uri);

/* Pure; ERR_PROTOCOL names the path. principal: whose policy is kept; NULL: nobody's. */
int vault_decode(struct vault *ret, const cJSON *tree, const char *principal, struct err *err);
int vault_key_decode(struct vault_key *ret, const cJSON *tree, struct err *err);

/* A vault or managed HSM by its id. Right: Microsoft.KeyVault/vaults/read (managedHSMs/read). *ret is zeroed on
 * failure. */
int vault_get(struct arm_client *client, const char *id, const char *principal, struct vault *ret, struct err *err);

/* The vault (or, when hsm, managed HSM) of a URI in a subscription. ERR_NOT_FOUND: the subscription has none, as a list
 * that is complete says. ERR_FORBIDDEN: there is none among those that we may read, and we may not read all. */
int vault_find(struct arm_client *client, const char *subscription, const char *uri, bool hsm, const char *principal,
    struct vault *ret, struct err *err);

/* A key's current version. Right: Microsoft.KeyVault/vaults/keys/read, the action of ARM and not the data action of the
 * same name. ERR_NOT_FOUND: there is no such key. */
int vault_key_get(
    struct arm_client *client, const struct vault *vault, const char *name, struct vault_key *ret, struct err *err);

/* The policy lets its principal use keys in this way ("get", "wrapKey", "unwrapKey"). Pure. */
bool vault_policy_allows(const struct vault_policy *policy, const char *word);

/* The body for accessPolicies/add that gives principal get, wrapKey and unwrapKey besides all that the vault's policy
 * has for it. The caller frees it. Pure. */
char *vault_policy_body(const struct vault *vault, const char *principal);
/* Sends it. vault must have been read just now for this principal. Right:
 * Microsoft.KeyVault/vaults/accessPolicies/write. Only for a vault without rbac: ERR_INVALID otherwise. */
int vault_policy_add(struct arm_client *client, const struct vault *vault, const char *principal, struct err *err);
