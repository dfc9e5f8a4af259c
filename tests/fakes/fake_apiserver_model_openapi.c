/* The OpenAPI documents, version 2 and 3, as far as kubectl reads them: explain wants the schemas of the kinds; apply
 * and create look for query parameters of PATCH: with fieldValidation among them the validation is left to the server.
 *
 * Version 2 exists as a protocol buffer only because kubectl accepts nothing else. The numbers in put_* calls are the
 * field numbers of openapiv2/OpenAPIv2.proto of github.com/google/gnostic-models. */
#include "fakes/fake_apiserver_model_registry.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENT_MAX (8u << 20)

/* ---- JSON, version 3 ---- */

static bool first_of_version(const struct registry *registry, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (str_eq(registry->list[i]->api_version, registry->list[index]->api_version))
            return false;
    return true;
}

cJSON *openapi_v3_index(const struct registry *registry)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON *paths = json_add_object(tree, "paths");
    for (size_t i = 0; i < registry->n; i++) {
        const struct resource *r = registry->list[i];
        if (!first_of_version(registry, i))
            continue;
        _cleanup_(freep) char *path = xasprintf("%s/%s", *r->group ? "apis" : "api", r->api_version);
        _cleanup_(freep) char *url = xasprintf("/openapi/v3/%s", path);
        json_add_string(json_add_object(paths, path), "serverRelativeURL", url);
    }
    return tree;
}

static cJSON *kind_of(const struct resource *r)
{
    cJSON *gvk = cJSON_CreateObject();
    json_add_string(gvk, "group", r->group);
    json_add_string(gvk, "kind", r->kind);
    json_add_string(gvk, "version", r->version);
    return gvk;
}

/* "io.cosmoscmk.v1.CosmosCMK"; only has to be unique. */
static char *schema_name(const struct resource *r)
{
    return xasprintf("%s%s%s.%s", r->group, *r->group ? "." : "", r->version, r->kind);
}

static char *item_path(const struct resource *r)
{
    return xasprintf("/%s/%s%s/%s/{name}", *r->group ? "apis" : "api", r->api_version,
        r->namespaced ? "/namespaces/{namespace}" : "", r->plural);
}

/* The schema with what the API server adds to every object. The caller frees it. */
static cJSON *full_schema(const struct resource *r)
{
    static const char metadata[] =
        "Standard object's metadata. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
    cJSON *schema = r->schema ? cJSON_Duplicate(r->schema, true) : cJSON_CreateObject();
    if (!r->schema)
        cJSON_AddTrueToObject(schema, "x-kubernetes-preserve-unknown-fields");
    if (!json_member(schema, "type"))
        json_add_string(schema, "type", "object");
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties");
    if (!properties)
        properties = json_add_object(schema, "properties");
    const struct {
        const char *name, *type, *description;
    } common[] = {
        {"apiVersion", "string", "APIVersion defines the versioned schema of this representation of an object."},
        {"kind", "string", "Kind is a string value representing the REST resource this object represents."},
        {"metadata", "object", metadata},
    };
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        cJSON *property = cJSON_GetObjectItemCaseSensitive(properties, common[i].name);
        if (!property)
            property = json_add_object(properties, common[i].name);
        if (!json_member(property, "type"))
            json_add_string(property, "type", common[i].type);
        if (!json_member(property, "description"))
            json_add_string(property, "description", common[i].description);
    }
    cJSON *kinds = json_add_array(schema, "x-kubernetes-group-version-kind");
    cJSON_AddItemToArray(kinds, kind_of(r));
    return schema;
}

static const char *const patch_parameters[] = {"dryRun", "fieldManager", "fieldValidation"};

