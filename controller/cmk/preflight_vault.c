/* Vault, key and access to it, as ARM shows them.
 *
 * Sources: Microsoft's page "Configure customer-managed keys" (prerequisites of the vault), the pages on Key Vault's
 * firewall, and the provider's own refusals. Where Microsoft's pages contradict each other the verdict is Unknown. */
#include "cmk/preflight_checks.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/spec.h"

/* A key that expires within this time is worth a word: expired, it locks the account's data away. */
#define EXPIRES_SOON_MS (30LL * 24 * 3600 * 1000)

static const char *or_none(const char *s)
{
    return str_empty(s) ? "-" : s;
}

static const char *why(const struct err *err, const char *otherwise)
{
    return err->msg[0] ? err->msg : otherwise;
}

/* The verdict of a check about something that was not seen. */
static struct cmk_check unseen(enum cmk_seen seen, const struct err *err, const char *what, const char *earlier)
{
    if (seen == CMK_NOT_LOOKED)
        return cmk_verdict(CMK_CHECK_UNKNOWN, "%s was not looked at; see the check %s", what, earlier);
    return err->msg[0] ? cmk_verdict(CMK_CHECK_UNKNOWN, "%s", err->msg) /* a sentence that names what was not seen */
                       : cmk_verdict(CMK_CHECK_UNKNOWN, "%s could not be looked at", what);
}

/* --- the vault --- */

struct cmk_check cmk_check_vault(const struct check_input *in)
{
    const struct cmk_vault_evidence *vault = &in->evidence->vault;

    if (vault->seen == CMK_SEEN)
        return cmk_verdict(
            CMK_PASSED, "the %s %s was found", vault->managed_hsm ? "managed HSM" : "key vault", or_none(vault->id));
    if (vault->seen == CMK_ABSENT)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the key vault of %s was not found: %s; correct spec.keyVaultKeyUri, or set spec.keyVaultId to the vault's "
            "resource id when it is in another subscription or cannot be listed",
            in->spec->key_uri, why(&vault->error, "it does not exist"));
    if (vault->seen == CMK_NOT_LOOKED)
        return cmk_verdict(CMK_CHECK_UNKNOWN, "the key vault was not looked at");
    return unseen(vault->seen, &vault->error, "the key vault", "Vault");
}

struct cmk_check cmk_check_soft_delete(const struct check_input *in)
{
    const struct cmk_vault_evidence *vault = &in->evidence->vault;

    if (vault->seen != CMK_SEEN)
        return unseen(CMK_NOT_LOOKED, NULL, "soft delete", "Vault");
    if (vault->soft_delete)
        return cmk_verdict(CMK_PASSED, "the vault has soft delete");
    return cmk_verdict(CMK_CHECK_FAILED,
        "the vault has no soft delete, which Azure Cosmos DB requires; switch it on with `az resource update --ids %s "
        "--set properties.enableSoftDelete=true`",
        or_none(vault->id));
}

struct cmk_check cmk_check_purge_protection(const struct check_input *in)
{
    const struct cmk_vault_evidence *vault = &in->evidence->vault;

    if (vault->seen != CMK_SEEN)
        return unseen(CMK_NOT_LOOKED, NULL, "purge protection", "Vault");
    if (vault->purge_protection)
        return cmk_verdict(CMK_PASSED, "the vault has purge protection");
    return cmk_verdict(CMK_CHECK_FAILED,
        "the vault has no purge protection, which Azure Cosmos DB requires; switch it on (it cannot be switched off "
        "again) with `az resource update --ids %s --set properties.enablePurgeProtection=true`",
        or_none(vault->id));
}

struct cmk_check cmk_check_firewall(const struct check_input *in)
{
    const struct cmk_vault_evidence *vault = &in->evidence->vault;

    if (vault->seen != CMK_SEEN)
        return unseen(CMK_NOT_LOOKED, NULL, "the vault's firewall", "Vault");
    switch (vault->firewall) {
    case CMK_FIREWALL_OPEN:
        return cmk_verdict(CMK_PASSED, "the vault's firewall lets Azure Cosmos DB in");
    case CMK_FIREWALL_CLOSED:
        return cmk_verdict(CMK_CHECK_FAILED,
            "the vault's firewall lets nobody in; allow trusted Microsoft services with `az resource update --ids %s "
            "--set properties.networkAcls.bypass=AzureServices`",
            or_none(vault->id));
    case CMK_FIREWALL_RULES:
        return cmk_verdict(CMK_CHECK_UNKNOWN,
            "the vault's firewall has rules and no bypass: whether they let Azure Cosmos DB in cannot be known; allow "
            "trusted Microsoft services (bypass AzureServices) to be sure");
    case CMK_FIREWALL_PRIVATE:
        break;
    }
    return cmk_verdict(CMK_CHECK_UNKNOWN,
        "the vault's public network access is switched off: Microsoft's pages disagree on whether Azure Cosmos DB gets "
        "in; allow public access with trusted Microsoft services (bypass AzureServices) to be sure");
}

/* --- the key --- */

static struct cmk_check check_dates(const struct cmk_key_evidence *key, int64_t now)
{
    char at[TIME_TEXT_SIZE];

    if (key->not_before > now) {
        time_format_rfc3339(key->not_before, at);
        return cmk_verdict(
            CMK_CHECK_FAILED, "the key cannot be used before %s; wait, or change its activation date", at);
    }
    if (!key->expires)
        return cmk_verdict(CMK_PASSED, "the key exists, is enabled and does not expire");
    time_format_rfc3339(key->expires, at);
    if (key->expires <= now)
        return cmk_verdict(CMK_CHECK_FAILED, "the key expired at %s; make a new version of it", at);
    if (key->expires - now < EXPIRES_SOON_MS)
        return cmk_verdict(CMK_WARNING,
            "the key expires at %s, and with an expired key the account's data cannot be reached; see to its rotation",
            at);
    return cmk_verdict(CMK_PASSED, "the key exists, is enabled and expires at %s", at);
}

