/* What an API server does to an object by the schema of its CustomResourceDefinition: defaults, pruning, validation.
 *
 * Of validation: type, format int32, int64, date-time and micro-time, enum, pattern (what POSIX extended expressions
 * can say, other patterns pass), minLength, maxLength, minimum, maximum, minItems, maxItems, required, list types set
 * and map. Not CEL, not anyOf/oneOf/allOf/not. The texts are those of a real API server. Pure. */
#pragma once

#include <cjson/cJSON.h>

/* The reason of a cause for a value that a built-in type cannot hold at all; no reason that goes to clients. */
#define SCHEMA_UNREADABLE "Unreadable"

/* Fills in defaults. A null counts as absent and is removed, unless the schema says that it is nullable. */
void schema_default(const cJSON *schema, cJSON *value);

/* Removes members that the schema does not know, except apiVersion, kind and metadata of the object itself, and adds
 * the path of each to unknown (an array, which stays sorted). */
void schema_prune(const cJSON *schema, cJSON *object, cJSON *unknown);

/* Adds a StatusCause {reason, message, field} to causes (an array) for each fault. metadata is not looked at. */
void schema_validate(const cJSON *schema, const cJSON *object, cJSON *causes);

/* A StatusCause; field may be "". */
void schema_cause(cJSON *causes, const char *field, const char *reason, const char *message);