static void add_operations(cJSON *paths, const struct resource *r)
{
    _cleanup_(freep) char *path = item_path(r);
    cJSON *item = json_add_object(paths, path);
    cJSON *get = json_add_object(item, "get"), *patch = json_add_object(item, "patch");
    cJSON_AddItemToObject(get, "x-kubernetes-group-version-kind", kind_of(r));
    cJSON_AddItemToObject(patch, "x-kubernetes-group-version-kind", kind_of(r));
    cJSON *parameters = json_add_array(patch, "parameters");
    for (size_t i = 0; i < ARRAY_LEN(patch_parameters); i++) {
        cJSON *parameter = cJSON_CreateObject();
        json_add_string(parameter, "name", patch_parameters[i]);
        json_add_string(parameter, "in", "query");
        json_add_string(json_add_object(parameter, "schema"), "type", "string");
        cJSON_AddItemToArray(parameters, parameter);
    }
    json_add_string(json_add_object(json_add_object(get, "responses"), "200"), "description", "OK");
    json_add_string(json_add_object(json_add_object(patch, "responses"), "200"), "description", "OK");
}

cJSON *openapi_v3(const struct registry *registry, const char *group, const char *version)
{
    cJSON *tree = NULL, *paths = NULL, *schemas = NULL;
    for (size_t i = 0; i < registry->n; i++) {
        const struct resource *r = registry->list[i];
        if (!str_eq(r->group, group) || !str_eq(r->version, version))
            continue;
        if (!tree) {
            tree = cJSON_CreateObject();
            json_add_string(tree, "openapi", "3.0.0");
            cJSON *info = json_add_object(tree, "info");
            json_add_string(info, "title", "Kubernetes");
            json_add_string(info, "version", "v1.32.0");
            paths = json_add_object(tree, "paths");
            schemas = json_add_object(json_add_object(tree, "components"), "schemas");
        }
        add_operations(paths, r);
        _cleanup_(freep) char *name = schema_name(r);
        cJSON_AddItemToObject(schemas, name, full_schema(r));
    }
    return tree;
}

cJSON *openapi_v2(const struct registry *registry)
{
    cJSON *tree = cJSON_CreateObject();
    json_add_string(tree, "swagger", "2.0");
    cJSON *info = json_add_object(tree, "info");
    json_add_string(info, "title", "Kubernetes");
    json_add_string(info, "version", "v1.32.0");
    json_add_object(tree, "paths");
    cJSON *definitions = json_add_object(tree, "definitions");
    for (size_t i = 0; i < registry->n; i++) {
        _cleanup_(freep) char *name = schema_name(registry->list[i]);
        cJSON_AddItemToObject(definitions, name, full_schema(registry->list[i]));
    }
    return tree;
}

/* ---- The protocol buffer, version 2 ---- */

static void put_varint(struct buf *b, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_putc(b, (char)(n & 0x7f) | (char)0x80);
    buf_putc(b, (char)n);
}

static void put_bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, len);
    buf_add(b, data, len);
}

static void put_text(struct buf *b, unsigned field, const char *text)
{
    if (text)
        put_bytes(b, field, text, strlen(text));
}

/* Ends the message that was built in part by putting it into b. */
static void put_message(struct buf *b, unsigned field, struct buf *part)
{
    put_bytes(b, field, buf_str(part), part->len);
    buf_done(part);
}

static void put_extension(struct buf *b, unsigned field, const char *name, const cJSON *value)
{
    struct buf named = BUF_INIT(DOCUMENT_MAX), any = BUF_INIT(DOCUMENT_MAX);
    _cleanup_(freep) char *text = json_print(value);
    put_text(&any, 2, text); /* JSON is YAML */
    put_text(&named, 1, name);
    put_message(&named, 2, &any);
    put_message(b, field, &named);
}

static void put_schema(struct buf *b, const cJSON *schema);

static void put_properties(struct buf *b, unsigned field, const cJSON *properties)
{
    struct buf all = BUF_INIT(DOCUMENT_MAX);
    const cJSON *property;
    cJSON_ArrayForEach (property, properties) {
        struct buf named = BUF_INIT(DOCUMENT_MAX), value = BUF_INIT(DOCUMENT_MAX);
        put_text(&named, 1, property->string);
        put_schema(&value, property);
        put_message(&named, 2, &value);
        put_message(&all, 1, &named);
    }
    put_message(b, field, &all);
}

