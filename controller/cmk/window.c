#include "cmk/window.h"

#include "base/timefmt.h"

#define DAY_MS 86400000LL

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The local date on which now falls, in days since 1970-01-01. */
static int64_t local_day(const struct tz *zone, int64_t now)
{
    return floor_div(now + (int64_t)tz_offset_s(zone, now) * 1000, DAY_MS);
}

/* 1970-01-01 was a Thursday, and bit 0 is Monday. */
static bool falls_on(const struct cmk_period *period, int64_t day)
{
    int64_t weekday = (day + 3) - 7 * floor_div(day + 3, 7);

    return period->days & (1U << weekday);
}

static int64_t start_of(const struct cmk_period *period, const struct tz *zone, int64_t day)
{
    int64_t year;
    int month, day_of_month;

    time_civil_from_days(day, &year, &month, &day_of_month);
    return tz_local_to_wall_ms(zone, year, month, day_of_month, period->start_s);
}

/* Looks at every start that can matter for now: those whose window may still be open, and the next one of each weekday.
 */
static void look(const struct cmk_period *period, const struct tz *zone, int64_t now, struct cmk_window_state *state)
{
    int64_t today = local_day(zone, now);
    int64_t first = today - period->length_ms / DAY_MS - 2;

    for (int64_t day = first; day <= today + 8; day++) {
        if (!falls_on(period, day))
            continue;
        int64_t opens = start_of(period, zone, day), closes = opens + period->length_ms;
        if (opens <= now && now < closes) {
            state->open = true;
            if (closes > state->closes_at)
                state->closes_at = closes;
        } else if (opens > now && (state->opens_at == 0 || opens < state->opens_at)) {
            state->opens_at = opens;
        }
    }
}

static struct cmk_window_state look_at_all(const struct cmk_window *window, const struct tz *zone, int64_t now)
{
    struct cmk_window_state state = {0};

    for (size_t i = 0; i < window->n_periods; i++)
        look(&window->periods[i], zone, now, &state);
    return state;
}

struct cmk_window_state cmk_window_at(const struct cmk_window *window, const struct tz *zone, int64_t now)
{
    struct cmk_window_state state = look_at_all(window, zone, now);
    struct cmk_window_state after = state;

    /* The next period may begin before, or just when, this one ends. */
    while (after.open && state.closes_at < now + 7 * DAY_MS) {
        after = look_at_all(window, zone, state.closes_at);
        if (after.open)
            state.closes_at = after.closes_at;
    }
    return state;
}
