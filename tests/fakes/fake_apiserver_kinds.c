/* What is special about single kinds: a stored CustomResourceDefinition makes its resource available and is Established
 * at once; a namespace is Active at once. */
#include "fakes/fake_apiserver.h"
#include "fakes/fake_apiserver_model_schema.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

static void add_condition(cJSON *conditions, const char *type, const char *reason, const char *message, const char *now)
{
    cJSON *condition = cJSON_CreateObject();
    json_add_string(condition, "type", type);
    json_add_string(condition, "status", "True");
    json_add_string(condition, "lastTransitionTime", now);
    json_add_string(condition, "reason", reason);
    json_add_string(condition, "message", message);
    cJSON_AddItemToArray(conditions, condition);
}

/* The name of the storage version, or NULL unless there is exactly one. */
static const char *storage_version(const cJSON *crd)
{
    const cJSON *version;
    const char *name = NULL;
    int n = 0;
    cJSON_ArrayForEach (version, json_at(crd, "spec.versions")) {
        if (!json_bool_at(version, "storage", false))
            continue;
        name = json_string_at(version, "name");
        n++;
    }
    return n == 1 ? name : NULL;
}

static void check_crd(const cJSON *crd, cJSON *causes)
{
    static const char *const required[] = {"spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"};
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (str_empty(json_string_at(crd, required[i])))
            schema_cause(causes, required[i], "FieldValueRequired", "Required value");
    if (!storage_version(crd))
        schema_cause(causes, "spec.versions", "FieldValueInvalid",
            "Invalid value: null: must have exactly one version marked as storage version");
    if (cJSON_GetArraySize(causes) > 0)
        return;
    _cleanup_(freep) char *name =
        xasprintf("%s.%s", json_string_at(crd, "spec.names.plural"), json_string_at(crd, "spec.group"));
    const char *given = json_string_at(crd, "metadata.name");
    if (!str_eq(given, name)) {
        _cleanup_(freep) char *message =
            xasprintf("Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", given);
        schema_cause(causes, "metadata.name", "FieldValueInvalid", message);
    }
    const cJSON *version;
    int i = 0;
    cJSON_ArrayForEach (version, json_at(crd, "spec.versions")) {
        _cleanup_(freep) char *field = xasprintf("spec.versions[%d].schema.openAPIV3Schema", i++);
        if (!json_at(version, "schema.openAPIV3Schema"))
            schema_cause(causes, field, "FieldValueRequired", "Required value: schemas are required");
    }
}

static void complete_crd_names(cJSON *crd)
{
    cJSON *names = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(crd, "spec"), "names");
    const char *kind = json_string_at(names, "kind");
    if (!json_member(names, "singular")) {
        _cleanup_(freep) char *singular = str_lower(xstrdup(kind));
        json_add_string(names, "singular", singular);
    }
    if (!json_member(names, "listKind")) {
        _cleanup_(freep) char *list = xasprintf("%sList", kind);
        json_add_string(names, "listKind", list);
    }
}

/* Conditions are kept once they are there, so that an update that changes nothing stays one. */
static int prepare_crd(struct api_request *r, cJSON *crd)
{
    char now[TIME_TEXT_SIZE];
    cJSON *causes = cJSON_CreateArray();
    check_crd(crd, causes);
    if (cJSON_GetArraySize(causes) > 0)
        return api_fail_invalid(r, r->name, causes);
    json_free(causes);
    complete_crd_names(crd);
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(crd, "spec");
    if (!json_member(spec, "conversion"))
        json_add_string(json_add_object(spec, "conversion"), "strategy", "None");
    time_format_rfc3339(fake_core_now(r->api->core), now);
    cJSON *status = cJSON_CreateObject();
    const cJSON *old = json_at(crd, "status.conditions");
    if (old) {
        cJSON_AddItemToObject(status, "conditions", cJSON_Duplicate(old, true));
    } else {
        cJSON *conditions = json_add_array(status, "conditions");
        add_condition(conditions, "NamesAccepted", "NoConflicts", "no conflicts found", now);
        add_condition(conditions, "Established", "InitialNamesAccepted", "the initial names have been accepted", now);
    }
    cJSON_AddItemToObject(status, "acceptedNames", cJSON_Duplicate(json_at(crd, "spec.names"), true));
    cJSON_AddItemToArray(json_add_array(status, "storedVersions"), cJSON_CreateString(storage_version(crd)));
    cJSON_DeleteItemFromObjectCaseSensitive(crd, "status");
    cJSON_AddItemToObject(crd, "status", status);
    return 0;
}

static void prepare_namespace(cJSON *object)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
    if (!labels)
        labels = json_add_object(metadata, "labels");
    api_set_string(labels, "kubernetes.io/metadata.name", json_string_at(metadata, "name"));
    if (!json_member(object, "spec"))
        json_add_object(object, "spec");
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");
    if (!json_member(spec, "finalizers"))
        cJSON_AddItemToArray(json_add_array(spec, "finalizers"), cJSON_CreateString("kubernetes"));
    if (!json_member(object, "status"))
        json_add_string(json_add_object(object, "status"), "phase", "Active");
}

int api_kind_prepare(struct api_request *r, cJSON *object)
{
    if (str_eq(r->resource->collection, CRD_COLLECTION))
        return prepare_crd(r, object);
    if (str_eq(r->resource->collection, NAMESPACE_COLLECTION))
        prepare_namespace(object);
    return 0;
}

static bool same_definition(const struct registry *registry, const char *collection, const cJSON *crd)
{
    for (size_t i = 0; i < registry->n; i++)
        if (str_eq(registry->list[i]->collection, collection))
            return cJSON_Compare(json_member(registry->list[i]->definition, "spec"), json_member(crd, "spec"), true);
    return false;
}

/* The watches of a resource end when its definition changes, as those of a real server do. */
void api_kind_stored(struct api *api, const struct resource *resource, const cJSON *object)
{
    struct err err = ERR_INIT;
    if (!str_eq(resource->collection, CRD_COLLECTION))
        return;
    _cleanup_(freep) char *collection =
        xasprintf("%s/%s", json_string_at(object, "spec.group"), json_string_at(object, "spec.names.plural"));
    if (same_definition(&api->registry, collection, object))
        return;
    api_pump(api);
    api_watch_drop(api, collection, false);
    registry_remove(&api->registry, collection);
    (void)registry_add(&api->registry, object, true, &err); /* check_crd has seen that it can be added */
}

void api_create_namespace(struct api *api, const char *name)
{
    char uid[UUID_SIZE], now[TIME_TEXT_SIZE];
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    random_uuid(uid);
    time_format_rfc3339(fake_core_now(api->core), now);
    json_add_string(object, "apiVersion", "v1");
    json_add_string(object, "kind", "Namespace");
    cJSON *metadata = json_add_object(object, "metadata");
    json_add_string(metadata, "name", name);
    json_add_string(metadata, "uid", uid);
    json_add_string(metadata, "creationTimestamp", now);
    prepare_namespace(object);
    (void)store_put(api->store, NAMESPACE_COLLECTION, name, object);
}
