/* The registry: families in a list sorted by name, series in a map by their label values.
 *
 * A family's lock is held for a look-up and an addition, never while anything is printed by others or computed, except
 * that a scrape holds it while it prints that family. The registry's own lock covers the list and makes scrapes wait
 * for each other; it is never taken by those who change values. */
#include "serve/metrics_private.h"

#include "base/fatal.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define DEFAULT_MAX_SERIES 200
#define KEY_SIZE ((size_t)METRIC_MAX_LABELS * METRIC_LABEL_SIZE + 1)

struct metrics {
    pthread_mutex_t lock;
    struct metric *first;
    void (*look)(void *ctx); /* or NULL */
    void *look_ctx;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));

    (void)pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

static void forget_series(struct metric *metric)
{
    map_foreach (e, &metric->series)
        free(e->value);
    map_done(&metric->series);
    metric->series = MAP_INIT;
}

static void metric_free(struct metric *metric)
{
    forget_series(metric);
    (void)pthread_mutex_destroy(&metric->lock);
    free(metric);
}

struct metrics *metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return NULL;
    for (struct metric *m = metrics->first, *next; m; m = next) {
        next = m->next;
        metric_free(m);
    }
    (void)pthread_mutex_destroy(&metrics->lock);
    free(metrics);
    return NULL;
}

void metrics_on_scrape(struct metrics *metrics, void (*look)(void *ctx), void *ctx)
{
    (void)pthread_mutex_lock(&metrics->lock);
    metrics->look = look;
    metrics->look_ctx = ctx;
    (void)pthread_mutex_unlock(&metrics->lock);
}

/* [a-zA-Z_][a-zA-Z0-9_]*, which serves for metrics and labels. */
static bool is_name(const char *s)
{
    if (!s || !*s || ascii_isdigit(*s))
        return false;
    while (ascii_isalnum(*s) || *s == '_')
        s++;
    return *s == '\0';
}

static bool is_sound(const struct metric_desc *desc, size_t n_labels)
{
    for (size_t i = 0; i < n_labels; i++)
        if (!is_name(desc->labels[i]) || str_eq(desc->labels[i], "le"))
            return false;
    for (size_t i = 1; i < desc->n_bounds; i++)
        if (!(desc->bounds[i - 1] < desc->bounds[i]))
            return false;
    return is_name(desc->name) && !str_empty(desc->help) && (desc->type == METRIC_HISTOGRAM) == (desc->n_bounds > 0);
}

struct metric *metrics_add(struct metrics *metrics, const struct metric_desc *desc)
{
    struct metric *metric = xcalloc(1, sizeof(*metric)), **at = &metrics->first;

    metric->desc = *desc;
    while (metric->n_labels < METRIC_MAX_LABELS && desc->labels[metric->n_labels])
        metric->n_labels++;
    if (!is_sound(desc, metric->n_labels))
        fatal("a metric's name, labels, help or bounds are not sound", 0);
    if (!metric->desc.max_series)
        metric->desc.max_series = DEFAULT_MAX_SERIES;
    (void)pthread_mutex_init(&metric->lock, NULL);
    (void)pthread_mutex_lock(&metrics->lock);
    while (*at && strcmp((*at)->desc.name, desc->name) < 0)
        at = &(*at)->next;
    if (*at && str_eq((*at)->desc.name, desc->name))
        fatal("two metrics have one name", 0);
    metric->next = *at;
    *at = metric;
    (void)pthread_mutex_unlock(&metrics->lock);
    return metric;
}

/* ---- series ---- */

/* Appends one label value to a key with room for METRIC_LABEL_SIZE bytes; returns the bytes used. */
static size_t put_value(char *key, const char *value)
{
    size_t left = value ? strlen(value) : 0, n = 0;

    while (left) {
        size_t len = utf8_sequence(value, left);
        size_t step = len ? len : 1;
        if (n + step > METRIC_LABEL_SIZE - 1)
            break;
        memcpy(key + n, value, step);
        if (!len || *value == METRIC_SEPARATOR)
            key[n] = '?';
        n += step;
        value += step;
        left -= step;
    }
    key[n] = METRIC_SEPARATOR;
    return n + 1;
}

static void make_key(const struct metric *metric, const char *const *labels, char key[static KEY_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < metric->n_labels; i++)
        n += put_value(key + n, labels ? labels[i] : NULL);
    key[n] = '\0';
}

static struct series *add_series(struct metric *metric, const char *key)
{
    struct series *series = xcalloc(1, sizeof(*series) + metric->desc.n_bounds * sizeof(series->buckets[0]));

    (void)map_set(&metric->series, key, series);
    return series;
}

/* With the lock held. */
static struct series *find(struct metric *metric, const char *const *labels)
{
    static const char *const other[METRIC_MAX_LABELS] = {METRIC_OTHER, METRIC_OTHER, METRIC_OTHER};
    char key[KEY_SIZE];

    make_key(metric, labels, key);
    struct series *series = map_get(&metric->series, key);
    if (series)
        return series;
    if (metric->series.len < metric->desc.max_series)
        return add_series(metric, key);
    make_key(metric, other, key); /* one more than the limit */
    series = map_get(&metric->series, key);
    return series ? series : add_series(metric, key);
}

void metric_add(struct metric *metric, const char *const *labels, double value)
{
    (void)pthread_mutex_lock(&metric->lock);
    find(metric, labels)->value += value;
    (void)pthread_mutex_unlock(&metric->lock);
}

void metric_set(struct metric *metric, const char *const *labels, double value)
{
    (void)pthread_mutex_lock(&metric->lock);
    find(metric, labels)->value = value;
    (void)pthread_mutex_unlock(&metric->lock);
}

void metric_observe(struct metric *metric, const char *const *labels, double value)
{
    size_t bucket = 0;

    while (bucket < metric->desc.n_bounds && value > metric->desc.bounds[bucket])
        bucket++;
    (void)pthread_mutex_lock(&metric->lock);
    struct series *series = find(metric, labels);
    series->value += value;
    series->count++;
    if (bucket < metric->desc.n_bounds)
        series->buckets[bucket]++;
    (void)pthread_mutex_unlock(&metric->lock);
}

/* ---- scraping ---- */

void metrics_render(struct metrics *metrics, struct buf *ret)
{
    (void)pthread_mutex_lock(&metrics->lock);
    if (metrics->look)
        metrics->look(metrics->look_ctx);
    for (struct metric *m = metrics->first; m; m = m->next) {
        if (m->desc.collect) { /* whose values nobody else touches */
            forget_series(m);
            m->desc.collect(m->desc.ctx, m);
        }
        (void)pthread_mutex_lock(&m->lock);
        metric_render(m, ret);
        (void)pthread_mutex_unlock(&m->lock);
    }
    (void)pthread_mutex_unlock(&metrics->lock);
}
