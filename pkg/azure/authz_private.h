/* Between the files about authorization. Private to this folder. */
#pragma once

#include "azure/authz.h"

/* Which of the actions a role gives. definition is its id, with or without a subscription in front; 0 bits for a role
 * that does not exist. */
int authz_role_bits(struct arm_client *client, struct authz_roles *roles, const char *subscription,
    const char *definition, const struct authz_question *question, unsigned *ret, struct err *err);
