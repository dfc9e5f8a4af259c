/* Database accounts: decoding what was recorded and what was not, the three bodies, the PATCH. */
#include "unit.h"

#include "azure/cosmos.h"
#include "base/str.h"
#include "fake_http.h"

#define SUBSCRIPTION "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11"
#define ID SUBSCRIPTION "/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/pbe-000002"
#define IDENTITY_ID SUBSCRIPTION "/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/MyID"
#define HEAD "\"id\":\"" ID "\",\"name\":\"pbe-000002\",\"type\":\"Microsoft.DocumentDB/databaseAccounts\""
#define OPERATION "714b14cc-0a5b-4d0c-8f6a-64c2bb1f1c52"
#define SYSTEM "bd1c1d60-2b8c-4f9e-8d8a-0d1e0c6e5a01"
#define PRINCIPAL "5f66a281-0000-4000-8000-00000000abcd"
#define POLL                                                                                                           \
    "https://management.azure.com" SUBSCRIPTION                                                                        \
    "/providers/Microsoft.DocumentDB/locations/westus/operationsStatus/" OPERATION "?api-version=2025-10-15&t=1&c=a/b"

/* Recorded 20 November 2025, answer to a PATCH; ids replaced, some lists shortened. */
static const char recorded_patch[] =
    "{" HEAD ",\"location\":\"West US\",\"kind\":\"GlobalDocumentDB\",\"tags\":{},\"systemData\":{\"createdAt\":"
    "\"2025-11-20T06:10:37.0463805+00:00\"},\"properties\":{\"provisioningState\":\"Updating\",\"documentEndpoint\":"
    "\"https://pbe-000002.documents.azure.com:443/\",\"sqlEndpoint\":\"https://pbe-000002.documents.azure.com:443/\","
    "\"publicNetworkAccess\":\"Enabled\",\"enableAutomaticFailover\":true,\"EnabledApiTypes\":\"Sql\","
    "\"enableFreeTier\":false,\"enableAnalyticalStorage\":false,\"analyticalStorageConfiguration\":{\"schemaType\":"
    "\"WellDefined\"},\"databaseAccountOfferType\":\"Standard\",\"defaultIdentity\":\"FirstPartyIdentity\","
    "\"enablePriorityBasedExecution\":false,\"consistencyPolicy\":{\"defaultConsistencyLevel\":\"Session\","
    "\"maxIntervalInSeconds\":5,\"maxStalenessPrefix\":100},\"writeLocations\":[{\"id\":\"pbe-000002-westus\","
    "\"provisioningState\":\"Succeeded\",\"failoverPriority\":0}],\"cors\":[],\"capabilities\":[],\"ipRules\":[],"
    "\"backupPolicy\":{\"type\":\"Periodic\",\"periodicModeProperties\":{\"backupIntervalInMinutes\":240}},"
    "\"keysMetadata\":{\"primaryMasterKey\":{\"generationTime\":\"2025-11-20T06:10:37Z\"}}},\"identity\":{\"type\":"
    "\"None\"}}";

static const char encrypted_mongo[] =
    "\xEF\xBB\xBF{" HEAD ",\"location\":\"East US\",\"kind\":\"MongoDB\",\"properties\":{\"provisioningState\":"
    "\"Succeeded\",\"EnabledApiTypes\":\"MongoDB\",\"documentEndpoint\":\"https://x.documents.azure.com:443/\","
    "\"keyVaultKeyUri\":\"https://cli000002.vault.azure.net/keys/cli000003\",\"keyVaultKeyUriVersion\":"
    "\"0123456789abcdef0123456789abcdef\",\"customerManagedKeyStatus\":\"Access to the configured customer managed key "
    "confirmed.\",\"defaultIdentity\":\"UserAssignedIdentity=" IDENTITY_ID "\",\"enableAnalyticalStorage\":true,"
    "\"enableMaterializedViews\":true,\"enableAllVersionsAndDeletesChangeFeed\":true,\"capabilities\":[{\"name\":"
    "\"EnableMongo\"},{\"name\":\"EnableServerless\",\"more\":1}],\"backupPolicy\":{\"type\":\"Continuous\"}},"
    "\"identity\":{\"type\":\"SystemAssigned,UserAssigned\",\"principalId\":\"" SYSTEM "\",\"tenantId\":\"t\","
    "\"userAssignedIdentities\":{\"" IDENTITY_ID "\":{\"clientId\":\"c\",\"principalId\":\"" PRINCIPAL
    "\"},\"" IDENTITY_ID "2\":null}}}";

