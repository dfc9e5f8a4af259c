/* The scan's parts without requests: pace, ranges and positions, ids for people. */
#include "unit.h"

#include "azure/scan.h"
#include "azure/scan_pace.h"
#include "azure/scan_state.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* ---- pace ---- */

static void a_budget_is_kept_by_paying_debts_first(void **state)
{
    struct scan_pace pace;

    (void)state;
    scan_pace_init(&pace, 100, 1000, 5000);
    assert_int_equal(scan_pace_wait_ms(&pace, 5000), 0);
    scan_pace_charge(&pace, 350000, 5000); /* 350 of 100 at hand: 2.5 s of debt */
    int64_t wait = scan_pace_wait_ms(&pace, 5000);
    assert_int_equal(wait, 2501);
    assert_true(scan_pace_wait_ms(&pace, 6000) > 0);
    assert_int_equal(scan_pace_wait_ms(&pace, 5000 + wait), 0);
    assert_int_equal(scan_pace_wait_ms(&pace, 500000), 0);
    scan_pace_charge(&pace, 300000, 500000); /* a long rest saves up no more than one second */
    assert_int_equal(scan_pace_wait_ms(&pace, 500000), 2001);
    assert_int_equal(scan_pace_wait_ms(&pace, 400000), 2001); /* a clock that goes back gives nothing */
}

static void without_a_budget_there_is_no_wait(void **state)
{
    struct scan_pace pace;

    (void)state;
    scan_pace_init(&pace, 0, 1000, 0);
    scan_pace_charge(&pace, INT64_MAX / 2, 1);
    assert_int_equal(scan_pace_wait_ms(&pace, 1), 0);
}

static void pages_shrink_when_throttled_and_grow_back(void **state)
{
    struct scan_pace pace;
    int sizes[] = {500, 250, 125, 62, 31, 15, 10, 10};

    (void)state;
    scan_pace_init(&pace, 0, 1000, 0);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        scan_pace_bad(&pace);
        assert_int_equal(pace.page_size, sizes[i]);
    }
    for (int i = 0; i < 200; i++)
        scan_pace_good(&pace);
    assert_int_equal(pace.page_size, 1000);
    scan_pace_init(&pace, 0, 3, 0); /* smaller than the least from the start */
    scan_pace_bad(&pace);
    assert_int_equal(pace.page_size, 3);
}

static void pauses_are_what_the_peer_asks_for_else_they_double(void **state)
{
    (void)state;
    assert_int_equal(scan_pace_backoff_ms(0, 40), 41);
    assert_int_equal(scan_pace_backoff_ms(9, 0), 1);
    assert_int_equal(scan_pace_backoff_ms(0, 99999999), 60000);
    assert_int_equal(scan_pace_backoff_ms(0, -1), 500);
    assert_int_equal(scan_pace_backoff_ms(3, -1), 4000);
    assert_int_equal(scan_pace_backoff_ms(1000000, -1), 30000);
}

/* ---- ranges ---- */

static const struct scan_listed_range halves[] = {{"0", "", "80"}, {"1", "80", "FF"}};

static struct scan_container *open_container(struct scan_state *s, const struct scan_listed_range *ranges, size_t n)
{
    struct scan_container *container = NULL;
    struct scan_range *range = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(scan_state_list(s, "d", "c", "rid", &err), 0);
    assert_true(scan_state_next(s, &container, &range));
    assert_null(range);
    assert_int_equal(scan_container_ranges(container, ranges, n, &err), 0);
    return container;
}

static struct scan_range *next_range(struct scan_state *s, const char *id)
{
    struct scan_container *container;
    struct scan_range *range = NULL;

    assert_true(scan_state_next(s, &container, &range));
    assert_non_null(range);
    assert_string_equal(range->id, id);
    return range;
}

static bool is_idle(struct scan_state *s)
{
    struct scan_container *container;
    struct scan_range *range;

    return !scan_state_next(s, &container, &range);
}

static void after_a_split_only_what_is_not_done_is_read(void **state)
{
    static const struct scan_listed_range later[] = {
        {"2", "", "40"}, {"3", "40", "80"}, {"4", "80", "C0"}, {"5", "C0", "FF"}};
    _cleanup_(scan_state_done) struct scan_state s = {0};
    struct scan_container *container = open_container(&s, halves, 2);
    struct err err = ERR_INIT;

    (void)state;
    scan_range_finish(&s, container, next_range(&s, "0"));
    struct scan_range *gone = next_range(&s, "1");
    scan_range_gone(container, gone);
    container->state = CONTAINER_NEW;
    assert_int_equal(scan_container_ranges(container, later, ARRAY_LEN(later), &err), 0);
    scan_range_finish(&s, container, next_range(&s, "4"));
    scan_range_finish(&s, container, next_range(&s, "5"));
    assert_true(is_idle(&s));
    assert_int_equal(container->state, CONTAINER_DONE);
    assert_int_equal(s.ranges_done, 3);
}

