/* A registry of metrics, and its text for Prometheus (exposition format 0.0.4).
 *
 * A family has a name, a help text, a type and a fixed set of label names; a series is one set of label values in it.
 * Series are made by their first use and bounded: past max_series, every new set of values counts as the one in which
 * each label is METRIC_OTHER, so that a peer that can choose a value cannot make this grow. Label values are cut to
 * METRIC_LABEL_SIZE - 1 bytes, and bytes that are not UTF-8 become '?'.
 *
 * Values are changed by any thread, for the price of a short lock of their family. What is known elsewhere is computed
 * at scrape time by the family's collect(). Wrong use (a bad or doubled name, no bounds for a histogram) is a
 * programming error and aborts. */
#pragma once

#include "base/buf.h"

#include <stddef.h>

#define METRIC_MAX_LABELS 3
#define METRIC_LABEL_SIZE 128
#define METRIC_OTHER "other"
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric;

/* All strings and arrays are borrowed for the registry's life, which literals are good for. */
struct metric_desc {
    const char *name;
    const char *help;
    enum metric_type type;
    const char *labels[METRIC_MAX_LABELS]; /* up to the first NULL */
    size_t max_series;                     /* 0: 200 */
    const double *bounds;                  /* of a histogram's buckets, ascending, without +Inf */
    size_t n_bounds;
    /* Gives the family's values with metric_add(), which start from nothing at each scrape. One scrape at a time; it
     * must not block. NULL: the values are those that were added or set. */
    void (*collect)(void *ctx, struct metric *metric);
    void *ctx;
};

/* Label values, in the order of the names: METRIC_LABELS("GET", "200"). A family without labels takes NULL. */
#define METRIC_LABELS(...) ((const char *const[METRIC_MAX_LABELS]){__VA_ARGS__})

struct metrics *metrics_new(void);
/* No thread may be using one of its metrics any more. Accepts and returns NULL. */
struct metrics *metrics_free(struct metrics *metrics);
DEFINE_CLEANUP(struct metrics *, metrics_free)

/* Called at the beginning of each scrape, to look at something once that several families then show. */
void metrics_on_scrape(struct metrics *metrics, void (*look)(void *ctx), void *ctx);
/* The metric is borrowed. Families may be added while others are in use. */
struct metric *metrics_add(struct metrics *metrics, const struct metric_desc *desc);

void metric_add(struct metric *metric, const char *const *labels, double value);
void metric_set(struct metric *metric, const char *const *labels, double value);     /* a gauge */
void metric_observe(struct metric *metric, const char *const *labels, double value); /* a histogram */

/* Appends the text: families by name, series by their label values. A family without series is left out. */
void metrics_render(struct metrics *metrics, struct buf *ret);
