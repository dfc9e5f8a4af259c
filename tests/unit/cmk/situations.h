/* The table of rules as a specification: situations in the words of scene.h, and what is done about each. */
#pragma once

#include "cmk/view.h"
#include "scene.h"

#define SITUATION_BACKOFF (-1)

struct situation {
    const char *sentence, *given, *rule;
    enum cmk_effect effect;
    enum cmk_reason reason;
    enum cmk_phase phase;
    int64_t wake_in; /* ms from now, 0 for never or SITUATION_BACKOFF; of CMK_REST only */
};

extern const struct situation situations[];
extern const size_t n_situations;
