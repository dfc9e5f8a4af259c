/* DELETE of one object or of a collection. An object with finalizers is only marked; the last finalizer's removal ends
 * it. */
#include "fakes/fake_apiserver.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <string.h>

/* The objects whose keys begin with prefix, one by one, as they change what is stored. */
static void remove_all(struct api *api, const struct resource *resource, const char *prefix)
{
    for (;;) {
        struct store_list list;
        store_list(api->store, resource->collection, prefix, NULL, api->store->version, &list);
        _cleanup_(freep) char *key = list.len ? xstrdup(list.items[0].key) : NULL;
        store_list_done(&list);
        if (!key)
            return;
        api_remove(api, resource, key);
    }
}

static void remove_kind(struct api *api, const char *crd)
{
    const char *dot = strchr(crd, '.');
    _cleanup_(freep) char *collection = dot ? xasprintf("%s/%.*s", dot + 1, (int)(dot - crd), crd) : xstrdup("");
    for (size_t i = 0; i < api->registry.n; i++)
        if (api->registry.list[i]->custom && str_eq(api->registry.list[i]->collection, collection))
            remove_all(api, api->registry.list[i], "");
    api_pump(api);
    api_watch_drop(api, collection, false);
    registry_remove(&api->registry, collection);
}

static void empty_namespace(struct api *api, const char *name)
{
    _cleanup_(freep) char *prefix = xasprintf("%s/", name);
    for (size_t i = 0; i < api->registry.n; i++)
        if (api->registry.list[i]->namespaced)
            remove_all(api, api->registry.list[i], prefix);
}

void api_remove(struct api *api, const struct resource *resource, const char *key)
{
    const struct store_value *value = store_get(api->store, resource->collection, key);
    if (!value)
        return;
    if (str_eq(resource->collection, CRD_COLLECTION))
        remove_kind(api, key);
    else if (str_eq(resource->collection, NAMESPACE_COLLECTION))
        empty_namespace(api, key);
    _cleanup_(json_freep) cJSON *object = api_parse(value);
    store_delete(api->store, resource->collection, key, object);
}

static int check_preconditions(struct api_request *r, const cJSON *old)
{
    struct err err = ERR_INIT;
    _cleanup_(json_freep) cJSON *options = NULL;
    if (r->http->body_len == 0)
        return 0;
    if (json_parse(&options, r->http->body, r->http->body_len, &err) < 0)
        return api_fail(r, 400, "BadRequest", "the delete options are not understood: %s", err.msg);
    const struct {
        const char *name, *path, *label, *hint;
    } checks[] = {
        {"preconditions.uid", "metadata.uid", "UID", "deleted and then recreated"},
        {"preconditions.resourceVersion", "metadata.resourceVersion", "ResourceVersion", "modified"},
    };
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        const char *want = json_string_at(options, checks[i].name), *have = json_string_at(old, checks[i].path);
        if (!want || str_eq(want, have))
            continue;
        _cleanup_(freep) char *message = xasprintf(
            "the %s in the precondition (%s) does not match the %s in record (%s). The object might have been %s",
            checks[i].label, want, checks[i].label, have, checks[i].hint);
        return api_fail_precondition(r, message);
    }
    return 0;
}

static void mark(struct api_request *r, const char *key, cJSON *object)
{
    char now[TIME_TEXT_SIZE];
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    int64_t generation;
    if (!json_string_at(metadata, "deletionTimestamp")) {
        time_format_rfc3339(fake_core_now(r->api->core), now);
        json_add_int(metadata, "deletionGracePeriodSeconds", 0);
        json_add_string(metadata, "deletionTimestamp", now);
        if (json_int(json_member(metadata, "generation"), false, &generation)) {
            cJSON_DeleteItemFromObjectCaseSensitive(metadata, "generation");
            json_add_int(metadata, "generation", generation + 1);
        }
        (void)store_put(r->api->store, r->resource->collection, key, object);
    }
    api_reply_object(r, 200, store_get(r->api->store, r->resource->collection, key));
}

void api_delete(struct api_request *r)
{
    char dry[4096];
    _cleanup_(freep) char *key = api_key(r);
    const struct store_value *value = store_get(r->api->store, r->resource->collection, key);
    if (!value) {
        (void)api_fail_not_found(r, r->resource->collection, r->name);
        return;
    }
    _cleanup_(json_freep) cJSON *object = api_parse(value);
    if (check_preconditions(r, object) < 0)
        return;
    api_param(r, "dryRun", dry);
    bool real = !str_eq(dry, "All");
    if (real && cJSON_GetArraySize(json_at(object, "metadata.finalizers")) > 0) {
        mark(r, key, object);
        return;
    }
    _cleanup_(json_freep) cJSON *status = api_status_new("Success", 0, NULL, NULL);
    cJSON *details = json_add_object(status, "details");
    json_add_string(details, "name", r->name);
    if (*r->resource->group)
        json_add_string(details, "group", r->resource->group);
    json_add_string(details, "kind", r->resource->plural);
    json_add_string(details, "uid", json_string_at(object, "metadata.uid"));
    if (real)
        api_remove(r->api, r->resource, key);
    fake_reply_json(r->reply, 200, status);
}

/* Everything of the collection that the request selects; answered with the list of it. */
void api_delete_collection(struct api_request *r)
{
    struct selector *labels = NULL, *fields = NULL;
    _cleanup_(freep) char *prefix = api_prefix(r);
    if (api_selectors(r, &labels, &fields) < 0) {
        (void)selector_free(labels);
        return;
    }
    api_list(r);
    struct store_list list;
    store_list(r->api->store, r->resource->collection, prefix, NULL, r->api->store->version, &list);
    struct map doomed = MAP_INIT;
    for (size_t i = 0; i < list.len; i++) {
        _cleanup_(json_freep) cJSON *object = api_parse(list.items[i].value);
        if (selector_matches(labels, object) && selector_matches(fields, object))
            (void)map_set(&doomed, list.items[i].key, r->api);
    }
    store_list_done(&list);
    map_foreach (entry, &doomed)
        api_remove(r->api, r->resource, entry->key);
    map_done(&doomed);
    (void)selector_free(labels);
    (void)selector_free(fields);
}
