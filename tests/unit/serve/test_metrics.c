/* The registry and its text, byte for byte. */
#include "unit.h"

#include "base/mem.h"
#include "serve/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void assert_text(struct metrics *metrics, const char *expected)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);

    metrics_render(metrics, &text);
    assert_false(text.overflow);
    assert_string_equal(buf_str(&text), expected);
}

static void families_and_series_come_in_order_with_help_and_type(void **state)
{
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *z = metrics_add(
        metrics, &(struct metric_desc){"z_requests_total", "Requests.", METRIC_COUNTER, .labels = {"method", "code"}});
    struct metric *a = metrics_add(metrics, &(struct metric_desc){"a_depth", "Keys.", METRIC_GAUGE});
    (void)metrics_add(metrics, &(struct metric_desc){"m_unused_total", "Never counted.", METRIC_COUNTER});

    (void)state;
    metric_add(z, METRIC_LABELS("PATCH", "202"), 1);
    metric_add(z, METRIC_LABELS("GET", "404"), 1);
    metric_add(z, METRIC_LABELS("GET", "200"), 1);
    metric_add(z, METRIC_LABELS("GETS", "200"), 1);
    metric_add(z, METRIC_LABELS("GET", "200"), 2);
    metric_set(a, NULL, 7);
    metric_set(a, NULL, 5);
    assert_text(metrics, "# HELP a_depth Keys.\n"
                         "# TYPE a_depth gauge\n"
                         "a_depth 5\n"
                         "# HELP z_requests_total Requests.\n"
                         "# TYPE z_requests_total counter\n"
                         "z_requests_total{method=\"GET\",code=\"200\"} 3\n"
                         "z_requests_total{method=\"GET\",code=\"404\"} 1\n"
                         "z_requests_total{method=\"GETS\",code=\"200\"} 1\n"
                         "z_requests_total{method=\"PATCH\",code=\"202\"} 1\n");
}

