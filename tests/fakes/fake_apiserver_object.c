/* From what a client sent to what is stored: the identity of the object, the fields that are the server's, the schema.
 */
#include "fakes/fake_apiserver.h"
#include "fakes/fake_apiserver_model_patch.h"
#include "fakes/fake_apiserver_model_proto.h"
#include "fakes/fake_apiserver_model_schema.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

static cJSON *member(cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

void api_set_string(cJSON *object, const char *name, const char *value)
{
    cJSON *old = member(object, name);
    if (cJSON_IsString(old) && str_eq(old->valuestring, value))
        return;
    if (old)
        cJSON_ReplaceItemInObjectCaseSensitive(object, name, cJSON_CreateString(value));
    else
        json_add_string(object, name, value);
}

cJSON *api_body(struct api_request *r)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    const char *type = httpd_request_header(r->exchange, "content-type");
    if (type && str_has_prefix(type, "application/vnd.kubernetes.protobuf") && !r->resource->custom) {
        if (proto_decode(&tree, r->http->body, r->http->body_len, &err) < 0)
            (void)api_fail(r, 415, "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json "
                "(%s)",
                err.msg);
        return tree;
    }
    if (type && !strstr(type, "json") && strspn(type, "*/") == 0) {
        (void)api_fail(r, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json");
        return NULL;
    }
    if (json_parse(&tree, r->http->body, r->http->body_len, &err) < 0)
        (void)api_fail(r, 400, "BadRequest",
            "the object provided is unrecognized (must be of type %s): couldn't get version/kind; json parse error: %s",
            r->resource->kind, err.msg);
    else if (!cJSON_IsObject(tree) && !cJSON_IsArray(tree))
        (void)api_fail(
            r, 400, "BadRequest", "the object provided is unrecognized: it is neither an object nor an array");
    else
        return tree;
    return json_free(tree);
}

/* ---- Identity ---- */

static int refuse_kind(struct api_request *r, const char *kind, const char *name)
{
    cJSON *causes = cJSON_CreateArray();
    _cleanup_(freep) char *message = xasprintf("Invalid value: \"%s\": must be %s", kind, r->resource->kind);
    schema_cause(causes, "kind", "FieldValueInvalid", message);
    return api_fail_invalid(r, name ? name : "", causes);
}

static int check_type(struct api_request *r, cJSON *object)
{
    const char *version = json_string_at(object, "apiVersion"), *kind = json_string_at(object, "kind");
    const struct resource *resource = r->resource;
    if (!cJSON_IsObject(object))
        return api_fail(r, 400, "BadRequest", "the object provided is no JSON object");
    if (resource->custom && (!version || !kind))
        return api_fail(r, 400, "BadRequest",
            "the object provided is unrecognized (must be of type %s): Object '%s' is missing in '%.200s' (%.200s)",
            resource->kind, kind ? "apiVersion" : "Kind", r->http->body, r->http->body);
    if (version && !str_eq(version, resource->api_version))
        return api_fail(r, 400, "BadRequest",
            "the API version in the data (%s) does not match the expected API version (%s)", version,
            resource->api_version);
    if (kind && !str_eq(kind, resource->kind))
        return refuse_kind(r, kind, json_string_at(object, "metadata.name"));
    api_set_string(object, "apiVersion", resource->api_version);
    api_set_string(object, "kind", resource->kind);
    return 0;
}

/* RFC 1123 subdomain: labels of lower-case letters, digits and inner hyphens, separated by dots. */
static bool name_valid(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool alnum = ascii_isdigit(c) || (c >= 'a' && c <= 'z');
        bool edge = i == 0 || i + 1 == len || name[i - 1] == '.' || name[i + 1] == '.';
        if (!alnum && (edge || (c != '-' && c != '.')))
            return false;
    }
    return len > 0 && len <= 253;
}

static int refuse_name(struct api_request *r, const char *name, const char *reason, const char *message)
{
    cJSON *causes = cJSON_CreateArray();
    schema_cause(causes, "metadata.name", reason, message);
    return api_fail_invalid(r, name, causes);
}

static int check_name(struct api_request *r, cJSON *metadata)
{
    const char *name = json_string_at(metadata, "name"), *base = json_string_at(metadata, "generateName");
    if (str_empty(name) && !str_empty(base)) {
        static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
        char suffix[6] = "";
        for (int i = 0; i < 5; i++)
            suffix[i] = letters[random_below(sizeof(letters) - 1)];
        _cleanup_(freep) char *made = xasprintf("%.240s%s", base, suffix);
        api_set_string(metadata, "name", made);
        name = json_string_at(metadata, "name");
    }
    if (str_empty(name))
        return refuse_name(r, "", "FieldValueRequired", "Required value: name or generateName is required");
    if (r->name[0] && !str_eq(name, r->name))
        return api_fail(
            r, 400, "BadRequest", "the name of the object (%s) does not match the name on the URL (%s)", name, r->name);
    if (!name_valid(name)) {
        _cleanup_(freep) char *message = xasprintf(
            "Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            name);
        return refuse_name(r, name, "FieldValueInvalid", message);
    }
    (void)str_copy(r->name, sizeof(r->name), name);
    return 0;
}

int api_identify(struct api_request *r, cJSON *object)
{
    if (check_type(r, object) < 0)
        return -1;
    cJSON *metadata = member(object, "metadata");
    if (metadata && !cJSON_IsObject(metadata))
        return api_fail(r, 400, "BadRequest", "metadata is no object");
    if (!metadata)
        metadata = json_add_object(object, "metadata");
    const char *ns = json_string_at(metadata, "namespace");
    if (!r->resource->namespaced)
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, "namespace");
    else if (!str_empty(ns) && !str_eq(ns, r->ns))
        return api_fail(r, 400, "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request");
    else
        api_set_string(metadata, "namespace", r->ns);
    if (check_name(r, metadata) < 0)
        return -1;
    if (str_eq(r->resource->collection, EVENT_COLLECTION) && str_empty(r->resource->group))
        event_from_core(object);
    return 0;
}

