/* Entries by key and by account, each with the packed current version.
 *
 * A resource takes less than 1 kB: its key once, in its entry; the version packed (pack.h); two slots of one word each
 * in the tables. It is unpacked for who gets it, and lives as long as the pass that got it. Accounts are found by the
 * hash of their id and told apart by the id itself, which is unpacked for that. */
#include "controller/store.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "cmk/spec.h"
#include "controller/pack.h"

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
    atomic_int refs;           /* the table's, and one for each item */
    unsigned seen;             /* the list in which it was last put, or after which */
    struct survey_facts facts; /* of the current version, where a survey finds them without unpacking it */
    bool held;                 /* see store_hold */
    bool indexed;              /* it has an account */
    uint64_t account_hash;
    struct entry *next_of_account;
    struct packed *current; /* NULL: removed */
    struct store_memory memory;
    char key[];
};

/* A list that was begun. */
struct scope {
    struct scope *next;
    char *ns;       /* NULL: all namespaces */
    unsigned begun; /* entries seen before that are gone at its end */
};

struct store {
    pthread_mutex_t lock;
    struct pool *pool;
    struct table entries;
    struct table accounts; /* first entry of each account's chain */
    struct scope *scopes;
    unsigned lists;
};

static void entry_unref(struct entry *entry)
{
    if (atomic_fetch_sub(&entry->refs, 1) == 1)
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

static uint64_t hash_of_key(const void *item)
{
    return table_hash(((const struct entry *)item)->key);
}

static uint64_t hash_of_account(const void *item)
{
    return ((const struct entry *)item)->account_hash;
}

struct store *store_new(void)
{
    struct store *store = xcalloc(1, sizeof(*store));

    (void)pthread_mutex_init(&store->lock, NULL);
    store->pool = pool_new();
    store->entries = TABLE_INIT(hash_of_key);
    store->accounts = TABLE_INIT(hash_of_account);
    return store;
}

static void forget(struct store *store, struct entry *entry)
{
    entry->current = packed_free(store->pool, entry->current);
    entry_unref(entry);
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    table_foreach(slot, &store->entries) forget(store, *slot);
    table_done(&store->entries);
    table_done(&store->accounts);
    pool_free(store->pool);
    for (struct scope *s = store->scopes, *next; s; s = next) {
        next = s->next;
        free(s->ns);
        free(s);
    }
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
    return NULL;
}

char *store_key(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

static bool has_key(const void *item, const void *key)
{
    return strcmp(((const struct entry *)item)->key, key) == 0;
}

static struct entry *find(const struct store *store, const char *key)
{
    return table_find(&store->entries, table_hash(key), has_key, key);
}

static struct entry *add(struct store *store, const char *key)
{
    struct entry *entry = xcalloc(1, sizeof(*entry) + strlen(key) + 1);

    atomic_init(&entry->refs, 1);
    memcpy(entry->key, key, strlen(key) + 1);
    table_add(&store->entries, entry);
    return entry;
}

/* ---- the index by account ---- */

struct account_key {
    struct store *store;
    const char *account;
};

static bool is_of_account(const void *item, const void *key)
{
    const struct account_key *wanted = key;
    const struct entry *entry = item;
    _cleanup_(cmk_resource_done) struct cmk_resource head;

    unpack_head(wanted->store->pool, entry->current, &head);
    _cleanup_(freep) char *account = cmk_account_key(head.spec.account_id);
    return str_eq(account, wanted->account);
}

static struct entry *first_of_account(struct store *store, const char *account)
{
    const struct account_key key = {store, account};

    return table_find(&store->accounts, table_hash(account), is_of_account, &key);
}

/* entry->current is of this account. */
static void index_add(struct store *store, struct entry *entry, const char *account)
{
    struct entry *first = first_of_account(store, account);

    entry->indexed = true;
    entry->account_hash = table_hash(account);
    entry->next_of_account = first;
    if (first)
        table_remove(&store->accounts, first);
    table_add(&store->accounts, entry);
}

static void index_remove(struct store *store, struct entry *entry, const char *account)
{
    struct entry *first = first_of_account(store, account);

    entry->indexed = false;
    if (first == entry) {
        table_remove(&store->accounts, entry);
        if (entry->next_of_account)
            table_add(&store->accounts, entry->next_of_account);
    } else {
        while (first->next_of_account != entry)
            first = first->next_of_account;
        first->next_of_account = entry->next_of_account;
    }
    entry->next_of_account = NULL;
}

/* NULL when the resource names none. The caller frees it. */
static char *account_of(const struct cmk_resource *resource)
{
    return resource->spec.account_id ? cmk_account_key(resource->spec.account_id) : NULL;
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

/* old NULL: there was nothing. */
static void replace(
    struct store *store, struct entry *entry, const struct cmk_resource *old, const struct cmk_resource *new)
{
    _cleanup_(freep) char *was = old ? account_of(old) : NULL, *is = account_of(new);
    bool moves = !str_eq(was, is);

    if (moves && was)
        index_remove(store, entry, was);
    struct packed *current = pack(store->pool, new); /* first, so that texts which stay keep their place in the pool */
    packed_free(store->pool, entry->current);
    entry->current = current;
    entry->facts = survey_facts_of(new);
    if (moves && is)
        index_add(store, entry, is);
}

/* Takes the resource over. */
static enum store_change take(struct store *store, struct entry *entry, struct cmk_resource *resource)
{
    _cleanup_(cmk_resource_done) struct cmk_resource new = *resource, old = {0};
    enum store_change change = STORE_CHANGED;

    *resource = (struct cmk_resource){0};
    if (entry->current) {
        unpack_head(store->pool, entry->current, &old);
        if (!is_newer(new.resource_version, old.resource_version))
            return STORE_SAME;
        change = compare(&old, &new);
        if (!is_same_incarnation(&old, &new))
            entry->memory = (struct store_memory){0};
    }
    replace(store, entry, entry->current ? &old : NULL, &new);
    return change;
}

enum store_change store_put(struct store *store, struct cmk_resource *resource)
{
    _cleanup_(freep) char *key = store_key(resource->ns, resource->name);

    pthread_mutex_lock(&store->lock);
    struct entry *entry = find(store, key);
    if (!entry)
        entry = add(store, key);
    entry->seen = store->lists;
    enum store_change change = take(store, entry, resource);
    pthread_mutex_unlock(&store->lock);
    return change;
}

static bool is_alive(struct store *store, const struct entry *entry, const struct cmk_resource *resource)
{
    _cleanup_(cmk_resource_done) struct cmk_resource head = {0};

    if (!entry || !entry->current)
        return false;
    unpack_head(store->pool, entry->current, &head);
    return is_same_incarnation(&head, resource);
}

void store_learn(struct store *store, struct cmk_resource *resource)
{
    _cleanup_(freep) char *key = store_key(resource->ns, resource->name);

    pthread_mutex_lock(&store->lock);
    struct entry *entry = find(store, key);
    if (is_alive(store, entry, resource))
        (void)take(store, entry, resource);
    else
        cmk_resource_done(resource);
    pthread_mutex_unlock(&store->lock);
}

/* Called with the lock held; the neighbours' keys are queued by the caller's function, which must not call the store.
 */
static void drop(struct store *store, struct entry *entry, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    _cleanup_(cmk_resource_done) struct cmk_resource head = {0};

    unpack_head(store->pool, entry->current, &head);
    _cleanup_(freep) char *account = account_of(&head);
    if (account) {
        index_remove(store, entry, account);
        for (struct entry *e = first_of_account(store, account); e; e = e->next_of_account)
            if (enqueue)
                enqueue(ctx, e->key);
    }
    table_remove(&store->entries, entry);
    forget(store, entry);
}

void store_remove(struct store *store, const char *key, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = find(store, key);
    if (entry)
        drop(store, entry, enqueue, ctx);
    pthread_mutex_unlock(&store->lock);
}

/* ---- lists ---- */

static struct scope *scope_of(struct store *store, const char *ns)
{
    for (struct scope *s = store->scopes; s; s = s->next)
        if (str_eq(s->ns, ns))
            return s;
    struct scope *scope = xcalloc(1, sizeof(*scope));
    *scope = (struct scope){.next = store->scopes, .ns = xstrdup(ns)};
    store->scopes = scope;
    return scope;
}

static bool is_in(const struct entry *entry, const char *ns)
{
    size_t len = ns ? strlen(ns) : 0;

    return !ns || (strncmp(entry->key, ns, len) == 0 && entry->key[len] == '/');
}

void store_list_begin(struct store *store, const char *ns)
{
    pthread_mutex_lock(&store->lock);
    scope_of(store, ns)->begun = ++store->lists;
    pthread_mutex_unlock(&store->lock);
}

void store_list_end(struct store *store, const char *ns, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    pthread_mutex_lock(&store->lock);
    unsigned begun = scope_of(store, ns)->begun;
    struct entry **gone = xcalloc(store->entries.len, sizeof(struct entry *));
    size_t n = 0;
    table_foreach(slot, &store->entries)
    {
        struct entry *entry = *slot;
        if (is_in(entry, ns) && (int)(entry->seen - begun) < 0) /* the count may wrap around */
            gone[n++] = entry;
    }
    for (size_t i = 0; i < n; i++)
        drop(store, gone[i], enqueue, ctx);
    free(gone);
    pthread_mutex_unlock(&store->lock);
}

void store_hold(struct store *store, const char *key)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = find(store, key);
    if (entry)
        entry->held = true;
    pthread_mutex_unlock(&store->lock);
}

void store_release(struct store *store, const char *ns, void (*enqueue)(void *ctx, const char *key), void *ctx)
{
    pthread_mutex_lock(&store->lock);
    table_foreach(slot, &store->entries)
    {
        struct entry *entry = *slot;
        if (!entry->held || !is_in(entry, ns))
            continue;
        entry->held = false;
        enqueue(ctx, entry->key);
    }
    pthread_mutex_unlock(&store->lock);
}

/* ---- what passes ask ---- */

static struct store_item *item_new(struct store *store, struct entry *entry)
{
    struct store_item *item = xmalloc(sizeof(*item));

    atomic_init(&item->refs, 1);
    atomic_fetch_add(&entry->refs, 1);
    item->entry = entry;
    unpack(store->pool, entry->current, &item->resource);
    return item;
}

struct store_item *store_get(struct store *store, const char *key)
{
    pthread_mutex_lock(&store->lock);
    struct entry *entry = find(store, key);
    struct store_item *item = entry ? item_new(store, entry) : NULL;
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
    if (is_alive(store, item->entry, &item->resource))
        item->entry->memory = *memory;
    pthread_mutex_unlock(&store->lock);
}

static bool is_older(const struct cmk_resource *a, const struct cmk_resource *b)
{
    return a->created_at != b->created_at ? a->created_at < b->created_at : strcmp(a->uid, b->uid) < 0;
}

/* Called with the lock held. NULL when all are being deleted, or there is none; *ret is its head otherwise. */
static struct entry *oldest_in_chain(struct store *store, struct entry *first, struct cmk_resource *ret)
{
    struct entry *oldest = NULL;

    for (struct entry *e = first; e; e = e->next_of_account) {
        _cleanup_(cmk_resource_done) struct cmk_resource head;
        unpack_head(store->pool, e->current, &head);
        if (head.deleting || (oldest && !is_older(&head, ret)))
            continue;
        oldest = e;
        cmk_resource_done(ret);
        *ret = head;
        head = (struct cmk_resource){0};
    }
    return oldest;
}

char *store_older_owner(struct store *store, const struct store_item *item)
{
    _cleanup_(cmk_resource_done) struct cmk_resource oldest = {0};
    _cleanup_(freep) char *account = account_of(&item->resource);

    if (!account)
        return NULL;
    pthread_mutex_lock(&store->lock);
    struct entry *owner = oldest_in_chain(store, first_of_account(store, account), &oldest);
    pthread_mutex_unlock(&store->lock);
    return owner && owner != item->entry && is_older(&oldest, &item->resource) ? store_key(oldest.ns, oldest.name)
                                                                               : NULL;
}

struct store_item *store_owner_of(struct store *store, const char *account_id)
{
    _cleanup_(freep) char *account = cmk_account_key(account_id);
    _cleanup_(cmk_resource_done) struct cmk_resource oldest = {0};

    pthread_mutex_lock(&store->lock);
    struct entry *owner = oldest_in_chain(store, first_of_account(store, account), &oldest);
    struct store_item *item = owner ? item_new(store, owner) : NULL;
    pthread_mutex_unlock(&store->lock);
    return item;
}

char **store_keys(struct store *store, size_t *ret_n)
{
    pthread_mutex_lock(&store->lock);
    char **keys = xcalloc(store->entries.len + 1, sizeof(*keys));
    size_t n = 0;
    table_foreach(slot, &store->entries) keys[n++] = xstrdup(((const struct entry *)*slot)->key);
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
    static const struct cmk_resource not_needed;

    *ret = (struct survey){0};
    pthread_mutex_lock(&store->lock);
    table_foreach(slot, &store->entries)
    {
        const struct entry *entry = *slot;
        _cleanup_(cmk_resource_done) struct cmk_resource resource = {0};
        bool operates = entry->facts.operation != CMK_NO_STEP; /* then its time is asked for */
        if (operates)
            unpack(store->pool, entry->current, &resource);
        survey_add(ret, &entry->facts, operates ? &resource : &not_needed, entry->memory.observed_at_s);
    }
    pthread_mutex_unlock(&store->lock);
}
