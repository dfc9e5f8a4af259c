/* The scan over TLS and HTTP against the gateway that fake-azure plays: every way in, and everything that goes wrong on
 * the way through a container. */
#include "unit.h"

#include "conformance/rig.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000
#define ACCOUNT(name, more)                                                                                            \
    "{\"name\":\"" name "\",\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"rg\","       \
    "\"location\":\"West Europe\"," more "}"
/* Five that are too long, among them one of 248 characters; one that just fits. */
#define IDS                                                                                                            \
    "[{\"text\":\"a\",\"repeat\":990},{\"text\":\"b\",\"repeat\":991},{\"text\":\"\xF0\x9F\x94\x91\",\"repeat\":248}," \
    "{\"text\":\"\xC3\xBC\",\"repeat\":495},{\"text\":\"c\",\"repeat\":1000,\"count\":3}]"
#define TROUBLE                                                                                                        \
    "{\"id\":\"carts\",\"documents\":3000,\"ranges\":3,\"documentsPerPage\":200,\"ids\":" IDS ","                      \
    "\"throttle\":{\"after\":2,\"times\":3,\"retryAfterMs\":20},\"splitAfter\":9}"
#define DATA                                                                                                           \
    "\"data\":{\"listPage\":1,\"databases\":[{\"id\":\"shop\",\"containers\":[" TROUBLE                                \
    ",{\"id\":\"none\"},{\"id\":\"\xC3\x9C +#%\",\"ranges\":2,\"ids\":[{\"text\":\"d\",\"repeat\":1023}]}]},"          \
    "{\"id\":\"empty\"}]}"
#define NOBODY_READS ",\"readers\":[]}"
#define SMALL "\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"ids\":" IDS "}]}]"
#define SLOW                                                                                                           \
    "\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"throttle\":{\"after\":0,\"times\":1000,"   \
    "\"retryAfterMs\":50000}}]}]}"

static const char seed[] = "[" ACCOUNT("nosql", DATA) "," ACCOUNT("again", DATA) "," ACCOUNT(
    "mongo", "\"kind\":\"MongoDB\"," DATA) "," ACCOUNT("table",
    "\"capabilities\":[\"EnableTable\"]," SMALL "}") "," ACCOUNT("strict", SMALL NOBODY_READS) "," ACCOUNT("keyless",
    "\"properties\":{\"disableLocalAuth\":true}," SMALL NOBODY_READS) "," ACCOUNT("elsewhere",
    "\"properties\":{\"sqlEndpoint\":\"https://evil.example/\"}," SMALL
    "}") "," ACCOUNT("cassandra", "\"capabilities\":[\"EnableCassandra\"]," SMALL "}") "," ACCOUNT("clean",
    "\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"documents\":50}]}]}") "," ACCOUNT("slow",
    SLOW) "]";

/* In the order of bytes. */
static const char *const expected[] = {"shop/carts 1001", "shop/carts 1001", "shop/carts 1001", "shop/carts 991",
    "shop/carts 992", "shop/\xC3\x9C +#% 1023"};

static struct rig *rig;

struct found {
    char lines[64][64];
    size_t n;
    struct http_cancel *cancel; /* to trigger at the first offender */
};

