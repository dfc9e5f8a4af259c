/* Time zones from hand-made files: the rules of the footer, the two odd hours of a year, and files that lie. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "base/tz.h"

#include <string.h>

struct change {
    int64_t at;
    int type;
};

/* A TZif file in the making. */
struct sample {
    char version;
    const struct change *changes;
    int n;
    int32_t offsets[4];
    int types;
    int leaps;
    const char *footer;
};

static void put_be(struct buf *b, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buf_putc(b, (char)(value >> (8 * i)));
}

static void put_block(struct buf *b, const struct sample *s, int time_size)
{
    buf_puts(b, "TZif");
    buf_putc(b, s->version);
    for (int i = 0; i < 15; i++)
        buf_putc(b, '\0');
    const int counts[] = {0, 0, s->leaps, s->n, s->types, 4};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        put_be(b, (uint64_t)counts[i], 4);
    for (int i = 0; i < s->n; i++)
        put_be(b, (uint64_t)s->changes[i].at, time_size);
    for (int i = 0; i < s->n; i++)
        buf_putc(b, (char)s->changes[i].type);
    for (int i = 0; i < s->types; i++) {
        put_be(b, (uint32_t)s->offsets[i], 4);
        put_be(b, 0, 2);
    }
    buf_add(b, "LMT", 4);
    for (int i = 0; i < s->leaps; i++) {
        put_be(b, 0, time_size);
        put_be(b, 1, 4);
    }
}

static void put_file(struct buf *b, const struct sample *s)
{
    put_block(b, s, 4);
    if (s->version == '\0')
        return;
    put_block(b, s, 8);
    buf_printf(b, "\n%s\n", s->footer);
}

static struct tz *parse(const struct sample *s, struct err *err)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct tz *tz = NULL;

    put_file(&b, s);
    if (tz_parse(&tz, b.data, b.len, err) < 0)
        assert_null(tz);
    return tz;
}

static struct tz *zone_of_rule(const char *rule)
{
    struct err err = ERR_INIT;
    struct tz *tz = parse(&(struct sample){.version = '3', .types = 1, .footer = rule}, &err);

    if (!tz)
        fail_msg("%s: %s", rule, err.msg);
    return tz;
}

static int64_t instant(const char *text)
{
    int64_t ms;

    if (!time_parse_rfc3339(text, &ms))
        fail_msg("%s is no time", text);
    return ms;
}

static void rules_give_the_offset_of_any_year(void **state)
{
    static const struct {
        const char *rule, *at;
        int64_t offset_s;
    } table[] = {
        {"UTC0", "2030-07-01T00:00:00Z", 0},
        {"<+0545>-5:45", "2030-07-01T00:00:00Z", 20700},
        {"<-03>3", "2030-07-01T00:00:00Z", -10800},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T00:59:59.999Z", 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T01:00:00Z", 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T00:59:59Z", 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T01:00:00Z", 3600},
        {"EST5EDT,M3.2.0,M11.1.0", "2100-03-14T06:59:59Z", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "2100-03-14T07:00:00Z", -14400},
        /* southern: summer spans New Year */
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2031-01-01T00:00:00Z", 39600},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2031-07-01T00:00:00Z", 37800},
        /* Dublin: winter is the exception, and its clock is behind */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2030-01-01T00:00:00Z", 0},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2030-07-01T00:00:00Z", 3600},
        /* Nuuk: minus one hour of Sunday is Saturday evening */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59Z", -7200},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00Z", -3600},
        /* Gaza: hour 50 of Thursday is Saturday, 2 o'clock */
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2030-03-29T23:59:59Z", 7200},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2030-03-30T00:00:00Z", 10800},
        /* J60 is 1 March in every year, 59 is 29 February in a leap year */
        {"AAA0BBB,J60/0,J300/0", "2028-02-29T23:59:59Z", 0},
        {"AAA0BBB,J60/0,J300/0", "2028-03-01T00:00:00Z", 3600},
        {"AAA0BBB,J60/0,J300/0", "2029-03-01T00:00:00Z", 3600},
        {"AAA0BBB,59/0,300/0", "2028-02-28T23:59:59Z", 0},
        {"AAA0BBB,59/0,300/0", "2028-02-29T00:00:00Z", 3600},
        /* always in summer: each year's ends when the next begins (RFC 8536, section 3.3.1) */
        {"EST5EDT,0/0,J365/25", "2030-12-31T23:59:59Z", -14400},
        {"EST5EDT,0/0,J365/25", "2031-01-01T05:00:00Z", -14400},
        {"EST5EDT,0/0,J365/25", "2031-07-01T05:00:00Z", -14400},
        /* never in summer: it ends when it begins */
        {"AAA0BBB,J100/2,J100/3", "2030-07-01T00:00:00Z", 0},
        /* a change that belongs to the year before */
        {"AAA0BBB,J180/0,J365/167", "2031-01-06T21:59:59Z", 3600},
        {"AAA0BBB,J180/0,J365/167", "2031-01-06T22:00:00Z", 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(tz_freep) struct tz *tz = zone_of_rule(table[i].rule);
        int64_t offset = tz_offset_s(tz, instant(table[i].at));
        if (offset != table[i].offset_s)
            fail_msg("%s at %s: %lld", table[i].rule, table[i].at, (long long)offset);
    }
}

