/* Correlation and limits of events: two maps with their entries in the order of last use.
 *
 * Invariant: a series is in the map under its key and in the list exactly once, and owns copies of all it names. A
 * bucket that is full again says nothing and may go. Nothing here writes, waits or asks for the time. */
#include "kube/event_core.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#define MINUTE_MS 60000

struct bucket {
    double tokens;
    int64_t at;
};

struct series {
    char *key, *name;
    struct kube_event event; /* strings are owned */
    int64_t first, last;     /* wall */
    int64_t count;
    int64_t seen;       /* monotonic, of the last event */
    int64_t written_at; /* monotonic */
    int64_t written;    /* the count as last written */
    TAILQ_ENTRY(series) link;
};

struct object {
    char *uid;
    struct bucket bucket;
    TAILQ_ENTRY(object) link;
};

TAILQ_HEAD(series_list, series);
TAILQ_HEAD(object_list, object);

struct event_core {
    struct event_core_options options;
    struct map series, objects;
    struct series_list series_by_use; /* the oldest first */
    struct object_list objects_by_use;
    struct bucket all;
};

/* ---- life ---- */

void kube_event_copy(struct kube_event *to, const struct kube_event *from)
{
    const struct kube_event_object *o = &from->regarding;

    *to = (struct kube_event){.regarding = {.api_version = xstrdup(o->api_version),
                                  .kind = xstrdup(o->kind),
                                  .ns = xstrdup(o->ns),
                                  .name = xstrdup(o->name),
                                  .uid = xstrdup(o->uid),
                                  .resource_version = xstrdup(o->resource_version)},
        .reason = xstrdup(from->reason),
        .action = xstrdup(from->action),
        .note = xstrdup(from->note),
        .warning = from->warning};
}

void kube_event_done(struct kube_event *event)
{
    free((char *)event->regarding.api_version);
    free((char *)event->regarding.kind);
    free((char *)event->regarding.ns);
    free((char *)event->regarding.name);
    free((char *)event->regarding.uid);
    free((char *)event->regarding.resource_version);
    free((char *)event->reason);
    free((char *)event->action);
    free((char *)event->note);
}

static void series_remove(struct event_core *core, struct series *s)
{
    (void)map_remove(&core->series, s->key);
    TAILQ_REMOVE(&core->series_by_use, s, link);
    kube_event_done(&s->event);
    free(s->key);
    free(s->name);
    free(s);
}

static void object_remove(struct event_core *core, struct object *o)
{
    (void)map_remove(&core->objects, o->uid);
    TAILQ_REMOVE(&core->objects_by_use, o, link);
    free(o->uid);
    free(o);
}

struct event_core *event_core_new(const struct event_core_options *options)
{
    struct event_core *core = xcalloc(1, sizeof(*core));
    struct event_core_options *o = &core->options;

    if (options)
        *o = *options;
    o->max_series = o->max_series ? o->max_series : 512;
    o->max_objects = o->max_objects ? o->max_objects : 1024;
    o->finish = o->finish ? o->finish : 6 * MINUTE_MS;
    o->refresh = o->refresh ? o->refresh : 30 * MINUTE_MS;
    o->object_burst = o->object_burst > 0 ? o->object_burst : 25;
    o->object_every = o->object_every ? o->object_every : 5 * MINUTE_MS;
    o->burst = o->burst > 0 ? o->burst : 1000;
    o->every = o->every ? o->every : 100;
    core->all.tokens = o->burst;
    TAILQ_INIT(&core->series_by_use);
    TAILQ_INIT(&core->objects_by_use);
    return core;
}

struct event_core *event_core_free(struct event_core *core)
{
    struct series *s;
    struct object *o;

    if (!core)
        return NULL;
    while ((s = TAILQ_FIRST(&core->series_by_use)))
        series_remove(core, s);
    while ((o = TAILQ_FIRST(&core->objects_by_use)))
        object_remove(core, o);
    map_done(&core->series);
    map_done(&core->objects);
    free(core);
    return NULL;
}

/* ---- limits ---- */

static void refill(struct bucket *b, double burst, int64_t every, int64_t now)
{
    b->tokens += (double)(now - b->at) / (double)every;
    b->at = now;
    if (b->tokens > burst)
        b->tokens = burst;
}

static struct object *object_of(struct event_core *core, const char *uid, int64_t now)
{
    struct object *o = map_get(&core->objects, uid);

    if (o) {
        TAILQ_REMOVE(&core->objects_by_use, o, link);
    } else {
        if (core->objects.len == core->options.max_objects)
            object_remove(core, TAILQ_FIRST(&core->objects_by_use));
        o = xcalloc(1, sizeof(*o));
        o->uid = xstrdup(uid);
        o->bucket = (struct bucket){.tokens = core->options.object_burst, .at = now};
        (void)map_set(&core->objects, o->uid, o);
    }
    TAILQ_INSERT_TAIL(&core->objects_by_use, o, link);
    return o;
}

