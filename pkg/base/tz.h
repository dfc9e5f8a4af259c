/* Time zones, pure: the bytes of a TZif file (RFC 8536) in, offsets and instants out. Nothing here asks the system; see
 * base/tz_file.h for zones by name.
 *
 * What can go wrong: only tz_parse can fail. Years 1 to 9999; the past before the first transition of a file is
 * answered as the file says, the future after the last one by its rule (the POSIX TZ string in its footer). */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tz;

/* Versions 1 to 4. Refused with ERR_INVALID: what is no such file or is damaged, and zones that count leap seconds
 * ("right/"), whose instants are not those of any clock here. The bytes are copied. */
int tz_parse(struct tz **ret, const char *tzif, size_t len, struct err *err);
struct tz *tz_free(struct tz *tz); /* accepts and returns NULL */
DEFINE_CLEANUP(struct tz *, tz_free)

/* Static: not to be freed. */
const struct tz *tz_utc(void);

/* Local time minus UTC in seconds, at an instant. */
int64_t tz_offset_s(const struct tz *tz, int64_t wall_ms);

/* The first instant at which the local clock shows this date and time, or has just jumped over it: of a time that
 * occurs twice (clock set back) the first, for a time that does not occur (clock set forward) the end of the gap. month
 * 1 to 12; day and second_of_day may lie outside their month and day and are then counted on from it. */
int64_t tz_local_to_wall_ms(const struct tz *tz, int64_t year, int month, int day, int64_t second_of_day);
