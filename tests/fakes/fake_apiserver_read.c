/* GET of one object and of lists, as JSON or as a Table, whole or in pages.
 *
 * A page after the first shows the state at the version of the first, as a real server's does: its continue token holds
 * that version and the last key, and is refused with 410 once that version is forgotten. */
#include "fakes/fake_apiserver.h"
#include "fakes/fake_apiserver_model_patch.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define BAD_VERSION "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax"
#define TOO_OLD                                                                                                        \
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "        \
    "without the continue parameter."

char *api_key(const struct api_request *r)
{
    return r->resource->namespaced ? xasprintf("%s/%s", r->ns, r->name) : xstrdup(r->name);
}

char *api_prefix(const struct api_request *r)
{
    return r->ns[0] ? xasprintf("%s/", r->ns) : xstrdup("");
}

cJSON *api_parse(const struct store_value *value)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    if (json_parse(&tree, value->text, value->len, &err) < 0)
        abort(); /* we printed it ourselves */
    return tree;
}

static cJSON *presented_tree(const struct resource *resource, const struct store_value *value)
{
    cJSON *tree = api_parse(value);
    if (str_eq(resource->collection, EVENT_COLLECTION) && str_empty(resource->group))
        event_to_core(tree);
    else
        api_set_string(tree, "apiVersion", resource->api_version);
    return tree;
}

char *api_presented(const struct resource *resource, const struct store_value *value)
{
    _cleanup_(freep) char *want = xasprintf("\"apiVersion\":\"%s\"", resource->api_version);
    if (strncmp(value->text, "{", 1) == 0 && strncmp(value->text + 1, want, strlen(want)) == 0)
        return NULL;
    _cleanup_(json_freep) cJSON *tree = presented_tree(resource, value);
    return json_print(tree);
}

void api_reply_object(struct api_request *r, int status, const struct store_value *value)
{
    if (r->table) {
        _cleanup_(json_freep) cJSON *tree = presented_tree(r->resource, value);
        _cleanup_(json_freep) cJSON *table =
            table_new(r->resource->columns, json_string_at(tree, "metadata.resourceVersion"));
        table_add_row(table, r->resource->columns, tree, r->include, fake_core_now(r->api->core));
        fake_reply_json(r->reply, status, table);
        return;
    }
    _cleanup_(freep) char *text = api_presented(r->resource, value);
    r->reply->status = status;
    fake_reply_header(r->reply, "content-type", "application/json");
    buf_puts(&r->reply->body, text ? text : value->text);
}

void api_get(struct api_request *r)
{
    _cleanup_(freep) char *key = api_key(r);
    const struct store_value *value = store_get(r->api->store, r->resource->collection, key);
    if (!value)
        (void)api_fail_not_found(r, r->resource->collection, r->name);
    else
        api_reply_object(r, 200, value);
}

int api_selectors(struct api_request *r, struct selector **ret_labels, struct selector **ret_fields)
{
    char text[4096];
    struct err err = ERR_INIT;
    api_param(r, "labelSelector", text);
    if (selector_parse(ret_labels, SELECTOR_LABELS, text, NULL, &err) < 0)
        return api_fail(r, 400, "BadRequest", "%s", err.msg);
    api_param(r, "fieldSelector", text);
    if (selector_parse(ret_fields, SELECTOR_FIELDS, text, r->resource->selectable, &err) < 0)
        return api_fail(r, 400, "BadRequest", "%s", err.msg);
    return 0;
}

/* What a list is about, and where it has got to. */
struct listing {
    struct selector *labels;
    struct selector *fields;
    int64_t limit;   /* 0: all */
    int64_t version; /* the state that is shown */
    char *after;     /* or NULL */
    struct buf items;
    cJSON *table; /* or NULL */
    size_t shown;
    const char *last_key; /* of the last one looked at */
    size_t rest;          /* not looked at */
};

static void listing_done(struct listing *l)
{
    (void)selector_free(l->labels);
    (void)selector_free(l->fields);
    free(l->after);
    buf_done(&l->items);
    json_free(l->table);
}

/* The token is "VERSION.KEY" in hexadecimal, opaque for clients. */
static char *token_print(int64_t version, const char *key)
{
    struct buf hex = BUF_INIT(8192);
    _cleanup_(freep) char *plain = xasprintf("%lld.%s", (long long)version, key);
    for (const char *p = plain; *p; p++)
        buf_printf(&hex, "%02x", (unsigned char)*p);
    return buf_take(&hex);
}

static bool token_parse(const char *token, struct listing *l)
{
    char plain[2048];
    size_t n = 0;
    for (; token[0] && token[1] && n + 1 < sizeof(plain); token += 2) {
        unsigned byte;
        if (sscanf(token, "%2x", &byte) != 1)
            return false;
        plain[n++] = (char)byte;
    }
    plain[n] = '\0';
    char *dot = strchr(plain, '.');
    if (*token || !dot)
        return false;
    *dot = '\0';
    l->after = xstrdup(dot + 1);
    return str_to_i64(plain, 1, INT64_MAX, &l->version);
}

