/* The elector in virtual time: one candidate against a Lease of the test's making. Several against each other are in
 * test_election.c. */
#include "unit.h"

#include "kube/elector.h"

#include <stdio.h>
#include <string.h>

#define SECOND 1000LL
#define WALL 1772884800000LL /* 2026-03-07T12:00:00Z */
#define EVERY_DICE 999U

static const struct elector_options options = {
    .identity = "us", .lease_duration = 15 * SECOND, .renew_deadline = 10 * SECOND, .retry_period = 2 * SECOND};

static struct elector make(void)
{
    struct elector e;

    elector_init(&e, &options);
    return e;
}

static struct elector_step next(struct elector *e, int64_t now)
{
    return elector_next(e, now, WALL + now, 0);
}

static struct elector_step expect(struct elector *e, int64_t now, enum elector_action action)
{
    struct elector_step step = next(e, now);

    if (step.action != action)
        fail_msg("at %lld: action %d instead of %d", (long long)now, step.action, action);
    return step;
}

static void expect_sleep(struct elector *e, int64_t now, int64_t until)
{
    struct elector_step step = expect(e, now, ELECTOR_SLEEP);

    assert_int_equal(step.at, until);
}

static struct lease_record held_by(const char *holder, const char *renewed, int64_t duration_s)
{
    struct lease_record record = {.duration_s = duration_s, .transitions = 4};

    (void)snprintf(record.holder, sizeof(record.holder), "%s", holder);
    (void)snprintf(record.renew_time, sizeof(record.renew_time), "%s", renewed);
    (void)snprintf(record.acquire_time, sizeof(record.acquire_time), "then");
    return record;
}

static void read_at(struct elector *e, int64_t now, const struct lease_record *record)
{
    (void)expect(e, now, ELECTOR_READ);
    elector_read(e, now, record);
}

/* Leads since a request begun at 0. */
static struct elector leader(void)
{
    struct elector e = make();

    read_at(&e, 0, NULL);
    (void)expect(&e, 0, ELECTOR_CREATE);
    elector_wrote(&e, 100);
    assert_int_equal(e.state, ELECTOR_LEADS);
    return e;
}

static void where_there_is_no_lease_it_is_created(void **state)
{
    struct elector e = make();
    (void)state;

    read_at(&e, 0, NULL);
    struct elector_step step = expect(&e, 10, ELECTOR_CREATE);
    assert_string_equal(step.record.holder, "us");
    assert_int_equal(step.record.duration_s, 15);
    assert_int_equal(step.record.transitions, 0);
    assert_string_equal(step.record.renew_time, "2026-03-07T12:00:00.010000Z");
    assert_string_equal(step.record.acquire_time, step.record.renew_time);
    assert_int_equal(elector_valid_until(&e), 0);
    elector_wrote(&e, 300);
    assert_int_equal(elector_valid_until(&e), 10 + 10 * SECOND); /* from the begin of the request */
    expect_sleep(&e, 300, 300 + 2 * SECOND);
}

static void a_renewal_keeps_what_was_acquired(void **state)
{
    struct elector e = leader();
    (void)state;

    struct elector_step step = expect(&e, 2100, ELECTOR_WRITE);
    assert_string_equal(step.record.renew_time, "2026-03-07T12:00:02.100000Z");
    assert_string_equal(step.record.acquire_time, "2026-03-07T12:00:00.000000Z");
    assert_int_equal(step.record.transitions, 0);
    assert_int_equal(step.timeout, 5 * SECOND);
    elector_wrote(&e, 2200);
    assert_int_equal(elector_valid_until(&e), 2100 + 10 * SECOND);
}

static void a_free_lease_is_taken_at_once(void **state)
{
    struct elector e = make();
    struct lease_record released = held_by("", "now", 1);
    (void)state;

    read_at(&e, 0, &released);
    struct elector_step step = expect(&e, 0, ELECTOR_WRITE);
    assert_int_equal(step.record.transitions, 5);
    assert_int_equal(step.record.duration_s, 15);
}

/* Times in the Lease are text: whether they are hours ahead or behind makes no difference. */
static void another_is_replaced_only_after_a_full_duration_without_change(void **state)
{
    static const char *const times[] = {"1970-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "", "yesterday"};
    (void)state;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct elector e = make();
        struct lease_record record = held_by("them", times[i], 15), renewed = held_by("them", "later", 15);
        read_at(&e, 0, &record);
        expect_sleep(&e, 0, 2 * SECOND);
        read_at(&e, 2 * SECOND, &record);
        expect_sleep(&e, 2 * SECOND, 4 * SECOND);
        read_at(&e, 14 * SECOND, &renewed); /* a change: all begins anew */
        expect_sleep(&e, 14 * SECOND, 16 * SECOND);
        read_at(&e, 28 * SECOND, &renewed);
        expect_sleep(&e, 28 * SECOND, 29 * SECOND); /* not a whole period: the lease runs out before */
        read_at(&e, 29 * SECOND, &renewed);
        struct elector_step step = expect(&e, 29 * SECOND, ELECTOR_WRITE);
        assert_int_equal(step.record.transitions, 5);
    }
}