struct cmk_check cmk_check_key(const struct check_input *in)
{
    const struct cmk_key_evidence *key = &in->evidence->key;

    if (key->seen == CMK_ABSENT)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the vault has no key %s; make one (RSA, 3072 bits), or correct spec.keyVaultKeyUri", in->spec->key_uri);
    if (key->seen != CMK_SEEN)
        return unseen(key->seen, &key->error, "the key", "Vault");
    if (!key->enabled)
        return cmk_verdict(CMK_CHECK_FAILED, "the key's current version is disabled; enable it");
    return check_dates(key, in->now);
}

struct cmk_check cmk_check_key_type(const struct check_input *in)
{
    const struct cmk_key_evidence *key = &in->evidence->key;

    if (key->seen != CMK_SEEN)
        return unseen(CMK_NOT_LOOKED, NULL, "the type of the key", "Key");
    if (str_empty(key->type))
        return cmk_verdict(CMK_CHECK_UNKNOWN, "Azure does not say of what type the key is; it has to be RSA");
    if (!str_eq_nocase(key->type, "RSA") && !str_eq_nocase(key->type, "RSA-HSM"))
        return cmk_verdict(CMK_CHECK_FAILED,
            "the key is of type %s, and Azure Cosmos DB needs RSA or RSA-HSM; make an RSA key (3072 bits) and name it "
            "in spec.keyVaultKeyUri",
            key->type);
    if (!key->may_wrap)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the key's permitted operations lack wrapKey or unwrapKey; add them with `az keyvault key set-attributes "
            "--ops`");
    return cmk_verdict(CMK_PASSED, "the key is of type %s and may wrap and unwrap", key->type);
}

/* --- access --- */

static struct cmk_check not_given(const struct check_input *in, const struct cmk_access_evidence *access)
{
    bool rbac = in->evidence->vault.rbac;
    _cleanup_(freep) char *missing =
        xasprintf("%s%s%s", access->get ? "" : ", get", access->wrap ? "" : ", wrap", access->unwrap ? "" : ", unwrap");

    if (access->conditional)
        return cmk_verdict(CMK_CHECK_UNKNOWN,
            "the default identity (principal %s) has access to the key only by a role assignment with a condition, and "
            "whether that holds cannot be known; assign Key Vault Crypto Service Encryption User without one",
            or_none(access->principal_id));
    if (in->spec->key_vault_access == CMK_ACCESS_GRANT)
        return cmk_verdict(CMK_WARNING,
            "the default identity (principal %s) lacks %s on the key; the step GrantKeyAccess of the plan gives it "
            "that",
            or_none(access->principal_id), missing + 2);
    return cmk_verdict(CMK_CHECK_FAILED,
        "the default identity (principal %s) lacks %s on the key; %s, or set spec.keyVaultAccess to Grant%s",
        or_none(access->principal_id), missing + 2,
        rbac ? "assign it the role Key Vault Crypto Service Encryption User at the vault"
             : "add an access policy with the key permissions get, wrapKey and unwrapKey",
        rbac ? "; a role that was just assigned takes up to 10 minutes"
             : "; access through a group cannot be seen: if it has that, set spec.preflight.keyVault to Warn");
}

/* Why nothing could ever be granted, whatever is tried; NULL when it can. */
static const char *cannot_grant(const struct check_input *in)
{
    if (in->spec->key_vault_access != CMK_ACCESS_GRANT)
        return NULL;
    if (in->evidence->vault.managed_hsm)
        return "spec.keyVaultAccess is Grant, which cannot work on a managed HSM; assign the default identity the role "
               "Managed HSM Crypto Service Encryption User in the HSM, and set spec.keyVaultAccess to Verify";
    if (!in->evidence->access.principal_id && cmk_identity_is_first_party(cmk_wanted_identity(in)))
        return "spec.keyVaultAccess is Grant, and whom to grant access is not known, because the default identity is "
               "first-party and the controller runs without a valid --cosmos-principal-id; set that flag, or name a "
               "user-assigned identity in spec.defaultIdentity, or give the access and set spec.keyVaultAccess to "
               "Verify";
    return NULL;
}

struct cmk_check cmk_check_key_access(const struct check_input *in)
{
    const struct cmk_access_evidence *access = &in->evidence->access;
    const char *never = access->seen == CMK_UNSEEN ? cannot_grant(in) : NULL;

    if (never)
        return cmk_verdict(CMK_CHECK_FAILED, "%s", never);
    if (access->seen == CMK_ABSENT)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the default identity %s does not exist; create it, or correct spec.defaultIdentity",
            or_none(cmk_wanted_identity(in)));
    if (access->seen != CMK_SEEN)
        return unseen(access->seen, &access->error, "the default identity's access to the key", "Vault");
    if (!access->get || !access->wrap || !access->unwrap)
        return not_given(in, access);
    if (!str_empty(access->deny))
        return cmk_verdict(CMK_CHECK_UNKNOWN,
            "the default identity (principal %s) may get, wrap and unwrap the key, but the deny assignment %s may take "
            "that away; exclude the identity from it",
            or_none(access->principal_id), access->deny);
    return cmk_verdict(CMK_PASSED, "the default identity (principal %s) may get, wrap and unwrap the key",
        or_none(access->principal_id));
}
