/* The checks before the point of no return, each with the accounts that pass it and that do not. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/preflight.h"
#include "scene.h"

#include <string.h>

struct row {
    const char *sentence, *given;
    void (*change)(struct scene *scene);       /* beyond what words can say; may be NULL */
    void (*found)(struct cmk_evidence *found); /* what differs from what is good; may be NULL */
    const char *check;
    enum cmk_check_result result;
    const char *says;
};

/* ---- the account ---- */

static void with_vector_search(struct scene *s)
{
    s->view.account.vector_search = true;
}

static void with_materialized_views(struct scene *s)
{
    s->view.account.materialized_views = true;
}

static void with_change_feed(struct scene *s)
{
    s->view.account.full_fidelity_change_feed = true;
}

static void with_analytical_store(struct scene *s)
{
    s->view.account.analytical_storage = true;
}

static void with_skip(struct scene *s)
{
    s->resource.spec.check_key_vault = CMK_CHECK_SKIP;
}

static void with_warn(struct scene *s)
{
    s->resource.spec.check_key_vault = CMK_CHECK_WARN;
}

static void with_enforce(struct scene *s)
{
    s->resource.spec.check_key_vault = CMK_CHECK_ENFORCE;
}

static void with_grant(struct scene *s)
{
    s->resource.spec.key_vault_access = CMK_ACCESS_GRANT;
}

static void with_skip_and_grant(struct scene *s)
{
    with_skip(s);
    with_grant(s);
}

static void with_grant_to_user_identity(struct scene *s)
{
    with_grant(s);
    str_replace(&s->resource.spec.default_identity, "UserAssignedIdentity=/identities/mine");
}

static void with_scan(struct scene *s)
{
    s->resource.spec.document_ids = CMK_IDS_SCAN;
}

/* ---- what was found; strings are not owned here ---- */

static char vault_id[] = "/vaults/contoso", rsa[] = "RSA", rsa_hsm[] = "RSA-HSM", ec[] = "EC",
            principal[] = "principal-1";
static char freeze[] = "freeze", scope[] = "/subscriptions/s", container[] = "baskets", deny[] = "no keys for anybody";

static struct cmk_evidence all_good(void)
{
    return (struct cmk_evidence){
        .gathered = true,
        .vault = {.seen = CMK_SEEN, .id = vault_id, .soft_delete = true, .purge_protection = true},
        .key = {.seen = CMK_SEEN, .enabled = true, .type = rsa, .may_wrap = true},
        .access = {.seen = CMK_SEEN, .principal_id = principal, .get = true, .wrap = true, .unwrap = true},
        .lock = {.seen = CMK_ABSENT},
        .throughput = {.seen = CMK_SEEN, .max_percent = 20},
    };
}

#define FOUND(function, ...)                                                                                           \
    static void function(struct cmk_evidence *e)                                                                       \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
    }

static void unseen(enum cmk_seen *seen, struct err *error)
{
    *seen = CMK_UNSEEN;
    (void)err_set(error, ERR_FORBIDDEN, "grant the controller's identity X/read");
}

FOUND(nothing_yet, *e = (struct cmk_evidence){0})
FOUND(no_vault, e->vault = (struct cmk_vault_evidence){.seen = CMK_ABSENT}; e->key.seen = CMK_NOT_LOOKED;
      e->access.seen = CMK_NOT_LOOKED)
FOUND(vault_unseen, unseen(&e->vault.seen, &e->vault.error); e->key.seen = CMK_NOT_LOOKED;
      e->access.seen = CMK_NOT_LOOKED)
