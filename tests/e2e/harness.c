#include "e2e/harness.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "e2e/crash.h"
#include "e2e/files.h"
#include "kube/config.h"

#include <signal.h>
#include <string.h>

#define LOG_MAX (256 << 20)
#define TAIL_BYTES 12000
#define CONTEXT_BYTES 100
#define KUBECTL_MS 120000
#define IDLE_WAIT_MS 30000
#define BUSY_WAIT_MS 120000

#define KEY_RESOURCE(name)                                                                                             \
    ",{\"id\":\"" GROUP_ID "/providers/Microsoft.KeyVault/vaults/demo-vault/keys/" name                                \
    "\",\"location\":\"westeurope\",\"properties\":{\"attributes\":{\"enabled\":true},\"kty\":\"RSA\",\"keySize\":"    \
    "3072,"                                                                                                            \
    "\"keyOps\":[\"wrapKey\",\"unwrapKey\"],\"keyUri\":\"https://demo-vault.vault.azure.net:443/keys/" name "\"}}"

/* The three accounts of deploy/samples, without times of their own: the flags of fake-azure give those. The vault is as
 * it should be, and the identity has access to its keys. */
static const char seed[] =
    "{\"accounts\":["
    "{\"name\":\"demo-orders\",\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\","
    "\"location\":\"West Europe\",\"backupPolicy\":\"Periodic\"},"
    "{\"name\":\"demo-ledger\",\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\","
    "\"location\":\"West Europe\",\"backupPolicy\":\"Continuous\",\"defaultIdentity\":\"FirstPartyIdentity\"},"
    "{\"name\":\"demo-legacy\",\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\","
    "\"location\":\"West Europe\",\"capabilities\":[\"EnableCassandra\"]}],"
    "\"resources\":[{\"id\":\"" GROUP_ID "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cosmos-cmk\","
    "\"location\":\"westeurope\",\"properties\":{\"tenantId\":\"" TENANT
    "\",\"principalId\":\"00000000-0000-0000-0000-0000000000c1\","
    "\"clientId\":\"00000000-0000-0000-0000-0000000000c2\"}},"
    "{\"id\":\"" GROUP_ID
    "/providers/Microsoft.KeyVault/vaults/demo-vault\",\"location\":\"westeurope\",\"properties\":{"
    "\"tenantId\":\"" TENANT "\",\"accessPolicies\":[{\"tenantId\":\"" TENANT
    "\",\"objectId\":\"00000000-0000-0000-0000-0000000000c1\",\"permissions\":{\"keys\":[\"get\",\"wrapKey\","
    "\"unwrapKey\"]}}],"
    "\"enableSoftDelete\":true,\"enablePurgeProtection\":true,\"vaultUri\":\"https://demo-vault.vault.azure.net/\","
    "\"provisioningState\":\"Succeeded\",\"publicNetworkAccess\":\"Enabled\"}}" KEY_RESOURCE("cosmos")
        KEY_RESOURCE("other") "]}";

static struct apiserver server;
static struct http_engine *engine;
static struct kube_client *kube;

int64_t wait_ms(void)
{
    return crash_is_on() ? BUSY_WAIT_MS : IDLE_WAIT_MS;
}

const struct apiserver *the_apiserver(void)
{
    return &server;
}

struct http_client *the_http(void)
{
    return http_engine_client(engine);
}

struct kube_client *the_kube(void)
{
    return kube;
}

/* ---- the group ---- */

static int connect_kube(struct err *err)
{
    const struct http_engine_options options = {.user_agent = "cosmoscmk-e2e"};
    const struct kube_config_options where = {.kubeconfig = server.kubeconfig};
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;

    if (http_engine_new(&engine, &options, err) < 0 || kube_config_load(&config, &where, err) < 0)
        return -1;
    return kube_client_new(&kube, engine, config, err);
}

