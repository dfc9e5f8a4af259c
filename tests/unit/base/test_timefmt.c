/* Times and durations as text, both ways. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/timefmt.h"

#include <string.h>

static void instants_are_written_in_rfc_3339(void **state)
{
    static const struct {
        int64_t ms;
        const char *seconds, *milliseconds;
    } table[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {1764052500123, "2025-11-25T06:35:00Z", "2025-11-25T06:35:00.123Z"},
        {951782399999, "2000-02-28T23:59:59Z", "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
        {4107542400000, "2100-03-01T00:00:00Z", "2100-03-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char text[TIME_TEXT_SIZE];
        time_format_rfc3339(table[i].ms, text);
        assert_string_equal(text, table[i].seconds);
        time_format_rfc3339_ms(table[i].ms, text);
        assert_string_equal(text, table[i].milliseconds);
        int64_t back;
        if (table[i].ms >= 0) {
            assert_true(time_parse_rfc3339(text, &back));
            assert_int_equal(back, table[i].ms);
        }
    }
}

struct text_case {
    const char *text;
    bool ok;
    int64_t ms;
};

static void check(const struct text_case *table, size_t n, bool (*parse)(const char *, int64_t *))
{
    for (const struct text_case *c = table; c < table + n; c++) {
        int64_t ms = 0;
        if (parse(c->text, &ms) != c->ok || ms != c->ms)
            fail_msg("'%s' gives %lld, expected %lld", c->text, (long long)ms, (long long)c->ms);
    }
}

static void rfc_3339_is_read(void **state)
{
    static const struct text_case table[] = {
        {"2025-11-25T06:35:00Z", true, 1764052500000},
        {"2025-11-25t06:35:00z", true, 1764052500000},
        {"2025-11-25T06:35:00.1Z", true, 1764052500100},
        {"2025-11-25T06:35:00.1239999Z", true, 1764052500123},
        {"2025-11-25T06:35:00.1234567+01:00", true, 1764048900123},
        {"2025-11-25T06:35:00-05:30", true, 1764072300000},
        {"2025-11-25T06:35:00+00:00", true, 1764052500000},
        {"2016-12-31T23:59:60Z", true, 1483228799000},
        {"2024-02-29T00:00:00Z", true, 1709164800000},
        {"2023-02-29T00:00:00Z", false, 0},
        {"2100-02-29T00:00:00Z", false, 0},
        {"2025-00-01T00:00:00Z", false, 0},
        {"2025-13-01T00:00:00Z", false, 0},
        {"2025-04-31T00:00:00Z", false, 0},
        {"2025-11-25T24:00:00Z", false, 0},
        {"2025-11-25T06:60:00Z", false, 0},
        {"2025-11-25T06:35:61Z", false, 0},
        {"1969-12-31T23:59:59Z", false, 0},
        {"1970-01-01T00:00:00+00:01", false, 0},
        {"9999-12-31T23:59:59-00:01", false, 0},
        {"9999-12-31T23:59:59.999Z", true, 253402300799999},
        {"2025-11-25T06:35:00", false, 0},
        {"2025-11-25T06:35:00.Z", false, 0},
        {"2025-11-25T06:35:00Zx", false, 0},
        {"2025-11-25T06:35:00+0100", false, 0},
        {"2025-11-25T06:35:00+24:00", false, 0},
        {"2025-11-25 06:35:00Z", false, 0},
        {"2025-11-25", false, 0},
        {"25-11-25T06:35:00Z", false, 0},
        {"", false, 0},
    };
    (void)state;

    check(table, ARRAY_LEN(table), time_parse_rfc3339);
}

static void http_dates_are_read(void **state)
{
    static const struct text_case table[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777000},
        {"Tue, 25 Nov 2025 06:35:00 GMT", true, 1764052500000},
        {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
        {"Sun, 6 Nov 1994 08:49:37 GMT", false, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
        {"Sun Nov  6 08:49:37 1994", false, 0},
        {"Sun, 31 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
        {",", false, 0},
        {"", false, 0},
        {"120", false, 0},
    };
    (void)state;

    check(table, ARRAY_LEN(table), time_parse_http_date);
}

static void durations_are_read(void **state)
{
    static const struct text_case table[] = {
        {"0", true, 0},
        {"0s", true, 0},
        {"90s", true, 90000},
        {"1h30m", true, 5400000},
        {"500ms", true, 500},
        {"1.5h", true, 5400000},
        {".5s", true, 500},
        {"1.s", true, 1000},
        {"1h0m0.25s", true, 3600250},
        {"1500us", true, 2},
        {"1m1m", true, 120000},
        {"87600h", true, 315360000000},
        {"876000h", false, 0},
        {"99999999999999999999999999999999999999999h", false, 0},
        {"-1s", false, 0},
        {"+1s", false, 0},
        {"1", false, 0},
        {"s", false, 0},
        {".s", false, 0},
        {"1h30", false, 0},
        {"1d", false, 0},
        {"1 h", false, 0},
        {"1H", false, 0},
        {"1h ", false, 0},
        {"infs", false, 0},
        {"", false, 0},
    };
    (void)state;

    check(table, ARRAY_LEN(table), duration_parse);
}

static void durations_are_written_for_people(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {-5, "0s"},
        {999, "0s"},
        {42000, "42s"},
        {59999, "59s"},
        {60000, "1m"},
        {449000, "7m"},
        {11520000, "3h12m"},
        {14400000, "4h"},
        {86400000, "1d"},
        {187200000, "2d4h"},
        {INT64_MAX, "106751991167d7h"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char text[TIME_TEXT_SIZE];
        duration_format(table[i].ms, text);
        assert_string_equal(text, table[i].text);
    }
}

static void every_day_of_five_centuries_comes_back(void **state)
{
    int64_t previous_year = 1799;
    (void)state;

    for (int64_t days = time_days_from_civil(1800, 1, 1); days < time_days_from_civil(2300, 1, 1); days++) {
        int64_t year;
        int month, day;
        time_civil_from_days(days, &year, &month, &day);
        assert_int_equal(time_days_from_civil(year, month, day), days);
        assert_in_range(month, 1, 12);
        assert_in_range(day, 1, 31);
        if (month == 1 && day == 1) {
            assert_int_equal(year, previous_year + 1);
            previous_year = year;
        }
    }
    assert_int_equal(time_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(time_days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(time_days_from_civil(0, 3, 1), -719468);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_written_in_rfc_3339),
        cmocka_unit_test(rfc_3339_is_read),
        cmocka_unit_test(http_dates_are_read),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(durations_are_written_for_people),
        cmocka_unit_test(every_day_of_five_centuries_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
