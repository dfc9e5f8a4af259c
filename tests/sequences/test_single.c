/* Every generated value at every moment of every ordinary life: before anything, before each effect until it is at
 * rest, at rest, and when Stalled by something else.
 *
 * test_single [--every N]: without it a cut that is quick under a sanitizer; hack/sequences.sh tells all. */
#include "unit.h"

#include "base/mem.h"
#include "sequences/cases.h"

static void every_value_at_every_effect(void **state _unused_)
{
    for (size_t s = 0; s < n_scenarios; s++) {
        size_t last = cases_effects(&scenarios[s]);
        for (size_t i = 0; i < cases.n; i++)
            for (size_t at = 0; at <= last + 1; at++) {
                const struct story story = {.scenario = &scenarios[s],
                    .steps = {{.at = at > last ? AT_REST : at, .value = &cases.v[i]}},
                    .n = 1};
                cases_tell(&story);
            }
    }
    cases_expect_peace();
}

/* Stalled by a wrong mode, then the value, then the mode is mended. */
static void every_value_while_stalled(void **state _unused_)
{
    const struct value *wrong = cases_value("mode", "not in the list: blank"), *mended = cases_value("mode", "absent");

    for (size_t s = 0; s < n_scenarios; s++)
        for (size_t i = 0; i < cases.n; i++) {
            const struct story story = {.scenario = &scenarios[s],
                .steps = {{.at = 0, .value = wrong}, {.at = AT_REST, .value = &cases.v[i]},
                    {.at = AT_REST, .value = mended}},
                .n = 3};
            cases_tell(&story);
        }
    cases_expect_peace();
}

static int run(int (*setup)(void **), int (*teardown)(void **))
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_at_every_effect),
        cmocka_unit_test(every_value_while_stalled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

int main(int argc, char **argv)
{
    return cases_main(argc, argv, 401, run);
}
