/* The list decoder: bytes of a List in, items out, one at a time. Pure.
 *
 * A page of 500 objects is megabytes of JSON and many times that as a tree. So the page is never held: an item is
 * parsed when its last byte has arrived, handed out, and dropped. Kubernetes writes the members of a List in any order
 * (those of custom resources sorted by name, so that metadata comes after the items). */
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

struct kube_list;
struct kube_list *kube_list_new(size_t max_item); /* bytes of one item; 0: 4 MiB */
struct kube_list *kube_list_free(struct kube_list *list);
DEFINE_CLEANUP(struct kube_list *, kube_list_free)

/* Hands out what is complete. ERR_PROTOCOL when it is no List, ERR_TOO_LARGE for an item over the cap; on_item may
 * return -1 to stop. The item is borrowed for the call. */
int kube_list_feed(struct kube_list *list, const char *bytes, size_t len,
    int (*on_item)(void *ctx, const cJSON *item, struct err *err), void *ctx, struct err *err);
/* ERR_UNAVAILABLE when the text ended too early, ERR_PROTOCOL when it lacked items or metadata. */
int kube_list_end(const struct kube_list *list, struct err *err);

/* metadata.resourceVersion and metadata.continue, or NULL as long as metadata has not been met. Borrowed. */
const char *kube_list_version(const struct kube_list *list);
const char *kube_list_continue(const struct kube_list *list);
