/* Operations: they hold the account's exclusive lock, and what was asked for takes effect when they end.
 *
 * An operation that changes nothing is over at once (seen in a recorded PUT that repeated the account). */
#include "fakes/fake_azure_model.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

struct azure_operation *azure_operation_free(struct azure_operation *operation)
{
    if (!operation)
        return NULL;
    free(operation->status_path);
    free(operation->result_path);
    free(operation->api_version);
    free(operation->code);
    free(operation->message);
    free(operation->caller);
    (void)json_free(operation->patch);
    free(operation);
    return NULL;
}

static enum azure_operation_type type_of(const cJSON *body)
{
    if (json_at(body, "properties.keyVaultKeyUri"))
        return AZURE_OP_KEY;
    if (json_member(body, "identity"))
        return AZURE_OP_IDENTITY;
    return json_at(body, "properties.defaultIdentity") ? AZURE_OP_DEFAULT_IDENTITY : AZURE_OP_OTHER;
}

/* ---- What an update does to the account ---- */

/* userAssignedIdentities merges, null removes; the type says whether there is a system-assigned identity, and None or a
 * type without UserAssigned drops all attached ones. True when the account differs afterwards (or would, with dry). */
static bool apply_identity(struct azure_account *account, const cJSON *identity, bool dry)
{
    const char *type = json_string_at(identity, "type");
    bool system = type ? str_find_nocase(type, "SystemAssigned") != NULL : account->system_assigned;
    bool keep = !type || str_find_nocase(type, "UserAssigned");
    bool changed = system != account->system_assigned || (!keep && account->identities.n > 0);
    const cJSON *item;

    if (!dry) {
        account->system_assigned = system;
        if (!keep)
            azure_names_done(&account->identities);
    }
    cJSON_ArrayForEach (item, json_member(identity, "userAssignedIdentities")) {
        bool wanted = !cJSON_IsNull(item) && keep;
        if (wanted == azure_account_attached(account, item->string))
            continue;
        changed = true;
        if (!dry && wanted)
            azure_names_add(&account->identities, item->string);
        else if (!dry)
            azure_names_remove(&account->identities, item->string);
    }
    return changed;
}

static void apply_key(struct azure_model *model, struct azure_account *account, const char *uri)
{
    char guid[AZURE_GUID_SIZE], guid2[AZURE_GUID_SIZE];

    azure_model_guid(model, NULL, guid);
    azure_model_guid(model, NULL, guid2);
    str_replace(&account->key_uri, uri);
    free(account->key_version);
    account->key_version = xasprintf("%.8s%.4s%.4s%.4s%.12s", guid, guid + 9, guid2 + 9, guid + 19, guid2 + 24);
    str_replace(&account->key_status, AZURE_KEY_CONFIRMED);
}

static void apply_capabilities(struct azure_account *account, const cJSON *list)
{
    const cJSON *item;

    azure_names_done(&account->capabilities);
    cJSON_ArrayForEach (item, list)
        if (json_string_at(item, "name"))
            azure_names_add(&account->capabilities, json_string_at(item, "name"));
}

/* A property for which there is no rule is shown as it was set. */
static void apply_other(struct azure_account *account, const cJSON *property)
{
    if (!account->extra)
        account->extra = cJSON_CreateObject();
    cJSON_DeleteItemFromObjectCaseSensitive(account->extra, property->string);
    cJSON_AddItemToObject(account->extra, property->string, cJSON_Duplicate(property, true));
}

static void apply_property(
    struct azure_model *model, struct azure_account *account, const cJSON *property, bool with_identity)
{
    const char *name = property->string;

    if (str_eq(name, "keyVaultKeyUri"))
        apply_key(model, account, property->valuestring);
    else if (str_eq(name, "defaultIdentity") && with_identity)
        return; /* lost in silence, as in Azure */
    else if (str_eq(name, "defaultIdentity"))
        str_replace(&account->default_identity, property->valuestring);
    else if (str_eq(name, "enableAnalyticalStorage"))
        account->analytical = cJSON_IsTrue(property);
    else if (str_eq(name, "capabilities"))
        apply_capabilities(account, property);
    else if (str_eq(name, "backupPolicy") && json_string_at(property, "type"))
        str_replace(&account->backup, json_string_at(property, "type"));
    else if (!str_eq(name, "apiProperties"))
        apply_other(account, property);
}

static void apply(struct azure_model *model, struct azure_account *account, const cJSON *body)
{
    const cJSON *identity = json_member(body, "identity"), *tags = json_member(body, "tags"), *property;

    if (identity && apply_identity(account, identity, false) && model->options.identity_resets_default)
        str_replace(&account->default_identity, "undefined");
    cJSON_ArrayForEach (property, json_member(body, "properties"))
        apply_property(model, account, property, identity != NULL);
    if (cJSON_IsObject(tags)) {
        (void)json_free(account->tags);
        account->tags = cJSON_Duplicate(tags, true);
    }
}

