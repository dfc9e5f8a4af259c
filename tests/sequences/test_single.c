/* Every generated value at every moment of an ordinary life: before anything, before each effect, when Ready, and when
 * Stalled by something else.
 *
 * test_single [--all]: without --all a cut through it, every value at one moment of each kind of effect in turn. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "sequences/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cJSON *crd;
static struct values values;
static bool all;
static size_t told_stories, complaints;

static int setup(void **state _unused_)
{
    const cJSON *schema;
    struct err err = ERR_INIT;

    if (schema_read(&crd, &schema, &err) == 0 && values_make(&values, schema, &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state _unused_)
{
    size_t asked, fresh = story_fresh(&asked);

    (void)printf("%zu values, %zu stories; %zu ends compared with those of %zu fresh resources\n", values.n,
        told_stories, asked, fresh);
    values_done(&values);
    crd = json_free(crd);
    story_forget();
    return 0;
}

#define MAX_COMPLAINTS 12

static void tell(const struct story *story)
{
    struct told told = story_tell(story);

    told_stories++;
    if (told.complaint && complaints++ < MAX_COMPLAINTS) {
        _cleanup_(freep) char *text = story_text(story);
        (void)fprintf(stderr, "%s\n%s\n%s\n", text, told.complaint, complaints <= 3 ? told.text : "");
    }
    told_done(&told);
}

static const struct value *value_named(const char *path, const char *what)
{
    for (size_t i = 0; i < values.n; i++)
        if (str_eq(values.v[i].path, path) && str_eq(values.v[i].what, what))
            return &values.v[i];
    fail_msg("there is no value %s of %s", what, path);
    return NULL;
}

/* Where in the life the changes come: every effect, or with some left out. */
static void at_every_effect(const struct scenario *scenario, size_t which)
{
    const struct story plain = {.scenario = scenario};
    struct told told = story_tell(&plain);
    size_t step = all ? 1 : 9;

    if (told.complaint) {
        (void)fprintf(stderr, "%s\n%s\n", told.text, told.complaint);
        complaints++;
    }
    size_t last = told.n_effects < 60 ? told.n_effects : 60;
    told_done(&told);
    for (size_t at = all ? 0 : which % step; at <= last + 1; at += step) {
        const struct story story = {
            .scenario = scenario, .steps = {{.at = at > last ? AT_REST : at, .value = &values.v[which]}}, .n = 1};
        tell(&story);
    }
}

static void every_value_at_every_effect(void **state _unused_)
{
    complaints = 0;
    for (size_t s = 0; s < (all ? n_scenarios : 2); s++)
        for (size_t i = 0; i < values.n; i++)
            if (all || i % 2 == s)
                at_every_effect(&scenarios[s], i);
    assert_int_equal(complaints, 0);
}

/* Stalled by a wrong mode, then the value, then the mode is mended. */
static void every_value_while_stalled(void **state _unused_)
{
    const struct value *wrong = value_named("mode", "not in the list: blank"),
                       *mended = value_named("mode", "the default");

    complaints = 0;
    for (size_t s = 0; s < (all ? n_scenarios : 2); s++)
        for (size_t i = 0; i < values.n; i++) {
            const struct story story = {.scenario = &scenarios[s],
                .steps = {{.at = 0, .value = wrong}, {.at = AT_REST, .value = &values.v[i]},
                    {.at = AT_REST, .value = mended}},
                .n = 3};
            if (all || i % 4 == s)
                tell(&story);
        }
    assert_int_equal(complaints, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_at_every_effect),
        cmocka_unit_test(every_value_while_stalled),
    };
    all = argc > 1 && str_eq(argv[1], "--all");
    return cmocka_run_group_tests(tests, setup, teardown);
}
