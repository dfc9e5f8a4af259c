/* The account as ARM shows it, written as text: lists of thousands of accounts are asked for in benchmarks.
 *
 * The shape is that of a recorded answer of api-version 2025-10-15. While an operation runs the body has the old values
 * and provisioningState Updating. An account without a key of the customer has no keyVaultKeyUri at all. */
#include "fakes/fake_azure_model.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <string.h>

static void put_text(struct buf *b, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_put_json_string(b, value, strlen(value));
}

static const char *api_types(const struct azure_account *account)
{
    if (account->api_types)
        return account->api_types;
    if (str_eq_nocase(account->kind, "MongoDB"))
        return "MongoDB";
    if (azure_account_has(account, "EnableCassandra"))
        return "Cassandra";
    if (azure_account_has(account, "EnableGremlin"))
        return "Gremlin, Sql";
    return azure_account_has(account, "EnableTable") ? "Table, Sql" : "Sql";
}

static void put_key(struct azure_model *model, const struct azure_account *account, struct buf *b)
{
    const struct azure_operation *operation = account->running;
    const char *uri = account->key_uri;

    if (operation && operation->type == AZURE_OP_KEY && model->options.key_visible_early)
        uri = json_string_at(operation->patch, "properties.keyVaultKeyUri");
    put_text(b, "keyVaultKeyUri", uri);
    put_text(b, "keyVaultKeyUriVersion", account->key_version);
    put_text(b, "customerManagedKeyStatus", account->key_status);
}

/* The three lists of locations are equal here: one region, of the account's own location. */
static void put_locations(const struct azure_account *account, struct buf *b)
{
    static const char *const lists[] = {"writeLocations", "readLocations", "locations"};
    _cleanup_(freep) char *region = azure_location_id(account->location);
    const char *name = account->name;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        buf_printf(b,
            ",\"%s\":[{\"id\":\"%s-%s\",\"locationName\":\"%s\","
            "\"documentEndpoint\":\"https://%s-%s.documents.azure.com:443/\","
            "\"provisioningState\":\"Succeeded\",\"failoverPriority\":0,\"isZoneRedundant\":false}]",
            lists[i], name, region, account->location, name, region);
    buf_printf(b, ",\"failoverPolicies\":[{\"id\":\"%s-%s\",\"locationName\":\"%s\",\"failoverPriority\":0}]", name,
        region, account->location);
}

static void put_capabilities(const struct azure_account *account, struct buf *b)
{
    buf_puts(b, ",\"cors\":[],\"capabilities\":[");
    for (size_t i = 0; i < account->capabilities.n; i++) {
        buf_printf(b, "%s{\"name\":", i ? "," : "");
        buf_put_json_string(b, account->capabilities.v[i], strlen(account->capabilities.v[i]));
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"ipRules\":[]");
}

static void put_backup(const struct azure_account *account, struct buf *b)
{
    if (str_eq_nocase(account->backup, "Continuous"))
        buf_puts(b, ",\"backupPolicy\":{\"type\":\"Continuous\","
                    "\"continuousModeProperties\":{\"tier\":\"Continuous30Days\"}}");
    else
        buf_puts(b, ",\"backupPolicy\":{\"type\":\"Periodic\",\"periodicModeProperties\":{"
                    "\"backupIntervalInMinutes\":240,\"backupRetentionIntervalInHours\":8,"
                    "\"backupStorageRedundancy\":\"Geo\"}}");
}

/* Where the account's data are: the host of that name, or the gateway that this process plays. */
static void put_endpoint(const struct azure_model *model, const char *member, const char *name, struct buf *b)
{
    if (model->options.gateway_url)
        buf_printf(b, ",\"%s\":\"%s/cosmos/%s/\"", member, model->options.gateway_url, name);
    else
        buf_printf(b, ",\"%s\":\"https://%s.documents.azure.com:443/\"", member, name);
}

static void put_properties(struct azure_model *model, const struct azure_account *account, struct buf *b)
{
    const char *name = account->name, *created = "2025-11-20T06:11:52.9370212+00:00";
    char instance[AZURE_GUID_SIZE];

    azure_model_guid(model, name, instance);
    buf_printf(b, "{\"provisioningState\":\"%s\"", azure_account_state(account));
    put_endpoint(model, "documentEndpoint", name, b);
    put_endpoint(model, "sqlEndpoint", name, b);
    if (str_eq_nocase(account->kind, "MongoDB"))
        buf_printf(b, ",\"mongoEndpoint\":\"https://%s.mongo.cosmos.azure.com:443/\"", name);
    buf_puts(b, ",\"publicNetworkAccess\":\"Enabled\",\"enableAutomaticFailover\":true,"
                "\"enableMultipleWriteLocations\":false,\"enablePartitionKeyMonitor\":false,"
                "\"isVirtualNetworkFilterEnabled\":false,\"virtualNetworkRules\":[]");
    put_text(b, "EnabledApiTypes", api_types(account));
    buf_printf(b,
        ",\"disableKeyBasedMetadataWriteAccess\":false,\"enableFreeTier\":false,\"enableAnalyticalStorage\":%s,"
        "\"analyticalStorageConfiguration\":{\"schemaType\":\"WellDefined\"},\"instanceId\":\"%s\","
        "\"databaseAccountOfferType\":\"Standard\"",
        account->analytical ? "true" : "false", instance);
    put_key(model, account, b);
    put_text(b, "defaultIdentity", account->default_identity);
    buf_puts(b,
        ",\"networkAclBypass\":\"None\",\"disableLocalAuth\":false,\"enablePartitionMerge\":false,"
        "\"enablePerRegionPerPartitionAutoscale\":true,\"enableBurstCapacity\":false,"
        "\"enablePriorityBasedExecution\":false,\"defaultPriorityLevel\":\"Low\",\"minimalTlsVersion\":\"Tls12\","
        "\"enablePerPartitionAutomaticFailover\":false,\"consistencyPolicy\":{"
        "\"defaultConsistencyLevel\":\"Session\",\"maxIntervalInSeconds\":5,\"maxStalenessPrefix\":100},"
        "\"configurationOverrides\":{\"EnablePerRegionPerPartitionAutoscaleOptIn\":\"True\"}");
    put_locations(account, b);
    put_capabilities(account, b);
    put_backup(account, b);
    buf_printf(b,
        ",\"networkAclBypassResourceIds\":[],\"keysMetadata\":{\"primaryMasterKey\":{\"generationTime\":\"%s\"},"
        "\"secondaryMasterKey\":{\"generationTime\":\"%s\"},\"primaryReadonlyMasterKey\":{\"generationTime\":\"%s\"},"
        "\"secondaryReadonlyMasterKey\":{\"generationTime\":\"%s\"}}}",
        created, created, created, created);
}

