/* TZif files and the two questions that are asked of a zone.
 *
 * A zone is a list of changes (from this instant on, this offset), strictly ascending, with one offset before the first
 * and a rule after the last. Invariant: no offset is beyond 26 hours, so whatever the local clock shows at an instant
 * lies within 26 hours of it. Abbreviations, and whether an offset counts as summer time, are of no use here and not
 * kept. */
#include "base/tz.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "base/tz_rule.h"

#include <string.h>

#define DAY_S 86400
#define OFFSET_MAX (26 * 3600)
#define CHANGES_MAX 10000 /* the largest zone of 2026 has under 400 */
#define TYPES_MAX 256
#define HEADER_SIZE 44
#define FOOTER_MAX 128

struct change {
    int64_t at; /* seconds since the epoch */
    int64_t offset_s;
};

struct tz {
    int64_t first_offset_s; /* before the first change */
    bool has_rule;
    struct tz_rule rule; /* from the last change on; for all times when there is none */
    size_t n;
    struct change changes[];
};

struct header {
    char version;
    size_t is_ut, is_std, leaps, times, types, chars;
};

struct cursor {
    const unsigned char *at;
    size_t left;
};

static int damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "the time zone data is damaged: %s", what);
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

/* The next n bytes, or NULL when there are fewer. */
static const unsigned char *take(struct cursor *c, size_t n)
{
    const unsigned char *p = c->at;

    if (n > c->left)
        return NULL;
    c->at += n;
    c->left -= n;
    return p;
}

static int read_header(struct cursor *c, struct header *ret, struct err *err)
{
    const unsigned char *p = take(c, HEADER_SIZE);

    if (!p || memcmp(p, "TZif", 4) != 0)
        return err_set(err, ERR_INVALID, "this is no time zone data (TZif)");
    ret->version = (char)p[4];
    size_t *const counts[] = {&ret->is_ut, &ret->is_std, &ret->leaps, &ret->times, &ret->types, &ret->chars};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        *counts[i] = (size_t)big_endian(p + 20 + 4 * i, 4);
    return 0;
}

/* What follows the types: names, leap seconds and two lists of flags. All counts are of 32 bits, so the sum cannot
 * overflow. */
static size_t tail_size(const struct header *h, size_t time_size)
{
    return h->chars + h->leaps * (time_size + 4) + h->is_std + h->is_ut;
}

static int skip_block(struct cursor *c, const struct header *h, size_t time_size, struct err *err)
{
    size_t size = h->times * (time_size + 1) + h->types * 6 + tail_size(h, time_size);

    return take(c, size) ? 0 : damaged(err, "it ends too early");
}

static int read_types(const unsigned char *p, size_t n, int64_t *ret_offsets, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        ret_offsets[i] = (int32_t)big_endian(p + 6 * i, 4);
        if (ret_offsets[i] > OFFSET_MAX || ret_offsets[i] < -OFFSET_MAX)
            return damaged(err, "an offset is beyond 26 hours");
    }
    return 0;
}

static int read_changes(struct tz *tz, const unsigned char *times, const unsigned char *kinds, size_t time_size,
    const int64_t *offsets, size_t types, struct err *err)
{
    for (size_t i = 0; i < tz->n; i++) {
        uint64_t raw = big_endian(times + time_size * i, time_size);
        struct change change = {.at = time_size == 4 ? (int32_t)raw : (int64_t)raw};
        if (kinds[i] >= types)
            return damaged(err, "a transition is of a type that does not exist");
        change.offset_s = offsets[kinds[i]];
        if (i > 0 && change.at <= tz->changes[i - 1].at)
            return damaged(err, "its transitions are not in order");
        tz->changes[i] = change;
    }
    return 0;
}

