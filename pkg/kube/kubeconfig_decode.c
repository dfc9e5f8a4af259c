/* From a context of kubeconfig files to one struct kube_config.
 *
 * What we do not support is refused and never silently left out: a config that means "do not verify" or "log in with a
 * password" must not turn into an anonymous, or a verified, connection that fails for a reason nobody can see. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "kube/base64.h"
#include "kube/kubeconfig.h"
#include "kube/proxy.h"
#include "kube/wipe.h"

#include <string.h>

#define MAX_PEM (1 << 20)
#define MAX_TOKEN (64 << 10)
#define MAX_EXEC_ITEMS 256
#define MAX_SERVER 2048

/* path as the file means it: relative to the folder of the file. */
static char *resolve(const struct kubeconfig_place *at, const char *path)
{
    const char *slash = strrchr(at->file->path, '/');

    if (*path == '/' || !slash)
        return xstrdup(path);
    return xasprintf("%.*s/%s", (int)(slash - at->file->path), at->file->path, path);
}

/* The PEM text of FIELD-data or of the file FIELD, data first as in client-go; an empty buffer when there is neither.
 */
static int load_pem(
    const struct kubeconfig_place *at, const char *field, const char *data_field, struct buf *ret, struct err *err)
{
    const char *data, *path;

    if (kubeconfig_text(at, data_field, &data, err) < 0 || kubeconfig_text(at, field, &path, err) < 0)
        return -1;
    if (data && !kube_base64_decode(data, ret))
        return kubeconfig_fail(at, data_field, err, ret->overflow ? "longer than 1 MiB" : "not base64");
    if (!data && path) {
        _cleanup_(freep) char *resolved = resolve(at, path);
        if (file_read(resolved, ret, err) < 0) {
            if (err)
                err->kind = ERR_INVALID;
            return err_wrap(err, "%s: %s.%s", at->file->path, at->name, field);
        }
    }
    if ((data || path) && (ret->len == 0 || strlen(buf_str(ret)) != ret->len))
        return kubeconfig_fail(at, data ? data_field : field, err, "not PEM text");
    return 0;
}

static int decode_server(const struct kubeconfig_place *at, struct kube_config *config, struct err *err)
{
    const char *server;
    struct http_url url;

    if (kubeconfig_text(at, "server", &server, err) < 0)
        return -1;
    if (!server)
        return kubeconfig_fail(at, "server", err, "missing");
    if (strlen(server) > MAX_SERVER || http_url_parse(server, &url, NULL) < 0)
        return kubeconfig_fail(at, "server", err, "not a URL such as https://10.0.0.1:6443");
    if (url.has_userinfo || strpbrk(url.path, "?#"))
        return kubeconfig_fail(at, "server", err, "a user, a query or a fragment has no place in it");
    if (str_eq(url.scheme, "http") && !kube_host_is_loopback(url.host))
        return kubeconfig_fail(at, "server", err, "plain http is accepted on loopback only, use https");
    size_t n = strlen(server);
    while (n > 0 && server[n - 1] == '/')
        n--;
    config->server = xstrndup(server, n);
    return 0;
}

static int decode_cluster(const struct kubeconfig_place *at, struct kube_config *config, struct err *err)
{
    _cleanup_(buf_done) struct buf ca = BUF_INIT(MAX_PEM);
    const char *server_name, *proxy, *ca_data, *ca_path;

    const cJSON *insecure = json_member(at->object, "insecure-skip-tls-verify");
    if (insecure && !cJSON_IsNull(insecure) && !cJSON_IsFalse(insecure))
        return kubeconfig_fail(at, "insecure-skip-tls-verify", err,
            "refused, the API server is always verified: give certificate-authority-data instead");
    if (decode_server(at, config, err) < 0)
        return -1;
    if (kubeconfig_text(at, "tls-server-name", &server_name, err) < 0 ||
        kubeconfig_text(at, "proxy-url", &proxy, err) < 0)
        return -1;
    if (proxy && !kube_proxy_is_usable(proxy))
        return kubeconfig_fail(at, "proxy-url", err, "only http and https proxies are understood");
    if (load_pem(at, "certificate-authority", "certificate-authority-data", &ca, err) < 0 ||
        kubeconfig_text(at, "certificate-authority-data", &ca_data, err) < 0 ||
        kubeconfig_text(at, "certificate-authority", &ca_path, err) < 0)
        return -1;
    config->ca_file = ca_path && !ca_data ? resolve(at, ca_path) : NULL;
    config->server_name = xstrdup(server_name);
    config->proxy = xstrdup(proxy);
    config->ca_pem = ca.len ? buf_take(&ca) : NULL;
    return 0;
}