static void put_schema(struct buf *b, const cJSON *schema)
{
    const cJSON *properties = json_member(schema, "properties"), *items = json_member(schema, "items");
    const cJSON *others = json_member(schema, "additionalProperties"),
                *kinds = json_member(schema, "x-kubernetes-group-version-kind");
    const cJSON *name;
    put_text(b, 2, json_string_at(schema, "format"));
    put_text(b, 4, json_string_at(schema, "description"));
    cJSON_ArrayForEach (name, json_member(schema, "required"))
        put_text(b, 19, name->valuestring);
    struct buf part = BUF_INIT(DOCUMENT_MAX);
    if (cJSON_IsObject(others)) {
        struct buf value = BUF_INIT(DOCUMENT_MAX);
        put_schema(&value, others);
        put_message(&part, 1, &value);
        put_message(b, 21, &part);
    }
    if (json_string_at(schema, "type")) {
        put_text(&part, 1, json_string_at(schema, "type"));
        put_message(b, 22, &part);
    }
    if (items) {
        struct buf value = BUF_INIT(DOCUMENT_MAX);
        put_schema(&value, items);
        put_message(&part, 1, &value);
        put_message(b, 23, &part);
    }
    /* An object of any shape, in the words of kubectl's reader, has no properties at all. */
    if (properties && !json_bool_at(schema, "x-kubernetes-preserve-unknown-fields", false))
        put_properties(b, 25, properties);
    if (kinds)
        put_extension(b, 31, "x-kubernetes-group-version-kind", kinds);
}

static void put_parameter(struct buf *operation, const char *name)
{
    struct buf query = BUF_INIT(DOCUMENT_MAX), inner = BUF_INIT(DOCUMENT_MAX);
    put_text(&query, 2, "query");
    put_text(&query, 4, name);
    put_text(&query, 6, "string");
    put_message(&inner, 3, &query); /* NonBodyParameter.query_parameter_sub_schema */
    put_message(&query, 2, &inner); /* Parameter.non_body_parameter */
    put_message(&inner, 1, &query); /* ParametersItem.parameter */
    put_message(operation, 8, &inner);
}

/* PATCH of one resource, with the query parameters that kubectl looks for. */
static void put_path(struct buf *paths, const struct resource *r)
{
    struct buf operation = BUF_INIT(DOCUMENT_MAX), item = BUF_INIT(DOCUMENT_MAX), named = BUF_INIT(DOCUMENT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(patch_parameters); i++)
        put_parameter(&operation, patch_parameters[i]);
    cJSON *gvk = kind_of(r);
    put_extension(&operation, 13, "x-kubernetes-group-version-kind", gvk);
    json_free(gvk);
    put_message(&item, 8, &operation);
    _cleanup_(freep) char *path = item_path(r);
    put_text(&named, 1, path);
    put_message(&named, 2, &item);
    put_message(paths, 2, &named);
}

void openapi_v2_protobuf(const struct registry *registry, struct buf *ret)
{
    struct buf info = BUF_INIT(DOCUMENT_MAX), paths = BUF_INIT(DOCUMENT_MAX);
    cJSON *schemas = cJSON_CreateObject();
    put_text(ret, 1, "2.0");
    put_text(&info, 1, "Kubernetes");
    put_text(&info, 2, "v1.32.0");
    put_message(ret, 2, &info);
    for (size_t i = 0; i < registry->n; i++) {
        _cleanup_(freep) char *name = schema_name(registry->list[i]);
        cJSON_AddItemToObject(schemas, name, full_schema(registry->list[i]));
        put_path(&paths, registry->list[i]);
    }
    put_message(ret, 8, &paths);
    put_properties(ret, 9, schemas);
    json_free(schemas);
}
