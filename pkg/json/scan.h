/* The strict reading of a JSON text, before cJSON sees it. Private to this folder. */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct json_scan {
    const char *text;
    size_t len;
    size_t at;          /* bytes read so far */
    int depth;          /* containers open */
    size_t names;       /* member names seen so far, in the order of the text */
    size_t wanted_name; /* which of them to find, counted from 1; 0 for none */
    size_t name_offset; /* where that one begins */
    struct err *err;
};

/* Reads one whole text; -1 and s->err with the byte offset when it is not what json_parse accepts. */
int json_scan_text(struct json_scan *s);
