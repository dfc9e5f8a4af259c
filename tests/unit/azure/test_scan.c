/* The scan against a gateway by rules, in virtual time. */
#include "fake_gateway.h"

#define DBS(list)                                                                                                      \
    {                                                                                                                  \
        "GET /dbs", "{\"Databases\":[" list "]}"                                                                       \
    }
#define ONE_DB DBS("{\"id\":\"d\"}")
#define ONE_CONTAINER                                                                                                  \
    {                                                                                                                  \
        "GET /dbs/d/colls", "{\"DocumentCollections\":[{\"id\":\"c\",\"_rid\":\"r\"}]}"                                \
    }
#define RANGES_KEY "GET /dbs/d/colls/c/pkranges"
#define WHOLE "{\"PartitionKeyRanges\":[{\"id\":\"0\",\"minInclusive\":\"\",\"maxExclusive\":\"FF\"}]}"
#define HALVES                                                                                                         \
    "{\"PartitionKeyRanges\":[{\"id\":\"0\",\"minInclusive\":\"\",\"maxExclusive\":\"80\"},"                           \
    "{\"id\":\"1\",\"minInclusive\":\"80\",\"maxExclusive\":\"FF\"}]}"
#define DOCS "POST /dbs/d/colls/c/docs "
#define EMPTY "{\"Documents\":[]}"
#define NEXT(token) "x-ms-continuation: " token "\n"
#define THROTTLED "{\"code\":\"TooManyRequests\",\"message\":\"m\"}"
#define GONE "{\"code\":\"Gone\",\"message\":\"m\"}"
#define MISSING "{\"code\":\"NotFound\",\"message\":\"m\"}"

static char *page_with(const char *const *ids, size_t n)
{
    struct buf b = BUF_INIT(1 << 20);

    buf_puts(&b, "{\"Documents\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, i ? ",{\"id\":" : "{\"id\":");
        buf_put_json_string(&b, ids[i], strlen(ids[i]));
        buf_putc(&b, '}');
    }
    buf_puts(&b, "]}");
    return buf_take(&b);
}

static char *repeated(const char *text, size_t n)
{
    struct buf b = BUF_INIT(1 << 20);

    while (n-- > 0)
        buf_puts(&b, text);
    return buf_take(&b);
}

static char *page_with_one_long_id(void)
{
    _cleanup_(freep) char *id = repeated("a", 991);

    return page_with((const char *const[]){id}, 1);
}

/* One thread, so that the journal has an order; options may be NULL. */
static int run(struct fake_gateway *fake, const struct scan_options *given, struct scan_progress *progress,
    char **ret_position, struct err *err)
{
    const struct scan_clock clock = {fake_now, fake_wait, fake};
    struct scan_options options = given ? *given : (struct scan_options){.threads = 1};
    _cleanup_(scan_freep) struct scan *scan = NULL;

    options.cancel = fake->cancel;
    options.clock = &clock;
    options.events = (struct scan_events){fake_offender, fake_skipped, fake};
    *err = ERR_INIT;
    if (scan_new(&scan, fake->gateway, &options, err) < 0)
        return -1;
    int r = scan_run(scan, err);
    scan_look(scan, progress);
    if (ret_position)
        *ret_position = scan_position(scan);
    return r;
}

static void succeed(struct fake_gateway *fake, const struct scan_options *options, struct scan_progress *progress)
{
    struct err err;

    if (run(fake, options, progress, NULL, &err) < 0)
        fail_msg("%s", err.msg);
}

#define START(rules)                                                                                                   \
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, ARRAY_LEN(rules))

static void bytes_count_and_not_characters(void **state)
{
    _cleanup_(freep) char *just = repeated("a", 990), *over = repeated("a", 991),
                          *keys = repeated("\xF0\x9F\x94\x91", 248);
    _cleanup_(freep) char *umlauts = repeated("\xC3\xBC", 495);
    const char *const ids[] = {just, over, keys, umlauts};
    _cleanup_(freep) char *page = page_with(ids, ARRAY_LEN(ids));
    const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", page}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_string_equal(buf_str(&fake->told),
        "d/c 991 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        "d/c 992 "
        "\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94"
        "\x91"
        "..."
        "\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94\x91\xF0\x9F\x94"
        "\x91"
        "\n");
    assert_int_equal(progress.documents, 4);
    assert_int_equal(progress.offenders, 2);
}

