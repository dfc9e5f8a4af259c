/* Label and field selectors, and the JSONPath subset of a CRD's printer columns and selectable fields. Pure. */
#pragma once

#include "base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* All values that path leads to, as borrowed nodes; at most max of them, returns how many. The subset: .name, ['name'],
 * [2], [*] and
 * [?(@.a.b=="c")] (also !=); an optional leading $ and surrounding braces. A path that is none of these leads nowhere.
 */
size_t jsonpath_find(const cJSON *object, const char *path, const cJSON **ret, size_t max);

enum selector_kind { SELECTOR_LABELS, SELECTOR_FIELDS };
struct selector;

/* "a=b,c!=d,e in (x,y),f notin (z),g,!h" for labels, the first two forms for fields. An empty text selects everything
 * and gives NULL. fields: the field names that are known besides metadata.name and metadata.namespace, a JSON array of
 * {jsonPath}, or NULL. */
int selector_parse(
    struct selector **ret, enum selector_kind kind, const char *text, const cJSON *fields, struct err *err);
/* Accepts and returns NULL. */
struct selector *selector_free(struct selector *selector);
/* NULL selects everything. */
bool selector_matches(const struct selector *selector, const cJSON *object);