/* Nobody looked for long: what was seen before counts for nothing but being the same. */
static void a_candidate_that_slept_looks_before_it_takes_over(void **state)
{
    struct elector e = make();
    struct lease_record record = held_by("them", "t1", 15), renewed = held_by("them", "t2", 15);
    (void)state;

    read_at(&e, 0, &record);
    expect_sleep(&e, 0, 2 * SECOND);
    read_at(&e, 600 * SECOND, &renewed);
    expect_sleep(&e, 600 * SECOND, 602 * SECOND);
}

static void the_duration_that_counts_is_the_holders_unless_it_is_impossible(void **state)
{
    static const struct {
        int64_t duration_s, waits;
    } table[] = {{40, 40 * SECOND}, {3, 3 * SECOND}, {3600, 3600 * SECOND}, {0, 15 * SECOND}, {-1, 15 * SECOND},
        {3601, 15 * SECOND}, {INT32_MAX, 15 * SECOND}};
    (void)state;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct elector e = make();
        struct lease_record record = held_by("them", "t", table[i].duration_s);
        read_at(&e, 0, &record);
        (void)expect(&e, 0, ELECTOR_SLEEP);
        read_at(&e, table[i].waits - 1, &record);
        expect_sleep(&e, table[i].waits - 1, table[i].waits);
        read_at(&e, table[i].waits, &record);
        (void)expect(&e, table[i].waits, ELECTOR_WRITE);
    }
}

static void an_impossible_count_of_transitions_begins_anew(void **state)
{
    static const struct {
        int64_t found, written;
    } table[] = {{0, 1}, {7, 8}, {-3, 1}, {INT32_MAX, INT32_MAX}, {INT64_MAX, 1}};
    (void)state;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct elector e = make();
        struct lease_record record = held_by("", "t", 1);
        record.transitions = table[i].found;
        read_at(&e, 0, &record);
        assert_int_equal(expect(&e, 0, ELECTOR_WRITE).record.transitions, table[i].written);
    }
}

static void a_wait_is_lengthened_by_at_most_a_fifth(void **state)
{
    struct elector e = make();
    struct lease_record record = held_by("them", "t", 15);
    (void)state;

    read_at(&e, 0, &record);
    struct elector_step step = elector_next(&e, 0, WALL, EVERY_DICE);
    assert_int_equal(step.action, ELECTOR_SLEEP);
    assert_int_equal(step.at, 2399);
}

static void a_lost_race_is_looked_at_and_lost(void **state)
{
    struct elector e = make();
    struct lease_record free = held_by("", "t", 1), taken = held_by("them", "t2", 15);
    (void)state;

    read_at(&e, 0, &free);
    (void)expect(&e, 0, ELECTOR_WRITE);
    elector_failed(&e, 50, ELECTOR_REFUSED, -1, 0);
    read_at(&e, 50, &taken);
    expect_sleep(&e, 60, 60 + 2 * SECOND);
    assert_int_equal(e.state, ELECTOR_STANDS_BY);
}

static void refusals_are_not_answered_with_haste(void **state)
{
    struct elector e = make();
    struct lease_record free = held_by("", "t", 1);
    (void)state;

    read_at(&e, 0, &free);
    (void)expect(&e, 0, ELECTOR_WRITE);
    elector_failed(&e, 0, ELECTOR_REFUSED, -1, 0);
    read_at(&e, 0, &free);
    (void)expect(&e, 0, ELECTOR_WRITE);
    elector_failed(&e, 0, ELECTOR_REFUSED, -1, 0);
    expect_sleep(&e, 0, 2 * SECOND);
    (void)expect(&e, 2 * SECOND, ELECTOR_READ);
    elector_failed(&e, 2 * SECOND, ELECTOR_REFUSED, 7 * SECOND, 0);
    expect_sleep(&e, 2 * SECOND, 9 * SECOND); /* as the server asked */
    (void)expect(&e, 9 * SECOND, ELECTOR_READ);
    elector_failed(&e, 9 * SECOND, ELECTOR_REFUSED, 3600 * SECOND, 0);
    expect_sleep(&e, 9 * SECOND, 24 * SECOND); /* but not for ever */
}

