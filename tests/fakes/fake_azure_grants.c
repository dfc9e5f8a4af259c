/* Access to keys: access policies of a vault, role assignments, the few role definitions that matter to keys.
 *
 * Role assignments answer as recorded: 201; 409 for the same role, principal and scope under another name; 400 for a
 * principal of which nobody says that it is a service principal, as after a fresh identity (the directory lags behind).
 * Whether a vault with role-based access refuses access policies is not known: here it takes them and ignores them. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

static const struct {
    const char *guid;
    const char *name;
    const char *data_actions;
} roles[] = {
    {"e147488a-f6f5-4113-8e2d-b22465e65bf6", "Key Vault Crypto Service Encryption User",
        "\"Microsoft.KeyVault/vaults/keys/read\",\"Microsoft.KeyVault/vaults/keys/wrap/action\","
        "\"Microsoft.KeyVault/vaults/keys/unwrap/action\""},
    {"12338af0-0e69-4776-bea7-57ae8d297424", "Key Vault Crypto User",
        "\"Microsoft.KeyVault/vaults/keys/read\",\"Microsoft.KeyVault/vaults/keys/update/action\","
        "\"Microsoft.KeyVault/vaults/keys/backup/action\",\"Microsoft.KeyVault/vaults/keys/encrypt/action\","
        "\"Microsoft.KeyVault/vaults/keys/decrypt/action\",\"Microsoft.KeyVault/vaults/keys/wrap/action\","
        "\"Microsoft.KeyVault/vaults/keys/unwrap/action\",\"Microsoft.KeyVault/vaults/keys/sign/action\","
        "\"Microsoft.KeyVault/vaults/keys/verify/action\""},
    {"14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "Key Vault Crypto Officer", "\"Microsoft.KeyVault/vaults/keys/*\""},
    {"00482a5a-887f-4fb3-b363-3b7fe8e74483", "Key Vault Administrator", "\"Microsoft.KeyVault/vaults/*\""},
    {"b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", ""},
};

/* The last segments of the path are these. */
static bool ends_in(const struct azure_request *r, const char *kind, size_t after)
{
    return r->n_segments > 3 + after && str_eq_nocase(r->segments[r->n_segments - 3 - after], "providers") &&
           str_eq_nocase(r->segments[r->n_segments - 2 - after], "Microsoft.Authorization") &&
           str_eq_nocase(r->segments[r->n_segments - 1 - after], kind);
}

static cJSON *parse_properties(struct azure_request *r)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&tree, r->http->body, r->http->body_len, &err) == 0 && json_member(tree, "properties"))
        return cJSON_DetachItemFromObjectCaseSensitive(tree, "properties");
    azure_front_door_error(r, 400, "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: '%s'.", err.msg);
    return NULL;
}

/* ---- Role definitions ---- */

static bool get_role_definition(struct azure_request *r)
{
    const char *guid = r->segments[r->n_segments - 1];

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (!str_eq_nocase(roles[i].guid, guid))
            continue;
        buf_printf(&r->reply->body,
            "{\"id\":\"/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/%s\",\"name\":\"%s\","
            "\"type\":\"Microsoft.Authorization/roleDefinitions\",\"properties\":{\"roleName\":\"%s\","
            "\"type\":\"BuiltInRole\",\"assignableScopes\":[\"/\"],\"permissions\":[{\"actions\":[],\"notActions\":[],"
            "\"dataActions\":[%s],\"notDataActions\":[]}]}}",
            r->segments[1], roles[i].guid, roles[i].guid, roles[i].name, roles[i].data_actions);
        return true;
    }
    return false;
}

/* ---- Role assignments ---- */