/* ---- Fields of the server ---- */

/* What is in from, also when it is nothing. */
static void take_member(cJSON *object, const cJSON *from, const char *name)
{
    const cJSON *value = json_member(from, name);
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    if (value)
        cJSON_AddItemToObject(object, name, cJSON_Duplicate(value, true));
}

static bool counts_generation(const struct resource *resource)
{
    return resource->custom || str_eq(resource->collection, CRD_COLLECTION);
}

/* Everything but metadata, and status where that is a subresource, is the same. */
static bool same_desire(const struct resource *resource, const cJSON *a, const cJSON *b)
{
    cJSON *x = cJSON_Duplicate(a, true), *y = cJSON_Duplicate(b, true);
    const char *const ignored[] = {"metadata", resource->has_status ? "status" : "metadata"};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(x, ignored[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(y, ignored[i]);
    }
    bool same = cJSON_Compare(x, y, true);
    json_free(x);
    json_free(y);
    return same;
}

static void keep_all_but_status(cJSON *object, const cJSON *old)
{
    cJSON *status = cJSON_DetachItemFromObjectCaseSensitive(object, "status");
    while (object->child)
        cJSON_Delete(cJSON_DetachItemViaPointer(object, object->child));
    const cJSON *child;
    cJSON_ArrayForEach (child, old)
        if (!str_eq(child->string, "status"))
            cJSON_AddItemToObject(object, child->string, cJSON_Duplicate(child, true));
    if (status)
        cJSON_AddItemToObject(object, "status", status);
}

void api_keep_server_fields(const struct api_request *r, cJSON *object, const cJSON *old)
{
    static const char *const kept[] = {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "generation", "selfLink", "resourceVersion"};
    if (str_eq(r->subresource, "status")) {
        keep_all_but_status(object, old);
        return;
    }
    cJSON *metadata = member(object, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        take_member(metadata, json_member(old, "metadata"), kept[i]);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "managedFields");
    if (r->resource->has_status)
        take_member(object, old, "status");
}

/* ---- Schema ---- */

/* May stand in a header, between quotes. */
static bool header_safe(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || (unsigned char)*s > '~' || *s == '"' || *s == '\\')
            return false;
    return true;
}

static int tell_unknown(struct api_request *r, const cJSON *unknown)
{
    char mode[4096];
    struct buf all = BUF_INIT(65536);
    const cJSON *path;
    api_param(r, "fieldValidation", mode);
    cJSON_ArrayForEach (path, unknown)
        buf_printf(&all, "%sunknown field \"%s\"", all.len ? ", " : "", path->valuestring);
    int result = 0;
    if (all.len && str_eq(mode, "Strict"))
        result =
            api_fail(r, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
                r->resource->kind, r->resource->version, r->resource->kind, buf_str(&all));
    else if (all.len && !str_eq(mode, "Ignore") && header_safe(cJSON_GetArrayItem(unknown, 0)->valuestring))
        fake_reply_header(
            r->reply, "warning", "299 - \"unknown field \\\"%s\\\"\"", cJSON_GetArrayItem(unknown, 0)->valuestring);
    buf_done(&all);
    return result;
}

/* Takes the causes. A value that a typed object cannot hold is refused before any validation. */
static int refuse_causes(struct api_request *r, cJSON *causes)
{
    const cJSON *cause;
    cJSON_ArrayForEach (cause, causes) {
        if (!str_eq(json_string_at(cause, "reason"), SCHEMA_UNREADABLE))
            continue;
        (void)api_fail(r, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s", r->resource->kind,
            r->resource->version, r->resource->kind, json_string_at(cause, "message"));
        json_free(causes);
        return -1;
    }
    return api_fail_invalid(r, r->name, causes);
}

/* Presenting an object is a copy of its text when it begins with the version that is asked for. */
static void put_version_first(cJSON *object)
{
    cJSON *version = cJSON_DetachItemFromObjectCaseSensitive(object, "apiVersion");
    insert_child(object, 0, version);
}

static int admit_schema(struct api_request *r, cJSON *object)
{
    const cJSON *schema = r->resource->schema;
    _cleanup_(json_freep) cJSON *unknown = cJSON_CreateArray();
    _cleanup_(json_freep) cJSON *causes = cJSON_CreateArray();
    schema_prune(schema, object, unknown);
    if (tell_unknown(r, unknown) < 0)
        return -1;
    schema_default(schema, object);
    schema_validate(schema, object, causes);
    return cJSON_GetArraySize(causes) > 0 ? refuse_causes(r, TAKE_PTR(causes)) : 0;
}

static void set_generation(struct api_request *r, cJSON *object)
{
    _cleanup_(freep) char *key = api_key(r);
    const struct store_value *value = store_get(r->api->store, r->resource->collection, key);
    _cleanup_(json_freep) cJSON *old = value ? api_parse(value) : NULL;
    cJSON *metadata = member(object, "metadata");
    int64_t generation = 0;
    (void)json_int(json_at(old, "metadata.generation"), false, &generation);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "generation");
    json_add_int(metadata, "generation", old && same_desire(r->resource, object, old) ? generation : generation + 1);
}

/* The schema of stored events is the one of events.k8s.io; core events are not checked, as by a real server. */
int api_admit(struct api_request *r, cJSON *object)
{
    if (r->resource->schema && admit_schema(r, object) < 0)
        return -1;
    if (counts_generation(r->resource))
        set_generation(r, object);
    put_version_first(object);
    return 0;
}
