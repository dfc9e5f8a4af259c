/* The POSIX TZ string of a TZif footer: how a zone goes on after its last recorded transition. Private to this folder.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tz_date {
    enum { TZ_WEEKDAY, TZ_DAY_WITHOUT_LEAP, TZ_DAY } kind;
    int month;      /* TZ_WEEKDAY: 1 to 12 */
    int week;       /* TZ_WEEKDAY: 1 to 5, 5 is the last */
    int day;        /* weekday from Sunday, 0; or day of the year, from 1 without 29 February, or from 0 with it */
    int64_t second; /* of local time, counted from the begin of that day: -167 h to 167 h */
};

struct tz_rule {
    bool has_dst;
    int64_t std_offset_s, dst_offset_s; /* east of UTC is positive */
    struct tz_date dst_begin, dst_end;
};

/* False when s is not of the form "STDoffset[DST[offset],date[/time],date[/time]]". */
bool tz_rule_parse(struct tz_rule *ret, const char *s);
/* Seconds since the epoch, here and below. */
int64_t tz_rule_offset_s(const struct tz_rule *rule, int64_t at);
/* The first change after at; INT64_MAX when there is none. */
int64_t tz_rule_next_change(const struct tz_rule *rule, int64_t at);
