/* The API server as the process reaches it: kube_get() and kube_merge_patch() over objects in memory, with
 * resourceVersion, generation and conditional writes; and what people do with kubectl. */
#include "sim/world.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

struct world_object *world_object_at(const struct world *w, const char *key)
{
    for (size_t i = 0; i < w->n_objects; i++)
        if (str_eq(w->objects[i].key, key))
            return (struct world_object *)&w->objects[i];
    return NULL;
}

struct world_object *world_object(const struct world *w, const char *name)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "payments/%s", name);
    return world_object_at(w, key);
}

static void set_text(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    json_add_string(object, name, value);
}

static void set_number(cJSON *object, const char *name, int64_t value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    json_add_int(object, name, value);
}

static cJSON *metadata_of(const struct world_object *o)
{
    return cJSON_GetObjectItemCaseSensitive(o->json, "metadata");
}

/* A change has happened. */
static void touch(struct world *w, struct world_object *o)
{
    char version[32];

    (void)snprintf(version, sizeof(version), "%lld", (long long)++w->last_version);
    set_text(metadata_of(o), "resourceVersion", version);
    o->changed = true;
}

/* ---- the port's one function ---- */

static int merge_status(struct world *w, struct world_object *o, const cJSON *patch, struct err *err)
{
    const char *version = json_string_at(patch, "metadata.resourceVersion");

    if (version && !str_eq(version, json_string_at(o->json, "metadata.resourceVersion")))
        return err_set(
            err, ERR_CONFLICT, "the object has been modified; please apply your changes to the latest version");
    _cleanup_(json_freep) cJSON *before = cJSON_Duplicate(o->json, true);
    cJSON *status = cJSON_GetObjectItemCaseSensitive(o->json, "status");
    json_merge(status ? status : cJSON_AddObjectToObject(o->json, "status"), json_member(patch, "status"));
    if (!cJSON_Compare(before, o->json, true))
        touch(w, o);
    else if (json_member(json_member(patch, "status"), "conditions"))
        violation(w, "%s: a status write that changes nothing", o->key);
    oracle_status(w, o, before, patch);
    trace_status(w, o);
    return 0;
}

static int write_object(
    struct world *w, struct world_object *o, const cJSON *patch, enum fault fault, cJSON **ret, struct err *err)
{
    if (fault == FAULT_CRASH_BEFORE)
        return err_set(err, ERR_CANCELLED, "this process is dead");
    if (fault == FAULT_KUBE_DOWN)
        return err_set(err, ERR_UNAVAILABLE, "connection refused");
    if (fault == FAULT_KUBE_CONFLICT)
        return err_set(err, ERR_CONFLICT, "the object has been modified");
    if (!o || !o->exists)
        return err_set(err, ERR_NOT_FOUND, "not found");
    if (merge_status(w, o, patch, err) < 0)
        return -1;
    *ret = cJSON_Duplicate(o->json, true);
    if (world_dies_after(w, fault))
        return err_set(err, ERR_CANCELLED, "this process is dead");
    if (fault == FAULT_PAUSE)
        world_pause(w);
    if (fault == FAULT_KUBE_LOST)
        return err_set(err, ERR_TIMEOUT, "no answer");
    return 0;
}

int kube_merge_patch(struct kube_client *client, const struct kube_resource *resource _unused_, const char *ns,
    const char *name, const char *subresource _unused_, const cJSON *patch, cJSON **ret, struct err *err)
{
    struct world *w = (struct world *)client;
    _cleanup_(freep) char *key = store_key(ns, name);
    _cleanup_(json_freep) cJSON *answer = NULL;
    struct world_object *o = world_object_at(w, key);
    bool whole = json_at(patch, "status.conditions") != NULL;
    enum fault fault = world_begin_effect(w, whole ? EFFECT_WRITE : EFFECT_WRITE_OPERATION);

    w->kube_writes += !w->dead;
    if (write_object(w, o, patch, fault, &answer, err) < 0) {
        if (!w->dead)
            trace_effect(w, TRACE_NEWS, "%s: %s", whole ? "write status" : "write operation", err->msg);
        return -1;
    }
    *ret = TAKE_PTR(answer);
    return 0;
}