/* The assignment of the same role to the same principal at the same scope, under whatever name. */
static const cJSON *find_twin(struct azure_request *r, const char *scope, const cJSON *properties)
{
    const char *role = json_string_at(properties, "roleDefinitionId");

    map_foreach (entry, &r->azure->model->resources) {
        const cJSON *other = entry->value;
        const char *other_role = json_string_at(other, "properties.roleDefinitionId");
        if (other_role && str_eq_nocase(strrchr(other_role, '/'), strrchr(role, '/')) &&
            str_eq_nocase(json_string_at(other, "properties.scope"), scope) &&
            str_eq_nocase(json_string_at(other, "properties.principalId"), json_string_at(properties, "principalId")))
            return other;
    }
    return NULL;
}

static void refuse_twin(struct azure_request *r, const cJSON *twin)
{
    char id[64] = "", *to = id;
    const char *from = strrchr(json_string_at(twin, "id"), '/') + 1;

    for (; *from && to < id + sizeof(id) - 1; from++)
        if (*from != '-')
            *to++ = *from;
    *to = '\0';
    azure_front_door_error(r, 409, "RoleAssignmentExists",
        "The role assignment already exists. The ID of the existing role assignment is %s.", id);
}

static void create_assignment(struct azure_request *r, const char *scope, cJSON *properties)
{
    _cleanup_(json_freep) cJSON *resource = cJSON_CreateObject();
    struct err err = ERR_INIT;

    json_add_string(resource, "id", r->http->path);
    json_add_string(resource, "name", r->segments[r->n_segments - 1]);
    json_add_string(resource, "type", "Microsoft.Authorization/roleAssignments");
    cJSON_DeleteItemFromObjectCaseSensitive(properties, "scope");
    json_add_string(properties, "scope", scope);
    cJSON_AddItemToObject(resource, "properties", cJSON_Duplicate(properties, true));
    if (azure_model_put_resource(r->azure->model, resource, &err) < 0) {
        azure_front_door_error(r, 400, "InvalidRequestContent", "%s (text of fake-azure).", err.msg);
        return;
    }
    fake_reply_json(r->reply, 201, resource);
}

static void put_assignment(struct azure_request *r)
{
    _cleanup_(json_freep) cJSON *properties = parse_properties(r);
    const char *role = json_string_at(properties, "roleDefinitionId");
    const char *principal = json_string_at(properties, "principalId");
    const cJSON *same = azure_model_resource(r->azure->model, r->http->path);

    if (!properties)
        return;
    if (!principal || !role || !strrchr(role, '/')) {
        azure_front_door_error(
            r, 400, "InvalidRequestContent", "roleDefinitionId and principalId are required (text of fake-azure).");
        return;
    }
    if (!json_string_at(properties, "principalType")) {
        azure_front_door_error(r, 400, "PrincipalNotFound",
            "Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are "
            "creating this principal and then immediately assigning a role, this error might be related to a "
            "replication delay. In this case, set the role assignment principalType property to a value, such as "
            "ServicePrincipal, User, or Group.",
            principal, r->azure->tenant);
        return;
    }
    if (same && !str_eq_nocase(json_string_at(same, "properties.principalId"), principal)) {
        azure_front_door_error(r, 400, "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.");
        return;
    }
    size_t scope_len = (size_t)(str_find_nocase(r->http->path, "/providers/Microsoft.Authorization/") - r->http->path);
    _cleanup_(freep) char *scope = xstrndup(r->http->path, scope_len);
    const cJSON *twin = find_twin(r, scope, properties);
    if (same)
        fake_reply_json(r->reply, 200, same);
    else if (twin)
        refuse_twin(r, twin);
    else
        create_assignment(r, scope, properties);
}

/* ---- Access policies ---- */

static cJSON *policy_of(cJSON *policies, const char *object_id)
{
    cJSON *policy;

    cJSON_ArrayForEach (policy, policies)
        if (str_eq_nocase(json_string_at(policy, "objectId"), object_id) && !json_member(policy, "applicationId"))
            return policy;
    return NULL;
}

/* The words of more that list lacks are added to it. */
static void unite(cJSON *list, const cJSON *more)
{
    const cJSON *word, *own;

    cJSON_ArrayForEach (word, more) {
        bool known = false;
        cJSON_ArrayForEach (own, list)
            known = known || str_eq_nocase(own->valuestring, word->valuestring);
        if (!known)
            cJSON_AddItemToArray(list, cJSON_Duplicate(word, true));
    }
}

