/* POST, PUT and PATCH. An update that changes nothing is answered with what is stored, under its old version. */
#include "fakes/fake_apiserver.h"
#include "fakes/fake_apiserver_model_patch.h"
#include "fakes/fake_apiserver_model_schema.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <string.h>

#define MODIFIED "the object has been modified; please apply your changes to the latest version and try again"

static cJSON *metadata_of(cJSON *object)
{
    return cJSON_GetObjectItemCaseSensitive(object, "metadata");
}

static bool dry_run(const struct api_request *r)
{
    char text[4096];
    api_param(r, "dryRun", text);
    return str_eq(text, "All");
}

/* A dry run is answered with what would have been stored. */
static void reply_unstored(struct api_request *r, int status, cJSON *object)
{
    struct store_value value = {.text = json_print(object)};
    value.len = strlen(value.text);
    api_reply_object(r, status, &value);
    free(value.text);
}

static void store_and_reply(struct api_request *r, int status, cJSON *object)
{
    if (dry_run(r)) {
        reply_unstored(r, status, object);
        return;
    }
    _cleanup_(freep) char *key = api_key(r);
    const struct store_value *value = store_put(r->api->store, r->resource->collection, key, object);
    api_reply_object(r, status, value);
    api_kind_stored(r->api, r->resource, object);
}

/* ---- Create ---- */

static void stamp_new(struct api_request *r, cJSON *object)
{
    static const char *const refused[] = {"managedFields", "deletionTimestamp", "deletionGracePeriodSeconds",
        "generation", "selfLink", "resourceVersion"};
    char uid[UUID_SIZE], now[TIME_TEXT_SIZE];
    cJSON *metadata = metadata_of(object);
    random_uuid(uid);
    time_format_rfc3339(fake_core_now(r->api->core), now);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, refused[i]);
    api_set_string(metadata, "uid", uid);
    api_set_string(metadata, "creationTimestamp", now);
    if (r->resource->has_status)
        cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
}

void api_create(struct api_request *r)
{
    const struct store *store = r->api->store;
    _cleanup_(json_freep) cJSON *object = api_body(r);
    if (!object || api_identify(r, object) < 0)
        return;
    if (!str_empty(json_string_at(object, "metadata.resourceVersion"))) {
        (void)api_fail(r, 500, NULL, "resourceVersion should not be set on objects to be created");
        return;
    }
    if (r->resource->namespaced && !store_get(store, NAMESPACE_COLLECTION, r->ns)) {
        (void)api_fail_not_found(r, NAMESPACE_COLLECTION, r->ns);
        return;
    }
    _cleanup_(freep) char *key = api_key(r);
    if (store_get(store, r->resource->collection, key)) {
        (void)api_fail_exists(r, r->name);
        return;
    }
    stamp_new(r, object);
    if (api_kind_prepare(r, object) < 0 || api_admit(r, object) < 0)
        return;
    store_and_reply(r, 201, object);
}

/* ---- Update ---- */

static bool version_required(const struct resource *resource)
{
    return resource->custom || str_eq(resource->plural, "leases") || str_eq(resource->collection, CRD_COLLECTION);
}

static int check_version(struct api_request *r, const cJSON *object, const cJSON *old, bool patched)
{
    const char *version = json_string_at(object, "metadata.resourceVersion"),
               *uid = json_string_at(object, "metadata.uid");
    const char *old_uid = json_string_at(old, "metadata.uid");
    if (str_empty(version) && !patched && version_required(r->resource))
        return api_fail_no_version(r);
    if (!str_empty(version) && !str_eq(version, json_string_at(old, "metadata.resourceVersion")))
        return api_fail_conflict(r, r->name, MODIFIED);
    if (!str_empty(uid) && !str_eq(uid, old_uid) && patched) {
        cJSON *causes = cJSON_CreateArray();
        _cleanup_(freep) char *message = xasprintf("Invalid value: \"%s\": field is immutable", uid);
        schema_cause(causes, "metadata.uid", "FieldValueInvalid", message);
        return api_fail_invalid(r, r->name, causes);
    }
    if (!str_empty(uid) && !str_eq(uid, old_uid)) {
        _cleanup_(freep) char *message =
            xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old_uid);
        return api_fail_conflict(r, r->name, message);
    }
    return 0;
}