FOUND(no_soft_delete, e->vault.soft_delete = false)
FOUND(no_purge_protection, e->vault.purge_protection = false)
FOUND(firewall_closed, e->vault.firewall = CMK_FIREWALL_CLOSED)
FOUND(firewall_rules, e->vault.firewall = CMK_FIREWALL_RULES)
FOUND(firewall_private, e->vault.firewall = CMK_FIREWALL_PRIVATE)
FOUND(no_key, e->key = (struct cmk_key_evidence){.seen = CMK_ABSENT})
FOUND(key_unseen, unseen(&e->key.seen, &e->key.error))
FOUND(key_disabled, e->key.enabled = false)
FOUND(key_expired, e->key.expires = NOW)
FOUND(key_expires_soon, e->key.expires = NOW + 29 * DAY)
FOUND(key_expires_late, e->key.expires = NOW + 30 * DAY)
FOUND(key_not_yet, e->key.not_before = NOW + SECOND)
FOUND(key_since_now, e->key.not_before = NOW)
FOUND(key_in_hsm, e->key.type = rsa_hsm)
FOUND(key_is_ec, e->key.type = ec)
FOUND(key_without_type, e->key.type = NULL)
FOUND(key_may_not_wrap, e->key.may_wrap = false)
FOUND(access_unseen, unseen(&e->access.seen, &e->access.error))
FOUND(hsm_access_unseen, e->vault.managed_hsm = true; unseen(&e->access.seen, &e->access.error))
FOUND(nobody_known, unseen(&e->access.seen, &e->access.error); e->access.principal_id = NULL)
FOUND(no_identity, e->access.seen = CMK_ABSENT)
FOUND(no_wrap, e->access.wrap = false)
FOUND(no_role, e->vault.rbac = true; e->access.get = e->access.wrap = e->access.unwrap = false)
FOUND(only_conditional, e->access.unwrap = false; e->access.conditional = true)
FOUND(conditional_besides, e->access.conditional = true)
FOUND(denied, e->access.deny = deny)
FOUND(locked, e->lock.seen = CMK_SEEN; e->lock.name = freeze; e->lock.scope = scope)
FOUND(locks_unseen, unseen(&e->lock.seen, &e->lock.error))
FOUND(busy_69, e->throughput.max_percent = 69)
FOUND(busy_70, e->throughput.max_percent = 70; e->throughput.container = container)
FOUND(no_metrics, e->throughput.seen = CMK_ABSENT)
FOUND(metrics_unseen, unseen(&e->throughput.seen, &e->throughput.error))
FOUND(scan_runs, e->scan = (struct cmk_scan_evidence){.state = CMK_SCAN_RUNNING, .containers = 5, .containers_done = 2})
FOUND(scan_clean, e->scan = (struct cmk_scan_evidence){.state = CMK_SCAN_CLEAN, .containers_done = 5})
FOUND(scan_found, e->scan.state = CMK_SCAN_FOUND; e->scan.offenders = 3; e->scan.first_offender = freeze)
FOUND(scan_failed, e->scan.state = CMK_SCAN_FAILED; (void)err_set(&e->scan.error, ERR_FORBIDDEN, "no keys"))
FOUND(scan_clean_before_all_else, *e = (struct cmk_evidence){.scan = {.state = CMK_SCAN_CLEAN}})

