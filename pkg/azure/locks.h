/* Microsoft.Authorization/locks, api-version 2020-05-01: who has locked an account against changes. */
#pragma once

#include "azure/arm.h"

#define LOCKS_API_VERSION "2020-05-01"

struct azure_lock {
    char *name;  /* NULL: there is none */
    char *scope; /* the id of what is locked */
};
void azure_lock_done(struct azure_lock *lock); /* accepts a zeroed struct */

/* The first ReadOnly lock on the resource, its resource group or its subscription. CanNotDelete locks let updates pass.
 * Right: Microsoft.Authorization/locks/read at the subscription. With a narrower one a lock may still be found; if none
 * is, the result is ERR_FORBIDDEN, which names what is missing. *ret is zeroed on failure. */
int locks_find_read_only(struct arm_client *client, const struct arm_id *id, struct azure_lock *ret, struct err *err);
