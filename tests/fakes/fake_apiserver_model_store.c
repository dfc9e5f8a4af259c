/* Objects, versions and the ring of changes. See fake_apiserver_model_store.h.
 *
 * Invariant: the ring holds every change with a version greater than compacted, in order, each version once; so a state
 * of the past is the present with the changes since then undone. */
#include "fakes/fake_apiserver_model_store.h"

#include "base/mem.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

struct store *store_new(size_t history)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->ring_cap = history ? history : 1;
    store->ring = xcalloc(store->ring_cap, sizeof(*store->ring));
    store->version = 1;
    store->compacted = 1;
    return store;
}

struct store_value *store_value_ref(struct store_value *value)
{
    value->refs++;
    return value;
}

struct store_value *store_value_unref(struct store_value *value)
{
    if (value && --value->refs == 0) {
        free(value->text);
        free(value);
    }
    return NULL;
}

static void event_done(struct store_event *event)
{
    free(event->key);
    store_value_unref(event->before);
    store_value_unref(event->now);
    *event = (struct store_event){0};
}

static struct store_event *ring_at(const struct store *store, size_t i)
{
    return &store->ring[(store->ring_first + i) % store->ring_cap];
}

static void ring_drop_oldest(struct store *store)
{
    struct store_event *oldest = ring_at(store, 0);
    store->compacted = oldest->version;
    event_done(oldest);
    store->ring_first = (store->ring_first + 1) % store->ring_cap;
    store->ring_len--;
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    store_compact(store);
    map_foreach (entry, &store->collections) {
        struct store_collection *c = entry->value;
        for (size_t i = 0; i < c->len; i++) {
            free(c->items[i].key);
            store_value_unref(c->items[i].value);
        }
        free(c->items);
        free(c->name);
        free(c);
    }
    map_done(&store->collections);
    free(store->ring);
    free(store);
    return NULL;
}

static struct store_collection *collection_of(struct store *store, const char *name)
{
    struct store_collection *c = map_get(&store->collections, name);
    if (c)
        return c;
    c = xcalloc(1, sizeof(*c));
    c->name = xstrdup(name);
    (void)map_set(&store->collections, name, c);
    return c;
}

/* Index of the first item whose key is not less than key. */
static size_t lower_bound(const struct store_collection *c, const char *key)
{
    size_t low = 0, high = c->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(c->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct store_item *find(const struct store *store, const char *collection, const char *key)
{
    const struct store_collection *c = map_get(&store->collections, collection);
    if (!c)
        return NULL;
    size_t i = lower_bound(c, key);
    return i < c->len && strcmp(c->items[i].key, key) == 0 ? &c->items[i] : NULL;
}

struct store_value *store_get(const struct store *store, const char *collection, const char *key)
{
    const struct store_item *item = find(store, collection, key);
    return item ? item->value : NULL;
}

static struct store_value *value_new(cJSON *object, int64_t version)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)version);
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    if (!metadata)
        metadata = json_add_object(object, "metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "resourceVersion");
    json_add_string(metadata, "resourceVersion", text);

    struct store_value *value = xcalloc(1, sizeof(*value));
    value->refs = 1;
    value->version = version;
    value->text = json_print(object);
    value->len = strlen(value->text);
    return value;
}

/* Takes over both values. */
static void remember(struct store *store, const struct store_event *event)
{
    if (store->ring_len == store->ring_cap)
        ring_drop_oldest(store);
    *ring_at(store, store->ring_len++) = *event;
}

static void insert(struct store_collection *c, const char *key, struct store_value *value)
{
    if (c->len == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        c->items = xrealloc(c->items, c->cap * sizeof(*c->items));
    }
    size_t i = lower_bound(c, key);
    memmove(&c->items[i + 1], &c->items[i], (c->len - i) * sizeof(*c->items));
    c->items[i] = (struct store_item){.key = xstrdup(key), .value = value};
    c->len++;
}

