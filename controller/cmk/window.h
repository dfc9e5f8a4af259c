/* Maintenance windows: may the irreversible step start now, and if not, when? Pure: the zone's rules are an argument.
 */
#pragma once

#include "base/tz.h"
#include "cmk/types.h"

struct cmk_window_state {
    bool open;
    int64_t closes_at; /* when open; at least a week away when it is more */
    int64_t opens_at;  /* the next start of a period, always later than now; 0 when no period names a day */
};

/* A period begins on each of its days at its local start time and lasts its length in elapsed time, over midnight and
 * over a change of the clock. A start that the clock skips happens when the clock jumps; one that it repeats happens
 * the first time. Overlapping periods are one. */
struct cmk_window_state cmk_window_at(const struct cmk_window *window, const struct tz *zone, int64_t now);
