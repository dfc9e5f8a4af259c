/* The API server: one etcd with every change that ever was, and servers in front of it that have seen the changes up to
 * a moment ago. Reads and lists are of what a server has seen; writes are of etcd, conditional where they say so.
 *
 * It knows CosmosCMKs, one Lease, and takes events without keeping them. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
/* of tests/sim */
void json_merge(cJSON *target, const cJSON *patch);

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOURCES "/apis/cosmoscmk.io/v1/"
#define DEFAULT_PAGE 500

/* ---- what is asked ---- */

enum effect kube_effect(const struct call *call)
{
    bool writes = !str_eq(call->method, "GET");

    if (strstr(call->path, "/leases"))
        return writes ? E_LEASE_WRITE : E_LEASE_READ;
    if (strstr(call->path, "/events"))
        return E_EVENT;
    if (!str_has_prefix(call->path, RESOURCES))
        return E_VERSION;
    if (writes)
        return call->body && strstr(call->body, "\"conditions\"") ? E_STATUS : E_RECORD;
    if (call->query && strstr(call->query, "watch=true"))
        return E_WATCH;
    return call->query && strstr(call->query, "limit=") ? E_RESOURCES : E_GET;
}

bool kube_query(const struct call *call, const char *name, char *ret, size_t size)
{
    size_t n = strlen(name);

    for (const char *at = call->query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && at[n] == '=') {
            _cleanup_(freep) char *value = xstrndup(at + n + 1, strcspn(at + n + 1, "&"));
            return str_copy(ret, size, value);
        }
    return false;
}

void kube_error(struct call *call, int status, const char *reason, const char *message)
{
    buf_clear(&call->reply);
    call->status = status;
    buf_printf(&call->reply,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"%s\",\"message\":\"%s\","
        "\"code\":%d}",
        reason, message, status);
}

static void reply_json(struct call *call, int status, const cJSON *tree)
{
    _cleanup_(freep) char *text = json_print(tree);

    call->status = status;
    buf_puts(&call->reply, text);
}

/* ---- etcd ---- */

static void set_text(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    json_add_string(object, name, value);
}

static cJSON *metadata_of(cJSON *object)
{
    return cJSON_GetObjectItemCaseSensitive(object, "metadata");
}

static void set_version(struct cluster *c, cJSON *object)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)++c->etcd.version);
    set_text(metadata_of(object), "resourceVersion", text);
}

/* A change of a CosmosCMK has happened. */
static void changed(struct cluster *c, const char *key, cJSON *object, enum change_type type)
{
    struct etcd *e = &c->etcd;

    set_version(c, object);
    if (e->n == e->cap) {
        e->cap = e->cap ? 2 * e->cap : 256;
        e->changes = xrealloc(e->changes, e->cap * sizeof(*e->changes));
    }
    e->changes[e->n++] = (struct change){
        .version = e->version, .at = fiber_now(), .type = type, .key = xstrdup(key), .text = json_print(object)};
    fiber_wake(e);
}

size_t kube_visible(struct cluster *c, int server)
{
    struct etcd *e = &c->etcd;
    int64_t lag = e->lag_until[server] > fiber_now() && !c->well ? e->lag[server] : 0;
    size_t *seen = &e->visible[server];

    while (*seen < e->n && e->changes[*seen].at + lag <= fiber_now())
        (*seen)++;
    return *seen;
}

/* What a server shows that is further behind, for one answer. */
static size_t visible_to(struct call *call)
{
    size_t n = kube_visible(call->c, call->from->server);

    while (call->stale_ms && n > 0 && call->c->etcd.changes[n - 1].at + call->stale_ms > fiber_now())
        n--;
    return n;
}

cJSON *kube_object(struct cluster *c, const char *name)
{
    _cleanup_(freep) char *key = xasprintf(NAMESPACE "/%s", name);

    return map_get(&c->etcd.objects, key);
}

/* ---- lists ---- */