static void rules_that_are_no_rules_are_refused(void **state)
{
    static const char *const rules[] = {"UTC", "UT0", "<UTC0", "UTC25", "UTC+", "UTC0:60", "UTC0 ", "EST5EDT",
        "EST5EDT,", "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J365", "EST5EDT,J366,J1", "EST5EDT,366,1",
        "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x", "99999999999999999999", "AAA99999999999999999999",
        "AA\xC3\xA9 0"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct err err = ERR_INIT;
        _cleanup_(tz_freep) struct tz *tz =
            parse(&(struct sample){.version = '2', .types = 1, .footer = rules[i]}, &err);
        if (tz)
            fail_msg("accepted the rule %s", rules[i]);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, "rule in its footer"));
    }
}

static void local_times_become_instants(void **state)
{
    static const char rome[] = "CET-1CEST,M3.5.0,M10.5.0/3", apia[] = "<+13>-13",
                      lord_howe[] = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    static const struct {
        const char *rule;
        int year, month, day, hour, minute;
        const char *at;
    } table[] = {
        {"UTC0", 1970, 1, 1, 0, 0, "1970-01-01T00:00:00Z"},
        {rome, 2030, 1, 15, 12, 0, "2030-01-15T11:00:00Z"},
        {rome, 2030, 7, 15, 12, 0, "2030-07-15T10:00:00Z"},
        {rome, 2030, 3, 31, 1, 59, "2030-03-31T00:59:00Z"},
        /* does not exist: the end of the gap */
        {rome, 2030, 3, 31, 2, 0, "2030-03-31T01:00:00Z"},
        {rome, 2030, 3, 31, 2, 30, "2030-03-31T01:00:00Z"},
        {rome, 2030, 3, 31, 3, 0, "2030-03-31T01:00:00Z"},
        {rome, 2030, 3, 31, 3, 1, "2030-03-31T01:01:00Z"},
        /* occurs twice: the first */
        {rome, 2030, 10, 27, 1, 59, "2030-10-26T23:59:00Z"},
        {rome, 2030, 10, 27, 2, 0, "2030-10-27T00:00:00Z"},
        {rome, 2030, 10, 27, 2, 59, "2030-10-27T00:59:00Z"},
        {rome, 2030, 10, 27, 3, 0, "2030-10-27T02:00:00Z"},
        /* half an hour only */
        {lord_howe, 2030, 10, 6, 2, 15, "2030-10-05T15:30:00Z"},
        {lord_howe, 2030, 4, 7, 1, 45, "2030-04-06T14:45:00Z"},
        {lord_howe, 2030, 4, 7, 2, 0, "2030-04-06T15:30:00Z"},
        /* counted on from a day or a month that ended */
        {apia, 2030, 12, 32, 0, 0, "2030-12-31T11:00:00Z"},
        {apia, 2030, 12, 31, 24, 0, "2030-12-31T11:00:00Z"},
        {apia, 2031, 1, 0, 0, 0, "2030-12-30T11:00:00Z"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(tz_freep) struct tz *tz = zone_of_rule(table[i].rule);
        int64_t ms = tz_local_to_wall_ms(
            tz, table[i].year, table[i].month, table[i].day, table[i].hour * 3600 + table[i].minute * 60);
        char text[TIME_TEXT_SIZE];
        time_format_rfc3339(ms, text);
        if (strcmp(text, table[i].at) != 0)
            fail_msg("row %zu: %s, expected %s", i, text, table[i].at);
    }
}

static const struct change two[] = {{-1000, 1}, {1000, 2}};

static void recorded_changes_come_before_the_rule(void **state)
{
    static const struct sample samples[] = {
        {.version = '\0', .changes = two, .n = 2, .offsets = {10, 20, 30}, .types = 3},
        {.version = '2', .changes = two, .n = 2, .offsets = {10, 20, 30}, .types = 3, .footer = ""},
        {.version = '3', .changes = two, .n = 2, .offsets = {10, 20, 30}, .types = 3, .footer = "AAA-0:0:30"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct err err = ERR_INIT;
        _cleanup_(tz_freep) struct tz *tz = parse(&samples[i], &err);
        assert_non_null(tz);
        assert_int_equal(tz_offset_s(tz, -1000001), 10);
        assert_int_equal(tz_offset_s(tz, -1000000), 20);
        assert_int_equal(tz_offset_s(tz, -1), 20);
        assert_int_equal(tz_offset_s(tz, 999999), 20);
        assert_int_equal(tz_offset_s(tz, 1000000), 30);
        assert_int_equal(tz_offset_s(tz, INT64_MAX), 30);
        assert_int_equal(tz_offset_s(tz, INT64_MIN), 10);
    }
}

static void utc_is_always_there(void **state)
{
    (void)state;
    assert_int_equal(tz_offset_s(tz_utc(), 1764052500123), 0);
    assert_int_equal(tz_local_to_wall_ms(tz_utc(), 2026, 11, 24, 3600), instant("2026-11-24T01:00:00Z"));
    assert_null(tz_free(NULL));
}

static void files_that_lie_are_refused(void **state)
{
    static const struct change backwards[] = {{5, 1}, {5, 0}}, unknown[] = {{5, 2}};
    static const struct {
        struct sample sample;
        const char *says;
    } table[] = {
        {{.version = '2', .types = 0, .footer = ""}, "counts"},
        {{.version = '2', .changes = backwards, .n = 2, .types = 2, .footer = ""}, "not in order"},
        {{.version = '2', .changes = unknown, .n = 1, .types = 2, .footer = ""}, "does not exist"},
        {{.version = '2', .offsets = {93601}, .types = 1, .footer = ""}, "26 hours"},
        {{.version = '2', .offsets = {INT32_MIN}, .types = 1, .footer = ""}, "26 hours"},
        {{.version = '2', .types = 1, .leaps = 1, .footer = ""}, "leap seconds"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        _cleanup_(tz_freep) struct tz *tz = parse(&table[i].sample, &err);
        assert_null(tz);
        if (!strstr(err.msg, table[i].says))
            fail_msg("says '%s', expected '%s'", err.msg, table[i].says);
    }
}

static void every_cut_and_every_huge_count_is_refused(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
    (void)state;

    put_file(&b, &(struct sample){.version = '2', .changes = two, .n = 2, .types = 3, .footer = "UTC0"});
    for (size_t len = 0; len < b.len; len++) {
        char *exact = xmalloc(len); /* nothing behind it, for the sanitizer */
        struct err err = ERR_INIT;
        struct tz *tz = NULL;
        memcpy(exact, b.data, len);
        if (tz_parse(&tz, exact, len, &err) != -1)
            fail_msg("accepted %zu bytes of %zu", len, b.len);
        free(exact);
    }
    size_t second = b.len - strlen("\nUTC0\n") - (44 + 2 * 9 + 3 * 6 + 4);
    for (size_t block = 0; block <= second; block += second)
        for (size_t count = 20; count < 44; count += 4) {
            _cleanup_(buf_done) struct buf copy = BUF_INIT(4096);
            struct err err = ERR_INIT;
            struct tz *tz = NULL;
            buf_add(&copy, b.data, b.len);
            memset(copy.data + block + count, 0xFF, 4);
            assert_int_equal(tz_parse(&tz, copy.data, copy.len, &err), -1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_give_the_offset_of_any_year),
        cmocka_unit_test(rules_that_are_no_rules_are_refused),
        cmocka_unit_test(local_times_become_instants),
        cmocka_unit_test(recorded_changes_come_before_the_rule),
        cmocka_unit_test(utc_is_always_there),
        cmocka_unit_test(files_that_lie_are_refused),
        cmocka_unit_test(every_cut_and_every_huge_count_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
