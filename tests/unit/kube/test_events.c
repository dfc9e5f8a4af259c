/* The recorder against a scripted API server: what it asks for, what it gives up, and that it never holds anybody up.
 */
#include "unit.h"

#include "api_server.h"
#include "kube/events.h"

#include <stdatomic.h>
#include <string.h>

#define COLLECTION "/apis/events.k8s.io/v1/namespaces/payments/events"
#define TAKEN                                                                                                          \
    {                                                                                                                  \
        201, "{\"kind\":\"Event\"}"                                                                                    \
    }
#define STATUS(code, reason)                                                                                           \
    {                                                                                                                  \
        code, "{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason "\",\"message\":\"" reason "\"}"          \
    }
#define WAIT_MS 60000

struct rig {
    struct api_server api;
    struct http_engine *engine;
    struct kube_client *client;
    struct kube_events *events;
    atomic_int complaints;
    _Atomic uint64_t lost;
};

static void trouble(void *ctx, const struct err *err _unused_, uint64_t lost)
{
    struct rig *rig = ctx;

    atomic_fetch_add(&rig->complaints, 1);
    atomic_fetch_add(&rig->lost, lost);
}

static void rig_start(struct rig *rig, const struct api_answer *script, size_t n, size_t queue)
{
    const struct http_engine_options engine = {.user_agent = "test"};

    api_start(&rig->api, script, n);
    assert_int_equal(http_engine_new(&rig->engine, &engine, NULL), 0);
    _cleanup_(freep) char *server = xasprintf("http://127.0.0.1:%d", httpd_port(rig->api.server));
    const struct kube_config config = {.server = server};
    assert_int_equal(kube_client_new(&rig->client, rig->engine, &config, NULL), 0);
    const struct kube_events_options options = {.client = rig->client,
        .controller = "cosmoscmk",
        .instance = "pod",
        .queue = queue,
        .retry_ms = 1,
        .trouble = trouble,
        .ctx = rig};
    assert_int_equal(kube_events_new(&rig->events, &options, NULL), 0);
}

static void rig_stop(struct rig *rig)
{
    kube_client_cancel(rig->client);
    (void)kube_events_free(rig->events);
    (void)kube_client_free(rig->client);
    (void)http_engine_free(rig->engine);
    api_stop(&rig->api);
}

static void record(struct rig *rig, const char *reason)
{
    const struct kube_event event = {.regarding = {"cosmoscmk.io/v1", "CosmosCMK", "payments", "orders", "u", "7"},
        .reason = reason,
        .action = "A",
        .note = "n"};

    kube_events_record(rig->events, &event);
}

/* The requests without the parts of their bodies that no test can know. */
static char *asked(struct rig *rig)
{
    _cleanup_(freep) char *journal = api_journal(&rig->api);
    struct buf b = BUF_INIT(65536);

    for (char *line = journal, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        char *body = strstr(line, " body="), *series = body ? strstr(body, "\"count\":") : NULL;
        char *reason = body ? strstr(body, "\"reason\":\"") : NULL;
        bool patch = str_has_prefix(line, "PATCH");
        buf_printf(&b, "%s%s", b.len ? "; " : "", patch ? "patch" : "create");
        if (patch)
            assert_true(str_has_prefix(line, "PATCH " COLLECTION "/orders.") &&
                        strstr(line, " type=application/merge-patch+json"));
        else
            assert_true(str_has_prefix(line, "POST " COLLECTION " type=application/json body="));
        if (reason)
            buf_printf(&b, " %.*s", (int)strcspn(reason + 10, "\""), reason + 10);
        if (series)
            buf_printf(&b, " x%.*s", (int)strspn(series + 8, "0123456789"), series + 8);
    }
    return buf_take(&b);
}

static struct kube_events_stats flushed(struct rig *rig)
{
    struct kube_events_stats stats;

    kube_events_flush(rig->events, WAIT_MS);
    kube_events_stats(rig->events, &stats);
    return stats;
}

