/* Vaults, keys and access policies: what recorded bodies mean, how a vault is found, what is sent to add a policy. */
#include "azure_rig.h"

#include "azure/managed_identity.h"
#include "azure/vault.h"
#include "base/str.h"

#define GROUP SUBSCRIPTION "/resourceGroups/RG"
#define VAULT_ID GROUP "/providers/Microsoft.KeyVault/vaults/cli000002"
#define HSM_ID GROUP "/providers/Microsoft.KeyVault/managedHSMs/hsm1"
#define KEY_ID VAULT_ID "/keys/k"
#define PRINCIPAL "5f66a281-0000-4000-8000-00000000abcd"
#define TENANT "54826b22-38d6-4fb2-bad9-b7b93a3e9c5a"
#define HEAD "\"id\":\"" VAULT_ID "\",\"name\":\"cli000002\",\"type\":\"Microsoft.KeyVault/vaults\""
#define URI "\"vaultUri\":\"https://cli000002.vault.azure.net/\""
#define QUERY "?api-version=2026-02-01"

/* Recorded; ids replaced. */
static const char recorded[] =
    "{" HEAD ",\"location\":\"eastus2\",\"tags\":{},\"systemData\":{},\"properties\":{\"sku\":{\"family\":\"A\","
    "\"name\":\"standard\"},\"tenantId\":\"" TENANT "\",\"accessPolicies\":[{\"tenantId\":\"" TENANT
    "\",\"objectId\":\"" PRINCIPAL "\",\"permissions\":{\"keys\":[\"unwrapKey\",\"get\",\"wrapKey\"]}}],"
    "\"enabledForDeployment\":false,\"enableSoftDelete\":true,\"softDeleteRetentionInDays\":7,"
    "\"enablePurgeProtection\":true," URI ",\"provisioningState\":\"Succeeded\",\"publicNetworkAccess\":\"Enabled\"}}";

/* From the specification. */
static const char key_body[] =
    "{\"name\":\"k\",\"type\":\"Microsoft.KeyVault/vaults/keys\",\"id\":\"" KEY_ID
    "\",\"properties\":{\"attributes\":{\"created\":1598533051,\"enabled\":true,\"recoveryLevel\":\"Purgeable\"},"
    "\"keyOps\":[\"wrapKey\",\"unwrapKey\"],\"keySize\":2048,\"keyUri\":"
    "\"https://cli000002.vault.azure.net:443/keys/k\",\"keyUriWithVersion\":"
    "\"https://cli000002.vault.azure.net:443/keys/k/fd61\",\"kty\":\"RSA\"}}";

static void uris_of_one_thing_are_equal(void **state)
{
    static const struct {
        const char *uri, *normal, *vault;
    } rows[] = {
        {"https://v.vault.azure.net/", "https://v.vault.azure.net", "https://v.vault.azure.net"},
        {"https://V.Vault.azure.net", "https://v.vault.azure.net", "https://v.vault.azure.net"},
        {"HTTPS://v.vault.azure.net:443/keys/K/", "https://v.vault.azure.net/keys/K", "https://v.vault.azure.net"},
        {"https://v.vault.azure.net:8443/keys/k", "https://v.vault.azure.net:8443/keys/k",
            "https://v.vault.azure.net:8443"},
        {"http://v.vault.azure.net/", NULL, NULL},
        {"https://u@v.vault.azure.net/", NULL, NULL},
        {"v.vault.azure.net", NULL, NULL},
        {"", NULL, NULL},
        {NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *normal = vault_uri_normalize(rows[i].uri), *vault = vault_uri_of_key(rows[i].uri);
        if (!str_eq(normal, rows[i].normal) || !str_eq(vault, rows[i].vault))
            fail_msg("row %zu: %s, %s", i, normal ? normal : "-", vault ? vault : "-");
    }
}

static void the_recorded_vault_is_decoded(void **state)
{
    _cleanup_(json_freep) cJSON *tree = tree_of(recorded);
    _cleanup_(vault_done) struct vault vault = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_decode(&vault, tree, "5F66A281-0000-4000-8000-00000000ABCD", &err), 0);
    assert_string_equal(vault.id, VAULT_ID);
    assert_string_equal(vault.uri, "https://cli000002.vault.azure.net");
    assert_string_equal(vault.tenant_id, TENANT);
    assert_true(vault.soft_delete && vault.purge_protection);
    assert_false(vault.rbac || vault.managed_hsm || vault.default_deny || vault.not_public);
    assert_true(vault.trusted_bypass);
    assert_true(vault.policy.found);
    assert_true(vault_policy_allows(&vault.policy, "get"));
    assert_true(vault_policy_allows(&vault.policy, "wrapKey"));
    assert_false(vault_policy_allows(&vault.policy, "delete"));
}

