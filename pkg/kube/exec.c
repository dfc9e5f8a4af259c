/* Exec credential plugins: what goes in (environment) and what comes out (an ExecCredential).
 *
 * The protocol is described in "Client authentication (v1)" of the Kubernetes reference. Nothing of the output is ever
 * put in a message: it holds the token. */
#include "kube/exec.h"

#include "base/mem.h"
#include "base/run.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/base64.h"
#include "kube/wipe.h"

#include <string.h>
#include <unistd.h>

#define MAX_OUTPUT (1 << 20)
#define MAX_TOKEN (64 << 10)

struct kube_plugin {
    char **argv;
    char **envp;
    char *api_version;
    char *install_hint;
};

void kube_credential_done(struct kube_credential *credential)
{
    (void)secret_unref(credential->token);
    free(credential->cert_pem);
    (void)secret_unref(credential->key_pem);
    *credential = (struct kube_credential){0};
}

static size_t count(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static void free_list(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

static void add_cluster(cJSON *spec, const struct kube_config *config)
{
    cJSON *cluster = json_add_object(spec, "cluster");

    json_add_string(cluster, "server", config->server);
    json_add_string(cluster, "tls-server-name", config->server_name);
    json_add_string(cluster, "proxy-url", config->proxy);
    if (config->ca_pem) {
        _cleanup_(freep) char *ca = kube_base64_encode(config->ca_pem, strlen(config->ca_pem));
        json_add_string(cluster, "certificate-authority-data", ca);
    }
}

/* KUBERNETES_EXEC_INFO=... */
static char *exec_info(const struct kube_config *config)
{
    _cleanup_(json_freep) cJSON *info = cJSON_CreateObject();

    json_add_string(info, "kind", "ExecCredential");
    json_add_string(info, "apiVersion", config->exec->api_version);
    cJSON *spec = json_add_object(info, "spec");
    (void)cJSON_AddBoolToObject(spec, "interactive", false);
    if (config->exec->provide_cluster_info)
        add_cluster(spec, config);
    _cleanup_(freep) char *text = json_print(info);
    return xasprintf("KUBERNETES_EXEC_INFO=%s", text);
}

static bool has_name_of(char *const *list, size_t n, const char *variable)
{
    size_t len = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < n; i++)
        if (strncmp(list[i], variable, len) == 0)
            return true;
    return false;
}

/* Ours first, then the kubeconfig's, then what this process has, each name once. */
static char **environment(const struct kube_config *config)
{
    char **ours = config->exec->env;
    char **list = xcalloc(count(ours) + count(environ) + 2, sizeof(*list));
    size_t n = 0;

    list[n++] = exec_info(config);
    for (size_t i = 0; ours && ours[i]; i++)
        if (!has_name_of(list, n, ours[i]))
            list[n++] = xstrdup(ours[i]);
    size_t fixed = n;
    for (char **variable = environ; variable && *variable; variable++)
        if (!has_name_of(list, fixed, *variable))
            list[n++] = xstrdup(*variable);
    return list;
}

struct kube_plugin *kube_plugin_new(const struct kube_config *config)
{
    struct kube_plugin *plugin = xcalloc(1, sizeof(*plugin));
    char **args = config->exec->args;

    plugin->argv = xcalloc(count(args) + 2, sizeof(*plugin->argv));
    plugin->argv[0] = xstrdup(config->exec->command);
    for (size_t i = 0; args && args[i]; i++)
        plugin->argv[i + 1] = xstrdup(args[i]);
    plugin->envp = environment(config);
    plugin->api_version = xstrdup(config->exec->api_version);
    plugin->install_hint = xstrdup(config->exec->install_hint);
    return plugin;
}

struct kube_plugin *kube_plugin_free(struct kube_plugin *plugin)
{
    if (!plugin)
        return NULL;
    free_list(plugin->argv);
    free_list(plugin->envp);
    free(plugin->api_version);
    free(plugin->install_hint);
    free(plugin);
    return NULL;
}

static int bad_answer(struct err *err, const char *what)
{
    return err_set(err, ERR_UNAUTHORIZED, "its answer is unusable: %s", what);
}

/* A token becomes part of a header line. */
static bool is_token(const char *token)
{
    for (const char *c = token; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return false;
    return strlen(token) <= MAX_TOKEN;
}

static int decode_status(const cJSON *status, struct kube_credential *ret, struct err *err)
{
    const char *token = json_string_at(status, "token");
    const char *cert = json_string_at(status, "clientCertificateData");
    const char *key = json_string_at(status, "clientKeyData");
    const cJSON *expires = json_member(status, "expirationTimestamp");

    if (str_empty(cert) != str_empty(key))
        return bad_answer(err, "a certificate needs its key, and a key its certificate");
    if (str_empty(token) && str_empty(cert))
        return bad_answer(err, "neither status.token nor status.clientCertificateData");
    if (!str_empty(token) && !is_token(token))
        return bad_answer(err, "status.token holds characters that no token has");
    ret->expires_wall_ms = INT64_MAX;
    if (expires && !cJSON_IsNull(expires) &&
        !(cJSON_IsString(expires) && time_parse_rfc3339(expires->valuestring, &ret->expires_wall_ms)))
        return bad_answer(err, "status.expirationTimestamp is no time");
    ret->token = str_empty(token) ? NULL : secret_new(token, strlen(token));
    ret->cert_pem = str_empty(cert) ? NULL : xstrdup(cert);
    ret->key_pem = str_empty(key) ? NULL : secret_new(key, strlen(key));
    return 0;
}

static int decode(const struct kube_plugin *plugin, const struct buf *out, struct kube_credential *ret, struct err *err)
{
    _cleanup_(kube_wipe_treep) cJSON *tree = NULL;

    if (json_parse(&tree, buf_str(out), out->len, NULL) < 0)
        return bad_answer(err, "not JSON");
    if (!str_eq(json_string_at(tree, "kind"), "ExecCredential"))
        return bad_answer(err, "not an ExecCredential");
    if (!str_eq(json_string_at(tree, "apiVersion"), plugin->api_version))
        return bad_answer(err, "another apiVersion than the kubeconfig asks for");
    return decode_status(json_member(tree, "status"), ret, err);
}

static bool is_cancelled(const void *cancel)
{
    return http_cancel_triggered(cancel);
}

static int run_to_success(const struct run *run, struct buf *out, struct err *err)
{
    int status = run_program(run, out, err);

    if (status <= 0)
        return status;
    if (status == 127) /* the loader's or a shell's word for it */
        return err_set(err, ERR_NOT_FOUND, "%s, or a program that it uses, was not found", run->argv[0]);
    return err_set(err, ERR_UNAUTHORIZED, "%s failed with exit status %d; its own words are on standard error",
        run->argv[0], status);
}

int kube_plugin_run(const struct kube_plugin *plugin, int64_t timeout_ms, struct http_cancel *cancel,
    struct kube_credential *ret, struct err *err)
{
    _cleanup_(kube_wipe_buf) struct buf out = BUF_INIT(MAX_OUTPUT);
    const struct run run = {
        plugin->argv, plugin->envp, timeout_ms, .stopped = cancel ? is_cancelled : NULL, .ctx = cancel};
    struct err e;

    *ret = (struct kube_credential){0};
    if (run_to_success(&run, &out, &e) == 0 && decode(plugin, &out, ret, &e) == 0)
        return 0;
    (void)err_wrap(&e, "credential plugin %s", plugin->argv[0]);
    if (err && e.kind == ERR_NOT_FOUND && !str_empty(plugin->install_hint))
        (void)err_set(err, ERR_UNAUTHORIZED, "%s. %s", e.msg, plugin->install_hint);
    else if (err)
        *err = e;
    if (err && err->kind != ERR_CANCELLED)
        err->kind = ERR_UNAUTHORIZED;
    return -1;
}
