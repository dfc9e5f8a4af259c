/* Open addressing with linear probing and backward-shift deletion; at most three quarters full. */
#include "base/table.h"

#include "base/mem.h"

uint64_t table_hash(const char *s)
{
    uint64_t h = 1469598103934665603ULL;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211ULL;
    return h ^ (h >> 32);
}

void table_done(struct table *t)
{
    free(t->slots);
    *t = TABLE_INIT(t->hash);
}

void *table_find(
    const struct table *t, uint64_t hash, bool (*match)(const void *item, const void *key), const void *key)
{
    size_t mask = t->cap - 1;

    if (!t->cap)
        return NULL;
    for (size_t i = (size_t)hash & mask; t->slots[i]; i = (i + 1) & mask)
        if (t->hash(t->slots[i]) == hash && match(t->slots[i], key))
            return t->slots[i];
    return NULL;
}

static void put(struct table *t, void *item)
{
    size_t i = (size_t)t->hash(item) & (t->cap - 1);

    while (t->slots[i])
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = item;
}

static void grow(struct table *t)
{
    struct table bigger = {.cap = t->cap ? t->cap * 2 : 16, .len = t->len, .hash = t->hash};

    bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
    table_foreach(slot, t) put(&bigger, *slot);
    free(t->slots);
    *t = bigger;
}

void table_add(struct table *t, void *item)
{
    if ((t->len + 1) * 4 > t->cap * 3)
        grow(t);
    put(t, item);
    t->len++;
}

void table_remove(struct table *t, const void *item)
{
    size_t mask = t->cap - 1, hole = t->cap ? (size_t)t->hash(item) & mask : 0;

    while (t->cap && t->slots[hole] && t->slots[hole] != item)
        hole = (hole + 1) & mask;
    if (!t->cap || !t->slots[hole])
        return;
    t->len--;
    for (size_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
        size_t home = (size_t)t->hash(t->slots[i]) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole] = NULL;
}