static void the_recorded_answer_is_decoded(void **state)
{
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(cosmos_account_decode(&account, recorded_patch, strlen(recorded_patch), &err), 0);
    assert_string_equal(account.id, ID);
    assert_string_equal(account.name, "pbe-000002");
    assert_string_equal(account.location, "West US");
    assert_string_equal(account.kind, "GlobalDocumentDB");
    assert_string_equal(account.api_types, "Sql");
    assert_string_equal(account.provisioning_state, "Updating");
    assert_null(account.key_uri);
    assert_null(account.key_uri_version);
    assert_null(account.cmk_status);
    assert_string_equal(account.default_identity, "FirstPartyIdentity");
    assert_string_equal(account.identity_type, "None");
    assert_string_equal(account.backup_policy, "Periodic");
    assert_string_equal(account.sql_endpoint, "https://pbe-000002.documents.azure.com:443/");
    assert_false(account.analytical_storage);
    assert_false(account.materialized_views);
    assert_false(account.full_fidelity_change_feed);
    assert_int_equal(account.n_user_identities, 0);
    assert_int_equal(account.n_capabilities, 0);
}

static void an_encrypted_account_shows_all_it_has(void **state)
{
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(cosmos_account_decode(&account, encrypted_mongo, strlen(encrypted_mongo), &err), 0);
    assert_string_equal(account.key_uri, "https://cli000002.vault.azure.net/keys/cli000003");
    assert_string_equal(account.key_uri_version, "0123456789abcdef0123456789abcdef");
    assert_string_equal(account.cmk_status, "Access to the configured customer managed key confirmed.");
    assert_string_equal(account.default_identity, "UserAssignedIdentity=" IDENTITY_ID);
    assert_string_equal(account.identity_type, "SystemAssigned,UserAssigned");
    assert_string_equal(account.backup_policy, "Continuous");
    assert_string_equal(account.sql_endpoint, "https://x.documents.azure.com:443/");
    assert_true(account.analytical_storage);
    assert_true(account.materialized_views);
    assert_true(account.full_fidelity_change_feed);
    assert_int_equal(account.n_user_identities, 2);
    assert_string_equal(account.user_identities[0].id, IDENTITY_ID);
    assert_string_equal(account.user_identities[0].principal_id, PRINCIPAL);
    assert_null(account.user_identities[0].client_id); /* "c" is no GUID */
    assert_string_equal(account.user_identities[1].id, IDENTITY_ID "2");
    assert_null(account.user_identities[1].principal_id);
    assert_string_equal(account.system_principal_id, SYSTEM);
    assert_string_equal(account.tenant_id, "t");
    assert_int_equal(account.n_capabilities, 2);
    assert_string_equal(account.capabilities[0], "EnableMongo");
    assert_string_equal(account.capabilities[1], "EnableServerless");
}

static void absent_null_and_empty_all_mean_not_set(void **state)
{
    static const char *const bodies[] = {
        "{" HEAD ",\"properties\":{}}",
        "{" HEAD ",\"identity\":null,\"properties\":{\"keyVaultKeyUri\":null,\"defaultIdentity\":null,\"capabilities\":"
        "null,\"provisioningState\":null,\"enableAnalyticalStorage\":null,\"sqlEndpoint\":null}}",
        "{" HEAD
        ",\"identity\":{\"type\":\"\",\"userAssignedIdentities\":null},\"properties\":{\"keyVaultKeyUri\":\"\","
        "\"defaultIdentity\":\"\",\"provisioningState\":\"\",\"customerManagedKeyStatus\":\"\"}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
        struct err err = ERR_INIT;
        if (cosmos_account_decode(&account, bodies[i], strlen(bodies[i]), &err) < 0)
            fail_msg("%s", err.msg);
        assert_null(account.key_uri);
        assert_null(account.default_identity);
        assert_null(account.cmk_status);
        assert_null(account.sql_endpoint);
        assert_string_equal(account.provisioning_state, "Succeeded");
        assert_string_equal(account.identity_type, "None");
    }
}

