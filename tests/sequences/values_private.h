/* What values.c (the walk) and values_types.c (values by a field's type) share. */
#pragma once

#include "sequences/values.h"

#define MAX_STEPS 8

/* From spec down to a field. The step "[]" is the first item of a list. */
struct place {
    const char *steps[MAX_STEPS];
    size_t n;
};

struct walk {
    struct values *values;
    struct err *err;
    bool failed;
};

/* One field. */
struct field {
    struct walk *walk;
    struct place place;
    const cJSON *schema;
    const struct samples *samples;
    char path[256];
    bool required;
};

/* Down one step: a member, or the first item. Borrowed. */
cJSON *values_down(cJSON *at, const char *step);
/* Adds a value; to (taken over) stands at the field's place, NULL: nothing does. */
void values_add(struct field *f, const char *what, cJSON *to, bool accepted);
/* Ends the walk: the schema says something that is not known here. */
void values_unknown(struct field *f, const char *what, const char *name);
/* Refused whatever the type: the list of JSON texts ends with NULL. */
void values_wrong_types(struct field *f, const char *const *texts);

void values_of_string(struct field *f);
void values_of_boolean(struct field *f);
void values_of_integer(struct field *f);
void values_of_list(struct field *f);
