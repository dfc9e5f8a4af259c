/* What a person gets who starts it wrongly: one clear sentence, an exit code other than 0, within seconds, and no
 * crash. With SHOW_TEXTS=1 the sentences are printed, to be read by a person. */
#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/files.h"
#include "e2e/harness.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MS 30000 /* seconds, on a machine that is not loaded */

struct mistake {
    const char *what;
    const char *flags[8]; /* on top of good ones */
    const char *env[4];
    int status;
    const char *says; /* in the one sentence */
};

static char *bad_kubeconfig(struct world *w, const char *name, const char *server, const char *ca_file)
{
    char *path = xasprintf("%s/%s", w->dir, name);
    _cleanup_(freep) char *text =
        xasprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: "
                  "{cluster: c, user: u}\nclusters:\n- name: c\n  cluster: {server: \"%s\", "
                  "certificate-authority: \"%s\"}\nusers:\n- name: u\n  user: {token: t}\n",
            server, ca_file);

    write_file(path, text);
    return path;
}

static size_t count_lines_with(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void assert_one_sentence(const struct mistake *mistake, const char *output)
{
    /* Usage errors are plain text; what goes wrong later is one line of the log. */
    size_t errors =
        mistake->status == 2 ? count_lines_with(output, "\n") : count_lines_with(output, "\"level\":\"error\"");

    if (errors != 1)
        fail_msg("%s: not one sentence but %zu: %s", mistake->what, errors, output);
    if (!strstr(output, mistake->says))
        fail_msg("%s: it does not say \"%s\": %s", mistake->what, mistake->says, output);
    if (strstr(output, CLIENT_SECRET) || strstr(output, "Sanitizer"))
        fail_msg("%s: %s", mistake->what, output);
}

static void make(struct world *w, const struct mistake *mistake)
{
    struct process_spec spec = {.name = "cosmoscmk",
        .argv = {E2E_BUILD "/controller/cosmoscmk", "controller", "--kubeconfig", the_apiserver()->kubeconfig,
            "--namespace", w->ns, "--arm-endpoint", w->azure_url, "--authority-host", w->azure_url, "--azure-ca-file",
            w->azure_ca, "--probe-address", "", "--log-format", "json"},
        .env = {"AZURE_TENANT_ID=" TENANT, "AZURE_CLIENT_ID=" CLIENT, "AZURE_CLIENT_SECRET=" CLIENT_SECRET,
            "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "KUBECONFIG"}};
    _cleanup_(buf_done) struct buf output = {0};
    size_t n = 0, n_env = 0;

    while (spec.argv[n])
        n++;
    while (spec.env[n_env])
        n_env++;
    for (size_t i = 0; mistake->flags[i]; i++)
        spec.argv[n++] = mistake->flags[i];
    for (size_t i = 0; mistake->env[i]; i++)
        spec.env[n_env++] = mistake->env[i];
    int64_t begin = clock_mono_ms();
    int status = process_run(&spec, LIMIT_MS, &output);
    if (status != mistake->status)
        fail_msg("%s: it ended with %d after %lld ms: %s", mistake->what, status, (long long)(clock_mono_ms() - begin),
            buf_str(&output));
    assert_one_sentence(mistake, buf_str(&output));
    if (env_get("SHOW_TEXTS"))
        (void)printf("%s: %s\n", mistake->what, buf_str(&output));
}

static void make_all(struct world *w, const struct mistake *mistakes, size_t n)
{
    azure_start(w, NULL);
    for (size_t i = 0; i < n; i++)
        make(w, &mistakes[i]);
}

static void wrong_flags(struct world *w)
{
    static const struct mistake rows[] = {
        {"unknown flag", {"--no-such-flag"}, {0}, 2, "--no-such-flag"},
        {"flag without value", {"--context"}, {0}, 2, "--context needs a value"},
        {"no number", {"--workers", "many"}, {0}, 2, "--workers takes a whole number"},
        {"no duration", {"--resync", "soon"}, {0}, 2, "--resync takes a duration"},
        {"unknown level", {"--log-level", "loud"}, {0}, 2, "--log-level takes debug"},
        {"a lease that ends before its leader does", {"--leader-elect-lease-duration", "10s"}, {0}, 2,
            "--leader-elect-lease-duration (10s) must be longer than --leader-elect-renew-deadline (10s)"},
        {"a retry that comes too late", {"--leader-elect-retry-period", "9s"}, {0}, 2, "1.2 times"},
        {"an argument too many", {"orders"}, {0}, 2, "orders"},
    };

    make_all(w, rows, ARRAY_LEN(rows));
}

static void wrong_kubernetes(struct world *w)
{
    _cleanup_(freep) char *ca = xasprintf("%s/other-ca.pem", w->dir), *broken = xasprintf("%s/broken", w->dir);
    _cleanup_(freep) char *nobody = xasprintf("https://127.0.0.1:%d", free_port());
    _cleanup_(freep) char *missing = xasprintf("%s/missing", w->dir);
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    struct err err = ERR_INIT;

    azure_start(w, NULL);
    assert_int_equal(file_read(w->azure_ca, &pem, &err), 0);
    write_file(ca, buf_str(&pem));
    write_file(broken, "clusters: [unclosed\n");
    struct kube_config *config = NULL;
    const struct kube_config_options where = {.kubeconfig = the_apiserver()->kubeconfig};
    assert_int_equal(kube_config_load(&config, &where, &err), 0);
    _cleanup_(freep) char *untrusted = bad_kubeconfig(w, "untrusted", config->server, ca);
    _cleanup_(freep) char *unreachable = bad_kubeconfig(w, "unreachable", nobody, ca);
    (void)kube_config_free(config);
    const struct mistake rows[] = {
        {"missing kubeconfig", {"--kubeconfig", missing}, {0}, 1, missing},
        {"broken kubeconfig", {"--kubeconfig", broken}, {0}, 1, broken},
        {"a folder as kubeconfig", {"--kubeconfig", w->dir}, {0}, 1, w->dir},
        {"unknown context", {"--context", "nowhere"}, {0}, 1, "nowhere"},
        {"wrong CA", {"--kubeconfig", untrusted}, {0}, 1, "certificate"},
        {"unreachable server", {"--kubeconfig", unreachable}, {0}, 1, nobody},
        {"a name that no Lease can have", {"--leader-elect-name", "Not This"}, {0}, 1, "leader election"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        make(w, &rows[i]);
}

static void wrong_azure(struct world *w)
{
    static const struct mistake rows[] = {
        {"no tenant", {0}, {"AZURE_TENANT_ID"}, 1, "AZURE_TENANT_ID"},
        {"no client", {0}, {"AZURE_CLIENT_ID"}, 1, "AZURE_CLIENT_ID"},
        {"no secret", {0}, {"AZURE_CLIENT_SECRET"}, 1, "AZURE_CLIENT_SECRET"},
        {"missing CA file", {"--azure-ca-file", "/no/such/ca.pem"}, {0}, 1, "/no/such/ca.pem"},
        {"CA file that is none", {"--azure-ca-file", E2E_SOURCE "/crd/cosmoscmk.yaml"}, {0}, 1, "--azure-ca-file"},
        {"endpoint that is no URL", {"--arm-endpoint", "management.azure.com"}, {0}, 1, "begin with http"},
        {"endpoint without TLS", {"--arm-endpoint", "http://management.azure.com"}, {0}, 1, "http"},
        {"unknown cloud", {"--arm-endpoint", "", "--authority-host", "", "--cloud", "moon"}, {0}, 1, "moon"},
    };

    make_all(w, rows, ARRAY_LEN(rows));
}

static void wrong_probe_address(struct world *w)
{
    static const struct mistake rows[] = {
        {"no port", {"--probe-address", "127.0.0.1"}, {0}, 1, "--probe-address"},
        {"a port too high", {"--probe-address", ":70000"}, {0}, 1, "--probe-address"},
        {"an address of nobody", {"--probe-address", "192.0.2.1:8081"}, {0}, 1, "--probe-address"},
    };

    make_all(w, rows, ARRAY_LEN(rows));
}

int main(void)
{
    static const struct scene scenes[] = {
        {"wrong flags are named in one sentence", wrong_flags, .no_crash = "no controller comes up"},
        {"a kubeconfig or an API server that does not work is named in one sentence", wrong_kubernetes,
            .no_crash = "no controller comes up"},
        {"missing credentials and wrong settings for Azure are named in one sentence", wrong_azure,
            .no_crash = "no controller comes up"},
        {"a wrong probe address is named in one sentence", wrong_probe_address, .no_crash = "no controller comes up"},
    };

    return run_scenes("bad input", scenes, ARRAY_LEN(scenes));
}