static void what_is_no_account_is_refused_by_path(void **state)
{
    static const struct {
        const char *body, *names;
    } rows[] = {
        {"", ""},
        {"<html>", ""},
        {"[]", "object"},
        {"null", ""},
        {"{}", "id"},
        {"{\"id\":\"x\"}", "name"},
        {"{\"id\":\"x\",\"name\":\"x\",\"type\":\"Microsoft.KeyVault/vaults\",\"properties\":{}}", "type"},
        {"{" HEAD "}", "properties"},
        {"{" HEAD ",\"properties\":[]}", "properties"},
        {"{" HEAD ",\"properties\":{\"keyVaultKeyUri\":7}}", "properties.keyVaultKeyUri"},
        {"{" HEAD ",\"properties\":{\"enableAnalyticalStorage\":\"yes\"}}", "properties.enableAnalyticalStorage"},
        {"{" HEAD ",\"properties\":{\"backupPolicy\":\"x\"}}", "properties.backupPolicy"},
        {"{" HEAD ",\"properties\":{\"capabilities\":{}}}", "properties.capabilities"},
        {"{" HEAD ",\"properties\":{\"capabilities\":[\"x\"]}}", "properties.capabilities[0].name"},
        {"{" HEAD ",\"properties\":{\"capabilities\":[{\"name\":\"x\"},{\"name\":1}]}}",
            "properties.capabilities[1].name"},
        {"{" HEAD ",\"identity\":\"x\",\"properties\":{}}", "identity"},
        {"{" HEAD ",\"identity\":{\"userAssignedIdentities\":[]},\"properties\":{}}",
            "identity.userAssignedIdentities"},
        {"{" HEAD ",\"properties\":{\"keyVaultKeyUri\":\"a\",\"keyVaultKeyUri\":\"b\"}}", ""},
        {"{" HEAD ",\"properties\":{}} {}", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cosmos_account account = {0};
        struct err err = ERR_INIT;
        if (cosmos_account_decode(&account, rows[i].body, strlen(rows[i].body), &err) == 0)
            fail_msg("accepted: %s", rows[i].body);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        if (!strstr(err.msg, rows[i].names))
            fail_msg("row %zu: \"%s\" does not name \"%s\"", i, err.msg, rows[i].names);
        assert_null(account.id);
    }
}

static char *with_entries(const char *before, const char *entry, int n, const char *after)
{
    struct buf b = BUF_INIT(1 << 22);

    buf_puts(&b, before);
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%s%s%d\"%s", i ? "," : "", entry, i, entry[0] == '{' ? "}" : ":{}");
    buf_puts(&b, after);
    return buf_take(&b);
}

static void lists_have_a_cap(void **state)
{
    static const struct {
        const char *before, *entry, *after;
    } rows[] = {
        {"{" HEAD ",\"properties\":{\"capabilities\":[", "{\"name\":\"c", "]}}"},
        {"{" HEAD ",\"properties\":{},\"identity\":{\"userAssignedIdentities\":{", "\"i", "}}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int n = 256; n <= 257; n++) {
            _cleanup_(freep) char *body = with_entries(rows[i].before, rows[i].entry, n, rows[i].after);
            _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
            struct err err = ERR_INIT;
            int r = cosmos_account_decode(&account, body, strlen(body), &err);
            if (r != (n == 256 ? 0 : -1))
                fail_msg("row %zu, %d entries: %d %s", i, n, r, err.msg);
            if (r < 0)
                assert_non_null(strstr(err.msg, "more than the 256 allowed"));
        }
    }
}

