/* Which Azure: the hosts and suffixes of one cloud. Only the process's own configuration chooses them, never a
 * resource. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct azure_cloud {
    char *name;           /* "public", "china", "usgov", "custom" */
    char *arm_endpoint;   /* "https://management.azure.com", no trailing slash */
    char *arm_scope;      /* "https://management.azure.com/.default" */
    char *authority_host; /* "https://login.microsoftonline.com", no trailing slash */
    char *vault_suffix;   /* "vault.azure.net" */
    char *hsm_suffix;     /* "managedhsm.azure.net" */
    char *cosmos_suffix;  /* "documents.azure.com" */
};

struct azure_cloud_options {
    /* NULL: "public", or "custom" when arm_endpoint is given. The SDKs' AzurePublicCloud, AzureChinaCloud and
     * AzureUSGovernment are understood. "custom" needs arm_endpoint; the rest is the public cloud's unless overridden
     */
    const char *name;
    const char *arm_endpoint; /* overrides; https only. The scope follows it unless arm_scope is given */
    const char *arm_scope;
    const char *authority_host; /* overrides; https only */
};

/* ERR_INVALID for an unknown name, a URL that is not https or has more than scheme, host and port (a path is allowed in
 * authority_host only). */
int azure_cloud_new(struct azure_cloud **ret, const struct azure_cloud_options *options, struct err *err);
struct azure_cloud *azure_cloud_free(struct azure_cloud *cloud); /* accepts and returns NULL */
DEFINE_CLEANUP(struct azure_cloud *, azure_cloud_free)
