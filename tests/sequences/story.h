/* A story: a resource that lives in one of the scenarios, changes of its spec by somebody whom no admission stops, each
 * just before a certain effect or at rest, and what must be the case whenever it has come to rest:
 *
 *   - no oracle of the world complains (sim/oracle.c);
 *   - it is what the last spec desires (desire.h), on the account and in the conditions;
 *   - it is as a fresh resource with that spec on the same account would be;
 *   - with the first spec back in place it becomes Ready, and then nothing is written for an hour. */
#pragma once

#include "sequences/values.h"
#include "sim/scenario.h"

enum step_kind {
    STEP_VALUE,
    STEP_BACK,    /* the first spec again */
    STEP_APPROVE, /* approvedPlan becomes the hash that is published */
};

#define AT_REST SIZE_MAX

struct story_step {
    enum step_kind kind;
    size_t at; /* before the effect of this number, 0: before all; AT_REST; also at rest when that effect never comes */
    size_t after; /* not 0: in place of at, so many effects after the step before it */
    const struct value *value;
};

#define STORY_MAX 7 /* with the fault not more than WORLD_MAX_FAULTS */

struct story {
    const struct scenario *scenario;
    struct story_step steps[STORY_MAX];
    size_t n;
    struct world_fault fault; /* a crash, or FAULT_NONE */
};

struct told {
    char *complaint;   /* NULL: all is well */
    char *text;        /* the steps, as kubectl would do them, and the trace */
    size_t until_rest; /* effects until it is at rest for the first time */
    char *reasons;     /* at each rest, separated by blanks */
};
struct told story_tell(const struct story *story);
void told_done(struct told *told);
/* "periodic, spec.mode: one of the list "Observe" before effect 7, ..." The caller frees it. */
char *story_text(const struct story *story);
/* For the fresh resources, which are remembered from story to story. */
size_t story_fresh(size_t *ret_asked);
void story_forget(void);
