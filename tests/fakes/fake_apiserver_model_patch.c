/* Patches and event conversion. See fake_apiserver_model_patch.h. */
#include "fakes/fake_apiserver_model_patch.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

void insert_child(cJSON *parent, int index, cJSON *item)
{
    cJSON *before = cJSON_GetArrayItem(parent, index);
    if (!before) {
        cJSON_AddItemToArray(parent, item);
        return;
    }
    item->next = before;
    item->prev = before->prev; /* of the first child: the last one */
    before->prev = item;
    if (before == parent->child)
        parent->child = item;
    else
        item->prev->next = item;
}

void patch_merge(cJSON *target, const cJSON *patch, bool strategic)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, patch) {
        if (strategic && member->string[0] == '$')
            continue;
        cJSON *old = cJSON_GetObjectItemCaseSensitive(target, member->string);
        if (cJSON_IsNull(member)) {
            cJSON_DeleteItemFromObjectCaseSensitive(target, member->string);
        } else if (cJSON_IsObject(member)) {
            if (!cJSON_IsObject(old)) {
                cJSON_DeleteItemFromObjectCaseSensitive(target, member->string);
                old = json_add_object(target, member->string);
            }
            patch_merge(old, member, strategic);
        } else {
            cJSON_DeleteItemFromObjectCaseSensitive(target, member->string);
            cJSON_AddItemToObject(target, member->string, cJSON_Duplicate(member, true));
        }
    }
}

/* The segment at path (behind its '/'), with ~1 and ~0 undone. The caller frees it. */
static char *pointer_segment(const char *path, size_t len)
{
    struct buf b = BUF_INIT(len);
    for (size_t i = 0; i < len; i++) {
        bool escaped = path[i] == '~' && i + 1 < len;
        buf_putc(&b, escaped ? (path[++i] == '1' ? '/' : '~') : path[i]);
    }
    return buf_take(&b);
}

static cJSON *child_of(cJSON *parent, const char *name)
{
    int64_t index;
    if (cJSON_IsArray(parent))
        return str_to_i64(name, 0, INT32_MAX, &index) ? cJSON_GetArrayItem(parent, (int)index) : NULL;
    return cJSON_GetObjectItemCaseSensitive(parent, name);
}

/* The parent of what path points to; *ret_name is the last segment, the caller's. */
static cJSON *pointer_parent(cJSON *target, const char *path, char **ret_name)
{
    cJSON *node = target;
    for (path++;; path += strcspn(path, "/") + 1) {
        size_t len = strcspn(path, "/");
        char *name = pointer_segment(path, len);
        if (!path[len]) {
            *ret_name = name;
            return node;
        }
        node = child_of(node, name);
        free(name);
        if (!node)
            return NULL;
    }
}

static bool put(cJSON *parent, const char *name, const cJSON *value)
{
    int64_t index;
    cJSON *copy = cJSON_Duplicate(value, true);
    if (cJSON_IsObject(parent)) {
        cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
        return cJSON_AddItemToObject(parent, name, copy);
    }
    if (cJSON_IsArray(parent) && str_eq(name, "-"))
        return cJSON_AddItemToArray(parent, copy);
    if (cJSON_IsArray(parent) && str_to_i64(name, 0, cJSON_GetArraySize(parent), &index))
        return insert_child(parent, (int)index, copy), true;
    cJSON_Delete(copy);
    return false;
}

static int apply_operation(cJSON *target, const char *op, const char *path, const cJSON *value, struct err *err)
{
    _cleanup_(freep) char *name = NULL;
    cJSON *parent = pointer_parent(target, path, &name);
    cJSON *old = parent ? child_of(parent, name) : NULL;
    bool add = str_eq(op, "add"), replace = str_eq(op, "replace"), test = str_eq(op, "test"),
         removal = str_eq(op, "remove");
    if (!add && !replace && !test && !removal)
        return err_set(err, ERR_INVALID, "the operation \"%s\" is not supported here", op);
    if (!removal && !value)
        return err_set(err, ERR_INVALID, "the operation \"%s\" at %s has no value", op, path);
    if (test && !(old && cJSON_Compare(old, value, true)))
        return err_set(err, ERR_INVALID, "testing value %s failed", path);
    if (!parent || (!old && (replace || removal)))
        return err_set(
            err, ERR_INVALID, "%s operation does not apply: doc is missing path: %s: missing value", op, path);
    if (replace && cJSON_IsArray(parent)) {
        (void)cJSON_ReplaceItemViaPointer(parent, old, cJSON_Duplicate(value, true));
        return 0;
    }
    if (removal)
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, old));
    else if (!test && !put(parent, name, value))
        return err_set(err, ERR_INVALID, "add operation does not apply: doc is missing path: %s: missing value", path);
    return 0;
}

int patch_json(cJSON **target, const cJSON *operations, struct err *err)
{
    const cJSON *operation;
    if (!cJSON_IsArray(operations))
        return err_set(err, ERR_INVALID, "a JSON patch is an array of operations");
    cJSON_ArrayForEach (operation, operations) {
        const char *op = json_string_at(operation, "op"), *path = json_string_at(operation, "path");
        if (!op || !path || path[0] != '/')
            return err_set(err, ERR_INVALID, "an operation needs \"op\" and a \"path\" that begins with a slash");
        if (apply_operation(*target, op, path, json_member(operation, "value"), err) < 0)
            return -1;
    }
    return 0;
}

/* ---- Events ---- */

static const struct {
    const char *core, *events;
} event_names[] = {
    {"message", "note"},
    {"involvedObject", "regarding"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};

static void rename_member(cJSON *object, const char *from, const char *to)
{
    cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(object, from);
    if (value)
        cJSON_AddItemToObject(object, to, value);
}

static void set_version(cJSON *event, const char *version)
{
    cJSON_DeleteItemFromObjectCaseSensitive(event, "apiVersion");
    json_add_string(event, "apiVersion", version);
}

void event_from_core(cJSON *event)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_member(event, event_names[i].core, event_names[i].events);
    set_version(event, "events.k8s.io/v1");
}

void event_to_core(cJSON *event)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_member(event, event_names[i].events, event_names[i].core);
    set_version(event, "v1");
}
