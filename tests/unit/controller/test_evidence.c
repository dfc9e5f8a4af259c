/* Evidence put together: in which order Azure is asked, what each answer makes of each part, and what is granted. */
#include "azure/azure_rig.h"

#include "base/str.h"
#include "controller/evidence.h"

#define RG SUBSCRIPTION "/resourceGroups/rg"
#define ACCOUNT RG "/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define VAULT_ID RG "/providers/Microsoft.KeyVault/vaults/contoso"
#define HSM_ID RG "/providers/Microsoft.KeyVault/managedHSMs/contoso"
#define USER_ID RG "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cosmos"
#define USER "UserAssignedIdentity=" USER_ID
#define KEY "https://contoso.vault.azure.net/keys/cosmos"
#define HSM_KEY "https://contoso.managedhsm.azure.net/keys/cosmos"
#define PRINCIPAL "5f66a281-0000-4000-8000-00000000abcd"
#define TENANT "54826b22-38d6-4fb2-bad9-b7b93a3e9c5a"

/* --- answers --- */

#define LIST(items)                                                                                                    \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[" items "]}"                                                               \
    }
#define FOUND LIST("{\"id\":\"" VAULT_ID "\",\"name\":\"contoso\"}")
#define VAULT_BODY(more)                                                                                               \
    "{\"id\":\"" VAULT_ID "\",\"name\":\"contoso\",\"type\":\"Microsoft.KeyVault/vaults\",\"properties\":{"            \
    "\"tenantId\":\"" TENANT                                                                                           \
    "\",\"vaultUri\":\"https://contoso.vault.azure.net/\",\"enablePurgeProtection\":true" more "}}"
#define VAULT(more)                                                                                                    \
    {                                                                                                                  \
        .status = 200, .body = VAULT_BODY(more)                                                                        \
    }
#define POLICY(keys) ",\"accessPolicies\":[{\"objectId\":\"" PRINCIPAL "\",\"permissions\":{\"keys\":[" keys "]}}]"
#define ALL_POLICY POLICY("\"all\"")
#define RBAC ",\"enableRbacAuthorization\":true"
#define HSM                                                                                                            \
    {                                                                                                                  \
        .status = 200, .body =                                                                                         \
                           "{\"id\":\"" HSM_ID                                                                         \
                           "\",\"name\":\"contoso\",\"type\":\"Microsoft.KeyVault/managedHSMs\",\"properties\":"       \
                           "{\"hsmUri\":\"https://contoso.managedhsm.azure.net/\",\"enablePurgeProtection\":true}}"    \
    }
#define KEY_FOUND                                                                                                      \
    {                                                                                                                  \
        .status = 200,                                                                                                 \
        .body = "{\"properties\":{\"keyUri\":\"https://contoso.vault.azure.net:443/keys/cosmos\",\"kty\":\"RSA\","     \
                "\"attributes\":{\"exp\":1800000000}}}"                                                                \
    }
#define NO_LOCKS LIST("")
#define NO_METRICS LIST("")
#define ROLE                                                                                                           \
    {                                                                                                                  \
        .status = 200,                                                                                                 \
        .body = "{\"properties\":{\"permissions\":[{\"dataActions\":[\"Microsoft.KeyVault/vaults/keys/*\"]}]}}"        \
    }
#define ASSIGNED(more)                                                                                                 \
    LIST("{\"properties\":{\"roleDefinitionId\":\"/x/14b46e9e-c2b7-41b4-b07b-48a6ebf60603\"" more "}}")
#define IDENTITY                                                                                                       \
    {                                                                                                                  \
        .status = 200, .body = "{\"properties\":{\"principalId\":\"" PRINCIPAL "\"}}"                                  \
    }
#define FORBIDDEN                                                                                                      \
    {                                                                                                                  \
        .status = 403, .body = FORBIDDEN_BODY                                                                          \
    }
#define THROTTLED                                                                                                      \
    {                                                                                                                  \
        .status = 429, .body = THROTTLED_BODY                                                                          \
    }
