/* The pure queue in virtual time: client-go's rules one by one, then many random steps against a model that is too
 * simple to be wrong. */
#include "unit.h"

#include "base/cleanup.h"
#include "queue/queue.h"

#include <stdio.h>
#include <string.h>

static struct queue *q;

static int set_up(void **state)
{
    (void)state;
    q = queue_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    q = queue_free(q);
    return 0;
}

static void expect_get(int64_t now, const char *key)
{
    int64_t wake = -1;
    const char *got = queue_get(q, now, &wake);

    if (!got || strcmp(got, key) != 0)
        fail_msg("at %lld: expected %s, got %s", (long long)now, key, got ? got : "nothing");
}

static void expect_wait(int64_t now, int64_t until)
{
    int64_t wake = -1;

    assert_null(queue_get(q, now, &wake));
    assert_int_equal(wake, until);
}

static void an_empty_queue_has_nothing_to_wait_for(void **state)
{
    (void)state;
    expect_wait(0, INT64_MAX);
    assert_int_equal(queue_len(q), 0);
    queue_done(q, "a");
    queue_forget(q, "a");
    queue_remove(q, "a");
    assert_null(queue_free(NULL));
}

static void keys_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    queue_add(q, "b", 0);
    queue_add(q, "a", 0);
    queue_add(q, "c", 0);
    expect_get(0, "b");
    expect_get(0, "a");
    expect_get(0, "c");
    expect_wait(0, INT64_MAX);
    assert_int_equal(queue_processing(q), 3);
}

static void adds_of_a_waiting_key_are_merged(void **state)
{
    (void)state;
    queue_add(q, "a", 0);
    queue_add(q, "b", 0);
    queue_add(q, "a", 1);
    assert_int_equal(queue_len(q), 2);
    expect_get(1, "a");
    queue_done(q, "a");
    expect_get(1, "b");
    queue_done(q, "b");
    expect_wait(1, INT64_MAX);
}

static void a_key_is_never_handed_out_twice_at_a_time(void **state)
{
    (void)state;
    queue_add(q, "a", 0);
    expect_get(0, "a");
    queue_add(q, "a", 1);
    queue_add(q, "a", 2);
    expect_wait(2, INT64_MAX);
    assert_int_equal(queue_len(q), 0);
    queue_done(q, "a");
    assert_int_equal(queue_len(q), 1);
    expect_get(2, "a");
    queue_done(q, "a");
    expect_wait(9, INT64_MAX);
}

static void a_later_add_while_processing_is_due_later(void **state)
{
    (void)state;
    queue_add(q, "a", 0);
    expect_get(0, "a");
    queue_add_at(q, "a", 500);
    queue_add_at(q, "a", 300);
    queue_add_at(q, "a", 400);
    queue_done(q, "a");
    expect_wait(100, 300);
    expect_get(300, "a");
}

static void the_earlier_of_two_due_times_wins(void **state)
{
    (void)state;
    queue_add_at(q, "a", 1000);
    queue_add_at(q, "a", 2000);
    expect_wait(0, 1000);
    queue_add_at(q, "b", 800);
    queue_add(q, "a", 10);
    expect_get(10, "a");
    queue_done(q, "a");
    expect_wait(10, 800);
}

static void done_may_be_given_the_borrowed_key(void **state)
{
    int64_t wake;
    (void)state;

    queue_add(q, "a", 0);
    const char *key = queue_get(q, 0, &wake);
    queue_done(q, key);
    assert_int_equal(queue_processing(q), 0);
}

static void back_off_doubles_up_to_its_limit_until_forgotten(void **state)
{
    int64_t expected = 5;
    (void)state;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(queue_failures(q, "a"), i);
        assert_int_equal(queue_add_backoff(q, "a", 0), expected);
        expected = expected * 2 < 1000000 ? expected * 2 : 1000000;
    }
    expect_get(5, "a");
    queue_done(q, "a");
    assert_int_equal(queue_failures(q, "a"), 100);
    assert_int_equal(queue_failures(q, "b"), 0);
    queue_forget(q, "a");
    assert_int_equal(queue_add_backoff(q, "a", 10), 5);
    expect_wait(14, 15);
}

