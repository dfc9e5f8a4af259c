/* What is served, and where it is stored. See fake_apiserver_model_registry.h. */
#include "fakes/fake_apiserver_model_registry.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

static void resource_free(struct resource *r)
{
    json_free(r->definition);
    free(r->collection);
    free(r->api_version);
    free(r);
}

static void remove_at(struct registry *registry, size_t i)
{
    resource_free(registry->list[i]);
    memmove(&registry->list[i], &registry->list[i + 1], (registry->n - i - 1) * sizeof(registry->list[0]));
    registry->n--;
}

void registry_remove(struct registry *registry, const char *collection)
{
    for (size_t i = registry->n; i > 0; i--)
        if (str_eq(registry->list[i - 1]->collection, collection))
            remove_at(registry, i - 1);
}

void registry_done(struct registry *registry)
{
    while (registry->n > 0)
        remove_at(registry, registry->n - 1);
    free(registry->list);
    *registry = (struct registry){0};
}

const struct resource *registry_find(
    const struct registry *registry, const char *group, const char *version, const char *plural)
{
    for (size_t i = 0; i < registry->n; i++) {
        const struct resource *r = registry->list[i];
        if (str_eq(r->group, group) && str_eq(r->version, version) && str_eq(r->plural, plural))
            return r;
    }
    return NULL;
}

static struct resource *resource_new(const cJSON *definition, int version_index, bool custom)
{
    struct resource *r = xcalloc(1, sizeof(*r));
    r->definition = cJSON_Duplicate(definition, true);
    const cJSON *spec = json_member(r->definition, "spec");
    const cJSON *version = cJSON_GetArrayItem(json_member(spec, "versions"), version_index);
    r->custom = custom;
    r->group = json_string_at(spec, "group");
    r->version = json_string_at(version, "name");
    r->names = json_member(spec, "names");
    r->kind = json_string_at(r->names, "kind");
    r->plural = json_string_at(r->names, "plural");
    r->singular = json_string_at(r->names, "singular");
    r->list_kind = json_string_at(r->names, "listKind");
    r->schema = json_at(version, "schema.openAPIV3Schema");
    r->columns = json_member(version, "additionalPrinterColumns");
    r->selectable = json_member(version, "selectableFields");
    r->has_status = json_at(version, "subresources.status") != NULL;
    r->namespaced = str_eq(json_string_at(spec, "scope"), "Namespaced");
    return r;
}

static void complete_names(struct resource *r)
{
    cJSON *names = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(r->definition, "spec"), "names");
    if (!r->singular) {
        _cleanup_(freep) char *lower = str_lower(xstrdup(r->kind));
        r->singular = json_add_string(names, "singular", lower)->valuestring;
    }
    if (!r->list_kind) {
        _cleanup_(freep) char *list = xasprintf("%sList", r->kind);
        r->list_kind = json_add_string(names, "listKind", list)->valuestring;
    }
    bool event = str_eq(r->plural, "events") && str_empty(r->group);
    r->collection = xasprintf("%s/%s", event ? "events.k8s.io" : r->group, r->plural);
    r->api_version = xasprintf("%s%s%s", r->group, *r->group ? "/" : "", r->version);
}

int registry_add(struct registry *registry, const cJSON *definition, bool custom, struct err *err)
{
    const cJSON *versions = json_at(definition, "spec.versions");
    const char *group = json_string_at(definition, "spec.group"),
               *plural = json_string_at(definition, "spec.names.plural");
    if (!group || !plural || !json_string_at(definition, "spec.names.kind") || cJSON_GetArraySize(versions) == 0)
        return err_set(
            err, ERR_INVALID, "spec.group, spec.names.plural, spec.names.kind and spec.versions are required");
    for (int i = 0; i < cJSON_GetArraySize(versions); i++) {
        const cJSON *version = cJSON_GetArrayItem(versions, i);
        if (!json_string_at(version, "name"))
            return err_set(err, ERR_INVALID, "spec.versions[%d].name is required", i);
        if (!json_bool_at(version, "served", false))
            continue;
        struct resource *r = resource_new(definition, i, custom);
        complete_names(r);
        registry->list = xrealloc(registry->list, (registry->n + 1) * sizeof(registry->list[0]));
        registry->list[registry->n++] = r;
    }
    return 0;
}
