/* A hash table of pointers to things that hold their own key: one word a slot, and no copy of anything.
 *
 * The table asks for the hash of what it holds (hash), the caller says what it looks for (match). Two equal things are
 * the caller's business. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
    void **slots; /* NULL: free */
    size_t cap;   /* a power of two, or 0 */
    size_t len;
    uint64_t (*hash)(const void *item);
};

#define TABLE_INIT(hash_function) ((struct table){.hash = (hash_function)})

/* Frees the slots, not what is in them. */
void table_done(struct table *t);
/* The first item with this hash that match accepts, or NULL. */
void *table_find(
    const struct table *t, uint64_t hash, bool (*match)(const void *item, const void *key), const void *key);
/* item must not be NULL, and its hash must not change as long as it is in the table. */
void table_add(struct table *t, void *item);
/* Exactly this one; nothing when it is not there. */
void table_remove(struct table *t, const void *item);

/* FNV-1a of a string: keys are names that our own API server has let in, not the choice of strangers. */
uint64_t table_hash(const char *s);

/* In no particular order; the table must not be changed meanwhile. */
#define table_foreach(slot, t)                                                                                         \
    for (void **slot = (t)->slots; slot && slot < (t)->slots + (t)->cap; slot++)                                       \
        if (*slot)
