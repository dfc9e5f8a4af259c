/* What a body about a database account means.
 *
 * What it may look like was recorded (2025-10-15): while Updating it still shows the old values; absent, null and ""
 * all mean "not set"; "EnabledApiTypes" is spelled that way. */
#include "azure/cosmos.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define LIST_MAX 256
#define NAME_MAX_BYTES 2048
#define ACCOUNT_TYPE "Microsoft.DocumentDB/databaseAccounts"

/* What the table fills and the account does not keep as it is. */
struct raw_account {
    struct cosmos_account account;
    char *type;
    char *document_endpoint;
    bool all_versions_and_deletes;
};

static void raw_account_done(struct raw_account *raw)
{
    cosmos_account_done(&raw->account);
    free(raw->type);
    free(raw->document_endpoint);
}

void cosmos_account_done(struct cosmos_account *account)
{
    free(account->id);
    free(account->name);
    free(account->location);
    free(account->kind);
    free(account->api_types);
    free(account->provisioning_state);
    free(account->key_uri);
    free(account->key_uri_version);
    free(account->cmk_status);
    free(account->default_identity);
    free(account->identity_type);
    free(account->backup_policy);
    free(account->sql_endpoint);
    free(account->system_principal_id);
    free(account->tenant_id);
    for (size_t i = 0; i < account->n_user_identities; i++) {
        free(account->user_identities[i].id);
        free(account->user_identities[i].principal_id);
        free(account->user_identities[i].client_id);
    }
    free(account->user_identities);
    for (size_t i = 0; i < account->n_capabilities; i++)
        free(account->capabilities[i]);
    free(account->capabilities);
    *account = (struct cosmos_account){0};
}

static const struct json_field account_fields[] = {
#define ACCOUNT(path, type, member, ...)                                                                               \
    {                                                                                                                  \
        path, type, offsetof(struct raw_account, account.member), ##__VA_ARGS__                                        \
    }
    ACCOUNT("id", JSON_STRING, id, .required = true),
    ACCOUNT("name", JSON_STRING, name, .required = true),
    {"type", JSON_STRING, offsetof(struct raw_account, type), .required = true},
    ACCOUNT("location", JSON_STRING, location),
    ACCOUNT("kind", JSON_STRING, kind),
    ACCOUNT("identity.type", JSON_STRING, identity_type),
    ACCOUNT("identity.principalId", JSON_STRING, system_principal_id, .max = 64),
    ACCOUNT("identity.tenantId", JSON_STRING, tenant_id, .max = 64),
    ACCOUNT("properties.EnabledApiTypes", JSON_STRING, api_types),
    ACCOUNT("properties.provisioningState", JSON_STRING, provisioning_state),
    ACCOUNT("properties.keyVaultKeyUri", JSON_STRING, key_uri),
    ACCOUNT("properties.keyVaultKeyUriVersion", JSON_STRING, key_uri_version),
    ACCOUNT("properties.customerManagedKeyStatus", JSON_STRING, cmk_status),
    ACCOUNT("properties.defaultIdentity", JSON_STRING, default_identity),
    ACCOUNT("properties.backupPolicy.type", JSON_STRING, backup_policy),
    ACCOUNT("properties.sqlEndpoint", JSON_STRING, sql_endpoint),
    {"properties.documentEndpoint", JSON_STRING, offsetof(struct raw_account, document_endpoint)},
    ACCOUNT("properties.disableLocalAuth", JSON_BOOL, local_auth_disabled),
    ACCOUNT("properties.enableAnalyticalStorage", JSON_BOOL, analytical_storage),
    ACCOUNT("properties.enableMaterializedViews", JSON_BOOL, materialized_views),
    ACCOUNT("properties.enableFullFidelityChangeFeed", JSON_BOOL, full_fidelity_change_feed),
    {"properties.enableAllVersionsAndDeletesChangeFeed", JSON_BOOL,
        offsetof(struct raw_account, all_versions_and_deletes)},
#undef ACCOUNT
};

static void empty_is_null(char **s)
{
    if (*s && !**s)
        str_replace(s, NULL);
}

