#include "controller/store.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct store_item {
    atomic_int refs;
    struct entry *entry; /* as long as the item is referenced, so is its entry */
    struct cmk_resource resource;
};

/* One resource through all its versions. */
struct entry {
    atomic_int refs; /* the map's, and one for each item */
    char *key;
    char *account; /* key of the index, or NULL */
    struct entry *next_of_account;
    struct store_item *current;
    struct store_memory memory;
    unsigned seen;             /* the list in which it was last put */
    struct survey_facts facts; /* of the current item, where a survey finds them without going there */
};

struct store {
    pthread_mutex_t lock;
    struct map entries;
    struct map accounts; /* first entry of each account's chain */
    unsigned list;
};

static void entry_unref(struct entry *entry)
{
    if (atomic_fetch_sub(&entry->refs, 1) > 1)
        return;
    free(entry->key);
    free(entry->account);
    free(entry);
}

const struct cmk_resource *store_item_resource(const struct store_item *item)
{
    return &item->resource;
}

struct store_item *store_item_unref(struct store_item *item)
{
    if (!item || atomic_fetch_sub(&item->refs, 1) > 1)
        return NULL;
    cmk_resource_done(&item->resource);
    entry_unref(item->entry);
    free(item);
    return NULL;
}

struct store *store_new(void)
{
    struct store *store = xcalloc(1, sizeof(*store));

    (void)pthread_mutex_init(&store->lock, NULL);
    return store;
}

static void forget(struct entry *entry)
{
    store_item_unref(entry->current);
    entry->current = NULL;
    entry_unref(entry);
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    map_foreach (e, &store->entries)
        forget(e->value);
    map_done(&store->entries);
    map_done(&store->accounts);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
    return NULL;
}

char *store_key(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

/* ---- the index by account ---- */

static void index_add(struct store *store, struct entry *entry)
{
    if (entry->account)
        entry->next_of_account = map_set(&store->accounts, entry->account, entry);
}

static void index_remove(struct store *store, struct entry *entry)
{
    struct entry *first = entry->account ? map_get(&store->accounts, entry->account) : NULL, **at = &first;

    if (!first)
        return;
    while (*at && *at != entry)
        at = &(*at)->next_of_account;
    if (*at)
        *at = entry->next_of_account;
    entry->next_of_account = NULL;
    if (first)
        (void)map_set(&store->accounts, entry->account, first);
    else
        (void)map_remove(&store->accounts, entry->account);
}

/* ---- versions ---- */

static bool is_number(const char *version)
{
    return version[strspn(version, "0123456789")] == '\0';
}

/* Resource versions are decimal numbers that grow (KEP-5504); beside one that is none, anything counts as new. */
static bool is_newer(const char *version, const char *held)
{
    size_t n = strlen(version), m = strlen(held);

    if (!is_number(version) || !is_number(held))
        return true;
    return n != m ? n > m : strcmp(version, held) > 0;
}

static bool is_same_incarnation(const struct cmk_resource *a, const struct cmk_resource *b)
{
    return str_eq(a->uid, b->uid);
}

static enum store_change compare(const struct cmk_resource *old, const struct cmk_resource *new)
{
    bool same = is_same_incarnation(old, new) && old->generation == new->generation &&
                old->deleting == new->deleting &&str_eq(old->reconcile_requested_at, new->reconcile_requested_at);

    return same ? STORE_STATUS_ONLY : STORE_CHANGED;
}

static struct store_item *item_new(struct entry *entry, struct cmk_resource *resource)
{
    struct store_item *item = xcalloc(1, sizeof(*item));

    atomic_init(&item->refs, 1);
    atomic_fetch_add(&entry->refs, 1);
    item->entry = entry;
    item->resource = *resource;
    *resource = (struct cmk_resource){0};
    return item;
}

static struct entry *entry_new(const char *key)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));

    atomic_init(&entry->refs, 1);
    entry->key = xstrdup(key);
    return entry;
}

static void replace(struct store *store, struct entry *entry, struct cmk_resource *resource)
{
    index_remove(store, entry);
    free(entry->account);
    entry->account = resource->spec.account_id ? cmk_account_key(resource->spec.account_id) : NULL;
    store_item_unref(entry->current);
    entry->facts = survey_facts_of(resource);
    entry->current = item_new(entry, resource);
    index_add(store, entry);
}

static enum store_change take(struct store *store, struct entry *entry, struct cmk_resource *resource)
{
    const struct cmk_resource *held = entry->current ? &entry->current->resource : NULL;
    enum store_change change = held ? compare(held, resource) : STORE_CHANGED;

    if (held && !is_newer(resource->resource_version, held->resource_version)) {
        cmk_resource_done(resource);
        return STORE_SAME;
    }
    if (held && !is_same_incarnation(held, resource))
        entry->memory = (struct store_memory){0};
    replace(store, entry, resource);
    return change;
}

enum store_change store_put(struct store *store, struct cmk_resource *resource)
{
    _cleanup_(freep) char *key = store_key(resource->ns, resource->name);

