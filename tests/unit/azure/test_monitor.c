/* Around an account: locks, metrics, the Activity Log. */
#include "azure_rig.h"

#include "azure/activity.h"
#include "azure/locks.h"
#include "azure/metrics.h"
#include "base/str.h"
#include "base/timefmt.h"

#define RG SUBSCRIPTION "/resourceGroups/rg"
#define ACCOUNT RG "/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define LOCKS "/providers/Microsoft.Authorization/locks"
#define LIST(items)                                                                                                    \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[" items "]}"                                                               \
    }
#define FORBIDDEN                                                                                                      \
    {                                                                                                                  \
        .status = 403, .body = FORBIDDEN_BODY                                                                          \
    }

static void parse(struct arm_id *ret)
{
    struct err err = ERR_INIT;

    assert_int_equal(arm_id_parse(ret, ACCOUNT, &err), 0);
}

/* --- locks --- */

#define LOCK(scope, name, level)                                                                                       \
    "{\"id\":\"" scope LOCKS "/" name "\",\"name\":\"" name "\",\"properties\":{\"level\":\"" level "\"}}"

static const struct {
    const char *sentence;
    struct fake_answer answers[3];
    size_t n;
    enum err_kind kind;
    const char *name, *scope, *words;
} locks[] = {
    {"there is none", {LIST("")}, 1, ERR_NONE, NULL, NULL, ""},
    {"one that only forbids deleting", {LIST(LOCK(ACCOUNT, "a", "CanNotDelete") "," LOCK(RG, "b", "CanNotDelete"))}, 1,
        ERR_NONE, NULL, NULL, ""},
    {"one on the account", {LIST(LOCK(ACCOUNT, "a", "ReadOnly"))}, 1, ERR_NONE, "a", ACCOUNT, ""},
    {"one on the group", {LIST(LOCK(RG, "b", "readonly"))}, 1, ERR_NONE, "b", RG, ""},
    {"one on the subscription", {LIST(LOCK(SUBSCRIPTION, "c", "ReadOnly"))}, 1, ERR_NONE, "c", SUBSCRIPTION, ""},
    {"those of neighbours and of what is inside do not count",
        {LIST(LOCK(ACCOUNT "/sqlDatabases/d", "x", "ReadOnly") "," LOCK(ACCOUNT "2", "x", "ReadOnly") "," LOCK(
            RG "2", "x", "ReadOnly") "," LOCK(RG "/providers/Microsoft.KeyVault/vaults/v", "x", "ReadOnly"))},
        1, ERR_NONE, NULL, NULL, ""},
    {"what is no lock does not count", {LIST("{},{\"id\":\"x\"}")}, 1, ERR_NONE, NULL, NULL, ""},
    {"the subscription's may not be read, and the group has one", {FORBIDDEN, LIST(LOCK(RG, "b", "ReadOnly"))}, 2,
        ERR_NONE, "b", RG, ""},
    {"only the account's may be read, and it has one", {FORBIDDEN, FORBIDDEN, LIST(LOCK(ACCOUNT, "a", "ReadOnly"))}, 3,
        ERR_NONE, "a", ACCOUNT, ""},
    {"the subscription's may not be read, and there is none below", {FORBIDDEN, LIST(""), LIST("")}, 3, ERR_FORBIDDEN,
        NULL, NULL, "Microsoft.Authorization/locks/read at " SUBSCRIPTION},
    {"throttled", {{.status = 429, .body = THROTTLED_BODY}}, 1, ERR_THROTTLED, NULL, NULL,
        "cannot read resource locks"},
};

static void a_read_only_lock_is_found_where_it_counts(void **state)
{
    static const char *const urls[] = {ARM_URL SUBSCRIPTION LOCKS "?api-version=2020-05-01",
        ARM_URL RG LOCKS "?api-version=2020-05-01", ARM_URL ACCOUNT LOCKS "?api-version=2020-05-01"};
    _cleanup_(arm_id_done) struct arm_id id = {0};

    (void)state;
    parse(&id);
    for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(azure_lock_done) struct azure_lock lock;
        struct err err = ERR_INIT;
        rig_open(&rig, locks[i].answers, locks[i].n);
        int r = locks_find_read_only(rig.arm, &id, &lock, &err);
        if (r != (locks[i].kind ? -1 : 0) || err.kind != locks[i].kind || !str_eq(lock.name, locks[i].name) ||
            !str_eq(lock.scope, locks[i].scope))
            fail_msg("%s: %d %s %s", locks[i].sentence, r, lock.name ? lock.name : "-", err.msg);
        says(&err, locks[i].words);
        rig_is_through(&rig);
        for (size_t j = 0; j < rig.fake->n_seen; j++)
            assert_string_equal(rig.fake->seen[j].url, urls[j]);
    }
}

