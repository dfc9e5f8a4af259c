/* Requests to Azure and to the API server, by what they are and how they ended. Paths are reduced to a closed set of
 * words; what is not known is "other". */
#include "controller/metrics_private.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"

#include <stdio.h>
#include <string.h>

static const double azure_bounds[] = {0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90};
/* client-go's own (component-base/metrics/prometheus/restclient). */
static const double kube_bounds[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};

/* The first that a path contains. */
static const struct {
    const char *in_path;
    const char *word;
} arm_words[] = {
    {"/operationsStatus/", "operation"},
    {"/operationResults/", "operation"},
    {"/readonlykeys", "account_keys"},
    {"/providers/Microsoft.Authorization/roleAssignments", "role_assignment"},
    {"/providers/Microsoft.Authorization/roleDefinitions", "role_definition"},
    {"/providers/Microsoft.Authorization/locks", "lock"},
    {"/providers/Microsoft.Authorization/permissions", "permission"},
    {"/providers/Microsoft.Insights/eventtypes", "activity"},
    {"/providers/Microsoft.Insights/metrics", "metrics"},
    {"/accessPolicies/", "vault_access"},
    {"/providers/Microsoft.DocumentDB/databaseAccounts/", "account"},
    {"/providers/Microsoft.DocumentDB/databaseAccounts", "account_list"},
    {"/providers/Microsoft.ManagedIdentity/", "identity"},
    {"/providers/Microsoft.KeyVault/vaults/", "vault"},
    {"/providers/Microsoft.KeyVault/vaults", "vault_list"},
    {"/resources", "resource_list"},
};

static const char *arm_word(const char *url)
{
    const char *query = strchr(url, '?');
    _cleanup_(freep) char *path = xstrndup(url, query ? (size_t)(query - url) : strlen(url));

    for (size_t i = 0; i < ARRAY_LEN(arm_words); i++) {
        const char *at = str_find_nocase(path, arm_words[i].in_path);
        if (at && str_eq(arm_words[i].word, "vault") && str_find_nocase(at, "/keys/"))
            return "vault_key";
        if (at)
            return arm_words[i].word;
    }
    return METRIC_OTHER;
}

void metrics_azure_operation(const char *url, const char *label, char *ret, size_t size)
{
    bool arm = !label || str_eq(label, "arm") || str_has_prefix(label, "arm ");

    (void)str_copy(ret, size, arm ? arm_word(url ? url : "") : label);
    for (char *p = ret; *p; p++)
        if (*p == ' ')
            *p = '_';
}

/* A status, or what client-go says instead of one. */
static const char *code_of(const struct http_observation *o, char ret[static 16])
{
    if (o->err)
        return "<error>";
    (void)snprintf(ret, 16, "%d", o->response->status);
    return ret;
}

static void on_azure(void *ctx, const struct http_observation *o)
{
    const struct app_metrics *m = ctx;
    const char *method = o->request->method ? o->request->method : "GET";
    char operation[METRIC_LABEL_SIZE], status[16];

    metrics_azure_operation(o->request->url, o->request->label, operation, sizeof(operation));
    const char *code = o->err ? err_kind_name(o->err->kind) : code_of(o, status);
    metric_add(m->azure_requests, METRIC_LABELS(operation, method, code), 1);
    metric_observe(m->azure_seconds, METRIC_LABELS(operation, method), (double)o->ms / 1000);
}

/* How long a stream lasts is no measure of anything. */
static void on_kube(void *ctx, const struct http_observation *o)
{
    const struct app_metrics *m = ctx;
    const char *method = o->request->method ? o->request->method : "GET";
    char host[METRIC_LABEL_SIZE] = "", status[16];
    struct http_url url;

    if (o->request->url && http_url_parse(o->request->url, &url, NULL) == 0)
        (void)snprintf(host, sizeof(host), "%.100s:%d", url.host, url.port);
    metric_add(m->kube_requests, METRIC_LABELS(code_of(o, status), method, host), 1);
    if (!o->request->on_data)
        metric_observe(m->kube_seconds, METRIC_LABELS(method, host), (double)o->ms / 1000);
}

struct http_observer app_metrics_azure(struct app_metrics *m)
{
    return (struct http_observer){on_azure, m};
}

struct http_observer app_metrics_kube(struct app_metrics *m)
{
    return (struct http_observer){on_kube, m};
}

void metrics_http_register(struct app_metrics *m)
{
    struct metrics *r = m->registry;

    m->azure_requests = metrics_add(
        r, &(struct metric_desc){"cosmoscmk_azure_requests_total",
               "Requests sent to Azure, by what they were about, and the status of the answer or the kind of error.",
               METRIC_COUNTER, .labels = {"operation", "method", "code"}, .max_series = 400});
    m->azure_seconds =
        metrics_add(r, &(struct metric_desc){"cosmoscmk_azure_request_duration_seconds",
                           "How long requests to Azure took.", METRIC_HISTOGRAM, .labels = {"operation", "method"},
                           .bounds = azure_bounds, .n_bounds = ARRAY_LEN(azure_bounds), .max_series = 60});
    m->kube_requests =
        metrics_add(r, &(struct metric_desc){"rest_client_requests_total",
                           "Requests sent to the API server, by status, method and host; a watch counts when it ends.",
                           METRIC_COUNTER, .labels = {"code", "method", "host"}});
    m->kube_seconds = metrics_add(r,
        &(struct metric_desc){"rest_client_request_duration_seconds",
            "How long requests to the API server took, watches excepted.", METRIC_HISTOGRAM, .labels = {"verb", "host"},
            .bounds = kube_bounds, .n_bounds = ARRAY_LEN(kube_bounds), .max_series = 20});
}
