/* random [--seeds N] [--seed K]: stories of two to six changes, and now and then a crash, made from a seed: N of them
 * from seed 1 on (default 100), or the one of seed K.
 *
 * What is found is made as short as it goes (a change that is not needed for the complaint is left out) and printed
 * with the steps, the trace and the command that tells it again. */
#include "base/mem.h"
#include "base/str.h"
#include "sequences/story.h"

#include <stdio.h>
#include <string.h>

#define MAX_COMPLAINTS 5
#define MOMENTS 70 /* effects of the longest ordinary life */
#define MAX_REASONS 32

static struct values values;
static struct {
    char word[32];
    size_t n;
} seen[MAX_REASONS];
static size_t rests;

/* Numerical Recipes' generator: the same stories on every machine. */
static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* Half of them of fields that decide where it ends, else every field with the same right. One bad one is enough to end
 * as InvalidSpec, so they are rarer. */
static const struct value *a_value(unsigned *seed)
{
    static const char *const deciding[] = {"mode", "suspend", "approval", "keyVaultKeyUri", "defaultIdentity", "drift",
        "keyVaultAccess", "preflight.keyVault", "approvedPlan"};
    size_t n_fields = 0;

    while (samples_at(n_fields))
        n_fields++;
    const char *path = next_random(seed) % 2 ? deciding[next_random(seed) % ARRAY_LEN(deciding)]
                                             : samples_at(next_random(seed) % n_fields)->path;
    bool accepted = next_random(seed) % 6 != 0;
    for (;;) {
        const struct value *v = &values.v[next_random(seed) % values.n];
        if (str_eq(v->path, path) && v->accepted == accepted)
            return v;
    }
}

static struct story_step a_step(unsigned *seed)
{
    struct story_step step = {.kind = STEP_VALUE};
    unsigned kind = next_random(seed) % 10, when = next_random(seed) % 10;

    if (kind == 0)
        step.kind = STEP_BACK;
    else if (kind < 3)
        step.kind = STEP_APPROVE;
    else
        step.value = a_value(seed);
    if (when < 4)
        step.after = 1 + next_random(seed) % (MOMENTS / 2);
    else
        step.at = when < 6 ? 1 + next_random(seed) % MOMENTS : when < 7 ? 0 : AT_REST;
    return step;
}

static struct story story_of(unsigned seed)
{
    unsigned state = seed * 2654435761U;
    struct story story = {.scenario = &scenarios[next_random(&state) % n_scenarios]};

    story.n = 2 + next_random(&state) % 5;
    for (size_t i = 0; i < story.n; i++)
        story.steps[i] = a_step(&state);
    story.steps[0].after = 0;
    if (next_random(&state) % 2)
        story.fault = (struct world_fault){.at = 1 + next_random(&state) % MOMENTS,
            .fault = next_random(&state) % 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER};
    return story;
}

static void count(const char *reasons)
{
    for (const char *word = reasons; *word; word += strcspn(word, " ") + 1) {
        size_t n = strcspn(word, " "), i = 0;
        while (
            i < MAX_REASONS - 1 && seen[i].word[0] && !(strlen(seen[i].word) == n && !strncmp(seen[i].word, word, n)))
            i++;
        (void)snprintf(seen[i].word, sizeof(seen[i].word), "%.*s", (int)n, word);
        seen[i].n++;
        rests++;
    }
}

static bool complains(const struct story *story)
{
    struct told told = story_tell(story);
    bool yes = told.complaint != NULL;

    told_done(&told);
    return yes;
}

static struct story without(const struct story *story, size_t i)
{
    struct story shorter = *story;

    memmove(&shorter.steps[i], &shorter.steps[i + 1], (STORY_MAX - i - 1) * sizeof(shorter.steps[0]));
    shorter.n--;
    return shorter;
}

static void shorten(struct story *story)
{
    struct story shorter = *story;

    shorter.fault = (struct world_fault){0};
    if (complains(&shorter))
        *story = shorter;
    for (size_t i = story->n; i-- > 0;) {
        shorter = without(story, i);
        if (complains(&shorter))
            *story = shorter;
    }
}

static bool tell(unsigned seed)
{
    struct story story = story_of(seed);
    struct told told = story_tell(&story);
    bool well = !told.complaint;

    count(told.reasons);
    if (!well) {
        shorten(&story);
        told_done(&told);
        told = story_tell(&story);
        _cleanup_(freep) char *text = story_text(&story);
        (void)fprintf(stderr, "seed %u, made short: %s\n%s\n%s\nAgain: hack/sequences.sh --seed %u\n\n", seed, text,
            told.complaint, told.text, seed);
    }
    told_done(&told);
    return well;
}

static void report(unsigned n)
{
    size_t asked, fresh = story_fresh(&asked);

    (void)printf("%u seeds, %zu rests judged, %zu compared with %zu fresh resources;", n, rests, asked, fresh);
    for (size_t i = 0; i < MAX_REASONS && seen[i].word[0]; i++)
        (void)printf(" %s %zu", seen[i].word, seen[i].n);
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    int64_t n = 100, first = 1;
    const cJSON *schema;
    cJSON *crd = NULL;
    struct err err = ERR_INIT;
    size_t complaints = 0;
    bool one = argc == 3 && str_eq(argv[1], "--seed");

    if (argc != 1 &&
        !(argc == 3 && (one || str_eq(argv[1], "--seeds")) && str_to_i64(argv[2], 1, 100000000, one ? &first : &n))) {
        (void)fprintf(stderr, "usage: random [--seeds N] [--seed K]\n");
        return 2;
    }
    if (schema_read(&crd, &schema, &err) < 0 || values_make(&values, schema, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    for (int64_t seed = first; seed < first + (one ? 1 : n) && complaints < MAX_COMPLAINTS; seed++)
        complaints += !tell((unsigned)seed);
    report((unsigned)(one ? 1 : n));
    values_done(&values);
    (void)json_free(crd);
    story_forget();
    return complaints ? 1 : 0;
}