/* A row: the answers, the reasons recorded one after the other, what is asked, and the figures. */
static void events_are_written_counted_and_given_up(void **state _unused_)
{
    static const struct {
        const char *name;
        struct api_answer script[8];
        const char *reasons[6];
        const char *asked;
        uint64_t written, counted, refused;
        int complaints;
    } rows[] = {
        {"different events are created", {TAKEN, TAKEN}, {"R", "S"}, "create R; create S", 2, 0, 0, 0},
        {"the second of a kind makes a series, the end writes the count", {TAKEN, {200, "{}"}, {200, "{}"}},
            {"R", "R", "R", "R"}, "create R; patch x2; patch x4", 3, 2, 0, 0},
        {"an event that has expired is created again with its series", {TAKEN, STATUS(404, "NotFound"), TAKEN},
            {"R", "R"}, "create R; patch x2; create R x2", 2, 0, 0, 0},
        {"a refusal is final, and the next one is a first one", {STATUS(403, "Forbidden"), TAKEN}, {"R", "R"},
            "create R; create R", 1, 0, 1, 1},
        {"refusals are complained about once", {STATUS(404, "NotFound"), STATUS(422, "Invalid"), TAKEN},
            {"R", "S", "T"}, "create R; create S; create T", 1, 0, 2, 1},
        {"an outage is tried three times", {STATUS(503, "A"), STATUS(500, "B"), STATUS(429, "C"), TAKEN}, {"R", "S"},
            "create R; create R; create R; create S", 1, 0, 1, 1},
        {"an outage that passes is none", {STATUS(503, "A"), TAKEN}, {"R"}, "create R; create R", 1, 0, 0, 0},
        {"one whose answer was lost is not there twice", {{.end = API_ABORT}, STATUS(409, "AlreadyExists")}, {"R"},
            "create R; create R", 1, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig = {0};
        size_t n = 0;
        while (n < ARRAY_LEN(rows[i].script) && (rows[i].script[n].status || rows[i].script[n].end))
            n++;
        rig_start(&rig, rows[i].script, n, 0);
        for (size_t j = 0; j < ARRAY_LEN(rows[i].reasons) && rows[i].reasons[j]; j++)
            record(&rig, rows[i].reasons[j]);
        struct kube_events_stats stats = flushed(&rig);
        _cleanup_(freep) char *text = asked(&rig);
        if (!str_eq(text, rows[i].asked))
            fail_msg("%s: asked \"%s\" instead of \"%s\"", rows[i].name, text, rows[i].asked);
        assert_int_equal(stats.written, rows[i].written);
        assert_int_equal(stats.counted, rows[i].counted);
        assert_int_equal(stats.refused, rows[i].refused);
        assert_int_equal(atomic_load(&rig.complaints), rows[i].complaints);
        rig_stop(&rig);
    }
}

/* The server hangs: what does not fit into the queue is dropped, and nobody waits. The one in flight is beside it. */
static void a_full_queue_drops_and_never_blocks(void **state _unused_)
{
    struct kube_events_stats stats;
    struct rig rig = {0};

    rig_start(&rig, NULL, 0, 3);
    record(&rig, "R");
    assert_true(api_wait(&rig.api, 1));
    for (int i = 0; i < 10; i++)
        record(&rig, "S");
    kube_events_stats(rig.events, &stats);
    assert_int_equal(stats.overflow, 7);
    kube_events_flush(rig.events, 1);
    record(&rig, "T");
    kube_events_stats(rig.events, &stats);
    assert_int_equal(stats.overflow, 8);
    rig_stop(&rig);
}

static void what_cannot_be_an_event_is_not_sent(void **state _unused_)
{
    struct rig rig = {0};

    rig_start(&rig, NULL, 0, 0);
    record(&rig, "");
    assert_int_equal(flushed(&rig).refused, 1);
    assert_int_equal(api_served(&rig.api), 0);
    rig_stop(&rig);
}

static void a_recorder_has_a_name(void **state _unused_)
{
    static const struct kube_events_options rows[] = {
        {.controller = "no name", .instance = "pod"}, {.instance = "pod"}, {.controller = "cosmoscmk", .instance = ""}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kube_events *events = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(kube_events_new(&events, &rows[i], &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(events);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_written_counted_and_given_up),
        cmocka_unit_test(a_full_queue_drops_and_never_blocks),
        cmocka_unit_test(what_cannot_be_an_event_is_not_sent),
        cmocka_unit_test(a_recorder_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
