/* ARM resource ids, parsed and checked once. Pure.
 *
 * /subscriptions/GUID/resourceGroups/RG/providers/Namespace/type/name[/type/name...]; segment words compare without
 * case. No part may hold '/', '\\', '%', '?', '#', white space, control bytes, or be "." or "..", so that an id can
 * become a URL path safely. At most 2048 bytes. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct arm_id {
    char *text; /* as given, without trailing slash */
    char *subscription;
    char *resource_group;
    char *provider; /* "Microsoft.DocumentDB" */
    char *type;     /* "databaseAccounts"; of the last type/name pair */
    char *name;     /* of the last pair */
};

/* ERR_INVALID with a sentence; the id's parts are the caller's (arm_id_done). */
int arm_id_parse(struct arm_id *ret, const char *text, struct err *err);
void arm_id_done(struct arm_id *id); /* accepts a zeroed struct */
/* type names the whole chain: "databaseAccounts", "vaults/keys"; case does not matter. A child of a database account is
 * no database account. */
bool arm_id_is(const struct arm_id *id, const char *provider, const char *type);
