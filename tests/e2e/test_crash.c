/* Scenes that are there to be disturbed (crash.h): those parts of the program that the others leave aside, each in the
 * middle of an encryption. Undisturbed they are ordinary tests. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "e2e/files.h"
#include "e2e/harness.h"

#define POLL_MS 50
#define FLEET 5

static void three_steps(struct world *w)
{
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    await_end(w, "ledger", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
}

/* The operation lasts for some renewals. Whoever is started after a kill waits until the Lease has run out. */
static void with_a_lease(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "1.5", NULL});
    controller_start(w, (const char *const[]){"--kubeconfig", the_apiserver()->kubeconfig, "--leader-elect=true",
                            "--leader-elect-namespace", w->ns, "--leader-elect-lease-duration", "8s",
                            "--leader-elect-renew-deadline", "7s", "--leader-elect-retry-period", "500ms", NULL});
    three_steps(w);
}

/* ---- metrics: each scrape is a TokenReview ---- */

static void make_certificate(const char *key, const char *certificate)
{
    const struct process_spec spec = {.name = "openssl",
        .argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
            "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
            certificate}};
    _cleanup_(buf_done) struct buf output = {0};

    if (process_run(&spec, WAIT_MS, &output) != 0)
        fail_msg("openssl: %s", buf_str(&output));
}

/* The status, 0 when there was no answer: whoever was to answer may have been killed. A token that nobody knows is
 * asked about each time. */
static int scrape(const char *url, struct http_tls *tls)
{
    _cleanup_(http_response_done) struct http_response response;
    _cleanup_(freep) char *token = xasprintf("Bearer nobody-%lld", (long long)clock_mono_ms());
    const struct http_request request = {.url = url, .headers = {{"Authorization", token}}, .tls = tls};
    struct err err = ERR_INIT;

    http_response_init(&response);
    return http_do(the_http(), &request, &response, &err) < 0 ? 0 : response.status;
}

static void await_refusals(const char *url, struct http_tls *tls, int n)
{
    for (int64_t deadline = clock_mono_ms() + WAIT_MS; n > 0; clock_sleep_ms(POLL_MS)) {
        n -= scrape(url, tls) == 401;
        if (clock_mono_ms() >= deadline)
            fail_msg("the metrics are not refused to whom nobody knows");
    }
}

static void with_scrapes(struct world *w)
{
    _cleanup_(freep) char *key = xasprintf("%s/metrics.key", w->dir), *ca = xasprintf("%s/metrics.crt", w->dir);
    _cleanup_(freep) char *address = xasprintf("127.0.0.1:%d", free_port());
    _cleanup_(freep) char *url = xasprintf("https://%s/metrics", address);
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    _cleanup_(http_tls_unrefp) struct http_tls *tls = NULL;
    struct err err = ERR_INIT;

    make_certificate(key, ca);
    assert_int_equal(file_read(ca, &pem, &err), 0);
    const struct http_tls_options options = {.ca_pem = buf_str(&pem)};
    assert_int_equal(http_tls_new(&tls, &options, &err), 0);
    azure_start(w, NULL);
    controller_start(w, (const char *const[]){
                            "--metrics-address", address, "--metrics-cert-file", ca, "--metrics-key-file", key, NULL});
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    await_refusals(url, tls, 3);
    await_end(w, "ledger", "Encrypted");
    await_refusals(url, tls, 1);
    assert_int_equal(azure_patches(w, "demo-ledger"), 3);
}

/* ---- several at once ---- */

static void a_fleet(struct world *w)
{
    azure_start(w, NULL);
    for (int i = 0; i < FLEET; i++) {
        _cleanup_(freep) char *name = xasprintf("fleet-%d", i), *path = xasprintf("/fake/accounts/%s", name);
        json_free(azure_ask(
            w, "PUT", path, "{\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\"}"));
        resource_create(w, name, name, NULL);
    }
    controller_start(w, (const char *const[]){"--workers", "4", NULL});
    three_steps(w);
    for (int i = 0; i < FLEET; i++) {
        _cleanup_(freep) char *name = xasprintf("fleet-%d", i);
        await_end(w, name, "Encrypted");
        assert_int_equal(azure_patches(w, name), 1);
    }
}

/* ---- refused for good: also when the first refusal was lost with its answer ---- */

static void refused_at_once(struct world *w)
{
    azure_start(w, NULL);
    json_free(azure_ask(w, "PUT", "/fake/accounts/demo-orders",
        "{\"refuseWith\":{\"status\":400,\"code\":\"BadRequest\",\"message\":\"The key is not "
        "usable\",\"times\":99}}"));
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "OperationFailed");
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a leader that renews its Lease encrypts an account in three steps", with_a_lease},
        {"metrics are scraped while an account is encrypted in three steps", with_scrapes, .fake_only = true},
        {"several accounts are encrypted at the same time", a_fleet},
        {"a PATCH that is refused for good stalls", refused_at_once},
    };

    return run_scenes("crashes", scenes, ARRAY_LEN(scenes));
}
