/* Bookkeeping of a scan; see the header for what a range is here. */
#include "azure/scan_state.h"

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define MAX_REMEMBERED 10000 /* offenders of one range; beyond it a split may make some be told twice */

/* Values of the maps of digests are how often one was seen, as a number in a pointer: an id may occur once in every
 * logical partition. */
static void count_up(struct map *m, const char *digest, uintptr_t by)
{
    if (m->len >= MAX_REMEMBERED && !map_get(m, digest))
        return;
    (void)map_set(m, digest, (void *)((uintptr_t)map_get(m, digest) + by)); // NOLINT: a number, never followed
}

static bool count_down(struct map *m, const char *digest)
{
    uintptr_t n = (uintptr_t)map_get(m, digest);

    if (n > 1)
        (void)map_set(m, digest, (void *)(n - 1)); // NOLINT: a number, never followed
    else if (n == 1)
        (void)map_remove(m, digest);
    return n > 0;
}

static void interval_done(struct scan_interval *interval)
{
    free(interval->min);
    free(interval->max);
}

static void range_free(struct scan_range *range)
{
    free(range->id);
    interval_done(&range->in);
    free(range->continuation);
    map_done(&range->found);
    free(range);
}

static void container_clear(struct scan_container *container)
{
    for (size_t i = 0; i < container->n_ranges; i++)
        range_free(container->ranges[i]);
    free(container->ranges);
    for (size_t i = 0; i < container->n_done; i++)
        interval_done(&container->done[i]);
    free(container->done);
    map_done(&container->reported);
    container->ranges = NULL;
    container->done = NULL;
    container->n_ranges = container->n_done = 0;
    container->reported = MAP_INIT;
    container->state = CONTAINER_NEW;
}

static void container_free(struct scan_container *container)
{
    container_clear(container);
    free(container->database);
    free(container->name);
    free(container->rid);
    free(container);
}

void scan_state_done(struct scan_state *state)
{
    for (size_t i = 0; i < state->n; i++)
        container_free(state->containers[i]);
    free(state->containers);
    map_done(&state->by_name);
    *state = (struct scan_state){0};
}

/* --- containers --- */

/* A line break is in neither name: the gateway checks them. */
static char *key_of(const char *database, const char *name)
{
    return xasprintf("%s\n%s", database, name);
}

struct scan_container *scan_state_add(struct scan_state *state, const char *database, const char *name, const char *rid)
{
    _cleanup_(freep) char *key = key_of(database, name);
    struct scan_container *container = xcalloc(1, sizeof(*container));

    container->database = xstrdup(database);
    container->name = xstrdup(name);
    container->rid = xstrdup(rid);
    state->containers = xrealloc(state->containers, (state->n + 1) * sizeof(struct scan_container *));
    state->containers[state->n++] = container;
    (void)map_set(&state->by_name, key, container);
    return container;
}

int scan_state_list(struct scan_state *state, const char *database, const char *name, const char *rid, struct err *err)
{
    _cleanup_(freep) char *key = key_of(database, name);
    struct scan_container *container = map_get(&state->by_name, key);

    if (!container && state->n == SCAN_MAX_CONTAINERS)
        return err_set(err, ERR_TOO_LARGE, "the account has more than %d containers", SCAN_MAX_CONTAINERS);
    if (!container)
        container = scan_state_add(state, database, name, rid);
    if (!str_eq(container->rid, rid)) { /* deleted and made again */
        container_clear(container);
        str_replace(&container->rid, rid);
    }
    container->listed = true;
    return 0;
}

void scan_state_listed(struct scan_state *state)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->n; i++) {
        struct scan_container *container = state->containers[i];
        if (container->listed) {
            state->containers[kept++] = container;
            continue;
        }
        _cleanup_(freep) char *key = key_of(container->database, container->name);
        (void)map_remove(&state->by_name, key);
        container_free(container);
    }
    state->n = kept;
}

static bool is_over(const struct scan_container *container)
{
    return container->state == CONTAINER_DONE || container->state == CONTAINER_SKIPPED;
}

bool scan_state_next(struct scan_state *state, struct scan_container **ret_container, struct scan_range **ret_range)
{
    *ret_range = NULL;
    while (state->first < state->n && is_over(state->containers[state->first]))
        state->first++;
    for (size_t i = state->first; i < state->n; i++) {
        struct scan_container *container = *ret_container = state->containers[i];
        if (container->state == CONTAINER_NEW) {
            container->state = CONTAINER_OPENING;
            return true;
        }
        for (size_t k = 0; container->state == CONTAINER_OPEN && k < container->n_ranges; k++) {
            if (container->ranges[k]->state != RANGE_WAITING)
                continue;
            *ret_range = container->ranges[k];
            (*ret_range)->state = RANGE_RUNNING;
            return true;
        }
    }
    return false;
}

void scan_container_skip(struct scan_container *container)
{
    container->state = CONTAINER_SKIPPED;
}

/* --- ranges --- */

/* "" sorts first and "FF" last, and what lies between are numbers of one length or prefixes of each other: the order of
 * strings is the order of the hash space. */
