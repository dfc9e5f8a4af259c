/* Windows over midnight, over the week's end and over the two odd nights of the year. The zones are made here, so that
 * the test needs no zone files. */
#include "unit.h"

#include "base/buf.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/window.h"
#include "scene.h"

#include <string.h>

#define ROME "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define KIRITIMATI "<+14>-14"
#define UTC "UTC0"

static void put_block(struct buf *b)
{
    static const unsigned char counts[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4};

    buf_puts(b, "TZif3");
    for (int i = 0; i < 15; i++)
        buf_putc(b, '\0');
    buf_add(b, counts, sizeof(counts));
    buf_add(b, "\0\0\0\0\0\0LMT", 10);
}

/* A zone that has followed this rule for ever. */
static struct tz *zone_of(const char *rule)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct tz *zone = NULL;

    put_block(&b);
    put_block(&b);
    buf_printf(&b, "\n%s\n", rule);
    if (tz_parse(&zone, b.data, b.len, &err) < 0)
        fail_msg("%s: %s", rule, err.msg);
    return zone;
}

static unsigned days_of(const char *names)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    unsigned mask = 0;

    for (unsigned day = 0; day < ARRAY_LEN(days); day++)
        if (strstr(names, days[day]))
            mask |= 1U << day;
    return mask;
}

#define EVERY_DAY "Mon Tue Wed Thu Fri Sat Sun"

struct period {
    const char *days;
    int hour, minute;
    const char *length;
};

static void window_of(struct cmk_window *ret, const struct period *periods, size_t n)
{
    *ret = (struct cmk_window){.present = true};
    for (size_t i = 0; i < n && periods[i].days; i++) {
        struct cmk_period *p = &ret->periods[ret->n_periods++];
        p->days = days_of(periods[i].days);
        p->start_s = periods[i].hour * 3600 + periods[i].minute * 60;
        assert_true(duration_parse(periods[i].length, &p->length_ms));
    }
}

static int64_t instant(const char *text)
{
    int64_t ms;

    if (!time_parse_rfc3339(text, &ms))
        fail_msg("%s is no time", text);
    return ms;
}

static const struct row {
    const char *sentence, *rule;
    struct period periods[3];
    const char *now;
    const char *until; /* NULL: closed */
    const char *opens; /* NULL: not asked */
} rows[] = {
    {"just before it opens", UTC, {{"Sat", 1, 0, "4h"}}, "2026-03-07T00:59:59.999Z", NULL, "2026-03-07T01:00:00Z"},
    {"when it opens", UTC, {{"Sat", 1, 0, "4h"}}, "2026-03-07T01:00:00Z", "2026-03-07T05:00:00Z",
        "2026-03-14T01:00:00Z"},
    {"the last moment", UTC, {{"Sat", 1, 0, "4h"}}, "2026-03-07T04:59:59.999Z", "2026-03-07T05:00:00Z", NULL},
    {"when it closes", UTC, {{"Sat", 1, 0, "4h"}}, "2026-03-07T05:00:00Z", NULL, "2026-03-14T01:00:00Z"},
    {"the nearest of two days", UTC, {{"Sat Sun", 1, 0, "4h"}}, "2026-03-07T05:00:00Z", NULL, "2026-03-08T01:00:00Z"},
    {"over midnight", UTC, {{"Fri", 22, 0, "4h"}}, "2026-03-07T01:30:00Z", "2026-03-07T02:00:00Z", NULL},
    {"over the end of the week", UTC, {{"Sun", 23, 0, "3h"}}, "2026-03-09T01:00:00Z", "2026-03-09T02:00:00Z", NULL},
    {"next week", UTC, {{"Mon", 1, 0, "1h"}}, "2026-03-02T03:00:00Z", NULL, "2026-03-09T01:00:00Z"},
    {"over the end of the year", UTC, {{"Thu", 23, 0, "3h"}}, "2027-01-01T01:00:00Z", "2027-01-01T02:00:00Z", NULL},
    {"29 February", UTC, {{"Tue", 0, 0, "24h"}}, "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z", NULL},
    {"two days long", UTC, {{"Sat", 0, 0, "48h"}}, "2026-03-08T23:59:59Z", "2026-03-09T00:00:00Z", NULL},
    {"a week long is always", UTC, {{"Wed", 9, 0, "168h"}}, "2026-03-10T12:00:00Z", "2026-03-18T09:00:00Z", NULL},
    {"the local day counts, not Greenwich's", ROME, {{"Sat", 0, 0, "1h"}}, "2026-03-06T23:30:00Z",
        "2026-03-07T00:00:00Z", NULL},
    {"a day ahead of Greenwich", KIRITIMATI, {{"Sat", 8, 0, "1h"}}, "2026-03-06T18:30:00Z", "2026-03-06T19:00:00Z",
        NULL},
    {"behind Greenwich", NEW_YORK, {{"Fri", 22, 0, "2h"}}, "2026-03-07T04:00:00Z", "2026-03-07T05:00:00Z", NULL},
    /* 2026-03-29: 02:00 becomes 03:00 in Rome, which is 01:00Z */
    {"a start that is skipped is when the clock jumps", ROME, {{"Sun", 2, 30, "1h"}}, "2026-03-29T00:59:59Z", NULL,
        "2026-03-29T01:00:00Z"},
    {"and lasts its whole length", ROME, {{"Sun", 2, 30, "1h"}}, "2026-03-29T01:59:59Z", "2026-03-29T02:00:00Z",
        "2026-04-05T00:30:00Z"},
    {"over the jump it lasts elapsed time", ROME, {{"Sun", 1, 0, "4h"}}, "2026-03-29T03:59:59Z", "2026-03-29T04:00:00Z",
        NULL},
    {"after the jump it opens by the new clock", ROME, {{"Sun", 4, 0, "1h"}}, "2026-03-28T12:00:00Z", NULL,
        "2026-03-29T02:00:00Z"},
    {"the day before opened by the old one", ROME, {{"Sat", 4, 0, "1h"}}, "2026-03-28T03:00:00Z",
        "2026-03-28T04:00:00Z", NULL},
    /* 2026-10-25: 03:00 becomes 02:00 in Rome, which is 01:00Z */
    {"a start that comes twice is the first", ROME, {{"Sun", 2, 30, "20m"}}, "2026-10-25T00:30:00Z",
        "2026-10-25T00:50:00Z", NULL},
    {"and not the second", ROME, {{"Sun", 2, 30, "20m"}}, "2026-10-25T01:30:00Z", NULL, "2026-11-01T01:30:00Z"},
    {"over the hour that comes twice", ROME, {{"Sun", 1, 0, "4h"}}, "2026-10-25T02:59:59Z", "2026-10-25T03:00:00Z",
        NULL},
    {"the long night ends with elapsed time", ROME, {{"Sat", 23, 0, "6h"}}, "2026-10-25T03:00:00Z", NULL,
        "2026-10-31T22:00:00Z"},
    /* several */
    {"one of several", UTC, {{"Mon", 1, 0, "1h"}, {"Sat", 1, 0, "1h"}}, "2026-03-07T01:30:00Z", "2026-03-07T02:00:00Z",
        NULL},
    {"the next of several", UTC, {{"Mon", 1, 0, "1h"}, {"Sun", 1, 0, "1h"}}, "2026-03-07T12:00:00Z", NULL,
        "2026-03-08T01:00:00Z"},
    {"overlapping ones are one", UTC, {{"Sat", 1, 0, "2h"}, {"Sat", 2, 0, "3h"}}, "2026-03-07T01:30:00Z",
        "2026-03-07T05:00:00Z", NULL},
    {"adjacent ones are one", UTC, {{"Sat", 1, 0, "2h"}, {"Sat", 3, 0, "2h"}}, "2026-03-07T02:59:59Z",
        "2026-03-07T05:00:00Z", NULL},
    {"one within another", UTC, {{"Sat", 1, 0, "6h"}, {"Sat", 2, 0, "1h"}}, "2026-03-07T02:30:00Z",
        "2026-03-07T07:00:00Z", NULL},
    {"a long one and its own next start", UTC, {{EVERY_DAY, 12, 0, "26h"}}, "2026-03-07T12:30:00Z",
        "2026-03-14T14:00:00Z", NULL},
};