/* The seed's "properties" (and what an update has set that this fake has no rule for) go over the generated ones. */
static void put_merged_properties(struct azure_model *model, const struct azure_account *account, struct buf *b)
{
    _cleanup_(buf_done) struct buf plain = BUF_INIT(65536);
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err ignored = ERR_INIT;
    const cJSON *member;

    put_properties(model, account, &plain);
    if (json_parse(&tree, buf_str(&plain), plain.len, &ignored) < 0)
        return;
    cJSON_ArrayForEach (member, account->extra) {
        cJSON_DeleteItemFromObjectCaseSensitive(tree, member->string);
        if (!cJSON_IsNull(member))
            cJSON_AddItemToObject(tree, member->string, cJSON_Duplicate(member, true));
    }
    _cleanup_(freep) char *text = json_print(tree);
    buf_puts(b, text);
}

void azure_model_identity_ids(struct azure_model *model, const char *id, char principal[static AZURE_GUID_SIZE],
    char client[static AZURE_GUID_SIZE])
{
    const cJSON *resource = azure_model_resource(model, id);
    const char *own_principal = json_string_at(resource, "properties.principalId");
    const char *own_client = json_string_at(resource, "properties.clientId");
    _cleanup_(freep) char *lower = str_lower(xstrdup(id));
    _cleanup_(freep) char *text = xasprintf("client of %s", lower);

    azure_model_guid(model, lower, principal);
    azure_model_guid(model, text, client);
    if (own_principal)
        (void)str_copy(principal, AZURE_GUID_SIZE, own_principal);
    if (own_client)
        (void)str_copy(client, AZURE_GUID_SIZE, own_client);
}

static void put_user_assigned(struct azure_model *model, const struct azure_names *ids, struct buf *b)
{
    char principal[AZURE_GUID_SIZE], client[AZURE_GUID_SIZE];

    buf_puts(b, ",\"userAssignedIdentities\":{");
    for (size_t i = 0; i < ids->n; i++) {
        azure_model_identity_ids(model, ids->v[i], principal, client);
        buf_puts(b, i ? "," : "");
        buf_put_json_string(b, ids->v[i], strlen(ids->v[i]));
        buf_printf(b, ":{\"clientId\":\"%s\",\"principalId\":\"%s\"}", client, principal);
    }
    buf_putc(b, '}');
}

static void put_identity(struct azure_model *model, const struct azure_account *account, struct buf *b)
{
    bool system = account->system_assigned, user = account->identities.n > 0;
    const char *type = system && user ? "SystemAssigned,UserAssigned"
                       : system       ? "SystemAssigned"
                       : user         ? "UserAssigned"
                                      : "None";
    char guid[AZURE_GUID_SIZE];

    buf_printf(b, ",\"identity\":{\"type\":\"%s\"", type);
    if (system) {
        azure_model_guid(model, account->name, guid);
        buf_printf(b, ",\"principalId\":\"%s\",\"tenantId\":\"%s\"", guid, model->options.tenant);
    }
    if (user)
        put_user_assigned(model, &account->identities, b);
    buf_putc(b, '}');
}

void azure_account_print(struct azure_model *model, const struct azure_account *account, struct buf *b)
{
    _cleanup_(freep) char *tags = account->tags ? json_print(account->tags) : NULL;
    char created[TIME_TEXT_SIZE];

    time_format_rfc3339_ms(account->created_ms, created);
    buf_printf(b, "{\"id\":\"/subscriptions/%s/resourceGroups/%s/providers/Microsoft.DocumentDB/databaseAccounts/%s\"",
        account->subscription, account->group, account->name);
    put_text(b, "name", account->name);
    put_text(b, "location", account->location);
    put_text(b, "type", "Microsoft.DocumentDB/databaseAccounts");
    put_text(b, "kind", account->kind);
    buf_printf(b, ",\"tags\":%s,\"systemData\":{\"createdAt\":\"%s\"},\"properties\":", tags ? tags : "{}", created);
    if (account->extra)
        put_merged_properties(model, account, b);
    else
        put_properties(model, account, b);
    put_identity(model, account, b);
    buf_putc(b, '}');
}
