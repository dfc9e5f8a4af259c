/* The simulation itself: that it repeats, that a plan is all that a life depends on, that what fails is found and made
 * short. What it says about the program is run by ctest's cluster_* and by hack/sim.sh. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cluster/shrink.h"

#include <string.h>

static struct plan drawn(uint64_t seed)
{
    struct plan plan = plan_draw(seed);

    plan.accounts = plan.accounts < 3 ? plan.accounts : 3;
    const struct life *calm = plan_calm(&plan);
    plan_draw_faults(&plan, calm->ready_ms, calm->effects);
    return plan;
}

static void the_same_plan_gives_the_same_history(void **state _unused_)
{
    for (uint64_t seed = 40; seed < 43; seed++) {
        struct plan plan = drawn(seed);
        struct life one = life_live(&plan, true), two = life_live(&plan, true);
        assert_true(strlen(one.log) > 1000);
        assert_string_equal(one.log, two.log);
        assert_int_equal(one.switches, two.switches);
        life_done(&one);
        life_done(&two);
    }
    plan_forget_calm();
}

static void another_seed_gives_another_order(void **state _unused_)
{
    struct plan plan = {.seed = 1, .replicas = 2, .accounts = 3, .workers = 4, .latency = 50, .encrypt = 30000};
    struct life one = life_live(&plan, true);

    plan.seed = 5;
    struct life two = life_live(&plan, true);
    assert_string_not_equal(one.log, two.log);
    assert_string_equal(one.end, two.end); /* and the same end */
    life_done(&one);
    life_done(&two);
}

static void a_printed_plan_is_read_back(void **state _unused_)
{
    for (uint64_t seed = 1; seed < 50; seed++) {
        size_t counts[E_COUNT] = {[E_READ] = 7, [E_STATUS] = 30, [E_PATCH] = 4};
        struct plan plan = plan_draw(seed), again;
        struct err err = ERR_INIT;
        plan_draw_faults(&plan, 60000, counts);
        _cleanup_(freep) char *line = plan_print(&plan);
        assert_int_equal(plan_parse(&again, line, &err), 0);
        _cleanup_(freep) char *second = plan_print(&again);
        assert_string_equal(line, second);
        assert_true(plan.n_faults > 0);
    }
}

static void a_line_that_is_no_plan_is_refused(void **state _unused_)
{
    static const char *const lines[] = {"", "replicas=4 accounts=1 workers=1 latency=1",
        "replicas=1 accounts=1 workers=1 latency=1 crash@patch:1",
        "replicas=1 accounts=1 workers=1 latency=1 lost@time:1",
        "replicas=1 accounts=1 workers=1 latency=1 unheard-of@patch:1", "replicas=1 accounts=201 workers=1 latency=1"};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct plan plan;
        struct err err = ERR_INIT;
        assert_int_equal(plan_parse(&plan, lines[i], &err), -1);
        assert_true(err.msg[0] != '\0');
    }
}

/* A change that arrives minutes after its connection broke: longer than --settle, which the program relies on. */
static void what_fails_is_found_and_made_short(void **state _unused_)
{
    static const char line[] =
        "seed=3 replicas=2 accounts=4 workers=2 latency=50 encrypt=30000 watch_list=1 "
        "500@read:2 late@patch:2:arg=400000 move@time:20000 slow@look:3:arg=4000 terminate@time:50000:who=1";
    struct plan plan;
    struct life life;

    assert_int_equal(plan_parse(&plan, line, NULL), 0);
    _cleanup_(freep) char *what = plan_try(&plan, false, &life);
    assert_non_null(what);
    life_done(&life);
    struct plan less = plan_shrink(&plan, 60);
    assert_int_equal(less.n_faults, 1);
    assert_int_equal(less.faults[0].kind, F_LATE);
    assert_true(less.accounts < 4);
    assert_int_equal(less.replicas, 1);
    _cleanup_(freep) char *still = plan_try(&less, false, &life);
    assert_non_null(still);
    life_done(&life);
    plan_forget_calm();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_plan_gives_the_same_history),
        cmocka_unit_test(another_seed_gives_another_order),
        cmocka_unit_test(a_printed_plan_is_read_back),
        cmocka_unit_test(a_line_that_is_no_plan_is_refused),
        cmocka_unit_test(what_fails_is_found_and_made_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