static void each_body_changes_one_thing(void **state)
{
    const struct {
        char *body;
        const char *expected;
    } rows[] = {
        {cosmos_body_key("https://v.vault.azure.net/keys/k"),
            "{\"properties\":{\"keyVaultKeyUri\":\"https://v.vault.azure.net/keys/k\"}}"},
        {cosmos_body_key("a\"b\\c"), "{\"properties\":{\"keyVaultKeyUri\":\"a\\\"b\\\\c\"}}"},
        {cosmos_body_default_identity("UserAssignedIdentity=" IDENTITY_ID),
            "{\"properties\":{\"defaultIdentity\":\"UserAssignedIdentity=" IDENTITY_ID "\"}}"},
        {cosmos_body_identity("SystemAssigned", NULL), "{\"identity\":{\"type\":\"SystemAssigned\"}}"},
        {cosmos_body_identity("SystemAssigned,UserAssigned", IDENTITY_ID),
            "{\"identity\":{\"type\":\"SystemAssigned,UserAssigned\",\"userAssignedIdentities\":{\"" IDENTITY_ID
            "\":{}}}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(rows[i].body, rows[i].expected);
        free(rows[i].body);
    }
}

/* --- calls --- */

struct world {
    struct fake_http *fake;
    struct azure_cloud *cloud;
    struct arm_client *arm;
    struct arm_id id;
};

static void open_world(struct world *w, const struct fake_answer *answers, size_t n)
{
    struct err err = ERR_INIT;

    *w = (struct world){.fake = fake_new(answers, n)};
    assert_int_equal(azure_cloud_new(&w->cloud, &(struct azure_cloud_options){0}, &err), 0);
    const struct arm_options options = {.http = &w->fake->client, .cloud = w->cloud};
    assert_int_equal(arm_client_new(&w->arm, &options, &err), 0);
    assert_int_equal(arm_id_parse(&w->id, ID, &err), 0);
}

static void close_world(struct world *w)
{
    arm_id_done(&w->id);
    arm_client_free(w->arm);
    azure_cloud_free(w->cloud);
    fake_free(w->fake);
}

static void a_patch_sends_exactly_the_body_and_tells_its_operation(void **state)
{
    static const struct fake_answer rows[] = {
        {.status = 200, .headers = "azure-asyncoperation: " POLL "\n", .body = recorded_patch},
        {.status = 202, .headers = "azure-asyncoperation: " POLL "\nlocation: x\n", .body = recorded_patch},
    };
    static const char body[] = "{\"properties\":{\"keyVaultKeyUri\":\"https://v.vault.azure.net/keys/k\"}}";
    static const char correlation[] = "0f0e0d0c-0b0a-4908-8706-050403020100";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        _cleanup_(cosmos_accepted_done) struct cosmos_accepted accepted;
        struct err err = ERR_INIT, warning = ERR_INIT;
        open_world(&w, &rows[i], 1);
        assert_int_equal(cosmos_account_patch(w.arm, &w.id, body, correlation, &accepted, &warning, &err), 0);
        assert_int_equal(w.fake->n_seen, 1);
        assert_string_equal(w.fake->seen[0].method, "PATCH");
        assert_string_equal(w.fake->seen[0].url, "https://management.azure.com" ID "?api-version=2025-10-15");
        assert_string_equal(w.fake->seen[0].body, body);
        assert_true(w.fake->seen[0].once);
        assert_int_equal(warning.kind, ERR_NONE);
        assert_string_equal(accepted.status_url, POLL);
        assert_string_equal(accepted.operation_id, OPERATION);
        assert_string_equal(accepted.correlation_id, correlation);
        assert_string_equal(accepted.account.provisioning_state, "Updating");
    }
}