static int group_setup(void **state _unused_)
{
    struct err err = ERR_INIT;

    apiserver_join(&server);
    if (connect_kube(&err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int group_teardown(void **state _unused_)
{
    kube = kube_client_free(kube);
    engine = http_engine_free(engine);
    apiserver_done(&server);
    return 0;
}

/* ---- one test ---- */

static int make_namespace(struct world *w, struct err *err)
{
    const struct kube_resource namespaces = {.group = "", .version = "v1", .plural = "namespaces"};
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject(), *answer = NULL;

    /* Known beforehand where the server is this test's alone, so that its requests can be named beforehand. */
    w->ns = crash_is_on() && server.ours ? xstrdup("e2e-crash")
                                         : xasprintf("e2e-%012llx", (unsigned long long)random_below(1ULL << 48));
    json_add_string(object, "apiVersion", "v1");
    json_add_string(object, "kind", "Namespace");
    json_add_string(json_add_object(object, "metadata"), "name", w->ns);
    return kube_create(kube, &namespaces, NULL, object, &answer, err);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err err = ERR_INIT;

    w->scene = *state;
    w->dir = make_scratch(server.dir);
    w->azure_ca = xasprintf("%s/azure/ca.pem", w->dir);
    w->azure_log = xasprintf("%s/azure.log", w->dir);
    w->controller_log = xasprintf("%s/controller.log", w->dir);
    *state = w;
    if (make_namespace(w, &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static void run(void **state)
{
    struct world *w = *state;

    if (w->scene->fake_only && !server.fake_url) {
        (void)fprintf(stderr, "SKIPPED: \"%s\" needs fake-apiserver\n", w->scene->name);
        w->passed = true;
        skip();
    }
    if (server.fake_url)
        crash_arm_apiserver();
    w->scene->test(w);
    crash_settle(w);
    w->passed = true;
}

/* Tokens of fake-azure are JWTs, whose text begins like this. */
static bool log_is_clean(const struct world *w)
{
    static const char *const never[] = {CLIENT_SECRET, "eyJ", "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
        "runtime error:", "please report this"};
    _cleanup_(buf_done) struct buf log = BUF_INIT(LOG_MAX);
    struct err err = ERR_INIT;
    bool clean = true;

    if (file_read(w->controller_log, &log, &err) < 0)
        return err.kind == ERR_NOT_FOUND; /* a test without a controller */
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        const char *at = strstr(buf_str(&log), never[i]);
        if (!at)
            continue;
        const char *from = at > buf_str(&log) + CONTEXT_BYTES ? at - CONTEXT_BYTES : buf_str(&log);
        (void)fprintf(stderr, "the controller's log contains \"%s\": %.*s\n", never[i], 2 * CONTEXT_BYTES, from);
        clean = false;
    }
    return clean;
}

/* Design 3.2: never anything together with keyVaultKeyUri. */
static bool patches_are_pure(struct world *w)
{
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, "PATCH", "/databaseAccounts/");
    const cJSON *entry;

    cJSON_ArrayForEach (entry, journal) {
        const char *body = json_string_at(entry, "body");
        const char *at = body ? strstr(body, "keyVaultKeyUri") : NULL;
        if (!at ||
            (str_has_prefix(body, "{\"properties\":{\"keyVaultKeyUri\":\"https://") && strchr(body, ',') == NULL))
            continue;
        (void)fprintf(stderr, "a PATCH sends more than the key: %s\n", body);
        return false;
    }
    return true;
}

/* Of a test that has failed nothing more is said than the logs: its own sentence is what counts. */
static int teardown(void **state)
{
    struct world *w = *state;
    bool failed = !w->passed, dirty = !failed && w->azure && !patches_are_pure(w);

    w->controller = process_end(w->controller);
    w->azure = process_end(w->azure);
    dirty = !log_is_clean(w) || dirty;
    if (failed || dirty) {
        print_tail("controller", w->controller_log, TAIL_BYTES, stderr);
        print_tail("fake-azure", w->azure_log, TAIL_BYTES, stderr);
    }
    remove_tree(w->dir);
    free(w->azure_url);
    free(w->azure_ca);
    free(w->azure_log);
    free(w->controller_log);
    free(w->dir);
    free(w->ns);
    free(w);
    return dirty && !failed ? -1 : 0;
}

static int list_scenes(const struct scene *scenes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (scenes[i].no_crash)
            (void)printf("- %s: %s\n", scenes[i].name, scenes[i].no_crash);
        else
            (void)printf("%zu %s\n", i, scenes[i].name);
    return 0;
}

int run_scenes(const char *group, const struct scene *scenes, size_t n)
{
    _cleanup_(freep) struct CMUnitTest *tests = xcalloc(n, sizeof(*tests));
    int64_t only = 0;

    if (crash_lists())
        return list_scenes(scenes, n);
    if (crash_scene()) {
        if (!str_to_i64(crash_scene(), 0, (int64_t)n - 1, &only))
            return 2;
        scenes += only;
        n = 1;
    }
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){.name = scenes[i].name,
            .test_func = run,
            .setup_func = setup,
            .teardown_func = teardown,
            .initial_state = (void *)&scenes[i]};
    return _cmocka_run_group_tests(group, tests, n, group_setup, group_teardown);
}

/* ---- processes ---- */

static void add_all(const char **argv, size_t *n, const char *const *more)
{
    for (; more && *more; more++) {
        assert_true(*n + 1 < PROCESS_MAX_ARGS);
        argv[(*n)++] = *more;
    }
}

void azure_start(struct world *w, const char *const *flags)
{
    _cleanup_(freep) char *tls = xasprintf("%s/azure", w->dir), *ready = xasprintf("%s/azure.url", w->dir);
    _cleanup_(freep) char *accounts = xasprintf("%s/accounts.json", w->dir);
    struct process_spec spec = {.name = "fake-azure",
        .argv = {E2E_BUILD "/tests/fakes/fake-azure", "--tls-dir", tls, "--ready-file", ready, "--parent-death",
            "--accounts", accounts, "--tenant", TENANT, "--client-id", CLIENT, "--client-secret", CLIENT_SECRET,
            "--identity-seconds", "0.3", "--encrypt-seconds", "0.4", "--enqueued-seconds", "0.1"},
        .out = w->azure_log};
    size_t n = 0;

    while (spec.argv[n])
        n++;
    add_all(spec.argv, &n, flags);
    write_file(accounts, seed);
    w->azure = process_start(&spec);
    w->azure_url = await_line(ready, w->azure, WAIT_MS);
    assert_non_null(w->azure_url);
    crash_arm_azure(w);
}

struct process *controller_spawn(struct world *w, const char *const *flags, const char *const *env)
{
    struct process_spec spec = {.name = "cosmoscmk",
        .argv = {E2E_BUILD "/controller/cosmoscmk", "controller", "--kubeconfig", server.controller_kubeconfig,
            "--namespace", w->ns, "--arm-endpoint", w->azure_url, "--authority-host", w->azure_url, "--azure-ca-file",
            w->azure_ca, "--probe-address", "", "--poll-min", "100ms", "--poll-max", "300ms", "--settle", "2s",
            "--resync", "1s", "--recheck", "1s", "--retry-min", "200ms", "--retry-max", "1s", "--log-level", "debug",
            "--log-format", "json", "--leader-elect=false"},
        .env = {"AZURE_TENANT_ID=" TENANT, "AZURE_CLIENT_ID=" CLIENT, "AZURE_CLIENT_SECRET=" CLIENT_SECRET,
            "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"},
        .out = w->controller_log};
    size_t n = 0, n_env = 0;

    while (spec.argv[n])
        n++;
    while (spec.env[n_env])
        n_env++;
    add_all(spec.argv, &n, flags);
    add_all(spec.env, &n_env, env);
    if (crash_is_on()) {
        assert_true(n + 2 < PROCESS_MAX_ARGS);
        memmove(spec.argv + 2, spec.argv, n * sizeof(spec.argv[0]));
        spec.argv[0] = E2E_BUILD "/tests/e2e/e2e_keeper";
        spec.argv[1] = crash_pid_file();
    }
    return process_start(&spec);
}

void controller_start_env(struct world *w, const char *const *flags, const char *const *env)
{
    assert_null(w->controller);
    w->controller = controller_spawn(w, flags, env);
}

void controller_start(struct world *w, const char *const *flags)
{
    controller_start_env(w, flags, NULL);
}

void controller_kill(struct world *w)
{
    w->controller = process_kill(w->controller);
}

int64_t controller_stop(struct world *w, int64_t limit_ms)
{
    int64_t begin = clock_mono_ms();
    int status = -1;

    process_signal(w->controller, SIGTERM);
    bool ended = process_wait(w->controller, limit_ms, &status);
    int64_t took = clock_mono_ms() - begin;
    w->controller = process_kill(w->controller);
    if (!ended)
        fail_msg("the controller has not ended %lld ms after SIGTERM", (long long)took);
    assert_int_equal(status, 0);
    return took;
}

char *kubectl(struct world *w, const char *const *args)
{
    struct process_spec spec = {.name = "kubectl",
        .argv = {"kubectl", "--kubeconfig", server.kubeconfig, "--namespace", w->ns},
        .env = {server.path}};
    _cleanup_(buf_done) struct buf output = {0};
    size_t n = 5;

    add_all(spec.argv, &n, args);
    int status = process_run(&spec, KUBECTL_MS, &output);
    if (status != 0)
        fail_msg("kubectl %s ended with %d: %s", args[0], status, buf_str(&output));
    return buf_take(&output);
}