static void after_a_merge_a_range_is_done_only_when_all_of_it_was_read(void **state)
{
    static const struct scan_listed_range merged[] = {{"9", "", "FF"}};
    struct err err = ERR_INIT;

    (void)state;
    for (int both = 0; both < 2; both++) {
        _cleanup_(scan_state_done) struct scan_state s = {0};
        struct scan_container *container = open_container(&s, halves, 2);
        scan_range_finish(&s, container, next_range(&s, "0"));
        if (both)
            scan_range_finish(&s, container, next_range(&s, "1"));
        else
            scan_range_gone(container, next_range(&s, "1"));
        if (!both)
            assert_int_equal(scan_container_ranges(container, merged, 1, &err), 0);
        if (!both)
            scan_range_finish(&s, container, next_range(&s, "9"));
        assert_true(is_idle(&s));
        assert_int_equal(container->state, CONTAINER_DONE);
    }
}

static void a_successor_waits_for_a_range_in_its_place_that_is_still_in_work(void **state)
{
    static const struct scan_listed_range later[] = {{"2", "", "40"}, {"3", "40", "80"}, {"1", "80", "FF"}};
    _cleanup_(scan_state_done) struct scan_state s = {0};
    struct scan_container *container = open_container(&s, halves, 2);
    struct scan_range *first = next_range(&s, "0");
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(scan_container_ranges(container, later, ARRAY_LEN(later), &err), 0);
    scan_range_finish(&s, container, next_range(&s, "1"));
    assert_true(is_idle(&s));
    scan_range_finish(&s, container, first); /* it was read to its end after all */
    assert_int_equal(container->state, CONTAINER_DONE);
}

static void an_offender_is_news_once_also_across_a_split(void **state)
{
    static const struct scan_listed_range whole[] = {{"0", "", "FF"}};
    _cleanup_(scan_state_done) struct scan_state s = {0};
    struct scan_container *container = open_container(&s, whole, 1);
    struct scan_range *range = next_range(&s, "0");
    struct err err = ERR_INIT;

    (void)state;
    assert_true(scan_range_offender(container, range, "a", 1));
    assert_true(scan_range_offender(container, range, "a", 1)); /* the same id in another logical partition */
    assert_true(scan_range_offender(container, range, "b", 1));
    scan_range_gone(container, range);
    assert_int_equal(scan_container_ranges(container, halves, 2, &err), 0);
    range = next_range(&s, "0");
    assert_false(scan_range_offender(container, range, "a", 1));
    assert_false(scan_range_offender(container, range, "b", 1));
    assert_true(scan_range_offender(container, range, "b", 1));
    range = next_range(&s, "1");
    assert_false(scan_range_offender(container, range, "a", 1));
    assert_true(scan_range_offender(container, range, "a", 1));
}

static void ranges_that_make_no_sense_are_refused(void **state)
{
    static const struct scan_listed_range bad[][1] = {{{"0", "FF", ""}}, {{"0", "40", "40"}}};
    _cleanup_(scan_state_done) struct scan_state s = {0};
    struct scan_container *container = open_container(&s, halves, 2);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(scan_container_ranges(container, halves, 0, &err), -1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(scan_container_ranges(container, bad[i], 1, &err), -1);
    assert_int_equal(err.kind, ERR_PROTOCOL);
}

/* ---- positions ---- */

static void a_position_brings_back_what_was_done_and_what_was_in_work(void **state)
{
    _cleanup_(scan_state_done) struct scan_state s = {0}, back = {0};
    struct scan_container *container = open_container(&s, halves, 2);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(scan_state_list(&s, "d", "untouched", "r2", &err), 0);
    scan_range_finish(&s, container, next_range(&s, "0"));
    next_range(&s, "1")->continuation = xstrdup("{\"token\":\"+RID\"}");
    s.documents = 7;
    s.offenders = 2;
    s.charge_milli = 12345;
    _cleanup_(freep) char *text = scan_state_print(&s, "https://a");
    assert_string_equal(text,
        "{\"version\":1,\"account\":\"https://a\",\"rangesDone\":1,\"documents\":7,\"offenders\":2,"
        "\"chargeMilli\":12345,\"containers\":[{\"database\":\"d\",\"container\":\"c\",\"rid\":\"rid\",\"doneRanges\":["
        "{"
        "\"min\":\"\",\"max\":\"80\"}],\"ranges\":[{\"id\":\"1\",\"min\":\"80\",\"max\":\"FF\",\"continuation\":\"{"
        "\\\"token\\\":\\\"+RID\\\"}\"}]}]}");

    assert_int_equal(scan_state_parse(&back, text, "https://a", &err), 0);
    _cleanup_(freep) char *again = scan_state_print(&back, "https://a");
    assert_string_equal(again, text);
    container = open_container(&back, halves, 2);
    assert_string_equal(next_range(&back, "1")->continuation, "{\"token\":\"+RID\"}");
    assert_true(is_idle(&back));
}

static void a_container_that_was_made_again_is_read_again(void **state)
{
    static const char text[] =
        "{\"version\":1,\"account\":\"a\",\"rangesDone\":1,\"documents\":0,\"offenders\":0,\"chargeMilli\":0,"
        "\"containers\":[{\"database\":\"d\",\"container\":\"c\",\"rid\":\"%s\",\"done\":true},"
        "{\"database\":\"d\",\"container\":\"deleted\",\"rid\":\"x\",\"done\":true}]}";
    static const char *const rids[] = {"rid", "old"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rids); i++) {
        _cleanup_(scan_state_done) struct scan_state s = {0};
        struct buf b = BUF_INIT(4096);
        struct err err = ERR_INIT;
        const char *hole = strstr(text, "%s");
        buf_add(&b, text, (size_t)(hole - text));
        buf_puts(&b, rids[i]);
        buf_puts(&b, hole + 2);
        assert_int_equal(scan_state_parse(&s, buf_str(&b), "a", &err), 0);
        buf_done(&b);
        assert_int_equal(scan_state_list(&s, "d", "c", "rid", &err), 0);
        scan_state_listed(&s);
        assert_int_equal(s.n, 1);
        assert_int_equal(is_idle(&s), i == 0);
    }
}