static void apply_defaults(struct raw_account *raw)
{
    struct cosmos_account *account = &raw->account;
    char **optional[] = {&account->location, &account->kind, &account->api_types, &account->provisioning_state,
        &account->key_uri, &account->key_uri_version, &account->cmk_status, &account->default_identity,
        &account->identity_type, &account->system_principal_id, &account->tenant_id, &account->backup_policy,
        &account->sql_endpoint, &raw->document_endpoint};

    for (size_t i = 0; i < ARRAY_LEN(optional); i++)
        empty_is_null(optional[i]);
    if (!account->provisioning_state)
        account->provisioning_state = xstrdup("Succeeded");
    if (!account->identity_type)
        account->identity_type = xstrdup("None");
    if (!account->sql_endpoint)
        account->sql_endpoint = TAKE_PTR(raw->document_endpoint);
    account->full_fidelity_change_feed |= raw->all_versions_and_deletes;
}

static int check_entry(const char *path, const char *value, size_t n, struct err *err)
{
    if (n == LIST_MAX)
        return err_set(err, ERR_PROTOCOL, "%s: more than the %d allowed", path, LIST_MAX);
    if (strnlen(value, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
        return err_set(err, ERR_PROTOCOL, "%s[%zu]: longer than the %d bytes allowed", path, n, NAME_MAX_BYTES);
    return 0;
}

/* A principal or client id of the identity block; what is no GUID is of no use. */
static char *guid_at(const cJSON *object, const char *name)
{
    const char *text = json_string_at(object, name);

    return text && str_is_guid(text) ? xstrdup(text) : NULL;
}

/* The ids are the names of the members. */
static int decode_identities(const cJSON *tree, struct cosmos_account *account, struct err *err)
{
    static const char path[] = "identity.userAssignedIdentities";
    const cJSON *map = json_at(tree, path), *entry;
    size_t n = 0;

    if (!map || cJSON_IsNull(map))
        return 0;
    if (!cJSON_IsObject(map))
        return err_set(err, ERR_PROTOCOL, "%s: expected an object", path);
    cJSON_ArrayForEach (entry, map) {
        if (check_entry(path, entry->string, n, err) < 0)
            return -1;
        account->user_identities = xrealloc(account->user_identities, (n + 1) * sizeof(*account->user_identities));
        account->user_identities[n++] = (struct cosmos_identity){.id = xstrdup(entry->string),
            .principal_id = guid_at(entry, "principalId"),
            .client_id = guid_at(entry, "clientId")};
        account->n_user_identities = n;
    }
    return 0;
}

static int decode_capabilities(const cJSON *tree, struct cosmos_account *account, struct err *err)
{
    static const char path[] = "properties.capabilities";
    const cJSON *list = json_at(tree, path), *entry;

    if (!list || cJSON_IsNull(list))
        return 0;
    if (!cJSON_IsArray(list))
        return err_set(err, ERR_PROTOCOL, "%s: expected a list", path);
    cJSON_ArrayForEach (entry, list) {
        const char *name = json_string_at(entry, "name");
        if (!name)
            return err_set(err, ERR_PROTOCOL, "%s[%zu].name: expected a string", path, account->n_capabilities);
        if (check_entry(path, name, account->n_capabilities, err) < 0)
            return -1;
        account->capabilities =
            xrealloc(account->capabilities, (account->n_capabilities + 1) * sizeof(*account->capabilities));
        account->capabilities[account->n_capabilities++] = xstrdup(name);
    }
    return 0;
}

int cosmos_account_decode_tree(struct cosmos_account *ret, const cJSON *tree, struct err *err)
{
    _cleanup_(raw_account_done) struct raw_account raw = {0};

    if (json_decode(tree, account_fields, ARRAY_LEN(account_fields), &raw, err) < 0)
        return -1;
    if (!str_eq_nocase(raw.type, ACCOUNT_TYPE))
        return err_set(err, ERR_PROTOCOL, "type: expected %s", ACCOUNT_TYPE);
    if (!cJSON_IsObject(json_member(tree, "properties")))
        return err_set(err, ERR_PROTOCOL, "properties: required, but missing");
    if (decode_identities(tree, &raw.account, err) < 0 || decode_capabilities(tree, &raw.account, err) < 0)
        return -1;
    apply_defaults(&raw);
    *ret = raw.account;
    raw.account = (struct cosmos_account){0};
    return 0;
}

int cosmos_account_decode(struct cosmos_account *ret, const char *body, size_t len, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, body, len, err) < 0)
        return -1;
    return cosmos_account_decode_tree(ret, tree, err);
}
