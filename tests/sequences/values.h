/* Values for every field of a CosmosCMK's spec, made from the CRD's own schema: what its keywords and rules allow, and
 * what they do not.
 *
 * A keyword, a format, a field or a rule that is not known here is an error and no value: whoever adds one to the CRD
 * has to say in samples.c what it accepts, or the tests that are built on this fail. */
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

/* What the controller itself says of a spec, when no API server has kept it away. */
enum own { OWN_ACCEPTS, OWN_INVALID, OWN_UNSUPPORTED };
const char *own_name(enum own own);

struct value {
    char *path;      /* below spec: "window.periods[].days"; "" is spec itself */
    char *what;      /* "wrong type", "too long", ... */
    char *member;    /* of spec, which is replaced as a whole; NULL: all of spec is */
    cJSON *to;       /* NULL: taken away */
    bool accepted;   /* by the API server, over the base */
    bool moves;      /* and refused at an update, because the field is immutable */
    bool clashes;    /* it is well formed, and does not fit another field of the base */
    enum own own;    /* over the base */
    const char *why; /* when the two differ */
};

struct values {
    struct value *v;
    size_t n, fields, rules;
    cJSON *full; /* a spec with every field */
};

/* The smallest spec; the account and the key of the simulation. The caller frees it. */
cJSON *values_base(void);
/* ERR_INVALID names what of the schema is not known. What there is of *ret is the caller's (values_done) in any case.
 */
int values_make(struct values *ret, const cJSON *spec_schema, struct err *err);
void values_done(struct values *values);
/* "spec.mode: not in the list, "observe"". The caller frees it. */
char *value_text(const struct value *value);
/* A copy of spec with the value in it; the base with it, when spec is no object. The caller frees it. */
cJSON *value_in(const struct value *value, const cJSON *spec);

/* ---- schema.c ---- */

/* The schema of spec in the CRD of the tree that the tests run in. The tree is the caller's. */
int schema_read(cJSON **ret_crd, const cJSON **ret_spec, struct err *err);

/* ---- own.c ---- */

/* What the controller says of this spec, and in which words. */
enum own own_verdict(const cJSON *spec, struct err *why);

/* ---- samples.c ---- */

#define MAX_SAMPLES 24

struct samples {
    const char *path;
    size_t rules; /* x-kubernetes-validations that the samples were chosen for */
    bool needed;  /* absent is refused by a rule */
    bool immutable;
    const char *valid[MAX_SAMPLES], *invalid[MAX_SAMPLES], *clashing[MAX_SAMPLES];
};
/* NULL: no such field is known. */
const struct samples *samples_of(const char *path);
const struct samples *samples_at(size_t i); /* NULL past the end */

/* Where the controller does not say what the API server says, on purpose. */
struct difference {
    const char *path, *what;
    enum own own;
    const char *why;
};
const struct difference *difference_of(const char *path, const char *what);
const struct difference *difference_at(size_t i); /* NULL past the end */
