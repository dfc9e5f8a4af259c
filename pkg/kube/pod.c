/* In-cluster configuration: the service's address from the environment, the ServiceAccount's files.
 *
 * The token is not read here: it is bound, expires within the hour, and is read again by whoever uses it. So is the CA,
 * which lives longer than a pod only until somebody rotates it. */
#include "kube/pod.h"

#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"

#include <string.h>
#include <unistd.h>

#define MAX_CA (1 << 20)

static char *read_namespace(const char *dir)
{
    _cleanup_(freep) char *path = xasprintf("%s/namespace", dir);
    _cleanup_(buf_done) struct buf b = BUF_INIT(256);

    if (file_read(path, &b, NULL) < 0)
        return xstrdup("default"); /* a projected volume of one's own need not have it */
    size_t n = strcspn(buf_str(&b), " \t\r\n");
    return n ? xstrndup(buf_str(&b), n) : xstrdup("default");
}

int kube_pod_config(struct kube_config **ret, const char *dir, struct err *err)
{
    const char *host = env_get("KUBERNETES_SERVICE_HOST"), *port = env_get("KUBERNETES_SERVICE_PORT");
    _cleanup_(kube_config_freep) struct kube_config *config = xcalloc(1, sizeof(*config));
    _cleanup_(freep) char *ca_path = xasprintf("%s/ca.crt", dir);
    _cleanup_(buf_done) struct buf ca = BUF_INIT(MAX_CA);
    struct http_url url;

    config->token_file = xasprintf("%s/token", dir);
    if (!host || !port || access(config->token_file, F_OK) < 0)
        return 0;
    config->server = xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    if (http_url_parse(config->server, &url, NULL) < 0 || *url.path)
        return err_set(err, ERR_INVALID,
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set, but \"%s\" and \"%s\" are no host and port",
            host, port);
    if (file_read(ca_path, &ca, err) < 0) {
        if (err)
            err->kind = ERR_INVALID;
        return err_wrap(err, "in-cluster configuration");
    }
    config->source = xstrdup("in-cluster");
    config->ca_pem = buf_take(&ca);
    config->ca_file = TAKE_PTR(ca_path);
    config->namespace_name = read_namespace(dir);
    *ret = TAKE_PTR(config);
    return 1;
}
