/* What the tests of configuration share: a folder, a bare environment, and the pieces of a file. */
#pragma once

#include "unit.h"

#include "base/mem.h"
#include "kube/config.h"
#include "kube/pod.h"
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://10.0.0.1:6443'}}]\n"
#define USER "users: [{name: u, user: {token: t}}]\n"

#define IN_CLUSTER(fields) CONTEXT USER "clusters: [{name: k, cluster: {" fields "}}]\n"

static inline int setup(void **state)
{
    static const char *const variables[] = {"KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
        "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"};

    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        (void)unsetenv(variables[i]);
    *state = scratch_new();
    return 0;
}

static inline int teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

static inline int load(
    struct kube_config **ret, const char *dir, const char *file, const char *context, struct err *err)
{
    _cleanup_(freep) char *path = file ? scratch_path(dir, file) : NULL;
    _cleanup_(freep) char *pod = scratch_path(dir, "pod");
    struct kube_config_options options = {.kubeconfig = path, .context = context};

    *ret = NULL;
    *err = ERR_INIT;
    return kube_config_load_with_pod(ret, &options, pod, err);
}

static inline void set_env(const char *dir, const char *name, const char *value)
{
    _cleanup_(freep) char *expanded = scratch_expand(dir, value);

    (void)setenv(name, expanded, 1);
}
