/* /metrics over TLS, for those who may: a bearer token that the API server knows, of somebody who may get /metrics
 * (nonResourceURLs: ["/metrics"], verbs: ["get"]).
 *
 * 401 without a token or with an unknown one, 403 for somebody who may not, 503 when the API server cannot be asked,
 * 500 when it refuses our question. Answers of the API server are kept for a while (kube/review.h); the rest is asked
 * by one thread, at most 32 at a time, and more are answered 503. */
#pragma once

#include "controller/metrics.h"
#include "kube/client.h"

struct metrics_server;

struct metrics_server_options {
    const char *address;   /* "ADDRESS:PORT", ":PORT"; NULL or "": no server at all */
    const char *cert_file; /* both or none: PEM, read again when it changes; none: self-signed, in memory */
    const char *key_file;
    bool insecure; /* plain HTTP, to everybody */
    struct app_metrics *metrics;
    struct kube_client *kube;
};

/* *ret stays NULL when there is no address. metrics and kube are borrowed until metrics_server_stop. */
int metrics_server_start(struct metrics_server **ret, const struct metrics_server_options *options, struct err *err);
int metrics_server_port(const struct metrics_server *server);
/* Waits for a review that is in flight, so cancel the Kubernetes client before. Accepts and returns NULL. */
struct metrics_server *metrics_server_stop(struct metrics_server *server);