/* --- metrics --- */

#define METRIC(series) "{\"value\":[{\"name\":{\"value\":\"NormalizedRUConsumption\"},\"timeseries\":[" series "]}]}"
#define SERIES(container, data)                                                                                        \
    "{\"metadatavalues\":[{\"name\":{\"value\":\"collectionname\"},\"value\":\"" container "\"}],\"data\":[" data "]}"
#define AT(value) "{\"timeStamp\":\"2026-03-07T12:00:00Z\"" value "}"

static void the_peak_is_the_highest_value_and_a_gap_is_none(void **state)
{
    static const struct {
        const char *body;
        int percent; /* -1: unknown; -2: refused */
        const char *container;
    } rows[] = {
        /* recorded, for another service */
        {"{\"cost\":89278,\"timespan\":\"x\",\"interval\":\"PT1M\",\"value\":[{\"id\":\"i\",\"type\":\"t\",\"name\":"
         "{\"value\":\"NormalizedRUConsumption\"},\"unit\":\"Percent\",\"timeseries\":[],\"errorCode\":\"Success\"}]}",
            -1, NULL},
        {METRIC(SERIES("c1", AT(",\"maximum\":7.0"))), 7, "c1"},
        {METRIC(SERIES("c1", AT(",\"maximum\":69.1") "," AT(",\"maximum\":12"))), 70, "c1"},
        {METRIC(SERIES("c1", AT(",\"maximum\":5")) "," SERIES("c2", AT(",\"maximum\":83.5"))), 84, "c2"},
        {METRIC(SERIES("c1", AT("") "," AT(",\"maximum\":null"))), -1, NULL},
        {METRIC(SERIES("c1", AT("") "," AT(",\"maximum\":0"))), 0, "c1"},
        {METRIC("{\"data\":[" AT(",\"maximum\":100") "]}"), 100, NULL},
        {METRIC(SERIES("c1", AT(",\"maximum\":1e300"))), 100000, "c1"},
        {METRIC(SERIES("c1", AT(",\"maximum\":-3"))), 0, "c1"},
        {"{\"value\":[{\"name\":{\"value\":\"Ingress\"},\"timeseries\":[" SERIES("c", AT(",\"maximum\":9")) "]}]}", -1,
            NULL},
        {"{\"value\":[]}", -1, NULL},
        {"{}", -2, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *tree = tree_of(rows[i].body);
        _cleanup_(metrics_peak_done) struct metrics_peak peak;
        struct err err = ERR_INIT;
        int r = metrics_decode(&peak, tree, &err), is = r < 0 ? -2 : peak.known ? peak.percent : -1;
        if (is != rows[i].percent || !str_eq(peak.container, rows[i].container))
            fail_msg("row %zu: %d %s", i, is, peak.container ? peak.container : "-");
    }
}

static void the_last_hour_is_asked_for_and_a_wait_has_a_floor(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
        int64_t retry_after_ms;
        const char *words;
    } rows[] = {
        {{.status = 200, .body = METRIC(SERIES("c1", AT(",\"maximum\":7.0")))}, ERR_NONE, -1, ""},
        {{.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN, -1, "Microsoft.Insights/metrics/read at " ACCOUNT},
        {{.status = 429, .headers = "retry-after: 0\n", .body = THROTTLED_BODY}, ERR_THROTTLED, 10000, ""},
        {{.status = 429, .headers = "retry-after: 309\n", .body = THROTTLED_BODY}, ERR_THROTTLED, 309000, ""},
        {{.status = 529}, ERR_UNAVAILABLE, -1, ""},
        {{.status = 400, .body = "{\"code\":\"BadRequest\",\"message\":\"bad grain\"}"}, ERR_INVALID, -1, "bad grain"},
        {{.status = 200, .body = "[]"}, ERR_PROTOCOL, -1, "metrics cannot be read"},
    };
    _cleanup_(arm_id_done) struct arm_id id = {0};
    int64_t now;

    (void)state;
    parse(&id);
    assert_true(time_parse_rfc3339("2026-03-07T12:00:00Z", &now));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(metrics_peak_done) struct metrics_peak peak;
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(metrics_ru_peak(rig.arm, &id, now, &peak, &err), rows[i].kind ? -1 : 0);
        assert_int_equal(err.kind, rows[i].kind);
        assert_int_equal(err.retry_after_ms, rows[i].retry_after_ms);
        says(&err, rows[i].words);
        assert_string_equal(rig.fake->seen[0].url, ARM_URL ACCOUNT
            "/providers/microsoft.insights/metrics?api-version=2024-02-01&metricnames=NormalizedRUConsumption&timespan="
            "2026-03-07T11%3A00%3A00Z%2F2026-03-07T12%3A00%3A00Z&interval=PT5M&aggregation=Maximum&$filter="
            "CollectionName%20eq%20%27%2A%27&top=200");
    }
}

