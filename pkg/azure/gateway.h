/* The data plane of one account through the Cosmos DB gateway (REST, x-ms-version 2018-12-31): reading only, as much as
 * a scan needs.
 *
 * The token or key leaves this process only for a host that was checked when the gateway was made: https, under the
 * cloud's Cosmos suffix. Nothing is repeated here but a request whose token was refused.
 *
 * Errors, by what the gateway answered: 400 INVALID, 401 UNAUTHORIZED, 403 FORBIDDEN (with the role that is missing,
 * the account's firewall, keys that the account does not take), 404 NOT_FOUND, 408 TIMEOUT, 410 GONE, 429 THROTTLED
 * with retry_after_ms, 449, 404 with substatus 1002 and 5xx UNAVAILABLE, other 4xx INVALID, redirects and answers that
 * are not the documented JSON PROTOCOL; else what the transport or the token's source says. err.code is the gateway's
 * own word ("TooManyRequests"). */
#pragma once

#include "azure/cloud.h"
#include "base/secret.h"
#include "http/layer.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAY_READER_ROLE "Cosmos DB Built-in Data Reader"
#define GATEWAY_READER_ROLE_ID "00000000-0000-0000-0000-000000000001"

/* Sub-statuses that a caller may have to tell apart. */
#define GATEWAY_RANGE_GONE 1002 /* with 410: the partition key range was split or merged */

struct gateway;

/* Everything is borrowed but what is said to be copied. */
struct gateway_options {
    struct http_client *http;  /* the engine: no auth, retry or throttle layer */
    const char *endpoint;      /* copied; the account's sqlEndpoint as ARM reported it */
    const char *cosmos_suffix; /* of the cloud, "documents.azure.com" */
    /* For tests: one loopback host that the process's own configuration named, where endpoints may be as well, with any
     * port and path. NULL: none. Never from a resource. */
    const char *loopback_host;
    const struct http_token_source *token; /* copied; exactly one of token and key */
    struct secret *key;                    /* base64, as ARM gives it; only read while the gateway is made */
    bool mongo;                            /* an account of the API for MongoDB, reached through its sqlEndpoint */
    struct http_tls *tls;                  /* NULL: system trust */
    const char *proxy;                     /* copied; NULL: none */
    struct http_cancel *cancel;            /* may be NULL */
    int64_t (*wall_ms)(void);              /* NULL: the system's clock */
};

/* ERR_INVALID when the endpoint is not to be trusted or the key is no key. */
int gateway_new(struct gateway **ret, const struct gateway_options *options, struct err *err);
struct gateway *gateway_free(struct gateway *gateway); /* wipes the key; accepts and returns NULL */
DEFINE_CLEANUP(struct gateway *, gateway_free)
const char *gateway_endpoint(const struct gateway *gateway); /* borrowed; without final slash */

/* May this endpoint be sent a token or key? Pure. ERR_INVALID says which rule it breaks. */
int gateway_endpoint_check(const char *endpoint, const char *suffix, const char *loopback_host, struct err *err);

/* The scope of tokens for the account at a checked endpoint: one for all accounts of the public cloud, one for each
 * host elsewhere. The caller frees it. */
char *gateway_scope(const struct azure_cloud *cloud, const char *endpoint);

enum gateway_what { GATEWAY_DATABASES, GATEWAY_CONTAINERS, GATEWAY_RANGES, GATEWAY_QUERY };

/* Names go into the URL encoded and into the signature as they are. */
struct gateway_question {
    enum gateway_what what;
    const char *database;     /* all but GATEWAY_DATABASES */
    const char *container;    /* GATEWAY_RANGES, GATEWAY_QUERY */
    const char *query;        /* text; GATEWAY_QUERY */
    const char *range_id;     /* GATEWAY_QUERY */
    int page_size;            /* GATEWAY_QUERY; 0: the gateway's default */
    const char *continuation; /* of the page before; NULL: the first */
};

struct gateway_page {
    cJSON *tree;
    const cJSON *items;   /* the array in it; borrowed */
    char *continuation;   /* NULL: this was the last page */
    int64_t charge_milli; /* thousandths of a request unit; also for refused requests */
    int substatus;        /* also when the call fails; 0: none */
};
void gateway_page_done(struct gateway_page *page); /* accepts a zeroed struct */

/* One page. The page is the caller's (gateway_page_done) whether or not it succeeds. Pages over 16 MiB are
 * ERR_TOO_LARGE. Any number of threads. */
int gateway_ask(
    struct gateway *gateway, const struct gateway_question *question, struct gateway_page *ret, struct err *err);