static void what_is_special_is_escaped_and_what_is_no_text_is_replaced(void **state)
{
    static const struct {
        const char *name, *value, *expected;
    } rows[] = {
        {"plain", "a b", "a b"},
        {"absent", NULL, ""},
        {"a quote, a backslash and a line feed", "\"\\\n", "\\\"\\\\\\n"},
        {"UTF-8", "caf\xc3\xa9", "caf\xc3\xa9"},
        {"no UTF-8", "\xff\xc3", "??"},
        {"a separator", "a\x01z", "a?z"},
        {"another control character", "\t", "\t"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
        _cleanup_(freep) char *text =
            xasprintf("# HELP x A \\\\ and\\na \"line\".\n# TYPE x gauge\nx{l=\"%s\"} 1\n", rows[i].expected);
        struct metric *x =
            metrics_add(metrics, &(struct metric_desc){"x", "A \\ and\na \"line\".", METRIC_GAUGE, .labels = {"l"}});

        metric_set(x, METRIC_LABELS(rows[i].value), 1);
        assert_text(metrics, text);
    }
}

static void a_long_label_value_is_cut_at_a_character(void **state)
{
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *x = metrics_add(metrics, &(struct metric_desc){"x", "X.", METRIC_GAUGE, .labels = {"l"}});
    char value[METRIC_LABEL_SIZE + 20], expected[300];

    (void)state;
    memset(value, 'v', sizeof(value));
    memcpy(value + METRIC_LABEL_SIZE - 2, "\xc3\xa9", 2); /* its second byte is one too many */
    value[sizeof(value) - 1] = '\0';
    metric_set(x, METRIC_LABELS(value), 1);
    (void)snprintf(
        expected, sizeof(expected), "# HELP x X.\n# TYPE x gauge\nx{l=\"%.*s\"} 1\n", METRIC_LABEL_SIZE - 2, value);
    assert_text(metrics, expected);
}

static void numbers_can_be_read_back(void **state)
{
    static const struct {
        double value;
        const char *expected;
    } rows[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-3, "-3"},
        {0.1, "0.1"},
        {1.5e-9, "1.5e-09"},
        {1764000000.123, "1764000000.123"},
        {0.1 + 0.2, "0.30000000000000004"},
        {999999999999999, "999999999999999"},
        {1e18, "1e+18"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
        _cleanup_(freep) char *text = xasprintf("# HELP x X.\n# TYPE x gauge\nx %s\n", rows[i].expected);

        metric_set(metrics_add(metrics, &(struct metric_desc){"x", "X.", METRIC_GAUGE}), NULL, rows[i].value);
        assert_text(metrics, text);
    }
}

static void a_histogram_counts_what_is_at_or_below_each_bound(void **state)
{
    static const double bounds[] = {0.005, 0.5, 10};
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *h = metrics_add(metrics, &(struct metric_desc){"h_seconds", "Durations.", METRIC_HISTOGRAM,
                                                .labels = {"op"}, .bounds = bounds, .n_bounds = ARRAY_LEN(bounds)});

    (void)state;
    for (size_t i = 0; i < 6; i++)
        metric_observe(h, METRIC_LABELS("get"), (const double[]){0, 0.0048828125, 0.25, 0.5, 10, 11}[i]);
    assert_text(metrics, "# HELP h_seconds Durations.\n"
                         "# TYPE h_seconds histogram\n"
                         "h_seconds_bucket{op=\"get\",le=\"0.005\"} 2\n"
                         "h_seconds_bucket{op=\"get\",le=\"0.5\"} 4\n"
                         "h_seconds_bucket{op=\"get\",le=\"10\"} 5\n"
                         "h_seconds_bucket{op=\"get\",le=\"+Inf\"} 6\n"
                         "h_seconds_sum{op=\"get\"} 21.7548828125\n"
                         "h_seconds_count{op=\"get\"} 6\n");
}

static void series_past_the_limit_count_as_other(void **state)
{
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *x = metrics_add(
        metrics, &(struct metric_desc){"x_total", "X.", METRIC_COUNTER, .labels = {"a", "b"}, .max_series = 2});

    (void)state;
    metric_add(x, METRIC_LABELS("1", "1"), 1);
    metric_add(x, METRIC_LABELS("1", "2"), 1);
    for (int i = 0; i < 10; i++) {
        char value[16];
        (void)snprintf(value, sizeof(value), "%d", i + 3);
        metric_add(x, METRIC_LABELS("1", value), 1);
    }
    metric_add(x, METRIC_LABELS("1", "2"), 1);
    assert_text(metrics, "# HELP x_total X.\n"
                         "# TYPE x_total counter\n"
                         "x_total{a=\"1\",b=\"1\"} 1\n"
                         "x_total{a=\"1\",b=\"2\"} 2\n"
                         "x_total{a=\"other\",b=\"other\"} 10\n");
}

static void collect(void *ctx, struct metric *metric)
{
    int *scrapes = ctx;

    ++*scrapes;
    metric_add(metric, METRIC_LABELS(*scrapes == 1 ? "first" : "later"), *scrapes);
    metric_add(metric, METRIC_LABELS("always"), 1);
    metric_add(metric, METRIC_LABELS("always"), 1);
}

static void collected_values_start_from_nothing_at_each_scrape(void **state)
{
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    int scrapes = 0;

    (void)state;
    (void)metrics_add(
        metrics, &(struct metric_desc){"x", "X.", METRIC_GAUGE, .labels = {"l"}, .collect = collect, .ctx = &scrapes});
    assert_text(metrics, "# HELP x X.\n# TYPE x gauge\nx{l=\"always\"} 2\nx{l=\"first\"} 1\n");
    assert_text(metrics, "# HELP x X.\n# TYPE x gauge\nx{l=\"always\"} 2\nx{l=\"later\"} 2\n");
}

static void a_text_over_its_cap_is_an_overflow(void **state)
{
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    _cleanup_(buf_done) struct buf text = BUF_INIT(10);

    (void)state;
    metric_set(metrics_add(metrics, &(struct metric_desc){"x", "X.", METRIC_GAUGE}), NULL, 1);
    metrics_render(metrics, &text);
    assert_true(text.overflow);
}

#define THREADS 4
#define ROUNDS 2000

static void *count_often(void *ctx)
{
    struct metric **m = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        metric_add(m[0], METRIC_LABELS(i % 2 ? "odd" : "even"), 1);
        metric_observe(m[1], NULL, 1);
    }
    return NULL;
}

static void threads_lose_no_count_while_others_scrape(void **state)
{
    static const double bounds[] = {2};
    _cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *m[2] = {
        metrics_add(metrics, &(struct metric_desc){"c_total", "C.", METRIC_COUNTER, .labels = {"l"}}),
        metrics_add(metrics, &(struct metric_desc){"h", "H.", METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = 1}),
    };
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, m), 0);
    for (int i = 0; i < 50; i++) {
        _cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);
        metrics_render(metrics, &text);
        assert_false(text.overflow);
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_text(metrics, "# HELP c_total C.\n"
                         "# TYPE c_total counter\n"
                         "c_total{l=\"even\"} 4000\n"
                         "c_total{l=\"odd\"} 4000\n"
                         "# HELP h H.\n"
                         "# TYPE h histogram\n"
                         "h_bucket{le=\"2\"} 8000\n"
                         "h_bucket{le=\"+Inf\"} 8000\n"
                         "h_sum 8000\n"
                         "h_count 8000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_and_series_come_in_order_with_help_and_type),
        cmocka_unit_test(what_is_special_is_escaped_and_what_is_no_text_is_replaced),
        cmocka_unit_test(a_long_label_value_is_cut_at_a_character),
        cmocka_unit_test(numbers_can_be_read_back),
        cmocka_unit_test(a_histogram_counts_what_is_at_or_below_each_bound),
        cmocka_unit_test(series_past_the_limit_count_as_other),
        cmocka_unit_test(collected_values_start_from_nothing_at_each_scrape),
        cmocka_unit_test(a_text_over_its_cap_is_an_overflow),
        cmocka_unit_test(threads_lose_no_count_while_others_scrape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