static void back_off_obeys_the_options(void **state)
{
    (void)state;
    queue_free(q);
    q = queue_new(&(struct queue_options){.backoff_base_ms = 100, .backoff_max_ms = 350});
    assert_int_equal(queue_add_backoff(q, "a", INT64_MAX - 1), 100);
    assert_int_equal(queue_add_backoff(q, "a", 0), 200);
    assert_int_equal(queue_add_backoff(q, "a", 0), 350);
    expect_wait(0, 200);
}

static void a_removed_key_does_not_come_back(void **state)
{
    (void)state;
    queue_add_backoff(q, "a", 0);
    queue_remove(q, "a");
    assert_int_equal(queue_failures(q, "a"), 0);
    expect_wait(100, INT64_MAX);

    queue_add(q, "b", 0);
    expect_get(0, "b");
    queue_add_backoff(q, "b", 1);
    queue_remove(q, "b");
    queue_done(q, "b");
    assert_int_equal(queue_failures(q, "b"), 0);
    expect_wait(100, INT64_MAX);
}

static void a_key_added_after_its_removal_is_not_lost(void **state)
{
    (void)state;
    queue_add(q, "a", 0);
    expect_get(0, "a");
    queue_remove(q, "a");
    queue_add(q, "a", 1);
    queue_done(q, "a");
    expect_get(1, "a");
}

enum { KEYS = 40, STEPS = 200000 };

static struct {
    int64_t due; /* INT64_MIN: not pending */
    uint64_t order;
    int failures;
    bool processing;
} model[KEYS];
static uint64_t order;

static uint32_t random_step(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33);
}

static void model_add(int k, int64_t due)
{
    if (model[k].due == INT64_MIN || due < model[k].due) {
        model[k].due = due;
        model[k].order = order++;
    }
}

static void model_get(int64_t now)
{
    int first = -1;
    char key[16];

    for (int k = 0; k < KEYS; k++) {
        if (model[k].due == INT64_MIN || model[k].processing)
            continue;
        if (first < 0 || model[k].due < model[first].due ||
            (model[k].due == model[first].due && model[k].order < model[first].order))
            first = k;
    }
    if (first < 0 || model[first].due > now) {
        expect_wait(now, first < 0 ? INT64_MAX : model[first].due);
        return;
    }
    (void)snprintf(key, sizeof(key), "key-%d", first);
    expect_get(now, key);
    model[first].processing = true;
    model[first].due = INT64_MIN;
}

static void model_check_counts(void)
{
    size_t waiting = 0, processing = 0;

    for (int k = 0; k < KEYS; k++) {
        waiting += model[k].due != INT64_MIN && !model[k].processing;
        processing += model[k].processing;
    }
    assert_int_equal(queue_len(q), waiting);
    assert_int_equal(queue_processing(q), processing);
}

static void one_random_step(uint64_t *seed, int64_t now)
{
    int k = (int)(random_step(seed) % KEYS);
    int64_t later = now + random_step(seed) % 300;
    char key[16];

    (void)snprintf(key, sizeof(key), "key-%d", k);
    switch (random_step(seed) % 8) {
    case 0:
        queue_add(q, key, now);
        model_add(k, now);
        break;
    case 1:
        queue_add_at(q, key, later);
        model_add(k, later);
        break;
    case 2:
        model_add(k, now + queue_add_backoff(q, key, now));
        assert_int_equal(queue_failures(q, key), ++model[k].failures);
        break;
    case 3:
        queue_forget(q, key);
        model[k].failures = 0;
        break;
    case 4:
        queue_remove(q, key);
        model[k].failures = 0;
        model[k].due = INT64_MIN;
        break;
    case 5:
        queue_done(q, key);
        model[k].processing = false;
        break;
    default:
        model_get(now);
    }
}

