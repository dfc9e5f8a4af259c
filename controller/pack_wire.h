/* Numbers and texts of a packed resource, in three directions with one walk: written, read, and released.
 *
 * The walk (pack.c) names every member once and in one order. Writing takes the value from the member; reading puts it
 * there (texts are the member's, on the heap); releasing only lets go of the texts in the pool. What is read was
 * written by the same walk of the same process: a byte that makes no sense is a mistake in this program and aborts it.
 */
#pragma once

#include "base/buf.h"
#include "controller/pool.h"

#include <stdint.h>

enum wire_direction { WIRE_WRITE, WIRE_READ, WIRE_RELEASE };

#define WIRE_ANCHORS 8

struct wire {
    enum wire_direction direction;
    struct pool *pool;
    struct buf *out;               /* WIRE_WRITE */
    const unsigned char *at, *end; /* otherwise */
    int64_t base;                  /* times are kept as distances from this one */
    /* Texts met before, which later ones repeat or contain. */
    const char *anchors[WIRE_ANCHORS];
    unsigned n_anchors;
};

void wire_number(struct wire *w, int64_t *member);
/* 0 is absent, as everywhere in the domain. */
void wire_time(struct wire *w, int64_t *member);
/* A text of this resource alone: an id, a name. NULL and "" are told apart. */
void wire_own(struct wire *w, char **member);
/* A text that others are likely to have as well. */
void wire_shared(struct wire *w, char **member);
/* The same, and later texts may repeat it. */
void wire_anchor(struct wire *w, char **member);
/* An id whose last segment is its own and the rest is not. The segment is an anchor. */
void wire_path(struct wire *w, char **member);

/* For bool, enum and size_t members. */
#define WIRE_INT(w, member)                                                                                            \
    do {                                                                                                               \
        int64_t value_ = (int64_t)(member);                                                                            \
        wire_number((w), &value_);                                                                                     \
        if ((w)->direction != WIRE_WRITE)                                                                              \
            (member) = (__typeof__(member))value_;                                                                     \
    } while (0)