/* One token of both, or of none. */
static bool take(struct event_core *core, const char *uid, int64_t now)
{
    struct object *o = object_of(core, uid, now);

    refill(&o->bucket, core->options.object_burst, core->options.object_every, now);
    refill(&core->all, core->options.burst, core->options.every, now);
    if (o->bucket.tokens < 1 || core->all.tokens < 1)
        return false;
    o->bucket.tokens -= 1;
    core->all.tokens -= 1;
    return true;
}

/* ---- series ---- */

static char *key_of(const struct kube_event *event)
{
    const struct kube_event_object *o = &event->regarding;

    /* None of these can hold a line break; uid says which object of that name. */
    return xasprintf("%s\n%s\n%s\n%s\n%s\n%s\n%s\n%d", o->kind, o->ns, o->name, o->uid, event->reason, event->action,
        o->api_version, event->warning);
}

/* NAME.HEX as client-go has it, from a name that may itself be as long as a name can be. */
static char *name_of(const char *name, uint64_t unique)
{
    size_t n = strlen(name), room = EVENT_NAME_MAX - strlen(".0123456789abcdef");

    if (n > room)
        n = room;
    while (n > 0 && !ascii_isalnum(name[n - 1]))
        n--;
    return xasprintf("%.*s.%016" PRIx64, (int)n, name, unique);
}

static void give(const struct series *s, struct event_series *ret)
{
    *ret = (struct event_series){
        .name = s->name, .event = &s->event, .first = s->first, .last = s->last, .count = s->count};
}

static void mark_written(struct series *s, int64_t now)
{
    s->written = s->count;
    s->written_at = now;
}

static void begin(struct event_core *core, char **key, const struct kube_event *event, struct event_time now,
    uint64_t unique, struct event_series *ret)
{
    if (core->series.len == core->options.max_series)
        series_remove(core, TAILQ_FIRST(&core->series_by_use));
    struct series *s = xcalloc(1, sizeof(*s));
    s->key = TAKE_PTR(*key);
    s->name = name_of(event->regarding.name, unique);
    kube_event_copy(&s->event, event);
    s->first = s->last = now.wall;
    s->seen = now.mono;
    s->count = 1;
    mark_written(s, now.mono);
    (void)map_set(&core->series, s->key, s);
    TAILQ_INSERT_TAIL(&core->series_by_use, s, link);
    give(s, ret);
}

static bool is_quiet(const struct event_core *core, const struct series *s, int64_t now)
{
    return now >= s->seen + core->options.finish;
}

enum event_verdict event_core_observe(struct event_core *core, const struct kube_event *event, struct event_time now,
    uint64_t unique, struct event_series *ret)
{
    _cleanup_(freep) char *key = key_of(event);
    struct series *s = map_get(&core->series, key);

    if (s && is_quiet(core, s, now.mono) && s->count == s->written) {
        series_remove(core, s);
        s = NULL;
    }
    if (!s) {
        if (!take(core, event->regarding.uid, now.mono))
            return EVENT_LIMITED;
        begin(core, &key, event, now, unique, ret);
        return EVENT_CREATE;
    }
    s->count++;
    s->last = now.wall;
    s->seen = now.mono;
    TAILQ_REMOVE(&core->series_by_use, s, link);
    TAILQ_INSERT_TAIL(&core->series_by_use, s, link);
    if (s->count != 2 || !take(core, event->regarding.uid, now.mono))
        return EVENT_COUNTED;
    mark_written(s, now.mono);
    give(s, ret);
    return EVENT_PATCH;
}

/* When something is to be done about a series: its count written, or it forgotten. */
static int64_t due_at(const struct event_core *core, const struct series *s)
{
    int64_t quiet = s->seen + core->options.finish, refresh = s->written_at + core->options.refresh;

    return s->count > 1 && refresh < quiet ? refresh : quiet;
}

enum event_verdict event_core_due(
    struct event_core *core, struct event_time now, bool all, struct event_series *ret, int64_t *ret_wake)
{
    struct series *next;

    *ret_wake = INT64_MAX;
    for (struct series *s = TAILQ_FIRST(&core->series_by_use); s; s = next) {
        next = TAILQ_NEXT(s, link);
        int64_t at = due_at(core, s);
        bool unwritten = s->count != s->written;
        if (unwritten && (all || now.mono >= at)) {
            mark_written(s, now.mono);
            give(s, ret);
            return EVENT_PATCH;
        }
        if (is_quiet(core, s, now.mono))
            series_remove(core, s);
        else if (now.mono >= at) /* nothing new to say: still there */
            s->written_at = now.mono;
        else if (at < *ret_wake)
            *ret_wake = at;
    }
    return EVENT_COUNTED;
}

void event_core_forget(struct event_core *core, const char *name)
{
    struct series *s;

    TAILQ_FOREACH(s, &core->series_by_use, link)
    if (str_eq(s->name, name)) {
        series_remove(core, s);
        return;
    }
}

size_t event_core_len(const struct event_core *core)
{
    return core->series.len;
}
