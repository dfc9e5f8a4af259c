/* Watches: streams of changes, one JSON text a line.
 *
 * Invariant: between two calls from outside every watcher has been sent all changes up to the store's version, so
 * compaction never takes away what a running watch still needs. Who begins too far back gets 410. */
#include "fakes/fake_apiserver.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define WATCH_DEFAULT_MS (30 * 60 * 1000)

struct watcher {
    struct watcher *next;
    struct httpd_exchange *exchange;
    const struct resource *resource; /* watchers end before their resource does */
    char *prefix;
    struct selector *labels;
    struct selector *fields;
    bool table;
    bool columns_sent;
    enum table_include include;
    bool bookmarks;
    int64_t cursor; /* the version up to which everything was sent */
    int64_t ends_ms;
    int64_t bookmark_ms;
};

static const char *const change_names[] = {"ADDED", "MODIFIED", "DELETED"};

static void watcher_free(struct watcher *w)
{
    free(w->prefix);
    (void)selector_free(w->labels);
    (void)selector_free(w->fields);
    free(w);
}

static void send_event(struct watcher *w, const char *type, const char *object)
{
    struct buf line = BUF_INIT(FAKE_BODY_MAX);
    buf_printf(&line, "{\"type\":\"%s\",\"object\":%s}\n", type, object);
    httpd_stream_write(w->exchange, buf_str(&line), line.len);
    buf_done(&line);
}

static char *as_table(struct api *api, struct watcher *w, const cJSON *object)
{
    _cleanup_(json_freep) cJSON *table =
        table_new(w->resource->columns, json_string_at(object, "metadata.resourceVersion"));
    table_add_row(table, w->resource->columns, object, w->include, fake_core_now(api->core));
    if (w->columns_sent) {
        cJSON_DeleteItemFromObjectCaseSensitive(table, "columnDefinitions");
        (void)json_add_array(table, "columnDefinitions");
    }
    w->columns_sent = true;
    return json_print(table);
}

static void send_object(struct api *api, struct watcher *w, const char *type, const struct store_value *value)
{
    _cleanup_(freep) char *text = api_presented(w->resource, value);
    if (w->table) {
        const struct store_value shown = {.text = text ? text : value->text, .len = strlen(text ? text : value->text)};
        _cleanup_(json_freep) cJSON *tree = api_parse(&shown);
        _cleanup_(freep) char *table = as_table(api, w, tree);
        send_event(w, type, table);
        return;
    }
    send_event(w, type, text ? text : value->text);
}

static bool selects(const struct watcher *w, const struct store_value *value)
{
    if (!value)
        return false;
    if (!w->labels && !w->fields)
        return true;
    _cleanup_(freep) char *text = api_presented(w->resource, value);
    const struct store_value shown = {.text = text ? text : value->text, .len = strlen(text ? text : value->text)};
    _cleanup_(json_freep) cJSON *tree = api_parse(&shown);
    return selector_matches(w->labels, tree) && selector_matches(w->fields, tree);
}

/* An object that a change takes out of the selection is deleted as far as this watcher can see, and the other way
 * round. */
static void deliver(struct api *api, struct watcher *w, const struct store_event *event)
{
    if (!str_eq(event->collection, w->resource->collection) || !str_has_prefix(event->key, w->prefix))
        return;
    bool was = selects(w, event->before);
    bool is = event->change != STORE_DELETED && selects(w, event->now);
    if (was || is)
        send_object(api, w, change_names[!was ? STORE_ADDED : !is ? STORE_DELETED : STORE_MODIFIED], event->now);
}

static void pump_one(struct api *api, struct watcher *w)
{
    const struct store_event *event;
    while ((event = store_event_after(api->store, w->cursor)) != NULL) {
        deliver(api, w, event);
        w->cursor = event->version;
    }
}

void api_pump(struct api *api)
{
    for (struct watcher *w = api->watchers; w; w = w->next)
        pump_one(api, w);
}

/* initial: the mark that ends the first part of a watch that began with sendInitialEvents. */
static void send_bookmark(struct api *api, struct watcher *w, bool initial)
{
    char version[24];
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    (void)snprintf(version, sizeof(version), "%lld",
        (long long)(w->cursor > api->store->version ? w->cursor : api->store->version));
    json_add_string(tree, "kind", w->resource->kind);
    json_add_string(tree, "apiVersion", w->resource->api_version);
    cJSON *metadata = json_add_object(tree, "metadata");
    json_add_string(metadata, "resourceVersion", version);
    if (initial)
        json_add_string(json_add_object(metadata, "annotations"), "k8s.io/initial-events-end", "true");
    _cleanup_(freep) char *text = json_print(tree);
    send_event(w, "BOOKMARK", text);
    w->bookmark_ms = clock_mono_ms() + api->bookmark_ms;
}

