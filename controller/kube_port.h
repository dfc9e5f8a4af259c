/* The Kubernetes port over pkg/kube. What a write answers goes straight into the store, so that the next pass does not
 * have to wait for the watch to see its own work. */
#pragma once

#include "controller/ports.h"
#include "controller/store.h"
#include "kube/client.h"

extern const struct kube_resource cosmoscmk_resource;

struct kube_port_context {
    struct kube_client *client;
    struct store *store;
};

/* context is borrowed and must outlive the port. */
struct kube_port kube_port_make(struct kube_port_context *context);
