/* The Kubernetes REST API, as far as a controller needs it.
 *
 * Errors come as Kubernetes' own messages ("cosmoscmks.cosmoscmk.io "orders" is forbidden: ..."), with its reason in
 * err.code and kinds by status: 401 UNAUTHORIZED, 403 FORBIDDEN, 404 NOT_FOUND, 409 CONFLICT or EXISTS (by reason), 410
 * GONE, 422 and 400 INVALID, 429 THROTTLED (with retry_after_ms), 5xx UNAVAILABLE. Trees returned are the caller's
 * (json_free). Safe for any number of threads. */
#pragma once

#include "http/http.h"
#include "http/layer.h"
#include "kube/config.h"
#include "json/json.h"

struct kube_client;

/* The engine is borrowed and must outlive the client; config is only read during the call. */
int kube_client_new(
    struct kube_client **ret, struct http_engine *engine, const struct kube_config *config, struct err *err);
struct kube_client *kube_client_free(struct kube_client *client); /* accepts and returns NULL */
DEFINE_CLEANUP(struct kube_client *, kube_client_free)
/* Tells the observer of every request that goes out, repeated ones too. Before the first call only; copied. */
void kube_client_observe(struct kube_client *client, const struct http_observer *observer);
/* Ends every call in flight and to come with ERR_CANCELLED. A cancel that a call in flight was given of its own is
 * triggered as well. */
void kube_client_cancel(struct kube_client *client);

/* Which resource: {"cosmoscmk.io", "v1", "cosmoscmks"}; group "" is the core group. */
struct kube_resource {
    const char *group;
    const char *version;
    const char *plural;
};

/* Namespace and name are checked to be DNS labels or subdomains before they become part of a path (ERR_INVALID). ns
 * NULL: a cluster-scoped object or, for lists, all namespaces. */
int kube_get(struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name,
    cJSON **ret, struct err *err);
int kube_create(struct kube_client *client, const struct kube_resource *resource, const char *ns, const cJSON *object,
    cJSON **ret, struct err *err);
/* POST to a subresource of an object, for what is asked and not stored: {"", "v1", "serviceaccounts"} NAME "token"
 * makes a TokenRequest. */
int kube_create_subresource(struct kube_client *client, const struct kube_resource *resource, const char *ns,
    const char *name, const char *subresource, const cJSON *object, cJSON **ret, struct err *err);
/* JSON merge patch (RFC 7396). subresource NULL or "status". Put metadata.resourceVersion into the patch to make it
 * conditional: then ERR_CONFLICT when the object has changed. */
int kube_merge_patch(struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name,
    const char *subresource, const cJSON *patch, cJSON **ret, struct err *err);
int kube_delete(struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name,
    struct err *err);
/* For calls that are of use only until a certain time, such as the renewal of a lease. They are made once, kept
 * connections may carry them, and kube_client_cancel() does not end them: their own cancel does. A write within limits
 * must be harmless when it arrives twice, as one with metadata.resourceVersion in it is. */
struct kube_limits {
    int64_t timeout_ms;
    bool fresh;                 /* not over a connection that is open already */
    struct http_cancel *cancel; /* may be NULL */
};
int kube_get_within(struct kube_client *client, const struct kube_limits *limits, const struct kube_resource *resource,
    const char *ns, const char *name, cJSON **ret, struct err *err);
int kube_create_within(struct kube_client *client, const struct kube_limits *limits,
    const struct kube_resource *resource, const char *ns, const cJSON *object, cJSON **ret, struct err *err);
int kube_merge_patch_within(struct kube_client *client, const struct kube_limits *limits,
    const struct kube_resource *resource, const char *ns, const char *name, const cJSON *patch, cJSON **ret,
    struct err *err);
/* The server's version document (/version): to find out early whether it is reachable and trusts us. */
int kube_server_version(struct kube_client *client, cJSON **ret, struct err *err);

struct kube_list_page {
    const char *ns;
    const char *label_selector; /* NULL: none */
    int limit;                  /* 0: 500 */
    const char *continue_token; /* NULL or "": first page */
    struct http_cancel *cancel; /* ends this call; NULL: only kube_client_cancel does */
};
/* One page as the server sent it: items, metadata.resourceVersion, metadata.continue. */
int kube_list_page(struct kube_client *client, const struct kube_resource *resource, const struct kube_list_page *page,
    cJSON **ret, struct err *err);

struct kube_watch_options {
    const char *ns;
    const char *label_selector;
    const char *resource_version;
    int timeout_s;              /* asked of the server; the call itself ends at the latest 30 s after that */
    int64_t idle_timeout_ms;    /* no byte for so long: ERR_TIMEOUT; 0: none */
    struct http_cancel *cancel; /* ends this call; NULL: only kube_client_cancel does */
};
/* Streams raw bytes of a watch to on_data (see http.h) until the server ends it (returns 0) or it fails. */
int kube_watch_stream(struct kube_client *client, const struct kube_resource *resource,
    const struct kube_watch_options *options, int (*on_data)(void *, const char *, size_t, struct err *), void *data,
    struct err *err);