static bool changes_something(
    const struct azure_model *model, struct azure_account *account, const cJSON *body, enum azure_operation_type type)
{
    switch (type) {
    case AZURE_OP_KEY:
        return !model->options.rotation_is_noop ||
               !str_eq(account->key_uri, json_string_at(body, "properties.keyVaultKeyUri"));
    case AZURE_OP_IDENTITY:
        return apply_identity(account, json_member(body, "identity"), true);
    case AZURE_OP_DEFAULT_IDENTITY:
        return !str_eq_nocase(account->default_identity, json_string_at(body, "properties.defaultIdentity"));
    case AZURE_OP_OTHER:
        break;
    }
    return json_member(body, "tags") || cJSON_GetArraySize(json_member(body, "properties")) > 0;
}

/* ---- Life ---- */

static int64_t duration_of(
    const struct azure_model *model, struct azure_account *account, const cJSON *body, enum azure_operation_type type)
{
    int64_t own = type == AZURE_OP_KEY ? account->encrypt_ms : account->identity_ms;
    int64_t usual = type == AZURE_OP_KEY ? model->options.encrypt_ms : model->options.identity_ms;

    if (!changes_something(model, account, body, type))
        return 0;
    return own >= 0 ? own : usual;
}

static void spring_trap(struct azure_operation *operation, struct azure_trap *trap)
{
    if (operation->type != AZURE_OP_KEY || !trap->code || trap->times == 0)
        return;
    if (trap->times > 0)
        trap->times--;
    operation->fails = true;
    operation->code = xstrdup(trap->code);
    operation->message = xstrdup(trap->message);
}

static void name_paths(struct azure_operation *operation, const struct azure_account *account)
{
    _cleanup_(freep) char *location = azure_location_id(account->location);

    operation->status_path =
        xasprintf("/subscriptions/%s/providers/Microsoft.DocumentDB/locations/%s/operationsStatus/%s",
            account->subscription, location, operation->id);
    operation->result_path =
        xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.DocumentDB/databaseAccounts/%s/"
                  "operationResults/%s",
            account->subscription, account->group, account->name, operation->id);
}

struct azure_operation *azure_operation_start(struct azure_model *model, struct azure_account *account,
    const char *api_version, const cJSON *body, int64_t now_ms)
{
    struct azure_operation *operation = xcalloc(1, sizeof(*operation));

    azure_model_guid(model, NULL, operation->id);
    operation->account = account;
    operation->type = type_of(body);
    operation->api_version = xstrdup(api_version);
    operation->patch = cJSON_Duplicate(body, true);
    operation->start_ms = now_ms;
    operation->end_ms = now_ms + duration_of(model, account, body, operation->type);
    name_paths(operation, account);
    spring_trap(operation, &account->fail_with);
    (void)map_set(&model->operations, operation->id, operation);
    account->running = operation;
    account->changes++;
    model->running = xrealloc(model->running, (model->n_running + 1) * sizeof(struct azure_operation *));
    model->running[model->n_running++] = operation;
    return operation;
}

const char *azure_operation_word(
    const struct azure_model *model, const struct azure_operation *operation, int64_t now_ms)
{
    static const char *const words[] = {[AZURE_OP_RUNNING] = "Dequeued",
        [AZURE_OP_SUCCEEDED] = "Succeeded",
        [AZURE_OP_FAILED] = "Failed",
        [AZURE_OP_CANCELED] = "Canceled"};

    if (operation->state == AZURE_OP_RUNNING && now_ms < operation->start_ms + model->options.enqueued_ms)
        return "Enqueued";
    return words[operation->state];
}

void azure_operation_finish(struct azure_model *model, struct azure_operation *operation,
    enum azure_operation_state state, const char *code, const char *message, int64_t now_ms)
{
    struct azure_account *account = operation->account;

    if (operation->state != AZURE_OP_RUNNING)
        return;
    for (size_t i = 0; i < model->n_running; i++) {
        if (model->running[i] != operation)
            continue;
        model->running[i] = model->running[--model->n_running];
        break;
    }
    operation->state = state;
    operation->end_ms = now_ms;
    str_replace(&operation->code, state == AZURE_OP_SUCCEEDED ? NULL : code);
    str_replace(&operation->message, state == AZURE_OP_SUCCEEDED ? NULL : message);
    if (!account)
        return;
    account->running = NULL;
    if (state == AZURE_OP_SUCCEEDED)
        apply(model, account, operation->patch);
}

struct azure_operation *azure_operation_find(const struct azure_model *model, const char *id, int64_t now_ms)
{
    struct azure_operation *operation = map_get(&model->operations, id);

    if (!operation ||
        (operation->state != AZURE_OP_RUNNING && now_ms - operation->end_ms > model->options.retention_ms))
        return NULL;
    return operation;
}