static void on_offender(void *ctx, const struct scan_offender *offender)
{
    struct found *found = ctx;

    assert_true(found->n < ARRAY_LEN(found->lines));
    (void)snprintf(found->lines[found->n++], sizeof(found->lines[0]), "%.20s/%.20s %zu", offender->database,
        offender->container, offender->id_bytes);
    if (found->cancel)
        http_cancel_trigger(found->cancel);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_found(struct found *found)
{
    qsort(found->lines, found->n, sizeof(found->lines[0]), compare);
    for (size_t i = 0; i < ARRAY_LEN(expected) && i < found->n; i++)
        assert_string_equal(found->lines[i], expected[i]);
    assert_int_equal(found->n, ARRAY_LEN(expected));
}

static struct scan_access with_keys(void)
{
    struct scan_access access = rig->access;

    access.allow_account_keys = true;
    return access;
}

static struct gateway *open_or_fail(struct scan_access access, const char *id, struct http_cancel *cancel)
{
    struct gateway *gateway = NULL;
    struct err err = ERR_INIT;

    if (scan_access_open(&access, id, cancel, &gateway, &err) < 0)
        fail_msg("%s", err.msg);
    return gateway;
}

/* Gives the position when it fails. */
static int run(struct gateway *gateway, struct found *found, struct scan_options options,
    struct scan_progress *progress, char **ret_position, struct err *err)
{
    struct scan *scan = NULL;

    options.events = (struct scan_events){.offender = on_offender, .ctx = found};
    *err = ERR_INIT;
    assert_int_equal(scan_new(&scan, gateway, &options, err), 0);
    int r = scan_run(scan, err);
    scan_look(scan, progress);
    if (ret_position)
        *ret_position = scan_position(scan);
    (void)scan_free(scan);
    return r;
}

static void assert_scanned(struct scan_access access, const char *id)
{
    _cleanup_(gateway_freep) struct gateway *gateway = open_or_fail(access, id, NULL);
    struct found found = {.n = 0};
    struct scan_progress progress;
    struct err err;

    if (run(gateway, &found, (struct scan_options){.threads = 3}, &progress, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_found(&found);
    assert_int_equal(progress.databases, 2);
    assert_int_equal(progress.containers_done, 3);
    assert_int_equal(progress.ranges, progress.ranges_done);
    assert_true(progress.ranges_done >= 4); /* more, by when the split is met */
    assert_true(progress.throttled >= 1);
    assert_true(progress.charge_milli > 20000);
}

static void a_token_finds_all_offenders_through_throttling_empty_pages_and_a_split(void **state)
{
    (void)state;
    assert_scanned(rig->access, RIG_ID("nosql"));
    assert_int_equal(rig_count(rig, "nosql/readonlykeys"), 0);
}

static void a_key_finds_them_in_an_account_for_mongodb(void **state)
{
    (void)state;
    assert_scanned(with_keys(), RIG_ID("mongo"));
    assert_int_equal(rig_count(rig, "mongo/readonlykeys"), 1);
}

static void what_cannot_be_read_says_why(void **state)
{
    static const struct {
        const char *id;
        bool keys;
        enum err_kind kind;
        const char *says;
    } rows[] = {
        {RIG_ID("strict"), false, ERR_FORBIDDEN, "Cosmos DB Built-in Data Reader"},
        {RIG_ID("keyless"), true, ERR_FORBIDDEN, "Cosmos DB Built-in Data Reader"},
        {RIG_ID("mongo"), false, ERR_FORBIDDEN, "was not allowed to use account keys"},
        {RIG_ID("table"), false, ERR_FORBIDDEN, "was not allowed to use account keys"},
        {RIG_ID("cassandra"), true, ERR_INVALID, "Cassandra"},
        {RIG_ID("elsewhere"), true, ERR_INVALID, "evil.example"},
        {RIG_ID("missing"), true, ERR_NOT_FOUND, "was not found"},
        {"/subscriptions/x", true, ERR_INVALID, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scan_access access = rows[i].keys ? with_keys() : rig->access;
        struct gateway *gateway = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(scan_access_open(&access, rows[i].id, NULL, &gateway, &err), -1);
        assert_null(gateway);
        if (err.kind != rows[i].kind || !strstr(err.msg, rows[i].says))
            fail_msg("%s: %s: %s", rows[i].id, err_kind_name(err.kind), err.msg);
    }
    assert_int_equal(
        rig_count(rig, "elsewhere/readonlykeys"), 0); /* the endpoint is looked at before a key is asked for */
    assert_int_equal(rig_count(rig, "keyless/readonlykeys"), 0);
}

static void without_the_role_a_key_serves_when_keys_are_allowed(void **state)
{
    static const char *const ids[] = {RIG_ID("strict"), RIG_ID("table")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        _cleanup_(gateway_freep) struct gateway *gateway = open_or_fail(with_keys(), ids[i], NULL);
        struct found found = {.n = 0};
        struct scan_progress progress;
        struct err err;
        assert_int_equal(run(gateway, &found, (struct scan_options){.threads = 1}, &progress, NULL, &err), 0);
        assert_int_equal(found.n, 5);
    }
}

static void queries_that_the_gateway_refuses_are_refused(void **state)
{
    static const char *const queries[] = {"SELECT TOP 1 c.id FROM c", "SELECT VALUE COUNT(1) FROM c",
        "SELECT c.id FROM c ORDER BY c.id", "SELECT nonsense"};
    _cleanup_(gateway_freep) struct gateway *gateway = open_or_fail(rig->access, RIG_ID("clean"), NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        _cleanup_(gateway_page_done) struct gateway_page page = {0};
        struct err err = ERR_INIT;
        const struct gateway_question q = {
            .what = GATEWAY_QUERY, .database = "d", .container = "c", .query = queries[i], .range_id = "0"};
        assert_int_equal(gateway_ask(gateway, &q, &page, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(page.substatus, i < 3 ? 1004 : 0);
    }
}

/* A token for the data plane, as the value of the authorization header, not encoded. */
static char *token_header(void)
{
    static const char form[] = "client_id=x&client_secret=y&grant_type=client_credentials&scope=https%3A%2F%2F"
                               "cosmos.azure.com%2F.default";
    _cleanup_(json_freep) cJSON *tree =
        rig_ask(rig, "POST", "/00000000-0000-0000-0000-00000000000a/oauth2/v2.0/token", form);

    assert_non_null(json_string_at(tree, "access_token"));
    return xasprintf("type=aad&ver=1.0&sig=%s", json_string_at(tree, "access_token"));
}

/* What @azure/cosmos does and this project's client does not. */
static void other_clients_need_no_date_with_a_token_and_no_escape_for_a_plus(void **state)
{
    static const struct {
        const char *path, *authorization;
        int status;
    } rows[] = {
        {"/cosmos/nosql/dbs/shop/colls/%C3%9C%20+%23%25/pkranges", NULL, 200},
        {"/cosmos/nosql/dbs/shop/colls/%C3%9C%20%2B%23%25/pkranges", NULL, 200},
        {"/cosmos/nosql/dbs/shop/colls/%C3%9C%20%20%23%25/pkranges", NULL, 404},
        {"/cosmos/nosql/dbs", "type%3Dmaster%26ver%3D1.0%26sig%3Dx", 401},
    };
    _cleanup_(freep) char *token = token_header();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *url = xasprintf("%s%s", rig->url, rows[i].path);
        const struct http_request get = {.url = url,
            .tls = rig->tls,
            .headers = {{"authorization", rows[i].authorization ? rows[i].authorization : token},
                {"x-ms-version", "2018-12-31"}}};
        struct http_response response;
        struct err err = ERR_INIT;
        assert_int_equal(http_do(http_engine_client(rig->engine), &get, &response, &err), 0);
        if (response.status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].path, response.status, buf_str(&response.body));
        http_response_done(&response);
    }
}

static void a_scan_that_was_stopped_finds_the_rest_when_it_goes_on(void **state)
{
    struct found found = {.cancel = http_cancel_new()};
    struct gateway *gateway = open_or_fail(rig->access, RIG_ID("again"), found.cancel);
    _cleanup_(freep) char *position = NULL;
    struct scan_progress progress;
    struct err err;

    (void)state;
    assert_int_equal(
        run(gateway, &found, (struct scan_options){.threads = 1, .cancel = found.cancel}, &progress, &position, &err),
        -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_in_range(found.n, 1, ARRAY_LEN(expected) - 1);
    (void)gateway_free(gateway);
    found.cancel = http_cancel_free(found.cancel);

    gateway = open_or_fail(rig->access, RIG_ID("again"), NULL);
    if (run(gateway, &found, (struct scan_options){.threads = 1, .position = position}, &progress, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_found(&found);
    assert_int_equal(progress.offenders, found.n);
    (void)gateway_free(gateway);
}

/* ---- the scanner ---- */

static struct scanner_options scanner_with(struct scan_access *access)
{
    return (struct scanner_options){.open = scan_access_open, .ctx = access, .jobs = 2, .threads = 2};
}

static enum cmk_scan_state await(struct scanner *scanner, const char *id, struct cmk_scan_evidence *ret)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    for (;;) {
        scanner_look(scanner, id, ret);
        if (ret->state != CMK_SCAN_RUNNING || clock_mono_ms() > until)
            return ret->state;
        scanner_look_done(ret);
        clock_sleep_ms(10);
    }
}

static void the_scanner_finishes_every_account_with_its_own_verdict(void **state)
{
    static const struct {
        const char *id;
        enum cmk_scan_state expected;
        int64_t offenders;
    } rows[] = {{RIG_ID("mongo"), CMK_SCAN_FOUND, 6}, {RIG_ID("clean"), CMK_SCAN_CLEAN, 0},
        {RIG_ID("cassandra"), CMK_SCAN_FAILED, 0}, {RIG_ID("strict"), CMK_SCAN_FOUND, 5}};
    struct scan_access access = with_keys();
    const struct scanner_options options = scanner_with(&access);
    _cleanup_(scanner_stopp) struct scanner *scanner = scanner_new(&options);
    struct cmk_scan_evidence evidence;

    (void)state;
    scanner_look(scanner, rows[0].id, &evidence);
    assert_int_equal(evidence.state, CMK_SCAN_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        scanner_want(scanner, rows[i].id);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(await(scanner, rows[i].id, &evidence), rows[i].expected);
        assert_int_equal(evidence.offenders, rows[i].offenders);
        assert_int_equal(evidence.ranges, evidence.ranges_done);
        assert_int_equal(evidence.error.kind != ERR_NONE, rows[i].expected == CMK_SCAN_FAILED);
        assert_int_equal(evidence.first_offender != NULL, rows[i].offenders > 0);
        scanner_look_done(&evidence);
    }
}

static int64_t virtual_now;

static int64_t now(void)
{
    return __atomic_load_n(&virtual_now, __ATOMIC_SEQ_CST);
}

static void results_are_kept_for_a_while_and_dropped_on_demand(void **state)
{
    struct scan_access access = rig->access;
    struct scanner_options options = scanner_with(&access);
    struct cmk_scan_evidence evidence;
    int before, after;

    (void)state;
    options.now_ms = now;
    options.keep_ms = 1000;
    _cleanup_(scanner_stopp) struct scanner *scanner = scanner_new(&options);
    scanner_want(scanner, RIG_ID("clean"));
    assert_int_equal(await(scanner, RIG_ID("clean"), &evidence), CMK_SCAN_CLEAN);
    before = rig_count(rig, "/cosmos/clean/");
    scanner_want(scanner, RIG_ID("CLEAN"));
    assert_int_equal(await(scanner, RIG_ID("clean"), &evidence), CMK_SCAN_CLEAN);
    assert_int_equal(rig_count(rig, "/cosmos/clean/"), before);
    __atomic_add_fetch(&virtual_now, 1000, __ATOMIC_SEQ_CST);
    scanner_look(scanner, RIG_ID("clean"), &evidence);
    assert_int_equal(evidence.state, CMK_SCAN_NONE);
    scanner_want(scanner, RIG_ID("clean"));
    assert_int_equal(await(scanner, RIG_ID("clean"), &evidence), CMK_SCAN_CLEAN);
    after = rig_count(rig, "/cosmos/clean/");
    assert_true(after > before);
    scanner_forget(scanner, RIG_ID("clean"));
    scanner_look(scanner, RIG_ID("clean"), &evidence);
    assert_int_equal(evidence.state, CMK_SCAN_NONE);
}

static void a_failure_stands_for_a_while_and_is_then_tried_again(void **state)
{
    struct scan_access access = rig->access;
    struct scanner_options options = scanner_with(&access);
    struct cmk_scan_evidence evidence;

    (void)state;
    options.now_ms = now;
    options.retry_ms = 1000;
    _cleanup_(scanner_stopp) struct scanner *scanner = scanner_new(&options);
    scanner_want(scanner, RIG_ID("strict"));
    assert_int_equal(await(scanner, RIG_ID("strict"), &evidence), CMK_SCAN_FAILED);
    int before = rig_count(rig, "/cosmos/strict/");
    scanner_want(scanner, RIG_ID("strict"));
    assert_int_equal(await(scanner, RIG_ID("strict"), &evidence), CMK_SCAN_FAILED);
    assert_int_equal(rig_count(rig, "/cosmos/strict/"), before);
    (void)json_free(rig_ask(rig, "PUT", "/fake/accounts/strict", "{" SMALL "}}"));
    __atomic_add_fetch(&virtual_now, 1000, __ATOMIC_SEQ_CST);
    scanner_want(scanner, RIG_ID("strict"));
    assert_int_equal(await(scanner, RIG_ID("strict"), &evidence), CMK_SCAN_FOUND);
    scanner_look_done(&evidence);
    (void)json_free(rig_ask(rig, "PUT", "/fake/accounts/strict", "{" SMALL NOBODY_READS "}"));
}

static void the_scanner_stops_and_forgets_in_the_middle_of_waits(void **state)
{
    struct scan_access access = rig->access;
    const struct scanner_options options = scanner_with(&access);
    struct scanner *scanner = scanner_new(&options);
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct cmk_scan_evidence evidence;

    (void)state;
    scanner_want(scanner, RIG_ID("slow"));
    while (rig_count(rig, "cosmos/slow/dbs/d/colls/c/docs") == 0 && clock_mono_ms() < until)
        clock_sleep_ms(10);
    scanner_forget(scanner, RIG_ID("slow"));
    scanner_want(scanner, RIG_ID("slow"));
    scanner_look(scanner, RIG_ID("slow"), &evidence);
    assert_int_equal(evidence.state, CMK_SCAN_RUNNING);
    while (rig_count(rig, "cosmos/slow/dbs/d/colls/c/docs") < 2 && clock_mono_ms() < until)
        clock_sleep_ms(10);
    int64_t began = clock_mono_ms();
    (void)scanner_stop(scanner);
    assert_true(clock_mono_ms() - began < 20000); /* it waits for 50 s otherwise */
}

static int setup(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_TEXT);
    rig = rig_start(seed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig = rig_end(rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_finds_all_offenders_through_throttling_empty_pages_and_a_split),
        cmocka_unit_test(a_key_finds_them_in_an_account_for_mongodb),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(without_the_role_a_key_serves_when_keys_are_allowed),
        cmocka_unit_test(queries_that_the_gateway_refuses_are_refused),
        cmocka_unit_test(other_clients_need_no_date_with_a_token_and_no_escape_for_a_plus),
        cmocka_unit_test(a_scan_that_was_stopped_finds_the_rest_when_it_goes_on),
        cmocka_unit_test(the_scanner_finishes_every_account_with_its_own_verdict),
        cmocka_unit_test(results_are_kept_for_a_while_and_dropped_on_demand),
        cmocka_unit_test(a_failure_stands_for_a_while_and_is_then_tried_again),
        cmocka_unit_test(the_scanner_stops_and_forgets_in_the_middle_of_waits),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
