/* The identity of a pod. Internal to pkg/kube; tests give another folder. */
#pragma once

#include "kube/config.h"

#define KUBE_POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* 1 and *ret; 0 when this is no pod with a ServiceAccount token (no KUBERNETES_SERVICE_HOST and _PORT, or no token); -1
 * when it is one, but its files are unusable. */
int kube_pod_config(struct kube_config **ret, const char *dir, struct err *err);

/* kube_config_load() with the pod's files elsewhere. */
int kube_config_load_with_pod(
    struct kube_config **ret, const struct kube_config_options *options, const char *pod_dir, struct err *err);