/* The renewal was stored, its answer was lost: the Lease has a version that we do not know. */
static void a_lost_answer_is_found_by_looking(void **state)
{
    struct elector e = leader();
    (void)state;

    struct elector_step lost = expect(&e, 2100, ELECTOR_WRITE);
    elector_failed(&e, 7100, ELECTOR_UNKNOWN, -1, 0);
    struct elector_step step = expect(&e, 7100, ELECTOR_READ);
    assert_true(step.fresh);
    assert_int_equal(step.timeout, 2900); /* what is left */
    elector_read(&e, 7200, &lost.record);
    assert_int_equal(elector_valid_until(&e), 10 * SECOND); /* to have looked is not to have renewed */
    step = expect(&e, 7200, ELECTOR_WRITE);
    assert_false(step.fresh);
    assert_string_equal(step.record.acquire_time, lost.record.acquire_time);
    elector_wrote(&e, 7300);
    assert_int_equal(elector_valid_until(&e), 17200);
}

static void a_take_over_whose_answer_was_lost_is_completed(void **state)
{
    struct elector e = make();
    struct lease_record free = held_by("", "t", 1);
    (void)state;

    read_at(&e, 0, &free);
    struct elector_step lost = expect(&e, 0, ELECTOR_WRITE);
    elector_failed(&e, 5000, ELECTOR_UNKNOWN, -1, 0);
    assert_int_equal(elector_valid_until(&e), 0);
    read_at(&e, 5000, &lost.record);
    struct elector_step step = expect(&e, 5000, ELECTOR_WRITE);
    assert_int_equal(step.record.transitions, lost.record.transitions); /* it is one take-over */
    elector_wrote(&e, 5100);
    assert_int_equal(elector_valid_until(&e), 15000);
}

static void a_leader_that_cannot_renew_ends_at_the_deadline(void **state)
{
    struct elector e = leader();
    (void)state;

    (void)expect(&e, 2100, ELECTOR_WRITE);
    elector_failed(&e, 2100, ELECTOR_UNKNOWN, -1, 0);
    (void)expect(&e, 2100, ELECTOR_READ);
    elector_failed(&e, 2100, ELECTOR_UNKNOWN, -1, 0);
    expect_sleep(&e, 2100, 4100);
    (void)expect(&e, 9000, ELECTOR_READ);
    elector_failed(&e, 9000, ELECTOR_UNKNOWN, -1, 0);
    expect_sleep(&e, 9000, 10 * SECOND); /* not beyond the end */
    (void)expect(&e, 10 * SECOND, ELECTOR_END);
    assert_int_equal(elector_valid_until(&e), 0);
    assert_int_equal(e.state, ELECTOR_LOST);
}

static void a_leader_that_stood_still_does_not_get_it_back(void **state)
{
    struct elector asleep = leader(), waiting = leader();
    (void)state;

    (void)expect(&asleep, 20 * SECOND, ELECTOR_END);
    (void)expect(&waiting, 2100, ELECTOR_WRITE);
    elector_wrote(&waiting, 20 * SECOND); /* the answer was there all the time */
    assert_int_equal(elector_valid_until(&waiting), 0);
    (void)expect(&waiting, 20 * SECOND, ELECTOR_END);
}

/* The request took longer than the lease that it brought. */
static void a_take_over_that_was_confirmed_too_late_is_written_again(void **state)
{
    struct elector e = make();
    (void)state;

    read_at(&e, 0, NULL);
    (void)expect(&e, 0, ELECTOR_CREATE);
    elector_wrote(&e, 12 * SECOND);
    assert_int_equal(elector_valid_until(&e), 0);
    assert_int_equal(e.state, ELECTOR_STANDS_BY);
    (void)expect(&e, 12 * SECOND, ELECTOR_WRITE);
    elector_wrote(&e, 12100);
    assert_int_equal(elector_valid_until(&e), 22 * SECOND);
}

static void a_leader_that_finds_another_ends(void **state)
{
    struct elector e = leader();
    struct lease_record taken = held_by("them", "t2", 15);
    (void)state;

    (void)expect(&e, 2100, ELECTOR_WRITE);
    elector_failed(&e, 2100, ELECTOR_REFUSED, -1, 0);
    read_at(&e, 2100, &taken);
    assert_int_equal(elector_valid_until(&e), 0);
    (void)expect(&e, 2100, ELECTOR_END);
}

