/* The work queue: which key to work on next, never twice at a time.
 *
 * Semantics of client-go's util/workqueue: a key added while it is being processed is queued again when it is done;
 * adds are merged; a key can be due at a later time; per-key exponential back-off. struct queue is pure and told the
 * time (monotonic ms); struct work_queue is the thin thread-safe wrapper on which workers block. */
#pragma once

#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue_options {
    int64_t backoff_base_ms; /* 0: 5 */
    int64_t backoff_max_ms;  /* 0: 1,000,000 (client-go's 1000 s) */
};

struct queue *queue_new(const struct queue_options *options);
struct queue *queue_free(struct queue *q); /* accepts and returns NULL */

/* Due now. A key has one due time: the earlier of two wins, whichever came first. */
void queue_add(struct queue *q, const char *key, int64_t now_ms);
void queue_add_at(struct queue *q, const char *key, int64_t due_ms);
/* Due after the key's back-off, which doubles with every call until queue_forget. Returns the delay chosen. */
int64_t queue_add_backoff(struct queue *q, const char *key, int64_t now_ms);
void queue_forget(struct queue *q, const char *key);
/* Failures in a row counted for the key. */
int queue_failures(const struct queue *q, const char *key);

/* The next key that is due and not being processed, now marked as being processed; borrowed until queue_done. NULL when
 * none is due: *ret_wake_ms is then the time of the next one, or INT64_MAX. First due, first served. */
const char *queue_get(struct queue *q, int64_t now_ms, int64_t *ret_wake_ms);
/* How long the key that was handed out last had been due. */
int64_t queue_waited_ms(const struct queue *q);
/* The key may be handed out again. */
void queue_done(struct queue *q, const char *key);
/* Drops a key that is waiting, with its back-off; one that is being processed is dropped at queue_done, unless it is
 * added again in between: an add is never lost. */
void queue_remove(struct queue *q, const char *key);

size_t queue_len(const struct queue *q);        /* waiting, due or not; a key that is handed out does not count */
size_t queue_processing(const struct queue *q); /* handed out */

/* What has happened and is, for metrics. */
struct queue_stats {
    uint64_t adds;    /* adds of keys that were not waiting already */
    uint64_t retries; /* of those: for later, or after a back-off */
    size_t ready;     /* waiting and due */
    size_t waiting;   /* due or not */
};
void queue_stats(const struct queue *q, int64_t now_ms, struct queue_stats *ret);

struct work_queue;

struct work_queue *work_queue_new(const struct queue_options *options);
struct work_queue *work_queue_free(struct work_queue *w); /* no thread may be waiting in it */
void work_queue_add(struct work_queue *w, const char *key);
void work_queue_add_after(struct work_queue *w, const char *key, int64_t delay_ms);
int64_t work_queue_add_backoff(struct work_queue *w, const char *key);
void work_queue_forget(struct work_queue *w, const char *key);
int work_queue_failures(struct work_queue *w, const char *key);
void work_queue_remove(struct work_queue *w, const char *key);
void work_queue_stats(struct work_queue *w, struct queue_stats *ret);
/* Called whenever a key is handed out, with how long it had been due; with the queue locked, so it must not call it.
 * Before the first get only. */
void work_queue_on_get(struct work_queue *w, void (*got)(void *ctx, int64_t waited_ms), void *ctx);
/* Blocks until a key is due. The copy is the caller's. NULL after work_queue_stop. */
char *work_queue_get(struct work_queue *w);
void work_queue_done(struct work_queue *w, const char *key);
/* While it is held nothing is handed out; keys wait, and their adds are merged. A new queue is not held. */
void work_queue_hold(struct work_queue *w, bool hold);
/* Wakes every waiter; from now on work_queue_get returns NULL. */
void work_queue_stop(struct work_queue *w);
