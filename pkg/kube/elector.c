/* The rules of elector.h. Every time is compared with a later reading of the same clock and with nothing else. */
#include "kube/elector.h"

#include "base/str.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

#define MAX_DURATION_S 3600 /* the flags allow no more */
#define MAX_TRANSITIONS INT32_MAX

void elector_init(struct elector *e, const struct elector_options *options)
{
    *e = (struct elector){.o = *options, .must_read = true};
}

static bool is_ours(const struct elector *e)
{
    return str_eq(e->record.holder, e->o.identity);
}

static bool is_free(const struct elector *e)
{
    return str_empty(e->record.holder);
}

static bool same_record(const struct lease_record *a, const struct lease_record *b)
{
    return str_eq(a->holder, b->holder) && str_eq(a->renew_time, b->renew_time) &&
           str_eq(a->acquire_time, b->acquire_time) && a->duration_s == b->duration_s &&
           a->transitions == b->transitions;
}

/* When the Lease as it was last seen may be taken from its holder. */
static int64_t runs_out_at(const struct elector *e)
{
    bool sane = e->record.duration_s > 0 && e->record.duration_s <= MAX_DURATION_S;

    return e->seen_at + (sane ? e->record.duration_s * 1000 : e->o.lease_duration);
}

static bool may_take(const struct elector *e, int64_t now)
{
    return !e->seen || is_free(e) || (is_ours(e) && !e->late_creation) || now >= runs_out_at(e);
}

static int64_t a_while(const struct elector *e, unsigned dice)
{
    return e->o.retry_period + e->o.retry_period * (int64_t)(dice % 1000) / 5000;
}

/* ---- what is written ---- */

/* metav1.MicroTime, which wants exactly six digits. */
static void put_time(char ret[static LEASE_TEXT_SIZE], int64_t us)
{
    char text[TIME_TEXT_SIZE];

    time_format_rfc3339(us / 1000000 * 1000, text);
    text[strlen(text) - 1] = '\0'; /* the Z */
    (void)snprintf(ret, LEASE_TEXT_SIZE, "%s.%06dZ", text, (int)(us % 1000000));
}

/* Every renewal must be a change, or others take us for dead: also when the wall clock stands still or goes back to the
 * very same moment. */
static void stamp(struct elector *e, struct lease_record *record, int64_t wall)
{
    int64_t us = (wall > 0 ? wall : 0) * 1000;

    if (us == e->written_us)
        us++;
    e->written_us = us;
    put_time(record->renew_time, us);
}

static int64_t transitions_of(const struct lease_record *record)
{
    return record->transitions >= 0 && record->transitions <= MAX_TRANSITIONS ? record->transitions : 0;
}

static void want(struct elector *e, int64_t wall)
{
    struct lease_record *w = &e->wanted;
    bool renews = e->seen && !e->absent && is_ours(e);
    int64_t transitions = transitions_of(&e->record);

    *w = (struct lease_record){.duration_s = (e->o.lease_duration + 999) / 1000, .transitions = transitions};
    (void)str_copy(w->holder, sizeof(w->holder), e->o.identity);
    stamp(e, w, wall);
    if (!renews && e->seen && transitions < MAX_TRANSITIONS)
        w->transitions++;
    (void)str_copy(w->acquire_time, sizeof(w->acquire_time), renews ? e->record.acquire_time : w->renew_time);
}

struct lease_record elector_release(const struct elector *e, int64_t wall)
{
    struct elector copy = *e;
    struct lease_record record = e->record;

    record.holder[0] = '\0';
    record.duration_s = 1;
    stamp(&copy, &record, wall);
    return record;
}

/* ---- what to do ---- */

static struct elector_step sleep_until(const struct elector *e, int64_t at)
{
    if (e->state == ELECTOR_LEADS && at > e->valid_until)
        at = e->valid_until;
    return (struct elector_step){.action = ELECTOR_SLEEP, .at = at};
}

/* Not so long that a second try would come too late. */
static int64_t timeout_of(const struct elector *e, int64_t now)
{
    int64_t timeout = e->o.renew_deadline / 2;

    if (e->state == ELECTOR_LEADS && timeout > e->valid_until - now)
        timeout = e->valid_until - now;
    return timeout > 0 ? timeout : 1;
}

