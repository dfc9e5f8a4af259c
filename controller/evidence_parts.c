/* Whose access counts, in which vault the key is, and what the one has in the other. */
#include "controller/evidence_private.h"

#include "azure/managed_identity.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"

#include <string.h>

/* --- the principal --- */

static const char *wanted_identity(const struct evidence_search *search)
{
    const char *wanted = search->spec->default_identity;

    return str_empty(wanted) ? search->account->default_identity : wanted;
}

/* What the account itself says of an identity that is attached; needs no other right. */
static const char *attached_principal(const struct cmk_account *account, const char *identity_id)
{
    for (size_t i = 0; account->user_principal_ids && i < account->n_user_identities; i++)
        if (str_eq_nocase(account->user_identities[i], identity_id))
            return account->user_principal_ids[i];
    return NULL;
}

/* Applications "Azure Cosmos DB"; the object ids of their service principals differ from tenant to tenant. */
#define COSMOS_APP "a232010e-820c-4083-83bb-3ace5fc29d0b"
#define COSMOS_APP_GOVERNMENT "57506a73-e302-42a9-b869-6f12d9ec29e9"

static int first_party(const struct evidence_search *search, char **ret, struct err *err)
{
    const char *id = search->options->cosmos_principal_id;

    if (str_empty(id))
        return err_set(err, ERR_INVALID,
            "the object id of the first-party identity is not known; set --cosmos-principal-id to the output of `az ad "
            "sp show --id " COSMOS_APP " --query id` (" COSMOS_APP_GOVERNMENT " in Azure Government)");
    /* Azure would take an application id in a grant, which then has no effect. */
    if (!str_is_guid(id) || str_eq_nocase(id, COSMOS_APP) || str_eq_nocase(id, COSMOS_APP_GOVERNMENT))
        return err_set(err, ERR_INVALID,
            "--cosmos-principal-id has to be the object id of the tenant's service principal \"Azure Cosmos DB\", and "
            "not an application id or anything else");
    *ret = xstrdup(id);
    return 0;
}

static int system_assigned(const struct evidence_search *search, char **ret, struct err *err)
{
    const char *id = search->account->system_principal_id;

    if (!id || !str_is_guid(id))
        return err_set(err, ERR_INVALID,
            "the account has no system-assigned identity yet, and its principal is known once it has");
    *ret = xstrdup(id);
    return 0;
}

static int user_assigned(const struct evidence_search *search, const char *identity_id, char **ret, struct err *err)
{
    _cleanup_(managed_identity_done) struct managed_identity identity = {0};
    const char *known = attached_principal(search->account, identity_id);

    if (known) {
        *ret = xstrdup(known);
        return 0;
    }
    if (managed_identity_get(search->client, identity_id, &identity, err) < 0)
        return -1;
    *ret = TAKE_PTR(identity.principal_id);
    return 0;
}

int evidence_principal(const struct evidence_search *search, char **ret, struct err *err)
{
    const char *identity = wanted_identity(search);
    const char *user = cmk_user_identity_of(identity);

    *ret = NULL;
    if (cmk_identity_is_first_party(identity))
        return first_party(search, ret, err);
    if (strchr(identity, '&'))
        return err_set(err, ERR_INVALID,
            "the default identity reaches a vault of another tenant (FederatedClientId), which cannot be looked at");
    if (user)
        return user_assigned(search, user, ret, err);
    if (str_eq_nocase(identity, "SystemAssignedIdentity"))
        return system_assigned(search, ret, err);
    return err_set(err, ERR_INVALID, "whom the default identity %.200s stands for is not known", identity);
}

/* --- the vault --- */

const char *evidence_key_name(const struct cmk_spec *spec)
{
    return strrchr(spec->key_uri, '/') + 1;
}

int evidence_vault(const struct evidence_search *search, const char *principal, struct vault *ret, struct err *err)
{
    const char *subscription = search->account_id->subscription, *id = search->spec->key_vault_id;
    _cleanup_(freep) char *uri = vault_uri_of_key(search->spec->key_uri);

    *ret = (struct vault){0};
    if (!uri)
        return err_set(err, ERR_INVALID, "spec.keyVaultKeyUri names no vault");
    if (str_empty(id)) {
        bool hsm = str_has_suffix_nocase(uri, search->options->cloud->hsm_suffix);
        return vault_find(search->client, subscription, uri, hsm, principal, ret, err);
    }
    if (vault_get(search->client, id, principal, ret, err) < 0)
        return -1;
    if (str_eq_nocase(ret->uri, uri))
        return 0;
    (void)err_set(
        err, ERR_NOT_FOUND, "spec.keyVaultId names a vault with the URI %s, and the key is in %s", ret->uri, uri);
    vault_done(ret);
    return -1;
}

/* --- access --- */

static unsigned policy_bits(const struct vault_policy *policy)
{
    return (vault_policy_allows(policy, "get") ? EVIDENCE_GET : 0) |
           (vault_policy_allows(policy, "wrapKey") ? EVIDENCE_WRAP : 0) |
           (vault_policy_allows(policy, "unwrapKey") ? EVIDENCE_UNWRAP : 0);
}

int evidence_access(const struct evidence_search *search, const struct vault *vault, const char *principal,
    struct authz_answer *ret, struct err *err)
{
    static const char *const actions[] = {"Microsoft.KeyVault/vaults/keys/read",
        "Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"};
    /* A role can be assigned on one key alone. */
    _cleanup_(freep) char *scope = xasprintf("%s/keys/%s", vault->id, evidence_key_name(search->spec));
    const struct authz_question question = {
        .scope = scope, .principal = principal, .actions = actions, .n = ARRAY_LEN(actions)};

    *ret = (struct authz_answer){0};
    if (vault->managed_hsm)
        return err_set(err, ERR_INVALID,
            "access to a managed HSM is given in the HSM itself (local RBAC), which Azure Resource Manager does not "
            "show; assign the identity the role Managed HSM Crypto Service Encryption User there");
    if (vault->rbac)
        return authz_ask(search->client, search->options->roles, &question, ret, err);
    ret->given = policy_bits(&vault->policy);
    return 0;
}
