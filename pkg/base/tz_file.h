/* Time zones by name, from the system's zone files. */
#pragma once

#include "base/tz.h"

#define TZ_DIRECTORY "/usr/share/zoneinfo"

/* The zone that directory (NULL: TZ_DIRECTORY) has under an IANA name such as Europe/Rome. "UTC" works without any
 * files. ERR_INVALID: no such form of name, or a damaged file; ERR_NOT_FOUND: no such zone, or no zone files at all.
 * The zone is the caller's (tz_free). */
int tz_load(struct tz **ret, const char *name, const char *directory, struct err *err);
