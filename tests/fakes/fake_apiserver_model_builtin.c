/* The built-in resources, brought into the form of CRDs, so that nothing else needs to know a difference.
 *
 * Their schemas hold only what a controller can get wrong; other members are kept as they are. Events of both groups
 * are the same objects, stored as events.k8s.io/v1. */
#include "fakes/fake_apiserver_model_registry.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

struct builtin {
    const char *group, *kind, *plural, *singular;
    const char *short_names; /* separated by blanks */
    bool global;
    bool status;
    const char *schema;     /* members of the schema as JSON, with ' for "; NULL: nothing is checked */
    const char *columns;    /* lines "NAME:TYPE:PATH"; NULL: the default ones */
    const char *selectable; /* paths separated by blanks */
};

#define AGE "Age:date:.metadata.creationTimestamp"
#define KEEP "'type':'object','x-kubernetes-preserve-unknown-fields':true"
#define MICRO_TIME "{'type':'string','format':'micro-time','nullable':true}"
#define TEXT_128 "{'type':'string','minLength':1,'maxLength':128}"
#define QUALIFIED_NAME                                                                                                 \
    "{'type':'string','pattern':'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'}"
#define INT32 "'type':'integer','format':'int32'"

static const char lease_schema[] = KEEP ",'properties':{'spec':{" KEEP ",'properties':{"
                                        "'holderIdentity':{'type':'string'},"
                                        "'leaseDurationSeconds':{" INT32 ",'x-positive':true},"
                                        "'leaseTransitions':{" INT32 ",'minimum':0},"
                                        "'acquireTime':" MICRO_TIME ",'renewTime':" MICRO_TIME "}}}";

static const char event_schema[] =
    KEEP ",'required':['eventTime','reportingController','reportingInstance','action','reason','type'],'properties':{"
         "'eventTime':" MICRO_TIME ",'reportingController':" QUALIFIED_NAME ",'reportingInstance':" TEXT_128
         ",'action':" TEXT_128 ",'reason':" TEXT_128 ",'type':{'enum':['Normal','Warning']},"
         "'note':{'type':'string','x-max-bytes':1024},"
         "'deprecatedCount':{'type':'integer','maximum':0},"
         "'deprecatedSource':{'properties':{'component':{'maxLength':0},'host':{'maxLength':0}}},"
         "'series':{'type':'object','required':['count','lastObservedTime'],"
         "'properties':{'count':{" INT32 ",'minimum':2},'lastObservedTime':" MICRO_TIME "}}}";

static const char config_map_schema[] =
    KEEP ",'properties':{'data':{'type':'object','additionalProperties':{'type':'string'}}}";

static const struct builtin builtins[] = {
    {"", "Namespace", "namespaces", "namespace", "ns", true, true, KEEP, "Status:string:.status.phase\n" AGE, ""},
    {"", "ConfigMap", "configmaps", "configmap", "cm", false, false, config_map_schema, NULL, ""},
    {"", "Secret", "secrets", "secret", "", false, false, KEEP, "Type:string:.type\n" AGE, ""},
    {"", "ServiceAccount", "serviceaccounts", "serviceaccount", "sa", false, false, KEEP, NULL, ""},
    {"coordination.k8s.io", "Lease", "leases", "lease", "", false, false, lease_schema,
        "Holder:string:.spec.holderIdentity\n" AGE, ""},
    {"events.k8s.io", "Event", "events", "event", "ev", false, false, event_schema,
        "Last Seen:date:.series.lastObservedTime|.deprecatedLastTimestamp|.eventTime\nType:string:.type\n"
        "Reason:string:.reason\nObject:string:.regarding.name\nMessage:string:.note",
        ".regarding.kind .regarding.name .reason .type"},
    {"", "Event", "events", "event", "ev", false, false, NULL,
        "Last Seen:date:.series.lastObservedTime|.lastTimestamp|.eventTime\nType:string:.type\n"
        "Reason:string:.reason\nObject:string:.involvedObject.name\nMessage:string:.message",
        ".involvedObject.kind .involvedObject.name .involvedObject.namespace .involvedObject.uid "
        ".involvedObject.apiVersion .reason .type"},
    {"rbac.authorization.k8s.io", "ClusterRole", "clusterroles", "clusterrole", "", true, false, KEEP, NULL, ""},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", "", true, false,
        KEEP, NULL, ""},
    {"apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition",
        "crd crds", true, true, NULL, "Created At:string:.metadata.creationTimestamp", ""},
};