static void check(const struct row *row, const struct cmk_window_state *got)
{
    char text[TIME_TEXT_SIZE];

    if (got->open != (row->until != NULL))
        fail_msg("%s: open is %d", row->sentence, got->open);
    time_format_rfc3339(got->closes_at, text);
    if (row->until && strcmp(text, row->until) != 0)
        fail_msg("%s: until %s", row->sentence, text);
    time_format_rfc3339(got->opens_at, text);
    if (row->opens && strcmp(text, row->opens) != 0)
        fail_msg("%s: opens at %s", row->sentence, text);
}

static void windows_open_and_close(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(tz_freep) struct tz *zone = zone_of(rows[i].rule);
        struct cmk_window window;
        window_of(&window, rows[i].periods, ARRAY_LEN(rows[i].periods));
        struct cmk_window_state got = cmk_window_at(&window, zone, instant(rows[i].now));
        check(&rows[i], &got);
    }
}

static void a_window_without_days_never_opens(void **state)
{
    struct cmk_window window;
    (void)state;

    window_of(&window, &(struct period){"", 1, 0, "1h"}, 1);
    struct cmk_window_state got = cmk_window_at(&window, tz_utc(), NOW);
    assert_false(got.open);
    assert_int_equal(got.opens_at, 0);
}

/* Whatever the clock does: at the time that was named as the next opening, it is open, and it was closed until then. */
static void the_next_opening_is_always_the_next_opening(void **state)
{
    static const struct period periods[] = {{"Sat Sun", 2, 15, "90m"}, {"Wed", 23, 45, "30m"}, {NULL, 0, 0, NULL}};
    static const char *const rules[] = {UTC, ROME, NEW_YORK, KIRITIMATI};
    struct cmk_window window;
    (void)state;

    window_of(&window, periods, ARRAY_LEN(periods));
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        _cleanup_(tz_freep) struct tz *zone = zone_of(rules[i]);
        int64_t now = instant("2026-01-01T12:00:00Z");
        int openings = 0;
        for (; now < instant("2027-01-01T12:00:00Z"); openings++) {
            struct cmk_window_state closed = cmk_window_at(&window, zone, now);
            assert_false(closed.open);
            assert_true(closed.opens_at > now && closed.opens_at - now < 5 * DAY);
            assert_false(cmk_window_at(&window, zone, closed.opens_at - 1).open);
            struct cmk_window_state open = cmk_window_at(&window, zone, closed.opens_at);
            assert_true(open.open);
            assert_true(cmk_window_at(&window, zone, open.closes_at - 1).open);
            now = open.closes_at;
        }
        assert_in_range(openings, 3 * 52, 3 * 52 + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_open_and_close),
        cmocka_unit_test(a_window_without_days_never_opens),
        cmocka_unit_test(the_next_opening_is_always_the_next_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
