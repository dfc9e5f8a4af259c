/* Command-line flags by a table: --name VALUE or --name=VALUE. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>

enum flag_type {
    FLAG_STRING,   /* const char *: borrowed from argv */
    FLAG_BOOL,     /* bool: no value, or =true, =false */
    FLAG_INT,      /* int64_t within [min, max] */
    FLAG_DURATION, /* int64_t in ms within [min, max]; Go's syntax */
    FLAG_LIST,     /* struct flag_list; each value is kept once, an empty one adds nothing */
};

/* Values of a flag that may be given more than once, each with commas. */
#define FLAG_LIST_MAX 64

struct flag_list {
    const char *items[FLAG_LIST_MAX]; /* in text */
    size_t n;
    char text[8192];
    size_t used;
};

struct flag {
    const char *name; /* without the dashes */
    enum flag_type type;
    void *value;
    const char *arg;  /* what the help calls the value */
    const char *help; /* says the default */
    int64_t min, max;
};

/* Consumes every argument of argv[1..]. Returns 1 when --help or -h was given, 0 when all is well, and -1 with a
 * sentence (which flag, what is wrong, a near name if there is one) otherwise. */
int flags_parse(const struct flag *flags, size_t n, int argc, char **argv, struct err *err);
void flags_print(const struct flag *flags, size_t n, FILE *out);