static const struct row rows[] = {
    {"an account at rest", "account", NULL, NULL, "AccountOnline", CMK_PASSED, "online"},
    {"an account without a state is at rest", "account state=", NULL, NULL, "AccountOnline", CMK_PASSED, "online"},
    {"an account in any case", "account state=succeeded", NULL, NULL, "AccountOnline", CMK_PASSED, "online"},
    {"a busy account", "account busy", NULL, NULL, "AccountOnline", CMK_WARNING, "Updating"},
    {"an account for documents", "account", NULL, NULL, "ApiSupported", CMK_PASSED, "allow"},
    {"Cassandra", "account cassandra", NULL, NULL, "ApiSupported", CMK_CHECK_FAILED, "Cassandra"},
    {"Cassandra with a key already", "account cassandra has-key", NULL, NULL, "ApiSupported", CMK_PASSED, "allow"},
    {"vector search", "account", with_vector_search, NULL, "ApiSupported", CMK_CHECK_FAILED, "EnableNoSQLVectorSearch"},
    {"features that Azure does not show", "account", NULL, NULL, "Features", CMK_CHECK_UNKNOWN, "make sure"},
    {"materialized views", "account", with_materialized_views, NULL, "Features", CMK_CHECK_FAILED, "switch them off"},
    {"the change feed", "account", with_change_feed, NULL, "Features", CMK_CHECK_FAILED, "switch it off"},
    {"periodic backup needs no identity", "account", NULL, NULL, "DefaultIdentity", CMK_PASSED, "fits"},
    {"continuous backup with the first party", "account continuous", NULL, NULL, "DefaultIdentity", CMK_CHECK_FAILED,
        "continuous backup"},
    {"analytical store with the first party", "account", with_analytical_store, NULL, "DefaultIdentity",
        CMK_CHECK_FAILED, "analytical store"},
    {"first party by name", "account continuous identity=FirstPartyIdentity default=SystemAssignedIdentity", NULL, NULL,
        "DefaultIdentity", CMK_CHECK_FAILED, "spec.defaultIdentity"},
    {"an identity in the spec", "account continuous identity", NULL, NULL, "DefaultIdentity", CMK_PASSED, "fits"},
    {"an identity that the account has already", "account continuous default=SystemAssignedIdentity", NULL, NULL,
        "DefaultIdentity", CMK_PASSED, "fits"},
    {"analytical store with an identity", "account identity", with_analytical_store, NULL, "DefaultIdentity",
        CMK_PASSED, "fits"},

    {"a vault", "account", NULL, NULL, "Vault", CMK_PASSED, "/vaults/contoso"},
    {"nothing was looked at", "account", NULL, nothing_yet, "Vault", CMK_SKIPPED, "not looked at"},
    {"no vault", "account", NULL, no_vault, "Vault", CMK_CHECK_FAILED, "spec.keyVaultId"},
    {"no vault, which is to be enforced", "account", with_enforce, no_vault, "Vault", CMK_CHECK_FAILED,
        "was not found"},
    {"no vault, which is to be a warning", "account", with_warn, no_vault, "Vault", CMK_WARNING, "was not found"},
    {"no vault, which is not to be looked for", "account", with_skip, no_vault, "Vault", CMK_SKIPPED, "is Skip"},
    {"a vault that may not be read", "account", NULL, vault_unseen, "Vault", CMK_CHECK_UNKNOWN, "X/read"},
    {"a warning about what is unknown stays unknown", "account", with_warn, vault_unseen, "Vault", CMK_CHECK_UNKNOWN,
        "X/read"},
    {"soft delete", "account", NULL, NULL, "SoftDelete", CMK_PASSED, "soft delete"},
    {"no soft delete", "account", NULL, no_soft_delete, "SoftDelete", CMK_CHECK_FAILED, "--ids /vaults/contoso"},
    {"no soft delete, a warning", "account", with_warn, no_soft_delete, "SoftDelete", CMK_WARNING, "switch it on"},
    {"no vault has no soft delete either", "account", NULL, no_vault, "SoftDelete", CMK_CHECK_UNKNOWN, "check Vault"},
    {"purge protection", "account", NULL, NULL, "PurgeProtection", CMK_PASSED, "purge protection"},
    {"no purge protection", "account", NULL, no_purge_protection, "PurgeProtection", CMK_CHECK_FAILED,
        "enablePurgeProtection=true"},
    {"purge protection of no vault", "account", NULL, vault_unseen, "PurgeProtection", CMK_CHECK_UNKNOWN,
        "check Vault"},
    {"an open vault", "account", NULL, NULL, "Firewall", CMK_PASSED, "lets Azure Cosmos DB in"},
    {"a closed vault", "account", NULL, firewall_closed, "Firewall", CMK_CHECK_FAILED, "bypass=AzureServices"},
    {"a vault with rules", "account", NULL, firewall_rules, "Firewall", CMK_CHECK_UNKNOWN, "cannot be known"},
    {"a private vault", "account", NULL, firewall_private, "Firewall", CMK_CHECK_UNKNOWN, "disagree"},
    {"the firewall of no vault", "account", NULL, no_vault, "Firewall", CMK_CHECK_UNKNOWN, "check Vault"},

    {"a key", "account", NULL, NULL, "Key", CMK_PASSED, "does not expire"},
    {"no key", "account", NULL, no_key, "Key", CMK_CHECK_FAILED, "make one"},
    {"no key, not to be looked at", "account", with_skip, no_key, "Key", CMK_SKIPPED, "is Skip"},
    {"a key that may not be read", "account", NULL, key_unseen, "Key", CMK_CHECK_UNKNOWN, "X/read"},
    {"a key without a vault", "account", NULL, no_vault, "Key", CMK_CHECK_UNKNOWN, "check Vault"},
    {"a disabled key", "account", NULL, key_disabled, "Key", CMK_CHECK_FAILED, "enable it"},
    {"a key that expires now", "account", NULL, key_expired, "Key", CMK_CHECK_FAILED, "2026-03-07T12:00:00Z"},
    {"a key that expires soon", "account", NULL, key_expires_soon, "Key", CMK_WARNING, "rotation"},
    {"a key that expires late", "account", NULL, key_expires_late, "Key", CMK_PASSED, "expires at 2026-04-06"},
    {"a key of tomorrow", "account", NULL, key_not_yet, "Key", CMK_CHECK_FAILED, "before 2026-03-07T12:00:01Z"},
    {"a key since now", "account", NULL, key_since_now, "Key", CMK_PASSED, "enabled"},
    {"RSA", "account", NULL, NULL, "KeyType", CMK_PASSED, "type RSA"},
    {"RSA in hardware", "account", NULL, key_in_hsm, "KeyType", CMK_PASSED, "RSA-HSM"},
    {"another type", "account", NULL, key_is_ec, "KeyType", CMK_CHECK_FAILED, "type EC"},
    {"no type", "account", NULL, key_without_type, "KeyType", CMK_CHECK_UNKNOWN, "has to be RSA"},
    {"a key that may not wrap", "account", NULL, key_may_not_wrap, "KeyType", CMK_CHECK_FAILED, "unwrapKey"},
    {"the type of no key", "account", NULL, no_key, "KeyType", CMK_CHECK_UNKNOWN, "check Key"},

    {"access", "account", NULL, NULL, "KeyAccess", CMK_PASSED, "principal-1"},
    {"a policy without wrap", "account", NULL, no_wrap, "KeyAccess", CMK_CHECK_FAILED,
        "lacks wrap on the key; add an access policy"},
    {"no role", "account", NULL, no_role, "KeyAccess", CMK_CHECK_FAILED,
        "lacks get, wrap, unwrap on the key; assign it the role"},
    {"no role, a warning", "account", with_warn, no_role, "KeyAccess", CMK_WARNING, "assign it the role"},
    {"no role, which will be granted", "account", with_grant, no_role, "KeyAccess", CMK_WARNING, "step GrantKeyAccess"},
    {"a role with a condition", "account", NULL, only_conditional, "KeyAccess", CMK_CHECK_UNKNOWN, "condition"},
    {"a role with a condition besides", "account", NULL, conditional_besides, "KeyAccess", CMK_PASSED, "may get"},
    {"a deny assignment", "account", NULL, denied, "KeyAccess", CMK_CHECK_UNKNOWN, "no keys for anybody"},
    {"no identity", "account", NULL, no_identity, "KeyAccess", CMK_CHECK_FAILED, "does not exist"},
    {"access that may not be read", "account", NULL, access_unseen, "KeyAccess", CMK_CHECK_UNKNOWN, "X/read"},
    {"access that may not be read and would be granted", "account", with_grant, access_unseen, "KeyAccess",
        CMK_CHECK_UNKNOWN, "X/read"},
    {"access to a managed HSM", "account", NULL, hsm_access_unseen, "KeyAccess", CMK_CHECK_UNKNOWN, "X/read"},
    {"a grant that cannot work, however little else is looked at", "account", with_skip_and_grant, hsm_access_unseen,
        "KeyAccess", CMK_CHECK_FAILED, "spec.keyVaultAccess"},
    {"the rest of the vault then is skipped", "account", with_skip_and_grant, hsm_access_unseen, "PurgeProtection",
        CMK_SKIPPED, "is Skip"},
    {"a grant on a managed HSM", "account", with_grant, hsm_access_unseen, "KeyAccess", CMK_CHECK_FAILED,
        "in the HSM, and set spec.keyVaultAccess to Verify"},
    {"access of the first party, which is not known", "account", NULL, nobody_known, "KeyAccess", CMK_CHECK_UNKNOWN,
        "X/read"},
    {"a grant to the first party, which is not known", "account", with_grant, nobody_known, "KeyAccess",
        CMK_CHECK_FAILED, "valid --cosmos-principal-id"},
    {"a grant to an identity whose principal is not known", "account", with_grant_to_user_identity, nobody_known,
        "KeyAccess", CMK_CHECK_UNKNOWN, "X/read"},
    {"access to no vault", "account", NULL, no_vault, "KeyAccess", CMK_CHECK_UNKNOWN, "check Vault"},

    {"no lock", "account", NULL, NULL, "ResourceLock", CMK_PASSED, "no ReadOnly lock"},
    {"a lock", "account", NULL, locked, "ResourceLock", CMK_CHECK_FAILED, "freeze on /subscriptions/s"},
    {"a lock is no matter of the vault's", "account", with_warn, locked, "ResourceLock", CMK_CHECK_FAILED, "freeze"},
    {"a lock is looked for whatever is skipped", "account", with_skip, locked, "ResourceLock", CMK_CHECK_FAILED,
        "freeze"},
    {"locks that may not be read", "account", NULL, locks_unseen, "ResourceLock", CMK_CHECK_UNKNOWN, "X/read"},
    {"locks that were not looked at", "account", NULL, nothing_yet, "ResourceLock", CMK_SKIPPED, "not looked at"},
    {"room enough", "account", NULL, busy_69, "Throughput", CMK_PASSED, "at most 69%"},
    {"little room", "account", NULL, busy_70, "Throughput", CMK_WARNING, "baskets reached 70%"},
    {"no value", "account", NULL, no_metrics, "Throughput", CMK_CHECK_UNKNOWN, "no value"},
    {"values that may not be read", "account", NULL, metrics_unseen, "Throughput", CMK_CHECK_UNKNOWN, "X/read"},
    {"values that were not looked at", "account", NULL, nothing_yet, "Throughput", CMK_SKIPPED, "not looked at"},

    {"ids are not looked at", "account", NULL, NULL, "DocumentIds", CMK_SKIPPED, "990 bytes"},
    {"ids are to be looked at", "account", with_scan, NULL, "DocumentIds", CMK_CHECK_UNKNOWN, "about to begin"},
    {"ids are looked at", "account", with_scan, scan_runs, "DocumentIds", CMK_CHECK_UNKNOWN, "2 of 5 containers"},
    {"ids are good", "account", with_scan, scan_clean, "DocumentIds", CMK_PASSED, "5 containers"},
    {"ids are good, nothing else is known", "account", with_scan, scan_clean_before_all_else, "DocumentIds", CMK_PASSED,
        "no document id"},
    {"ids are too long", "account", with_scan, scan_found, "DocumentIds", CMK_CHECK_FAILED, "3 document ids"},
    {"ids could not be looked at", "account", with_scan, scan_failed, "DocumentIds", CMK_CHECK_UNKNOWN, "no keys"},
};

