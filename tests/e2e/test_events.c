/* Events as people see them: each transition once, in words that help, and none that costs the controller anything. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 20
#define MAX_EVENTS 32
#define LOG_MAX (64 << 20)

static const struct kube_resource events_resource = {"events.k8s.io", "v1", "events"};

static cJSON *list_events(struct world *w)
{
    const struct kube_list_page page = {.ns = w->ns};
    struct err err = ERR_INIT;
    cJSON *list = NULL;

    if (kube_list_page(the_kube(), &events_resource, &page, &list, &err) < 0)
        fail_msg("events cannot be listed: %s", err.msg);
    return list;
}

static int by_version(const void *a, const void *b)
{
    long long x = atoll(json_string_at(*(const cJSON *const *)a, "metadata.resourceVersion"));
    long long y = atoll(json_string_at(*(const cJSON *const *)b, "metadata.resourceVersion"));

    return x < y ? -1 : x > y;
}

/* Borrowed from the list, in the order in which they were written. */
static size_t events_of(const cJSON *list, const char *name, const cJSON **ret)
{
    const cJSON *item;
    size_t n = 0;

    cJSON_ArrayForEach (item, json_member(list, "items")) {
        if (!str_eq(json_string_at(item, "regarding.name"), name))
            continue;
        assert_true(n < MAX_EVENTS);
        ret[n++] = item;
    }
    qsort(ret, n, sizeof(*ret), by_version);
    return n;
}

static char *words_of(const cJSON *list, const char *name)
{
    const cJSON *events[MAX_EVENTS];
    size_t n = events_of(list, name, events);
    struct buf b = BUF_INIT(65536);

    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s %s/%s", i ? ", " : "", json_string_at(events[i], "type"),
            json_string_at(events[i], "reason"), json_string_at(events[i], "action"));
    return buf_take(&b);
}

/* The list, the caller's. */
static cJSON *await_events(struct world *w, const char *name, const char *expected)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (;;) {
        cJSON *list = list_events(w);
        _cleanup_(freep) char *words = words_of(list, name);
        if (str_eq(words, expected))
            return list;
        if (clock_mono_ms() >= deadline)
            fail_msg("the events of %s are \"%s\" instead of \"%s\"", name, words, expected);
        (void)json_free(list);
        clock_sleep_ms(POLL_MS);
    }
}

#define WHOLE                                                                                                          \
    "Normal PreparingIdentity/AttachIdentity, Normal OperationSucceeded/AttachIdentity, "                              \
    "Normal PreparingIdentity/SetDefaultIdentity, Normal OperationSucceeded/SetDefaultIdentity, "                      \
    "Normal Encrypting/EnableKey, Normal OperationSucceeded/EnableKey, Normal Encrypted/Reconcile"

static void encrypt_ledger(struct world *w)
{
    azure_start(w, NULL);
    controller_start(w, NULL);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    await_end(w, "ledger", "Encrypted");
}

static void a_full_encryption(struct world *w)
{
    encrypt_ledger(w);
    _cleanup_(json_freep) cJSON *list = await_events(w, "ledger", WHOLE), *ledger = resource_get(w, "ledger");
    const cJSON *events[MAX_EVENTS];
    size_t n = events_of(list, "ledger", events);

    for (size_t i = 0; i < n; i++) {
        assert_member(events[i], "regarding.kind", "CosmosCMK");
        assert_member(events[i], "regarding.apiVersion", "cosmoscmk.io/v1");
        assert_member(events[i], "regarding.uid", json_string_at(ledger, "metadata.uid"));
        assert_member(events[i], "reportingController", "cosmoscmk");
        assert_null(strstr(json_string_at(events[i], "note"), "operationsStatus"));
    }
    assert_non_null(strstr(json_string_at(events[4], "note"), "This cannot be undone"));
    assert_non_null(strstr(json_string_at(events[4], "note"), ACCOUNT_ID("demo-ledger")));
    assert_non_null(
        strstr(json_string_at(events[4], "note"), json_string_at(ledger, "status.operation.correlationId")));
}

