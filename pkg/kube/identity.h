/* The layer that gives each request its identity. Internal to pkg/kube. */
#pragma once

#include "http/layer.h"
#include "kube/credentials.h"

/* Sets the TLS identity, and goes through the auth layer when there is a token. Neither is owned. */
struct http_client *kube_identity_new(struct http_client *next, struct kube_credentials *credentials);
struct http_client *kube_identity_free(struct http_client *layer); /* accepts and returns NULL */