static void merge_policy(cJSON *policies, const cJSON *wanted, const char *how)
{
    cJSON *own = policy_of(policies, json_string_at(wanted, "objectId"));
    const cJSON *words;

    if (!own) {
        if (!str_eq_nocase(how, "remove"))
            cJSON_AddItemToArray(policies, cJSON_Duplicate(wanted, true));
        return;
    }
    if (str_eq_nocase(how, "add")) {
        cJSON *permissions = cJSON_GetObjectItemCaseSensitive(own, "permissions");
        cJSON_ArrayForEach (words, json_member(wanted, "permissions")) {
            cJSON *list = cJSON_GetObjectItemCaseSensitive(permissions, words->string);
            unite(list ? list : json_add_array(permissions, words->string), words);
        }
        return;
    }
    (void)json_free(cJSON_DetachItemViaPointer(policies, own));
    if (str_eq_nocase(how, "replace"))
        cJSON_AddItemToArray(policies, cJSON_Duplicate(wanted, true));
}

static void put_policies(struct azure_request *r)
{
    const char *how = r->segments[9];
    size_t vault_len = (size_t)(str_find_nocase(r->http->path, "/accessPolicies/") - r->http->path);
    _cleanup_(freep) char *vault_id = xstrndup(r->http->path, vault_len);
    const cJSON *known = azure_model_resource(r->azure->model, vault_id), *wanted;
    _cleanup_(json_freep) cJSON *asked = parse_properties(r);
    struct err ignored = ERR_INIT;

    if (!asked)
        return;
    if (!known) {
        azure_front_door_error(r, 404, "ResourceNotFound",
            "The Resource 'Microsoft.KeyVault/vaults/%s' under resource group '%s' was not found. For more details "
            "please go to https://aka.ms/ARMResourceNotFoundFix",
            r->segments[7], r->segments[3]);
        return;
    }
    _cleanup_(json_freep) cJSON *vault = cJSON_Duplicate(known, true);
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(vault, "properties");
    if (!properties)
        properties = json_add_object(vault, "properties");
    cJSON *policies = cJSON_GetObjectItemCaseSensitive(properties, "accessPolicies");
    if (!policies)
        policies = json_add_array(properties, "accessPolicies");
    cJSON_ArrayForEach (wanted, json_member(asked, "accessPolicies"))
        merge_policy(policies, wanted, how);
    (void)azure_model_put_resource(r->azure->model, vault, &ignored);
    _cleanup_(json_freep) cJSON *answer = cJSON_CreateObject();
    _cleanup_(freep) char *id = xasprintf("%s/accessPolicies/", vault_id);
    json_add_string(answer, "id", id);
    json_add_string(answer, "type", "Microsoft.KeyVault/vaults/accessPolicies");
    cJSON_AddItemToObject(answer, "properties", TAKE_PTR(asked));
    fake_reply_json(r->reply, 200, answer);
}

bool azure_arm_grants(struct azure_request *r)
{
    bool get = str_eq(r->http->method, "GET"), put = str_eq(r->http->method, "PUT");

    if (get && ends_in(r, "roleDefinitions", 1))
        return get_role_definition(r);
    if (get && ends_in(r, "roleAssignments", 1) && !azure_model_resource(r->azure->model, r->http->path)) {
        azure_front_door_error(
            r, 404, "RoleAssignmentNotFound", "The role assignment '%s' is not found.", r->segments[r->n_segments - 1]);
        return true;
    }
    if (put && ends_in(r, "roleAssignments", 1))
        put_assignment(r);
    else if (put && azure_path_is(
                        r, "subscriptions/*/resourceGroups/*/providers/Microsoft.KeyVault/vaults/*/accessPolicies/*"))
        put_policies(r);
    else
        return false;
    return true;
}