static void kubectl_shows_them(struct world *w)
{
    encrypt_ledger(w);
    json_free(await_events(w, "ledger", WHOLE));
    _cleanup_(freep) char *described = kubectl(w, (const char *[]){"describe", "ccmk", "ledger", NULL});
    _cleanup_(freep) char *told = kubectl(w, (const char *[]){"events", "--for", "cosmoscmk/ledger", NULL});
    _cleanup_(freep) char *got = kubectl(w, (const char *[]){"get", "events", NULL});
    const char *const outputs[] = {strstr(described, "Events:"), told, got};

    for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
        assert_non_null(outputs[i]);
        assert_non_null(strstr(outputs[i], "PreparingIdentity"));
        assert_non_null(strstr(outputs[i], "Azure accepted EnableKey (" KEY ") for the account"));
        assert_non_null(strstr(outputs[i], "The account is encrypted with " KEY));
    }
    assert_non_null(strstr(outputs[0], "cosmoscmk")); /* the column "From" */
}

static void none_in_the_steady_state(struct world *w)
{
    encrypt_ledger(w);
    json_free(await_events(w, "ledger", WHOLE));
    azure_await_count(w, "GET", "demo-ledger", azure_count(w, "GET", "demo-ledger") + 3);
    (void)controller_stop(w, 5000);
    controller_start(w, NULL);
    azure_await_count(w, "GET", "demo-ledger", azure_count(w, "GET", "demo-ledger") + 3);
    (void)controller_stop(w, 5000); /* what waits is written before the end */
    json_free(await_events(w, "ledger", WHOLE));
}

static void a_failure_warns(struct world *w)
{
    azure_start(w, NULL);
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders",
        "{\"refuseWith\":{\"status\":400,\"code\":\"BadRequest\",\"message\":\"The key is not usable\",\"times\":1}}"));
    controller_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    _cleanup_(json_freep) cJSON *list = await_events(w, "orders", "Warning OperationFailed/EnableKey");
    const cJSON *events[MAX_EVENTS];
    assert_int_equal(events_of(list, "orders", events), 1);
    assert_non_null(strstr(json_string_at(events[0], "note"), "The key is not usable"));
    assert_non_null(strstr(json_string_at(events[0], "note"), "reconcile-requested-at"));
}

/* ---- when events do not work ---- */

static void break_events(struct world *w, const char *action)
{
    _cleanup_(freep) char *rule = xasprintf(
        "{\"match\":{\"pathContains\":\"%s/events\",\"method\":\"POST\",\"count\":0},\"action\":%s}", w->ns, action);

    json_free(apiserver_ask("POST", "/fake/faults", rule));
}

static int occurrences(struct world *w, const char *text)
{
    _cleanup_(buf_done) struct buf log = BUF_INIT(LOG_MAX);
    struct err err = ERR_INIT;
    int n = 0;

    if (file_read(w->controller_log, &log, &err) < 0)
        fail_msg("%s", err.msg);
    for (const char *at = buf_str(&log); (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

static void forbidden_events(struct world *w)
{
    break_events(w,
        "{\"status\":403,\"body\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"code\":403,"
        "\"reason\":\"Forbidden\",\"message\":\"events.events.k8s.io is forbidden\"}}");
    encrypt_ledger(w);
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
    (void)controller_stop(w, 5000);
    json_free(await_events(w, "ledger", ""));
    assert_int_equal(occurrences(w, "events are not taken by the API server"), 1);
}

static void hanging_events(struct world *w)
{
    break_events(w, "{\"hold\":true}");
    encrypt_ledger(w);
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
    (void)controller_stop(w, 5000);
    assert_int_equal(occurrences(w, "status not written"), 0);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a full encryption is told in seven events", a_full_encryption,
            .no_crash = "what was not told yet is lost with the process"},
        {"kubectl describe, events and get events show them", kubectl_shows_them,
            .no_crash = "what was not told yet is lost with the process"},
        {"neither the steady state nor a restart tells anything", none_in_the_steady_state,
            .no_crash = "what was not told yet is lost with the process"},
        {"a failure is one warning, with the cause and what to do", a_failure_warns,
            .no_crash = "what was not told yet is lost with the process"},
        {"where events are forbidden everything else goes on, and the log says so once", forbidden_events, true,
            .no_crash = "each process says so once"},
        {"where events hang everything else goes on", hanging_events, true},
    };

    return run_scenes("events", scenes, ARRAY_LEN(scenes));
}
