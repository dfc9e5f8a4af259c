/* What etcd and the watch cache are to a real API server: objects by key, one version counter for all of them, and a
 * ring of the latest changes, from which watches are fed and older states are rebuilt for paged lists.
 *
 * An object is kept as its JSON text, immutable and reference counted, so that a list of ten thousand is a copy and no
 * printing. Versions up to the compacted one are forgotten: who asks for them is told that they are gone. Not
 * thread-safe. */
#pragma once

#include "base/map.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_value {
    int refs;
    int64_t version; /* metadata.resourceVersion */
    size_t len;
    char *text;
};

enum store_change { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };

struct store_event {
    enum store_change change;
    int64_t version;
    const char *collection; /* borrowed from the store */
    char *key;
    struct store_value *before; /* NULL when added */
    struct store_value *now;    /* when deleted: the last state, with the version of the deletion */
};

struct store_item {
    char *key;
    struct store_value *value;
};

struct store_collection {
    char *name;
    struct store_item *items; /* sorted by key, bytewise, as etcd does */
    size_t len;
    size_t cap;
};

struct store {
    struct map collections;
    int64_t version;
    int64_t compacted;
    struct store_event *ring;
    size_t ring_cap;
    size_t ring_first;
    size_t ring_len;
};

/* history: changes that are remembered, at least 1. */
struct store *store_new(size_t history);
/* Accepts and returns NULL. */
struct store *store_free(struct store *store);

struct store_value *store_value_ref(struct store_value *value);
/* Accepts and returns NULL. */
struct store_value *store_value_unref(struct store_value *value);

/* Borrowed until the next change; NULL when absent. */
struct store_value *store_get(const struct store *store, const char *collection, const char *key);
/* Writes object under a new version, which is also put into its metadata.resourceVersion. Borrowed result. */
struct store_value *store_put(struct store *store, const char *collection, const char *key, cJSON *object);
/* Removes key, if it is there; object is its last state, and gets the version of the deletion. */
void store_delete(struct store *store, const char *collection, const char *key, cJSON *object);
/* Number of objects of a collection whose key begins with prefix. */
size_t store_count(const struct store *store, const char *collection, const char *prefix);

struct store_list {
    struct store_item *items; /* keys and values borrowed until the next change */
    size_t len;
};

/* The objects of a collection as they were at that version (between compacted and version), in the order of their keys:
 * those that begin with prefix and, unless after is NULL, come after that key. */
void store_list(const struct store *store, const char *collection, const char *prefix, const char *after,
    int64_t version, struct store_list *ret);
void store_list_done(struct store_list *list);

/* The first change of any collection after that version, or NULL. Borrowed until the next change. */
const struct store_event *store_event_after(const struct store *store, int64_t version);

/* Forgets all changes until now. */
void store_compact(struct store *store);
