/* Reading and changing one database account.
 *
 * What a body may look like was recorded (2025-10-15): while Updating it still shows the old values; absent, null and
 * "" all mean "not set"; "EnabledApiTypes" is spelled that way; an acceptance is 200 or 202. An accepted PATCH is never
 * turned into a failure here, whatever else is wrong with its answer: the operation runs. */
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

static void free_list(char ***list, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        free((*list)[i]);
    free(*list);
    *list = NULL;
    *n = 0;
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
    free_list(&account->user_identities, &account->n_user_identities);
    free_list(&account->capabilities, &account->n_capabilities);
    *account = (struct cosmos_account){0};
}

/* --- decoding --- */

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
        &account->identity_type, &account->backup_policy, &account->sql_endpoint, &raw->document_endpoint};

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

static int add_to_list(const char *path, const char *value, char ***list, size_t *n, struct err *err)
{
    if (*n == LIST_MAX)
        return err_set(err, ERR_PROTOCOL, "%s: more than the %d allowed", path, LIST_MAX);
    if (strnlen(value, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
        return err_set(err, ERR_PROTOCOL, "%s[%zu]: longer than the %d bytes allowed", path, *n, NAME_MAX_BYTES);
    *list = xrealloc(*list, (*n + 1) * sizeof(**list));
    (*list)[(*n)++] = xstrdup(value);
    return 0;
}

/* The ids are the names of the members; their values (client and principal id) are not needed. */
static int decode_identities(const cJSON *tree, struct cosmos_account *account, struct err *err)
{
    static const char path[] = "identity.userAssignedIdentities";
    const cJSON *map = json_at(tree, path), *entry;

    if (!map || cJSON_IsNull(map))
        return 0;
    if (!cJSON_IsObject(map))
        return err_set(err, ERR_PROTOCOL, "%s: expected an object", path);
    cJSON_ArrayForEach (entry, map)
        if (add_to_list(path, entry->string, &account->user_identities, &account->n_user_identities, err) < 0)
            return -1;
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
        if (add_to_list(path, name, &account->capabilities, &account->n_capabilities, err) < 0)
            return -1;
    }
    return 0;
}

int cosmos_account_decode(struct cosmos_account *ret, const char *body, size_t len, struct err *err)
{
    _cleanup_(raw_account_done) struct raw_account raw = {0};
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, body, len, err) < 0 ||
        json_decode(tree, account_fields, ARRAY_LEN(account_fields), &raw, err) < 0)
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

/* --- calls --- */

/* Decodes an answer that should be about this account. Ids may differ in case, hence the name. */
static int read_account(
    struct cosmos_account *ret, const struct arm_id *id, const struct arm_response *response, struct err *err)
{
    if (cosmos_account_decode(ret, response->http.body.data, response->http.body.len, err) < 0)
        return err_wrap(err, "Azure's answer is not a Cosmos DB account");
    if (str_eq_nocase(ret->name, id->name))
        return 0;
    cosmos_account_done(ret);
    return err_set(err, ERR_PROTOCOL, "Azure's answer is about another account than %s", id->name);
}

int cosmos_account_get(struct arm_client *client, const struct arm_id *id, struct cosmos_account *ret, struct err *err)
{
    struct arm_response response;

    *ret = (struct cosmos_account){0};
    int r = arm_call(client, "GET", id->text, COSMOS_API_VERSION, NULL, NULL, &response, err);
    if (r == 0)
        r = read_account(ret, id, &response, err);
    arm_response_done(&response);
    return r;
}

/* --- the key --- */

static int take_key(const struct arm_response *response, struct secret **ret, struct err *err)
{
    cJSON *tree = NULL;

    if (arm_json_parse(&tree, response->http.body.data, response->http.body.len, err) < 0)
        return -1;
    /* Either will do; both are wiped. */
    const cJSON *keys[] = {
        json_member(tree, "primaryReadonlyMasterKey"), json_member(tree, "secondaryReadonlyMasterKey")};
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!cJSON_IsString(keys[i]))
            continue;
        char *text = keys[i]->valuestring;
        if (!*ret && *text)
            *ret = secret_new(text, strlen(text));
        secret_wipe(text, strlen(text));
    }
    (void)json_free(tree);
    return *ret ? 0 : err_set(err, ERR_PROTOCOL, "Azure's answer has no primaryReadonlyMasterKey");
}

int cosmos_account_read_only_key(
    struct arm_client *client, const struct arm_id *id, struct secret **ret, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/readonlykeys", id->text);
    struct arm_response response;

    int r = arm_call(client, "POST", path, COSMOS_API_VERSION, NULL, NULL, &response, err);
    if (r == 0)
        r = take_key(&response, ret, err);
    secret_wipe(response.http.body.data, response.http.body.cap);
    arm_response_done(&response);
    if (r == 0)
        return 0;
    if (err)
        err->maybe_sent = false;
    if (err && err->kind == ERR_FORBIDDEN)
        return err_wrap(err, "the account's read-only key cannot be had without the right "
                             "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action");
    return err_wrap(err, "cannot get the account's read-only key");
}

void cosmos_accepted_done(struct cosmos_accepted *accepted)
{
    free(accepted->status_url);
    free(accepted->operation_id);
    free(accepted->correlation_id);
    cosmos_account_done(&accepted->account);
    *accepted = (struct cosmos_accepted){0};
}

/* ".../locations/westus/operationsStatus/GUID?api-version=..." */
static char *operation_id_of(const char *url)
{
    size_t end = strcspn(url, "?#"), start = end;

    while (start > 0 && url[start - 1] != '/')
        start--;
    _cleanup_(freep) char *last = xstrndup(url + start, end - start);
    return str_is_guid(last) ? TAKE_PTR(last) : NULL;
}

static int take_status_url(
    struct arm_client *client, const struct arm_response *response, struct cosmos_accepted *ret, struct err *err)
{
    size_t len = 0;
    const char *value = http_response_header_ref(&response->http, "azure-asyncoperation", &len);

    if (!value || len == 0)
        return 0;
    _cleanup_(freep) char *url = xstrndup(value, len);
    if (arm_poll_url_check(client, url, err) < 0)
        return err_wrap(err, "the change was accepted, but its operation cannot be followed");
    ret->operation_id = operation_id_of(url);
    ret->status_url = TAKE_PTR(url);
    return 0;
}

int cosmos_account_patch(struct arm_client *client, const struct arm_id *id, const char *body, const char *correlation,
    struct cosmos_accepted *ret, struct err *ret_warning, struct err *err)
{
    struct arm_response response;

    *ret = (struct cosmos_accepted){0};
    if (ret_warning)
        *ret_warning = ERR_INIT;
    int r = arm_call(client, "PATCH", id->text, COSMOS_API_VERSION, body, correlation, &response, err);
    ret->correlation_id = xstrdup(response.correlation_id);
    if (r == 0) {
        if (read_account(&ret->account, id, &response, ret_warning) < 0)
            (void)err_wrap(ret_warning, "the change was accepted, but its answer cannot be read");
        (void)take_status_url(client, &response, ret, ret_warning);
    }
    arm_response_done(&response);
    return r;
}