static size_t preflight(struct cmk_check *checks, const struct scene *scene, void (*found)(struct cmk_evidence *))
{
    struct cmk_evidence evidence = all_good();

    if (found)
        found(&evidence);
    return cmk_preflight(checks, &scene->resource.spec, &scene->view.account, &evidence, NOW);
}

static const struct cmk_check *check_named(const struct cmk_check *checks, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(checks[i].name, name))
            return &checks[i];
    fail_msg("there is no check %s", name);
    return NULL;
}

static void every_check_says_what_it_found(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_check checks[CMK_MAX_CHECKS];
        scene_init(&scene, rows[i].given);
        if (rows[i].change)
            rows[i].change(&scene);
        size_t n = preflight(checks, &scene, rows[i].found);
        const struct cmk_check *check = check_named(checks, n, rows[i].check);
        if (check->result != rows[i].result || !strstr(check->message, rows[i].says))
            fail_msg("%s: %s, %s", rows[i].sentence, cmk_check_result_name(check->result), check->message);
        cmk_checks_done(checks, n);
    }
}

static void every_check_is_always_made_and_has_a_row(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account");
    size_t n = preflight(checks, &scene, NULL);
    for (size_t i = 0; i < n; i++) {
        size_t row = 0;
        while (row < ARRAY_LEN(rows) && !str_eq(rows[row].check, checks[i].name))
            row++;
        if (row == ARRAY_LEN(rows))
            fail_msg("no row of this test is about %s", checks[i].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(checks[i].name, checks[j].name);
    }
    cmk_checks_done(checks, n);
}

static void the_first_failure_is_the_verdict(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account continuous");
    with_change_feed(&scene);
    size_t n = preflight(checks, &scene, NULL);
    assert_string_equal(cmk_first_failed(checks, n)->name, "Features");
    cmk_checks_done(checks, n);
    assert_null(cmk_first_failed(checks, 0));
}

/* Warning, Unknown and Skipped do not block. */
static void only_failed_blocks(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account busy");
    size_t n = preflight(checks, &scene, NULL);
    assert_null(cmk_first_failed(checks, n));
    cmk_checks_done(checks, n);
}

/* What every check makes of evidence that was never gathered: nothing passes that was not seen. */
static void nothing_passes_that_was_not_looked_at(void **state)
{
    static const char *const account_only[] = {"AccountOnline", "ApiSupported", "Features", "DefaultIdentity"};
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account");
    with_scan(&scene);
    size_t n = preflight(checks, &scene, nothing_yet);
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = 0; j < ARRAY_LEN(account_only); j++)
            known = known || str_eq(checks[i].name, account_only[j]);
        if (!known && checks[i].result != CMK_CHECK_UNKNOWN && checks[i].result != CMK_SKIPPED)
            fail_msg("%s: %s", checks[i].name, cmk_check_result_name(checks[i].result));
    }
    cmk_checks_done(checks, n);
}

static void a_message_is_never_longer_than_status_takes(void **state)
{
    static char long_type[6000];
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    struct cmk_evidence evidence = all_good();
    (void)state;

    memset(long_type, 'x', sizeof(long_type) - 1);
    evidence.key.type = long_type;
    scene_init(&scene, "account");
    size_t n = cmk_preflight(checks, &scene.resource.spec, &scene.view.account, &evidence, NOW);
    const struct cmk_check *check = check_named(checks, n, "KeyType");
    assert_int_equal(check->result, CMK_CHECK_FAILED);
    assert_in_range(strlen(check->message), 3000, 4096);
    cmk_checks_done(checks, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_says_what_it_found),
        cmocka_unit_test(every_check_is_always_made_and_has_a_row),
        cmocka_unit_test(the_first_failure_is_the_verdict),
        cmocka_unit_test(only_failed_blocks),
        cmocka_unit_test(nothing_passes_that_was_not_looked_at),
        cmocka_unit_test(a_message_is_never_longer_than_status_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