/* Refuses what would make us somebody else than the file says. */
static int refuse_unsupported(const struct kubeconfig_place *at, struct err *err)
{
    static const struct {
        const char *field, *why;
    } refused[] = {
        {"auth-provider", "was removed from Kubernetes in 1.26: use exec with a credential plugin"},
        {"username", "user name and password were removed from Kubernetes in 1.19: use a token or a certificate"},
        {"password", "user name and password were removed from Kubernetes in 1.19: use a token or a certificate"},
        {"as", "impersonation is not supported: use the identity itself"},
        {"as-uid", "impersonation is not supported: use the identity itself"},
        {"as-groups", "impersonation is not supported: use the identity itself"},
        {"as-user-extra", "impersonation is not supported: use the identity itself"},
    };

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const cJSON *value = json_member(at->object, refused[i].field);
        bool empty = !value || cJSON_IsNull(value) || (cJSON_IsString(value) && !*value->valuestring) ||
                     (!cJSON_IsString(value) && !value->child && (value->type & (cJSON_Array | cJSON_Object)));
        if (!empty)
            return kubeconfig_fail(at, refused[i].field, err, "%s", refused[i].why);
    }
    return 0;
}

/* A list of the place, NULL when there is none. */
static int exec_list(const struct kubeconfig_place *at, const char *field, const cJSON **ret, struct err *err)
{
    *ret = json_member(at->object, field);
    if (!*ret || cJSON_IsNull(*ret)) {
        *ret = NULL;
        return 0;
    }
    if (!cJSON_IsArray(*ret) || cJSON_GetArraySize(*ret) > MAX_EXEC_ITEMS)
        return kubeconfig_fail(at, field, err, "expected a list of at most %d", MAX_EXEC_ITEMS);
    return 0;
}

static int decode_args(const struct kubeconfig_place *at, char ***ret, struct err *err)
{
    const cJSON *list, *item;
    size_t n = 0;

    if (exec_list(at, "args", &list, err) < 0)
        return -1;
    *ret = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(**ret));
    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item))
            return kubeconfig_fail(at, "args", err, "expected strings (numbers and booleans need quotes)");
        (*ret)[n++] = xstrdup(item->valuestring);
    }
    return 0;
}

static int decode_env(const struct kubeconfig_place *at, char ***ret, struct err *err)
{
    const cJSON *list, *item;
    size_t n = 0;

    if (exec_list(at, "env", &list, err) < 0)
        return -1;
    *ret = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(**ret));
    cJSON_ArrayForEach (item, list) {
        const char *name = json_string_at(item, "name"), *value = json_string_at(item, "value");
        if (str_empty(name) || strchr(name, '=') || !value)
            return kubeconfig_fail(at, "env", err, "expected objects with a name and a value, both strings");
        (*ret)[n++] = xasprintf("%s=%s", name, value);
    }
    return 0;
}

static int check_exec(const struct kubeconfig_place *at, const char *version, const char *mode, struct err *err)
{
    if (!str_eq(version, "client.authentication.k8s.io/v1") && !str_eq(version, "client.authentication.k8s.io/v1beta1"))
        return kubeconfig_fail(at, "apiVersion", err, "expected client.authentication.k8s.io/v1 or v1beta1");
    if (str_eq(mode, "Always"))
        return kubeconfig_fail(at, "interactiveMode", err, "Always is refused: nobody is there to answer the plugin");
    return 0;
}

static int decode_exec(const struct kubeconfig_place *user, struct kube_config *config, struct err *err)
{
    struct kubeconfig_place at = *user;
    const char *version, *command, *hint, *mode;

    at.object = json_member(user->object, "exec");
    if (!at.object || cJSON_IsNull(at.object))
        return 0;
    (void)strncat(at.name, ".exec", sizeof(at.name) - strlen(at.name) - 1);
    if (!cJSON_IsObject(at.object))
        return kubeconfig_fail(&at, NULL, err, "expected an object");
    if (kubeconfig_text(&at, "apiVersion", &version, err) < 0 || kubeconfig_text(&at, "command", &command, err) < 0 ||
        kubeconfig_text(&at, "installHint", &hint, err) < 0 || kubeconfig_text(&at, "interactiveMode", &mode, err) < 0)
        return -1;
    if (check_exec(&at, version, mode, err) < 0)
        return -1;
    if (!command)
        return kubeconfig_fail(&at, "command", err, "missing");
    struct kube_exec *exec = config->exec = xcalloc(1, sizeof(*exec));
    exec->api_version = xstrdup(version);
    exec->command = strchr(command, '/') ? resolve(&at, command) : xstrdup(command); /* a bare name: $PATH */
    exec->install_hint = xstrdup(hint);
    exec->provide_cluster_info = json_bool_at(at.object, "provideClusterInfo", false);
    return decode_args(&at, &exec->args, err) < 0 ? -1 : decode_env(&at, &exec->env, err);
}