int kube_get(struct kube_client *client, const struct kube_resource *resource _unused_, const char *ns,
    const char *name, cJSON **ret, struct err *err)
{
    struct world *w = (struct world *)client;
    _cleanup_(freep) char *key = store_key(ns, name);
    const struct world_object *o = world_object_at(w, key);

    if (w->dead)
        return err_set(err, ERR_CANCELLED, "the process is gone");
    if (!o || !o->exists)
        return err_set(err, ERR_NOT_FOUND, "there is no %s", key);
    *ret = cJSON_Duplicate(o->json, true);
    return 0;
}

/* ---- people ---- */

static void set_spec(struct world *w, struct world_object *o, const char *account, const char *key, const char *members)
{
    struct err err = ERR_INIT;
    cJSON *spec = NULL;
    _cleanup_(freep) char *text = xasprintf("{%s}", members);

    if (json_parse(&spec, text, strlen(text), &err) < 0) {
        violation(w, "the test's spec is wrong: %s", err.msg);
        return;
    }
    if (account)
        json_add_string(spec, "accountId", account);
    if (key)
        json_add_string(spec, "keyVaultKeyUri", key);
    cJSON_AddItemToObject(o->json, "spec", spec);
}

void world_apply(struct world *w, const char *name, const char *account, const char *key, const char *members)
{
    struct world_object *o = &w->objects[w->n_objects++];
    char uid[64], created[TIME_TEXT_SIZE];

    *o = (struct world_object){.key = store_key("payments", name), .json = cJSON_CreateObject(), .exists = true};
    cJSON *metadata = json_add_object(o->json, "metadata");
    (void)snprintf(uid, sizeof(uid), "uid-%zu", w->n_objects);
    time_format_rfc3339(w->now, created);
    json_add_string(metadata, "name", name);
    json_add_string(metadata, "namespace", "payments");
    json_add_string(metadata, "uid", uid);
    json_add_string(metadata, "creationTimestamp", created);
    json_add_int(metadata, "generation", 1);
    set_spec(w, o, account, key, members);
    touch(w, o);
    trace_note(w, "somebody applies %s", o->key);
}

static void next_generation(struct world *w, struct world_object *o)
{
    int64_t generation = 0;

    (void)json_int(json_at(o->json, "metadata.generation"), false, &generation);
    set_number(metadata_of(o), "generation", generation + 1);
    touch(w, o);
}

void world_set_spec(struct world *w, const char *name, const cJSON *spec)
{
    struct world_object *o = world_object(w, name);
    const cJSON *held = json_member(o->json, "spec");

    if (held == spec || (held && spec && cJSON_Compare(held, spec, true)))
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(o->json, "spec");
    if (spec)
        cJSON_AddItemToObject(o->json, "spec", cJSON_Duplicate(spec, true));
    next_generation(w, o);
}

void world_edit(struct world *w, const char *name, const char *spec_patch)
{
    struct world_object *o = world_object(w, name);
    cJSON *patch = NULL;

    if (json_parse(&patch, spec_patch, strlen(spec_patch), NULL) < 0)
        violation(w, "the test's edit is wrong");
    json_merge(cJSON_GetObjectItemCaseSensitive(o->json, "spec"), patch);
    (void)json_free(patch);
    next_generation(w, o);
    trace_note(w, "somebody edits %s: %s", o->key, spec_patch);
}

void world_annotate(struct world *w, const char *name, const char *value)
{
    struct world_object *o = world_object(w, name);
    cJSON *metadata = metadata_of(o), *annotations = cJSON_GetObjectItemCaseSensitive(metadata, "annotations");

    set_text(annotations ? annotations : json_add_object(metadata, "annotations"),
        "cosmoscmk.io/reconcile-requested-at", value);
    touch(w, o);
    trace_note(w, "somebody asks for %s to be looked at", o->key);
}

void world_delete(struct world *w, const char *name)
{
    struct world_object *o = world_object(w, name);

    o->exists = false;
    o->deleted_effect = w->n_effects;
    o->changed = true;
    trace_note(w, "somebody deletes %s", o->key);
}

const char *world_condition(const struct world_object *o, const char *type, const char *member)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(o->json, "status.conditions"))
        if (str_eq(json_string_at(item, "type"), type))
            return json_string_at(item, member) ? json_string_at(item, member) : "";
    return "";
}