#define ABSENT                                                                                                         \
    {                                                                                                                  \
        .status = 404, .body = "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"It was not found.\"}}"         \
    }

/* --- what is given --- */

struct given {
    const char *default_identity; /* of the spec */
    const char *of_account;       /* default identity */
    bool attached;                /* the account shows the principal of USER_ID */
    const char *system;           /* principal of the account's own identity */
    const char *vault_id, *key_uri, *cosmos;
    enum cmk_key_vault_check check;
    enum cmk_key_vault_access access;
};

struct scene {
    struct rig rig;
    struct cmk_spec spec;
    struct cmk_account account;
    struct evidence_options options;
};

static void scene_open(struct scene *s, const struct given *given, const struct fake_answer *answers, size_t n)
{
    *s = (struct scene){0};
    rig_open(&s->rig, answers, n);
    s->spec.key_uri = xstrdup(given->key_uri ? given->key_uri : KEY);
    s->spec.default_identity = xstrdup(given->default_identity);
    s->spec.key_vault_id = xstrdup(given->vault_id);
    s->spec.check_key_vault = given->check;
    s->spec.key_vault_access = given->access;
    s->account.default_identity = xstrdup(given->of_account);
    s->account.system_principal_id = xstrdup(given->system);
    s->options = (struct evidence_options){.cloud = s->rig.cloud, .cosmos_principal_id = given->cosmos};
    if (!given->attached)
        return;
    s->account.user_identities = xcalloc(1, sizeof(char *));
    s->account.user_principal_ids = xcalloc(1, sizeof(char *));
    s->account.user_identities[0] = str_lower(xstrdup(USER_ID));
    s->account.user_principal_ids[0] = xstrdup(PRINCIPAL);
    s->account.n_user_identities = 1;
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rig);
    cmk_spec_done(&s->spec);
    cmk_account_done(&s->account);
}

/* "vault key access lock throughput", each a word: seen, absent, unseen, not-looked. */
static char *summary(const struct cmk_evidence *e)
{
    static const char *const words[] = {"not-looked", "seen", "absent", "unseen"};

    return xasprintf("%s %s %s %s %s", words[e->vault.seen], words[e->key.seen], words[e->access.seen],
        words[e->lock.seen], words[e->throughput.seen]);
}

static const struct err *first_error(const struct cmk_evidence *e)
{
    const struct err *const errors[] = {
        &e->vault.error, &e->key.error, &e->access.error, &e->lock.error, &e->throughput.error};

    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i]->msg[0])
            return errors[i];
    return &e->vault.error;
}