static struct elector_step ask(struct elector *e, enum elector_action action, int64_t now)
{
    e->begun_at = now;
    return (struct elector_step){
        .action = action, .timeout = timeout_of(e, now), .fresh = e->fresh, .record = e->wanted};
}

static void give_up(struct elector *e)
{
    e->state = ELECTOR_LOST;
    e->valid_until = 0;
}

/* Read, and held by somebody who is alive as far as we know. */
static struct elector_step stand_by(struct elector *e, int64_t now, unsigned dice)
{
    int64_t at = now + a_while(e, dice);

    e->must_read = true;
    e->hurried = false;
    e->wake_at = at < runs_out_at(e) ? at : runs_out_at(e);
    return sleep_until(e, e->wake_at);
}

struct elector_step elector_next(struct elector *e, int64_t now, int64_t wall, unsigned dice)
{
    if (e->state == ELECTOR_LEADS && now >= e->valid_until)
        give_up(e);
    if (e->state == ELECTOR_LOST)
        return (struct elector_step){.action = ELECTOR_END};
    if (now < e->wake_at)
        return sleep_until(e, e->wake_at);
    if (e->must_read)
        return ask(e, ELECTOR_READ, now);
    if (e->state == ELECTOR_STANDS_BY && !may_take(e, now))
        return stand_by(e, now, dice);
    want(e, wall);
    e->creating = !e->seen || e->absent;
    return ask(e, e->creating ? ELECTOR_CREATE : ELECTOR_WRITE, now);
}

/* ---- how it went ---- */

/* That it was deleted is a change as well: whoever held it last may have renewed since we looked, and does not know. */
void elector_read(struct elector *e, int64_t now, const struct lease_record *record)
{
    bool changed = record ? !e->seen || e->absent || !same_record(&e->record, record) : !e->absent;

    e->must_read = false;
    e->fresh = false;
    e->absent = !record;
    if (changed)
        e->seen_at = now;
    if (!record)
        return;
    if (changed) /* a write that comes late meets another version; a creation meets nothing when a person deletes */
        e->late_creation = e->unsure_creation && e->seen && !is_free(e) && !is_ours(e);
    e->seen = true;
    e->record = *record;
    if (e->state == ELECTOR_LEADS && !is_ours(e) && !is_free(e))
        give_up(e);
}

/* An answer that took so long that it is worth nothing changes no state: the Lease is ours by its name, and whoever
 * stands by writes it again. A leader whose time had run out does not get it back. */
void elector_wrote(struct elector *e, int64_t now)
{
    int64_t valid_until = e->begun_at + e->o.renew_deadline;

    e->seen = true;
    e->absent = false;
    e->record = e->wanted;
    e->seen_at = now;
    e->hurried = false;
    e->fresh = false;
    e->late_creation = false;
    if (e->state == ELECTOR_LEADS && now >= e->valid_until)
        give_up(e);
    if (e->state == ELECTOR_LOST || now >= valid_until)
        return;
    e->state = ELECTOR_LEADS;
    e->valid_until = valid_until;
    e->wake_at = now + e->o.retry_period;
}

/* Of a write whose effect is not known, and of one that came too late, a look tells more: once at once, as in client-go
 * the slow path follows the fast one, and then at the ordinary pace. */
void elector_failed(struct elector *e, int64_t now, enum elector_failure how, int64_t retry_after, unsigned dice)
{
    bool wrote = !e->must_read;
    int64_t wait = a_while(e, dice);

    e->unsure_creation = e->unsure_creation || (wrote && e->creating && how == ELECTOR_UNKNOWN);
    e->must_read = true;
    e->fresh = how == ELECTOR_UNKNOWN;
    if (wrote && !e->hurried && retry_after < 0) {
        e->hurried = true;
        e->wake_at = now;
        return;
    }
    e->hurried = false;
    if (retry_after > wait)
        wait = retry_after < e->o.lease_duration ? retry_after : e->o.lease_duration;
    e->wake_at = now + wait;
}

int64_t elector_valid_until(const struct elector *e)
{
    return e->state == ELECTOR_LEADS ? e->valid_until : 0;
}
