/* The clocks. Monotonic time for deadlines, wall time only for what people read. This is the one file that asks the
 * system; everything else is told the time. */
#pragma once

#include <stdint.h>

int64_t clock_mono_ms(void);
/* Monotonic as well, and goes on while the machine is suspended (CLOCK_BOOTTIME), which clock_mono_ms does not: for
 * what others may have done meanwhile. Not to be compared with clock_mono_ms. */
int64_t clock_boot_ms(void);
/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);
void clock_sleep_ms(int64_t ms);
