/* Causes for every row of the rules that ends a pass, and what a person does about each. */
#pragma once

#include "sim/world.h"

struct recovery {
    const char *rule;
    void (*begin)(struct world *w); /* a resource "orders" that will come to the row */
    void (*mend)(struct world *w);  /* NULL: it passes by itself */
};

extern const struct recovery recoveries[];
extern const size_t n_recoveries;
