#include "base/map.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

/* Open addressing with linear probing and backward-shift deletion; at most three quarters full. */

static size_t hash(const char *s)
{
    uint64_t h = 1469598103934665603ULL; /* FNV-1a: keys are names from our own API server, not from strangers */

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211ULL;
    return (size_t)(h ^ (h >> 32));
}

static size_t find(const struct map *m, const char *key)
{
    size_t i = hash(key) & (m->cap - 1);

    while (m->slots[i].key && strcmp(m->slots[i].key, key) != 0)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void map_done(struct map *m)
{
    map_foreach (e, m)
        free(e->key);
    free(m->slots);
    *m = MAP_INIT;
}

void *map_get(const struct map *m, const char *key)
{
    return m->cap ? m->slots[find(m, key)].value : NULL;
}

const char *map_key(const struct map *m, const char *key)
{
    return m->cap ? m->slots[find(m, key)].key : NULL;
}

static void grow(struct map *m)
{
    struct map bigger = {.cap = m->cap ? m->cap * 2 : 16, .len = m->len};

    bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
    map_foreach (e, m)
        bigger.slots[find(&bigger, e->key)] = *e;
    free(m->slots);
    *m = bigger;
}

void *map_set(struct map *m, const char *key, void *value)
{
    if ((m->len + 1) * 4 > m->cap * 3)
        grow(m);
    struct map_entry *e = &m->slots[find(m, key)];
    void *old = e->value;
    if (!e->key) {
        e->key = xstrdup(key);
        m->len++;
    }
    e->value = value;
    return old;
}

void *map_remove(struct map *m, const char *key)
{
    if (!m->cap)
        return NULL;
    size_t hole = find(m, key);
    void *old = m->slots[hole].value;
    if (!m->slots[hole].key)
        return NULL;
    free(m->slots[hole].key);
    m->len--;
    for (size_t i = (hole + 1) & (m->cap - 1); m->slots[i].key; i = (i + 1) & (m->cap - 1)) {
        size_t home = hash(m->slots[i].key) & (m->cap - 1);
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_entry){0};
    return old;
}
