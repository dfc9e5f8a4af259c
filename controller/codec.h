/* A CosmosCMK between JSON and the domain's structs. */
#pragma once

#include "cmk/types.h"
#include "json/json.h"

#define CMK_GROUP "cosmoscmk.io"
#define CMK_VERSION "v1"
#define CMK_PLURAL "cosmoscmks"
#define CMK_KIND "CosmosCMK"
#define CMK_RECONCILE_ANNOTATION "cosmoscmk.io/reconcile-requested-at"

/* Decodes an object of the API server. ERR_PROTOCOL when it lacks what every object has (name, namespace, uid,
 * resourceVersion). A spec that cannot be understood is no error: spec.malformed then says why, for InvalidSpec; a
 * status that cannot be understood is taken as absent where it is wrong. */
int cmk_decode(struct cmk_resource *ret, const cJSON *object, struct err *err);

/* A merge patch for the status subresource: every field that this program owns, null where absent, so that what was
 * there before is gone. resource_version NULL: unconditional. The tree is the caller's. */
cJSON *cmk_encode_status(const struct cmk_status *status, const char *resource_version);
/* The same for status.operation alone. */
cJSON *cmk_encode_operation(const struct cmk_operation *operation, const char *resource_version);
