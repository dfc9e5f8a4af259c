/* What the files of this folder share about the client. Private to this folder. */
#pragma once

#include "azure/arm.h"
#include "azure/arm_error.h"
#include "http/url.h"

struct arm_client {
    struct http_client *http;
    char *endpoint;
    struct http_url origin;
    struct http_tls *tls;
    char *proxy;
    struct http_cancel *cancel;
    bool (*permit)(void *permit_ctx);
    void *permit_ctx;
    const char *caller; /* or NULL */
};

/* One request to a URL that was checked; fills *err for every answer that is no success. See arm_call for the rest. */
int arm_send(struct arm_client *client, const char *method, const char *url, const char *body, const char *correlation,
    struct arm_response *response, struct err *err);

/* arm_poll_url_check for any URL that came from Azure; what it is called begins the sentences of errors. */
int arm_url_check(const struct arm_client *client, const char *url, const char *what, struct err *err);

/* The URL of a path at the configured endpoint, checked; the caller frees it. */
int arm_url_make(char **ret, const struct arm_client *client, const char *path, const char *api_version,
    const struct arm_query *query, struct err *err);
