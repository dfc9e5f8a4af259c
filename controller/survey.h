/* How the fleet stands, in numbers: for metrics. Pure.
 *
 * What a resource contributes is worked out once, when a version of it comes into the store, and kept in four bytes
 * that were padding; a survey of a hundred thousand of them is a walk over memory, without a string comparison. */
#pragma once

#include "cmk/reasons.h"
#include "cmk/types.h"

enum survey_phase {
    SURVEY_NEW, /* without a status */
    SURVEY_READY,
    SURVEY_RECONCILING,
    SURVEY_STALLED,
    SURVEY_IDLE, /* by the spec's own wish */
    SURVEY_PHASES,
};
const char *survey_phase_name(enum survey_phase phase); /* "Ready" */

struct survey_facts {
    uint8_t phase;     /* enum survey_phase */
    uint8_t reason;    /* enum cmk_reason; of a word that this version does not know: CMK_REASON_NONE */
    uint8_t operation; /* enum cmk_step_type of the one that is on its way, or CMK_NO_STEP */
    bool key_lost;     /* KeyAccessible is False */
};
_Static_assert(sizeof(struct survey_facts) == 4, "it is to fit where padding was");
struct survey_facts survey_facts_of(const struct cmk_resource *resource);

#define SURVEY_OPERATIONS (CMK_ENABLE_KEY + 1)

struct survey {
    size_t resources;
    size_t states[SURVEY_PHASES][CMK_REASON_COUNT];
    size_t operations[SURVEY_OPERATIONS]; /* on their way, by step */
    int64_t oldest_operation_at;          /* wall ms when it was asked for; 0: there is none */
    size_t key_lost;
    size_t unobserved;                             /* accounts not yet read by this process */
    uint32_t oldest_observed_s, newest_observed_s; /* last readings, in wall seconds; 0: none */
};
void survey_add(struct survey *survey, const struct survey_facts *facts, const struct cmk_resource *resource,
    uint32_t observed_at_s);
