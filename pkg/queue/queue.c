/* The core of the work queue: a heap of due times over a map of keys. Pure: it is told the time and never waits.
 *
 * Invariants: a key has one entry, however often it was added; an entry is in the heap exactly when it is pending and
 * not being processed, so the top of the heap can always be handed out; an entry that is neither pending nor processing
 * lives only as long as it has failures to remember. An add while the key is being processed is kept in the entry
 * (client-go's "dirty") and enters the heap at queue_done. Every operation costs one look-up and at most O(log n)
 * swaps.
 *
 * Not here: threads, clocks, and any limit on the number of keys, which come from objects that the API server has let
 * in. */
#include "queue/queue.h"

#include "base/mem.h"

#define NOT_IN_HEAP UINT32_MAX

/* 40 bytes: a fleet has one of these for every resource, most of them waiting for hours. */
struct entry {
    const char *key; /* the map's copy */
    int64_t due_ms;  /* meaningful while pending */
    uint64_t seq;    /* order of insertion among equal due times */
    uint32_t heap_at;
    uint32_t failures : 30;
    uint32_t pending : 1;
    uint32_t processing : 1;
};

struct queue {
    struct map entries;
    struct entry **heap;
    size_t heap_len, heap_cap;
    size_t processing;
    uint64_t next_seq;
    uint64_t adds, retries;
    int64_t waited_ms;
    int64_t base_ms, max_ms;
};

#define FAILURES_MAX ((1 << 30) - 1)

struct queue *queue_new(const struct queue_options *options)
{
    struct queue *q = xcalloc(1, sizeof(*q));

    q->base_ms = options && options->backoff_base_ms > 0 ? options->backoff_base_ms : 5;
    q->max_ms = options && options->backoff_max_ms > 0 ? options->backoff_max_ms : 1000000;
    return q;
}

struct queue *queue_free(struct queue *q)
{
    if (!q)
        return NULL;
    map_foreach (e, &q->entries)
        free(e->value);
    map_done(&q->entries);
    free(q->heap);
    free(q);
    return NULL;
}

