/* Which cases are told is a matter of their number alone, so that a cut is the same on every machine; a case that
 * complains is printed with its steps and its trace. */
#include "unit.h"

#include "sequences/cases.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN 3

struct values cases;
size_t cases_every;

static cJSON *crd;
static size_t turn, told_cases, complaints;
static const char *program;

static int setup(void **state _unused_)
{
    const cJSON *schema;
    struct err err = ERR_INIT;

    if (schema_read(&crd, &schema, &err) == 0 && values_make(&cases, schema, &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state _unused_)
{
    size_t asked, fresh = story_fresh(&asked);

    (void)printf("%zu fields, %zu values, %zu cases of which %zu were told; %zu ends compared with those of %zu fresh "
                 "resources\n",
        cases.fields, cases.n, turn, told_cases, asked, fresh);
    values_done(&cases);
    crd = json_free(crd);
    story_forget();
    return 0;
}

int cases_main(int argc, char **argv, size_t usual_every, int (*run)(int (*setup)(void **), int (*teardown)(void **)))
{
    int64_t every = (int64_t)usual_every;

    program = argv[0];
    if (argc != 1 && !(argc == 3 && str_eq(argv[1], "--every") && str_to_i64(argv[2], 1, 1000000, &every))) {
        (void)fprintf(stderr, "usage: %s [--every N]\n", argv[0]);
        return 2;
    }
    cases_every = (size_t)every;
    return run(setup, teardown);
}

/* A multiplier without a common divisor spreads the cut over values and moments alike. */
static bool is_due(size_t n)
{
    return n * 7919 % cases_every == 0;
}

void cases_tell(const struct story *story)
{
    size_t number = turn++;

    if (!is_due(number))
        return;
    struct told told = story_tell(story);
    told_cases++;
    if (told.complaint && complaints++ < SHOWN) {
        _cleanup_(freep) char *text = story_text(story);
        (void)fprintf(stderr, "case %zu: %s\n%s\n%s\nAgain: %s --every %zu\n\n", number, text, told.complaint,
            told.text, program, cases_every);
    }
    told_done(&told);
}

void cases_expect_peace(void)
{
    size_t n = complaints;

    complaints = 0;
    if (n)
        fail_msg("%zu cases complain", n);
}

size_t cases_effects(const struct scenario *scenario)
{
    const struct story plain = {.scenario = scenario};
    struct told told = story_tell(&plain);
    size_t n = told.until_rest;

    if (told.complaint)
        fail_msg("the undisturbed life is not well: %s\n%s", told.complaint, told.text);
    told_done(&told);
    return n;
}

const struct value *cases_value(const char *path, const char *what)
{
    for (size_t i = 0; i < cases.n; i++)
        if (str_eq(cases.v[i].path, path) && str_eq(cases.v[i].what, what))
            return &cases.v[i];
    fail_msg("there is no value %s of spec.%s", what, path);
    return NULL;
}
