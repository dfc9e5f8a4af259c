/* A plan that fails, made shorter as long as it fails. */
#pragma once

#include "cluster/cluster.h"

/* What is wrong with the life of a plan, compared with the same one without faults; NULL: nothing. The caller frees
 * it. */
char *plan_try(const struct plan *plan, bool trace, struct life *ret);
/* The life without faults of the plan's world, borrowed until the next call. */
const struct life *plan_calm(const struct plan *plan);
void plan_forget_calm(void);
/* At most so many lives are tried. */
struct plan plan_shrink(const struct plan *plan, int tries);