/* Of an event of events.k8s.io only the series and the metadata can change. Fields are named as in the core group. */
static int check_event(struct api_request *r, const cJSON *object, const cJSON *old)
{
    static const char *const members[][2] = {{"regarding", "involvedObject"}, {"related", "related"},
        {"reason", "reason"}, {"note", "message"}, {"type", "type"}, {"eventTime", "eventTime"}, {"action", "action"},
        {"reportingController", "reportingController"}, {"reportingInstance", "reportingInstance"}};
    cJSON *causes = cJSON_CreateArray();

    if (str_eq(r->resource->collection, EVENT_COLLECTION) && !str_empty(r->resource->group))
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            const cJSON *a = json_member(object, members[i][0]), *b = json_member(old, members[i][0]);
            if ((!a && !b) || cJSON_Compare(a, b, true))
                continue;
            _cleanup_(freep) char *text = a ? json_print(a) : xstrdup("null");
            _cleanup_(freep) char *message = xasprintf("Invalid value: %s: field is immutable", text);
            schema_cause(causes, members[i][1], "FieldValueInvalid", message);
        }
    if (cJSON_GetArraySize(causes) > 0)
        return api_fail_invalid(r, r->name, causes);
    (void)json_free(causes);
    return 0;
}

/* Was waiting for its last finalizer, and that is gone now. */
static bool released(const cJSON *object)
{
    return json_string_at(object, "metadata.deletionTimestamp") &&
           cJSON_GetArraySize(json_at(object, "metadata.finalizers")) == 0;
}

/* object is what the client wants; identified. */
static void replace(struct api_request *r, cJSON *object, const cJSON *old, bool patched)
{
    _cleanup_(freep) char *key = api_key(r);
    if (check_version(r, object, old, patched) < 0)
        return;
    api_keep_server_fields(r, object, old);
    if (api_kind_prepare(r, object) < 0 || api_admit(r, object) < 0 || check_event(r, object, old) < 0)
        return;
    if (cJSON_Compare(object, old, true))
        api_reply_object(r, 200, store_get(r->api->store, r->resource->collection, key));
    else if (released(object) && !dry_run(r)) {
        reply_unstored(r, 200, object);
        api_remove(r->api, r->resource, key);
    } else
        store_and_reply(r, 200, object);
}

static cJSON *stored_tree(struct api_request *r)
{
    _cleanup_(freep) char *key = api_key(r);
    const struct store_value *value = store_get(r->api->store, r->resource->collection, key);
    if (value)
        return api_parse(value);
    (void)api_fail_not_found(r, r->resource->collection, r->name);
    return NULL;
}

void api_update(struct api_request *r)
{
    _cleanup_(json_freep) cJSON *object = api_body(r);
    if (!object || api_identify(r, object) < 0)
        return;
    _cleanup_(json_freep) cJSON *old = stored_tree(r);
    if (old)
        replace(r, object, old, false);
}

/* ---- Patch ---- */

enum patch_form { PATCH_MERGE, PATCH_STRATEGIC, PATCH_JSON };

static int patch_form(struct api_request *r, enum patch_form *ret)
{
    const char *type = httpd_request_header(r->exchange, "content-type");
    if (type && str_has_prefix(type, "application/merge-patch+json"))
        *ret = PATCH_MERGE;
    else if (type && str_has_prefix(type, "application/json-patch+json"))
        *ret = PATCH_JSON;
    else if (type && str_has_prefix(type, "application/strategic-merge-patch+json") && !r->resource->custom)
        *ret = PATCH_STRATEGIC;
    else
        return api_fail(r, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, "
            "application/merge-patch+json%s%s",
            r->resource->custom ? "" : ", application/strategic-merge-patch+json",
            type && strstr(type, "apply-patch") ? " (this server does not do server-side apply)" : "");
    return 0;
}

static int apply(struct api_request *r, enum patch_form form, cJSON **object, const cJSON *patch)
{
    struct err err = ERR_INIT;
    if (form == PATCH_JSON) {
        if (patch_json(object, patch, &err) < 0)
            return api_fail(r, 422, "Invalid", "the server rejected our request due to an error in our request");
        return 0;
    }
    if (!cJSON_IsObject(patch))
        return api_fail(r, 400, "BadRequest", "a merge patch is an object");
    patch_merge(*object, patch, form == PATCH_STRATEGIC);
    return 0;
}

void api_patch(struct api_request *r)
{
    enum patch_form form = PATCH_MERGE;
    _cleanup_(json_freep) cJSON *old = NULL;
    if (patch_form(r, &form) < 0)
        return;
    _cleanup_(json_freep) cJSON *patch = api_body(r);
    if (!patch || !(old = stored_tree(r)))
        return;
    _cleanup_(freep) char *key = api_key(r);
    _cleanup_(freep) char *text = api_presented(r->resource, store_get(r->api->store, r->resource->collection, key));
    const struct store_value shown = {.text = text, .len = text ? strlen(text) : 0};
    _cleanup_(json_freep) cJSON *object = text ? api_parse(&shown) : cJSON_Duplicate(old, true);
    if (apply(r, form, &object, patch) < 0 || api_identify(r, object) < 0)
        return;
    replace(r, object, old, true);
}
