#include "base/clock.h"

#include "base/fatal.h"

#include <errno.h>
#include <time.h>

/* A time made up would be worse than none. */
static struct timespec read_timespec(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) < 0)
        fatal("cannot read the clock", errno);
    return t;
}

static int64_t read_clock(clockid_t id)
{
    struct timespec t = read_timespec(id);

    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_wall_us(void)
{
    struct timespec t = read_timespec(CLOCK_REALTIME);

    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    while (ms > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}