static int fail_too_large(struct api_request *r, int64_t version)
{
    _cleanup_(freep) char *message = xasprintf("Timeout: Too large resource version: %lld, current: %lld",
        (long long)version, (long long)r->api->store->version);
    _cleanup_(json_freep) cJSON *status = api_status_new("Failure", 504, "Timeout", message);
    cJSON *details = json_add_object(status, "details"), *cause = cJSON_CreateObject();
    json_add_string(cause, "reason", "ResourceVersionTooLarge");
    json_add_string(cause, "message", "Too large resource version");
    cJSON_AddItemToArray(json_add_array(details, "causes"), cause);
    json_add_int(details, "retryAfterSeconds", 1);
    fake_reply_header(r->reply, "retry-after", "1");
    fake_reply_json(r->reply, 504, status);
    return -1;
}

static int choose_version(struct api_request *r, struct listing *l)
{
    char text[4096], match[4096];
    const struct store *store = r->api->store;
    int64_t asked = 0;
    l->version = store->version;
    api_param(r, "continue", text);
    if (*text) {
        if (!token_parse(text, l))
            return api_fail(r, 400, "BadRequest", "invalid continue token: continue key is not valid");
        return l->version < store->compacted || l->version > store->version ? api_fail(r, 410, "Expired", TOO_OLD) : 0;
    }
    api_param(r, "resourceVersion", text);
    if (*text && !str_to_i64(text, 0, INT64_MAX, &asked))
        return api_fail(r, 400, "BadRequest", "invalid resource version: " BAD_VERSION, text, text);
    if (asked > store->version)
        return fail_too_large(r, asked);
    api_param(r, "resourceVersionMatch", match);
    if (!str_eq(match, "Exact"))
        return 0;
    l->version = asked;
    if (asked < store->compacted)
        return api_fail(r, 410, "Expired", "The resourceVersion for the provided list is too old.");
    return 0;
}

static void show(struct api_request *r, struct listing *l, const struct store_value *value)
{
    if (l->labels || l->fields || l->table) {
        _cleanup_(json_freep) cJSON *tree = presented_tree(r->resource, value);
        if (!selector_matches(l->labels, tree) || !selector_matches(l->fields, tree))
            return;
        l->shown++;
        if (l->table) {
            table_add_row(l->table, r->resource->columns, tree, r->include, fake_core_now(r->api->core));
            return;
        }
    } else {
        l->shown++;
    }
    _cleanup_(freep) char *text = api_presented(r->resource, value);
    if (l->items.len)
        buf_putc(&l->items, ',');
    buf_puts(&l->items, text ? text : value->text);
}

static void collect(struct api_request *r, struct listing *l, const struct store_list *list)
{
    size_t i = 0;
    for (; i < list->len && !(l->limit && l->shown == (size_t)l->limit); i++) {
        show(r, l, list->items[i].value);
        l->last_key = list->items[i].key;
    }
    l->rest = list->len - i;
}

/* Lists of custom resources always have a continue token, if only an empty one. */
static cJSON *list_metadata(const struct api_request *r, struct listing *l)
{
    char version[24];
    cJSON *metadata = cJSON_CreateObject();
    (void)snprintf(version, sizeof(version), "%lld", (long long)l->version);
    json_add_string(metadata, "resourceVersion", version);
    if (l->rest) {
        _cleanup_(freep) char *token = token_print(l->version, l->last_key);
        json_add_string(metadata, "continue", token);
        if (!l->labels && !l->fields)
            json_add_int(metadata, "remainingItemCount", (int64_t)l->rest);
    } else if (r->resource->custom && !l->table) {
        json_add_string(metadata, "continue", "");
    }
    return metadata;
}

static void reply_list(struct api_request *r, struct listing *l)
{
    cJSON *metadata = list_metadata(r, l);
    if (l->table) {
        cJSON_DeleteItemFromObjectCaseSensitive(l->table, "metadata");
        cJSON_AddItemToObject(l->table, "metadata", metadata);
        fake_reply_json(r->reply, 200, l->table);
        return;
    }
    _cleanup_(freep) char *text = json_print(metadata);
    json_free(metadata);
    r->reply->status = 200;
    fake_reply_header(r->reply, "content-type", "application/json");
    buf_printf(&r->reply->body, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":%s,\"items\":[",
        r->resource->api_version, r->resource->list_kind, text);
    buf_add(&r->reply->body, buf_str(&l->items), l->items.len);
    buf_puts(&r->reply->body, "]}");
}

void api_list(struct api_request *r)
{
    _cleanup_(listing_done) struct listing l = {.items = BUF_INIT(FAKE_BODY_MAX)};
    _cleanup_(freep) char *prefix = api_prefix(r);
    l.limit = api_param_int(r, "limit");
    if (api_selectors(r, &l.labels, &l.fields) < 0 || choose_version(r, &l) < 0)
        return;
    if (r->table)
        l.table = table_new(r->resource->columns, "");
    struct store_list list;
    store_list(r->api->store, r->resource->collection, prefix, l.after, l.version, &list);
    collect(r, &l, &list);
    reply_list(r, &l);
    store_list_done(&list);
}
