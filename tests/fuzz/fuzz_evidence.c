/* What ARM says of vaults, keys, policies, roles, locks and metrics while evidence is gathered, or access granted: only
 * ARM is ever asked, a look changes nothing, a grant changes one thing, and what came of it can be said to a person.
 *
 * The first byte says what is asked for; answers follow as in fuzz_script.h. */
#include "fuzz_script.h"

#include "cmk/preflight.h"
#include "controller/evidence.h"

#define ORIGIN "https://management.azure.com/"
#define RG "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
#define ACCOUNT RG "/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define VAULT_ID RG "/providers/Microsoft.KeyVault/vaults/contoso"
#define HSM_ID RG "/providers/Microsoft.KeyVault/managedHSMs/contoso"
#define USER "UserAssignedIdentity=" RG "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cosmos"
#define KEY "https://contoso.vault.azure.net/keys/cosmos"
#define HSM_KEY "https://contoso.managedhsm.azure.net/keys/cosmos"
#define PRINCIPAL "5f66a281-0000-4000-8000-00000000abcd"

enum { WITH_VAULT_ID = 1, WITH_HSM = 2, SYSTEM_ASSIGNED = 4, FIRST_PARTY = 8, GRANT = 16 };

static void make_spec(struct cmk_spec *spec, uint8_t how)
{
    const char *identity = how & FIRST_PARTY       ? "FirstPartyIdentity"
                           : how & SYSTEM_ASSIGNED ? "SystemAssignedIdentity"
                                                   : USER;

    *spec = (struct cmk_spec){.account_id = xstrdup(ACCOUNT),
        .key_uri = xstrdup(how & WITH_HSM ? HSM_KEY : KEY),
        .default_identity = xstrdup(identity),
        .key_vault_id = how & WITH_VAULT_ID ? xstrdup(how & WITH_HSM ? HSM_ID : VAULT_ID) : NULL,
        .key_vault_access = how & GRANT ? CMK_ACCESS_GRANT : CMK_ACCESS_VERIFY};
}

static void check_part(enum cmk_seen seen, const struct err *err)
{
    FUZZ_CHECK(seen != CMK_UNSEEN || (*err->msg && fuzz_is_one_line(err->msg) && fuzz_is_one_line(err->code)));
}

static void check_evidence(const struct cmk_evidence *e, const struct cmk_spec *spec, const struct cmk_account *account)
{
    struct cmk_check checks[CMK_MAX_CHECKS];

    check_part(e->vault.seen, &e->vault.error);
    check_part(e->key.seen, &e->key.error);
    check_part(e->access.seen, &e->access.error);
    check_part(e->lock.seen, &e->lock.error);
    check_part(e->throughput.seen, &e->throughput.error);
    FUZZ_CHECK(e->key.seen == CMK_NOT_LOOKED || e->vault.seen == CMK_SEEN);
    FUZZ_CHECK(e->access.seen != CMK_SEEN || e->vault.seen == CMK_SEEN);
    size_t n = cmk_preflight(checks, spec, account, e, 1795503300000);
    FUZZ_CHECK(n > 0 && n <= CMK_MAX_CHECKS);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(!checks[i].message || fuzz_is_one_line(checks[i].message));
    cmk_checks_done(checks, n);
}

static void run(struct arm_client *arm, const struct azure_cloud *cloud, struct fuzz_script *script, uint8_t how)
{
    _cleanup_(authz_roles_freep) struct authz_roles *roles = authz_roles_new();
    const struct evidence_options options = {.cloud = cloud, .roles = roles, .cosmos_principal_id = PRINCIPAL};
    _cleanup_(cmk_evidence_done) struct cmk_evidence evidence = {0};
    _cleanup_(cmk_spec_done) struct cmk_spec spec = {0};
    _cleanup_(cmk_account_done) struct cmk_account account = {0};
    struct err err = ERR_INIT;

    make_spec(&spec, how);
    account.system_principal_id = xstrdup(PRINCIPAL);
    if (how & GRANT) {
        int r = evidence_grant(arm, &options, ACCOUNT, &spec, &account, &err);
        FUZZ_CHECK(script->changes <= 1 && (r != 1 || script->changes <= 1) && (r != 0 || script->changes == 0));
        if (r < 0)
            fuzz_check_err(&err);
        FUZZ_CHECK(!err.maybe_sent || script->changes);
        return;
    }
    if (evidence_gather(arm, &options, ACCOUNT, &spec, &account, &evidence, &err) == 0)
        check_evidence(&evidence, &spec, &account);
    else
        fuzz_check_err(&err);
    FUZZ_CHECK(script->changes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(arm_client_freep) struct arm_client *arm = NULL;
    struct err err = ERR_INIT;

    if (!size)
        return 0;
    struct fuzz_script script = fuzz_script_from(data + 1, size - 1, ORIGIN);
    FUZZ_CHECK(azure_cloud_new(&cloud, &(struct azure_cloud_options){0}, &err) == 0);
    const struct arm_options options = {.http = &script.client, .cloud = cloud};
    FUZZ_CHECK(arm_client_new(&arm, &options, &err) == 0);
    run(arm, cloud, &script, data[0]);
    return 0;
}
