/* Where the configuration comes from, in kubectl's order with one difference: inside a pod, the pod's identity goes
 * before a ~/.kube/config that an image may have brought along. Proxies of the environment are added at the end,
 * whatever the source. */
#include "kube/config.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "kube/kubeconfig.h"
#include "kube/pod.h"
#include "kube/proxy.h"

#include <string.h>

static void free_strings(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

static void free_exec(struct kube_exec *exec)
{
    if (!exec)
        return;
    free(exec->api_version);
    free(exec->command);
    free_strings(exec->args);
    free_strings(exec->env);
    free(exec->install_hint);
    free(exec);
}

struct kube_config *kube_config_free(struct kube_config *config)
{
    if (!config)
        return NULL;
    free(config->source);
    free(config->server);
    free(config->server_name);
    free(config->proxy);
    free(config->ca_pem);
    free(config->ca_file);
    free(config->client_cert_pem);
    (void)secret_unref(config->client_key_pem);
    (void)secret_unref(config->token);
    free(config->token_file);
    free_exec(config->exec);
    free(config->namespace_name);
    free(config);
    return NULL;
}

/* The one file that was asked for. */
static int load_file(struct kube_config **ret, const char *path, const char *context, struct err *err)
{
    _cleanup_(kubeconfig_done) struct kubeconfig k = {0};

    if (kubeconfig_add(&k, path, err) < 0)
        return -1;
    return kubeconfig_decode(ret, &k, context, err) < 0 ? -1 : 1;
}

/* Files of a list like $KUBECONFIG; missing ones are skipped. 1, or 0 when none of them exists. */
static int load_list(struct kube_config **ret, const char *list, const char *context, struct err *err)
{
    _cleanup_(kubeconfig_done) struct kubeconfig k = {0};
    _cleanup_(freep) char *copy = xstrdup(list);
    char *rest = copy;
    struct err e;

    for (char *path; (path = strtok_r(rest, ":", &rest));)
        if (kubeconfig_add(&k, path, &e) < 0 && e.kind != ERR_NOT_FOUND) {
            if (err)
                *err = e;
            return -1;
        }
    if (k.n == 0)
        return 0;
    return kubeconfig_decode(ret, &k, context, err) < 0 ? -1 : 1;
}

static int load_home(struct kube_config **ret, const char *context, struct err *err)
{
    const char *home = env_get("HOME");
    _cleanup_(freep) char *path = home ? xasprintf("%s/.kube/config", home) : NULL;
    struct err e;

    if (!path)
        return 0;
    int r = load_file(ret, path, context, &e);
    if (r < 0 && e.kind == ERR_NOT_FOUND)
        return 0;
    if (r < 0 && err)
        *err = e;
    return r;
}

static int not_found(const char *list, const char *pod_dir, struct err *err)
{
    if (list)
        return err_set(err, ERR_NOT_FOUND,
            "no Kubernetes configuration: none of the files in KUBECONFIG (%s) exists, and this is no pod with a "
            "ServiceAccount token in %s",
            list, pod_dir);
    return err_set(err, ERR_NOT_FOUND,
        "no Kubernetes configuration: KUBECONFIG is not set, this is no pod with a ServiceAccount token in %s, and "
        "there is no ~/.kube/config; use --kubeconfig",
        pod_dir);
}

static int load(
    struct kube_config **ret, const struct kube_config_options *options, const char *pod_dir, struct err *err)
{
    const char *list = env_get("KUBECONFIG");
    const char *context = str_empty(options->context) ? NULL : options->context; /* an empty flag is none */
    int r = 0;

    if (!str_empty(options->kubeconfig))
        return load_file(ret, options->kubeconfig, context, err);
    if (list)
        r = load_list(ret, list, context, err);
    if (r == 0 && !context) /* a context is something that only kubeconfig files have */
        r = kube_pod_config(ret, pod_dir, err);
    if (r == 0 && !list)
        r = load_home(ret, context, err);
    return r == 0 ? not_found(list, pod_dir, err) : r;
}

int kube_config_load_with_pod(
    struct kube_config **ret, const struct kube_config_options *options, const char *pod_dir, struct err *err)
{
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    struct http_url url;

    if (load(&config, options, pod_dir, err) < 0)
        return -1;
    if (!config->proxy) {
        if (http_url_parse(config->server, &url, err) < 0 || kube_proxy_from_env(&config->proxy, &url, err) < 0)
            return -1;
    }
    *ret = TAKE_PTR(config);
    return 0;
}

int kube_config_load(struct kube_config **ret, const struct kube_config_options *options, struct err *err)
{
    return kube_config_load_with_pod(ret, options, KUBE_POD_DIR, err);
}
