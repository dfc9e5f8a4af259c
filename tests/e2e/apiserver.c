#include "e2e/apiserver.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/files.h"
#include "kube/client.h"
#include "yaml/yaml_json.h"

#include <string.h>
#include <sys/stat.h>

#define START_MS 60000
#define CRD_MAX (1 << 20)
#define LOG_BYTES 6000
#define REAL_START_MS 180000

static _Noreturn void give_up(struct apiserver *server, const char *what, const char *detail)
{
    (void)fprintf(stderr, "%s\n%s\n", what, detail);
    apiserver_done(server);
    exit(1);
}

static void run_or_give_up(struct apiserver *server, const struct process_spec *spec, int64_t timeout_ms)
{
    _cleanup_(buf_done) struct buf output = {0};

    if (process_run(spec, timeout_ms, &output) != 0)
        give_up(server, spec->name, buf_str(&output));
}

static void start_fake(struct apiserver *server)
{
    _cleanup_(freep) char *tls = xasprintf("%s/api-tls", server->dir), *log = xasprintf("%s/api.log", server->dir);
    _cleanup_(freep) char *ready = xasprintf("%s/api.url", server->dir);
    const struct process_spec spec = {.name = "fake-apiserver",
        .argv = {E2E_BUILD "/tests/fakes/fake-apiserver", "--tls-dir", tls, "--ready-file", ready, "--kubeconfig-out",
            server->kubeconfig, "--parent-death"},
        .out = log};

    server->fake = process_start(&spec);
    server->fake_url = await_line(ready, server->fake, START_MS);
    if (!server->fake_url) {
        print_tail("fake-apiserver", log, LOG_BYTES, stderr);
        give_up(server, "fake-apiserver did not start", "");
    }
    server->fake_ca = xasprintf("%s/ca.pem", tls);
}

static void start_real(struct apiserver *server)
{
    _cleanup_(freep) char *dir = xasprintf("%s/api", server->dir);
    const struct process_spec spec = {
        .name = "the real API server did not start", .argv = {E2E_SOURCE "/tests/e2e/apiserver.sh", "start", dir}};

    server->real_started = true;
    run_or_give_up(server, &spec, REAL_START_MS);
    str_replace(&server->kubeconfig, NULL);
    server->kubeconfig = xasprintf("%s/kubeconfig", dir);
}

static void apply_crd(struct apiserver *server)
{
    const struct process_spec apply = {.name = "the CRD is not accepted",
        .argv = {"kubectl", "--kubeconfig", server->kubeconfig, "apply", "-f", E2E_SOURCE "/crd/cosmoscmk.yaml"},
        .env = {server->path}};
    const struct process_spec wait = {.name = "the CRD is not established",
        .argv = {"kubectl", "--kubeconfig", server->kubeconfig, "wait", "--for=condition=Established", "--timeout=60s",
            "crd/cosmoscmks.cosmoscmk.io"},
        .env = {server->path}};

    run_or_give_up(server, &apply, START_MS);
    run_or_give_up(server, &wait, START_MS + 10000);
}

/* The same without kubectl, for the crash tests, which start a server a thousand times. */
static int create_crd(const struct apiserver *server, struct err *err)
{
    static const struct kube_resource crds = {"apiextensions.k8s.io", "v1", "customresourcedefinitions"};
    static const char file[] = E2E_SOURCE "/crd/cosmoscmk.yaml";
    const struct http_engine_options options = {.user_agent = "cosmoscmk-e2e"};
    const struct kube_config_options where = {.kubeconfig = server->kubeconfig};
    _cleanup_(http_engine_freep) struct http_engine *engine = NULL;
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    _cleanup_(kube_client_freep) struct kube_client *client = NULL;
    _cleanup_(json_freep) cJSON *crd = NULL, *answer = NULL;
    _cleanup_(buf_done) struct buf text = BUF_INIT(CRD_MAX);

    if (file_read(file, &text, err) < 0 || yaml_read(&crd, file, text.data, text.len, CRD_MAX, err) < 0 ||
        http_engine_new(&engine, &options, err) < 0 || kube_config_load(&config, &where, err) < 0 ||
        kube_client_new(&client, engine, config, err) < 0)
        return -1;
    return kube_create(client, &crds, NULL, crd, &answer, err);
}

