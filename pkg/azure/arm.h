/* Azure Resource Manager: requests, both error envelopes, asynchronous operations.
 *
 * Errors (both {"error":{code,message}} of the front door and {code,message} of the resource provider): err.code is
 * Azure's code, err.msg Azure's own message made readable (one line; a nested Key Vault JSON unwrapped; "ActivityId:
 * ..." and version tails dropped from the sentence). Kinds: 401 UNAUTHORIZED, 403 FORBIDDEN (also a policy's
 * RequestDisallowedByPolicy), 404 NOT_FOUND, 408 TIMEOUT, 409 CONFLICT, but 409 ScopeLocked FORBIDDEN (a resource lock:
 * permanent until a person removes it), 412 with "exclusive lock" LOCKED, other 412 CONFLICT, 429 THROTTLED, 5xx
 * UNAVAILABLE, other 4xx INVALID, redirects and other oddities PROTOCOL. retry_after_ms as Azure said, whatever the
 * status. For anything but a GET, 5xx, 408 and a lost or unreadable answer leave the outcome unknown: err.maybe_sent is
 * true; a definite 4xx leaves it false. */
#pragma once

#include "azure/arm_id.h"
#include "azure/cloud.h"
#include "base/buf.h"
#include "base/random.h"
#include "http/http.h"

#include <cjson/cJSON.h>

struct arm_client;

struct arm_options {
    struct http_client *http;         /* with auth; borrowed */
    const struct azure_cloud *cloud;  /* borrowed */
    struct http_tls *tls;             /* NULL: system trust */
    const char *proxy;                /* NULL: none */
    struct http_cancel *cancel;       /* borrowed; may be NULL */
    bool (*permit)(void *permit_ctx); /* asked at the last moment before anything but a GET is sent (http.h) */
    void *permit_ctx;
};
int arm_client_new(struct arm_client **ret, const struct arm_options *options, struct err *err);
struct arm_client *arm_client_free(struct arm_client *client); /* accepts and returns NULL */
/* The same client on behalf of somebody: all its requests are one caller's to the limiter (azure/limiter.h). caller is
 * borrowed and must outlive it; the original may not be freed before it. */
struct arm_client *arm_client_for(const struct arm_client *client, const char *caller);
DEFINE_CLEANUP(struct arm_client *, arm_client_free)

struct arm_response {
    int status;
    struct http_response http;
    char correlation_id[UUID_SIZE]; /* what we sent as x-ms-correlation-request-id, also when the call fails */
};
void arm_response_done(struct arm_response *response);

/* path begins with '/', has no query; api_version is added. Bytes beyond ASCII are percent-encoded, everything else
 * goes as it is. body NULL for GET. Anything but a GET is sent once (http.h) and never retried here. correlation NULL:
 * a new one. Answers over 8 MiB are ERR_TOO_LARGE. The response is the caller's (arm_response_done) whether or not the
 * call succeeds, which any status from 200 to 299 is. */
int arm_call(struct arm_client *client, const char *method, const char *path, const char *api_version, const char *body,
    const char *correlation, struct arm_response *response, struct err *err);

/* What stands in the query besides the api-version; values are percent-encoded here, names go as they are. */
struct arm_query {
    const char *name; /* "$filter"; NULL ends the list */
    const char *value;
};

/* arm_call with GET and a query (NULL: none but the api-version). */
int arm_get(struct arm_client *client, const char *path, const char *api_version, const struct arm_query *query,
    struct arm_response *response, struct err *err);

struct arm_list {
    const char *path;
    const char *api_version;
    const struct arm_query *query; /* NULL: none */
    size_t max_items;              /* (20000) of all pages together */
    /* Called for each member of "value", in order. The item is borrowed. -1 with *err ends the list and is its result;
     * 1 ends it as a success; 0 goes on. */
    int (*on_item)(void *data, const cJSON *item, struct err *err);
    void *data;
};
/* All pages of a list. ERR_TOO_LARGE past max_items or 500 pages; ERR_PROTOCOL when an answer is no list, or when its
 * nextLink would not pass as the URL of an operation (the rule of arm_poll_url_check). */
int arm_list(struct arm_client *client, const struct arm_list *list, struct err *err);

/* Says in *err, if it is ERR_FORBIDDEN, which right is missing and where; other errors get context only. what: "the key
 * vault contoso". The value is -1. */
int arm_say_missing(struct err *err, const char *what, const char *right, const char *scope);

/* May this URL, from a header or from a status, be sent our token? Only https, the ARM endpoint's own host and port, no
 * userinfo, at most 16 KiB (design 3.6). ERR_INVALID says which rule it breaks without repeating the query. */
int arm_poll_url_check(const struct arm_client *client, const char *url, struct err *err);

struct arm_operation {
    char *state;            /* Azure's own word: "Enqueued", "Dequeued", "Succeeded", ... */
    char *error_code;       /* when it failed; else NULL */
    char *error_message;    /* readable, see above */
    int64_t retry_after_ms; /* -1: Azure did not say */
};
void arm_operation_done(struct arm_operation *operation);
/* GET of an Azure-AsyncOperation URL, byte for byte. ERR_NOT_FOUND: the URL is no longer served; ERR_FORBIDDEN: no
 * right to read operations: both mean "look at the account instead". Any error is a failure to read the state, and says
 * nothing about the operation; that it failed is a state like others. */
int arm_operation_get(struct arm_client *client, const char *url, struct arm_operation *ret, struct err *err);

/* Terminal words without regard to case: succeeded, failed, canceled, cancelled. Any other word means running. */
enum arm_outcome { ARM_RUNNING, ARM_SUCCEEDED, ARM_FAILED, ARM_CANCELED };
enum arm_outcome arm_outcome_of(const char *state);
