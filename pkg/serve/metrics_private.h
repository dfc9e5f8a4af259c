/* What metrics.c and exposition.c share. Private to this folder. */
#pragma once

#include "base/map.h"
#include "serve/metrics.h"

#include <pthread.h>
#include <stdint.h>

/* Ends each label value in a series' key; sorts before every other byte. */
#define METRIC_SEPARATOR '\x01'

struct series {
    double value;       /* of a histogram: the sum */
    uint64_t count;     /* of a histogram */
    uint64_t buckets[]; /* each without those below it */
};

struct metric {
    struct metric_desc desc;
    size_t n_labels;
    pthread_mutex_t lock;
    struct map series; /* by key; under the lock */
    struct metric *next;
};

/* Appends the family's text; the caller holds its lock. */
void metric_render(const struct metric *metric, struct buf *ret);