static void random_steps_agree_with_a_simple_model(void **state)
{
    uint64_t seed = 20240229;
    int64_t now = 0;
    (void)state;

    for (int k = 0; k < KEYS; k++)
        model[k].due = INT64_MIN;
    for (int i = 0; i < STEPS; i++) {
        now += random_step(&seed) % 8;
        one_random_step(&seed, now);
        model_check_counts();
    }
}

static void a_hundred_thousand_waiting_keys_do_not_slow_it_down(void **state)
{
    char key[32];
    (void)state;

    for (int i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof(key), "namespace/%d", i);
        queue_add_at(q, key, 1000000 - i);
    }
    for (int i = 0; i < 100000; i++) {
        queue_add(q, "namespace/7", i);
        expect_get(i, "namespace/7");
        queue_done(q, "namespace/7");
    }
    for (int i = 99999; i >= 0; i--) {
        if (i == 7)
            continue;
        (void)snprintf(key, sizeof(key), "namespace/%d", i);
        expect_get(1000000, key);
    }
    expect_wait(1000000, INT64_MAX);
}

static void expect_stats(int64_t now, uint64_t adds, uint64_t retries, size_t ready, size_t waiting)
{
    struct queue_stats s;

    queue_stats(q, now, &s);
    if (s.adds != adds || s.retries != retries || s.ready != ready || s.waiting != waiting)
        fail_msg("at %lld: adds %llu retries %llu ready %zu waiting %zu", (long long)now, (unsigned long long)s.adds,
            (unsigned long long)s.retries, s.ready, s.waiting);
}

static void what_is_due_and_what_waits_are_told_apart(void **state)
{
    (void)state;
    expect_stats(0, 0, 0, 0, 0);
    queue_add(q, "a", 0);
    queue_add(q, "a", 0); /* merged */
    queue_add_at(q, "b", 100);
    queue_add_at(q, "c", 50);
    (void)queue_add_backoff(q, "d", 10); /* due at 15 */
    expect_stats(0, 4, 3, 1, 4);
    expect_stats(14, 4, 3, 1, 4);
    expect_stats(15, 4, 3, 2, 4);
    expect_stats(50, 4, 3, 3, 4);
    expect_stats(100, 4, 3, 4, 4);
    expect_get(100, "a");
    assert_int_equal(queue_waited_ms(q), 100);
    expect_get(100, "d");
    assert_int_equal(queue_waited_ms(q), 85);
    queue_add(q, "a", 100); /* while it is processed: waits for its end */
    expect_stats(100, 5, 3, 2, 2);
    queue_done(q, "a");
    expect_stats(100, 5, 3, 3, 3);
}

static void counting_what_is_due_agrees_with_taking_it(void **state)
{
    char key[16];
    int64_t wake;
    struct queue_stats s;

    (void)state;
    for (int i = 0; i < 500; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        queue_add_at(q, key, i * 7919 % 1000);
    }
    for (int64_t now = 0; now <= 1000; now += 50) {
        size_t taken = 0;
        queue_stats(q, now, &s);
        while (queue_get(q, now, &wake))
            taken++;
        assert_int_equal(s.ready, taken);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_empty_queue_has_nothing_to_wait_for),
        T(keys_come_out_in_the_order_they_went_in),
        T(adds_of_a_waiting_key_are_merged),
        T(a_key_is_never_handed_out_twice_at_a_time),
        T(a_later_add_while_processing_is_due_later),
        T(the_earlier_of_two_due_times_wins),
        T(done_may_be_given_the_borrowed_key),
        T(back_off_doubles_up_to_its_limit_until_forgotten),
        T(back_off_obeys_the_options),
        T(a_removed_key_does_not_come_back),
        T(a_key_added_after_its_removal_is_not_lost),
        T(random_steps_agree_with_a_simple_model),
        T(what_is_due_and_what_waits_are_told_apart),
        T(counting_what_is_due_agrees_with_taking_it),
        T(a_hundred_thousand_waiting_keys_do_not_slow_it_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