/* The part of *text up to the separator, the caller's; *text moves behind it. NULL at the end. */
static char *next_part(const char **text, char separator)
{
    if (!**text)
        return NULL;
    size_t len = strcspn(*text, (const char[]){separator, '\0'});
    char *part = xstrndup(*text, len);
    *text += len + ((*text)[len] == separator);
    return part;
}

static void add_columns(cJSON *version, const char *text)
{
    cJSON *columns = json_add_array(version, "additionalPrinterColumns");
    for (char *line; (line = next_part(&text, '\n')); free(line)) {
        static const char *const names[] = {"name", "type", "jsonPath"};
        cJSON *column = cJSON_CreateObject();
        const char *rest = line;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            _cleanup_(freep) char *part = next_part(&rest, ':');
            json_add_string(column, names[i], part);
        }
        cJSON_AddItemToArray(columns, column);
    }
}

static void add_selectable(cJSON *version, const char *text)
{
    cJSON *fields = json_add_array(version, "selectableFields");
    for (char *path; (path = next_part(&text, ' ')); free(path)) {
        cJSON *field = cJSON_CreateObject();
        json_add_string(field, "jsonPath", path);
        cJSON_AddItemToArray(fields, field);
    }
}

static void add_schema(cJSON *version, const struct builtin *b)
{
    struct err err = ERR_INIT;
    cJSON *schema = NULL;
    _cleanup_(freep) char *text = xasprintf("{%s}", b->schema);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(&schema, text, strlen(text), &err) < 0) {
        (void)fprintf(stderr, "the schema of the built-in kind %s: %s\n", b->kind, err.msg);
        abort();
    }
    cJSON_AddItemToObject(json_add_object(version, "schema"), "openAPIV3Schema", schema);
}

static cJSON *definition_of(const struct builtin *b)
{
    cJSON *definition = cJSON_CreateObject(), *spec = json_add_object(definition, "spec");
    cJSON *names = json_add_object(spec, "names"), *version = cJSON_CreateObject();
    const char *rest = b->short_names;
    json_add_string(spec, "group", b->group);
    json_add_string(spec, "scope", b->global ? "Cluster" : "Namespaced");
    json_add_string(names, "kind", b->kind);
    json_add_string(names, "plural", b->plural);
    json_add_string(names, "singular", b->singular);
    cJSON *shorts = json_add_array(names, "shortNames");
    for (char *name; (name = next_part(&rest, ' ')); free(name))
        cJSON_AddItemToArray(shorts, cJSON_CreateString(name));
    cJSON_AddItemToArray(json_add_array(spec, "versions"), version);
    json_add_string(version, "name", "v1");
    cJSON_AddTrueToObject(version, "served");
    cJSON_AddTrueToObject(version, "storage");
    if (b->status)
        json_add_object(json_add_object(version, "subresources"), "status");
    if (b->schema)
        add_schema(version, b);
    if (b->columns)
        add_columns(version, b->columns);
    add_selectable(version, b->selectable);
    return definition;
}

void registry_add_builtin(struct registry *registry)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        struct err err = ERR_INIT;
        _cleanup_(json_freep) cJSON *definition = definition_of(&builtins[i]);
        (void)registry_add(registry, definition, false, &err); /* cannot fail: it is complete */
    }
}