static void send_gone(struct api *api, struct watcher *w, int64_t since)
{
    _cleanup_(freep) char *message =
        xasprintf("too old resource version: %lld (%lld)", (long long)since, (long long)api->store->compacted);
    _cleanup_(json_freep) cJSON *tree = api_status_new("Failure", 410, "Expired", message);
    _cleanup_(freep) char *text = json_print(tree);
    send_event(w, "ERROR", text);
}

static void send_present(struct api *api, struct watcher *w)
{
    struct store_list list;
    store_list(api->store, w->resource->collection, w->prefix, NULL, api->store->version, &list);
    for (size_t i = 0; i < list.len; i++)
        if (selects(w, list.items[i].value))
            send_object(api, w, "ADDED", list.items[i].value);
    store_list_done(&list);
    w->cursor = api->store->version;
}

static int64_t watch_end(const struct api_request *r)
{
    int64_t ms = api_param_int(r, "timeoutSeconds") * 1000;
    if (ms <= 0)
        ms = WATCH_DEFAULT_MS;
    if (r->api->watch_ms && r->api->watch_ms < ms)
        ms = r->api->watch_ms;
    return clock_mono_ms() + ms;
}

static struct watcher *watcher_new(struct api_request *r)
{
    struct watcher *w = xcalloc(1, sizeof(*w));
    if (api_selectors(r, &w->labels, &w->fields) < 0) {
        watcher_free(w);
        return NULL;
    }
    w->resource = r->resource;
    w->prefix = api_prefix(r);
    w->table = r->table;
    w->include = r->include;
    w->bookmarks = api_param_true(r, "allowWatchBookmarks");
    w->ends_ms = watch_end(r);
    w->bookmark_ms = clock_mono_ms() + r->api->bookmark_ms;
    return w;
}

/* The stream has begun. False: it has ended already. */
static bool start(struct api *api, struct watcher *w, int64_t since, bool initial_events)
{
    if (since == 0 || initial_events) {
        send_present(api, w);
        if (initial_events && w->bookmarks)
            send_bookmark(api, w, true);
    } else if (since < api->store->compacted) {
        send_gone(api, w, since);
        httpd_stream_end(w->exchange);
        return false;
    } else {
        w->cursor = since;
        pump_one(api, w);
    }
    return true;
}

void api_watch(struct api_request *r)
{
    static const struct httpd_header headers[] = {
        {"content-type", "application/json"}, {"cache-control", "no-cache, private"}};
    char text[4096];
    int64_t since = 0;
    api_param(r, "resourceVersion", text);
    bool initial = api_param_true(r, "sendInitialEvents");
    if (*text && !str_to_i64(text, 0, INT64_MAX, &since)) {
        (void)api_fail(r, 500, NULL,
            "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax", text, text);
        return;
    }
    if (initial && r->api->no_watch_list) {
        (void)api_fail(r, 422, "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for "
            "watch unless the WatchList feature gate is enabled");
        return;
    }
    api_param(r, "resourceVersionMatch", text);
    if (initial && !str_eq(text, "NotOlderThan")) {
        (void)api_fail(r, 422, "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires "
            "setting "
            "resourceVersionMatch to NotOlderThan");
        return;
    }
    if (r->api->gone_as_http && since != 0 && !initial && since < r->api->store->compacted) {
        (void)api_fail(r, 410, "Expired", "too old resource version: %lld (%lld)", (long long)since,
            (long long)r->api->store->compacted);
        return;
    }
    struct watcher *w = watcher_new(r);
    if (!w)
        return;
    w->exchange = fake_call_stream(TAKE_PTR(r->call), 200);
    if (w->exchange)
        httpd_stream_begin(w->exchange, 200, headers, ARRAY_LEN(headers));
    if (!w->exchange || !start(r->api, w, since, initial)) {
        watcher_free(w);
        return;
    }
    w->next = r->api->watchers;
    r->api->watchers = w;
}

void api_watch_drop(struct api *api, const char *collection, bool gone)
{
    for (struct watcher **link = &api->watchers; *link;) {
        struct watcher *w = *link;
        if (collection && !str_eq(w->resource->collection, collection)) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        if (gone)
            send_gone(api, w, w->cursor);
        httpd_stream_end(w->exchange);
        watcher_free(w);
    }
}

void api_watch_tick(struct api *api)
{
    int64_t now = clock_mono_ms();
    for (struct watcher **link = &api->watchers; *link;) {
        struct watcher *w = *link;
        if (httpd_gone(w->exchange) || now >= w->ends_ms) {
            *link = w->next;
            httpd_stream_end(w->exchange);
            watcher_free(w);
            continue;
        }
        if (w->bookmarks && now >= w->bookmark_ms)
            send_bookmark(api, w, false);
        link = &w->next;
    }
}
