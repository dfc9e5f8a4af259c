/* Exec credential plugins (client.authentication.k8s.io). Internal to pkg/kube. */
#pragma once

#include "http/http.h"
#include "kube/config.h"

#include <stdint.h>

#define KUBE_PLUGIN_TIMEOUT_MS 60000

/* What a plugin answered. At least one of token and certificate is there. */
struct kube_credential {
    struct secret *token;
    char *cert_pem;
    struct secret *key_pem;  /* with cert_pem */
    int64_t expires_wall_ms; /* INT64_MAX: it did not say */
};

void kube_credential_done(struct kube_credential *credential);

/* A prepared command line and environment. */
struct kube_plugin;

/* config->exec is set. The environment is taken as it is now. */
struct kube_plugin *kube_plugin_new(const struct kube_config *config);
struct kube_plugin *kube_plugin_free(struct kube_plugin *plugin); /* accepts and returns NULL */
/* Blocks while the plugin runs. Failures are ERR_UNAUTHORIZED (no layer repeats those: a plugin may ask people), but
 * ERR_CANCELLED. */
int kube_plugin_run(const struct kube_plugin *plugin, int64_t timeout_ms, struct http_cancel *cancel,
    struct kube_credential *ret, struct err *err);
