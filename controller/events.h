/* The event port over pkg/kube's recorder: a CosmosCMK as what an event regards. */
#pragma once

#include "controller/ports.h"
#include "kube/events.h"

/* A recorder that reports as "cosmoscmk" and the name of the pod (the host's name), and logs once in a while that
 * events are not taken. client is borrowed. */
struct kube_events *controller_events_new(struct kube_client *client);
/* recorder may be NULL: nothing is recorded. Borrowed. */
struct event_port event_port_make(struct kube_events *recorder);