static bool before(const struct entry *a, const struct entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

static void put(struct queue *q, size_t at, struct entry *e)
{
    q->heap[at] = e;
    e->heap_at = (uint32_t)at;
}

static void sift_up(struct queue *q, struct entry *e)
{
    size_t at = e->heap_at;

    while (at > 0 && before(e, q->heap[(at - 1) / 2])) {
        put(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(q, at, e);
}

static void sift_down(struct queue *q, struct entry *e)
{
    size_t at = e->heap_at;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < q->heap_len && before(q->heap[child + 1], q->heap[child]))
            child++;
        if (child >= q->heap_len || !before(q->heap[child], e))
            break;
        put(q, at, q->heap[child]);
        at = child;
    }
    put(q, at, e);
}

static void heap_insert(struct queue *q, struct entry *e)
{
    if (q->heap_len == q->heap_cap) {
        q->heap_cap = q->heap_cap ? q->heap_cap * 2 : 16;
        q->heap = xrealloc(q->heap, q->heap_cap * sizeof(void *));
    }
    put(q, q->heap_len++, e);
    sift_up(q, e);
}

static void heap_remove(struct queue *q, struct entry *e)
{
    size_t at = e->heap_at;
    struct entry *last = q->heap[--q->heap_len];

    e->heap_at = NOT_IN_HEAP;
    if (last == e)
        return;
    put(q, at, last);
    sift_up(q, last);
    sift_down(q, last);
}

static struct entry *entry_of(struct queue *q, const char *key)
{
    struct entry *e = map_get(&q->entries, key);

    if (e)
        return e;
    e = xcalloc(1, sizeof(*e));
    e->heap_at = NOT_IN_HEAP;
    (void)map_set(&q->entries, key, e);
    e->key = map_key(&q->entries, key);
    return e;
}

static void drop_if_idle(struct queue *q, struct entry *e)
{
    if (e->pending || e->processing || e->failures > 0)
        return;
    (void)map_remove(&q->entries, e->key);
    free(e);
}

static void schedule(struct queue *q, struct entry *e, int64_t due_ms)
{
    if (e->pending && e->due_ms <= due_ms)
        return;
    q->adds += !e->pending;
    e->pending = true;
    e->due_ms = due_ms;
    e->seq = q->next_seq++;
    if (e->heap_at != NOT_IN_HEAP)
        sift_up(q, e);
    else if (!e->processing)
        heap_insert(q, e);
}

void queue_add(struct queue *q, const char *key, int64_t now_ms)
{
    schedule(q, entry_of(q, key), now_ms);
}

void queue_add_at(struct queue *q, const char *key, int64_t due_ms)
{
    q->retries++;
    schedule(q, entry_of(q, key), due_ms);
}

/* base * 2^failures, at most max. */
static int64_t backoff(const struct queue *q, uint32_t failures)
{
    int64_t delay = q->base_ms;

    for (uint32_t i = 0; i < failures && delay < q->max_ms; i++)
        delay = delay > q->max_ms / 2 ? q->max_ms : delay * 2;
    return delay < q->max_ms ? delay : q->max_ms;
}

int64_t queue_add_backoff(struct queue *q, const char *key, int64_t now_ms)
{
    struct entry *e = entry_of(q, key);
    int64_t delay = backoff(q, e->failures), due;

    q->retries++;
    if (e->failures < FAILURES_MAX)
        e->failures++;
    if (__builtin_add_overflow(now_ms, delay, &due))
        due = INT64_MAX;
    schedule(q, e, due);
    return delay;
}

void queue_forget(struct queue *q, const char *key)
{
    struct entry *e = map_get(&q->entries, key);

    if (!e)
        return;
    e->failures = 0;
    drop_if_idle(q, e);
}

int queue_failures(const struct queue *q, const char *key)
{
    const struct entry *e = map_get(&q->entries, key);

    return e ? (int)e->failures : 0;
}

const char *queue_get(struct queue *q, int64_t now_ms, int64_t *ret_wake_ms)
{
    struct entry *e = q->heap_len ? q->heap[0] : NULL;

    if (!e || e->due_ms > now_ms) {
        *ret_wake_ms = e ? e->due_ms : INT64_MAX;
        return NULL;
    }
    heap_remove(q, e);
    q->waited_ms = now_ms - e->due_ms;
    e->pending = false;
    e->processing = true;
    q->processing++;
    return e->key;
}

void queue_done(struct queue *q, const char *key)
{
    struct entry *e = map_get(&q->entries, key);

    if (!e || !e->processing)
        return;
    e->processing = false;
    q->processing--;
    if (e->pending)
        heap_insert(q, e);
    drop_if_idle(q, e);
}

void queue_remove(struct queue *q, const char *key)
{
    struct entry *e = map_get(&q->entries, key);

    if (!e)
        return;
    if (e->heap_at != NOT_IN_HEAP)
        heap_remove(q, e);
    e->pending = false;
    e->failures = 0;
    drop_if_idle(q, e);
}

int64_t queue_waited_ms(const struct queue *q)
{
    return q->waited_ms;
}

/* Only those that are due are visited: below one that is not, nothing is. */
static size_t count_ready(const struct queue *q, size_t at, int64_t now_ms)
{
    if (at >= q->heap_len || q->heap[at]->due_ms > now_ms)
        return 0;
    return 1 + count_ready(q, 2 * at + 1, now_ms) + count_ready(q, 2 * at + 2, now_ms);
}

void queue_stats(const struct queue *q, int64_t now_ms, struct queue_stats *ret)
{
    *ret = (struct queue_stats){
        .adds = q->adds, .retries = q->retries, .ready = count_ready(q, 0, now_ms), .waiting = q->heap_len};
}

size_t queue_len(const struct queue *q)
{
    return q->heap_len;
}

size_t queue_processing(const struct queue *q)
{
    return q->processing;
}