static void an_accepted_patch_stays_accepted_whatever_else_is_wrong(void **state)
{
    static const struct {
        struct fake_answer answer;
        const char *warns; /* NULL: nothing to warn about */
        bool has_account, has_url, has_id;
    } rows[] = {
        {{.status = 200, .body = recorded_patch}, NULL, true, false, false},
        {{.status = 200, .body = recorded_patch, .headers = "azure-asyncoperation: https://evil.example/x\n"},
            "points at evil.example", true, false, false},
        {{.status = 200,
             .body = recorded_patch,
             .headers = "azure-asyncoperation: https://management.azure.com.evil.example/" OPERATION "\n"},
            "points at management.azure.com.evil.example", true, false, false},
        {{.status = 200, .body = recorded_patch, .headers = "azure-asyncoperation: https://management.azure.com/x?a\n"},
            NULL, true, true, false},
        {{.status = 202, .body = "", .headers = "azure-asyncoperation: " POLL "\n"}, "its answer cannot be read", false,
            true, true},
        {{.status = 200, .body = "<html>", .headers = "azure-asyncoperation: " POLL "\n"}, "its answer cannot be read",
            false, true, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        _cleanup_(cosmos_accepted_done) struct cosmos_accepted accepted;
        struct err err = ERR_INIT, warning = ERR_INIT;
        open_world(&w, &rows[i].answer, 1);
        assert_int_equal(cosmos_account_patch(w.arm, &w.id, "{}", NULL, &accepted, &warning, &err), 0);
        assert_int_equal(warning.kind != ERR_NONE, rows[i].warns != NULL);
        if (rows[i].warns && !strstr(warning.msg, rows[i].warns))
            fail_msg("row %zu: \"%s\"", i, warning.msg);
        assert_int_equal(accepted.account.id != NULL, rows[i].has_account);
        assert_int_equal(accepted.status_url != NULL, rows[i].has_url);
        assert_int_equal(accepted.operation_id != NULL, rows[i].has_id);
        assert_true(str_is_guid(accepted.correlation_id));
    }
}

static void a_refused_patch_is_an_error_and_a_lost_one_may_have_been_sent(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
        bool maybe_sent;
    } rows[] = {
        {{.status = 412, .body = "{\"code\":\"PreconditionFailed\",\"message\":\"exclusive lock\"}"}, ERR_LOCKED,
            false},
        {{.status = 400, .body = "{\"code\":\"BadRequest\",\"message\":\"x\"}"}, ERR_INVALID, false},
        {{.status = 504}, ERR_UNAVAILABLE, true},
        {{.fails = ERR_TIMEOUT, .maybe_sent = true}, ERR_TIMEOUT, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        _cleanup_(cosmos_accepted_done) struct cosmos_accepted accepted;
        struct err err = ERR_INIT;
        open_world(&w, &rows[i].answer, 1);
        assert_int_equal(cosmos_account_patch(w.arm, &w.id, "{}", NULL, &accepted, NULL, &err), -1);
        assert_int_equal(w.fake->n_seen, 1);
        assert_int_equal(err.kind, rows[i].kind);
        assert_int_equal(err.maybe_sent, rows[i].maybe_sent);
        assert_null(accepted.status_url);
        assert_true(str_is_guid(accepted.correlation_id));
    }
}

static void an_account_is_read_and_must_be_the_one_asked_for(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = recorded_patch},
        {.status = 200,
            .body =
                "{\"id\":\"x\",\"name\":\"other\",\"type\":\"Microsoft.DocumentDB/databaseAccounts\",\"properties\":{}"
                "}"},
        {.status = 404, .body = "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"m\"}}"},
    };
    static const enum err_kind kinds[] = {ERR_NONE, ERR_PROTOCOL, ERR_NOT_FOUND};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, answers, ARRAY_LEN(answers));
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        _cleanup_(cosmos_account_done) struct cosmos_account account;
        struct err err = ERR_INIT;
        assert_int_equal(cosmos_account_get(w.arm, &w.id, &account, &err), kinds[i] ? -1 : 0);
        assert_int_equal(err.kind, kinds[i]);
        assert_int_equal(account.id != NULL, kinds[i] == ERR_NONE);
        assert_string_equal(w.fake->seen[i].url, "https://management.azure.com" ID "?api-version=2025-10-15");
    }
}

static int note_account(void *data, struct cosmos_account *account, struct err *err)
{
    struct buf *names = data;

    (void)err;
    buf_printf(names, "%s %s;", account->name, account->provisioning_state);
    return 0;
}

