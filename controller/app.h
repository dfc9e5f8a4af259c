/* The wiring of the controller: what is made of the options, in which order, and how it ends. */
#pragma once

#include "base/err.h"
#include "cmk/view.h"
#include "controller/leadership.h"

#include <stdbool.h>
#include <stdint.h>

struct app_options {
    const char *kubeconfig;
    const char *context;
    const char *namespace_name; /* NULL: all */
    const char *label_selector;
    int64_t workers;
    const char *probe_address;   /* "ADDRESS:PORT", ":PORT" for all addresses; "" for none */
    const char *metrics_address; /* likewise */
    const char *metrics_cert_file;
    const char *metrics_key_file;
    bool metrics_insecure; /* plain HTTP, for everybody */
    const char *cloud;
    const char *arm_endpoint;
    const char *arm_scope;
    const char *authority_host;
    const char *vault_suffix;
    const char *cosmos_suffix;
    const char *cosmos_principal_id; /* object id of Cosmos DB's own service principal in the tenant */
    const char *credential;          /* kind; NULL: auto */
    const char *identity_client_id;  /* of a managed identity */
    const char *identity_resource_id;
    const char *imds_endpoint;
    const char *azure_ca_file;
    const char *azure_proxy;
    bool allow_account_keys; /* the document scan may use an account's read-only key */
    int64_t scan_jobs;       /* accounts searched at the same time */
    int64_t scan_ru;         /* request units per second that a search may take of an account; 0: no limit */
    const char *zone_directory;
    struct leadership_options leadership;
    struct cmk_options cmk;
};

struct app;

/* Connects, checks credentials and the API server, starts every thread. The sentence of an error is for the person who
 * started the program. options is borrowed and must outlive the app. */
int app_start(struct app **ret, const struct app_options *options, struct err *err);
/* Sent to the process when it has lost the leadership and must end. */
#define APP_SIGNAL_LOST SIGUSR1
bool app_has_lost_leadership(const struct app *app);
/* Stops: no new passes, up to 1.5 s for those that run and 1 s for events, then everything in flight is cancelled, and
 * the Lease given back. Accepts and returns NULL. */
struct app *app_stop(struct app *app);
DEFINE_CLEANUP(struct app *, app_stop)
