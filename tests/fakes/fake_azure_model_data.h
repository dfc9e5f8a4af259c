/* What is in an account: databases, containers with partition key ranges, and documents of which only the ids matter.
 *
 * Documents are not stored: the id and the place in the hash space follow from the number. Pure; not thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AZURE_HASH_SPACE 255 /* places are 0 to 254; ends of ranges are two hexadecimal digits, "" and "FF" */

struct azure_range {
    int id;
    int from, to; /* to is excluded */
    int parent;   /* -1: none */
};

/* Ids that the seed spells out: text, so many times. */
struct azure_special {
    char *text;
    int64_t repeat;
    int64_t count; /* documents of this kind; beyond one, each ends in its number */
};

struct azure_container {
    char *id;
    int64_t documents;     /* with ordinary ids */
    int64_t ranges_at_all; /* at the start */
    int64_t per_page;      /* documents looked at for one page: what is found in them is the page, often nothing */
    int64_t charge_milli;  /* of a page */
    int64_t throttle_after, throttle_times, throttle_ms;
    int64_t split_after; /* queries until the first range is split; -1: never */
    struct azure_special *specials;
    size_t n_specials;
    struct azure_range *ranges;
    size_t n_ranges;
    int next_range;
    int64_t queries; /* so far */
};

struct azure_database {
    char *id;
    struct azure_container *containers;
    size_t n;
};

struct azure_data {
    struct azure_database *databases;
    size_t n;
    int64_t list_page; /* databases, containers or ranges in one page */
    char **readers;    /* applications that may read; NULL: all */
    size_t n_readers;
};

/* *ret is the caller's (azure_data_free). ERR_INVALID names the member that is wrong. */
int azure_data_parse(struct azure_data **ret, const cJSON *json, struct err *err);
struct azure_data *azure_data_free(struct azure_data *data); /* accepts and returns NULL */

/* Names compare byte by byte, as in the service. NULL data is empty. */
struct azure_database *azure_data_database(const struct azure_data *data, const char *id);
struct azure_container *azure_data_container(struct azure_database *database, const char *id);
bool azure_data_may_read(const struct azure_data *data, const char *client_id);

/* NULL when there is none (any more). */
const struct azure_range *azure_container_range(const struct azure_container *container, const char *id);
/* Counts a query; the container may be split by it. True: the query is to be throttled. */
bool azure_container_query(struct azure_container *container);

/* "" or two digits or "FF". */
void azure_range_end(int place, char ret[static 3]);

struct azure_page_question {
    int from, to;       /* places */
    int64_t offset;     /* number of the first document to look at */
    int64_t max_items;  /* 0: as many as there are */
    int64_t more_chars; /* only ids of more than so many characters; -1: all */
};
/* Calls found() for each document of the page. The number to go on from, or -1 when that was the last page. */
int64_t azure_container_page(const struct azure_container *container, const struct azure_page_question *question,
    void (*found)(void *ctx, const char *id, int64_t number), void *ctx);