    pthread_mutex_lock(&store->lock);
    struct entry *entry = map_get(&store->entries, key);
    if (!entry) {
        entry = entry_new(key);
        (void)map_set(&store->entries, key, entry);
    }
    entry->seen = store->list;
    enum store_change change = take(store, entry, resource);
    pthread_mutex_unlock(&store->lock);
    return change;
}

void store_learn(struct store *store, struct cmk_resource *resource)
{
    _cleanup_(freep) char *key = store_key(resource->ns, resource->name);

    pthread_mutex_lock(&store->lock);
    struct entry *entry = map_get(&store->entries, key);
    if (entry && is_same_incarnation(&entry->current->resource, resource))
        (void)take(store, entry, resource);
    else
        cmk_resource_done(resource);
    pthread_mutex_unlock(&store->lock);
}

/* Called with the lock held; the neighbours' keys are queued by the caller's function, which must not call the store.
 */
static void drop(struct store *store, struct entry *entry, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    index_remove(store, entry);
    if (entry->account)
        for (struct entry *e = map_get(&store->accounts, entry->account); e; e = e->next_of_account)
            enqueue(ctx, e->key);
    (void)map_remove(&store->entries, entry->key);
    forget(entry);
}

void store_remove(struct store *store, const char *key, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = map_get(&store->entries, key);
    if (entry)
        drop(store, entry, enqueue, ctx);
    pthread_mutex_unlock(&store->lock);
}

void store_list_begin(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->list++;
    pthread_mutex_unlock(&store->lock);
}

void store_list_end(struct store *store, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    pthread_mutex_lock(&store->lock);
    struct entry **gone = xcalloc(store->entries.len, sizeof(struct entry *));
    size_t n = 0;
    map_foreach (e, &store->entries) {
        struct entry *entry = e->value;
        if (entry->seen != store->list)
            gone[n++] = entry;
    }
    for (size_t i = 0; i < n; i++)
        drop(store, gone[i], enqueue, ctx);
    free(gone);
    pthread_mutex_unlock(&store->lock);
}

struct store_item *store_get(struct store *store, const char *key)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = map_get(&store->entries, key);
    struct store_item *item = entry ? entry->current : NULL;
    if (item)
        atomic_fetch_add(&item->refs, 1);
    pthread_mutex_unlock(&store->lock);
    return item;
}

struct store_memory store_recall(struct store *store, const struct store_item *item)
{
    pthread_mutex_lock(&store->lock);
    struct store_memory memory = item->entry->memory;
    pthread_mutex_unlock(&store->lock);
    return memory;
}

void store_remember(struct store *store, const struct store_item *item, const struct store_memory *memory)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = item->entry;
    if (entry->current && is_same_incarnation(&entry->current->resource, &item->resource))
        entry->memory = *memory;
    pthread_mutex_unlock(&store->lock);
}

static bool is_older(const struct cmk_resource *a, const struct cmk_resource *b)
{
    return a->created_at != b->created_at ? a->created_at < b->created_at : strcmp(a->uid, b->uid) < 0;
}

char *store_older_owner(struct store *store, const struct store_item *item)
{
    _cleanup_(freep) char *account =
        item->resource.spec.account_id ? cmk_account_key(item->resource.spec.account_id) : NULL;
    const struct cmk_resource *oldest = &item->resource;
    char *owner = NULL;

    if (!account)
        return NULL;
    pthread_mutex_lock(&store->lock);
    for (struct entry *e = map_get(&store->accounts, account); e; e = e->next_of_account) {
        const struct cmk_resource *other = &e->current->resource;
        if (e != item->entry && !other->deleting && is_older(other, oldest))
            oldest = other;
    }
    if (oldest != &item->resource)
        owner = store_key(oldest->ns, oldest->name);
    pthread_mutex_unlock(&store->lock);
    return owner;
}

struct store_item *store_owner_of(struct store *store, const char *account_id)
{
    _cleanup_(freep) char *account = cmk_account_key(account_id);
    struct store_item *owner = NULL;

    pthread_mutex_lock(&store->lock);
    for (struct entry *e = map_get(&store->accounts, account); e; e = e->next_of_account)
        if (!e->current->resource.deleting && (!owner || is_older(&e->current->resource, &owner->resource)))
            owner = e->current;
    if (owner)
        atomic_fetch_add(&owner->refs, 1);
    pthread_mutex_unlock(&store->lock);
    return owner;
}

char **store_keys(struct store *store, size_t *ret_n)
{
    pthread_mutex_lock(&store->lock);
    char **keys = xcalloc(store->entries.len + 1, sizeof(*keys));
    size_t n = 0;
    map_foreach (e, &store->entries)
        keys[n++] = xstrdup(e->key);
    pthread_mutex_unlock(&store->lock);
    *ret_n = n;
    return keys;
}

size_t store_len(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    size_t n = store->entries.len;
    pthread_mutex_unlock(&store->lock);
    return n;
}

void store_survey(struct store *store, struct survey *ret)
{
    *ret = (struct survey){0};
    pthread_mutex_lock(&store->lock);
    map_foreach (e, &store->entries) {
        const struct entry *entry = e->value;
        survey_add(ret, &entry->facts, &entry->current->resource, entry->memory.observed_at_s);
    }
    pthread_mutex_unlock(&store->lock);
}
