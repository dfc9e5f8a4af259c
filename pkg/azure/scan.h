/* The search for document ids that customer-managed keys do not allow: over 990 bytes in UTF-8.
 *
 * Every container of the account is read range by range, several ranges at a time, page by page until the gateway has
 * no more. The query asks for ids of more than 247 characters, because LENGTH counts characters and one can have four
 * bytes; the bytes are counted here. It costs request units: the query is not served from an index.
 *
 * Throttling, outages and partition splits are waited out or followed; a container that is deleted meanwhile is skipped
 * and said. When it fails or is cancelled, scan_position() says where it was, and another scan can go on from there.
 *
 * An offender may be told twice when a scan was resumed and its partition was split or its page was in work; never is
 * one left out. Documents that are written while it runs may be missed, as by any scan. */
#pragma once

#include "azure/gateway.h"

#define SCAN_MAX_ID_BYTES 990
#define SCAN_QUERY "SELECT c.id FROM c WHERE LENGTH(c.id) > 247"
#define SCAN_ID_TEXT_SIZE 65 /* of a shortened id, with NUL */

struct scan;

struct scan_offender {
    const char *database;
    const char *container;
    const char *id;  /* shortened in the middle, without control characters: for people */
    size_t id_bytes; /* of the whole id */
};

struct scan_progress {
    bool listed; /* the counts of databases and containers are final */
    int64_t databases;
    int64_t containers, containers_done; /* done: with those that were skipped */
    int64_t ranges, ranges_done;         /* of the containers opened so far */
    int64_t documents;                   /* returned by the query */
    int64_t offenders;
    int64_t skipped;
    int64_t requests, throttled;
    int64_t charge_milli; /* thousandths of a request unit */
};

/* The calls come one at a time, from any of the scan's threads, and must not call back into the scan. Both may be NULL.
 */
struct scan_events {
    void (*offender)(void *ctx, const struct scan_offender *offender);
    /* A database (container NULL) or container that is gone. */
    void (*skipped)(void *ctx, const char *database, const char *container, const struct err *why);
    void *ctx;
};

/* Time, for tests; wait() is true when the scan was cancelled meanwhile. */
struct scan_clock {
    int64_t (*now_ms)(void *ctx);
    bool (*wait)(void *ctx, int64_t ms);
    void *ctx;
};

struct scan_options {
    int threads;                /* ranges at a time, 1 to 64; 0: 4 */
    int64_t ru_per_second;      /* budget of all requests together; 0: none */
    int page_size;              /* 0: 1000; halved when the account throttles, and restored */
    int64_t patience_ms;        /* how long one request is repeated before the scan fails; 0: 10 min */
    const char *position;       /* from scan_position(); NULL: from the beginning */
    struct http_cancel *cancel; /* the gateway's; may be NULL */
    struct scan_events events;
    const struct scan_clock *clock; /* copied; NULL: the system's */
};

/* The gateway is borrowed and must outlive the scan. ERR_INVALID when the position cannot be used: damaged, or of
 * another account. */
int scan_new(struct scan **ret, struct gateway *gateway, const struct scan_options *options, struct err *err);
struct scan *scan_free(struct scan *scan); /* accepts and returns NULL */
DEFINE_CLEANUP(struct scan *, scan_free)

/* Blocks until all is read (0), or it fails; to be called once. ERR_CANCELLED within 100 ms of a cancellation. */
int scan_run(struct scan *scan, struct err *err);

/* From any thread, also while it runs. */
void scan_look(struct scan *scan, struct scan_progress *ret);
/* Where it is, as JSON text of one line; the caller frees it. No secret and no document id is in it, but names of
 * databases and containers are. */
char *scan_position(struct scan *scan);

/* The id with its middle cut out, at most 64 bytes, cut between characters; control characters become '?'. */
void scan_shorten(const char *id, size_t len, char ret[static SCAN_ID_TEXT_SIZE]);
