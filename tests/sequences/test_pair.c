/* Two changes, the second so many effects after the first: what the first one has begun is under way. Of the fields
 * that decide where it ends every pair of values, a bad one among them, the plan's approval and the way back.
 *
 * test_pair [--every N]: as test_single.c. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "sequences/cases.h"

#define MAX_STEPS 64
#define LATER 45 /* effects: the longest chain of operations that one change begins, and some looks at the result */

static size_t deciding(struct story_step *ret)
{
    static const char *const paths[] = {"mode", "suspend", "approval", "keyVaultKeyUri", "defaultIdentity", "drift",
        "keyVaultAccess", "preflight.keyVault"};
    size_t n = 0;

    for (size_t i = 0; i < cases.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(paths); k++)
            if (str_eq(cases.v[i].path, paths[k]) && cases.v[i].accepted)
                ret[n++] = (struct story_step){.value = &cases.v[i]};
    ret[n++] = (struct story_step){.value = cases_value("mode", "not in the list: blank")};
    ret[n++] = (struct story_step){.kind = STEP_APPROVE};
    ret[n++] = (struct story_step){.kind = STEP_BACK};
    assert_true(n <= MAX_STEPS);
    return n;
}

static void every_pair_at_every_distance(void **state _unused_)
{
    struct story_step steps[MAX_STEPS];
    size_t n = deciding(steps);

    for (size_t s = 0; s < n_scenarios; s++)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                for (size_t later = 1; later <= LATER; later++) {
                    struct story story = {.scenario = &scenarios[s], .steps = {steps[i], steps[k]}, .n = 2};
                    story.steps[0].at = later % 2 ? AT_REST : 0;
                    story.steps[1].after = later;
                    cases_tell(&story);
                }
    cases_expect_peace();
}

/* What the resource itself has asked for is not what somebody did behind its back, whatever drift says. */
static void the_key_is_changed_and_changed_back_at_every_distance(void **state _unused_)
{
    static const char *const drifts[] = {"one of the list \"Correct\"", "one of the list \"Report\""};
    const struct value *first = cases_value("keyVaultKeyUri", "sample \"" KEY_URI("cosmos") "\""),
                       *second = cases_value("keyVaultKeyUri", "sample \"" KEY_URI("second") "\"");
    size_t every = cases_every, stride = every < 1000 ? 1 : 4;

    cases_every = 1;
    for (size_t d = 0; d < ARRAY_LEN(drifts); d++)
        for (size_t later = 1; later <= LATER; later += stride) {
            const struct story story = {.scenario = &scenarios[0],
                .steps = {{.at = 0, .value = cases_value("drift", drifts[d])}, {.at = AT_REST, .value = second},
                    {.after = later, .value = first}},
                .n = 3};
            cases_tell(&story);
        }
    cases_every = every;
    cases_expect_peace();
}

static int run(int (*setup)(void **), int (*teardown)(void **))
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_at_every_distance),
        cmocka_unit_test(the_key_is_changed_and_changed_back_at_every_distance),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

int main(int argc, char **argv)
{
    return cases_main(argc, argv, 3001, run);
}
