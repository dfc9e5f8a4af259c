/* What the files of controller/metrics*.c share. */
#pragma once

#include "controller/metrics.h"
#include "serve/metrics.h"

#include <stdatomic.h>

#define CONTROLLER "cosmoscmk"

struct app_metrics {
    struct metrics *registry;
    struct app_metrics_sources sources;
    struct survey survey;          /* of the scrape that runs */
    int64_t started_ms;            /* wall */
    _Atomic int64_t last_event_ms; /* wall */

    struct metric *azure_requests, *azure_seconds, *kube_requests, *kube_seconds;
    struct metric *reconciles, *reconcile_errors, *terminal_errors, *reconcile_seconds;
    struct metric *queue_seconds, *work_seconds;
    struct metric *passes, *changes;
    struct metric *watch_lists, *watch_streams, *watch_failures;
};

/* Each adds the families of its file. */
void metrics_http_register(struct app_metrics *m);
void metrics_work_register(struct app_metrics *m);
void metrics_fleet_register(struct app_metrics *m);
void metrics_process_register(struct app_metrics *m);

/* The short word for a request to Azure: "account", "vault_key", "entra_token", ... A closed set. */
void metrics_azure_operation(const char *url, const char *label, char *ret, size_t size);
