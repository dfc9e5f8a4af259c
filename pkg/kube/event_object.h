/* Events as events.k8s.io/v1 has them. Pure. Internal to pkg/kube. */
#pragma once

#include "kube/event_core.h"
#include "json/json.h"

#define EVENT_WORD_MAX 128

/* The object to create, with the series when the count is 2 or more. Trees are the caller's. */
cJSON *event_object_new(const struct event_series *series, const char *controller, const char *instance);
/* The patch of an object that was created: everything but the series is immutable. */
cJSON *event_object_series(const struct event_series *series);

/* What the API server would refuse whoever sends it: reason and action are words of 1 to 128 bytes, the object has a
 * namespace, name and uid. */
bool event_object_valid(const struct kube_event *event);
/* A qualified name: [DNS subdomain "/"] up to 63 of letters, digits, "-", "_", ".", with a letter or digit at both
 * ends. */
bool event_controller_valid(const char *name);
