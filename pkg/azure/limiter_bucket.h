/* One token bucket as we imagine it on Azure's side, and the queue of those who wait for its tokens. Pure: told the
 * time (monotonic ms). Private to this folder; the layer is azure/limiter.h.
 *
 * What is imagined is corrected by every answer: the count that Azure says is left is the truth of that moment. The
 * speed of refilling is learnt from how the count moves, and lowered by a 429.
 *
 * Two lanes. The urgent lane (polls of operations, and what a caller asks right after it had its turn, so that a pass
 * that has begun can end) owns LIMITER_URGENT_SHARE of what is refilled, saved up to LIMITER_URGENT_SAVED of the
 * bucket. The plain lane owns the rest. What one lane leaves, the other may take while nobody waits in the first:
 * neither starves the other. A few tokens are never counted on; from these a pass that has begun may end even when its
 * lane is empty, because a pass that is broken off has cost its reads for nothing.
 *
 * Who is refused has a ticket: a time in its lane, one token after those before it. Tickets keep their order when
 * tokens come more slowly than was thought, or not at all for a while: the whole lane slips. */
#pragma once

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_URGENT_SHARE 0.6
#define LIMITER_PASS                                                                                                   \
    14.0 /* requests of a pass that is about to change an account: the account, the vault, the key, rights, locks */
#define LIMITER_URGENT_SAVED 0.4
#define LIMITER_MAX_CALLERS 32768 /* remembered in one bucket; who comes on top is refused without a ticket */
#define LIMITER_FOLLOW_MS 4500    /* how long a turn lasts: a pass, and not until the next poll */
#define LIMITER_FOLLOW_MAX 24     /* and how many more requests it is good for */
/* A ticket that is not used so long after its time is void. Long, because who has a ticket for a change may first have
 * to wait for a read. */
#define LIMITER_EXPIRE_MS 900000

enum limiter_lane { LIMITER_PLAIN, LIMITER_URGENT, LIMITER_LANES };

/* Azure counts a subscription's requests twice: those of this principal in one region, and all ("global"). */
enum limiter_scope { LIMITER_LOCAL, LIMITER_GLOBAL, LIMITER_SCOPES };

struct limiter_meter {
    double level, cap; /* tokens */
    double rate;       /* tokens per ms, as learnt */
    double first_rate; /* as documented */
    uint64_t heard;    /* number of the latest request whose answer told a count */
    int64_t heard_at;
    bool anchored; /* the count from which refilling is measured */
    double anchor_level;
    uint64_t anchor_number;
    int64_t anchor_at;
};

struct limiter_queue {
    size_t waiting;
    int64_t slip;  /* added to the time of every ticket */
    int64_t last;  /* the latest ticket's time, without slip */
    int64_t again; /* the latest time that was given to one whose time had come in vain */
};

struct limiter_bucket {
    struct limiter_meter meters[LIMITER_SCOPES];
    struct limiter_queue lanes[LIMITER_LANES];
    bool one_lane;     /* everything is plain */
    double saved;      /* the urgent lane's part of the level */
    int64_t at;        /* of the last refill */
    int64_t closed_to; /* nothing is sent before: Azure said so */
    int64_t slower_at; /* the next time that a 429 lowers the rate */
    int64_t sweep_at;
    uint64_t sent; /* requests so far; the number of the latest */
    int in_flight;
    struct map callers; /* by key: struct caller */
};

/* burst and per second of both scopes, as documented. */
struct limiter_figures {
    double burst[LIMITER_SCOPES], per_s[LIMITER_SCOPES];
    bool one_lane;
};
void limiter_bucket_init(struct limiter_bucket *b, const struct limiter_figures *figures, int64_t now);
void limiter_bucket_done(struct limiter_bucket *b);

/* 0: go, and tell the outcome with one of the two functions below, with this number. Otherwise the time to wait, in ms:
 * the caller's turn. key says who asks: the same key keeps its place. */
int64_t limiter_bucket_ask(
    struct limiter_bucket *b, uint64_t key, enum limiter_lane lane, int64_t now, uint64_t *ret_number);

struct limiter_heard {
    uint64_t number, key;
    enum limiter_lane lane;      /* as it was asked for */
    bool throttled;              /* 429 */
    double left[LIMITER_SCOPES]; /* what Azure says is left; negative: it did not say */
    int64_t wait_ms;             /* what Azure asked everybody to wait; 0: nothing */
};
void limiter_bucket_heard(struct limiter_bucket *b, const struct limiter_heard *heard, int64_t now);
/* There was no answer. When nothing was sent either, the token is still there. */
void limiter_bucket_lost(struct limiter_bucket *b, bool maybe_sent, int64_t now);

/* As of the last call: whole tokens, tokens per second, callers with a ticket. */
double limiter_bucket_level(const struct limiter_bucket *b);
double limiter_bucket_rate(const struct limiter_bucket *b);
size_t limiter_bucket_waiting(const struct limiter_bucket *b);
/* Full, nobody waits, nothing is on its way: forgetting it loses nothing that matters. */
bool limiter_bucket_idle(const struct limiter_bucket *b, int64_t now);
