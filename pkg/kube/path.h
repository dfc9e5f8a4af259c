/* URLs of the API server. Internal to pkg/kube. Pure. */
#pragma once

#include "kube/client.h"

struct kube_path {
    const struct kube_resource *resource;
    const char *ns;          /* NULL: cluster scope, or all namespaces */
    const char *name;        /* NULL: the collection */
    const char *subresource; /* NULL: the object itself */
};

/* Appends SERVER/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUBRESOURCE. ERR_INVALID when a part is no DNS label or
 * subdomain: nothing that could be "..", or hold a slash or a percent sign, ever becomes part of a path. */
int kube_path_build(struct buf *ret, const char *server, const struct kube_path *path, struct err *err);

/* Appends "?name=value" or "&name=value", encoded; nothing when value is NULL or "". */
void kube_query_add(struct buf *ret, const char *name, const char *value);
