/* The same spec for a resource that nobody has known before, on an account that is as the one at hand: where it comes
 * to rest. What a resource keeps of its own past (the operation, when it was first encrypted, what was checked before)
 * is not compared. */
#pragma once

#include "sim/world.h"

/* Runs until it is at rest, at most so long; false when it is not, or an oracle complains. */
bool rest_reach(struct world *w, const char *name, int64_t within_ms);
/* The end as text, to be compared; the caller frees it. */
char *rest_text(const struct world *w, const char *name);
/* Borrowed: the rest_text of the fresh resource. spec may be NULL. */
const char *fresh_rest(const struct world *w, const cJSON *spec, struct err *err);
