/* The ordinary lives of a resource: what is common to the tests of traces, crashes and faults. */
#pragma once

#include "sim/world.h"

struct scenario {
    const char *name;
    void (*begin)(struct world *w);
    /* Lets everything happen, people's part included, within the time that is left: true when all is Ready. */
    bool (*run)(struct world *w, int64_t until_ms);
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)
