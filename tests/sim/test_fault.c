/* Every fault at every effect of an ordinary life: the same end, by the same changes. The oracles watch every effect.
 */
#include "unit.h"

#include "base/mem.h"
#include "sim/life.h"

static void any_fault_anywhere_leads_to_the_same_end(void **state _unused_)
{
    life_every_single(&life_quick, FAULT_SLOW, FAULT_COUNT - 1);
}

/* A lost answer, and then the worst moment for a crash. */
static void a_lost_answer_and_a_crash_lead_to_the_same_end(void **state _unused_)
{
    static const enum fault lost[] = {FAULT_CUT_AFTER, FAULT_CUT_BEFORE, FAULT_504_AFTER, FAULT_500, FAULT_KUBE_LOST,
        FAULT_KUBE_DOWN, FAULT_KUBE_CONFLICT, FAULT_GARBAGE, FAULT_SLOW};
    struct life whole = life_undisturbed(&scenarios[0], &life_quick);

    for (size_t n = 1; n <= whole.n_effects; n++)
        for (size_t m = n + 1; m <= n + 6; m++)
            for (size_t k = 0; k < 2 * ARRAY_LEN(lost); k++) {
                const struct world_fault two[] = {{.at = n, .fault = lost[k / 2]},
                    {.at = m, .fault = k % 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER}};
                const struct life_plan plan = {
                    .scenario = &scenarios[0], .options = &life_quick, .faults = two, .n_faults = 2};
                if (fault_fits(lost[k / 2], (enum effect)whole.effects[n]))
                    life_expect_like(&plan, &whole);
            }
    life_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_fault_anywhere_leads_to_the_same_end),
        cmocka_unit_test(a_lost_answer_and_a_crash_lead_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
