/* A hash map from strings to pointers. The map owns copies of its keys; values belong to the caller. Not thread-safe.
 */
#pragma once

#include <stddef.h>

struct map_entry {
    char *key; /* NULL: free slot */
    void *value;
};

struct map {
    struct map_entry *slots;
    size_t cap; /* a power of two, or 0 */
    size_t len;
};

#define MAP_INIT ((struct map){0})

/* Frees keys and slots, not the values. */
void map_done(struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, const char *key);
/* The map's own copy of key, or NULL when absent. Borrowed until the key is removed: it does not move when the map
 * grows. */
const char *map_key(const struct map *m, const char *key);
/* Returns the value that was there, or NULL. value must not be NULL. */
void *map_set(struct map *m, const char *key, void *value);
/* Returns the value that was there, or NULL. */
void *map_remove(struct map *m, const char *key);

/* In no particular order; the map must not be changed meanwhile. */
#define map_foreach(entry, m)                                                                                          \
    for (struct map_entry *entry = (m)->slots; entry && entry < (m)->slots + (m)->cap; entry++)                        \
        if (entry->key)
