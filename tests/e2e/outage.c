/* The API server and etcd are stopped, killed and frozen under a running controller. Its server is its own, and a real
 * one: fake-apiserver forgets everything with its end. Without KUBEBUILDER_ASSETS it is skipped, and says so. */
#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <signal.h>
#include <string.h>

#define SKIPPED 77
#define SCRIPT_MS 180000
#define FREEZE_MS 3000 /* longer than any request of an idle server takes */

static void apiserver_sh(const char *verb)
{
    _cleanup_(freep) char *dir = xasprintf("%s/api", the_apiserver()->dir);
    const struct process_spec spec = {
        .name = "apiserver.sh", .argv = {E2E_SOURCE "/tests/e2e/apiserver.sh", verb, dir}};
    _cleanup_(buf_done) struct buf output = {0};

    if (process_run(&spec, SCRIPT_MS, &output) != 0)
        fail_msg("apiserver.sh %s: %s", verb, buf_str(&output));
}

static void signal_to(const char *program, int number)
{
    _cleanup_(freep) char *path = xasprintf("%s/api/%s.pid", the_apiserver()->dir, program);
    _cleanup_(buf_done) struct buf text = BUF_INIT(32);
    struct err err = ERR_INIT;

    if (file_read(path, &text, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(kill((pid_t)strtol(buf_str(&text), NULL, 10), number), 0);
}

static void assert_running(struct world *w)
{
    assert_false(process_wait(w->controller, 0, NULL));
}

static void begin(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
}

/* What comes after is seen, and what was there is as it was. */
static void end(struct world *w)
{
    assert_running(w);
    resource_create(w, "legacy", "demo-legacy", NULL);
    await_end(w, "legacy", "UnsupportedAccount");
    resource_patch(w, "orders", "{\"spec\":{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void stopped_and_started(struct world *w)
{
    begin(w);
    apiserver_sh("stop");
    assert_running(w);
    apiserver_sh("start");
    end(w);
}

static void killed(struct world *w)
{
    begin(w);
    signal_to("kube-apiserver", SIGKILL);
    signal_to("etcd", SIGKILL);
    apiserver_sh("stop"); /* forgets the pids */
    apiserver_sh("start");
    end(w);
}

static void frozen_etcd(struct world *w)
{
    begin(w);
    signal_to("etcd", SIGSTOP);
    clock_sleep_ms(FREEZE_MS);
    signal_to("etcd", SIGCONT);
    end(w);
}

/* While it is away an operation of Azure goes on and ends. */
static void away_during_an_operation(struct world *w)
{
    azure_start(w, (const char *const[]){"--encrypt-seconds", "600", NULL});
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypting");
    apiserver_sh("stop");
    json_free(azure_ask(w, "POST", "/fake/operations/demo-orders/finish", "{\"state\":\"Succeeded\"}"));
    apiserver_sh("start");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"an API server that is stopped and started is followed on", stopped_and_started},
        {"so is one that is killed together with etcd", killed},
        {"so is one whose etcd stands still for a while", frozen_etcd},
        {"an operation that ends meanwhile is found to have ended", away_during_an_operation},
    };

    if (!env_get("KUBEBUILDER_ASSETS")) {
        (void)fprintf(stderr,
            "%s: outages were not tried, because KUBEBUILDER_ASSETS is not set.\n"
            "    export KUBEBUILDER_ASSETS=$(hack/envtest.sh)\n",
            env_get("CI") ? "FAILED" : "SKIPPED");
        return env_get("CI") ? 1 : SKIPPED;
    }
    return run_scenes("outage", scenes, ARRAY_LEN(scenes));
}
