/* /metrics as a scraper meets it: over TLS, with a token, and with the API server's word on whether it may. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <string.h>

#define TEXT_MAX (4 << 20)

/* ---- accounts and rights, made by the admin ---- */

static cJSON *create(
    const struct kube_resource *resource, const char *ns, const char *name, const char *subresource, char *text)
{
    _cleanup_(json_freep) cJSON *object = NULL;
    struct err err = ERR_INIT;
    cJSON *answer = NULL;

    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(&object, text, strlen(text), &err) < 0)
        fail_msg("%s", err.msg);
    int r = subresource ? kube_create_subresource(the_kube(), resource, ns, name, subresource, object, &answer, &err)
                        : kube_create(the_kube(), resource, ns, object, &answer, &err);
    if (r < 0)
        fail_msg("%s: %s", resource->plural, err.msg);
    return answer;
}

static const struct kube_resource accounts = {"", "v1", "serviceaccounts"};

/* A ServiceAccount of the test's namespace, and a token of it, the caller's. */
static char *make_account(struct world *w, const char *name)
{
    _cleanup_(freep) char *account =
        xasprintf("{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'%s'}}", name);
    _cleanup_(freep) char *request =
        xstrdup("{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest','spec':{'expirationSeconds':3600}}");
    _cleanup_(json_freep) cJSON *made = create(&accounts, w->ns, NULL, NULL, account);
    _cleanup_(json_freep) cJSON *token = create(&accounts, w->ns, name, "token", request);

    assert_string_equal(json_string_at(made, "metadata.name"), name);
    return xstrdup(json_string_at(token, "status.token"));
}

static void may_scrape(struct world *w, const char *account)
{
    static const struct kube_resource roles = {"rbac.authorization.k8s.io", "v1", "clusterroles"};
    static const struct kube_resource bindings = {"rbac.authorization.k8s.io", "v1", "clusterrolebindings"};
    _cleanup_(freep) char *role =
        xasprintf("{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole','metadata':{'name':'%s-metrics'},"
                  "'rules':[{'nonResourceURLs':['/metrics'],'verbs':['get']}]}",
            w->ns);
    _cleanup_(freep) char *binding =
        xasprintf("{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRoleBinding','metadata':{'name':"
                  "'%s-metrics'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'ClusterRole','name':"
                  "'%s-metrics'},'subjects':[{'kind':'ServiceAccount','namespace':'%s','name':'%s'}]}",
            w->ns, w->ns, w->ns, account);
    _cleanup_(json_freep) cJSON *a = create(&roles, NULL, NULL, NULL, role);
    _cleanup_(json_freep) cJSON *b = create(&bindings, NULL, NULL, NULL, binding);

    assert_true(a && b);
}

/* ---- the controller and its port ---- */

/* From the log: "serving metrics". */
static int64_t metrics_port(struct world *w)
{
    static const char line[] = "\"msg\":\"serving metrics\"", field[] = "\"port\":";
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (;; clock_sleep_ms(20)) {
        _cleanup_(buf_done) struct buf log = BUF_INIT(64 << 20);
        struct err err = ERR_INIT;
        const char *at = file_read(w->controller_log, &log, &err) == 0 ? strstr(buf_str(&log), line) : NULL;
        const char *port = at ? strstr(at, field) : NULL;
        if (port && strchr(port, '\n'))
            return strtoll(port + strlen(field), NULL, 10);
        if (clock_mono_ms() >= deadline)
            fail_msg("the controller does not serve metrics");
    }
}