static void empty_pages_are_followed_until_there_is_no_continuation(void **state)
{
    _cleanup_(freep) char *page = page_with_one_long_id();
    const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", EMPTY, NEXT("t1")},
        {DOCS "0 t1", EMPTY, NEXT("t2")}, {DOCS "0 t2", EMPTY, NEXT("t3")}, {DOCS "0 t3", page}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_int_equal(progress.offenders, 1);
    assert_string_equal(buf_str(&fake->journal),
        "GET /dbs\nGET /dbs/d/colls\nGET /dbs/d/colls/c/pkranges\nPOST /dbs/d/colls/c/docs 0 -\n"
        "POST /dbs/d/colls/c/docs 0 t1\nPOST /dbs/d/colls/c/docs 0 t2\nPOST /dbs/d/colls/c/docs 0 t3\n");
}

static void all_pages_of_all_lists_are_read(void **state)
{
    static const struct rule rules[] = {
        {"GET /dbs", "{\"Databases\":[{\"id\":\"a\"}]}", NEXT("x")},
        {"GET /dbs - x", "{\"Databases\":[{\"id\":\"b\"}]}"},
        {"GET /dbs/a/colls", "{\"DocumentCollections\":[]}"},
        {"GET /dbs/b/colls", "{\"DocumentCollections\":[{\"id\":\"c1\",\"_rid\":\"1\"}]}", NEXT("y")},
        {"GET /dbs/b/colls - y", "{\"DocumentCollections\":[{\"id\":\"c2\",\"_rid\":\"2\"}]}"},
        {"GET /dbs/b/colls/c1/pkranges", "{\"PartitionKeyRanges\":[]}", NEXT("z")},
        {"GET /dbs/b/colls/c1/pkranges - z", WHOLE},
        {"GET /dbs/b/colls/c2/pkranges", HALVES},
        {"POST /dbs/b/colls/c1/docs 0 -", EMPTY},
        {"POST /dbs/b/colls/c2/docs 0 -", EMPTY},
        {"POST /dbs/b/colls/c2/docs 1 -", EMPTY},
    };
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_true(progress.listed);
    assert_int_equal(progress.databases, 2);
    assert_int_equal(progress.containers, 2);
    assert_int_equal(progress.containers_done, 2);
    assert_int_equal(progress.ranges, 3);
    assert_int_equal(progress.ranges_done, 3);
    assert_int_equal(progress.requests, 11);
}

static void throttling_is_waited_out_with_smaller_pages(void **state)
{
    static const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE},
        {DOCS "0 -", THROTTLED, "x-ms-retry-after-ms: 40\nx-ms-substatus: 3200\n", 429, 2}, {DOCS "0 -", EMPTY}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_int_equal(fake->waited_ms, 82);
    assert_string_equal(buf_str(&fake->sizes), "1000 500 250 ");
    assert_int_equal(progress.throttled, 2);
}

static void outages_are_waited_out_as_long_as_patience_lasts(void **state)
{
    static const struct rule short_outage[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE},
        {DOCS "0 -", .fails = ERR_UNAVAILABLE, .times = 2}, {DOCS "0 -", .fails = ERR_TIMEOUT, .times = 1},
        {DOCS "0 -", .status = 503, .times = 1}, {DOCS "0 -", EMPTY}};
    static const struct rule long_outage[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", .status = 503}};
    struct scan_progress progress;
    struct err err;

    (void)state;
    {
        START(short_outage);
        succeed(fake, NULL, &progress);
        assert_int_equal(fake->waited_ms, 500 + 1000 + 2000 + 4000);
    }
    START(long_outage);
    assert_int_equal(run(fake, &(struct scan_options){.threads = 1, .patience_ms = 60000}, &progress, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "cannot read d/c"));
    assert_true(fake->waited_ms <= 60000);
}