struct store_value *store_put(struct store *store, const char *collection, const char *key, cJSON *object)
{
    struct store_collection *c = collection_of(store, collection);
    struct store_value *value = value_new(object, ++store->version);
    struct store_event event = {.change = STORE_ADDED,
        .version = store->version,
        .collection = c->name,
        .key = xstrdup(key),
        .now = store_value_ref(value)};
    struct store_item *item = find(store, collection, key);
    if (item) {
        event.change = STORE_MODIFIED;
        event.before = item->value;
        item->value = value;
    } else {
        insert(c, key, value);
    }
    remember(store, &event);
    return value;
}

void store_delete(struct store *store, const char *collection, const char *key, cJSON *object)
{
    struct store_item *item = find(store, collection, key);
    if (!item)
        return;
    struct store_collection *c = collection_of(store, collection);
    struct store_event event = {.change = STORE_DELETED,
        .version = ++store->version,
        .collection = c->name,
        .key = item->key,
        .before = item->value,
        .now = value_new(object, store->version)};
    size_t i = (size_t)(item - c->items);
    memmove(&c->items[i], &c->items[i + 1], (c->len - i - 1) * sizeof(*c->items));
    c->len--;
    remember(store, &event);
}

size_t store_count(const struct store *store, const char *collection, const char *prefix)
{
    const struct store_collection *c = map_get(&store->collections, collection);
    size_t n = 0;
    if (c)
        for (size_t i = lower_bound(c, prefix); i < c->len && strncmp(c->items[i].key, prefix, strlen(prefix)) == 0;
             i++)
            n++;
    return n;
}

static bool wanted(const char *key, const char *prefix, const char *after)
{
    return strncmp(key, prefix, strlen(prefix)) == 0 && (!after || strcmp(key, after) > 0);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct store_item *)a)->key, ((const struct store_item *)b)->key);
}

/* Stands for "was not there" among the values to go back to. */
static struct store_value absent;

/* For each key that changed after version: the item as it was then. The oldest such change has the last word. */
static void changes_undone(const struct store *store, const char *collection, int64_t version, struct map *items)
{
    for (size_t i = store->ring_len; i > 0 && ring_at(store, i - 1)->version > version; i--) {
        const struct store_event *event = ring_at(store, i - 1);
        if (strcmp(event->collection, collection) == 0)
            (void)map_set(items, event->key, event->before ? event->before : &absent);
    }
}

void store_list(const struct store *store, const char *collection, const char *prefix, const char *after,
    int64_t version, struct store_list *ret)
{
    *ret = (struct store_list){0};
    struct map undone = MAP_INIT;
    changes_undone(store, collection, version, &undone);
    const struct store_collection *c = map_get(&store->collections, collection);
    ret->items = xcalloc((c ? c->len : 0) + undone.len + 1, sizeof(*ret->items));
    for (size_t i = c ? lower_bound(c, after ? after : prefix) : 0; c && i < c->len; i++)
        if (wanted(c->items[i].key, prefix, after) && !map_get(&undone, c->items[i].key))
            ret->items[ret->len++] = c->items[i];
    size_t untouched = ret->len;
    for (size_t i = store->ring_len; i > 0 && undone.len > 0 && ring_at(store, i - 1)->version > version; i--) {
        const struct store_event *event = ring_at(store, i - 1); /* its key outlives the map's */
        struct store_value *value = strcmp(event->collection, collection) == 0 ? map_remove(&undone, event->key) : NULL;
        if (value && value != &absent && wanted(event->key, prefix, after))
            ret->items[ret->len++] = (struct store_item){.key = event->key, .value = value};
    }
    if (ret->len > untouched)
        qsort(ret->items, ret->len, sizeof(*ret->items), by_key);
    map_done(&undone);
}

void store_list_done(struct store_list *list)
{
    free(list->items);
    *list = (struct store_list){0};
}

const struct store_event *store_event_after(const struct store *store, int64_t version)
{
    size_t low = 0, high = store->ring_len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring_at(store, middle)->version <= version)
            low = middle + 1;
        else
            high = middle;
    }
    return low < store->ring_len ? ring_at(store, low) : NULL;
}

void store_compact(struct store *store)
{
    while (store->ring_len > 0)
        ring_drop_oldest(store);
    store->compacted = store->version;
}