static void start_with_certificate(struct world *w)
{
    _cleanup_(freep) char *key = xasprintf("%s/metrics.key", w->dir), *cert = xasprintf("%s/metrics.crt", w->dir);
    const struct process_spec spec = {.name = "openssl",
        .argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
            "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert}};
    _cleanup_(buf_done) struct buf output = BUF_INIT(1 << 20);

    if (process_run(&spec, WAIT_MS, &output) != 0)
        fail_msg("openssl: %s", buf_str(&output));
    controller_start(w, (const char *[]){"--metrics-address", "127.0.0.1:0", "--metrics-cert-file", cert,
                            "--metrics-key-file", key, NULL});
}

/* The status; the body is put in ret (NULL: not wanted). token NULL: none. */
static int get(struct world *w, const char *scheme, const char *path, const char *token, struct buf *ret)
{
    _cleanup_(freep) char *url = xasprintf("%s://127.0.0.1:%lld%s", scheme, (long long)metrics_port(w), path);
    _cleanup_(freep) char *authorization = token ? xasprintf("Bearer %s", token) : NULL;
    _cleanup_(freep) char *ca_file = xasprintf("%s/metrics.crt", w->dir);
    _cleanup_(buf_done) struct buf ca = BUF_INIT(65536);
    _cleanup_(http_tls_unrefp) struct http_tls *tls = NULL;
    _cleanup_(http_response_done) struct http_response response;
    struct err err = ERR_INIT;

    http_response_init(&response);
    if (str_eq(scheme, "https")) {
        assert_int_equal(file_read(ca_file, &ca, &err), 0);
        const struct http_tls_options options = {.ca_pem = buf_str(&ca)};
        assert_int_equal(http_tls_new(&tls, &options, &err), 0);
    }
    const struct http_request request = {
        .url = url, .headers = {{token ? "Authorization" : NULL, authorization}}, .tls = tls};
    if (http_do(the_http(), &request, &response, &err) < 0)
        fail_msg("%s: %s", url, err.msg);
    if (ret)
        buf_puts(ret, buf_str(&response.body));
    return response.status;
}

/* ---- what is said ---- */

static double value_of(const struct buf *text, const char *series)
{
    _cleanup_(freep) char *line = xasprintf("\n%s ", series);
    const char *at = strstr(buf_str(text), line);

    if (!at)
        fail_msg("there is no %s in:\n%s", series, buf_str(text));
    return strtod(at + strlen(line), NULL);
}

static void assert_value(const struct buf *text, const char *series, double at_least, double at_most)
{
    double value = value_of(text, series);

    if (!(value >= at_least && value <= at_most))
        fail_msg("%s is %g", series, value);
}

static void assert_an_encryption_shows(const struct buf *text)
{
    assert_value(text, "cosmoscmk_resources{phase=\"Ready\",reason=\"Encrypted\"}", 1, 1);
    assert_value(text, "cosmoscmk_changes_total{step=\"EnableKey\",result=\"accepted\"}", 1, 1);
    assert_value(text, "cosmoscmk_azure_requests_total{operation=\"account\",method=\"PATCH\",code=\"200\"}", 1, 1);
    assert_value(text, "cosmoscmk_azure_requests_total{operation=\"entra_token\",method=\"POST\",code=\"200\"}", 1, 9);
    assert_value(
        text, "cosmoscmk_azure_request_duration_seconds_count{operation=\"account\",method=\"GET\"}", 1, 10000);
    assert_value(text, "cosmoscmk_operations_in_flight{step=\"EnableKey\"}", 0, 0);
    assert_value(text, "cosmoscmk_key_inaccessible_resources", 0, 0);
    assert_value(text, "cosmoscmk_unobserved_resources", 0, 0);
    assert_value(text, "cosmoscmk_watch_lists_total", 1, 1);
    assert_value(text, "controller_runtime_max_concurrent_reconciles{controller=\"cosmoscmk\"}", 4, 4);
    assert_value(
        text, "controller_runtime_reconcile_total{controller=\"cosmoscmk\",result=\"requeue_after\"}", 1, 100000);
    assert_value(text, "workqueue_adds_total{name=\"cosmoscmk\",controller=\"cosmoscmk\"}", 1, 100000);
    assert_value(text, "cosmoscmk_build_info{version=\"" COSMOSCMK_VERSION "\"}", 1, 1);
    double now = (double)clock_wall_ms() / 1000;
    assert_value(text, "cosmoscmk_observation_oldest_timestamp_seconds", now - 120, now + 1);
    assert_value(text, "process_start_time_seconds", now - 300, now + 1);
    assert_value(text, "process_open_fds", 5, 1000);
    assert_value(text, "process_resident_memory_bytes", 1e6, 1e10);
}

static void a_scraper_that_may(struct world *w)
{
    _cleanup_(freep) char *token = make_account(w, "scraper");
    _cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

    azure_start(w, NULL);
    may_scrape(w, "scraper");
    start_with_certificate(w);
    resource_create(w, "orders", "demo-orders", NULL);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(get(w, "https", "/metrics", token, &text), 200);
    assert_an_encryption_shows(&text);
    buf_clear(&text);
    assert_int_equal(get(w, "https", "/metrics", token, &text), 200); /* from what is kept */
    if (the_apiserver()->fake_url) { /* one review for both, and more than one client may use this server */
        _cleanup_(json_freep) cJSON *journal = apiserver_ask("GET", "/fake/requests?pathContains=tokenreviews", NULL);
        const cJSON *entry;
        int reviews = 0;
        cJSON_ArrayForEach (entry, journal)
            reviews += strstr(json_string_at(entry, "body"), token) != NULL;
        assert_int_equal(reviews, 1);
    }
}

static void those_who_may_not(struct world *w)
{
    _cleanup_(freep) char *token = make_account(w, "stranger"), *broken = xasprintf("%.*s", 40, token);
    _cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

    azure_start(w, NULL);
    start_with_certificate(w);
    assert_int_equal(get(w, "https", "/metrics", NULL, &text), 401);
    assert_int_equal(get(w, "https", "/metrics", "invented", &text), 401);
    assert_int_equal(get(w, "https", "/metrics", broken, &text), 401);
    assert_int_equal(get(w, "https", "/metrics", token, &text), 403);
    assert_int_equal(get(w, "https", "/metrics", token, &text), 403);
    assert_int_equal(get(w, "https", "/", NULL, &text), 404);
    assert_null(strstr(buf_str(&text), "cosmoscmk_"));
}

static void an_api_server_that_does_not_answer(struct world *w)
{
    _cleanup_(freep) char *token = make_account(w, "scraper");
    _cleanup_(freep) char *rule = xstrdup(
        "{\"match\":{\"pathContains\":\"tokenreviews\",\"count\":1},\"action\":{\"status\":503,\"body\":\"\"}}");

    azure_start(w, NULL);
    may_scrape(w, "scraper");
    start_with_certificate(w);
    (void)metrics_port(w);
    json_free(apiserver_ask("POST", "/fake/faults", rule));
    assert_int_equal(get(w, "https", "/metrics", token, NULL), 503);
    assert_int_equal(get(w, "https", "/metrics", token, NULL), 200);
}

static void plain_http_when_asked_for(struct world *w)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

    azure_start(w, NULL);
    controller_start(w, (const char *[]){"--metrics-address", "127.0.0.1:0", "--metrics-insecure", NULL});
    assert_int_equal(get(w, "http", "/metrics", NULL, &text), 200);
    assert_value(&text, "cosmoscmk_build_info{version=\"" COSMOSCMK_VERSION "\"}", 1, 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a scraper that may gets what an encryption has left", a_scraper_that_may,
            .no_crash = "it counts what one process has done"},
        {"who has no token, an unknown one, or no right, gets none of it", those_who_may_not,
            .no_crash = "it counts what one process has done"},
        {"when the API server cannot be asked, the scrape fails and the next one does not",
            an_api_server_that_does_not_answer, .fake_only = true, .no_crash = "it counts what one process has done"},
        {"plain HTTP needs no token, when it was asked for", plain_http_when_asked_for,
            .no_crash = "it counts what one process has done"},
    };

    return run_scenes("metrics", scenes, ARRAY_LEN(scenes));
}
