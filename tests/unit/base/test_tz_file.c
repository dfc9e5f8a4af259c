/* The system's own zones: every one of them against the C library, from 1970 to 2100. Skipped where there are none. */
#include "unit.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "base/tz_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400LL
#define END_S 4102444800LL /* 2100-01-01 */

/* Odd ones: half hours, skipped days, changes of the law, winter as the exception, changes on odd hours. */
static const char *const odd_zones[] = {"Europe/Rome", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow",
    "Europe/Istanbul", "America/New_York", "America/St_Johns", "America/Nuuk", "America/Sao_Paulo", "America/Caracas",
    "America/Adak", "Australia/Lord_Howe", "Australia/Sydney", "Antarctica/Troll", "Asia/Kathmandu", "Asia/Gaza",
    "Asia/Hebron", "Asia/Tehran", "Asia/Pyongyang", "Asia/Kolkata", "Asia/Jerusalem", "Africa/Casablanca",
    "Africa/El_Aaiun", "Africa/Cairo", "Africa/Monrovia", "Africa/Windhoek", "Pacific/Apia", "Pacific/Chatham",
    "Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Norfolk", "Etc/GMT+12", "Etc/GMT-14", "UTC", "GMT", "Etc/UTC"};

static int64_t libc_offset(int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return tm.tm_gmtoff;
}

static struct tz *load(const char *name)
{
    struct err err = ERR_INIT;
    struct tz *tz = NULL;