static void refusals_end_the_scan_at_once(void **state)
{
    static const struct rule rules[] = {
        {"GET /dbs", "{\"code\":\"Forbidden\",\"message\":\"principal [p] does not have required RBAC permissions\"}",
            "x-ms-substatus: 5301\n", 403}};
    struct scan_progress progress;
    struct err err;
    START(rules);

    (void)state;
    assert_int_equal(run(fake, NULL, &progress, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_FORBIDDEN);
    assert_non_null(strstr(err.msg, GATEWAY_READER_ROLE));
    assert_int_equal(fake->requests, 1);
}

static void a_split_is_followed_and_tells_nothing_twice(void **state)
{
    static const char quarters[] =
        "{\"PartitionKeyRanges\":[{\"id\":\"2\",\"minInclusive\":\"\",\"maxExclusive\":\"40\"},"
        "{\"id\":\"3\",\"minInclusive\":\"40\",\"maxExclusive\":\"80\"},"
        "{\"id\":\"1\",\"minInclusive\":\"80\",\"maxExclusive\":\"FF\"}]}";
    _cleanup_(freep) char *page = page_with_one_long_id();
    const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, HALVES, .times = 1}, {RANGES_KEY, quarters},
        {DOCS "0 -", page, NEXT("t1")}, {DOCS "0 t1", GONE, "x-ms-substatus: 1002\n", 410}, {DOCS "1 -", EMPTY},
        {DOCS "2 -", page}, {DOCS "3 -", page}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_int_equal(progress.offenders, 2); /* that of 0, met again in 2, and that of 3 */
    assert_int_equal(progress.ranges_done, 3);
    assert_int_equal(progress.ranges, 3);
    assert_int_equal(progress.containers_done, 1);
}

static void a_partition_that_moves_is_waited_for(void **state)
{
    static const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE},
        {DOCS "0 -", GONE, "x-ms-substatus: 1007\n", 410, 1}, {DOCS "0 -", EMPTY}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_int_equal(fake->waited_ms, 500);
}

