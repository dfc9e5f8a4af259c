/* Looks in Azure for what preflight needs besides the account, and grants the identity what it lacks.
 *
 * Only ARM is asked, in the vault's place (design: no request ever goes to a host that a resource names). Each part of
 * the evidence fails on its own: what may not be read, or is no longer there, is said in that part. What heals by
 * itself (throttled, unavailable, no token) fails the whole, because a pass that waits is better than Unknown in a
 * status.
 *
 * At most some ten GETs. A right that is missing is named in the error of its part. */
#pragma once

#include "azure/authz.h"
#include "base/together.h"
#include "cmk/evidence.h"
#include "cmk/types.h"

struct evidence_options {
    const struct azure_cloud *cloud; /* borrowed: tells hosts of managed HSMs */
    struct authz_roles *roles;       /* borrowed: role definitions that were read; NULL: none are kept */
    /* Object id (not application id) of the tenant's service principal "Azure Cosmos DB", which FirstPartyIdentity
     * stands for; NULL: not known, and then its access is CMK_UNSEEN. */
    const char *cosmos_principal_id;
    /* How looks that do not depend on each other are run; NULL: one after the other. */
    void (*together)(const struct job *jobs, size_t n);
};

/* The spec must have passed cmk_spec_check, the account must have been read just now. *ret is the caller's
 * (cmk_evidence_done) when it succeeds, and zeroed otherwise; the part about documents is not touched here. Vault, key
 * and access are not looked at when spec.preflight.keyVault is Skip, unless spec.keyVaultAccess is Grant. */
int evidence_gather(struct arm_client *client, const struct evidence_options *options, const char *account_id,
    const struct cmk_spec *spec, const struct cmk_account *account, struct cmk_evidence *ret, struct err *err);

/* Gives the default identity what it lacks on the key: an access policy, or the role Key Vault Crypto Service
 * Encryption User at the vault when that goes by roles. Looks before it writes, so repeating it is safe. 1: something
 * was written, 0: nothing was missing, -1: err says why it cannot work (ERR_INVALID: a managed HSM, an identity whose
 * principal is not known) or what failed; err.maybe_sent as in arm.h. What was written may take 10 minutes to show. */
int evidence_grant(struct arm_client *client, const struct evidence_options *options, const char *account_id,
    const struct cmk_spec *spec, const struct cmk_account *account, struct err *err);
