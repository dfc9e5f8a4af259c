/* The resources that are served: the built-in ones and those of stored CustomResourceDefinitions, all described in the
 * form of a CRD. From them come discovery and the OpenAPI documents. Not thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct resource {
    cJSON *definition; /* owned copy of the CRD, into which all below point */
    const char *group; /* "" for core */
    const char *version;
    const char *kind;
    const char *list_kind;
    const char *plural;
    const char *singular;
    const cJSON *names;
    const cJSON *schema;     /* NULL: not checked at all */
    const cJSON *columns;    /* or NULL */
    const cJSON *selectable; /* or NULL */
    bool namespaced;
    bool has_status;
    bool custom;
    char *collection;  /* where its objects are stored, "GROUP/PLURAL" */
    char *api_version; /* "v1", "GROUP/VERSION" */
};

struct registry {
    struct resource **list;
    size_t n;
};

/* Adds every served version of a CRD (or of something in that form, when !custom). registry_remove first what was
 * there. */
int registry_add(struct registry *registry, const cJSON *definition, bool custom, struct err *err);
void registry_add_builtin(struct registry *registry);
/* Removes all versions of GROUP/PLURAL. */
void registry_remove(struct registry *registry, const char *collection);
void registry_done(struct registry *registry);

/* NULL when there is none. */
const struct resource *registry_find(
    const struct registry *registry, const char *group, const char *version, const char *plural);

/* The documents; NULL for an unknown group or version. Trees are the caller's. */
cJSON *discovery_versions(void);                                    /* /api */
cJSON *discovery_groups(const struct registry *registry);           /* /apis */
cJSON *discovery_group(const struct registry *r, const char *name); /* /apis/GROUP */
cJSON *discovery_resources(const struct registry *registry, const char *group, const char *version);
cJSON *openapi_v3_index(const struct registry *registry);
cJSON *openapi_v3(const struct registry *registry, const char *group, const char *version);
/* The OpenAPI v2 document in the only form that kubectl asks for, a protocol buffer of gnostic's openapi.v2.Document.
 */
void openapi_v2_protobuf(const struct registry *registry, struct buf *ret);
/* The same for people who ask for JSON. */
cJSON *openapi_v2(const struct registry *registry);