static void ranges_that_are_always_gone_end_the_scan(void **state)
{
    static const struct rule rules[] = {
        ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", GONE, "x-ms-substatus: 1002\n", 410}};
    struct scan_progress progress;
    struct err err;
    START(rules);

    (void)state;
    assert_int_equal(run(fake, NULL, &progress, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_PROTOCOL);
    assert_true(fake->requests < 200);
}

static void what_is_deleted_meanwhile_is_skipped_and_said(void **state)
{
    static const struct rule rules[] = {
        DBS("{\"id\":\"gone\"},{\"id\":\"d\"}"),
        {"GET /dbs/gone/colls", MISSING, .status = 404},
        {"GET /dbs/d/colls", "{\"DocumentCollections\":[{\"id\":\"c\",\"_rid\":\"1\"},{\"id\":\"e\",\"_rid\":\"2\"},"
                             "{\"id\":\"f\",\"_rid\":\"3\"}]}"},
        {RANGES_KEY, HALVES},
        {DOCS "0 -", EMPTY, NEXT("t")},
        {DOCS "0 t", MISSING, "x-ms-substatus: 1003\n", 404},
        {"GET /dbs/d/colls/e/pkranges", MISSING, .status = 404},
        {"GET /dbs/d/colls/f/pkranges", WHOLE},
        {"POST /dbs/d/colls/f/docs 0 -", EMPTY},
    };
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, NULL, &progress);
    assert_string_equal(
        buf_str(&fake->told), "skipped gone/ not-found\nskipped d/c not-found\nskipped d/e not-found\n");
    assert_int_equal(progress.skipped, 3);
    assert_int_equal(progress.containers_done, 3);
}

static void a_continuation_that_repeats_for_ever_is_noticed(void **state)
{
    static const struct rule rules[] = {
        ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", EMPTY, NEXT("t")}, {DOCS "0 t", EMPTY, NEXT("t")}};
    static const struct rule lists[] = {
        {"GET /dbs", "{\"Databases\":[]}", NEXT("t")}, {"GET /dbs - t", "{\"Databases\":[]}", NEXT("t")}};
    struct scan_progress progress;
    struct err err;

    (void)state;
    {
        START(rules);
        assert_int_equal(run(fake, NULL, &progress, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        assert_true(fake->requests < 50);
    }
    START(lists);
    assert_int_equal(run(fake, NULL, &progress, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void hostile_answers_end_the_scan_with_a_sentence(void **state)
{
    _cleanup_(freep) char *huge = repeated("a", 500000);
    _cleanup_(freep) char *page = page_with((const char *const[]){huge}, 1);
    static const char *const documents[] = {
        "{\"Documents\":{}}",
        "{\"documents\":[]}",
        "{\"Documents\":[7]}",
        "{\"Documents\":[{}]}",
        "{\"Documents\":[{\"id\":7}]}",
        "{\"Documents\":[{\"id\":\"a\\u0000b\"}]}",
        "{\"Documents\":[{\"id\":\"a\",\"id\":\"b\"}]}",
        "{\"Documents\":[{\"id\":\"\xC3\"}]}",
        "{\"Documents\":[{\"id\":\"a\"",
        "{\"Documents\":[]}{\"Documents\":[]}",
    };
    static const char *const ranges[] = {"{\"PartitionKeyRanges\":[]}", "{\"PartitionKeyRanges\":[{}]}",
        "{\"PartitionKeyRanges\":[{\"id\":\"0\",\"minInclusive\":\"FF\",\"maxExclusive\":\"\"}]}",
        "{\"PartitionKeyRanges\":[{\"id\":\"\",\"minInclusive\":\"\",\"maxExclusive\":\"FF\"}]}",
        "{\"PartitionKeyRanges\":[{\"id\":\"a\\nb\",\"minInclusive\":\"\",\"maxExclusive\":\"FF\"}]}"};
    struct scan_progress progress;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(documents) + ARRAY_LEN(ranges); i++) {
        bool about_ranges = i >= ARRAY_LEN(documents);
        const struct rule rules[] = {ONE_DB, ONE_CONTAINER,
            {RANGES_KEY, about_ranges ? ranges[i - ARRAY_LEN(documents)] : WHOLE},
            {DOCS "0 -", about_ranges ? EMPTY : documents[i]}};
        START(rules);
        if (run(fake, NULL, &progress, NULL, &err) == 0)
            fail_msg("row %zu: accepted", i);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        assert_int_equal(progress.offenders, 0);
    }
    const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE}, {DOCS "0 -", page}};
    START(rules);
    succeed(fake, NULL, &progress); /* a huge id is an offender like others */
    assert_true(str_has_prefix(buf_str(&fake->told), "d/c 500000 aaa"));
}

static void the_budget_is_kept(void **state)
{
    static const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, WHOLE},
        {DOCS "0 -", EMPTY, NEXT("t1") "x-ms-request-charge: 500\n"},
        {DOCS "0 t1", EMPTY, NEXT("t2") "x-ms-request-charge: 500.5\n"},
        {DOCS "0 t2", EMPTY, "x-ms-request-charge: 500\n"}};
    struct scan_progress progress;
    START(rules);

    (void)state;
    succeed(fake, &(struct scan_options){.threads = 1, .ru_per_second = 100}, &progress);
    assert_int_equal(progress.charge_milli, 1500500);
    assert_true(
        fake->waited_ms >= 9000 && fake->waited_ms <= 9100); /* 1000.5 of it before the last, less what was saved */
}

static void a_scan_that_failed_goes_on_where_it_was(void **state)
{
    _cleanup_(freep) char *page = page_with_one_long_id();
    const struct rule first[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, HALVES}, {DOCS "0 -", page},
        {DOCS "1 -", page, NEXT("t1")}, {DOCS "1 t1", "{\"code\":\"Forbidden\"}", .status = 403}};
    const struct rule then[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, HALVES}, {DOCS "1 t1", page}};
    _cleanup_(freep) char *position = NULL;
    struct scan_progress progress;
    struct err err;

    (void)state;
    {
        START(first);
        assert_int_equal(run(fake, NULL, &progress, &position, &err), -1);
        assert_int_equal(progress.offenders, 2);
        assert_int_equal(progress.ranges_done, 1);
    }
    START(then);
    succeed(fake, &(struct scan_options){.threads = 1, .position = position}, &progress);
    assert_int_equal(progress.offenders, 3);
    assert_int_equal(progress.ranges_done, 2);
    assert_int_equal(progress.ranges, 2);
    assert_int_equal(progress.documents, 3);
}

