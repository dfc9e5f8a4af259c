/* The arithmetic of one bucket; see the header for the idea. Invariants: saved <= level; a lane's waiting is the number
 * of tickets in it; a token is taken from both scopes or from none. */
#include "azure/limiter_bucket.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MEASURE_MS 5000      /* shorter, and what is in flight would count for too much */
#define MEASURE_MAX_MS 15000 /* longer, and the bucket may have been full in between */
#define SILENCE_MS 60000     /* after so long without a count the rate creeps back to the documented one */
#define CREEP_MS 600000.0    /* and is there after so long */
#define SLOWER 0.75          /* what a 429 leaves of the rate */
#define SLOWEST 0.02         /* of the documented rate */
#define FASTEST 100.0
#define CUSHION 6       /* tokens not counted on: an error of ours then shows in the count before it is a 429 */
#define CUSHION_LEAST 2 /* of which the rest may go to a pass that has begun */
/* No bucket is taken to be smaller: with less than that neither lane could ever come to a whole token beside what the
 * other saves and a pass sets aside, and where nothing is sent nothing better is heard. */
#define CAP_LEAST 8
#define NEXT_IN_LINE 10    /* callers whose tokens must be there before somebody else is served out of turn */
#define MAX_WAIT_MS 600000 /* who has to wait for longer asks again in between */
#define SWEEP_MS 10000
#define KEY_SIZE 17

/* One who waits (a ticket), or one who had its turn a moment ago. */
struct caller {
    bool waits;
    enum limiter_lane lane;
    int64_t at; /* of a ticket: its time without the lane's slip; of a turn: its end */
    int left;   /* of a turn: requests */
};

void limiter_bucket_init(struct limiter_bucket *b, const struct limiter_figures *figures, int64_t now)
{
    *b = (struct limiter_bucket){.one_lane = figures->one_lane, .at = now, .sweep_at = now + SWEEP_MS};
    for (int s = 0; s < LIMITER_SCOPES; s++)
        b->meters[s] = (struct limiter_meter){.level = figures->burst[s] - CUSHION,
            .cap = figures->burst[s] - CUSHION,
            .rate = figures->per_s[s] / 1000,
            .first_rate = figures->per_s[s] / 1000,
            .heard_at = now};
    b->saved = figures->one_lane ? 0 : LIMITER_URGENT_SAVED * limiter_bucket_level(b);
}

void limiter_bucket_done(struct limiter_bucket *b)
{
    map_foreach (entry, &b->callers)
        free(entry->value);
    map_done(&b->callers);
}

/* ---- the meters ---- */

