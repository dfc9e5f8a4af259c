#include "cmk/preflight.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"

/* Sources: Microsoft's page "Configure customer-managed keys for your existing Azure Cosmos DB account", its
 * limitations and prerequisites; texts of the resource provider (azure-facts 0.10, 3.4). */

/* An account that was created with a key may change to another, whatever its API. */
const char *cmk_account_unsupported(const struct cmk_account *account)
{
    if (!str_empty(account->key_uri))
        return NULL;
    if (account->cassandra)
        return "the account uses the API for Cassandra, on which Azure cannot enable customer-managed keys once it "
               "exists; create a "
               "new account with the key and move the data";
    if (account->vector_search)
        return "the account has the capability EnableNoSQLVectorSearch, with which Azure cannot enable "
               "customer-managed keys on an "
               "existing account; create a new account with the key and move the data";
    return NULL;
}

static struct cmk_check verdict(enum cmk_check_result result, const char *message)
{
    return (struct cmk_check){.result = result, .message = xstrdup(message)};
}

static struct cmk_check check_online(const struct cmk_spec *spec _unused_, const struct cmk_account *account)
{
    if (str_empty(account->provisioning_state) || str_eq_nocase(account->provisioning_state, "Succeeded"))
        return verdict(CMK_PASSED, "the account exists and is online");
    return (struct cmk_check){.result = CMK_WARNING,
        .message = xasprintf("the account's provisioningState is %s; Azure accepts no change until it is Succeeded",
            account->provisioning_state)};
}

static struct cmk_check check_api(const struct cmk_spec *spec _unused_, const struct cmk_account *account)
{
    const char *why = cmk_account_unsupported(account);

    return why ? verdict(CMK_CHECK_FAILED, why) : verdict(CMK_PASSED, "the account's API and capabilities allow it");
}

static struct cmk_check check_features(const struct cmk_spec *spec _unused_, const struct cmk_account *account)
{
    if (account->materialized_views)
        return verdict(CMK_CHECK_FAILED,
            "the account has materialized views, with which Azure has refused customer-managed keys on "
            "existing accounts; switch them off first");
    if (account->full_fidelity_change_feed)
        return verdict(CMK_CHECK_FAILED,
            "the account has the all-versions-and-deletes change feed, which cannot be combined with "
            "customer-managed keys; switch it off first");
    return verdict(CMK_CHECK_UNKNOWN,
        "Azure's stable API does not show materialized views or the all-versions-and-deletes change "
        "feed; make sure that the account uses neither");
}

static struct cmk_check check_identity(const struct cmk_spec *spec, const struct cmk_account *account)
{
    const char *wanted = str_empty(spec->default_identity) ? account->default_identity : spec->default_identity;
    bool continuous = str_eq_nocase(account->backup_policy, "Continuous");

    if ((!continuous && !account->analytical_storage) || !cmk_identity_is_first_party(wanted))
        return verdict(CMK_PASSED, "the default identity fits the account");
    return (struct cmk_check){.result = CMK_CHECK_FAILED,
        .message = xasprintf(
            "the account has %s, which needs a managed identity as default identity before the key; set "
            "spec.defaultIdentity to UserAssignedIdentity=ID of an identity that may get, wrap and unwrap the key",
            continuous ? "continuous backup" : "analytical store")};
}

static struct cmk_check check_key_vault(const struct cmk_spec *spec, const struct cmk_account *account _unused_)
{
    return verdict(CMK_SKIPPED, spec->check_key_vault == CMK_CHECK_SKIP
                                    ? "spec.preflight.keyVault is Skip"
                                    : "this version does not look at key vaults; make sure that the vault has soft "
                                      "delete and purge protection and that the "
                                      "default identity may get, wrap and unwrap the key");
}

static struct cmk_check check_document_ids(
    const struct cmk_spec *spec _unused_, const struct cmk_account *account _unused_)
{
    return verdict(CMK_SKIPPED,
        "the data was not searched for document ids over 990 bytes; Azure searches it itself before it "
        "encrypts, and stops when it finds one");
}

static const struct {
    const char *name;
    struct cmk_check (*check)(const struct cmk_spec *, const struct cmk_account *);
} chain[] = {
    {"AccountOnline", check_online},
    {"ApiSupported", check_api},
    {"Features", check_features},
    {"DefaultIdentity", check_identity},
    {"KeyVault", check_key_vault},
    {"DocumentIds", check_document_ids},
};
_Static_assert(ARRAY_LEN(chain) <= CMK_MAX_CHECKS, "status has no room for so many checks");

size_t cmk_preflight(struct cmk_check *ret, const struct cmk_spec *spec, const struct cmk_account *account)
{
    for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
        ret[i] = chain[i].check(spec, account);
        ret[i].name = xstrdup(chain[i].name);
    }
    return ARRAY_LEN(chain);
}

const struct cmk_check *cmk_first_failed(const struct cmk_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (checks[i].result == CMK_CHECK_FAILED)
            return &checks[i];
    return NULL;
}

void cmk_checks_done(struct cmk_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(checks[i].name);
        free(checks[i].message);
    }
}
