/* Whole lives of a resource, and how they end: to compare a life with faults with the undisturbed one. */
#pragma once

#include "sim/scenario.h"

struct life {
    bool ready;
    char *end; /* the account and the status, without what may differ */
    size_t accepted[CMK_ENABLE_KEY + 1];
    size_t n_effects; /* until Ready */
    size_t idle_writes, idle_changes;
    unsigned char effects[1000];
    char *broken; /* what an oracle said, or NULL */
    char *trace;
};
void life_done(struct life *life);

struct life_plan {
    const struct scenario *scenario;
    const struct world_options *options;
    const struct world_fault *faults;
    size_t n_faults;
    void (*outsider)(struct world *w);
};

struct life life_live(const struct life_plan *plan);
/* Fails the test when even this one is not well. */
struct life life_undisturbed(const struct scenario *scenario, const struct world_options *options);
/* Prints the whole story and fails the test. */
void life_complain(const struct life_plan *plan, const struct life *life, const char *what);
/* Fails the test unless it becomes Ready, with the same end and the same number of accepted changes for each step, and
 * is silent afterwards. */
void life_expect_like(const struct life_plan *plan, const struct life *undisturbed);
/* Each fault from first to last at each effect of each scenario, where it fits. */
void life_every_single(const struct world_options *options, enum fault first, enum fault last);

extern const struct world_options life_quick;