static const struct {
    const char *sentence;
    struct given given;
    struct fake_answer answers[10];
    size_t n;
    const char *summary;
    const char *access; /* get, wrap, unwrap, conditional, as letters */
    const char *words;  /* of the first part that says something */
} rows[] = {
    {"a vault that is found, with a policy", {.default_identity = USER, .attached = true},
        {FOUND, VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 5, "seen seen seen absent absent", "gwu-", ""},
    {"a policy that lacks something", {.default_identity = USER, .attached = true},
        {FOUND, VAULT(POLICY("\"get\",\"list\"")), KEY_FOUND, NO_LOCKS, NO_METRICS}, 5, "seen seen seen absent absent",
        "g---", ""},
    {"a vault by its id", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen seen absent absent", "gwu-", ""},
    {"an outage of Azure Monitor holds nothing up", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, THROTTLED}, 4, "seen seen seen absent unseen", "gwu-", ""},
    {"an id of another vault",
        {.default_identity = USER,
            .attached = true,
            .vault_id = VAULT_ID,
            .key_uri = "https://fabrikam.vault.azure.net/keys/cosmos"},
        {VAULT(ALL_POLICY), NO_LOCKS, NO_METRICS}, 3, "absent not-looked not-looked absent absent", "----",
        "the key is in https://fabrikam.vault.azure.net"},
    {"no vault", {.default_identity = USER, .attached = true}, {LIST(""), LIST(""), NO_LOCKS, NO_METRICS}, 4,
        "absent not-looked not-looked absent absent", "----", "no key vault contoso"},
    {"a vault that may not be read", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {FORBIDDEN, NO_LOCKS, NO_METRICS}, 3, "unseen not-looked not-looked absent absent", "----",
        "Microsoft.KeyVault/vaults/read at " VAULT_ID},
    {"no key", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), ABSENT, NO_LOCKS, NO_METRICS}, 4, "seen absent seen absent absent", "gwu-", "not found"},
    {"a key that may not be read", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), FORBIDDEN, NO_LOCKS, NO_METRICS}, 4, "seen unseen seen absent absent", "gwu-",
        "Microsoft.KeyVault/vaults/keys/read"},
    {"a vault that goes by roles", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(RBAC ALL_POLICY), KEY_FOUND, ASSIGNED(""), ROLE, LIST(""), NO_LOCKS, NO_METRICS}, 7,
        "seen seen seen absent absent", "gwu-", ""},
    {"policies do not count there", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(RBAC ALL_POLICY), KEY_FOUND, LIST(""), LIST(""), NO_LOCKS, NO_METRICS}, 6,
        "seen seen seen absent absent", "----", ""},
    {"a role with a condition", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(RBAC), KEY_FOUND, ASSIGNED(",\"condition\":\"x\""), ROLE, LIST(""), NO_LOCKS, NO_METRICS}, 7,
        "seen seen seen absent absent", "---c", ""},
    {"assignments that may not be read", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(RBAC), KEY_FOUND, FORBIDDEN, NO_LOCKS, NO_METRICS}, 5, "seen seen unseen absent absent", "----",
        "Microsoft.Authorization/roleAssignments/read"},
    {"an identity that is not attached yet", {.default_identity = USER, .vault_id = VAULT_ID},
        {IDENTITY, VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 5, "seen seen seen absent absent", "gwu-", ""},
    {"an identity that does not exist", {.default_identity = USER, .vault_id = VAULT_ID},
        {ABSENT, VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 5, "seen seen absent absent absent", "----",
        "the identity cosmos"},
    {"an identity that may not be read", {.default_identity = USER, .vault_id = VAULT_ID},
        {FORBIDDEN, VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 5, "seen seen unseen absent absent", "----",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read"},
    {"the identity that the account has", {.of_account = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen seen absent absent", "gwu-", ""},
    {"the account's own identity",
        {.default_identity = "SystemAssignedIdentity", .system = PRINCIPAL, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen seen absent absent", "gwu-", ""},
    {"the account's own identity, not there yet", {.default_identity = "SystemAssignedIdentity", .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen unseen absent absent", "----",
        "no system-assigned identity yet"},
    {"the first party, which nobody has named", {.of_account = "FirstPartyIdentity", .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen unseen absent absent", "----",
        "set --cosmos-principal-id"},
    {"the first party by its object id", {.cosmos = PRINCIPAL, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen seen absent absent", "gwu-", ""},
    {"the first party by its application id, which means nothing",
        {.cosmos = "A232010E-820c-4083-83bb-3ace5fc29d0b", .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen unseen absent absent", "----",
        "not an application id"},
    {"an identity of another tenant", {.of_account = USER "&FederatedClientId=x", .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen unseen absent absent", "----",
        "another tenant"},
    {"a managed HSM", {.default_identity = USER, .attached = true, .key_uri = HSM_KEY},
        {LIST("{\"id\":\"" HSM_ID "\",\"name\":\"contoso\"}"), HSM, NO_LOCKS, NO_METRICS}, 4,
        "seen unseen unseen absent absent", "----", "does not show the keys of a managed HSM"},
    {"vaults are to be left out", {.default_identity = USER, .check = CMK_CHECK_SKIP}, {NO_LOCKS, NO_METRICS}, 2,
        "not-looked not-looked not-looked absent absent", "----", ""},
    {"to grant access one has to look",
        {.default_identity = USER,
            .attached = true,
            .vault_id = VAULT_ID,
            .check = CMK_CHECK_SKIP,
            .access = CMK_ACCESS_GRANT},
        {VAULT(""), KEY_FOUND, NO_LOCKS, NO_METRICS}, 4, "seen seen seen absent absent", "----", ""},
    {"a lock, and a busy container", {.check = CMK_CHECK_SKIP},
        {LIST("{\"id\":\"" RG "/providers/Microsoft.Authorization/locks/l\",\"name\":\"l\",\"properties\":{\"level\":"
              "\"ReadOnly\"}}"),
            LIST("{\"name\":{\"value\":\"NormalizedRUConsumption\"},\"timeseries\":[{\"data\":[{\"maximum\":81}]}]}")},
        2, "not-looked not-looked not-looked seen seen", "----", ""},
    {"neither locks nor metrics may be read", {.check = CMK_CHECK_SKIP}, {FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN},
        4, "not-looked not-looked not-looked unseen unseen", "----", "Microsoft.Authorization/locks/read"},
};

static void each_part_says_how_much_of_it_was_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_close) struct scene s;
        _cleanup_(cmk_evidence_done) struct cmk_evidence e;
        struct err err = ERR_INIT;
        scene_open(&s, &rows[i].given, rows[i].answers, rows[i].n);
        if (evidence_gather(s.rig.arm, &s.options, ACCOUNT, &s.spec, &s.account, &e, &err) < 0)
            fail_msg("%s: %s", rows[i].sentence, err.msg);
        _cleanup_(freep) char *seen = summary(&e);
        _cleanup_(freep) char *access = xasprintf("%c%c%c%c", e.access.get ? 'g' : '-', e.access.wrap ? 'w' : '-',
            e.access.unwrap ? 'u' : '-', e.access.conditional ? 'c' : '-');
        if (strcmp(seen, rows[i].summary) != 0 || strcmp(access, rows[i].access) != 0 ||
            !strstr(first_error(&e)->msg, rows[i].words))
            fail_msg("%s: %s %s \"%s\"", rows[i].sentence, seen, access, first_error(&e)->msg);
        if (s.rig.fake->n_seen != rows[i].n)
            fail_msg("%s: %zu requests", rows[i].sentence, s.rig.fake->n_seen);
        assert_true(e.gathered);
    }
}

static void what_was_seen_is_told(void **state)
{
    static const struct fake_answer answers[] = {FOUND, VAULT(ALL_POLICY), KEY_FOUND, NO_LOCKS,
        LIST("{\"name\":{\"value\":\"NormalizedRUConsumption\"},\"timeseries\":[{\"metadatavalues\":[{\"name\":{"
             "\"value\":"
             "\"collectionname\"},\"value\":\"c1\"}],\"data\":[{\"maximum\":81}]}]}")};
    static const struct given given = {.default_identity = USER, .attached = true};
    _cleanup_(scene_close) struct scene s;
    _cleanup_(cmk_evidence_done) struct cmk_evidence e;
    struct err err = ERR_INIT;

    (void)state;
    scene_open(&s, &given, answers, ARRAY_LEN(answers));
    assert_int_equal(evidence_gather(s.rig.arm, &s.options, ACCOUNT, &s.spec, &s.account, &e, &err), 0);
    assert_string_equal(e.vault.id, VAULT_ID);
    assert_true(e.vault.soft_delete && e.vault.purge_protection);
    assert_false(e.vault.rbac || e.vault.managed_hsm);
    assert_int_equal(e.vault.firewall, CMK_FIREWALL_OPEN);
    assert_true(e.key.enabled && e.key.may_wrap);
    assert_int_equal(e.key.expires, 1800000000000LL);
    assert_string_equal(e.key.type, "RSA");
    assert_string_equal(e.access.principal_id, PRINCIPAL);
    assert_int_equal(e.throughput.max_percent, 81);
    assert_string_equal(e.throughput.container, "c1");
}

static void the_firewall_is_judged_as_far_as_documents_go(void **state)
{
    static const struct {
        struct fake_answer answers[6];
        enum cmk_firewall firewall;
    } walls[] = {
#define ACLS(text) {VAULT(",\"networkAcls\":{" text "}"), KEY_FOUND, NO_LOCKS, NO_METRICS}
        {ACLS("\"defaultAction\":\"Allow\",\"bypass\":\"None\""), CMK_FIREWALL_OPEN},
        {ACLS("\"defaultAction\":\"Deny\",\"bypass\":\"AzureServices\""), CMK_FIREWALL_OPEN},
        {ACLS("\"defaultAction\":\"Deny\""), CMK_FIREWALL_OPEN},
        {ACLS("\"defaultAction\":\"Deny\",\"bypass\":\"None\""), CMK_FIREWALL_CLOSED},
        {ACLS("\"defaultAction\":\"Deny\",\"bypass\":\"None\",\"ipRules\":[{}]"), CMK_FIREWALL_RULES},
        {{VAULT(",\"publicNetworkAccess\":\"Disabled\""), KEY_FOUND, NO_LOCKS, NO_METRICS}, CMK_FIREWALL_PRIVATE},
    };
    static const struct given given = {.cosmos = PRINCIPAL, .vault_id = VAULT_ID};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
        _cleanup_(scene_close) struct scene s;
        _cleanup_(cmk_evidence_done) struct cmk_evidence e;
        struct err err = ERR_INIT;
        scene_open(&s, &given, walls[i].answers, 6);
        assert_int_equal(evidence_gather(s.rig.arm, &s.options, ACCOUNT, &s.spec, &s.account, &e, &err), 0);
        if (e.vault.firewall != walls[i].firewall)
            fail_msg("row %zu: %d", i, (int)e.vault.firewall);
    }
}

/* Whatever is asked for: a pass that waits is better than Unknown in a status. */
static void what_heals_by_itself_fails_the_whole(void **state)
{
    static const struct {
        struct fake_answer answers[10];
        size_t n;
        enum err_kind kind;
    } failures[] = {
        {{THROTTLED}, 1, ERR_THROTTLED},
        {{IDENTITY, THROTTLED}, 2, ERR_THROTTLED},
        {{IDENTITY, VAULT(RBAC), {.status = 503}}, 3, ERR_UNAVAILABLE},
        {{IDENTITY, VAULT(RBAC), KEY_FOUND, {.fails = ERR_TIMEOUT}}, 4, ERR_TIMEOUT},
        {{IDENTITY, VAULT(RBAC), KEY_FOUND, ASSIGNED(""), {.status = 401}}, 5, ERR_UNAUTHORIZED},
        {{IDENTITY, VAULT(RBAC), KEY_FOUND, LIST(""), {.fails = ERR_CANCELLED}}, 5, ERR_CANCELLED},
        {{IDENTITY, VAULT(""), KEY_FOUND, THROTTLED}, 4, ERR_THROTTLED},
    };
    static const struct given given = {.default_identity = USER, .vault_id = VAULT_ID};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        _cleanup_(scene_close) struct scene s;
        struct cmk_evidence e;
        struct err err = ERR_INIT;
        scene_open(&s, &given, failures[i].answers, failures[i].n);
        assert_int_equal(evidence_gather(s.rig.arm, &s.options, ACCOUNT, &s.spec, &s.account, &e, &err), -1);
        assert_int_equal(err.kind, failures[i].kind);
        assert_false(e.gathered);
        assert_null(e.vault.id);
        rig_is_through(&s.rig);
    }
}

/* --- granting --- */

static const struct {
    const char *sentence;
    struct given given;
    struct fake_answer answers[8];
    size_t n;
    int result;
    enum err_kind kind;
    const char *words;
    const char *put; /* what the URL of the last request ends in, when that is a PUT */
} grants[] = {
    {"a policy is added", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(POLICY("\"list\"")), {.status = 200, .body = "{}"}}, 2, 1, ERR_NONE, "",
        VAULT_ID "/accessPolicies/add?api-version=2026-02-01"},
    {"a policy that suffices is left alone", {.default_identity = USER, .attached = true, .vault_id = VAULT_ID},
        {VAULT(ALL_POLICY)}, 1, 0, ERR_NONE, "", NULL},
    {"a role is assigned at the vault", {.default_identity = USER, .vault_id = VAULT_ID},
        {IDENTITY, VAULT(RBAC ALL_POLICY), LIST(""), LIST(""), ABSENT, {.status = 201, .body = "{}"}}, 6, 1, ERR_NONE,
        "", "?api-version=2022-04-01"},
    {"a role that suffices is left alone", {.default_identity = USER, .vault_id = VAULT_ID},
        {IDENTITY, VAULT(RBAC), ASSIGNED(""), ROLE, LIST("")}, 5, 0, ERR_NONE, "", NULL},
    {"a role with a condition does not suffice", {.default_identity = USER, .vault_id = VAULT_ID},
        {IDENTITY, VAULT(RBAC), ASSIGNED(",\"condition\":\"x\""), ROLE, LIST(""), ABSENT,
            {.status = 201, .body = "{}"}},
        7, 1, ERR_NONE, "", "?api-version=2022-04-01"},
    {"a managed HSM", {.default_identity = USER, .attached = true, .vault_id = HSM_ID, .key_uri = HSM_KEY}, {HSM}, 1,
        -1, ERR_INVALID, "local RBAC", NULL},
    {"the first party, which nobody has named", {.vault_id = VAULT_ID}, {{0}}, 0, -1, ERR_INVALID,
        "set --cosmos-principal-id", NULL},
    {"the first party by its object id", {.cosmos = PRINCIPAL, .vault_id = VAULT_ID},
        {VAULT(""), {.status = 200, .body = "{}"}}, 2, 1, ERR_NONE, "", "/accessPolicies/add?api-version=2026-02-01"},
    {"the right to grant is missing", {.cosmos = PRINCIPAL, .vault_id = VAULT_ID}, {VAULT(""), FORBIDDEN}, 2, -1,
        ERR_FORBIDDEN, "Microsoft.KeyVault/vaults/accessPolicies/write at " VAULT_ID, NULL},
    {"what is not known is not written to", {.cosmos = PRINCIPAL, .vault_id = VAULT_ID}, {VAULT(RBAC), FORBIDDEN}, 2,
        -1, ERR_FORBIDDEN, "roleAssignments/read", NULL},
    {"a throttled look", {.cosmos = PRINCIPAL, .vault_id = VAULT_ID}, {THROTTLED}, 1, -1, ERR_THROTTLED, "", NULL},
};

static void only_what_is_missing_is_granted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
        _cleanup_(scene_close) struct scene s;
        struct err err = ERR_INIT;
        scene_open(&s, &grants[i].given, grants[i].answers, grants[i].n);
        int r = evidence_grant(s.rig.arm, &s.options, ACCOUNT, &s.spec, &s.account, &err);
        if (r != grants[i].result || err.kind != grants[i].kind || !strstr(err.msg, grants[i].words))
            fail_msg("%s: %d %s", grants[i].sentence, r, err.msg);
        rig_is_through(&s.rig);
        for (size_t j = 0; j < s.rig.fake->n_seen; j++) {
            const struct fake_request *seen = &s.rig.fake->seen[j];
            bool put = strcmp(seen->method, "GET") != 0;
            assert_true(!put || j == s.rig.fake->n_seen - 1);
            if (put && grants[i].put)
                assert_true(str_has_suffix_nocase(seen->url, grants[i].put));
            if (r == 0)
                assert_false(put);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_says_how_much_of_it_was_seen),
        cmocka_unit_test(what_was_seen_is_told),
        cmocka_unit_test(the_firewall_is_judged_as_far_as_documents_go),
        cmocka_unit_test(what_heals_by_itself_fails_the_whole),
        cmocka_unit_test(only_what_is_missing_is_granted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