static int by_key(const void *a, const void *b)
{
    const struct change *const *x = a, *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

/* The last change of each key among the first n, in order of keys; the caller frees the array. */
const struct change **kube_state_at(struct cluster *c, size_t n, size_t *ret_n)
{
    struct map last = MAP_INIT;
    const struct change **ret = xcalloc(n + 1, sizeof(struct change *));

    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        (void)map_set(&last, c->etcd.changes[i].key, &c->etcd.changes[i]);
    map_foreach (entry, &last)
        if (((struct change *)entry->value)->type != CHANGE_DELETED)
            ret[(*ret_n)++] = entry->value;
    map_done(&last);
    qsort(ret, *ret_n, sizeof(struct change *), by_key);
    return ret;
}

static int64_t version_at(const struct cluster *c, size_t n)
{
    return n ? c->etcd.changes[n - 1].version : 1;
}

/* A continue token is "version.position". */
static void list(struct call *call)
{
    struct cluster *c = call->c;
    char token[64] = "", limit_text[16] = "";
    size_t visible = visible_to(call), n, from = 0, limit = DEFAULT_PAGE;

    if (kube_query(call, "limit", limit_text, sizeof(limit_text)))
        limit = (size_t)strtoul(limit_text, NULL, 10);
    if (c->plan.page && (size_t)c->plan.page < limit)
        limit = (size_t)c->plan.page;
    if (kube_query(call, "continue", token, sizeof(token))) {
        int64_t version = strtoll(token, NULL, 10);
        from = (size_t)strtoul(strchr(token, '.') + 1, NULL, 10);
        if (version < c->etcd.compacted) {
            kube_error(call, 410, "Expired", "the continue token is too old");
            return;
        }
        while (visible > 0 && c->etcd.changes[visible - 1].version > version)
            visible--;
    }
    _cleanup_(freep) const struct change **items = kube_state_at(c, visible, &n);
    call->status = 200;
    buf_puts(&call->reply, "{\"kind\":\"CosmosCMKList\",\"apiVersion\":\"cosmoscmk.io/v1\",\"items\":[");
    for (size_t i = from; i < n && i < from + limit; i++)
        buf_printf(&call->reply, "%s%s", i > from ? "," : "", items[i]->text);
    buf_printf(&call->reply, "],\"metadata\":{\"resourceVersion\":\"%lld\"", (long long)version_at(c, visible));
    if (from + limit < n)
        buf_printf(&call->reply, ",\"continue\":\"%lld.%zu\"", (long long)version_at(c, visible), from + limit);
    buf_puts(&call->reply, "}}");
}

static void get(struct call *call, const char *key)
{
    const struct change *found = NULL;

    for (size_t i = visible_to(call); i > 0 && !found; i--)
        if (str_eq(call->c->etcd.changes[i - 1].key, key))
            found = &call->c->etcd.changes[i - 1];
    if (!found || found->type == CHANGE_DELETED) {
        kube_error(call, 404, "NotFound", "there is no such object");
        return;
    }
    call->status = 200;
    buf_puts(&call->reply, found->text);
}

/* ---- writes ---- */

static bool conflicts(const cJSON *object, const cJSON *patch)
{
    const char *version = json_string_at(patch, "metadata.resourceVersion");

    return version && !str_eq(version, json_string_at(object, "metadata.resourceVersion"));
}

static void patch_status(struct call *call, const char *key, const cJSON *patch)
{
    struct cluster *c = call->c;
    cJSON *object = map_get(&c->etcd.objects, key);

    if (!object) {
        kube_error(call, 404, "NotFound", "there is no such object");
        return;
    }
    if (conflicts(object, patch)) {
        kube_error(call, 409, "Conflict", "the object has been modified");
        return;
    }
    _cleanup_(json_freep) cJSON *before = cJSON_Duplicate(object, true);
    cJSON *status = cJSON_GetObjectItemCaseSensitive(object, "status");
    json_merge(status ? status : cJSON_AddObjectToObject(object, "status"), json_member(patch, "status"));
    if (!cJSON_Compare(before, object, true)) {
        changed(c, key, object, CHANGE_MODIFIED);
        call->changed = true;
    }
    c->status_writes++;
    oracle_status(call, before, object, patch);
    reply_json(call, 200, object);
}

static void write_lease(struct call *call, const cJSON *body)
{
    struct cluster *c = call->c;
    bool create = str_eq(call->method, "POST");

    if (create && c->etcd.lease) {
        kube_error(call, 409, "AlreadyExists", "the lease exists");
        return;
    }
    if (!create && (!c->etcd.lease || conflicts(c->etcd.lease, body))) {
        kube_error(call, c->etcd.lease ? 409 : 404, c->etcd.lease ? "Conflict" : "NotFound", "not this one");
        return;
    }
    if (create)
        c->etcd.lease = cJSON_Duplicate(body, true);
    else
        json_merge(c->etcd.lease, body);
    set_version(c, c->etcd.lease);
    reply_json(call, create ? 201 : 200, c->etcd.lease);
}

static void take_event(struct call *call, cJSON *body)
{
    call->c->events_written++;
    oracle_secret(call->c, "an event", call->body);
    if (strstr(call->body, "operationsStatus") || strstr(call->body, "api-version"))
        violation(call->c, "an event shows the URL of an operation");
    if (!json_member(body, "metadata"))
        json_add_object(body, "metadata");
    if (!json_string_at(body, "metadata.name"))
        json_add_string(metadata_of(body), "name", "event-1");
    set_text(metadata_of(body), "resourceVersion", "1");
    reply_json(call, str_eq(call->method, "POST") ? 201 : 200, body);
}

/* "/apis/cosmoscmk.io/v1/namespaces/NS/cosmoscmks/NAME[/status]" */
static char *key_of(const struct call *call)
{
    char ns[64] = "", name[64] = "";

    (void)sscanf(call->path, RESOURCES "namespaces/%63[^/]/cosmoscmks/%63[^/]", ns, name);
    return xasprintf("%s/%s", ns, name);
}

static void serve_write(struct call *call)
{
    _cleanup_(json_freep) cJSON *body = NULL;
    _cleanup_(freep) char *key = key_of(call);

    if (!call->body || json_parse(&body, call->body, strlen(call->body), NULL) < 0) {
        violation(call->c, "the API server is sent no JSON: %s %s", call->method, call->path);
        return;
    }
    if (call->effect == E_LEASE_WRITE)
        write_lease(call, body);
    else if (call->effect == E_EVENT)
        take_event(call, body);
    else if (strstr(call->path, "/status"))
        patch_status(call, key, body);
    else
        violation(call->c, "an unexpected %s %s", call->method, call->path);
}

void kube_serve(struct call *call)
{
    _cleanup_(freep) char *key = key_of(call);

    if (!strstr(call->authorization, SECRET_MARK "-kube")) {
        kube_error(call, 401, "Unauthorized", "no token");
        return;
    }
    switch (call->effect) {
    case E_VERSION:
        call->status = 200;
        buf_puts(&call->reply, "{\"major\":\"1\",\"minor\":\"36\",\"gitVersion\":\"v1.36.0-sim\"}");
        break;
    case E_LEASE_READ:
        if (call->c->etcd.lease)
            reply_json(call, 200, call->c->etcd.lease);
        else
            kube_error(call, 404, "NotFound", "there is no lease");
        break;
    case E_RESOURCES:
        list(call);
        break;
    case E_GET:
        get(call, key);
        break;
    default:
        serve_write(call);
    }
}

/* ---- people ---- */

static cJSON *spec_of(const struct cluster *c, int account)
{
    cJSON *spec = cJSON_CreateObject();
    _cleanup_(freep) char *id = account_id(account);

    json_add_string(spec, "accountId", id);
    json_add_string(spec, "keyVaultKeyUri", KEY_URI);
    if (c->plan.mix && account % 4 == 1)
        json_add_string(spec, "defaultIdentity", "UserAssignedIdentity=" IDENTITY_ID);
    if (!c->plan.vault)
        json_add_string(json_add_object(spec, "preflight"), "keyVault", "Skip");
    return spec;
}

void kube_apply(struct cluster *c, const char *name, int account)
{
    cJSON *object = cJSON_CreateObject(), *metadata = json_add_object(object, "metadata");
    char created[TIME_TEXT_SIZE], uid[64];
    _cleanup_(freep) char *key = xasprintf(NAMESPACE "/%s", name);

    json_add_string(object, "apiVersion", "cosmoscmk.io/v1");
    json_add_string(object, "kind", "CosmosCMK");
    (void)snprintf(uid, sizeof(uid), "uid-%06zu", c->etcd.n + 1);
    time_format_rfc3339(cluster_wall() / 1000 * 1000, created);
    json_add_string(metadata, "name", name);
    json_add_string(metadata, "namespace", NAMESPACE);
    json_add_string(metadata, "uid", uid);
    json_add_string(metadata, "creationTimestamp", created);
    json_add_int(metadata, "generation", 1);
    cJSON_AddItemToObject(object, "spec", spec_of(c, account));
    if (map_set(&c->etcd.objects, key, object))
        violation(c, "the test applies %s twice", name);
    changed(c, key, object, CHANGE_ADDED);
}

void kube_delete_object(struct cluster *c, const char *name)
{
    _cleanup_(freep) char *key = xasprintf(NAMESPACE "/%s", name);
    _cleanup_(json_freep) cJSON *object = map_remove(&c->etcd.objects, key);

    if (object)
        changed(c, key, object, CHANGE_DELETED);
}

static void touch(struct cluster *c, const char *name, cJSON *object)
{
    _cleanup_(freep) char *key = xasprintf(NAMESPACE "/%s", name);

    changed(c, key, object, CHANGE_MODIFIED);
}

void kube_edit(struct cluster *c, const char *name, const char *spec_patch)
{
    cJSON *object = kube_object(c, name);
    _cleanup_(json_freep) cJSON *patch = NULL;
    int64_t generation = 0;

    if (!object || json_parse(&patch, spec_patch, strlen(spec_patch), NULL) < 0)
        return;
    json_merge(cJSON_GetObjectItemCaseSensitive(object, "spec"), patch);
    (void)json_int(json_at(object, "metadata.generation"), false, &generation);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata_of(object), "generation");
    json_add_int(metadata_of(object), "generation", generation + 1);
    touch(c, name, object);
}

void kube_annotate(struct cluster *c, const char *name, const char *value)
{
    cJSON *object = kube_object(c, name);

    if (!object)
        return;
    cJSON *annotations = cJSON_GetObjectItemCaseSensitive(metadata_of(object), "annotations");
    set_text(annotations ? annotations : json_add_object(metadata_of(object), "annotations"),
        "cosmoscmk.io/reconcile-requested-at", value);
    touch(c, name, object);
}

void kube_wipe(struct cluster *c, const char *name)
{
    cJSON *object = kube_object(c, name);

    if (!object)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
    touch(c, name, object);
}

const char *kube_condition(const cJSON *object, const char *type, const char *member)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(object, "status.conditions"))
        if (str_eq(json_string_at(item, "type"), type))
            return json_string_at(item, member) ? json_string_at(item, member) : "";
    return "";
}