static void a_cancelled_scan_says_so_and_can_go_on(void **state)
{
    static const struct rule rules[] = {ONE_DB, ONE_CONTAINER, {RANGES_KEY, HALVES}, {DOCS "0 -", EMPTY, NEXT("t1")},
        {DOCS "0 t1", EMPTY, NEXT("t2")}, {DOCS "0 t2", EMPTY}, {DOCS "1 -", EMPTY}};
    _cleanup_(freep) char *position = NULL;
    struct scan_progress progress;
    struct err err;

    (void)state;
    {
        START(rules);
        fake->cancel_after = 5;
        assert_int_equal(run(fake, NULL, &progress, &position, &err), -1);
        assert_int_equal(err.kind, ERR_CANCELLED);
        assert_int_equal(fake->requests, 5);
    }
    START(rules);
    succeed(fake, &(struct scan_options){.threads = 1, .position = position}, &progress);
    assert_null(strstr(buf_str(&fake->journal), DOCS "0 -"));
    assert_non_null(strstr(buf_str(&fake->journal), DOCS "0 t2"));
    assert_int_equal(progress.ranges_done, 2);
}

static void a_position_of_another_account_is_refused(void **state)
{
    struct scan_options options = {
        .position = "{\"version\":1,\"account\":\"https://other.documents.azure.com\",\"rangesDone\":0,"
                    "\"documents\":0,\"offenders\":0,\"chargeMilli\":0,\"containers\":[]}"};
    struct scan_progress progress;
    struct err err;
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(NULL, 0);

    (void)state;
    assert_int_equal(run(fake, &options, &progress, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
}

static void many_threads_find_the_same(void **state)
{
    enum { CONTAINERS = 12 };
    _cleanup_(freep) char *page = page_with_one_long_id();
    struct rule rules[4 * CONTAINERS + 2];
    struct buf list = BUF_INIT(65536);
    char *keys[3 * CONTAINERS];
    struct scan_progress progress;
    size_t n = 0;

    (void)state;
    rules[n++] = (struct rule)ONE_DB;
    buf_puts(&list, "{\"DocumentCollections\":[");
    for (int i = 0; i < CONTAINERS; i++) {
        buf_printf(&list, "%s{\"id\":\"c%d\",\"_rid\":\"r%d\"}", i ? "," : "", i, i);
        keys[3 * i] = xasprintf("GET /dbs/d/colls/c%d/pkranges", i);
        keys[3 * i + 1] = xasprintf("POST /dbs/d/colls/c%d/docs 0 -", i);
        keys[3 * i + 2] = xasprintf("POST /dbs/d/colls/c%d/docs 1 -", i);
        rules[n++] = (struct rule){keys[3 * i], HALVES};
        rules[n++] = (struct rule){keys[3 * i + 1], THROTTLED, .status = 429, .times = 1};
        rules[n++] = (struct rule){keys[3 * i + 1], page};
        rules[n++] = (struct rule){keys[3 * i + 2], EMPTY};
    }
    buf_puts(&list, "]}");
    rules[n++] = (struct rule){"GET /dbs/d/colls", buf_str(&list)};
    _cleanup_(fake_gateway_endp) struct fake_gateway *fake = fake_gateway_start(rules, n);
    succeed(fake, &(struct scan_options){.threads = 8}, &progress);
    assert_int_equal(progress.offenders, CONTAINERS);
    assert_int_equal(progress.ranges_done, 2 * CONTAINERS);
    assert_int_equal(progress.requests, 2 + 4 * CONTAINERS);
    buf_done(&list);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        free(keys[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_count_and_not_characters),
        cmocka_unit_test(empty_pages_are_followed_until_there_is_no_continuation),
        cmocka_unit_test(all_pages_of_all_lists_are_read),
        cmocka_unit_test(throttling_is_waited_out_with_smaller_pages),
        cmocka_unit_test(outages_are_waited_out_as_long_as_patience_lasts),
        cmocka_unit_test(refusals_end_the_scan_at_once),
        cmocka_unit_test(a_split_is_followed_and_tells_nothing_twice),
        cmocka_unit_test(a_partition_that_moves_is_waited_for),
        cmocka_unit_test(ranges_that_are_always_gone_end_the_scan),
        cmocka_unit_test(what_is_deleted_meanwhile_is_skipped_and_said),
        cmocka_unit_test(a_continuation_that_repeats_for_ever_is_noticed),
        cmocka_unit_test(hostile_answers_end_the_scan_with_a_sentence),
        cmocka_unit_test(the_budget_is_kept),
        cmocka_unit_test(a_scan_that_failed_goes_on_where_it_was),
        cmocka_unit_test(a_cancelled_scan_says_so_and_can_go_on),
        cmocka_unit_test(a_position_of_another_account_is_refused),
        cmocka_unit_test(many_threads_find_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