/* soft, purge, rbac, deny, bypass, not public: a letter each, upper case for true; then the number of rules. */
static void every_setting_of_a_vault_is_read(void **state)
{
    static const struct {
        const char *properties, *is;
    } rows[] = {
        {URI, "Sprdbn"},
        {URI ",\"enableSoftDelete\":null,\"enableRbacAuthorization\":null", "Sprdbn"},
        {URI ",\"enableSoftDelete\":false", "sprdbn"},
        {URI ",\"enablePurgeProtection\":true", "SPrdbn"},
        {URI ",\"enableRbacAuthorization\":true", "SpRdbn"},
        {URI ",\"networkAcls\":{\"bypass\":\"AzureServices\",\"defaultAction\":\"Deny\"}", "SprDbn"},
        {URI ",\"networkAcls\":{\"bypass\":\"None\",\"defaultAction\":\"Deny\",\"ipRules\":[],"
             "\"virtualNetworkRules\":[]}",
            "SprDxn"},
        {URI ",\"networkAcls\":{\"bypass\":\"none\",\"defaultAction\":\"deny\",\"ipRules\":[{\"value\":\"1.2.3.4\"}],"
             "\"virtualNetworkRules\":[{\"id\":\"x\"}]}",
            "SprDxn2"},
        {URI ",\"networkAcls\":{\"defaultAction\":\"Deny\"}", "SprDbn"},
        {URI ",\"publicNetworkAccess\":\"enabled\"", "Sprdbn"},
        {URI ",\"publicNetworkAccess\":\"Disabled\"", "SprdbN"},
        {URI ",\"publicNetworkAccess\":\"SecuredByPerimeter\"", "SprdbN"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *body = xasprintf("{" HEAD ",\"properties\":{%s}}", rows[i].properties);
        _cleanup_(json_freep) cJSON *tree = tree_of(body);
        _cleanup_(vault_done) struct vault v = {0};
        struct err err = ERR_INIT;
        if (vault_decode(&v, tree, NULL, &err) < 0)
            fail_msg("row %zu: %s", i, err.msg);
        _cleanup_(freep) char *is = xasprintf("%c%c%c%c%c%c", v.soft_delete ? 'S' : 's', v.purge_protection ? 'P' : 'p',
            v.rbac ? 'R' : 'r', v.default_deny ? 'D' : 'd', v.trusted_bypass ? 'b' : 'x', v.not_public ? 'N' : 'n');
        _cleanup_(freep) char *all = v.n_rules ? xasprintf("%s%zu", is, v.n_rules) : xstrdup(is);
        if (strcmp(all, rows[i].is) != 0)
            fail_msg("row %zu: %s, not %s", i, all, rows[i].is);
    }
}

static void what_is_no_vault_is_refused_by_path(void **state)
{
    static const struct {
        const char *body, *names;
    } rows[] = {
        {"{}", "id"},
        {"{" HEAD ",\"properties\":{}}", "properties.vaultUri"},
        {"{" HEAD ",\"properties\":{\"vaultUri\":\"http://v/\"}}", "properties.vaultUri"},
        {"{" HEAD ",\"properties\":{" URI ",\"enableSoftDelete\":\"yes\"}}", "properties.enableSoftDelete"},
        {"{" HEAD ",\"properties\":{" URI ",\"accessPolicies\":{}}}", "properties.accessPolicies"},
        {"{" HEAD ",\"properties\":{" URI ",\"accessPolicies\":[{\"objectId\":\"" PRINCIPAL
         "\",\"permissions\":{\"keys\":[1]}}]}}",
            "properties.accessPolicies"},
        {"{\"id\":\"x\",\"name\":\"x\",\"type\":\"Microsoft.Storage/storageAccounts\",\"properties\":{" URI "}}",
            "type"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *tree = tree_of(rows[i].body);
        struct vault vault = {0};
        struct err err = ERR_INIT;
        assert_int_equal(vault_decode(&vault, tree, PRINCIPAL, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        says(&err, rows[i].names);
        assert_null(vault.id);
    }
}

#define POLICY(more) "{\"objectId\":\"" PRINCIPAL "\"," more "}"

/* get, wrap, unwrap */
static void only_the_principals_own_policy_counts(void **state)
{
    static const struct {
        const char *policies, *is;
    } rows[] = {
        {"", "---"},
        {POLICY("\"permissions\":{\"keys\":[\"GET\",\"WrapKey\",\"UNWRAPKEY\"]}"), "gwu"},
        {POLICY("\"permissions\":{\"keys\":[\"all\"]}"), "gwu"},
        {POLICY("\"permissions\":{\"keys\":[\"get\"],\"secrets\":[\"all\"]}"), "g--"},
        {POLICY("\"applicationId\":\"a\",\"permissions\":{\"keys\":[\"all\"]}"), "---"},
        {POLICY("\"applicationId\":null,\"permissions\":{\"keys\":[\"all\"]}"), "gwu"},
        {"{\"objectId\":\"" TENANT "\",\"permissions\":{\"keys\":[\"all\"]}}", "---"},
        {POLICY("\"permissions\":{\"keys\":null}"), "---"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *body =
            xasprintf("{" HEAD ",\"properties\":{" URI ",\"accessPolicies\":[%s]}}", rows[i].policies);
        _cleanup_(json_freep) cJSON *tree = tree_of(body);
        _cleanup_(vault_done) struct vault v = {0};
        struct err err = ERR_INIT;
        if (vault_decode(&v, tree, PRINCIPAL, &err) < 0)
            fail_msg("row %zu: %s", i, err.msg);
        _cleanup_(freep) char *is = xasprintf("%c%c%c", vault_policy_allows(&v.policy, "get") ? 'g' : '-',
            vault_policy_allows(&v.policy, "wrapKey") ? 'w' : '-',
            vault_policy_allows(&v.policy, "unwrapKey") ? 'u' : '-');
        if (strcmp(is, rows[i].is) != 0)
            fail_msg("row %zu: %s", i, is);
    }
}

static void keys_are_decoded(void **state)
{
#define KEY(more) "{\"properties\":{\"keyUri\":\"https://v.vault.azure.net:443/keys/k\"" more "}}"
    static const struct {
        const char *body, *is; /* NULL: refused */
    } rows[] = {
        {key_body, "enabled 0 0 RSA wraps"},
        {KEY(""), "enabled 0 0 - wraps"},
        {KEY(",\"kty\":\"EC\",\"keyOps\":[\"sign\"]"), "enabled 0 0 EC -"},
        {KEY(",\"kty\":\"RSA-HSM\",\"keyOps\":[\"WRAPKEY\"]"), "enabled 0 0 RSA-HSM -"},
        {KEY(",\"keyOps\":[]"), "enabled 0 0 - -"},
        {KEY(",\"attributes\":{\"enabled\":false,\"nbf\":1598533051,\"exp\":1600000000}"),
            "disabled 1598533051000 1600000000000 - wraps"},
        {KEY(",\"attributes\":{\"exp\":-1}"), NULL},
        {KEY(",\"attributes\":{\"exp\":\"x\"}"), NULL},
        {"{\"properties\":{\"keyUri\":\"k\"}}", NULL},
        {"{}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *tree = tree_of(rows[i].body);
        _cleanup_(vault_key_done) struct vault_key key = {0};
        struct err err = ERR_INIT;
        int r = vault_key_decode(&key, tree, &err);
        assert_int_equal(r, rows[i].is ? 0 : -1);
        if (r < 0)
            continue;
        _cleanup_(freep) char *is = xasprintf("%s %lld %lld %s %s", key.enabled ? "enabled" : "disabled",
            (long long)key.not_before, (long long)key.expires, key.type ? key.type : "-", key.may_wrap ? "wraps" : "-");
        if (strcmp(is, rows[i].is) != 0)
            fail_msg("row %zu: %s", i, is);
    }
}

/* --- calls --- */

#define NOT_FOUND_BODY                                                                                                 \
    "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"The Resource 'Microsoft.KeyVault/vaults/cli000002' "      \
    "under resource group 'RG' was not found.\"}}"

static void a_vault_is_read_by_its_id(void **state)
{
    static const struct {
        const char *id;
        struct fake_answer answer;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {VAULT_ID, {.status = 200, .body = recorded}, ERR_NONE, ""},
        {SUBSCRIPTION "/resourcegroups/rg/providers/microsoft.keyvault/Vaults/CLI000002",
            {.status = 200, .body = recorded}, ERR_NONE, ""},
        {VAULT_ID, {.status = 404, .body = NOT_FOUND_BODY}, ERR_NOT_FOUND, "was not found"},
        {VAULT_ID, {.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN,
            "Microsoft.KeyVault/vaults/read at " VAULT_ID},
        {HSM_ID, {.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN, "Microsoft.KeyVault/managedHSMs/read"},
        {HSM_ID, {.status = 204}, ERR_NOT_FOUND, "does not exist"},
        {VAULT_ID, {.status = 429, .body = THROTTLED_BODY}, ERR_THROTTLED, "cannot read the key vault"},
        {GROUP "/providers/Microsoft.KeyVault/vaults/other", {.status = 200, .body = recorded}, ERR_PROTOCOL,
            "another key vault"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(vault_done) struct vault vault;
        _cleanup_(freep) char *url = xasprintf(ARM_URL "%s" QUERY, rows[i].id);
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(vault_get(rig.arm, rows[i].id, NULL, &vault, &err), rows[i].kind ? -1 : 0);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        assert_string_equal(rig.fake->seen[0].url, url);
        assert_int_equal(vault.id != NULL, rows[i].kind == ERR_NONE);
    }
}

static void what_is_no_vaults_id_is_never_asked_for(void **state)
{
    static const char *const ids[] = {
        SUBSCRIPTION, KEY_ID, VAULT_ID "/../x", GROUP "/providers/Microsoft.Storage/storageAccounts/x", VAULT_ID "?x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct vault vault;
        struct err err = ERR_INIT;
        rig_open(&rig, NULL, 0);
        assert_int_equal(vault_get(rig.arm, ids[i], NULL, &vault, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(rig.fake->n_seen, 0);
    }
}

#define LISTED(name) "{\"id\":\"" GROUP "/providers/Microsoft.KeyVault/vaults/" name "\",\"name\":\"" name "\"}"
#define EMPTY                                                                                                          \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[]}"                                                                        \
    }
#define RESOURCES                                                                                                      \
    ARM_URL SUBSCRIPTION                                                                                               \
        "/resources?api-version=2015-11-01&$filter=resourceType%20eq%20%27Microsoft.KeyVault%2Fvaults%27"

static void a_vault_is_found_by_its_uri(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = "{\"value\":[" LISTED("cli") "],\"nextLink\":\"" ARM_URL "/next\"}"},
        {.status = 200, .body = "{\"value\":[" LISTED("CLI000002") "]}"},
        {.status = 200, .body = recorded},
    };
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(vault_done) struct vault vault;
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, ARRAY_LEN(answers));
    assert_int_equal(
        vault_find(rig.arm, SUBSCRIPTION_ID, "https://CLI000002.vault.azure.net/", false, PRINCIPAL, &vault, &err), 0);
    rig_is_through(&rig);
    assert_string_equal(rig.fake->seen[0].url, RESOURCES);
    assert_string_equal(vault.uri, "https://cli000002.vault.azure.net");
    assert_true(vault.policy.found);
}

/* The list of resources leaves out what may not be read, so it alone is no proof. */
static void a_vault_is_absent_only_when_a_complete_list_says_so(void **state)
{
    static const struct {
        struct fake_answer answers[3];
        size_t n;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {{EMPTY, EMPTY}, 2, ERR_NOT_FOUND, "no key vault cli000002 in subscription"},
        {{EMPTY, {.status = 403, .body = FORBIDDEN_BODY}}, 2, ERR_FORBIDDEN,
            "Microsoft.KeyVault/vaults/read at " SUBSCRIPTION},
        {{{.status = 403, .body = FORBIDDEN_BODY}, {.status = 403, .body = FORBIDDEN_BODY}}, 2, ERR_FORBIDDEN,
            "Microsoft.KeyVault/vaults/read"},
        {{{.status = 429, .body = THROTTLED_BODY}}, 1, ERR_THROTTLED, "cannot list"},
        {{EMPTY, {.status = 503}}, 2, ERR_UNAVAILABLE, ""},
        {{EMPTY, {.status = 200, .body = "{\"value\":[" LISTED("cli000002") "]}"}, {.status = 200, .body = recorded}},
            3, ERR_NONE, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(vault_done) struct vault vault;
        struct err err = ERR_INIT;
        rig_open(&rig, rows[i].answers, rows[i].n);
        assert_int_equal(
            vault_find(rig.arm, SUBSCRIPTION_ID, "https://cli000002.vault.azure.net", false, NULL, &vault, &err),
            rows[i].kind ? -1 : 0);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        rig_is_through(&rig);
    }
}

static void a_vault_of_that_name_in_another_cloud_is_not_it(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = "{\"value\":[" LISTED("cli000002") "]}"}, {.status = 200, .body = recorded}};
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(vault_done) struct vault vault;
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, ARRAY_LEN(answers));
    assert_int_equal(
        vault_find(rig.arm, SUBSCRIPTION_ID, "https://cli000002.vault.azure.cn", false, NULL, &vault, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_null(vault.id);
}

static void a_key_is_read_through_arm_and_must_be_the_one_asked_for(void **state)
{
    static const struct {
        const char *name;
        struct fake_answer answer;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {"k", {.status = 200, .body = key_body}, ERR_NONE, ""},
        {"other", {.status = 200, .body = key_body}, ERR_PROTOCOL, "another key"},
        {"k", {.status = 404, .body = NOT_FOUND_BODY}, ERR_NOT_FOUND, "cannot read the key k of the key vault"},
        {"k", {.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN, "Microsoft.KeyVault/vaults/keys/read at " KEY_ID},
    };
    struct vault vault = {
        .id = xstrdup(VAULT_ID), .name = xstrdup("v"), .uri = xstrdup("https://cli000002.vault.azure.net")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(vault_key_done) struct vault_key key;
        _cleanup_(freep) char *url = xasprintf(ARM_URL VAULT_ID "/keys/%s" QUERY, rows[i].name);
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(vault_key_get(rig.arm, &vault, rows[i].name, &key, &err), rows[i].kind ? -1 : 0);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        assert_string_equal(rig.fake->seen[0].url, url);
    }
    vault_done(&vault);
}

/* --- adding to a policy --- */

static void what_is_sent_is_the_union_of_what_is_there_and_what_is_needed(void **state)
{
    static const struct {
        const char *permissions, *sends;
    } rows[] = {
        {NULL, "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}"},
        {"{\"keys\":[\"Get\",\"list\"]}", "{\"keys\":[\"Get\",\"list\",\"wrapKey\",\"unwrapKey\"]}"},
        {"{\"secrets\":[\"get\"],\"certificates\":[\"list\"],\"storage\":[\"all\"]}",
            "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"],\"secrets\":[\"get\"],\"certificates\":[\"list\"],"
            "\"storage\":[\"all\"]}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *body =
            rows[i].permissions
                ? xasprintf("{" HEAD ",\"properties\":{\"tenantId\":\"" TENANT "\"," URI
                            ",\"accessPolicies\":[{\"objectId\":\"" PRINCIPAL "\",\"permissions\":%s}]}}",
                      rows[i].permissions)
                : xstrdup("{" HEAD ",\"properties\":{\"tenantId\":\"" TENANT "\"," URI "}}");
        _cleanup_(freep) char *expected = xasprintf("{\"properties\":{\"accessPolicies\":[{\"tenantId\":\"" TENANT
                                                    "\",\"objectId\":\"" PRINCIPAL "\",\"permissions\":%s}]}}",
            rows[i].sends);
        _cleanup_(json_freep) cJSON *tree = tree_of(body);
        _cleanup_(vault_done) struct vault vault = {0};
        static const struct fake_answer answer = {.status = 201, .body = "{}"};
        _cleanup_(rig_close) struct rig rig;
        struct err err = ERR_INIT;
        rig_open(&rig, &answer, 1);
        assert_int_equal(vault_decode(&vault, tree, PRINCIPAL, &err), 0);
        assert_int_equal(vault_policy_add(rig.arm, &vault, PRINCIPAL, &err), 0);
        assert_string_equal(rig.fake->seen[0].method, "PUT");
        assert_string_equal(rig.fake->seen[0].url, ARM_URL VAULT_ID "/accessPolicies/add" QUERY);
        assert_string_equal(rig.fake->seen[0].body, expected);
        assert_true(rig.fake->seen[0].once);
    }
}

static void a_policy_is_not_added_where_it_would_not_count(void **state)
{
    static const struct fake_answer forbidden = {.status = 403, .body = FORBIDDEN_BODY};
    char id[] = VAULT_ID, name[] = "v", tenant[] = TENANT;
    const struct {
        struct vault vault;
        size_t requests;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {{.id = id, .name = name, .tenant_id = tenant, .rbac = true}, 0, ERR_INVALID, "access policies"},
        {{.id = id, .name = name, .tenant_id = tenant, .managed_hsm = true}, 0, ERR_INVALID, "access policies"},
        {{.id = id, .name = name, .tenant_id = tenant}, 1, ERR_FORBIDDEN,
            "Microsoft.KeyVault/vaults/accessPolicies/write"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct err err = ERR_INIT;
        rig_open(&rig, &forbidden, 1);
        assert_int_equal(vault_policy_add(rig.arm, &rows[i].vault, PRINCIPAL, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        assert_int_equal(rig.fake->n_seen, rows[i].requests);
    }
}

/* --- identities --- */

#define IDENTITY_ID GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"

static void an_identity_tells_its_principal(void **state)
{
    static const struct {
        const char *id;
        struct fake_answer answer;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {IDENTITY_ID,
            {.status = 200,
                .body = "{\"id\":\"x\",\"properties\":{\"tenantId\":\"" TENANT "\",\"principalId\":\"" PRINCIPAL
                        "\",\"clientId\":\"c\"}}"},
            ERR_NONE, ""},
        {IDENTITY_ID, {.status = 200, .body = "{\"properties\":{\"principalId\":\"x\"}}"}, ERR_PROTOCOL, "no GUID"},
        {IDENTITY_ID, {.status = 200, .body = "{}"}, ERR_PROTOCOL, "principalId"},
        {IDENTITY_ID, {.status = 404, .body = NOT_FOUND_BODY}, ERR_NOT_FOUND, "the identity id1"},
        {IDENTITY_ID, {.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN,
            "Microsoft.ManagedIdentity/userAssignedIdentities/read at " IDENTITY_ID},
        {VAULT_ID, {0}, ERR_INVALID, "no id of a user-assigned identity"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(managed_identity_done) struct managed_identity identity;
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(managed_identity_get(rig.arm, rows[i].id, &identity, &err), rows[i].kind ? -1 : 0);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        if (!rows[i].kind)
            assert_string_equal(identity.principal_id, PRINCIPAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_of_one_thing_are_equal),
        cmocka_unit_test(the_recorded_vault_is_decoded),
        cmocka_unit_test(every_setting_of_a_vault_is_read),
        cmocka_unit_test(what_is_no_vault_is_refused_by_path),
        cmocka_unit_test(only_the_principals_own_policy_counts),
        cmocka_unit_test(keys_are_decoded),
        cmocka_unit_test(a_vault_is_read_by_its_id),
        cmocka_unit_test(what_is_no_vaults_id_is_never_asked_for),
        cmocka_unit_test(a_vault_is_found_by_its_uri),
        cmocka_unit_test(a_vault_is_absent_only_when_a_complete_list_says_so),
        cmocka_unit_test(a_vault_of_that_name_in_another_cloud_is_not_it),
        cmocka_unit_test(a_key_is_read_through_arm_and_must_be_the_one_asked_for),
        cmocka_unit_test(what_is_sent_is_the_union_of_what_is_there_and_what_is_needed),
        cmocka_unit_test(a_policy_is_not_added_where_it_would_not_count),
        cmocka_unit_test(an_identity_tells_its_principal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
