/* What is to be the case in the end, from the last spec and from what Azure has: written anew from the design (sections
 * 2 and 3) and not from the controller's rules, which it judges. */
#pragma once

#include "sim/world.h"

struct wish {
    const cJSON *spec;
    bool malformed;    /* a value of it is known to be invalid */
    bool unsupported;  /* or to ask for what this version does not have */
    bool unknown;      /* or, well formed, to name what does not exist: a time zone */
    const char *bound; /* the account that the resource has come to be about; NULL: none yet */
};

struct desire {
    const char *ready; /* True, False, Unknown */
    const char *reason;
    bool stalled, reconciling;
};

struct desire desire_of(const struct wish *wish, const struct world *w, const struct world_object *o);
