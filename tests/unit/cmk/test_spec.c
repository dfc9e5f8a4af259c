/* What may be asked for: the same as crd/cosmoscmk.yaml accepts, for API servers that do not run its rules. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"
#include "scene.h"

#include <string.h>

#define SUB "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/"
#define COSMOS "/providers/Microsoft.DocumentDB/databaseAccounts/"
#define MANAGED "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
#define VAULTS "/providers/Microsoft.KeyVault/vaults/"
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X90 X50 X10 X10 X10 X10
#define X127 X90 X10 X10 X10 "xxxxxxx"

struct row {
    const char *value;
    const char *complaint; /* NULL: accepted */
};

static int check(const struct row *row, size_t offset)
{
    _cleanup_(scene_done) struct scene scene;
    struct err err = ERR_INIT;

    scene_init(&scene, "");
    str_replace((char **)((char *)&scene.resource.spec + offset), row->value);
    int r = cmk_spec_check(&scene.resource.spec, &err);
    if (r == 0 && row->complaint)
        fail_msg("\"%s\" was accepted", row->value);
    if (r < 0 && (!row->complaint || err.kind != ERR_INVALID || !strstr(err.msg, row->complaint)))
        fail_msg("\"%s\": %s", row->value ? row->value : "(absent)", err.msg);
    return r;
}

