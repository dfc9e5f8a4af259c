/* Microsoft.ManagedIdentity/userAssignedIdentities through ARM: which principal stands behind an identity's id. */
#pragma once

#include "azure/arm.h"

#define MANAGED_IDENTITY_API_VERSION "2024-11-30"

struct managed_identity {
    char *principal_id; /* the object id that rights are granted to */
    char *client_id;    /* an application id; granting to it has no effect */
    char *tenant_id;
};
void managed_identity_done(struct managed_identity *identity); /* accepts a zeroed struct */

/* Right: Microsoft.ManagedIdentity/userAssignedIdentities/read. Errors as in arm.h; *ret is zeroed on failure. */
int managed_identity_get(struct arm_client *client, const char *id, struct managed_identity *ret, struct err *err);
