/* The wrapper under real threads: nothing is lost, nothing is handed out twice at a time, and everybody wakes at the
 * end. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, KEYS = 50, ROUNDS = 200 };

static struct work_queue *w;
static atomic_int busy[KEYS]; /* workers that hold the key: never more than one */
static atomic_int overlaps;
static atomic_int added[KEYS], seen[KEYS]; /* the last round announced, the last round that a worker saw */
static atomic_int handled;

static void *worker(void *arg)
{
    char *key;

    while ((key = work_queue_get(w))) {
        int64_t k = 0;
        (void)str_to_i64(key, 0, KEYS - 1, &k);
        if (atomic_fetch_add(&busy[k], 1) != 0)
            atomic_fetch_add(&overlaps, 1);
        atomic_store(&seen[k], atomic_load(&added[k]));
        atomic_fetch_add(&handled, 1);
        atomic_fetch_sub(&busy[k], 1);
        work_queue_done(w, key);
        free(key);
    }
    return arg;
}

static void start(pthread_t *threads)
{
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, NULL), 0);
}

static void stop(pthread_t *threads)
{
    work_queue_stop(w);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_null(work_queue_get(w));
    w = work_queue_free(w);
}

static bool all_seen(void)
{
    for (int k = 0; k < KEYS; k++)
        if (atomic_load(&seen[k]) != ROUNDS)
            return false;
    return true;
}

static void every_add_is_seen_and_no_key_is_held_twice(void **state)
{
    pthread_t threads[WORKERS];
    char key[16];
    (void)state;

    w = work_queue_new(NULL);
    start(threads);
    for (int round = 1; round <= ROUNDS; round++)
        for (int k = 0; k < KEYS; k++) {
            (void)snprintf(key, sizeof(key), "%d", k);
            atomic_store(&added[k], round);
            if (round % 3 == 0)
                work_queue_add_after(w, key, k % 4);
            else
                work_queue_add(w, key);
        }
    for (int i = 0; i < 30000 && !all_seen(); i++)
        clock_sleep_ms(1);
    assert_true(all_seen());
    stop(threads);
    assert_int_equal(atomic_load(&overlaps), 0);
}

/* All workers sleep without a deadline at first. */
static void a_delayed_key_wakes_a_sleeping_worker(void **state)
{
    pthread_t threads[WORKERS];
    (void)state;

    w = work_queue_new(NULL);
    start(threads);
    atomic_store(&handled, 0);
    work_queue_add_after(w, "1", 30);
    work_queue_add_after(w, "2", 60);
    work_queue_add(w, "3");
    for (int i = 0; i < 30000 && atomic_load(&handled) < 3; i++)
        clock_sleep_ms(1);
    assert_int_equal(atomic_load(&handled), 3);
    stop(threads);
}

static void await_handled(int n)
{
    for (int i = 0; i < 30000 && atomic_load(&handled) < n; i++)
        clock_sleep_ms(1);
    assert_int_equal(atomic_load(&handled), n);
}

/* One worker sleeps until the first due time, the others without an end: each new first key must wake somebody. */
static void whatever_is_due_before_what_is_waited_for_wakes_somebody(void **state)
{
    pthread_t threads[WORKERS];
    (void)state;

    w = work_queue_new(NULL);
    start(threads);
    atomic_store(&handled, 0);
    work_queue_add_after(w, "0", INT64_MAX);
    clock_sleep_ms(20);
    for (int i = 1; i <= 8; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%d", i);
        work_queue_add_after(w, key, 50 - 5 * i);
    }
    await_handled(8);
    stop(threads);
}

static void keys_of_many_due_times_are_all_handed_out(void **state)
{
    pthread_t threads[WORKERS];
    int n = 0;
    (void)state;

    w = work_queue_new(NULL);
    start(threads);
    atomic_store(&handled, 0);
    for (int round = 0; round < 20; round++) {
        for (int k = 0; k < KEYS; k++, n++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "%d", k);
            work_queue_add_after(w, key, (k * 7 + round * 3) % 11);
        }
        await_handled(n);
    }
    stop(threads);
}