static void account_ids(void **state)
{
    static const struct row rows[] = {
        {ACCOUNT_ID, NULL},
        {SUB "rg" COSMOS "abc", NULL},
        {SUB "rg" COSMOS X50, NULL},
        {SUB "rg" COSMOS "a-b-c-1", NULL},
        {SUB X90 COSMOS "abc", NULL},
        {SUB "a_b-c.d(e)" COSMOS "abc", NULL},
        {SUB ".rg" COSMOS "abc", NULL},
        {"/SUBSCRIPTIONS/0F8FAD5B-D9CB-469F-A165-70867728950E/RESOURCEGROUPS/Shop/PROVIDERS/MICROSOFT.DOCUMENTDB/"
         "DATABASEACCOUNTS/orders",
            NULL},
        {NULL, "missing"},
        {"", "missing"},
        {"orders", "no Cosmos DB account id"},
        {"/", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "ab", "no Cosmos DB account id"},
        {SUB "rg" COSMOS X50 "x", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "Orders", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "-abc", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc-", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "a--b", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "a_b", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc/", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc/sqlDatabases/db", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc?x=1", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc#x", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc ", "no Cosmos DB account id"},
        {SUB "rg" COSMOS "abc\n", "no Cosmos DB account id"},
        {SUB ".." COSMOS "abc", "no Cosmos DB account id"},
        {SUB "." COSMOS "abc", "no Cosmos DB account id"},
        {SUB "rg." COSMOS "abc", "no Cosmos DB account id"},
        {SUB "" COSMOS "abc", "no Cosmos DB account id"},
        {SUB "a%2Fb" COSMOS "abc", "no Cosmos DB account id"},
        {SUB "a b" COSMOS "abc", "no Cosmos DB account id"},
        {SUB "r\xC3\xA9" COSMOS "abc", "no Cosmos DB account id"},
        {SUB X90 "x" COSMOS "abc", "no Cosmos DB account id"},
        {SUB "rg/providers/Microsoft.Storage/storageAccounts/abc", "no Cosmos DB account id"},
        {SUB "rg" VAULTS "abc", "no Cosmos DB account id"},
        {"subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/rg" COSMOS "abc",
            "no Cosmos DB account id"},
        {"/subscriptions/orders/resourceGroups/rg" COSMOS "abc", "no Cosmos DB account id"},
        {"/subscriptions/0f8fad5bd9cb469fa16570867728950e/resourceGroups/rg" COSMOS "abc", "no Cosmos DB account id"},
        {"/subscriptions/{0f8fad5b-d9cb-469f-a165-70867728950e}/resourceGroups/rg" COSMOS "abc",
            "no Cosmos DB account"},
        {"https://management.azure.com" SUB "rg" COSMOS "abc", "no Cosmos DB account id"},
        {"/" SUB "rg" COSMOS "abc", "no Cosmos DB account id"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        (void)check(&rows[i], offsetof(struct cmk_spec, account_id));
}

static void key_uris(void **state)
{
    static const struct row rows[] = {
        {KEY, NULL},
        {"https://abc.vault.azure.net/keys/k", NULL},
        {"https://a-b.vault.azure.net/keys/Key-1", NULL},
        {"https://" X10 X10 "xxxx.vault.azure.net/keys/" X127, NULL},
        {"https://abc.vault.azure.cn/keys/k", NULL},
        {"https://abc.vault.usgovcloudapi.net/keys/k", NULL},
        {"https://abc.managedhsm.azure.net/keys/k", NULL},
        {"https://abc.managedhsm.azure.cn/keys/k", NULL},
        {"https://abc.managedhsm.usgovcloudapi.net/keys/k", NULL},
        {"HTTPS://ABC.Vault.Azure.NET/keys/k", NULL},
        {NULL, "missing"},
        {"", "missing"},
        {"abc.vault.azure.net/keys/k", "no key URI"},
        {"http://abc.vault.azure.net/keys/k", "no key URI"},
        {"https://", "no key URI"},
        {"https://abc.vault.azure.net", "no key URI"},
        {"https://abc.vault.azure.net/", "no key URI"},
        {"https://abc.vault.azure.net/keys", "no key URI"},
        {"https://abc.vault.azure.net/keys/", "no key URI"},
        {"https://abc.vault.azure.net/KEYS/k", "no key URI"},
        {"https://abc.vault.azure.net/secrets/k", "no key URI"},
        {"https://abc.vault.azure.net/keys/" X127 "x", "no key URI"},
        {"https://abc.vault.azure.net/keys/k_1", "no key URI"},
        {"https://abc.vault.azure.net/keys/k?api-version=7.4", "no key URI"},
        {"https://abc.vault.azure.net/keys/k#x", "no key URI"},
        {"https://abc.vault.azure.net:443/keys/k", "no key URI"},
        {"https://user@abc.vault.azure.net/keys/k", "no key URI"},
        {"https://abc.vault.azure.net.evil.example/keys/k", "no key URI"},
        {"https://evil.example/abc.vault.azure.net/keys/k", "no key URI"},
        {"https://evil.example?.vault.azure.net/keys/k", "no key URI"},
        {"https://vault.azure.net/keys/k", "no key URI"},
        {"https://.vault.azure.net/keys/k", "no key URI"},
        {"https://ab.vault.azure.net/keys/k", "no key URI"},
        {"https://" X10 X10 "xxxxx.vault.azure.net/keys/k", "no key URI"},
        {"https://-ab.vault.azure.net/keys/k", "no key URI"},
        {"https://ab-.vault.azure.net/keys/k", "no key URI"},
        {"https://a.b.c.vault.azure.net/keys/k", "no key URI"},
        {"https://a_b.vault.azure.net/keys/k", "no key URI"},
        {"https://abc.vault.azure.net/keys/k/", "end with a slash"},
        {"https://abc.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef", "remove the version"},
        {"https://abc.vault.azure.net/keys/k/latest", "remove the version"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        (void)check(&rows[i], offsetof(struct cmk_spec, key_uri));
}

static void default_identities(void **state)
{
    static const struct row rows[] = {
        {NULL, NULL},
        {"", "is blank; remove it"},
        {"FirstPartyIdentity", NULL},
        {"SystemAssignedIdentity", NULL},
        {IDENTITY, NULL},
        {"UserAssignedIdentity=" SUB "rg" MANAGED "a_b-1", NULL},
        {"UserAssignedIdentity=/subscriptions/0F8FAD5B-D9CB-469F-A165-70867728950E/resourcegroups/RG/providers/"
         "microsoft.managedidentity/USERASSIGNEDIDENTITIES/Id1",
            NULL},
        {"UserAssignedIdentity=" SUB "rg" MANAGED X127 "x", NULL},
        {"firstpartyidentity", "none of"},
        {"FirstPartyIdentity ", "none of"},
        {"UserAssignedIdentity", "none of"},
        {"UserAssignedIdentity=", "none of"},
        {"userassignedidentity=" USER_ID, "none of"},
        {USER_ID, "none of"},
        {"UserAssignedIdentity=" ACCOUNT_ID, "none of"},
        {"UserAssignedIdentity=" SUB "rg" MANAGED "ab", "none of"},
        {"UserAssignedIdentity=" SUB "rg" MANAGED "_ab", "none of"},
        {"UserAssignedIdentity=" SUB "rg" MANAGED "a.b", "none of"},
        {"UserAssignedIdentity=" SUB "rg" MANAGED X127 "xx", "none of"},
        {"UserAssignedIdentity=" SUB ".." MANAGED "abc", "none of"},
        {IDENTITY "&FederatedClientId=0f8fad5b-d9cb-469f-a165-70867728950e", "another tenant"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        (void)check(&rows[i], offsetof(struct cmk_spec, default_identity));
}

static void vault_ids(void **state)
{
    static const struct row rows[] = {
        {NULL, NULL},
        {"", "no vault id"},
        {SUB "rg" VAULTS "contoso", NULL},
        {SUB "rg" VAULTS "contos", "names the vault contos"},
        {SUB "rg" VAULTS "contosoo", "is in the vault contoso;"},
        {SUB "rg/providers/Microsoft.KeyVault/managedHSMs/contoso", NULL},
        {SUB "rg/providers/microsoft.keyvault/VAULTS/Contoso", NULL},
        {SUB "rg" VAULTS "ab", "no vault id"},
        {SUB "rg" VAULTS X10 X10 "xxxxx", "no vault id"},
        {SUB "rg" VAULTS "a_b", "no vault id"},
        {SUB "rg" VAULTS "..", "no vault id"},
        {SUB "rg/providers/Microsoft.KeyVault/keys/contoso", "no vault id"},
        {ACCOUNT_ID, "no vault id"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        (void)check(&rows[i], offsetof(struct cmk_spec, key_vault_id));
}

static void what_could_not_be_decoded_is_said_first(void **state)
{
    (void)state;

    (void)check(
        &(struct row){"spec.priority: expected a number", "expected a number"}, offsetof(struct cmk_spec, malformed));
}

static void a_window_needs_a_zone_and_a_period(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct err err = ERR_INIT;
    (void)state;

    scene_init(&scene, "window=open");
    assert_int_equal(cmk_spec_check(&scene.resource.spec, &err), 0);
    scene.resource.spec.window.n_periods = 0;
    assert_int_equal(cmk_spec_check(&scene.resource.spec, &err), -1);
    scene.resource.spec.window.n_periods = 1;
    str_replace(&scene.resource.spec.window.time_zone, NULL);
    assert_int_equal(cmk_spec_check(&scene.resource.spec, &err), -1);
    assert_non_null(strstr(err.msg, "timeZone"));
}

static void demands_that_this_version_cannot_meet_are_named(void **state)
{
    static char some_id[] = "x";
    static const struct {
        struct cmk_spec spec;
        const char *field; /* NULL: supported */
    } table[] = {
        {{0}, NULL},
        {{.check_key_vault = CMK_CHECK_SKIP}, NULL},
        {{.check_key_vault = CMK_CHECK_ENFORCE}, NULL},
        {{.check_key_vault = CMK_CHECK_WARN}, NULL},
        {{.key_vault_access = CMK_ACCESS_GRANT}, NULL},
        {{.key_vault_id = some_id}, NULL},
        {{.document_ids = CMK_IDS_SCAN}, NULL},
        {{.priority = -1}, "spec.priority"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *why = cmk_spec_unsupported(&table[i].spec);
        if (!table[i].field) {
            assert_null(why);
        } else {
            assert_non_null(why);
            assert_int_equal(strncmp(why, table[i].field, strlen(table[i].field)), 0);
        }
    }
}

static void keys_are_the_same_in_many_forms(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } table[] = {
        {NULL, NULL, true},
        {NULL, "", true},
        {NULL, KEY, false},
        {KEY, KEY, true},
        {KEY, KEY "/", true},
        {KEY, KEY "/0123456789abcdef", true},
        {KEY, "https://contoso.vault.azure.net:443/keys/cosmos", true},
        {KEY, "HTTPS://Contoso.Vault.Azure.Net/Keys/Cosmos", true},
        {KEY, OTHER_KEY, false},
        {KEY, KEY "2", false},
        {KEY, "https://contoso.vault.azure.net/keys/cosmo", false},
        {KEY, "https://contoso2.vault.azure.net/keys/cosmos", false},
        {KEY, "https://contoso.vault.azure.cn/keys/cosmos", false},
        {KEY, "https://contoso.managedhsm.azure.net/keys/cosmos", false},
        {KEY, "https://contoso.vault.azure.net/secrets/cosmos", false},
        {"nonsense", "nonsense", true},
        {"nonsense", "other", false},
        {"nonsense", KEY, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (cmk_same_key(table[i].a, table[i].b) != table[i].same ||
            cmk_same_key(table[i].b, table[i].a) != table[i].same)
            fail_msg("%s and %s", table[i].a, table[i].b);
    }
}

static void identities_are_the_same_in_many_forms(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } table[] = {
        {NULL, "", true},
        {NULL, "FirstPartyIdentity", true},
        {"firstPartyIdentity", "", true},
        {NULL, "SystemAssignedIdentity", false},
        {"SystemAssignedIdentity", "systemassignedidentity", true},
        {IDENTITY, IDENTITY, true},
        {IDENTITY, "SystemAssignedIdentity", false},
        {IDENTITY, IDENTITY "2", false},
        {IDENTITY, "userassignedidentity=" USER_ID, true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (cmk_same_identity(table[i].a, table[i].b) != table[i].same ||
            cmk_same_identity(table[i].b, table[i].a) != table[i].same)
            fail_msg("%s and %s", table[i].a, table[i].b);
}

static void one_account_has_one_key(void **state)
{
    _cleanup_(freep) char *a = cmk_account_key(SUB "Shop" COSMOS "orders");
    _cleanup_(freep) char *b = cmk_account_key("/Subscriptions/0F8FAD5B-D9CB-469F-A165-70867728950E/resourcegroups/SHOP"
                                               "/providers/microsoft.documentdb/databaseaccounts/orders");
    (void)state;

    assert_string_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_ids),
        cmocka_unit_test(key_uris),
        cmocka_unit_test(default_identities),
        cmocka_unit_test(vault_ids),
        cmocka_unit_test(what_could_not_be_decoded_is_said_first),
        cmocka_unit_test(a_window_needs_a_zone_and_a_period),
        cmocka_unit_test(demands_that_this_version_cannot_meet_are_named),
        cmocka_unit_test(keys_are_the_same_in_many_forms),
        cmocka_unit_test(identities_are_the_same_in_many_forms),
        cmocka_unit_test(one_account_has_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
