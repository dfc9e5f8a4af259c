/* The controller's families: what each hook counts, and that nothing that names a customer's resource is a label. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "controller/metrics_private.h"

#include <string.h>

#define ACCOUNT                                                                                                        \
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/"   \
    "orders"
#define VAULT                                                                                                          \
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/contoso"

static void requests_to_azure_are_a_closed_set_of_words(void **state)
{
    static const struct {
        const char *url, *label, *expected;
    } rows[] = {
        {ACCOUNT "?api-version=1", "arm get", "account"},
        {ACCOUNT, "arm patch", "account"},
        {ACCOUNT "/readonlykeys?api-version=1", "arm post", "account_keys"},
        {"https://management.azure.com/subscriptions/s/providers/Microsoft.DocumentDB/databaseAccounts?x=1", "arm get",
            "account_list"},
        {"https://management.azure.com/subscriptions/s/providers/Microsoft.DocumentDB/locations/westus/"
         "operationsStatus/1?t=/readonlykeys",
            "arm get", "operation"},
        {VAULT "?api-version=1", "arm get", "vault"},
        {VAULT "/keys/cosmos?api-version=1", "arm get", "vault_key"},
        {VAULT "/accessPolicies/add", "arm put", "vault_access"},
        {VAULT "/providers/Microsoft.Authorization/roleAssignments/1", "arm put", "role_assignment"},
        {ACCOUNT "/providers/Microsoft.Authorization/locks", "arm get", "lock"},
        {ACCOUNT "/providers/microsoft.insights/metrics", "arm get", "metrics"},
        {"https://management.azure.com/subscriptions/s/secrets-of-mine", "arm get", "other"},
        {"https://login.microsoftonline.com/t/oauth2/v2.0/token", "entra token", "entra_token"},
        {NULL, NULL, "other"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char word[METRIC_LABEL_SIZE];
        metrics_azure_operation(rows[i].url, rows[i].label, word, sizeof(word));
        if (!str_eq(word, rows[i].expected))
            fail_msg("%s %s: %s", rows[i].label, rows[i].url, word);
    }
}

static char *text_of(struct app_metrics *m)
{
    struct buf text = BUF_INIT(METRICS_TEXT_MAX);

    app_metrics_render(m, &text);
    assert_false(text.overflow);
    return buf_take(&text);
}

static void expect(const char *text, const char *line)
{
    _cleanup_(freep) char *whole = xasprintf("\n%s\n", line);

    if (!strstr(text, whole))
        fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void requests_are_counted_by_how_they_ended(void **state)
{
    _cleanup_(app_metrics_freep) struct app_metrics *m = app_metrics_new();
    const struct http_request request = {.method = "PATCH", .url = ACCOUNT "?secret=1", .label = "arm patch"};
    const struct http_request get = {.url = "https://api:6443/apis/x", .label = "kube get"};
    const struct http_response answer = {.status = 202}, none = {0};
    const struct err err = {.kind = ERR_TIMEOUT};
    const struct http_observer azure = app_metrics_azure(m), kube = app_metrics_kube(m);

    (void)state;
    azure.observed(azure.ctx, &(struct http_observation){&request, &answer, NULL, 300});
    azure.observed(azure.ctx, &(struct http_observation){&request, &none, &err, 90000});
    kube.observed(kube.ctx, &(struct http_observation){&get, &answer, NULL, 7});
    kube.observed(kube.ctx, &(struct http_observation){&get, &none, &err, 7});
    _cleanup_(freep) char *text = text_of(m);
    expect(text, "cosmoscmk_azure_requests_total{operation=\"account\",method=\"PATCH\",code=\"202\"} 1");
    expect(text, "cosmoscmk_azure_requests_total{operation=\"account\",method=\"PATCH\",code=\"timeout\"} 1");
    expect(
        text, "cosmoscmk_azure_request_duration_seconds_bucket{operation=\"account\",method=\"PATCH\",le=\"0.5\"} 1");
    expect(text, "cosmoscmk_azure_request_duration_seconds_sum{operation=\"account\",method=\"PATCH\"} 90.3");
    expect(text, "rest_client_requests_total{code=\"202\",method=\"GET\",host=\"api:6443\"} 1");
    expect(text, "rest_client_requests_total{code=\"<error>\",method=\"GET\",host=\"api:6443\"} 1");
    expect(text, "rest_client_request_duration_seconds_bucket{verb=\"GET\",host=\"api:6443\",le=\"0.025\"} 2");
    assert_null(strstr(text, "orders"));
    assert_null(strstr(text, "secret"));
}

static void passes_are_counted_by_result_and_rule(void **state)
{
    _cleanup_(app_metrics_freep) struct app_metrics *m = app_metrics_new();
    const struct workers_observer o = app_metrics_workers(m);

    (void)state;
    o.passed(o.ctx, &(struct reconcile_verdict){.rule = "ready", .after_ms = 1000}, 3);
    o.passed(o.ctx, &(struct reconcile_verdict){.rule = "azure-unavailable", .backoff = true}, 3);
    o.passed(o.ctx, &(struct reconcile_verdict){.rule = "invalid-spec", .stalled = true}, 3);
    o.passed(o.ctx, &(struct reconcile_verdict){.rule = NULL}, 3);
    app_metrics_queued(m, 20);
    _cleanup_(freep) char *text = text_of(m);
    expect(text, "controller_runtime_reconcile_total{controller=\"cosmoscmk\",result=\"error\"} 2");
    expect(text, "controller_runtime_reconcile_total{controller=\"cosmoscmk\",result=\"requeue_after\"} 1");
    expect(text, "controller_runtime_reconcile_total{controller=\"cosmoscmk\",result=\"success\"} 1");
    expect(text, "controller_runtime_reconcile_errors_total{controller=\"cosmoscmk\"} 2");
    expect(text, "controller_runtime_terminal_reconcile_errors_total{controller=\"cosmoscmk\"} 1");
    expect(text, "controller_runtime_reconcile_time_seconds_count{controller=\"cosmoscmk\"} 4");
    expect(text, "workqueue_work_duration_seconds_bucket{name=\"cosmoscmk\",controller=\"cosmoscmk\",le=\"0.01\"} 4");
    expect(text, "workqueue_queue_duration_seconds_sum{name=\"cosmoscmk\",controller=\"cosmoscmk\"} 0.02");
    expect(text, "cosmoscmk_passes_total{rule=\"ready\"} 1");
    expect(text, "cosmoscmk_passes_total{rule=\"gone\"} 1");
}

static void changes_are_counted_by_step_and_result(void **state)
{
    _cleanup_(app_metrics_freep) struct app_metrics *m = app_metrics_new();

    (void)state;
    app_metrics_sent(m, CMK_ENABLE_KEY, NULL);
    app_metrics_sent(m, CMK_ENABLE_KEY, &(struct err){.kind = ERR_LOCKED});
    app_metrics_sent(m, CMK_ATTACH_IDENTITY, &(struct err){.kind = ERR_TIMEOUT, .maybe_sent = true});
    _cleanup_(freep) char *text = text_of(m);
    expect(text, "cosmoscmk_changes_total{step=\"EnableKey\",result=\"accepted\"} 1");
    expect(text, "cosmoscmk_changes_total{step=\"EnableKey\",result=\"refused\"} 1");
    expect(text, "cosmoscmk_changes_total{step=\"AttachIdentity\",result=\"unknown\"} 1");
}

static bool leads(void *ctx)
{
    return *(const bool *)ctx;
}

static void the_lease_is_shown_where_there_is_an_election(void **state)
{
    _cleanup_(app_metrics_freep) struct app_metrics *m = app_metrics_new();
    bool leading = true;

    (void)state;
    _cleanup_(freep) char *without = text_of(m);
    assert_null(strstr(without, "leader_election"));
    app_metrics_look_at(
        m, &(struct app_metrics_sources){.is_leader = leads, .leader_ctx = &leading, .lease_name = "cosmoscmk"});
    _cleanup_(freep) char *leader = text_of(m);
    expect(leader, "leader_election_master_status{name=\"cosmoscmk\"} 1");
    leading = false;
    _cleanup_(freep) char *standby = text_of(m);
    expect(standby, "leader_election_master_status{name=\"cosmoscmk\"} 0");
}

static void the_watch_is_counted(void **state)
{
    _cleanup_(app_metrics_freep) struct app_metrics *m = app_metrics_new();

    (void)state;
    app_metrics_watch(m, KUBE_REFLECTOR_LISTS);
    app_metrics_watch(m, KUBE_REFLECTOR_WATCHES);
    app_metrics_watch(m, KUBE_REFLECTOR_WATCHES);
    app_metrics_watch_failed(m, &(struct err){.kind = ERR_GONE});
    _cleanup_(freep) char *text = text_of(m);
    expect(text, "cosmoscmk_watch_lists_total 1");
    expect(text, "cosmoscmk_watch_streams_total 2");
    expect(text, "cosmoscmk_watch_failures_total{kind=\"gone\"} 1");
    assert_null(strstr(text, "cosmoscmk_watch_last_event_timestamp_seconds"));
    app_metrics_watch(m, KUBE_REFLECTOR_HEARS);
    _cleanup_(freep) char *heard = text_of(m);
    assert_non_null(strstr(heard, "\ncosmoscmk_watch_last_event_timestamp_seconds 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_to_azure_are_a_closed_set_of_words),
        cmocka_unit_test(requests_are_counted_by_how_they_ended),
        cmocka_unit_test(passes_are_counted_by_result_and_rule),
        cmocka_unit_test(changes_are_counted_by_step_and_result),
        cmocka_unit_test(the_lease_is_shown_where_there_is_an_election),
        cmocka_unit_test(the_watch_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
