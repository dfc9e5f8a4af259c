/* The parts of fake-apiserver that know about requests. What is pure is in fake_apiserver_model_*.
 *
 * One lock covers all state: requests come from the server's thread, the end of watches and bookmarks from the ticker.
 */
#pragma once

#include "fakes/fake_apiserver_model_registry.h"
#include "fakes/fake_apiserver_model_selector.h"
#include "fakes/fake_apiserver_model_store.h"
#include "fakes/fake_apiserver_model_table.h"
#include "fakes/fake_common.h"

#include <pthread.h>

#define CRD_COLLECTION "apiextensions.k8s.io/customresourcedefinitions"
#define NAMESPACE_COLLECTION "/namespaces"
#define EVENT_COLLECTION "events.k8s.io/events"

struct watcher;

struct api {
    pthread_mutex_t lock;
    struct fake_core *core;
    struct store *store;
    struct registry registry;
    struct watcher *watchers;
    bool stopping;
    /* Options. */
    int64_t bookmark_ms;
    int64_t watch_ms; /* 0: what the client asks for */
    const char *token;
    bool gone_as_http; /* else a watch that begins too far back is told in the stream, as a real server does */
};

#define NAME_SIZE 256

struct api_request {
    struct api *api;
    const struct httpd_request *http;
    struct httpd_exchange *exchange;
    struct fake_call *call; /* taken by a stream */
    struct fake_reply *reply;
    const struct resource *resource;
    char ns[NAME_SIZE];
    char name[NAME_SIZE];
    char subresource[NAME_SIZE];
    bool table; /* the client prefers a Table */
    enum table_include include;
};

/* ---- fake_apiserver_route.c ---- */
void api_handle(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request);
/* Query parameters; "" or 0 when absent. */
void api_param(const struct api_request *r, const char *name, char ret[static 4096]);
int64_t api_param_int(const struct api_request *r, const char *name);
bool api_param_true(const struct api_request *r, const char *name);

/* ---- fake_apiserver_status.c: errors as Status objects. All return -1. ---- */
cJSON *api_status_new(const char *status, int code, const char *reason, const char *message);
int api_fail(struct api_request *r, int code, const char *reason, const char *format, ...) _printf_(4, 5);
int api_fail_not_found(struct api_request *r, const char *collection, const char *name);
int api_fail_exists(struct api_request *r, const char *name);
int api_fail_conflict(struct api_request *r, const char *name, const char *message);
/* Takes the array of causes. */
int api_fail_invalid(struct api_request *r, const char *name, cJSON *causes);
/* An update without metadata.resourceVersion. */
int api_fail_no_version(struct api_request *r);
int api_fail_precondition(struct api_request *r, const char *message);
/* What is no API path. */
int api_fail_page(struct api_request *r);
/* "cosmoscmks.cosmoscmk.io" of a collection "cosmoscmk.io/cosmoscmks", "namespaces" of "/namespaces". The caller frees
 * it. */
char *api_qualified(const char *collection);

/* ---- fake_apiserver_read.c ---- */
/* "NAMESPACE/NAME" or "NAME"; the caller frees it. */
char *api_key(const struct api_request *r);
/* "NAMESPACE/" or ""; the caller frees it. */
char *api_prefix(const struct api_request *r);
/* A stored text as a tree of the caller's. */
cJSON *api_parse(const struct store_value *value);
/* The stored object in the shape of this resource's version, as text of the caller's, or NULL when it is the stored
 * text itself. */
char *api_presented(const struct resource *resource, const struct store_value *value);
void api_reply_object(struct api_request *r, int status, const struct store_value *value);
void api_get(struct api_request *r);
void api_list(struct api_request *r);
int api_selectors(struct api_request *r, struct selector **ret_labels, struct selector **ret_fields);

/* ---- fake_apiserver_watch.c; with the lock held ---- */
void api_watch(struct api_request *r);
/* Sends every watcher what it has not seen. */
void api_pump(struct api *api);
/* Ends streams: all, or those of one collection. gone: with a 410 in the stream first. */
void api_watch_drop(struct api *api, const char *collection, bool gone);
/* Ends what is over, sends bookmarks that are due. */
void api_watch_tick(struct api *api);

/* ---- fake_apiserver_write.c ---- */
void api_create(struct api_request *r);
void api_update(struct api_request *r);
void api_patch(struct api_request *r);

/* ---- fake_apiserver_delete.c ---- */
void api_delete(struct api_request *r);
void api_delete_collection(struct api_request *r);
/* Removes the object and what goes with it: the objects of a namespace, the kind of a CRD. */
void api_remove(struct api *api, const struct resource *resource, const char *key);

/* ---- fake_apiserver_object.c: from what a client sent to what is stored ---- */
/* The parsed body, the caller's; NULL and a reply when it is none. */
cJSON *api_body(struct api_request *r);
/* Checks that apiVersion, kind, namespace and name fit the URL, and completes them. */
int api_identify(struct api_request *r, cJSON *object);
/* Prunes, defaults, validates; by the query parameter fieldValidation unknown fields are refused, told or dropped. */
int api_admit(struct api_request *r, cJSON *object);
/* Replaces what belongs to the server in metadata (and status, or all but status) by what is stored; counts the
 * generation. */
void api_keep_server_fields(const struct api_request *r, cJSON *object, const cJSON *old);
void api_set_string(cJSON *object, const char *name, const char *value);

/* ---- fake_apiserver_kinds.c: what is special about CRDs and namespaces ---- */
/* Before it is stored. */
int api_kind_prepare(struct api_request *r, cJSON *object);
/* After it was stored. */
void api_kind_stored(struct api *api, const struct resource *resource, const cJSON *object);
void api_create_namespace(struct api *api, const char *name);

/* ---- fake_apiserver_token.c ---- */
/* POST serviceaccounts/NAME/token */
void api_token_request(struct api_request *r);
int api_write_kubeconfig(const char *path, const char *url, const char *ca_file, const char *token, struct err *err);

/* ---- fake_apiserver_review.c ---- */
/* POST of a TokenReview or SubjectAccessReview; false when it is something else. */
bool api_review(struct api_request *r, const char *group, const char *version, const char *plural);
