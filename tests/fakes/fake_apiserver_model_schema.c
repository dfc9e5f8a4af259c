/* Defaults and pruning by a structural schema. See fake_apiserver_model_schema.h; validation is in
 * fake_apiserver_model_validate.c. */
#include "fakes/fake_apiserver_model_schema.h"
#include "fakes/fake_apiserver_model_patch.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

static void default_members(const cJSON *properties, cJSON *object)
{
    const cJSON *property;
    cJSON_ArrayForEach (property, properties) {
        const cJSON *fallback = json_member(property, "default");
        const cJSON *present = json_member(object, property->string);
        if (present && (!cJSON_IsNull(present) || json_bool_at(property, "nullable", false)))
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(object, property->string);
        if (fallback)
            cJSON_AddItemToObject(object, property->string, cJSON_Duplicate(fallback, true));
    }
}

void schema_default(const cJSON *schema, cJSON *value)
{
    const cJSON *properties = json_member(schema, "properties");
    const cJSON *others = json_member(schema, "additionalProperties");
    const cJSON *items = json_member(schema, "items");
    cJSON *child;
    if (cJSON_IsArray(value) && items)
        cJSON_ArrayForEach (child, value)
            schema_default(items, child);
    if (!cJSON_IsObject(value))
        return;
    default_members(properties, value);
    cJSON_ArrayForEach (child, value) {
        const cJSON *property = json_member(properties, child->string);
        if (property || cJSON_IsObject(others))
            schema_default(property ? property : others, child);
    }
}

struct pruning {
    cJSON *unknown;
    struct buf path;
};

static void prune(struct pruning *p, const cJSON *schema, cJSON *value, bool root);

static void add_sorted(cJSON *texts, const char *text)
{
    int i = 0;
    const cJSON *other;
    cJSON_ArrayForEach (other, texts) {
        if (strcmp(other->valuestring, text) > 0)
            break;
        i++;
    }
    insert_child(texts, i, cJSON_CreateString(text));
}

static void prune_members(struct pruning *p, const cJSON *schema, cJSON *object, bool root)
{
    const cJSON *properties = json_member(schema, "properties");
    const cJSON *others = json_member(schema, "additionalProperties");
    bool keep = json_bool_at(schema, "x-kubernetes-preserve-unknown-fields", false) || cJSON_IsTrue(others) ||
                json_bool_at(schema, "x-kubernetes-embedded-resource", false);
    cJSON *next;
    for (cJSON *child = object->child; child; child = next) {
        next = child->next;
        if (root &&
            (str_eq(child->string, "apiVersion") || str_eq(child->string, "kind") || str_eq(child->string, "metadata")))
            continue;
        size_t len = p->path.len;
        buf_printf(&p->path, "%s%s", len ? "." : "", child->string);
        const cJSON *property = json_member(properties, child->string);
        if (property || cJSON_IsObject(others))
            prune(p, property ? property : others, child, false);
        else if (!keep) {
            add_sorted(p->unknown, buf_str(&p->path));
            cJSON_Delete(cJSON_DetachItemViaPointer(object, child));
        }
        p->path.len = len;
        if (p->path.data)
            p->path.data[len] = '\0';
    }
}

static void prune(struct pruning *p, const cJSON *schema, cJSON *value, bool root)
{
    const cJSON *items = json_member(schema, "items");
    if (cJSON_IsObject(value)) {
        prune_members(p, schema, value, root);
    } else if (cJSON_IsArray(value) && items) {
        size_t len = p->path.len;
        int i = 0;
        cJSON *child;
        cJSON_ArrayForEach (child, value) {
            buf_printf(&p->path, "[%d]", i++);
            prune(p, items, child, false);
            p->path.len = len;
        }
    }
}

void schema_prune(const cJSON *schema, cJSON *object, cJSON *unknown)
{
    struct pruning p = {.unknown = unknown, .path = BUF_INIT(16384)};
    prune(&p, schema, object, true);
    buf_done(&p.path);
}

void schema_cause(cJSON *causes, const char *field, const char *reason, const char *message)
{
    cJSON *cause = cJSON_CreateObject();
    json_add_string(cause, "reason", reason);
    json_add_string(cause, "message", message);
    json_add_string(cause, "field", field);
    cJSON_AddItemToArray(causes, cause);
}