/* Somebody set a label, or put nonsense into a field. */
static void a_leader_renews_over_what_others_wrote_into_its_lease(void **state)
{
    struct elector e = leader();
    struct lease_record odd = held_by("us", "whenever", -7);
    (void)state;

    (void)expect(&e, 2100, ELECTOR_WRITE);
    elector_failed(&e, 2100, ELECTOR_REFUSED, -1, 0);
    read_at(&e, 2100, &odd);
    struct elector_step step = expect(&e, 2100, ELECTOR_WRITE);
    assert_int_equal(step.record.duration_s, 15);
    elector_wrote(&e, 2200);
    assert_int_equal(elector_valid_until(&e), 12100);
}

static void a_deleted_lease_is_made_anew_by_its_holder(void **state)
{
    struct elector e = leader();
    (void)state;

    (void)expect(&e, 2100, ELECTOR_WRITE);
    elector_failed(&e, 2100, ELECTOR_REFUSED, -1, 0);
    read_at(&e, 2100, NULL);
    (void)expect(&e, 2100, ELECTOR_CREATE);
    elector_wrote(&e, 2200);
    assert_int_equal(elector_valid_until(&e), 12100);
}

/* The holder does not know yet, and may act until its deadline. */
static void others_wait_out_a_deleted_lease(void **state)
{
    struct elector e = make();
    struct lease_record record = held_by("them", "t", 15);
    (void)state;

    read_at(&e, 0, &record);
    expect_sleep(&e, 0, 2 * SECOND);
    read_at(&e, 2 * SECOND, NULL);
    expect_sleep(&e, 2 * SECOND, 4 * SECOND);
    read_at(&e, 16 * SECOND, NULL);
    expect_sleep(&e, 16 * SECOND, 17 * SECOND); /* it may have been renewed just before it was deleted */
    read_at(&e, 17 * SECOND, NULL);
    (void)expect(&e, 17 * SECOND, ELECTOR_CREATE);
}

static void every_renewal_is_a_change_even_when_the_wall_clock_stands_still(void **state)
{
    struct elector e = leader();
    char before[LEASE_TEXT_SIZE] = "";
    (void)state;

    for (int64_t now = 2100; now < 60 * SECOND; now += 2100) {
        struct elector_step step = elector_next(&e, now, now > 30 * SECOND ? -5 : WALL, 0);
        assert_int_equal(step.action, ELECTOR_WRITE);
        assert_string_not_equal(step.record.renew_time, before);
        (void)snprintf(before, sizeof(before), "%s", step.record.renew_time);
        elector_wrote(&e, now);
        assert_int_equal(elector_valid_until(&e), now + 10 * SECOND); /* whatever the wall clock does */
    }
}

static void a_release_empties_the_holder(void **state)
{
    struct elector e = leader();
    struct lease_record record = elector_release(&e, WALL + 5000);
    (void)state;

    assert_string_equal(record.holder, "");
    assert_int_equal(record.duration_s, 1);
    assert_int_equal(record.transitions, 0);
    assert_string_equal(record.renew_time, "2026-03-07T12:00:05.000000Z");
    assert_string_equal(record.acquire_time, "2026-03-07T12:00:00.000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_is_no_lease_it_is_created),
        cmocka_unit_test(a_renewal_keeps_what_was_acquired),
        cmocka_unit_test(a_free_lease_is_taken_at_once),
        cmocka_unit_test(another_is_replaced_only_after_a_full_duration_without_change),
        cmocka_unit_test(a_candidate_that_slept_looks_before_it_takes_over),
        cmocka_unit_test(the_duration_that_counts_is_the_holders_unless_it_is_impossible),
        cmocka_unit_test(an_impossible_count_of_transitions_begins_anew),
        cmocka_unit_test(a_wait_is_lengthened_by_at_most_a_fifth),
        cmocka_unit_test(a_lost_race_is_looked_at_and_lost),
        cmocka_unit_test(refusals_are_not_answered_with_haste),
        cmocka_unit_test(a_lost_answer_is_found_by_looking),
        cmocka_unit_test(a_take_over_whose_answer_was_lost_is_completed),
        cmocka_unit_test(a_leader_that_cannot_renew_ends_at_the_deadline),
        cmocka_unit_test(a_leader_that_stood_still_does_not_get_it_back),
        cmocka_unit_test(a_take_over_that_was_confirmed_too_late_is_written_again),
        cmocka_unit_test(a_leader_that_finds_another_ends),
        cmocka_unit_test(a_leader_renews_over_what_others_wrote_into_its_lease),
        cmocka_unit_test(a_deleted_lease_is_made_anew_by_its_holder),
        cmocka_unit_test(others_wait_out_a_deleted_lease),
        cmocka_unit_test(every_renewal_is_a_change_even_when_the_wall_clock_stands_still),
        cmocka_unit_test(a_release_empties_the_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
