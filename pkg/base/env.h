/* The process environment, read in one place. */
#pragma once

/* NULL when unset or empty: an empty variable means "not set" everywhere in this program. Borrowed. */
const char *env_get(const char *name);
