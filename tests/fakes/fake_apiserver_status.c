/* API errors, as the Status objects and in the words of a real API server. */
#include "fakes/fake_apiserver.h"
#include "fakes/fake_apiserver_model_schema.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

cJSON *api_status_new(const char *status, int code, const char *reason, const char *message)
{
    cJSON *tree = cJSON_CreateObject();
    json_add_string(tree, "kind", "Status");
    json_add_string(tree, "apiVersion", "v1");
    json_add_object(tree, "metadata");
    json_add_string(tree, "status", status);
    json_add_string(tree, "message", message);
    json_add_string(tree, "reason", reason);
    if (code)
        json_add_int(tree, "code", code);
    return tree;
}

/* Takes details, which may be NULL. */
static int fail(struct api_request *r, int code, const char *reason, cJSON *details, const char *message)
{
    _cleanup_(json_freep) cJSON *tree = api_status_new("Failure", code, reason, message);
    if (details)
        cJSON_AddItemToObject(tree, "details", details);
    fake_reply_json(r->reply, code, tree);
    return -1;
}

int api_fail(struct api_request *r, int code, const char *reason, const char *format, ...)
{
    struct buf message = BUF_INIT(65536);
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    (void)fail(r, code, reason, NULL, buf_str(&message));
    buf_done(&message);
    return -1;
}

char *api_qualified(const char *collection)
{
    const char *slash = strchr(collection, '/');
    if (slash == collection)
        return xstrdup(slash + 1);
    return xasprintf("%s.%.*s", slash + 1, (int)(slash - collection), collection);
}

static cJSON *details_of(const char *collection, const char *name, const char *kind)
{
    const char *slash = strchr(collection, '/');
    _cleanup_(freep) char *group = xstrndup(collection, (size_t)(slash - collection));
    cJSON *details = cJSON_CreateObject();
    json_add_string(details, "name", str_empty(name) ? NULL : name);
    if (*group)
        json_add_string(details, "group", group);
    json_add_string(details, "kind", kind ? kind : slash + 1);
    return details;
}

int api_fail_not_found(struct api_request *r, const char *collection, const char *name)
{
    _cleanup_(freep) char *qualified = api_qualified(collection);
    _cleanup_(freep) char *message = xasprintf("%s \"%s\" not found", qualified, name);
    return fail(r, 404, "NotFound", details_of(collection, name, NULL), message);
}

int api_fail_exists(struct api_request *r, const char *name)
{
    _cleanup_(freep) char *qualified = api_qualified(r->resource->collection);
    _cleanup_(freep) char *message = xasprintf("%s \"%s\" already exists", qualified, name);
    return fail(r, 409, "AlreadyExists", details_of(r->resource->collection, name, NULL), message);
}

int api_fail_conflict(struct api_request *r, const char *name, const char *message)
{
    _cleanup_(freep) char *qualified = api_qualified(r->resource->collection);
    _cleanup_(freep) char *text = xasprintf("Operation cannot be fulfilled on %s \"%s\": %s", qualified, name, message);
    return fail(r, 409, "Conflict", details_of(r->resource->collection, name, NULL), text);
}

int api_fail_invalid(struct api_request *r, const char *name, cJSON *causes)
{
    struct buf all = BUF_INIT(262144);
    const cJSON *cause;
    bool many = cJSON_GetArraySize(causes) > 1;
    cJSON_ArrayForEach (cause, causes) {
        const char *field = json_string_at(cause, "field");
        buf_printf(&all, "%s%s%s%s", all.len ? ", " : "", str_empty(field) ? "" : field, str_empty(field) ? "" : ": ",
            json_string_at(cause, "message"));
    }
    _cleanup_(freep) char *message = xasprintf("%s%s%s \"%s\" is invalid: %s%s%s", r->resource->kind,
        *r->resource->group ? "." : "", r->resource->group, name, many ? "[" : "", buf_str(&all), many ? "]" : "");
    buf_done(&all);
    cJSON *details = details_of(r->resource->collection, name, r->resource->kind);
    cJSON_AddItemToObject(details, "causes", causes);
    return fail(r, 422, "Invalid", details, message);
}

int api_fail_no_version(struct api_request *r)
{
    static const char rule[] = "Invalid value: 0: must be specified for an update";
    _cleanup_(freep) char *qualified = api_qualified(r->resource->collection);
    _cleanup_(freep) char *message =
        xasprintf("%s \"%s\" is invalid: metadata.resourceVersion: %s", qualified, r->name, rule);
    cJSON *details = details_of(r->resource->collection, r->name, NULL), *causes = json_add_array(details, "causes");
    schema_cause(causes, "metadata.resourceVersion", "FieldValueInvalid", rule);
    return fail(r, 422, "Invalid", details, message);
}

int api_fail_precondition(struct api_request *r, const char *message)
{
    const struct resource *resource = r->resource;
    _cleanup_(freep) char *text = xasprintf("Operation cannot be fulfilled on %s%s%s \"%s\": %s", resource->kind,
        *resource->group ? "." : "", resource->group, r->name, message);
    return fail(r, 409, "Conflict", details_of(resource->collection, r->name, resource->kind), text);
}

int api_fail_page(struct api_request *r)
{
    r->reply->status = 404;
    fake_reply_header(r->reply, "content-type", "text/plain; charset=utf-8");
    buf_clear(&r->reply->body);
    buf_puts(&r->reply->body, "404 page not found\n");
    return -1;
}
