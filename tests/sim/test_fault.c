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

/* Everything of a kind fails for a while, from any moment on. */
static void an_outage_anywhere_leads_to_the_same_end(void **state _unused_)
{
    static const enum fault kinds[] = {FAULT_500, FAULT_429, FAULT_429_LATER, FAULT_TOKEN, FAULT_403, FAULT_CUT_BEFORE,
        FAULT_CUT_AFTER, FAULT_GARBAGE, FAULT_412, FAULT_KUBE_DOWN, FAULT_KUBE_LOST, FAULT_KUBE_CONFLICT, FAULT_SLOW};

    for (size_t s = 0; s < n_scenarios; s++) {
        struct life whole = life_undisturbed(&scenarios[s], &life_quick);
        for (size_t n = 1; n <= whole.n_effects; n++)
            for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
                struct world_fault faults[WORLD_MAX_FAULTS];
                for (size_t i = 0; i < ARRAY_LEN(faults); i++)
                    faults[i] = (struct world_fault){.at = n + i, .fault = kinds[k]};
                const struct life_plan plan = {
                    .scenario = &scenarios[s], .options = &life_quick, .faults = faults, .n_faults = ARRAY_LEN(faults)};
                life_expect_like(&plan, &whole);
            }
        life_done(&whole);
    }
}

/* Numerical Recipes' generator: the same lives on every machine. */
static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void unlucky_lives_end_as_lucky_ones(void **state _unused_)
{
    unsigned seed = 1;

    for (size_t s = 0; s < n_scenarios; s++) {
        struct life whole = life_undisturbed(&scenarios[s], &life_quick);
        for (int n = 0; n < 150; n++) {
            struct world_fault faults[WORLD_MAX_FAULTS];
            for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
                faults[i] = (struct world_fault){.at = 1 + next_random(&seed) % whole.n_effects,
                    .fault = (enum fault)(1 + next_random(&seed) % (FAULT_COUNT - 1))};
                bool nests = faults[i].fault == FAULT_PAUSE || faults[i].fault == FAULT_LEASE_STALL ||
                             faults[i].fault == FAULT_LEASE_PAUSE;
                if (faults[i].fault == FAULT_OUTSIDER || nests)
                    faults[i].fault = FAULT_CRASH_AFTER;
            }
            const struct life_plan plan = {
                .scenario = &scenarios[s], .options = &life_quick, .faults = faults, .n_faults = ARRAY_LEN(faults)};
            life_expect_like(&plan, &whole);
        }
        life_done(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_fault_anywhere_leads_to_the_same_end),
        cmocka_unit_test(a_lost_answer_and_a_crash_lead_to_the_same_end),
        cmocka_unit_test(an_outage_anywhere_leads_to_the_same_end),
        cmocka_unit_test(unlucky_lives_end_as_lucky_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
