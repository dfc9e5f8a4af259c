/* Times and durations as text. Pure: the caller brings the time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_SIZE 32

/* "2026-11-24T06:35:00Z": metav1.Time, whole seconds (rounded down). */
void time_format_rfc3339(int64_t wall_ms, char ret[static TIME_TEXT_SIZE]);
/* "2026-11-24T06:35:00.123Z" */
void time_format_rfc3339_ms(int64_t wall_ms, char ret[static TIME_TEXT_SIZE]);
/* RFC 3339 with any offset and any fraction; true and milliseconds since the epoch, or false. Years 1970 to 9999. */
bool time_parse_rfc3339(const char *s, int64_t *ret_wall_ms);
/* RFC 9110 IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". */
bool time_parse_http_date(const char *s, int64_t *ret_wall_ms);

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar; month 1 to 12. */
int64_t time_days_from_civil(int64_t year, int month, int day);
void time_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

/* Go's duration syntax as Kubernetes users write it: "1h30m", "90s", "500ms", "1.5h". False on anything else, on
 * negative values and beyond 10 years. */
bool duration_parse(const char *s, int64_t *ret_ms);
/* For people, at most two units and no fraction: "42s", "7m", "3h12m", "4h", "2d4h". Rounded down. */
void duration_format(int64_t ms, char ret[static TIME_TEXT_SIZE]);