/* Nobody can take the key while it is held, so the worker sleeps without a deadline; only queue_done can wake it. */
static void a_key_added_while_held_wakes_a_worker_when_done(void **state)
{
    pthread_t threads[WORKERS];
    (void)state;

    w = work_queue_new(NULL);
    work_queue_add(w, "7");
    char *key = work_queue_get(w);
    work_queue_add(w, "7");
    start(threads);
    atomic_store(&handled, 0);
    clock_sleep_ms(50);
    assert_int_equal(atomic_load(&handled), 0);
    work_queue_done(w, key);
    free(key);
    for (int i = 0; i < 30000 && atomic_load(&handled) < 1; i++)
        clock_sleep_ms(1);
    assert_int_equal(atomic_load(&handled), 1);
    stop(threads);
}

static void a_queue_that_is_held_hands_out_nothing_and_takes_nothing(void **state)
{
    pthread_t threads[WORKERS];
    (void)state;

    w = work_queue_new(NULL);
    work_queue_add(w, "5");
    work_queue_hold(w, true);
    start(threads);
    atomic_store(&handled, 0);
    work_queue_add(w, "7");
    work_queue_add_after(w, "8", 20);
    clock_sleep_ms(50);
    assert_int_equal(atomic_load(&handled), 0);
    work_queue_hold(w, false); /* there is what was there before */
    work_queue_add(w, "6");
    for (int i = 0; i < 30000 && atomic_load(&handled) < 2; i++)
        clock_sleep_ms(1);
    clock_sleep_ms(30);
    assert_int_equal(atomic_load(&handled), 2);
    work_queue_hold(w, true);
    work_queue_add(w, "9");
    stop(threads); /* also when it is held */
    assert_int_equal(atomic_load(&handled), 2);
}

static void a_key_is_not_handed_out_before_it_is_due(void **state)
{
    (void)state;

    w = work_queue_new(NULL);
    int64_t start_ms = clock_mono_ms();
    work_queue_add_after(w, "a", 40);
    char *key = work_queue_get(w);
    assert_string_equal(key, "a");
    assert_true(clock_mono_ms() - start_ms >= 40);
    free(key);
    assert_int_equal(work_queue_add_backoff(w, "a"), 5);
    assert_int_equal(work_queue_failures(w, "a"), 1);
    work_queue_forget(w, "a");
    assert_int_equal(work_queue_failures(w, "a"), 0);
    work_queue_remove(w, "a");
    work_queue_done(w, "a");
    work_queue_add_after(w, "far", INT64_MAX);
    work_queue_add(w, "b");
    key = work_queue_get(w);
    assert_string_equal(key, "b");
    free(key);
    w = work_queue_free(w);
    assert_null(work_queue_free(NULL));
}

static void note_wait(void *ctx, int64_t waited_ms)
{
    int64_t *longest = ctx;

    if (waited_ms > *longest)
        *longest = waited_ms;
}

static void who_wants_to_know_is_told_how_long_a_key_was_due(void **state)
{
    struct queue_stats stats;
    int64_t longest = -1;

    (void)state;
    w = work_queue_new(NULL);
    work_queue_on_get(w, note_wait, &longest);
    work_queue_add(w, "a");
    clock_sleep_ms(20);
    _cleanup_(freep) char *key = work_queue_get(w);
    assert_string_equal(key, "a");
    assert_true(longest >= 20);
    work_queue_add_after(w, "b", 3600000);
    work_queue_stats(w, &stats);
    assert_int_equal(stats.adds, 2);
    assert_int_equal(stats.retries, 1);
    assert_int_equal(stats.ready, 0);
    assert_int_equal(stats.waiting, 1);
    work_queue_done(w, "a");
    w = work_queue_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_wants_to_know_is_told_how_long_a_key_was_due),
        cmocka_unit_test(every_add_is_seen_and_no_key_is_held_twice),
        cmocka_unit_test(a_delayed_key_wakes_a_sleeping_worker),
        cmocka_unit_test(whatever_is_due_before_what_is_waited_for_wakes_somebody),
        cmocka_unit_test(keys_of_many_due_times_are_all_handed_out),
        cmocka_unit_test(a_key_added_while_held_wakes_a_worker_when_done),
        cmocka_unit_test(a_queue_that_is_held_hands_out_nothing_and_takes_nothing),
        cmocka_unit_test(a_key_is_not_handed_out_before_it_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