static int read_block(struct tz **ret, struct cursor *c, const struct header *h, size_t time_size, struct err *err)
{
    if (h->times > CHANGES_MAX || h->types == 0 || h->types > TYPES_MAX)
        return damaged(err, "its counts are out of range");
    const unsigned char *times = take(c, h->times * time_size);
    const unsigned char *kinds = take(c, h->times);
    const unsigned char *types = take(c, h->types * 6);
    int64_t offsets[TYPES_MAX];

    if (!times || !kinds || !types || !take(c, tail_size(h, time_size)))
        return damaged(err, "it ends too early");
    if (h->leaps > 0)
        return err_set(err, ERR_INVALID, "time zones that count leap seconds are not supported");
    if (read_types(types, h->types, offsets, err) < 0)
        return -1;
    _cleanup_(tz_freep) struct tz *tz = xcalloc(1, sizeof(*tz) + h->times * sizeof(tz->changes[0]));
    tz->first_offset_s = offsets[0];
    tz->n = h->times;
    if (read_changes(tz, times, kinds, time_size, offsets, h->types, err) < 0)
        return -1;
    *ret = TAKE_PTR(tz);
    return 0;
}

/* "\nRULE\n"; the rule may be empty, which leaves the future as it was after the last change. */
static int read_footer(struct tz *tz, struct cursor *c, struct err *err)
{
    char text[FOOTER_MAX];

    if (c->left < 2 || c->at[0] != '\n')
        return damaged(err, "its footer is missing");
    const unsigned char *end = memchr(c->at + 1, '\n', c->left - 1);
    size_t n = end ? (size_t)(end - c->at - 1) : sizeof(text);
    if (n >= sizeof(text) || memchr(c->at + 1, '\0', n))
        return damaged(err, "its footer is no line of text");
    memcpy(text, c->at + 1, n);
    text[n] = '\0';
    if (n == 0)
        return 0;
    tz->has_rule = true;
    return tz_rule_parse(&tz->rule, text) ? 0 : damaged(err, "the rule in its footer is not understood");
}

int tz_parse(struct tz **ret, const char *tzif, size_t len, struct err *err)
{
    struct cursor c = {.at = (const unsigned char *)tzif, .left = len};
    _cleanup_(tz_freep) struct tz *tz = NULL;
    struct header h;

    if (read_header(&c, &h, err) < 0)
        return -1;
    if (h.version == '\0') {
        if (read_block(&tz, &c, &h, 4, err) < 0)
            return -1;
    } else if (skip_block(&c, &h, 4, err) < 0 || read_header(&c, &h, err) < 0 || read_block(&tz, &c, &h, 8, err) < 0 ||
               read_footer(tz, &c, err) < 0) {
        return -1;
    }
    *ret = TAKE_PTR(tz);
    return 0;
}

struct tz *tz_free(struct tz *tz)
{
    free(tz);
    return NULL;
}

const struct tz *tz_utc(void)
{
    static const struct tz utc;

    return &utc;
}

/* How many changes lie at or before an instant. */
static size_t changes_until(const struct tz *tz, int64_t at)
{
    size_t low = 0, high = tz->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tz->changes[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t offset_at(const struct tz *tz, int64_t at)
{
    size_t n = changes_until(tz, at);

    if (n == tz->n && tz->has_rule)
        return tz_rule_offset_s(&tz->rule, at);
    return n > 0 ? tz->changes[n - 1].offset_s : tz->first_offset_s;
}

static int64_t next_change(const struct tz *tz, int64_t at)
{
    size_t n = changes_until(tz, at);

    if (n < tz->n)
        return tz->changes[n].at;
    return tz->has_rule ? tz_rule_next_change(&tz->rule, at) : INT64_MAX;
}

int64_t tz_offset_s(const struct tz *tz, int64_t wall_ms)
{
    return offset_at(tz, wall_ms / 1000 - (wall_ms % 1000 < 0));
}

int64_t tz_local_to_wall_ms(const struct tz *tz, int64_t year, int month, int day, int64_t second_of_day)
{
    int64_t local = time_days_from_civil(year, month, 1) * DAY_S + (day - 1) * (int64_t)DAY_S + second_of_day;
    int64_t from = local - OFFSET_MAX; /* before this instant no clock shows the time yet */

    /* From one change to the next, until the clock shows the time or has passed it. */
    for (;;) {
        int64_t at = local - offset_at(tz, from);
        int64_t until = next_change(tz, from);
        if (at < until)
            return (at > from ? at : from) * 1000;
        from = until;
    }
}
