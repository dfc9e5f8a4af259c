/* What test_single.c and test_pair.c have in common: the values, telling, and how dense a cut through all cases is. */
#pragma once

#include "sequences/story.h"

extern struct values cases;
/* Every so many-th case is told; 1: all. From --every N. */
extern size_t cases_every;

/* Reads the schema, makes the values; runs the tests. Returns what main() is to return. */
int cases_main(int argc, char **argv, size_t usual_every, int (*run)(int (*setup)(void **), int (*teardown)(void **)));
/* Counts the case, and tells it when it is its turn. */
void cases_tell(const struct story *story);
/* Fails the test when there was a complaint since the last call. */
void cases_expect_peace(void);
/* Effects until the first rest of an undisturbed life. */
size_t cases_effects(const struct scenario *scenario);
/* Fails the test when there is none. */
const struct value *cases_value(const char *path, const char *what);
