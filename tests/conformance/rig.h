/* One fake-azure for all tests of a program, and what the controller would have to reach it. */
#pragma once

#include "azure/scan.h"
#include "controller/scan_access.h"
#include "controller/scanner.h"
#include "json/json.h"

#define RIG_ID(name)                                                                                                   \
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.DocumentDB/"            \
    "databaseAccounts/" name

struct rig {
    struct http_engine *engine;
    struct azure_cloud *cloud;
    struct http_tls *tls;
    struct azure_credential *credential;
    struct http_client *auth;
    struct scan_access access; /* no account keys */
    char *url, *dir;
    struct process *process;
};

/* Starts fake-azure with this seed; ends the program when that does not work. */
struct rig *rig_start(const char *seed);
struct rig *rig_end(struct rig *rig); /* accepts and returns NULL */

/* One request to the inspection API, without a token; the answer is the caller's. */
cJSON *rig_ask(struct rig *rig, const char *method, const char *path, const char *body);
/* How many requests whose path contains the text the fake has had. */
int rig_count(struct rig *rig, const char *path_contains);
