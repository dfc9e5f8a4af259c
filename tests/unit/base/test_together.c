/* Jobs side by side, and in their order. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/together.h"

#include <pthread.h>
#include <stdatomic.h>

struct meeting {
    pthread_barrier_t barrier;
    atomic_int there;
};

/* Returns only when all the others have come. */
static void meet(void *ctx)
{
    struct meeting *meeting = ctx;

    (void)pthread_barrier_wait(&meeting->barrier);
    atomic_fetch_add(&meeting->there, 1);
}

static void jobs_run_at_the_same_time_and_are_done_at_the_end(void **state _unused_)
{
    struct meeting meeting;
    struct job jobs[5];

    atomic_init(&meeting.there, 0);
    assert_int_equal(pthread_barrier_init(&meeting.barrier, NULL, 5), 0);
    for (size_t i = 0; i < 5; i++)
        jobs[i] = (struct job){.run = meet, .ctx = &meeting};
    run_together(jobs, 5);
    assert_int_equal(atomic_load(&meeting.there), 5);
    (void)pthread_barrier_destroy(&meeting.barrier);
}

static char said[4];
static size_t n_said;

static void say(void *ctx)
{
    said[n_said++] = *(char *)ctx;
}

static void jobs_run_in_their_order_when_that_is_asked_for(void **state _unused_)
{
    char words[] = "abc";
    const struct job jobs[] = {{say, &words[0]}, {say, &words[1]}, {say, &words[2]}};

    run_in_order(jobs, 3);
    assert_string_equal(said, "abc");
}

static pthread_t ran_in;

static void tell_thread(void *ctx _unused_)
{
    ran_in = pthread_self();
}

static void a_single_job_needs_no_thread_and_none_at_all_is_no_error(void **state _unused_)
{
    const struct job job = {.run = tell_thread};

    run_together(&job, 1);
    assert_true(pthread_equal(ran_in, pthread_self()));
    run_together(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_at_the_same_time_and_are_done_at_the_end),
        cmocka_unit_test(jobs_run_in_their_order_when_that_is_asked_for),
        cmocka_unit_test(a_single_job_needs_no_thread_and_none_at_all_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