/* --- the Activity Log --- */

#define EVENT(caller, correlation, operation, status, at)                                                              \
    "{\"caller\":\"" caller "\",\"correlationId\":\"" correlation                                                      \
    "\",\"operationName\":{\"value\":\"Microsoft.DocumentDB/databaseAccounts/" operation                               \
    "\"},\"status\":{\"value\":\"" status "\"},\"eventTimestamp\":\"2026-03-07T" at ".1234567Z\"}"

static const struct {
    const char *sentence, *events;
    const char *caller; /* NULL: nothing is found */
    const char *operation, *at;
    bool ended;
} logs[] = {
    {"nothing happened", "", NULL, NULL, NULL, false},
    {"one runs", EVENT("ann", "1", "write", "Started", "10:00:00"), "ann", "write", "10:00:00", false},
    {"one is over, a later one runs",
        EVENT("bob", "2", "write", "Started", "11:00:00") "," EVENT(
            "ann", "1", "write", "Succeeded", "10:30:00") "," EVENT("ann", "1", "write", "Started", "10:00:00"),
        "bob", "write", "11:00:00", false},
    {"one runs since earlier than the last that is over",
        EVENT("ann", "1", "write", "Started", "10:00:00") "," EVENT(
            "bob", "2", "write", "Started", "11:00:00") "," EVENT("bob", "2", "write", "Failed", "11:00:05"),
        "ann", "write", "10:00:00", false},
    {"accepted is not over, and the beginning counts",
        EVENT("ann", "1", "write", "Accepted", "10:00:03") "," EVENT("ann", "1", "write", "Started", "10:00:00"), "ann",
        "write", "10:00:00", false},
    {"all are over",
        EVENT("ann", "1", "write", "Succeeded", "10:00:03") "," EVENT("bob", "2", "write", "Succeeded", "09:00:00"),
        "ann", "write", "10:00:03", true},
    {"reading keys is no change",
        EVENT("ann", "1", "listKeys/action", "Started", "10:00:00") "," EVENT("ann", "2", "readonlykeys/action",
            "Started", "10:00:00") "," EVENT("ann", "3", "listConnectionStrings/action", "Started", "10:00:00"),
        NULL, NULL, NULL, false},
    {"a failover is one", EVENT("ann", "1", "failoverPriorityChange/action", "Started", "10:00:00"), "ann",
        "failoverPriorityChange/action", "10:00:00", false},
    {"an application without a name",
        "{\"claims\":{\"appid\":\"app-1\"},\"operationName\":{\"value\":\"Microsoft.DocumentDB/databaseAccounts/"
        "write\"},"
        "\"eventTimestamp\":\"2026-03-07T10:00:00Z\"}",
        "app-1", "write", "10:00:00", false},
    {"what is no event does not count", "{},{\"eventTimestamp\":\"x\"},7", NULL, NULL, NULL, false},
};

#define EVENTS_URL                                                                                                     \
    ARM_URL SUBSCRIPTION "/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter="  \
                         "eventTimestamp%20ge%20%272026-03-06T12%3A00%3A00Z%27%20and%20eventTimestamp%20le%20%27"      \
                         "2026-03-07T12%3A00%3A00Z%27%20and%20resourceUri%20eq%20"