static int decode_token(const struct kubeconfig_place *at, struct kube_config *config, struct err *err)
{
    const char *token, *file;

    if (kubeconfig_text(at, "token", &token, err) < 0 || kubeconfig_text(at, "tokenFile", &file, err) < 0)
        return -1;
    if (token && strlen(token) > MAX_TOKEN)
        return kubeconfig_fail(at, "token", err, "longer than 64 KiB");
    for (const char *c = token; c && *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return kubeconfig_fail(at, "token", err, "holds white space or a character that no token has");
    config->token = token ? secret_new(token, strlen(token)) : NULL;
    config->token_file = file ? resolve(at, file) : NULL;
    return 0;
}

static int decode_user(const struct kubeconfig_place *at, struct kube_config *config, struct err *err)
{
    _cleanup_(buf_done) struct buf cert = BUF_INIT(MAX_PEM);
    _cleanup_(kube_wipe_buf) struct buf key = BUF_INIT(MAX_PEM);

    if (refuse_unsupported(at, err) < 0)
        return -1;
    if (load_pem(at, "client-certificate", "client-certificate-data", &cert, err) < 0 ||
        load_pem(at, "client-key", "client-key-data", &key, err) < 0)
        return -1;
    if (!cert.len != !key.len)
        return kubeconfig_fail(at, NULL, err, "a client certificate needs its key, and a key its certificate");
    config->client_key_pem = key.len ? secret_new(buf_str(&key), key.len) : NULL;
    config->client_cert_pem = cert.len ? buf_take(&cert) : NULL;
    return decode_token(at, config, err) < 0 ? -1 : decode_exec(at, config, err);
}

/* What the context's field names: 1, or 0 when it names nothing. */
static int follow(const struct kubeconfig *k, const struct kubeconfig_place *context, const char *member,
    const char *list, struct kubeconfig_place *ret, struct err *err)
{
    const char *name;

    if (kubeconfig_text(context, member, &name, err) < 0)
        return -1;
    if (!name)
        return 0;
    int r = kubeconfig_find(k, list, member, name, ret, err);
    if (r == 0) {
        _cleanup_(freep) char *paths = kubeconfig_paths(k);
        return kubeconfig_fail(context, member, err, "\"%s\" is not among the %s of %s", name, list, paths);
    }
    return r;
}

static int find_context(const struct kubeconfig *k, const char **name, struct kubeconfig_place *ret, struct err *err)
{
    _cleanup_(freep) char *paths = kubeconfig_paths(k), *names = kubeconfig_names(k, "contexts");
    const char *known = *names ? names : "none";
    int r = *name ? 1 : kubeconfig_current_context(k, name, err);

    if (r == 0)
        return err_set(err, ERR_INVALID, "%s: no current-context is set; contexts: %s", paths, known);
    if (r > 0)
        r = kubeconfig_find(k, "contexts", "context", *name, ret, err);
    if (r == 0)
        return err_set(err, ERR_INVALID, "%s: there is no context \"%s\"; contexts: %s", paths, *name, known);
    return r;
}

int kubeconfig_decode(struct kube_config **ret, const struct kubeconfig *k, const char *context, struct err *err)
{
    _cleanup_(kube_config_freep) struct kube_config *config = xcalloc(1, sizeof(*config));
    struct kubeconfig_place at, cluster, user;
    const char *ns;

    if (find_context(k, &context, &at, err) < 0 || kubeconfig_text(&at, "namespace", &ns, err) < 0)
        return -1;
    int r = follow(k, &at, "cluster", "clusters", &cluster, err);
    if (r == 0)
        return kubeconfig_fail(&at, "cluster", err, "missing");
    if (r < 0 || decode_cluster(&cluster, config, err) < 0)
        return -1;
    r = follow(k, &at, "user", "users", &user, err); /* no user: anonymous, as in kubectl */
    if (r < 0 || (r > 0 && decode_user(&user, config, err) < 0))
        return -1;
    _cleanup_(freep) char *paths = kubeconfig_paths(k);
    config->source = xasprintf("%s, context %s", paths, context);
    config->namespace_name = xstrdup(ns ? ns : "default");
    *ret = TAKE_PTR(config);
    return 0;
}
