/* POSIX TZ strings, with the extensions of RFC 8536: hours from -167 to 167.
 *
 * A rule repeats every year, but a change may fall into a neighbour of the year that it is computed for, and the end of
 * one summer may be the same instant as the begin of the next (a zone that is always in summer). So the questions are
 * answered by looking at the changes of a few years around, in order; the later of two equal ones counts. */
#include "base/tz_rule.h"

#include "base/str.h"
#include "base/timefmt.h"

#define DAY_S 86400
#define HOUR_S 3600

static bool number(const char **s, int min, int max, int *ret)
{
    int n = 0;

    if (!ascii_isdigit(**s))
        return false;
    for (; ascii_isdigit(**s) && n <= max; (*s)++)
        n = n * 10 + (**s - '0');
    *ret = n;
    return n >= min && n <= max;
}

static bool skip(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* At least three letters, or anything of letters, digits and signs in angle brackets. */
static bool name(const char **s)
{
    const char *start = *s;

    if (skip(s, '<')) {
        while (ascii_isalnum(**s) || **s == '+' || **s == '-')
            (*s)++;
        return skip(s, '>');
    }
    while (ascii_isalnum(**s) && !ascii_isdigit(**s))
        (*s)++;
    return *s - start >= 3;
}

/* [+-]h[:m[:s]] in seconds. */
static bool clock_time(const char **s, int max_hours, int64_t *ret)
{
    int h, m = 0, sec = 0;
    bool negative = skip(s, '-');

    if (!negative)
        (void)skip(s, '+');
    if (!number(s, 0, max_hours, &h))
        return false;
    if (skip(s, ':') && (!number(s, 0, 59, &m) || (skip(s, ':') && !number(s, 0, 59, &sec))))
        return false;
    *ret = (int64_t)h * HOUR_S + m * 60 + sec;
    if (negative)
        *ret = -*ret;
    return true;
}

static bool date(const char **s, struct tz_date *ret)
{
    *ret = (struct tz_date){.second = 2 * HOUR_S};
    if (!skip(s, ','))
        return false;
    if (skip(s, 'M')) {
        ret->kind = TZ_WEEKDAY;
        if (!number(s, 1, 12, &ret->month) || !skip(s, '.') || !number(s, 1, 5, &ret->week) || !skip(s, '.') ||
            !number(s, 0, 6, &ret->day))
            return false;
    } else {
        bool without_leap = skip(s, 'J');
        ret->kind = without_leap ? TZ_DAY_WITHOUT_LEAP : TZ_DAY;
        if (!number(s, without_leap, 365, &ret->day))
            return false;
    }
    return !skip(s, '/') || clock_time(s, 167, &ret->second);
}

bool tz_rule_parse(struct tz_rule *ret, const char *s)
{
    int64_t west;

    *ret = (struct tz_rule){0};
    if (!name(&s) || !clock_time(&s, 24, &west))
        return false;
    ret->std_offset_s = -west;
    if (!*s)
        return true;
    ret->has_dst = true;
    ret->dst_offset_s = ret->std_offset_s + HOUR_S;
    if (!name(&s))
        return false;
    if (*s != ',') {
        if (!clock_time(&s, 24, &west))
            return false;
        ret->dst_offset_s = -west;
    }
    return date(&s, &ret->dst_begin) && date(&s, &ret->dst_end) && !*s;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t first_day(int64_t year, int month)
{
    return time_days_from_civil(year + (month > 12), month > 12 ? 1 : month, 1);
}

static int64_t day_of_date(const struct tz_date *d, int64_t year)
{
    int64_t new_year = first_day(year, 1);

    if (d->kind == TZ_DAY)
        return new_year + d->day;
    if (d->kind == TZ_DAY_WITHOUT_LEAP) {
        bool leap = first_day(year, 3) - first_day(year, 2) == 29;
        return new_year + d->day - 1 + (leap && d->day >= 60);
    }
    int64_t first = first_day(year, d->month);
    int64_t weekday = (first + 4) - 7 * floor_div(first + 4, 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (d->day - weekday + 7) % 7 + 7 * (int64_t)(d->week - 1);
    return day < first_day(year, d->month + 1) ? day : day - 7;
}

static int64_t dst_begin(const struct tz_rule *r, int64_t year)
{
    return day_of_date(&r->dst_begin, year) * DAY_S + r->dst_begin.second - r->std_offset_s;
}

static int64_t dst_end(const struct tz_rule *r, int64_t year)
{
    return day_of_date(&r->dst_end, year) * DAY_S + r->dst_end.second - r->dst_offset_s;
}

static int64_t year_at(const struct tz_rule *r, int64_t at)
{
    int64_t year;
    int month, day;

    time_civil_from_days(floor_div(at + r->std_offset_s, DAY_S), &year, &month, &day);
    return year;
}

int64_t tz_rule_offset_s(const struct tz_rule *rule, int64_t at)
{
    int64_t latest = INT64_MIN, offset = rule->std_offset_s;

    if (!rule->has_dst)
        return offset;
    int64_t year = year_at(rule, at);
    for (int64_t y = year - 2; y <= year + 1; y++) {
        int64_t begin = dst_begin(rule, y), end = dst_end(rule, y);
        if (begin <= at && begin >= latest) {
            latest = begin;
            offset = rule->dst_offset_s;
        }
        if (end <= at && end >= latest) {
            latest = end;
            offset = rule->std_offset_s;
        }
    }
    return offset;
}

int64_t tz_rule_next_change(const struct tz_rule *rule, int64_t at)
{
    int64_t next = INT64_MAX;

    if (!rule->has_dst)
        return next;
    int64_t year = year_at(rule, at);
    for (int64_t y = year - 1; y <= year + 2; y++) {
        int64_t begin = dst_begin(rule, y), end = dst_end(rule, y);
        if (begin > at && begin < next)
            next = begin;
        if (end > at && end < next)
            next = end;
    }
    return next;
}
