/* Two thousand accounts of one subscription on the way to their key, within what ARM allows. */
#include "unit.h"

#include "base/mem.h"
#include "sim/fleet.h"

#include <stdlib.h>

#define ACCOUNTS 2000
#define HOUR_MS 3600000
#define SECOND_MS 1000

static const struct fleet_options usual = {.accounts = ACCOUNTS, .latency_ms = 3, .encrypt_ms = 60000};

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int64_t done_at(struct fleet *f, double part)
{
    qsort(f->ready_at, f->options.accounts, sizeof(*f->ready_at), by_time);
    return f->ready_at[(size_t)((double)(f->options.accounts - 1) * part)];
}

static void tell(struct fleet *f, const char *what)
{
    struct limiter_stats stats;

    limiter_stats(f->limiter, &stats);
    print_message("%s: half of %zu Ready after %lld s, the last after %lld s; %zu reads, %zu writes, %zu times 429; "
                  "%llu requests were told to wait; %zu status writes, %zu of them about pacing\n",
        what, f->options.accounts, (long long)done_at(f, 0.5) / SECOND_MS, (long long)done_at(f, 1) / SECOND_MS,
        f->reads.taken, f->writes.taken, f->reads.throttled + f->writes.throttled,
        (unsigned long long)(stats.refused[LIMITER_READS] + stats.refused[LIMITER_WRITES]), f->status_writes,
        f->paced_writes);
}

/* Nobody waits much longer than it takes to serve all. The time that all the reads need at ARM's speed is the measure
 * of what is possible. */
static void check_nobody_starved(struct fleet *f, double reads_per_s)
{
    double possible_ms = (double)f->reads.taken / reads_per_s * SECOND_MS + (double)f->options.encrypt_ms;

    assert_true((double)done_at(f, 1) < 1.5 * possible_ms);
}

static void a_fleet_becomes_ready_without_one_429(void **state)
{
    _cleanup_(fleet_freep) struct fleet *f = fleet_new(&usual);
    (void)state;

    assert_true(fleet_run(f, ACCOUNTS, 4 * HOUR_MS));
    tell(f, "undisturbed");
    assert_int_equal(f->reads.throttled + f->writes.throttled, 0);
    assert_int_equal(f->writes.taken, ACCOUNTS); /* one change each */
    check_nobody_starved(f, 25);
    assert_true(done_at(f, 1) < 3 * done_at(f, 0.5));
}

static void a_fleet_survives_that_its_limits_are_halved(void **state)
{
    _cleanup_(fleet_freep) struct fleet *f = fleet_new(&usual);
    (void)state;

    assert_true(fleet_run(f, ACCOUNTS / 4, HOUR_MS));
    assert_int_equal(f->reads.throttled + f->writes.throttled, 0);
    int64_t halved = f->now - f->begin;
    fleet_limits(f, 0.5);
    assert_true(fleet_run(f, ACCOUNTS, 4 * HOUR_MS));
    tell(f, "halved on the way");
    print_message("halved at %lld s, the last 429 at %lld s\n", (long long)halved / SECOND_MS,
        (long long)f->reads.last_throttled / SECOND_MS);
    assert_in_range(f->reads.throttled + f->writes.throttled, 0, 10);
    assert_true(f->reads.last_throttled < halved + 60 * SECOND_MS);
    assert_int_equal(f->writes.taken, ACCOUNTS);
    check_nobody_starved(f, 12.5);
}

/* Less than is documented from the start, as in a subscription that others use as well. */
static void a_fleet_lives_with_less_than_is_documented(void **state)
{
    const struct fleet_options small = {.accounts = ACCOUNTS / 4, .latency_ms = 3, .encrypt_ms = 60000};
    _cleanup_(fleet_freep) struct fleet *f = fleet_new(&small);
    (void)state;

    fleet_limits(f, 0.2);
    assert_true(fleet_run(f, small.accounts, 4 * HOUR_MS));
    tell(f, "a fifth from the start");
    assert_in_range(f->reads.throttled + f->writes.throttled, 0, 10);
    check_nobody_starved(f, 5);
}

/* A day-long encryption: the polls of thousands of operations are more than the reads that there are. */
static void polls_of_a_large_fleet_leave_room_for_new_changes(void **state)
{
    const struct fleet_options slow = {.accounts = ACCOUNTS, .latency_ms = 3, .encrypt_ms = 2 * HOUR_MS};
    _cleanup_(fleet_freep) struct fleet *f = fleet_new(&slow);
    (void)state;

    (void)fleet_run(f, ACCOUNTS, HOUR_MS);
    print_message("2 h operations: %zu of %d changes accepted within an hour, %zu times 429\n", f->writes.taken,
        ACCOUNTS, f->reads.throttled + f->writes.throttled);
    assert_int_equal(f->writes.taken, ACCOUNTS);
    assert_int_equal(f->reads.throttled + f->writes.throttled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_becomes_ready_without_one_429),
        cmocka_unit_test(a_fleet_survives_that_its_limits_are_halved),
        cmocka_unit_test(a_fleet_lives_with_less_than_is_documented),
        cmocka_unit_test(polls_of_a_large_fleet_leave_room_for_new_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