    if (tz_load(&tz, name, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    setenv("TZ", name, 1);
    tzset();
    return tz;
}

static void compare(const struct tz *tz, const char *name, int64_t at)
{
    int64_t ours = tz_offset_s(tz, at * 1000), theirs = libc_offset(at);
    char text[TIME_TEXT_SIZE];

    if (ours == theirs)
        return;
    time_format_rfc3339(at * 1000, text);
    fail_msg("%s at %s: %lld, the C library says %lld", name, text, (long long)ours, (long long)theirs);
}

static int64_t to_instant(const struct tz *tz, int64_t local)
{
    int64_t year, days = local / DAY_S;
    int month, day;

    time_civil_from_days(days, &year, &month, &day);
    return tz_local_to_wall_ms(tz, year, month, day, local - days * DAY_S) / 1000;
}

static void check_round_trip(const struct tz *tz, const char *name, int64_t at)
{
    int64_t local = at + tz_offset_s(tz, at * 1000), back = to_instant(tz, local);

    if (back > at || back + tz_offset_s(tz, back * 1000) != local)
        fail_msg("%s: instant %lld became %lld", name, (long long)at, (long long)back);
}

static int64_t bisect(int64_t low, int64_t high)
{
    int64_t before = libc_offset(low);

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (libc_offset(middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Around a change of the offset: every local time of the gap is its end, every repeated one is its first occurrence. */
static void check_change(const struct tz *tz, const char *name, int64_t at)
{
    int64_t before = libc_offset(at - 1), after = libc_offset(at);
    int64_t first = at + (before < after ? before : after), n = llabs(after - before);

    compare(tz, name, at - 1);
    compare(tz, name, at);
    const int64_t steps[] = {0, n / 2, n - 1};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int64_t local = first + steps[i];
        int64_t expected = before < after ? at : local - before;
        if (to_instant(tz, local) != expected)
            fail_msg("%s: change at %lld, local %lld became %lld", name, (long long)at, (long long)local,
                (long long)to_instant(tz, local));
    }
    check_round_trip(tz, name, at - 1);
    check_round_trip(tz, name, at);
}

/* Returns how many changes of the offset there were. */
static int walk(const char *name, int64_t step)
{
    _cleanup_(tz_freep) struct tz *tz = load(name);
    int changes = 0;

    for (int64_t at = 2 * DAY_S; at < END_S; at += step) {
        compare(tz, name, at);
        check_round_trip(tz, name, at);
        if (libc_offset(at) != libc_offset(at - step)) {
            check_change(tz, name, bisect(at - step, at));
            changes++;
        }
    }
    return changes;
}

static void odd_zones_agree_with_the_c_library_every_day(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd_zones); i++)
        (void)walk(odd_zones[i], DAY_S - 1001);
    assert_true(walk("Europe/Rome", DAY_S) > 250); /* the walk itself sees the changes */
}

static void all_zones_agree_with_the_c_library(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    int zones = 0;
    (void)state;

    if (file_read(TZ_DIRECTORY "/tzdata.zi", &b, &err) < 0)
        fail_msg("%s", err.msg);
    /* "Z NAME ..." begins a zone, "L TARGET NAME" is a link */
    for (char *save = NULL, *line = strtok_r(b.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[128];
        if (sscanf(line, "Z %127s", name) != 1 && sscanf(line, "L %*s %127s", name) != 1)
            continue;
        (void)walk(name, 11 * DAY_S + 3333);
        zones++;
    }
    assert_true(zones > 300);
}

static void names_are_checked_before_they_become_paths(void **state)
{
    static const struct {
        const char *name;
        enum err_kind kind;
        const char *says;
    } table[] = {
        {"", ERR_INVALID, "must look like Europe/Rome"},
        {"/etc/passwd", ERR_INVALID, "must look like"},
        {"../passwd", ERR_INVALID, "must look like"},
        {"Europe/../UTC", ERR_INVALID, "must look like"},
        {"Europe//Rome", ERR_INVALID, "must look like"},
        {"Europe/Rome/", ERR_INVALID, "must look like"},
        {"Europe/Ro me", ERR_INVALID, "must look like"},
        {"Europe\\Rome", ERR_INVALID, "must look like"},
        {"tzdata.zi", ERR_INVALID, "must look like"},
        {"a234567890123456789012345678901234567890123456789012345678901234x", ERR_INVALID, "must look like"},
        {"Europe/Atlantis", ERR_NOT_FOUND, "tzdata"},
        {"Europe", ERR_INVALID, "cannot load time zone Europe"},
        {"leapseconds", ERR_INVALID, "no time zone data"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        struct tz *tz = NULL;
        assert_int_equal(tz_load(&tz, table[i].name, NULL, &err), -1);
        if (err.kind != table[i].kind || !strstr(err.msg, table[i].says))
            fail_msg("%s: says '%s', expected '%s'", table[i].name, err.msg, table[i].says);
    }
}

static void utc_needs_no_files(void **state)
{
    _cleanup_(tz_freep) struct tz *tz = NULL;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(tz_load(&tz, "UTC", "/nonexistent", &err), 0);
    assert_int_equal(tz_offset_s(tz, 1764052500123), 0);
    struct tz *none = NULL;
    assert_int_equal(tz_load(&none, "Europe/Rome", "/nonexistent", &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nonexistent"));
}

/* Whatever the damage, the answer is an error or a zone that answers at once. */
static void damaged_files_do_no_harm(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    uint64_t seed = 4711;
    (void)state;

    assert_int_equal(file_read(TZ_DIRECTORY "/Africa/Casablanca", &b, &err), 0);
    for (int i = 0; i < 20000; i++) {
        _cleanup_(tz_freep) struct tz *tz = NULL;
        char *copy = xmalloc(b.len);
        memcpy(copy, b.data, b.len);
        for (int k = 0; k < 1 + i % 3; k++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            copy[(seed >> 20) % b.len] = (char)(seed >> 56);
        }
        if (tz_parse(&tz, copy, b.len, &err) == 0)
            (void)tz_local_to_wall_ms(tz, 1970 + i % 200, 3, 31, 9000);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest without_files[] = {
        cmocka_unit_test(utc_needs_no_files),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_needs_no_files),
        cmocka_unit_test(names_are_checked_before_they_become_paths),
        cmocka_unit_test(odd_zones_agree_with_the_c_library_every_day),
        cmocka_unit_test(all_zones_agree_with_the_c_library),
        cmocka_unit_test(damaged_files_do_no_harm),
    };

    if (access(TZ_DIRECTORY "/tzdata.zi", R_OK) != 0) {
        (void)fputs("SKIPPED: no zone files (tzdata) here: zones are not compared with the C library\n", stderr);
        return cmocka_run_group_tests(without_files, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
