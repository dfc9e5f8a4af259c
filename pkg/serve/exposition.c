/* Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): in help texts a backslash and a
 * line feed are escaped, in label values a double quote too. Numbers are written as short as they can be read back. */
#include "serve/metrics_private.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct row {
    const char *key;
    const struct series *series;
};

static void put_escaped(struct buf *b, const char *s, size_t len, bool quotes)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n')
            buf_puts(b, "\\n");
        else if (s[i] == '\\' || (quotes && s[i] == '"'))
            buf_printf(b, "\\%c", s[i]);
        else
            buf_putc(b, s[i]);
    }
}

static void put_number(struct buf *b, double value)
{
    char text[32] = "NaN";

    if (isinf(value))
        (void)snprintf(text, sizeof(text), value > 0 ? "+Inf" : "-Inf");
    else if (value == trunc(value) && fabs(value) < 1e15)
        (void)snprintf(text, sizeof(text), "%.0f", value == 0 ? 0.0 : value); /* no "-0" */
    else
        for (int digits = 15; digits <= 17 && !isnan(value); digits++) {
            (void)snprintf(text, sizeof(text), "%.*g", digits, value);
            if (strtod(text, NULL) == value)
                break;
        }
    buf_puts(b, text);
}

/* NAME SUFFIX {LABELS,le="BOUND"}; bound NULL: without that label. */
static void put_name(struct buf *b, const struct metric *metric, const char *suffix, const char *key, const double *le)
{
    bool any = false;

    buf_printf(b, "%s%s", metric->desc.name, suffix);
    for (size_t i = 0; i < metric->n_labels; i++) {
        size_t len = strcspn(key, (const char[]){METRIC_SEPARATOR, '\0'});
        buf_printf(b, "%c%s=\"", any ? ',' : '{', metric->desc.labels[i]);
        put_escaped(b, key, len, true);
        buf_putc(b, '"');
        key += len + 1;
        any = true;
    }
    if (le) {
        buf_printf(b, "%cle=\"", any ? ',' : '{');
        put_number(b, *le);
        buf_putc(b, '"');
        any = true;
    }
    buf_puts(b, any ? "} " : " ");
}

static void put_line(
    struct buf *b, const struct metric *metric, const char *suffix, const char *key, const double *le, double value)
{
    put_name(b, metric, suffix, key, le);
    put_number(b, value);
    buf_putc(b, '\n');
}

static void put_histogram(struct buf *b, const struct metric *metric, const struct row *row)
{
    static const double infinity = INFINITY;
    uint64_t below = 0;

    for (size_t i = 0; i < metric->desc.n_bounds; i++) {
        below += row->series->buckets[i];
        put_line(b, metric, "_bucket", row->key, &metric->desc.bounds[i], (double)below);
    }
    put_line(b, metric, "_bucket", row->key, &infinity, (double)row->series->count);
    put_line(b, metric, "_sum", row->key, NULL, row->series->value);
    put_line(b, metric, "_count", row->key, NULL, (double)row->series->count);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->key, ((const struct row *)b)->key);
}

void metric_render(const struct metric *metric, struct buf *ret)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    _cleanup_(freep) struct row *rows = xcalloc(metric->series.len + 1, sizeof(*rows));
    size_t n = 0;

    map_foreach (e, &metric->series)
        rows[n++] = (struct row){e->key, e->value};
    if (!n)
        return;
    qsort(rows, n, sizeof(*rows), compare);
    buf_printf(ret, "# HELP %s ", metric->desc.name);
    put_escaped(ret, metric->desc.help, strlen(metric->desc.help), false);
    buf_printf(ret, "\n# TYPE %s %s\n", metric->desc.name, types[metric->desc.type]);
    for (size_t i = 0; i < n; i++) {
        if (metric->desc.type == METRIC_HISTOGRAM)
            put_histogram(ret, metric, &rows[i]);
        else
            put_line(ret, metric, "", rows[i].key, NULL, rows[i].series->value);
    }
}