static int find(struct rig *rig, struct activity *ret, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    int64_t now;

    parse(&id);
    assert_true(time_parse_rfc3339("2026-03-07T12:00:00Z", &now));
    return activity_find_running(rig->arm, &id, now - 24 * 3600 * 1000LL, now, ret, err);
}

static void the_change_that_runs_is_told_from_those_that_ran(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        _cleanup_(freep) char *body = xasprintf("{\"value\":[%s]}", logs[i].events);
        const struct fake_answer answer = {.status = 200, .body = body};
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(activity_done) struct activity activity;
        struct err err = ERR_INIT;
        char at[TIME_TEXT_SIZE];
        rig_open(&rig, &answer, 1);
        if (find(&rig, &activity, &err) < 0)
            fail_msg("%s: %s", logs[i].sentence, err.msg);
        if (!str_eq(activity.caller, logs[i].caller) || activity.ended != logs[i].ended)
            fail_msg("%s: %s", logs[i].sentence, activity.caller ? activity.caller : "-");
        if (!activity.caller)
            continue;
        time_format_rfc3339(activity.started_at, at);
        assert_non_null(strstr(at, logs[i].at));
        assert_true(str_has_suffix_nocase(activity.operation, logs[i].operation));
    }
}

static void the_other_spelling_is_tried_when_the_first_is_refused(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 400, .body = "{\"Code\":\"BadRequest\",\"Message\":\"The filter is invalid.\"}"},
        LIST(EVENT("ann", "1", "write", "Started", "10:00:00")),
    };
    static const struct fake_answer refused[] = {
        {.status = 400, .body = "{\"Code\":\"BadRequest\",\"Message\":\"The filter is invalid.\"}"},
        {.status = 400, .body = "{\"Code\":\"BadRequest\",\"Message\":\"The start time cannot be.\"}"},
    };
    static const struct fake_answer forbidden = FORBIDDEN;
    _cleanup_(rig_close) struct rig first, second, third;
    _cleanup_(activity_done) struct activity activity;
    struct activity none;
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&first, answers, 2);
    assert_int_equal(find(&first, &activity, &err), 0);
    assert_string_equal(activity.caller, "ann");
    assert_true(str_has_prefix(first.fake->seen[0].url, EVENTS_URL "%27%2Fsubscriptions"));
    assert_true(str_has_prefix(first.fake->seen[1].url, EVENTS_URL "%2Fsubscriptions"));
    rig_open(&second, refused, 2);
    assert_int_equal(find(&second, &none, &err), -1);
    says(&err, "cannot read the Activity Log: The start time");
    rig_open(&third, &forbidden, 1);
    assert_int_equal(find(&third, &none, &err), -1);
    assert_int_equal(err.kind, ERR_FORBIDDEN);
    says(&err, "Microsoft.Insights/eventtypes/values/read at " SUBSCRIPTION);
}

static void many_changes_are_remembered_as_the_newest(void **state)
{
    struct buf body = BUF_INIT(1 << 20);
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(activity_done) struct activity activity;
    struct err err = ERR_INIT;

    (void)state;
    buf_puts(&body, "{\"value\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&body,
            "%s{\"caller\":\"c%d\",\"correlationId\":\"%d\",\"operationName\":{\"value\":\"Microsoft.DocumentDB/"
            "databaseAccounts/write\"},\"status\":{\"value\":\"Started\"},\"eventTimestamp\":\"2026-03-07T%02d:%02d:"
            "00Z\"}",
            i ? "," : "", i, i, i / 60, i % 60);
    buf_puts(&body, "]}");
    const struct fake_answer answer = {.status = 200, .body = buf_str(&body)};
    rig_open(&rig, &answer, 1);
    assert_int_equal(find(&rig, &activity, &err), 0);
    assert_string_equal(activity.caller, "c299");
    buf_done(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_only_lock_is_found_where_it_counts),
        cmocka_unit_test(the_peak_is_the_highest_value_and_a_gap_is_none),
        cmocka_unit_test(the_last_hour_is_asked_for_and_a_wait_has_a_floor),
        cmocka_unit_test(the_change_that_runs_is_told_from_those_that_ran),
        cmocka_unit_test(the_other_spelling_is_tried_when_the_first_is_refused),
        cmocka_unit_test(many_changes_are_remembered_as_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