static double min_of(double a, double b)
{
    return a < b ? a : b;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

double limiter_bucket_level(const struct limiter_bucket *b)
{
    return min_of(b->meters[LIMITER_LOCAL].level, b->meters[LIMITER_GLOBAL].level);
}

static double rate_of(const struct limiter_bucket *b)
{
    return min_of(b->meters[LIMITER_LOCAL].rate, b->meters[LIMITER_GLOBAL].rate);
}

double limiter_bucket_rate(const struct limiter_bucket *b)
{
    return rate_of(b) * 1000;
}

static double cap_of(const struct limiter_bucket *b)
{
    return min_of(b->meters[LIMITER_LOCAL].cap, b->meters[LIMITER_GLOBAL].cap);
}

static void keep_saved_in_bounds(struct limiter_bucket *b)
{
    double level = limiter_bucket_level(b), most = b->one_lane ? 0 : LIMITER_URGENT_SAVED * cap_of(b);

    b->saved = clamp(b->saved, 0, min_of(most, level > 0 ? level : 0));
}

static void refill_meter(struct limiter_meter *m, int64_t ms, int64_t now)
{
    if (m->rate < m->first_rate && now - m->heard_at > SILENCE_MS)
        m->rate = min_of(m->first_rate, m->rate + m->first_rate * (double)ms / CREEP_MS);
    m->level = min_of(m->cap, m->level + m->rate * (double)ms);
}

static void refill(struct limiter_bucket *b, int64_t now)
{
    int64_t ms = now - b->at;

    if (ms <= 0)
        return;
    b->at = now;
    for (int s = 0; s < LIMITER_SCOPES; s++)
        refill_meter(&b->meters[s], ms, now);
    b->saved += LIMITER_URGENT_SHARE * rate_of(b) * (double)ms;
    keep_saved_in_bounds(b);
}

static void add_tokens(struct limiter_bucket *b, double n)
{
    for (int s = 0; s < LIMITER_SCOPES; s++)
        b->meters[s].level = min_of(b->meters[s].cap, b->meters[s].level + n);
    keep_saved_in_bounds(b);
}

/* ---- the lanes ---- */

/* What a turn sets aside for the requests that follow in its pass: a pass that is broken off has to begin again, and
 * were more begun than can end, none would. */
static double pass_of(const struct limiter_bucket *b)
{
    return b->one_lane ? 0 : min_of(LIMITER_PASS, cap_of(b) / 8);
}

static double available(const struct limiter_bucket *b, enum limiter_lane lane)
{
    double plain = limiter_bucket_level(b) - b->saved;

    if (lane == LIMITER_PLAIN)
        return plain - pass_of(b);
    return b->lanes[LIMITER_PLAIN].waiting ? b->saved : b->saved + (plain > 0 ? plain : 0);
}

/* Tokens per ms that the lane can count on. */
static double lane_rate(const struct limiter_bucket *b, enum limiter_lane lane)
{
    double rate = rate_of(b);

    if (lane == LIMITER_URGENT)
        return b->lanes[LIMITER_PLAIN].waiting ? rate * LIMITER_URGENT_SHARE : rate;
    return b->lanes[LIMITER_URGENT].waiting ? rate * (1 - LIMITER_URGENT_SHARE) : rate;
}

static int64_t time_for(const struct limiter_bucket *b, enum limiter_lane lane, double tokens)
{
    return tokens > 0 ? (int64_t)(tokens / lane_rate(b, lane)) + 1 : 0;
}

static void take(struct limiter_bucket *b, enum limiter_lane lane)
{
    /* Below zero: taken from the plain part, and put right below. */
    b->saved += lane == LIMITER_URGENT ? -1 : pass_of(b);
    for (int s = 0; s < LIMITER_SCOPES; s++)
        b->meters[s].level -= 1;
    keep_saved_in_bounds(b);
}

/* ---- the callers ---- */

static void key_text(uint64_t key, char ret[static KEY_SIZE])
{
    (void)snprintf(ret, KEY_SIZE, "%016" PRIx64, key);
}

static struct caller *caller_find(const struct limiter_bucket *b, uint64_t key)
{
    char text[KEY_SIZE];

    key_text(key, text);
    return map_get(&b->callers, text);
}

static bool is_void(const struct limiter_bucket *b, const struct caller *c, int64_t now)
{
    return c->waits ? now > c->at + b->lanes[c->lane].slip + LIMITER_EXPIRE_MS : now > c->at;
}

static void forget(struct limiter_bucket *b, const char *text)
{
    struct caller *c = map_remove(&b->callers, text);

    if (c && c->waits)
        b->lanes[c->lane].waiting--;
    free(c);
}

/* In two steps, because removing moves entries. */
static void sweep(struct limiter_bucket *b, int64_t now)
{
    size_t n = 0;

    if (now < b->sweep_at)
        return;
    b->sweep_at = now + SWEEP_MS;
    _cleanup_(freep) uint64_t *gone = xcalloc(b->callers.len + 1, sizeof(*gone));
    map_foreach (entry, &b->callers)
        if (is_void(b, entry->value, now))
            gone[n++] = strtoull(entry->key, NULL, 16);
    for (size_t i = 0; i < n; i++) {
        char text[KEY_SIZE];
        key_text(gone[i], text);
        forget(b, text);
    }
}

/* NULL when no more can be remembered. */
static struct caller *caller_make(struct limiter_bucket *b, uint64_t key)
{
    struct caller *c = caller_find(b, key);
    char text[KEY_SIZE];

    if (c || b->callers.len >= LIMITER_MAX_CALLERS)
        return c;
    c = xcalloc(1, sizeof(*c));
    key_text(key, text);
    (void)map_set(&b->callers, text, c);
    return c;
}

/* ---- asking ---- */

static int64_t wait_until(int64_t at, int64_t now)
{
    int64_t ms = at - now;

    return ms < 1 ? 1 : ms > MAX_WAIT_MS ? MAX_WAIT_MS : ms;
}

/* The first to be refused has the time of the next token; each one after it that of the token after. */
static int64_t queue_up(struct limiter_bucket *b, uint64_t key, enum limiter_lane lane, int64_t now)
{
    struct limiter_queue *q = &b->lanes[lane];
    int64_t open = now > b->closed_to ? now : b->closed_to;
    int64_t at = open + time_for(b, lane, (double)q->waiting + 1 - available(b, lane));
    struct caller *c = caller_make(b, key);

    if (q->waiting > 0 && at < q->last + q->slip + time_for(b, lane, 1))
        at = q->last + q->slip + time_for(b, lane, 1);
    if (c) {
        *c = (struct caller){.waits = true, .lane = lane, .at = at - q->slip};
        q->last = c->at;
        q->waiting++;
    }
    return wait_until(at, now);
}

/* Its time has come and its token has not: everybody in this lane moves on by as much as is missing. Several to whom
 * that happens at once come again one after another. */
static int64_t slip(struct limiter_bucket *b, struct caller *c, int64_t now)
{
    struct limiter_queue *q = &b->lanes[c->lane];
    int64_t open = now > b->closed_to ? now : b->closed_to;
    int64_t missing = time_for(b, c->lane, 1 - available(b, c->lane));
    int64_t at = open + (missing > 0 ? missing : 1), after = q->again + time_for(b, c->lane, 1);

    if (q->again >= open && at < after)
        at = after;
    q->again = at;
    q->slip += missing;
    c->at = at - q->slip;
    if (c->at > q->last)
        q->last = c->at;
    return wait_until(at, now);
}

/* More tokens than those who wait can need. Whose turn is later finds its token refilled by then; so when tokens pile
 * up although many wait, they come faster than turns were given, and who asks now takes nothing from anybody. */
static bool has_surplus(const struct limiter_bucket *b, enum limiter_lane lane)
{
    size_t waiting = b->lanes[lane].waiting;

    return available(b, lane) - (double)(waiting < NEXT_IN_LINE ? waiting : NEXT_IN_LINE) >= 1;
}

static int64_t go(
    struct limiter_bucket *b, uint64_t key, enum limiter_lane lane, bool follows, int64_t now, uint64_t *ret_number)
{
    struct caller *c = caller_find(b, key);

    if (c && c->waits)
        b->lanes[c->lane].waiting--;
    take(b, lane);
    b->in_flight++;
    *ret_number = ++b->sent;
    if (follows)
        return 0;
    c = b->one_lane ? c : caller_make(b, key);
    if (c)
        *c = (struct caller){.at = now + LIMITER_FOLLOW_MS, .left = LIMITER_FOLLOW_MAX};
    return 0;
}

int64_t limiter_bucket_ask(
    struct limiter_bucket *b, uint64_t key, enum limiter_lane lane, int64_t now, uint64_t *ret_number)
{
    refill(b, now);
    sweep(b, now);
    struct caller *c = caller_find(b, key);
    bool waits = c && c->waits && !is_void(b, c, now);
    bool follows = c && !c->waits && now <= c->at && c->left > 0;

    if (c && c->waits && !waits) { /* too late: to the end of the queue */
        b->lanes[c->lane].waiting--;
        c->waits = false;
        c->left = 0;
    }
    lane = b->one_lane ? LIMITER_PLAIN : waits ? c->lane : follows ? LIMITER_URGENT : lane;
    const struct limiter_queue *q = &b->lanes[lane];
    bool open = now >= b->closed_to;
    if (waits) {
        if (open && (has_surplus(b, lane) || (available(b, lane) >= 1 && c->at + q->slip <= now)))
            return go(b, key, lane, false, now, ret_number);
        return c->at + q->slip > now ? wait_until(c->at + q->slip, now) : slip(b, c, now);
    }
    bool may_end = follows && limiter_bucket_level(b) - 1 >= CUSHION_LEAST - CUSHION;
    if (!open || (!may_end && !has_surplus(b, lane)))
        return queue_up(b, key, lane, now);
    if (follows)
        c->left--;
    return go(b, key, lane, follows, now, ret_number);
}

/* ---- hearing ---- */

/* Between two counts of a bucket that was never full (had it been, the next count would have told), what came in is
 * what the second has more than the first, plus what we took. What others took counts as not having come, which is just
 * what we need to know. */
static void measure(struct limiter_meter *m, double left, uint64_t number, int64_t now)
{
    double dt = (double)(now - m->anchor_at), used = (double)(number - m->anchor_number);
    bool full = left > 0.95 * m->cap;

    if (m->anchored && !full && dt < MEASURE_MS)
        return;
    if (m->anchored && !full && dt <= MEASURE_MAX_MS) {
        double came = left - m->anchor_level + used;
        m->rate = clamp((m->rate + came / dt) / 2, SLOWEST * m->first_rate, FASTEST * m->first_rate);
    }
    m->anchored = true;
    m->anchor_level = left;
    m->anchor_number = number;
    m->anchor_at = now;
}

/* Requests on their way may or may not be in the count: none is taken to be. An answer to an older request than one
 * that was heard already tells old news. */
static void hear_count(struct limiter_bucket *b, struct limiter_meter *m, double left, uint64_t number, int64_t now)
{
    if (left < 0 || number <= m->heard)
        return;
    left -= CUSHION;
    bool thought_full = m->level + b->in_flight + 1 >= m->cap;
    m->heard = number;
    m->heard_at = now;
    measure(m, left, number, now);
    double most = left + b->in_flight + 1;
    if (most > m->cap || (thought_full && most < 0.95 * m->cap))
        m->cap = most > CAP_LEAST ? most : CAP_LEAST;
    m->level = left - b->in_flight;
}

static void close_for(struct limiter_bucket *b, int64_t ms, int64_t now)
{
    int64_t from = b->closed_to > now ? b->closed_to : now;

    if (now + ms <= from)
        return;
    b->closed_to = now + ms;
    for (int l = 0; l < LIMITER_LANES; l++)
        if (b->lanes[l].waiting > 0)
            b->lanes[l].slip += b->closed_to - from;
}

/* The bucket was emptier than we thought. Whose count was wrong is not known: the local one, unless Azure says. When it
 * says that both have tokens, somebody behind ARM was throttled, and nothing is to be learnt. */
static void hear_throttled(struct limiter_bucket *b, const struct limiter_heard *heard, int64_t now)
{
    struct limiter_meter *m = &b->meters[LIMITER_LOCAL];

    if (heard->left[LIMITER_GLOBAL] >= 0 && heard->left[LIMITER_GLOBAL] < 1)
        m = &b->meters[LIMITER_GLOBAL];
    else if (heard->left[LIMITER_LOCAL] >= 1)
        return;
    if (m->level > 0)
        m->level = 0;
    m->anchored = false;
    m->heard_at = now;
    if (now < b->slower_at)
        return;
    b->slower_at = now + heard->wait_ms + 1000; /* one misjudgement, however many requests it hit */
    m->rate = clamp(m->rate * SLOWER, SLOWEST * m->first_rate, FASTEST * m->first_rate);
}

/* Its turn came to nothing: it is the first when the bucket opens again. */
static void give_back_turn(struct limiter_bucket *b, const struct limiter_heard *heard)
{
    enum limiter_lane lane = b->one_lane ? LIMITER_PLAIN : heard->lane;
    struct limiter_queue *q = &b->lanes[lane];
    struct caller *c = caller_make(b, heard->key);

    if (!c || c->waits)
        return;
    *c = (struct caller){.waits = true, .lane = lane, .at = b->closed_to - q->slip};
    if (q->waiting++ == 0 || q->last < c->at)
        q->last = c->at;
}

void limiter_bucket_heard(struct limiter_bucket *b, const struct limiter_heard *heard, int64_t now)
{
    refill(b, now);
    b->in_flight--;
    for (int s = 0; s < LIMITER_SCOPES; s++)
        hear_count(b, &b->meters[s], heard->left[s], heard->number, now);
    if (heard->throttled)
        hear_throttled(b, heard, now);
    if (heard->wait_ms > 0)
        close_for(b, heard->wait_ms, now);
    if (heard->throttled)
        give_back_turn(b, heard);
    keep_saved_in_bounds(b);
}

void limiter_bucket_lost(struct limiter_bucket *b, bool maybe_sent, int64_t now)
{
    refill(b, now);
    b->in_flight--;
    if (!maybe_sent)
        add_tokens(b, 1);
}

size_t limiter_bucket_waiting(const struct limiter_bucket *b)
{
    return b->lanes[LIMITER_PLAIN].waiting + b->lanes[LIMITER_URGENT].waiting;
}

bool limiter_bucket_idle(const struct limiter_bucket *b, int64_t now)
{
    double would_be = limiter_bucket_level(b) + rate_of(b) * (double)(now - b->at);

    return b->in_flight == 0 && now >= b->closed_to && limiter_bucket_waiting(b) == 0 && would_be >= cap_of(b);
}
