/* The CosmosCMKs that exist, as last seen: a few hundred bytes each, no JSON tree.
 *
 * The reflectors' threads put, workers get. What is got is an immutable copy, so that a pass works on one consistent
 * version for its whole length. Versions never go back: an older resourceVersion than the one held is
 * ignored. An index by account finds two resources for one account. Thread-safe. */
#pragma once

#include "cmk/types.h"
#include "controller/survey.h"

#include <stdbool.h>
#include <stddef.h>

struct store;

/* What a process remembers about a resource from pass to pass and never writes down. */
struct store_memory {
    int64_t failing_since;
    int64_t quiet_since;
    int64_t operation_read_at;
    uint32_t quiet_record_s; /* whole seconds, as a status has them */
    bool operation_lost;
    uint32_t observed_at_s; /* when the account was last read, in wall seconds; 0: never. In what was padding */
    int64_t swept;          /* the last sweep that confirmed it (controller/sweep.h) */
};

/* One version of one resource. */
struct store_item;
const struct cmk_resource *store_item_resource(const struct store_item *item);
struct store_item *store_item_unref(struct store_item *item); /* accepts and returns NULL */
DEFINE_CLEANUP(struct store_item *, store_item_unref)

struct store *store_new(void);
struct store *store_free(struct store *store); /* accepts and returns NULL */

enum store_change { STORE_SAME, STORE_STATUS_ONLY, STORE_CHANGED };

/* Takes the resource over (it is zeroed). STORE_SAME: nothing newer than what is held; STORE_STATUS_ONLY: spec,
 * annotation and deletion are as before. */
enum store_change store_put(struct store *store, struct cmk_resource *resource);
/* What a write answered, taken over likewise; but ignored unless this life of the resource is held: its deletion may
 * have been seen before the answer, and what comes back then would stay for ever and own its account. */
void store_learn(struct store *store, struct cmk_resource *resource);
/* enqueue is called for every other resource of the same account: who acts may have changed. NULL: nobody's
 * interest. */
void store_remove(struct store *store, const char *key, void (*enqueue)(void *ctx, const char *key), void *ctx);

/* A full list of one namespace (NULL: of all): everything of it that is not put between begin and end is removed at the
 * end. Lists of several namespaces may be under way at the same time. enqueue as above; it must not call the store. */
void store_list_begin(struct store *store, const char *ns);
void store_list_end(struct store *store, const char *ns, void (*enqueue)(void *ctx, const char *key), void *ctx);
/* For changes that must wait until more is known: a resource that is held is enqueued once by the next release of its
 * namespace (NULL: of all), if it still exists then. */
void store_hold(struct store *store, const char *key);
void store_release(struct store *store, const char *ns, void (*enqueue)(void *ctx, const char *key), void *ctx);

/* NULL when there is none. The reference is the caller's. */
struct store_item *store_get(struct store *store, const char *key);
struct store_memory store_recall(struct store *store, const struct store_item *item);
/* Ignored when the resource was deleted or created anew since. */
void store_remember(struct store *store, const struct store_item *item, const struct store_memory *memory);
/* "namespace/name" of the oldest other resource for the same account when it is older than this one, or NULL; the
 * caller frees it. Older is: created earlier, then the smaller uid. One that is being deleted does not count. */
char *store_older_owner(struct store *store, const struct store_item *item);
/* The resource that acts for the account (NULL when none does); the reference is the caller's. */
struct store_item *store_owner_of(struct store *store, const char *account_id);
/* Every key; the array and its members are the caller's. */
char **store_keys(struct store *store, size_t *ret_n);
size_t store_len(struct store *store);
/* O(n), with the store locked: some milliseconds for a hundred thousand. */
void store_survey(struct store *store, struct survey *ret);

/* "namespace/name"; the caller frees it. */
char *store_key(const char *ns, const char *name);
