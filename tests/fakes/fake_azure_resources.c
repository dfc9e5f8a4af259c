/* Resources other than Cosmos DB accounts: user-assigned identities, key vaults and their keys, role assignments. They
 * are what the seed or the inspection API says of them, to be read and listed; fake_azure_grants.c changes some. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

/* "Namespace/type[/type…]" from the last "/providers/" of an id on; ends before a trailing name unless of_list. */
static char *type_of(const char *id, bool of_list)
{
    const char *at = id, *providers = NULL;
    _cleanup_(buf_done) struct buf type = BUF_INIT(512);

    while ((at = str_find_nocase(at, "/providers/")) != NULL) {
        at += strlen("/providers/");
        providers = at;
    }
    if (!providers)
        return NULL;
    /* Namespace, then pairs of type and name: every second part is a name. */
    for (size_t i = 0; *providers; i++) {
        size_t n = strcspn(providers, "/");
        if (i == 0 || i % 2 == 1) {
            buf_puts(&type, i ? "/" : "");
            buf_add(&type, providers, n);
        }
        providers += n + (providers[n] == '/');
        if (*providers == '\0' && (i % 2 == 1) != of_list)
            return NULL;
    }
    return buf_take(&type);
}

static void add_missing(cJSON *resource, const char *name, const char *value)
{
    if (value && !json_member(resource, name))
        json_add_string(resource, name, value);
}

/* The resource with id, name and type, whatever the seed left out. An identity gets the ids that the accounts show. */
static cJSON *completed(struct azure_request *r, const cJSON *resource)
{
    cJSON *tree = cJSON_Duplicate(resource, true);
    const char *id = json_string_at(resource, "id");
    _cleanup_(freep) char *type = type_of(id, false);
    struct azure_model *model = r->azure->model;

    add_missing(tree, "name", strrchr(id, '/') + 1);
    add_missing(tree, "type", type);
    if (!str_eq_nocase(type, "Microsoft.ManagedIdentity/userAssignedIdentities"))
        return tree;
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(tree, "properties");
    if (!properties)
        properties = json_add_object(tree, "properties");
    char principal[AZURE_GUID_SIZE], client[AZURE_GUID_SIZE];
    azure_model_identity_ids(model, id, principal, client);
    add_missing(properties, "tenantId", r->azure->tenant);
    add_missing(properties, "principalId", principal);
    add_missing(properties, "clientId", client);
    return tree;
}

/* True when id lies under scope, or is not restricted by one. */
static bool is_under(const char *id, const char *scope, size_t n)
{
    return strlen(id) > n && strncmp(id, scope, n) == 0 && id[n] == '/';
}

/* Role assignments that hold at a scope are those made at it or above it. */
static bool holds_at(const char *id, const char *scope, size_t n)
{
    const char *end = str_find_nocase(id, "/providers/microsoft.authorization/");
    size_t own = end ? (size_t)(end - id) : n + 1;

    return own <= n && strncmp(id, scope, own) == 0 && (scope[own] == '/' || own == n);
}

/* "assignedTo('O')" and "principalId eq 'O'" of a $filter; groups are unknown here, so the two are one. */
static bool is_about(const char *filter, const cJSON *assignment)
{
    const char *principal = json_string_at(assignment, "properties.principalId");
    bool names_one = str_find_nocase(filter, "assignedTo(") || str_find_nocase(filter, "principalId eq");

    return !names_one || (principal && str_find_nocase(filter, principal));
}

static void list(struct azure_request *r, const char *scope, size_t scope_len, const char *type)
{
    bool assignments = str_has_prefix_nocase(type, "Microsoft.Authorization/");
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    cJSON *value = json_add_array(tree, "value");
    char filter[256] = "";

    (void)httpd_query(r->http, "$filter", filter, sizeof(filter));
    map_foreach (entry, &r->azure->model->resources) {
        const cJSON *resource = entry->value;
        _cleanup_(freep) char *own = type_of(json_string_at(resource, "id"), false);
        bool in = assignments ? holds_at(entry->key, scope, scope_len) : is_under(entry->key, scope, scope_len);
        if (in && own && str_eq_nocase(own, type) && (!assignments || is_about(filter, resource)))
            cJSON_AddItemToArray(value, completed(r, resource));
    }
    fake_reply_json(r->reply, 200, tree);
}

/* /subscriptions/S/resources?$filter=resourceType eq 'TYPE' */
static bool list_by_filter(struct azure_request *r, const char *lower)
{
    char filter[256], *type, *end;

    if (!azure_path_is(r, "subscriptions/*/resources") || !httpd_query(r->http, "$filter", filter, sizeof(filter)) ||
        !str_has_prefix_nocase(filter, "resourceType eq '"))
        return false;
    type = filter + strlen("resourceType eq '");
    end = strchr(type, '\'');
    if (!end)
        return false;
    *end = '\0';
    list(r, lower, strlen(lower) - strlen("/resources"), type);
    return true;
}

bool azure_arm_resources(struct azure_request *r)
{
    _cleanup_(freep) char *lower = str_lower(xstrdup(r->http->path));
    const cJSON *resource = azure_model_resource(r->azure->model, lower);
    _cleanup_(freep) char *type = type_of(lower, true);

    if (resource) {
        _cleanup_(json_freep) cJSON *tree = completed(r, resource);
        fake_reply_json(r->reply, 200, tree);
        return true;
    }
    if (list_by_filter(r, lower))
        return true;
    if (!type) {
        _cleanup_(freep) char *of_one = type_of(r->http->path, false);
        if (!of_one)
            return false;
        azure_front_door_error(r, 404, "ResourceNotFound",
            "The Resource '%s/%s' under resource group '%s' was not found. For more details please go to "
            "https://aka.ms/ARMResourceNotFoundFix",
            of_one, strrchr(r->http->path, '/') + 1, r->n_segments > 3 ? r->segments[3] : "");
        return true;
    }
    /* The scope of a list is what stands before "/providers/Namespace/type", or the parent of a nested type. */
    const char *last = strrchr(lower, '/');
    size_t scope_len = (size_t)(last - lower);
    if (strchr(type, '/') == strrchr(type, '/'))
        while (scope_len > 0 && !str_has_prefix(lower + scope_len, "/providers/"))
            scope_len--;
    list(r, lower, scope_len, type);
    return true;
}
