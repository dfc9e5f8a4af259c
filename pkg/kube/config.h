/* How to reach an API server: from kubeconfig files or from inside a pod.
 *
 * Understood: KUBECONFIG with several files merged as kubectl does, contexts, CA data and files, client certificates,
 * tokens, token files (read again when they may have changed), exec credential plugins (client.authentication.k8s.io/v1
 * and v1beta1), proxy-url, tls-server-name, namespace. Refused with a sentence: insecure-skip-tls-verify (TLS is always
 * verified), the long-removed auth-provider, user name and password, impersonation. A plain http server is accepted on
 * loopback only. */
#pragma once

#include "base/err.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

struct kube_exec {
    char *api_version;
    char *command;
    char **args; /* NULL-terminated */
    char **env;  /* NULL-terminated, "NAME=value" */
    char *install_hint;
    bool provide_cluster_info;
};

struct kube_config {
    char *source; /* for messages: the file and context, or "in-cluster" */
    char *server; /* no trailing slash */
    char *server_name;
    char *proxy;
    char *ca_pem;
    char *ca_file; /* where it came from, when that is a file: with a token_file both are read again, being renewed
                      alike */
    char *client_cert_pem;
    struct secret *client_key_pem;
    struct secret *token;
    char *token_file; /* wins over token */
    struct kube_exec *exec;
    char *namespace_name; /* the context's or pod's, or "default" */
};

struct kube_config_options {
    const char
        *kubeconfig; /* --kubeconfig: exactly this file; NULL: $KUBECONFIG, in-cluster, ~/.kube/config, in this order */
    const char *context; /* --context, or NULL for current-context */
};

/* ERR_NOT_FOUND when nothing is configured: the sentence says what was looked for. */
int kube_config_load(struct kube_config **ret, const struct kube_config_options *options, struct err *err);
struct kube_config *kube_config_free(struct kube_config *config); /* accepts and returns NULL */
DEFINE_CLEANUP(struct kube_config *, kube_config_free)
