/* Which Azure: the hosts and suffixes of one cloud. Only the process's own configuration chooses them, never a
 * resource.
 *
 * A cloud that is none of the three public ones describes itself: its ARM endpoint, which the configuration has named,
 * serves a document with the rest. What that document names is trusted as much as the endpoint is, over verified TLS,
 * and checked as if it had been typed. */
#pragma once

#include "base/err.h"
#include "http/http.h"

#include <stdbool.h>

struct azure_cloud {
    char *name;           /* "public", "china", "usgov", "custom" */
    char *arm_endpoint;   /* "https://management.azure.com", no trailing slash */
    char *arm_scope;      /* "https://management.azure.com/.default" */
    char *authority_host; /* "https://login.microsoftonline.com", no trailing slash */
    char *vault_suffix;   /* "vault.azure.net" */
    char *hsm_suffix;     /* "managedhsm.azure.net" */
    char *cosmos_suffix;  /* "documents.azure.com" */
    /* The application "Azure Cosmos DB", whose service principal an account with FirstPartyIdentity acts as. */
    char *cosmos_app_id;
    char *cosmos_principal_id; /* the object id of that service principal in our tenant; NULL: not known */
};

/* NULL or "": not given. */
struct azure_cloud_options {
    /* NULL: "public", or "custom" when arm_endpoint is given. The SDKs' AzurePublicCloud, AzureChinaCloud and
     * AzureUSGovernment are understood. "custom" needs arm_endpoint; what else is not given is as its metadata document
     * says (azure_cloud_open) or as in the public cloud. */
    const char *name;
    const char *arm_endpoint; /* overrides; https only. The scope follows it unless arm_scope is given */
    const char *arm_scope;
    const char *authority_host; /* overrides; https only */
    /* What the environment says (AZURE_AUTHORITY_HOST), where a webhook may have put it: goes after authority_host and
     * before everything else, but whoever gives only this has not described the cloud. */
    const char *environment_authority_host;
    const char *vault_suffix; /* these override too: a DNS name, with or without a dot before it */
    const char *hsm_suffix;
    const char *cosmos_suffix;
    const char *cosmos_principal_id; /* a GUID */
};

/* ERR_INVALID for an unknown name, a URL that is not https or has more than scheme, host and port (a path is allowed in
 * authority_host only), a suffix that is no DNS name, a principal id that is no GUID. Asks nobody. */
int azure_cloud_new(struct azure_cloud **ret, const struct azure_cloud_options *options, struct err *err);
struct azure_cloud *azure_cloud_free(struct azure_cloud *cloud); /* accepts and returns NULL */
DEFINE_CLEANUP(struct azure_cloud *, azure_cloud_free)

/* How the metadata document is fetched. */
struct azure_cloud_access {
    struct http_client *http; /* the bare engine: no token is sent */
    struct http_tls *tls;     /* NULL: system trust */
    const char *proxy;
    struct http_cancel *cancel;
};

/* Like azure_cloud_new, but asks a custom cloud's ARM endpoint for what is not given, unless authority_host is: who
 * gives that describes the cloud himself, and a process that needs no description starts while ARM is away. Errors:
 * what azure_cloud_new says, of the document too; ERR_PROTOCOL it is no such document; what http_do says. The sentence
 * tells how to do without. */
int azure_cloud_open(struct azure_cloud **ret, const struct azure_cloud_access *access,
    const struct azure_cloud_options *options, struct err *err);
