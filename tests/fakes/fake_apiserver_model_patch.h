/* Changing an object by a patch, and the two faces of events. Pure. */
#pragma once

#include "base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Puts item (which it takes) before the index-th child of an array or object. cJSON_InsertItemInArray does not do: in
 * Debian's 1.7.15 it refuses every place but the first and the last. */
void insert_child(cJSON *parent, int index, cJSON *item);

/* RFC 7396. With strategic, members of the patch whose name begins with '$' are left out: the directives of strategic
 * merge patches, of which nothing else is understood (lists are replaced). */
void patch_merge(cJSON *target, const cJSON *patch, bool strategic);

/* RFC 6902: add, remove, replace, test. ERR_INVALID when the patch is malformed or does not fit; *target may have
 * changed then. */
int patch_json(cJSON **target, const cJSON *operations, struct err *err);

/* Renames the members of a core/v1 Event to those of events.k8s.io/v1, in place, and back. */
void event_from_core(cJSON *event);
void event_to_core(cJSON *event);
