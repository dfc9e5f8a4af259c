/* What becomes of an event: written at once, counted in a series, or dropped. Pure: the caller brings the time, random
 * numbers and the writing. Internal to pkg/kube; kube/events.h is the recorder around it.
 *
 * The rules are those of client-go's tools/events: events that agree in regarding (without its resourceVersion),
 * reason, action and type are one series, whatever their notes. The first is created; the second turns it into a series
 * at once; later ones are only counted, and the count is written when the series has been quiet for 6 minutes, or every
 * 30 minutes while it goes on, so that the event does not expire. A single one is forgotten after 6 minutes.
 *
 * Limits on what is created, and on what becomes a series: 25 per object and one more every 5 minutes (client-go's spam
 * filter), and one bucket for all. Counting is never limited. What is remembered is bounded; the oldest goes first. */
#pragma once

#include "base/buf.h"
#include "kube/events.h"

#define EVENT_NAME_MAX 253
#define EVENT_NOTE_MAX 1024

/* A copy with strings of its own, and its end. */
void kube_event_copy(struct kube_event *to, const struct kube_event *from);
void kube_event_done(struct kube_event *event);

struct event_core;

/* Zero means the default in parentheses. All times in milliseconds. */
struct event_core_options {
    size_t max_series;    /* (512) */
    size_t max_objects;   /* (1024) whose rate is remembered */
    int64_t finish;       /* (6 min) */
    int64_t refresh;      /* (30 min) */
    double object_burst;  /* (25) */
    int64_t object_every; /* (5 min) per event of one object */
    double burst;         /* (1000) */
    int64_t every;        /* (100 ms) per event of all objects */
};

/* A moment by both clocks: monotonic for deadlines, wall for what people read. */
struct event_time {
    int64_t mono;
    int64_t wall;
};

struct event_core *event_core_new(const struct event_core_options *options); /* NULL: defaults */
struct event_core *event_core_free(struct event_core *core);                 /* accepts and returns NULL */
DEFINE_CLEANUP(struct event_core *, event_core_free)

enum event_verdict {
    EVENT_COUNTED, /* nothing to write now */
    EVENT_LIMITED, /* dropped */
    EVENT_CREATE,
    EVENT_PATCH, /* series.count and series.lastObservedTime of an event that was created */
};

/* What is known of a series. Borrowed from the core, until the next call that is given the core. */
struct event_series {
    const char *name; /* of the Event object */
    const struct kube_event *event;
    int64_t first, last; /* wall */
    int64_t count;
};

/* unique: 64 random bits for the object's name. *ret for EVENT_CREATE and EVENT_PATCH. */
enum event_verdict event_core_observe(struct event_core *core, const struct kube_event *event, struct event_time now,
    uint64_t unique, struct event_series *ret);

/* The next count that is due to be written: EVENT_PATCH, and the core takes it as written. EVENT_COUNTED when there is
 * none before *ret_wake (monotonic; INT64_MAX: none at all), which is set only then. At the end of the program
 * everything not yet written is due: all. */
enum event_verdict event_core_due(
    struct event_core *core, struct event_time now, bool all, struct event_series *ret, int64_t *ret_wake);

/* The series was not taken: its next event is a first one again. name may be unknown by now. */
void event_core_forget(struct event_core *core, const char *name);
size_t event_core_len(const struct event_core *core);