static void make_identity(struct apiserver *server)
{
    const struct process_spec spec = {.name = "the controller's identity was not made",
        .argv = {E2E_SOURCE "/tests/e2e/identity.sh", server->kubeconfig, server->controller_kubeconfig},
        .env = {server->path}};

    run_or_give_up(server, &spec, START_MS);
}

static void tell_children(struct apiserver *server)
{
    size_t n = 0;

    server->env[n++] = xasprintf("E2E_DIR=%s", server->dir);
    server->env[n++] = xasprintf("E2E_KUBECONFIG=%s", server->kubeconfig);
    server->env[n++] = xasprintf("E2E_CONTROLLER_KUBECONFIG=%s", server->controller_kubeconfig);
    if (server->fake_url) {
        server->env[n++] = xasprintf("E2E_FAKE_URL=%s", server->fake_url);
        server->env[n++] = xasprintf("E2E_FAKE_CA=%s", server->fake_ca);
    }
}

static char *path_with_kubectl(void)
{
    const char *assets = env_get("KUBEBUILDER_ASSETS"), *path = env_get("PATH");

    return xasprintf("PATH=%s%s%s", assets ? assets : "", assets ? ":" : "", path ? path : "/usr/bin:/bin");
}

void apiserver_start(struct apiserver *server, bool real)
{
    struct err err = ERR_INIT;

    *server = (struct apiserver){.ours = true, .path = path_with_kubectl(), .dir = make_scratch(NULL)};
    server->kubeconfig = xasprintf("%s/kubeconfig", server->dir);
    server->controller_kubeconfig =
        real ? xasprintf("%s/controller.kubeconfig", server->dir) : xstrdup(server->kubeconfig);
    if (real)
        start_real(server);
    else
        start_fake(server);
    if (env_get("E2E_OWN_FAKE") && create_crd(server, &err) < 0)
        give_up(server, "the CRD is not accepted", err.msg);
    else if (!env_get("E2E_OWN_FAKE"))
        apply_crd(server);
    if (real)
        make_identity(server);
    tell_children(server);
}

void apiserver_join(struct apiserver *server)
{
    const char *kubeconfig = env_get("E2E_KUBECONFIG");

    if (!kubeconfig) {
        apiserver_start(server, env_get("KUBEBUILDER_ASSETS") != NULL && !env_get("E2E_OWN_FAKE"));
        return;
    }
    *server = (struct apiserver){.path = path_with_kubectl(),
        .dir = make_scratch(env_get("E2E_DIR")),
        .kubeconfig = xstrdup(kubeconfig),
        .controller_kubeconfig = xstrdup(env_get("E2E_CONTROLLER_KUBECONFIG")),
        .fake_url = xstrdup(env_get("E2E_FAKE_URL")),
        .fake_ca = xstrdup(env_get("E2E_FAKE_CA"))};
    tell_children(server);
}

void apiserver_done(struct apiserver *server)
{
    if (server->real_started) {
        _cleanup_(freep) char *dir = xasprintf("%s/api", server->dir);
        const struct process_spec spec = {
            .name = "apiserver.sh", .argv = {E2E_SOURCE "/tests/e2e/apiserver.sh", "stop", dir}};
        _cleanup_(buf_done) struct buf output = {0};
        (void)process_run(&spec, START_MS, &output);
    }
    server->fake = process_end(server->fake);
    remove_tree(server->dir);
    for (size_t i = 0; i < ARRAY_LEN(server->env); i++)
        free(server->env[i]);
    free(server->dir);
    free(server->kubeconfig);
    free(server->controller_kubeconfig);
    free(server->fake_url);
    free(server->fake_ca);
    free(server->path);
    *server = (struct apiserver){0};
}