static void accounts_are_listed_page_by_page(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
            .body = "{\"value\":[{" HEAD ",\"properties\":{\"provisioningState\":\"Updating\"}}],"
                    "\"nextLink\":\"https://management.azure.com/next\"}"},
        {.status = 200, .body = "{\"value\":[{" HEAD ",\"properties\":{}}]}"},
        {.status = 200, .body = "{\"value\":[]}"},
        {.status = 200, .body = "{\"value\":[{},{" HEAD ",\"properties\":{}}]}"},
        {.status = 403, .body = "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"m\"}}"},
    };
    static const char *const subscription = "1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11";
    _cleanup_(close_world) struct world w;
    _cleanup_(buf_done) struct buf names = BUF_INIT(1000);
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, answers, ARRAY_LEN(answers));
    assert_int_equal(cosmos_account_list(w.arm, subscription, NULL, note_account, &names, &err), 0);
    assert_string_equal(buf_str(&names), "pbe-000002 Updating;pbe-000002 Succeeded;");
    assert_string_equal(w.fake->seen[0].url, "https://management.azure.com" SUBSCRIPTION
                                             "/providers/Microsoft.DocumentDB/databaseAccounts?api-version=2025-10-15");
    assert_int_equal(cosmos_account_list(w.arm, subscription, "rg", note_account, &names, &err), 0);
    assert_string_equal(w.fake->seen[2].url,
        "https://management.azure.com" SUBSCRIPTION
        "/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts?api-version=2025-10-15");
    buf_clear(&names); /* one that makes no sense is passed over */
    assert_int_equal(cosmos_account_list(w.arm, subscription, NULL, note_account, &names, &err), 0);
    assert_string_equal(buf_str(&names), "pbe-000002 Succeeded;");
    assert_int_equal(cosmos_account_list(w.arm, subscription, NULL, note_account, &names, &err), -1);
    assert_int_equal(err.kind, ERR_FORBIDDEN);
    assert_non_null(strstr(err.msg, "Microsoft.DocumentDB/databaseAccounts/read at " SUBSCRIPTION));
}

static void the_read_only_key_is_asked_for_once_and_kept_as_a_secret(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
        const char *key, *says;
    } rows[] = {
        {{.status = 200, .body = "{\"primaryReadonlyMasterKey\":\"cA==\",\"secondaryReadonlyMasterKey\":\"cw==\"}"},
            ERR_NONE, "cA=="},
        {{.status = 200, .body = "{\"primaryReadonlyMasterKey\":\"\",\"secondaryReadonlyMasterKey\":\"cw==\"}"},
            ERR_NONE, "cw=="},
        {{.status = 200, .body = "{\"primaryReadonlyMasterKey\":7}"}, ERR_PROTOCOL, NULL, "primaryReadonlyMasterKey"},
        {{.status = 200, .body = "<html>"}, ERR_PROTOCOL, NULL, "read-only key"},
        {{.status = 403, .body = "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"m\"}}"}, ERR_FORBIDDEN,
            NULL, "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action"},
        {{.status = 500, .body = ""}, ERR_UNAVAILABLE, NULL, "read-only key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        _cleanup_(secret_unrefp) struct secret *key = NULL;
        struct err err = ERR_INIT;
        open_world(&w, &rows[i].answer, 1);
        assert_int_equal(cosmos_account_read_only_key(w.arm, &w.id, &key, &err), rows[i].key ? 0 : -1);
        assert_string_equal(w.fake->seen[0].method, "POST");
        assert_string_equal(
            w.fake->seen[0].url, "https://management.azure.com" ID "/readonlykeys?api-version=2025-10-15");
        assert_int_equal(err.kind, rows[i].kind);
        assert_false(err.maybe_sent);
        if (rows[i].key)
            assert_string_equal(secret_reveal(key), rows[i].key);
        else if (!strstr(err.msg, rows[i].says))
            fail_msg("%s", err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorded_answer_is_decoded),
        cmocka_unit_test(an_encrypted_account_shows_all_it_has),
        cmocka_unit_test(absent_null_and_empty_all_mean_not_set),
        cmocka_unit_test(what_is_no_account_is_refused_by_path),
        cmocka_unit_test(lists_have_a_cap),
        cmocka_unit_test(each_body_changes_one_thing),
        cmocka_unit_test(a_patch_sends_exactly_the_body_and_tells_its_operation),
        cmocka_unit_test(an_accepted_patch_stays_accepted_whatever_else_is_wrong),
        cmocka_unit_test(a_refused_patch_is_an_error_and_a_lost_one_may_have_been_sent),
        cmocka_unit_test(an_account_is_read_and_must_be_the_one_asked_for),
        cmocka_unit_test(accounts_are_listed_page_by_page),

        cmocka_unit_test(the_read_only_key_is_asked_for_once_and_kept_as_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
