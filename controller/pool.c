/* An array of texts by number, chained into hash buckets by number; freed numbers wait in a list of their own. */
#include "controller/pool.h"

#include "base/mem.h"

#include <string.h>

#define NONE UINT32_MAX

struct text {
    uint32_t refs;
    uint32_t next; /* in its bucket */
    uint32_t hash;
    char bytes[];
};

union slot {
    struct text *text;
    uintptr_t next_free; /* a number, or NONE */
};

struct pool {
    union slot *slots;
    uint32_t *buckets;     /* first number of each, or NONE */
    uint32_t n_slots, cap; /* slots given out at least once; allocated: a power of two, and as many buckets */
    uint32_t first_free;   /* or NONE */
    size_t len;
};

struct pool *pool_new(void)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));

    pool->first_free = NONE;
    return pool;
}

struct pool *pool_free(struct pool *pool)
{
    if (!pool)
        return NULL;
    for (uint32_t b = 0; b < pool->cap; b++)
        for (uint32_t i = pool->buckets[b], next; i != NONE; i = next) {
            next = pool->slots[i].text->next;
            free(pool->slots[i].text);
        }
    free(pool->slots);
    free(pool->buckets);
    free(pool);
    return NULL;
}

static uint32_t hash(const char *text, size_t len)
{
    uint32_t h = 2166136261U; /* FNV-1a; a text of a few kilobytes at most, from our own API server */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619U;
    return h ^ (h >> 15);
}

static void put_in_bucket(struct pool *pool, uint32_t number)
{
    struct text *text = pool->slots[number].text;
    uint32_t *first = &pool->buckets[text->hash & (pool->cap - 1)];

    text->next = *first;
    *first = number;
}

/* Only when every slot is in use, so each holds a text. */
static void grow(struct pool *pool)
{
    uint32_t cap = pool->cap ? pool->cap * 2 : 64;

    if (cap == 0)
        abort(); /* 2^32 different texts do not fit into memory */
    pool->slots = xrealloc(pool->slots, cap * sizeof(*pool->slots));
    pool->buckets = xrealloc(pool->buckets, cap * sizeof(*pool->buckets));
    pool->cap = cap;
    memset(pool->buckets, 0xff, cap * sizeof(*pool->buckets)); /* NONE */
    for (uint32_t i = 0; i < pool->n_slots; i++)
        put_in_bucket(pool, i);
}

static uint32_t add(struct pool *pool, const char *bytes, size_t len, uint32_t h)
{
    struct text *text = xmalloc(sizeof(*text) + len + 1);
    uint32_t number = pool->first_free;

    if (number != NONE) {
        pool->first_free = (uint32_t)pool->slots[number].next_free;
    } else {
        if (pool->n_slots == pool->cap)
            grow(pool);
        number = pool->n_slots++;
    }
    *text = (struct text){.refs = 1, .hash = h};
    memcpy(text->bytes, bytes, len);
    text->bytes[len] = '\0';
    pool->slots[number].text = text;
    put_in_bucket(pool, number);
    pool->len++;
    return number;
}

uint32_t pool_hold(struct pool *pool, const char *text, size_t len)
{
    uint32_t h = hash(text, len);

    for (uint32_t i = pool->cap ? pool->buckets[h & (pool->cap - 1)] : NONE; i != NONE;) {
        struct text *t = pool->slots[i].text;
        if (t->hash == h && strncmp(t->bytes, text, len) == 0 && t->bytes[len] == '\0') {
            t->refs++;
            return i;
        }
        i = t->next;
    }
    return add(pool, text, len, h);
}

void pool_release(struct pool *pool, uint32_t number)
{
    struct text *text = pool->slots[number].text;

    if (--text->refs > 0)
        return;
    uint32_t *at = &pool->buckets[text->hash & (pool->cap - 1)];
    while (*at != number)
        at = &pool->slots[*at].text->next;
    *at = text->next;
    free(text);
    pool->slots[number].next_free = pool->first_free;
    pool->first_free = number;
    pool->len--;
}

const char *pool_text(const struct pool *pool, uint32_t number)
{
    return pool->slots[number].text->bytes;
}

size_t pool_len(const struct pool *pool)
{
    return pool->len;
}
