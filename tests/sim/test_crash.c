/* A crash before or after every effect of an ordinary life: the same end, by the same changes. The oracles watch every
 * effect. */
#include "unit.h"

#include "base/mem.h"
#include "sim/life.h"

static void a_crash_anywhere_leads_to_the_same_end(void **state _unused_)
{
    life_every_single(&life_quick, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void a_crash_anywhere_with_a_late_restart_leads_to_the_same_end(void **state _unused_)
{
    struct world_options late = life_quick;

    late.restart_ms = 20 * MINUTE_MS;
    life_every_single(&late, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void a_crash_anywhere_when_the_key_shows_early(void **state _unused_)
{
    struct world_options early = life_quick;

    early.key_visible_early = true;
    life_every_single(&early, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void two_crashes_anywhere_lead_to_the_same_end(void **state _unused_)
{
    static const struct world_options short_one = {.identity_ms = 6000, .encrypt_ms = 6000, .latency_ms = 100};
    struct life whole = life_undisturbed(&scenarios[0], &short_one);

    for (size_t n = 1; n <= whole.n_effects + 1; n++)
        for (size_t m = n + 1; m <= whole.n_effects + 6; m++)
            for (int which = 0; which < 4; which++) {
                const struct world_fault two[] = {
                    {.at = n, .fault = which & 1 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER},
                    {.at = m, .fault = which & 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER}};
                const struct life_plan plan = {
                    .scenario = &scenarios[0], .options = &short_one, .faults = two, .n_faults = 2};
                life_expect_like(&plan, &whole);
            }
    life_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_anywhere_leads_to_the_same_end),
        cmocka_unit_test(a_crash_anywhere_with_a_late_restart_leads_to_the_same_end),
        cmocka_unit_test(a_crash_anywhere_when_the_key_shows_early),
        cmocka_unit_test(two_crashes_anywhere_lead_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