static void a_damaged_position_is_refused(void **state)
{
#define HEAD                                                                                                           \
    "{\"version\":1,\"account\":\"a\",\"rangesDone\":0,\"documents\":0,\"offenders\":0,\"chargeMilli\":0,"             \
    "\"containers\":["
#define CONTAINER "{\"database\":\"d\",\"container\":\"c\",\"rid\":\"r\""
    static const char *const texts[] = {
        "",
        "{}",
        "{\"version\":2}",
        "{\"version\":1}",
        HEAD,
        HEAD "7]}",
        HEAD "{}]}",
        HEAD CONTAINER "," CONTAINER "}]}",
        HEAD CONTAINER ",\"done\":true}," CONTAINER ",\"done\":true}]}",
        HEAD CONTAINER ",\"doneRanges\":[{\"min\":\"40\",\"max\":\"20\"}]}]}",
        HEAD CONTAINER ",\"doneRanges\":[{\"min\":\"40\"}]}]}",
        HEAD CONTAINER ",\"ranges\":[{\"id\":\"0\",\"min\":\"\",\"max\":\"FF\"}]}]}",
        HEAD CONTAINER ",\"ranges\":[{\"id\":\"0\",\"min\":\"\",\"max\":\"FF\",\"continuation\":\"a\\nb\"}]}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_(scan_state_done) struct scan_state s = {0};
        struct err err = ERR_INIT;
        if (scan_state_parse(&s, texts[i], "a", &err) == 0)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    _cleanup_(scan_state_done) struct scan_state s = {0};
    struct err err = ERR_INIT;
    assert_int_equal(scan_state_parse(&s, HEAD "]}", "b", &err), -1);
    assert_non_null(strstr(err.msg, "another account"));
}

/* ---- ids ---- */

static void ids_are_shortened_between_characters(void **state)
{
    char id[2000], text[SCAN_ID_TEXT_SIZE];

    (void)state;
    scan_shorten("short", 5, text);
    assert_string_equal(text, "short");
    memset(id, 'a', sizeof(id));
    scan_shorten(id, 64, text);
    assert_int_equal(strlen(text), 64);
    assert_null(strstr(text, "..."));
    id[999] = 'z';
    scan_shorten(id, 1000, text);
    assert_string_equal(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaz");
    for (size_t shift = 0; shift < 4; shift++) {
        size_t n = shift;
        memset(id, 'x', shift);
        for (; n + 4 < sizeof(id); n += 4)
            memcpy(id + n, "\xF0\x9F\x94\x91", 4);
        scan_shorten(id, n, text);
        assert_true(utf8_valid(text, strlen(text)));
        assert_true(strlen(text) <= 64 && strlen(text) > 55);
        assert_non_null(strstr(text, "..."));
    }
}

static void control_characters_and_broken_bytes_do_not_reach_a_terminal(void **state)
{
    char text[SCAN_ID_TEXT_SIZE];
    static const char id[] = "a\x1b[31m\n\x7f\xC2\x9B\xff\xC3\xA9";

    (void)state;
    scan_shorten(id, sizeof(id) - 1, text);
    assert_string_equal(text, "a?[31m????\xC3\xA9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_is_kept_by_paying_debts_first),
        cmocka_unit_test(without_a_budget_there_is_no_wait),
        cmocka_unit_test(pages_shrink_when_throttled_and_grow_back),
        cmocka_unit_test(pauses_are_what_the_peer_asks_for_else_they_double),
        cmocka_unit_test(after_a_split_only_what_is_not_done_is_read),
        cmocka_unit_test(after_a_merge_a_range_is_done_only_when_all_of_it_was_read),
        cmocka_unit_test(a_successor_waits_for_a_range_in_its_place_that_is_still_in_work),
        cmocka_unit_test(an_offender_is_news_once_also_across_a_split),
        cmocka_unit_test(ranges_that_make_no_sense_are_refused),
        cmocka_unit_test(a_position_brings_back_what_was_done_and_what_was_in_work),
        cmocka_unit_test(a_container_that_was_made_again_is_read_again),
        cmocka_unit_test(a_damaged_position_is_refused),
        cmocka_unit_test(ids_are_shortened_between_characters),
        cmocka_unit_test(control_characters_and_broken_bytes_do_not_reach_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
