/* Checked access to JSON that somebody else wrote.
 *
 * cJSON does the parsing; this header is the only way the rest of the program reads it, because the bare library has
 * traps: look-ups that ignore case, trailing garbage that is accepted, integers that lose digits beyond 2^53, recursion
 * without a limit of ours. Names here are case-sensitive, every depth and size has a cap, and a value of the wrong type
 * is an error that names its place ("spec.window.periods[0].start").
 *
 * Decode at the edge into a small struct with a table (json_decode), then drop the tree. */
#pragma once

#include "base/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 64

/* Parses exactly one JSON text of len bytes. Refused with ERR_PROTOCOL and a sentence with the byte offset: syntax
 * errors, anything after the value but white space, nesting deeper than JSON_MAX_DEPTH, bytes that are not UTF-8, a NUL
 * in a string (as \u0000), an object with the same name twice. The tree is the caller's (json_free). */
int json_parse(cJSON **ret, const char *text, size_t len, struct err *err);

cJSON *json_free(cJSON *tree); /* accepts and returns NULL */
DEFINE_CLEANUP(cJSON *, json_free)

/* Borrowed member of an object by a path of names separated by dots, or NULL when any part is absent or no object.
 * Names with dots cannot be reached this way: use json_member. */
const cJSON *json_at(const cJSON *object, const char *path);
const cJSON *json_member(const cJSON *object, const char *name);

/* Borrowed string at path, or NULL when absent, null or not a string. */
const char *json_string_at(const cJSON *object, const char *path);
bool json_bool_at(const cJSON *object, const char *path, bool fallback);
/* Only numbers that are whole and between -2^53 and 2^53 (both excluded: a double cannot tell 2^53 from 2^53 + 1), and
 * strings of digits when accept_string. */
bool json_int(const cJSON *value, bool accept_string, int64_t *ret);

enum json_type {
    JSON_STRING,        /* char *: a heap copy; left alone when absent */
    JSON_BOOL,          /* bool */
    JSON_INT,           /* int64_t */
    JSON_INT_OR_STRING, /* int64_t: "3599" and 3599 alike, as some token endpoints send it */
    JSON_TIME,          /* int64_t: wall ms of an RFC 3339 string */
};

struct json_field {
    const char *path;
    enum json_type type;
    size_t offset; /* offsetof the member in the struct */
    bool required;
    size_t max; /* JSON_STRING: bytes allowed, 0 means 4096 */
};

/* Fills members of *object_struct from tree by a table. null counts as absent. On error (ERR_PROTOCOL, naming the path)
 * what was filled so far is still owned by the struct, whose destructor frees it. Existing strings are freed when
 * replaced. */
int json_decode(const cJSON *tree, const struct json_field *fields, size_t n, void *object_struct, struct err *err);

/* Compact text of a tree that we built ourselves; the caller frees it. */
char *json_print(const cJSON *tree);

/* Builders that cannot fail. A NULL string value adds nothing. They return what was added (borrowed). */
cJSON *json_add_string(cJSON *object, const char *name, const char *value);
cJSON *json_add_int(cJSON *object, const char *name, int64_t value);
cJSON *json_add_object(cJSON *object, const char *name);
cJSON *json_add_array(cJSON *object, const char *name);