static bool overlap(const struct scan_interval *a, const struct scan_listed_range *b)
{
    return strcmp(a->min, b->max) < 0 && strcmp(b->min, a->max) < 0;
}

static bool same_range(const struct scan_range *a, const struct scan_listed_range *b)
{
    return str_eq(a->id, b->id) && str_eq(a->in.min, b->min) && str_eq(a->in.max, b->max);
}

static bool is_done(const struct scan_container *container, const struct scan_listed_range *range)
{
    const char *from = range->min;

    for (bool moved = true; moved && strcmp(from, range->max) < 0;) {
        moved = false;
        for (size_t i = 0; i < container->n_done && !moved; i++) {
            const struct scan_interval *done = &container->done[i];
            moved = strcmp(done->min, from) <= 0 && strcmp(from, done->max) < 0;
            from = moved ? done->max : from;
        }
    }
    return strcmp(from, range->max) >= 0;
}

void scan_container_add_done(struct scan_container *container, const char *min, const char *max)
{
    container->done = xrealloc(container->done, (container->n_done + 1) * sizeof(*container->done));
    container->done[container->n_done++] = (struct scan_interval){xstrdup(min), xstrdup(max)};
}

struct scan_range *scan_container_add_range(struct scan_container *container, const struct scan_listed_range *listed)
{
    struct scan_range *range = xcalloc(1, sizeof(*range));

    range->state = RANGE_WAITING;
    range->id = xstrdup(listed->id);
    range->in = (struct scan_interval){xstrdup(listed->min), xstrdup(listed->max)};
    container->ranges = xrealloc(container->ranges, (container->n_ranges + 1) * sizeof(struct scan_range *));
    container->ranges[container->n_ranges++] = range;
    return range;
}

static void remove_range(struct scan_container *container, size_t i)
{
    range_free(container->ranges[i]);
    container->ranges[i] = container->ranges[--container->n_ranges];
}

static bool is_listed(const struct scan_range *range, const struct scan_listed_range *listed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_range(range, &listed[i]))
            return true;
    return false;
}

/* Known already, or in the way of one in work, which will hear of the change by itself. */
static bool is_taken(const struct scan_container *container, const struct scan_listed_range *range)
{
    for (size_t i = 0; i < container->n_ranges; i++) {
        const struct scan_range *known = container->ranges[i];
        if (same_range(known, range) || (known->state == RANGE_RUNNING && overlap(&known->in, range)))
            return true;
    }
    return false;
}

/* What a range that is no more had found goes to its successors. */
static void keep_found(struct scan_container *container, const struct scan_range *range)
{
    map_foreach (entry, &range->found)
        count_up(&container->reported, entry->key, (uintptr_t)entry->value);
}

static int check_listed(const struct scan_listed_range *listed, size_t n, struct err *err)
{
    if (n == 0)
        return err_set(err, ERR_PROTOCOL, "the gateway named no partition key range");
    if (n > SCAN_MAX_RANGES)
        return err_set(err, ERR_TOO_LARGE, "the container has more than %d partition key ranges", SCAN_MAX_RANGES);
    for (size_t i = 0; i < n; i++)
        if (strcmp(listed[i].min, listed[i].max) >= 0)
            return err_set(err, ERR_PROTOCOL, "the gateway named a partition key range that is empty");
    return 0;
}

static void close_if_done(struct scan_container *container)
{
    if (container->n_ranges > 0 || container->state != CONTAINER_OPEN)
        return;
    container_clear(container); /* nobody asks how any more */
    container->state = CONTAINER_DONE;
}

int scan_container_ranges(
    struct scan_container *container, const struct scan_listed_range *listed, size_t n, struct err *err)
{
    if (check_listed(listed, n, err) < 0)
        return -1;
    for (size_t i = container->n_ranges; i-- > 0;) {
        if (container->ranges[i]->state == RANGE_RUNNING || is_listed(container->ranges[i], listed, n))
            continue;
        keep_found(container, container->ranges[i]);
        remove_range(container, i);
    }
    for (size_t i = 0; i < n; i++)
        if (!is_done(container, &listed[i]) && !is_taken(container, &listed[i]))
            (void)scan_container_add_range(container, &listed[i]);
    container->state = CONTAINER_OPEN;
    close_if_done(container);
    return 0;
}

static void drop_range(struct scan_container *container, const struct scan_range *range)
{
    for (size_t i = 0; i < container->n_ranges; i++) {
        if (container->ranges[i] != range)
            continue;
        remove_range(container, i);
        return;
    }
}

void scan_range_finish(struct scan_state *state, struct scan_container *container, struct scan_range *range)
{
    scan_container_add_done(container, range->in.min, range->in.max);
    state->ranges_done++;
    drop_range(container, range);
    close_if_done(container);
}

void scan_range_gone(struct scan_container *container, struct scan_range *range)
{
    keep_found(container, range);
    drop_range(container, range);
}

bool scan_range_offender(struct scan_container *container, struct scan_range *range, const char *id, size_t len)
{
    char digest[DIGEST_HEX_SIZE];

    digest_sha256_hex(id, len, digest);
    count_up(&range->found, digest, 1);
    return !count_down(&container->reported, digest);
}
