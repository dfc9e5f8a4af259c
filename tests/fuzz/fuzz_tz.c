/* Zone files, and a maintenance window in the zone that they describe. */
#include "fuzz.h"

#include "base/tz.h"
#include "cmk/window.h"

#define DAY_MS 86400000LL

static void check_window(const struct tz *zone, int64_t now)
{
    const struct cmk_window window = {
        .present = true,
        .periods = {{.days = 1U << 5, .start_s = 9000, .length_ms = 4 * 3600000},
            {.days = 1U << 6, .length_ms = 60000}},
        .n_periods = 2,
    };
    struct cmk_window_state state = cmk_window_at(&window, zone, now);

    FUZZ_CHECK(!state.open || state.closes_at > now);
    FUZZ_CHECK(state.opens_at == 0 || state.opens_at > now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t instants[] = {0, 1711846800000, 1761440400000, 1795503300000, 4102444800000, 253402300799000};
    _cleanup_(tz_freep) struct tz *zone = NULL;
    struct err err = ERR_INIT;

    if (tz_parse(&zone, (const char *)data, size, &err) < 0) {
        FUZZ_CHECK(!zone && err.kind == ERR_INVALID && *err.msg);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(instants); i++) {
        (void)tz_offset_s(zone, instants[i]);
        check_window(zone, instants[i]);
    }
    (void)tz_local_to_wall_ms(zone, 2026, 3, 29, 9000);
    (void)tz_local_to_wall_ms(zone, 9999, 12, 31, DAY_MS / 1000 - 1);
    return 0;
}
