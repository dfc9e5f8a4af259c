/* What a scan has done and has to do: containers, their partition key ranges, and how far each is. Pure; not
 * thread-safe. Private to this folder.
 *
 * A range is remembered as the part of the hash space that it covers, because its id means nothing after a split or a
 * merge: what is done is a set of intervals, and a range that they cover needs no look. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_MAX_CONTAINERS 200000
#define SCAN_MAX_RANGES 20000 /* of one container */

/* Ends of ranges as the gateway writes them: hexadecimal, from "" to "FF"; max is excluded. */
struct scan_interval {
    char *min, *max;
};

enum scan_range_state { RANGE_WAITING, RANGE_RUNNING };

struct scan_range {
    char *id;
    struct scan_interval in;
    char *continuation; /* NULL: from the beginning */
    enum scan_range_state state;
    struct map found; /* digests of offenders reported from it; values are scan_state's own */
};

enum scan_container_state {
    CONTAINER_NEW,     /* its ranges are not known */
    CONTAINER_OPENING, /* being asked for */
    CONTAINER_OPEN,
    CONTAINER_DONE,
    CONTAINER_SKIPPED,
};

struct scan_container {
    char *database, *name, *rid;
    enum scan_container_state state;
    bool listed;
    struct scan_range **ranges; /* those that are not done */
    size_t n_ranges;
    struct scan_interval *done;
    size_t n_done;
    int relisted;        /* times in a row that a range was gone, without a page in between */
    struct map reported; /* offenders of ranges that were split before they were done: not to be told again */
};

struct scan_state {
    struct scan_container **containers;
    size_t n;
    size_t first; /* all before it are done or skipped */
    struct map by_name;
    int64_t ranges_done; /* also of ranges that were done before a resumption */
    int64_t documents, offenders, charge_milli;
};

void scan_state_done(struct scan_state *state); /* accepts a zeroed struct */

/* One more container that the account has. What is known of a container of that name is kept if it is the same one
 * (rid). ERR_TOO_LARGE beyond the limit. */
int scan_state_list(struct scan_state *state, const char *database, const char *name, const char *rid, struct err *err);
/* After the last one: forgets containers that were known and are no more. */
void scan_state_listed(struct scan_state *state);

/* The next thing to do: a container to open, or a range (then *ret_range is set). It is marked as in work. False: there
 * is none now, maybe later. */
bool scan_state_next(struct scan_state *state, struct scan_container **ret_container, struct scan_range **ret_range);

struct scan_listed_range {
    const char *id, *min, *max;
};
/* The ranges as the gateway has them now. Those that are done are left out, those known go on where they are, and those
 * that overlap with one in work wait for its end. The container is open, or done, afterwards. */
int scan_container_ranges(
    struct scan_container *container, const struct scan_listed_range *listed, size_t n, struct err *err);
/* A range in work was read to its end. */
void scan_range_finish(struct scan_state *state, struct scan_container *container, struct scan_range *range);
/* A range in work is not there any more: what it found is not told again by its successors. */
void scan_range_gone(struct scan_container *container, struct scan_range *range);
void scan_container_skip(struct scan_container *container);

/* Is this offender of the range news? Remembers it. */
bool scan_range_offender(struct scan_container *container, struct scan_range *range, const char *id, size_t len);

/* The state as JSON text of one line. account: whose it is. */
char *scan_state_print(const struct scan_state *state, const char *account);
/* Into a zeroed state; ERR_INVALID when the text is damaged or of another account (the state must be freed then). */
int scan_state_parse(struct scan_state *state, const char *text, const char *account, struct err *err);

/* Of scan_state.c, for reading a position. */
struct scan_container *scan_state_add(
    struct scan_state *state, const char *database, const char *name, const char *rid);
struct scan_range *scan_container_add_range(struct scan_container *container, const struct scan_listed_range *range);
void scan_container_add_done(struct scan_container *container, const char *min, const char *max);
