/* Discovery: which groups, versions and resources there are, in the plain (not aggregated) form. See
 * fake_apiserver_model_registry.h. */
#include "fakes/fake_apiserver_model_registry.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

cJSON *discovery_versions(void)
{
    cJSON *tree = cJSON_CreateObject();
    json_add_string(tree, "kind", "APIVersions");
    cJSON_AddItemToArray(json_add_array(tree, "versions"), cJSON_CreateString("v1"));
    cJSON *by_client = cJSON_CreateObject();
    json_add_string(by_client, "clientCIDR", "0.0.0.0/0");
    json_add_string(by_client, "serverAddress", "127.0.0.1");
    cJSON_AddItemToArray(json_add_array(tree, "serverAddressByClientCIDRs"), by_client);
    return tree;
}

static bool has_member(const cJSON *array, const char *name, const char *value)
{
    const cJSON *element;
    cJSON_ArrayForEach (element, array)
        if (str_eq(json_string_at(element, name), value))
            return true;
    return false;
}

static cJSON *group_version(const struct resource *r)
{
    cJSON *version = cJSON_CreateObject();
    json_add_string(version, "groupVersion", r->api_version);
    json_add_string(version, "version", r->version);
    return version;
}

static cJSON *group_tree(const struct registry *registry, const char *name)
{
    cJSON *group = NULL, *versions = NULL;
    for (size_t i = 0; i < registry->n; i++) {
        const struct resource *r = registry->list[i];
        if (!str_eq(r->group, name))
            continue;
        if (!group) {
            group = cJSON_CreateObject();
            json_add_string(group, "name", name);
            versions = json_add_array(group, "versions");
            cJSON_AddItemToObject(group, "preferredVersion", group_version(r));
        }
        if (!has_member(versions, "version", r->version))
            cJSON_AddItemToArray(versions, group_version(r));
    }
    return group;
}

cJSON *discovery_groups(const struct registry *registry)
{
    cJSON *tree = cJSON_CreateObject();
    json_add_string(tree, "kind", "APIGroupList");
    json_add_string(tree, "apiVersion", "v1");
    cJSON *groups = json_add_array(tree, "groups");
    for (size_t i = 0; i < registry->n; i++) {
        const char *name = registry->list[i]->group;
        if (!str_empty(name) && !has_member(groups, "name", name))
            cJSON_AddItemToArray(groups, group_tree(registry, name));
    }
    return tree;
}

cJSON *discovery_group(const struct registry *r, const char *name)
{
    cJSON *group = str_empty(name) ? NULL : group_tree(r, name);
    if (group) {
        json_add_string(group, "kind", "APIGroup");
        json_add_string(group, "apiVersion", "v1");
    }
    return group;
}

static void add_verbs(cJSON *entry, const char *const *verbs, size_t n)
{
    cJSON *array = json_add_array(entry, "verbs");
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(verbs[i]));
}

static cJSON *resource_entry(const struct resource *r, const char *name, const char *kind)
{
    cJSON *entry = cJSON_CreateObject();
    json_add_string(entry, "name", name);
    json_add_string(entry, "singularName", str_eq(name, r->plural) ? r->singular : "");
    cJSON_AddBoolToObject(entry, "namespaced", r->namespaced);
    json_add_string(entry, "kind", kind);
    return entry;
}

static void add_resource(cJSON *list, const struct resource *r)
{
    static const char *const all[] = {
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
    static const char *const some[] = {"get", "patch", "update"};
    static const char *const create[] = {"create"};
    cJSON *entry = resource_entry(r, r->plural, r->kind);
    add_verbs(entry, all, ARRAY_LEN(all));
    const char *const extras[] = {"shortNames", "categories"};
    for (size_t i = 0; i < ARRAY_LEN(extras); i++)
        if (cJSON_GetArraySize(json_member(r->names, extras[i])) > 0)
            cJSON_AddItemToObject(entry, extras[i], cJSON_Duplicate(json_member(r->names, extras[i]), true));
    cJSON_AddItemToArray(list, entry);
    if (r->has_status) {
        _cleanup_(freep) char *name = xasprintf("%s/status", r->plural);
        entry = resource_entry(r, name, r->kind);
        add_verbs(entry, some, ARRAY_LEN(some));
        cJSON_AddItemToArray(list, entry);
    }
    if (str_eq(r->plural, "serviceaccounts")) {
        entry = resource_entry(r, "serviceaccounts/token", "TokenRequest");
        json_add_string(entry, "group", "authentication.k8s.io");
        json_add_string(entry, "version", "v1");
        add_verbs(entry, create, ARRAY_LEN(create));
        cJSON_AddItemToArray(list, entry);
    }
}

cJSON *discovery_resources(const struct registry *registry, const char *group, const char *version)
{
    cJSON *tree = NULL, *list = NULL;
    for (size_t i = 0; i < registry->n; i++) {
        const struct resource *r = registry->list[i];
        if (!str_eq(r->group, group) || !str_eq(r->version, version))
            continue;
        if (!tree) {
            tree = cJSON_CreateObject();
            json_add_string(tree, "kind", "APIResourceList");
            json_add_string(tree, "apiVersion", "v1");
            json_add_string(tree, "groupVersion", r->api_version);
            list = json_add_array(tree, "resources");
        }
        add_resource(list, r);
    }
    return tree;
}
