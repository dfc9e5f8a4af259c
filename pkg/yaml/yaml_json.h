/* One safe reader over libyaml, for configuration that people write: YAML in, the JSON model out.
 *
 * Accepted: the YAML 1.1 core that Kubernetes files use, scalars resolved as the JSON-compatible schema does (null,
 * true, false, integers, floats; everything quoted is a string). Refused with a sentence that has line and column:
 * aliases and anchors (an alias bomb is 1 KB that means 1 GB), tags, duplicate keys, keys that are no scalar, nesting
 * deeper than JSON_MAX_DEPTH, merge keys, input over max_bytes (ERR_TOO_LARGE, all others ERR_INVALID), more than one
 * document (yaml_read; empty ones do not count). */
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

/* Exactly one document; an empty input gives a null value. The tree is the caller's (json_free). name is used in
 * errors. */
int yaml_read(cJSON **ret, const char *name, const char *text, size_t len, size_t max_bytes, struct err *err);

/* Any number of documents, as an array of trees; empty documents are left out. */
int yaml_read_all(cJSON **ret_array, const char *name, const char *text, size_t len, size_t max_bytes, struct err *err);
