/* The lease is lost at every effect of an ordinary life: the same end, by the same changes. The oracles watch every
 * effect, and complain of a change or a write that is begun by a process that does not lead. */
#include "unit.h"

#include "base/mem.h"
#include "sim/life.h"

static void the_lease_is_lost_anywhere_and_another_takes_over(void **state _unused_)
{
    life_every_single(&life_quick, FAULT_LEASE_LOST, FAULT_LEASE_LOST);
}

/* Between the last look at the lease and the effect, which is the worst that can be. */
static void a_leader_that_stands_still_before_an_effect_does_nothing_when_it_wakes(void **state _unused_)
{
    life_every_single(&life_quick, FAULT_LEASE_STALL, FAULT_LEASE_STALL);
}

static void a_leader_that_stands_still_after_an_effect_does_nothing_more(void **state _unused_)
{
    life_every_single(&life_quick, FAULT_LEASE_PAUSE, FAULT_LEASE_PAUSE);
}

/* And again, soon after that. */
static void the_lease_is_lost_twice(void **state _unused_)
{
    struct life whole = life_undisturbed(&scenarios[0], &life_quick);

    for (size_t n = 1; n <= whole.n_effects; n++)
        for (size_t m = n + 1; m <= n + 6; m++)
            for (int crash = 0; crash < 2; crash++) {
                const struct world_fault two[] = {{.at = n, .fault = FAULT_LEASE_LOST},
                    {.at = m, .fault = crash ? FAULT_CRASH_AFTER : FAULT_LEASE_LOST}};
                const struct life_plan plan = {
                    .scenario = &scenarios[0], .options = &life_quick, .faults = two, .n_faults = 2};
                life_expect_like(&plan, &whole);
            }
    life_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lease_is_lost_anywhere_and_another_takes_over),
        cmocka_unit_test(a_leader_that_stands_still_before_an_effect_does_nothing_when_it_wakes),
        cmocka_unit_test(a_leader_that_stands_still_after_an_effect_does_nothing_more),
        cmocka_unit_test(the_lease_is_lost_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
