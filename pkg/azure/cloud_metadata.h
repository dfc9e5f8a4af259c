/* The document with which an ARM endpoint describes its cloud. Private to this folder. */
#pragma once

#include "azure/cloud.h"

/* Strings are owned; NULL where the document says nothing. */
struct cloud_metadata {
    char *authority_host;
    char *arm_scope;
    char *vault_suffix;
    char *hsm_suffix;
    char *cosmos_suffix;
};

void cloud_metadata_done(struct cloud_metadata *metadata);
/* arm_endpoint: checked, without final slash. */
int cloud_metadata_fetch(
    struct cloud_metadata *ret, const struct azure_cloud_access *access, const char *arm_endpoint, struct err *err);
