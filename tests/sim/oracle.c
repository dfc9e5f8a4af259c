/* What must hold at every effect, whatever the faults (section 3 of the design). Each check says what was broken, the
 * first is kept. Nothing here asks the controller's rules: the judge is what was read, what the API server holds, and
 * what Azure knows. */
#include "sim/world.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/tz_file.h"
#include "cmk/spec.h"
#include "cmk/window.h"
#include "controller/codec.h"

#include <stdio.h>
#include <string.h>

void violation(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->violation.len > 0)
        return;
    buf_printf(&w->violation, "effect %zu, %llds: ", w->n_effects, (long long)(w->now - w->begin) / 1000);
    va_start(args, format);
    buf_vprintf(&w->violation, format, args);
    va_end(args);
}

/* ---- what was read ---- */

void oracle_seen(struct world *w, const cJSON *account)
{
    str_replace(&w->seen.state, json_string_at(account, "properties.provisioningState"));
    str_replace(&w->seen.key_uri, json_string_at(account, "properties.keyVaultKeyUri"));
    str_replace(&w->seen.key_status, json_string_at(account, "properties.customerManagedKeyStatus"));
    w->seen.effect = w->n_effects;
    w->seen.process = w->process;
}

static bool seen_at_rest(const struct world *w)
{
    return str_empty(w->seen.state) || str_eq(w->seen.state, "Succeeded");
}

/* ---- a change is sent ---- */

/* One that was deleted since the pass began may still be acting: nobody could have told it. */
static struct world_object *sender(struct world *w, const char *correlation)
{
    for (size_t i = 0; i < w->n_objects; i++) {
        struct world_object *o = &w->objects[i];
        if ((o->exists || o->deleted_effect > w->pass_begin) &&
            str_eq(json_string_at(o->json, "status.operation.correlationId"), correlation))
            return o;
    }
    return NULL;
}

/* Invariants 1 and 4: written ahead by this process, once; the account read since, and it was the last thing done. */
static void check_order(struct world *w, struct world_object *o)
{
    if (o->ahead_process != w->process)
        violation(w, "a change is sent that another process has written ahead");
    if (o->ahead_sent)
        violation(w, "a change is sent a second time");
    o->ahead_sent = true;
    if (!str_eq(json_string_at(o->json, "status.operation.state"), "Requested"))
        violation(w, "a change is sent while the record says %s", json_string_at(o->json, "status.operation.state"));
    if (w->seen.process != w->process || w->seen.effect <= o->ahead_effect || w->seen.effect + 1 != w->n_effects)
        violation(w, "a change is sent and the account was not read just before");
    if (!seen_at_rest(w))
        violation(w, "a change is sent to an account that was read as %s", w->seen.state);
}

static bool has_older_sibling(const struct world *w, const struct world_object *o)
{
    const char *account = json_string_at(o->json, "spec.accountId");

    for (const struct world_object *other = w->objects; other < o; other++)
        if (other->exists && str_eq_nocase(json_string_at(other->json, "spec.accountId"), account))
            return true;
    return false;
}

static void check_window(struct world *w, const struct cmk_window *window)
{
    struct tz *zone = NULL;

    if (!window->present)
        return;
    if (tz_load(&zone, window->time_zone, NULL, NULL) < 0)
        violation(w, "a change is sent although nobody knows the time zone %s", window->time_zone);
    else if (!cmk_window_at(window, zone, w->now).open)
        violation(w, "a change is sent outside the window");
    (void)tz_free(zone);
}

/* Invariant 1, by the spec that was written ahead. */
static void check_gates(struct world *w, const struct world_object *o, const struct cmk_resource *resource)
{
    const struct cmk_spec *spec = &resource->spec;
    struct err err = ERR_INIT;

    if (cmk_spec_check(spec, &err) < 0)
        violation(w, "a change is sent for an invalid spec: %s", err.msg);
    if (spec->suspend || spec->mode == CMK_OBSERVE)
        violation(w, "a change is sent although the spec forbids it");
    if (spec->approval == CMK_MANUAL && !str_eq(spec->approved_plan, json_string_at(o->json, "status.plan.hash")))
        violation(w, "a change is sent without approval");
    check_window(w, &spec->window);
    if (has_older_sibling(w, o))
        violation(w, "a change is sent by a resource that does not own the account");
    for (size_t i = 0; i < resource->status.n_checks; i++)
        if (resource->status.checks[i].result == CMK_CHECK_FAILED)
            violation(w, "a change is sent although preflight failed");
}

/* What is attached stays attached: the type has to name both kinds, where there are both. */
static char *attach_body(const struct azure_account *account, const char *user_id)
{
    bool system = !user_id || account->system_assigned, user = user_id || account->identities.n > 0;
    const char *type = system && user ? "SystemAssigned,UserAssigned" : system ? "SystemAssigned" : "UserAssigned";

    if (!user_id)
        return xasprintf("{\"identity\":{\"type\":\"%s\"}}", type);
    return xasprintf("{\"identity\":{\"type\":\"%s\",\"userAssignedIdentities\":{\"%s\":{}}}}", type, user_id);
}

/* Invariant 2: the body is exactly the one thing. */
static void check_body(
    struct world *w, const struct azure_account *account, const struct cmk_resource *resource, const cJSON *body)
{
    const char *type = cmk_step_type_name(resource->status.operation.type);
    _cleanup_(freep) char *sent = json_print(body);
    _cleanup_(freep) char *expected =
        str_eq(type, "EnableKey") ? xasprintf("{\"properties\":{\"keyVaultKeyUri\":\"%s\"}}", resource->spec.key_uri)
        : str_eq(type, "SetDefaultIdentity")
            ? xasprintf("{\"properties\":{\"defaultIdentity\":\"%s\"}}", resource->spec.default_identity)
            : attach_body(account, cmk_user_identity_of(resource->spec.default_identity));

    if (!str_eq(sent, expected))
        violation(w, "%s sends %s instead of %s", type, sent, expected);
}

/* The account has what is asked for. */
static bool is_shown(const struct azure_account *account, const cJSON *body)
{
    const char *key = json_string_at(body, "properties.keyVaultKeyUri");
    const char *identity = json_string_at(body, "properties.defaultIdentity");
    const cJSON *user = json_at(body, "identity.userAssignedIdentities");

    if (!account)
        return true;
    if (key)
        return cmk_same_key(account->key_uri, key);
    if (identity)
        return cmk_same_identity(account->default_identity, identity);
    return user ? user->child && azure_account_attached(account, user->child->string) : account->system_assigned;
}

/* Invariants 3 and 4: what Azure has accepted is not asked for again, unless it failed or somebody undid it. */
static void check_repeat(struct world *w, const struct azure_account *account, const cJSON *body)
{
    _cleanup_(freep) char *text = json_print(body);
    bool shows = is_shown(account, body);

    for (size_t i = 0; i < w->n_patches; i++) {
        const struct world_patch *p = &w->patches[i];
        if (!p->operation || !str_eq(p->body, text))
            continue;
        bool undone = p->operation->state == AZURE_OP_SUCCEEDED && !shows;
        if (p->operation->state != AZURE_OP_FAILED && !undone)
            violation(w, "a change that Azure has accepted is sent again: %s", text);
    }
}

void oracle_patch(struct world *w, const struct azure_account *account, const cJSON *body, const char *correlation)
{
    struct world_object *o = sender(w, correlation);
    struct cmk_resource resource;
    struct err err = ERR_INIT;
    cJSON *spec = NULL;

    if (!o) {
        violation(w, "a change is sent that was not written ahead");
        return;
    }
    check_order(w, o);
    check_repeat(w, account, body);
    _cleanup_(json_freep) cJSON *written = cJSON_Duplicate(o->json, true);
    (void)json_parse(&spec, o->ahead_spec, strlen(o->ahead_spec), NULL);
    cJSON_DeleteItemFromObjectCaseSensitive(written, "spec");
    cJSON_AddItemToObject(written, "spec", spec);
    if (cmk_decode(&resource, written, &err) < 0) {
        violation(w, "%s", err.msg);
        return;
    }
    check_gates(w, o, &resource);
    if (account)
        check_body(w, account, &resource, body);
    cmk_resource_done(&resource);
}

/* ---- a status is written ---- */

static void note_write_ahead(struct world *w, struct world_object *o, const cJSON *before, bool conditional)
{
    const char *correlation = json_string_at(o->json, "status.operation.correlationId");

    if (!str_eq(json_string_at(o->json, "status.operation.state"), "Requested") ||
        str_eq(correlation, json_string_at(before, "status.operation.correlationId")))
        return;
    if (!conditional)
        violation(w, "a write-ahead without condition");
    for (size_t i = 0; i < w->n_patches; i++)
        if (w->patches[i].operation && w->patches[i].operation->state == AZURE_OP_RUNNING)
            violation(w, "a write-ahead over an operation that is still running");
    o->ahead_effect = w->n_effects;
    o->ahead_process = w->process;
    o->ahead_sent = false;
    free(o->ahead_spec);
    o->ahead_spec = json_print(json_member(o->json, "spec"));
}

/* Invariant 5. */
static void check_ready(struct world *w, const struct world_object *o)
{
    const char *key = json_string_at(o->json, "spec.keyVaultKeyUri"),
               *state = json_string_at(o->json, "status.operation.state");

    if (w->seen.process != w->process || w->seen.effect <= w->pass_begin)
        violation(w, "Ready although the account was not read in this pass");
    else if (!seen_at_rest(w) || !cmk_same_key(w->seen.key_uri, key) ||
             !str_has_prefix(w->seen.key_status, AZURE_KEY_CONFIRMED))
        violation(w, "Ready although the account was read as %s with %s", w->seen.state, w->seen.key_uri);
    if (json_at(o->json, "status.operation.type") && !json_at(o->json, "status.operation.completedAt"))
        violation(w, "Ready although an operation is %s", state);
    if (json_at(o->json, "status.plan"))
        violation(w, "Ready with a plan");
}

void oracle_status(struct world *w, struct world_object *o, const cJSON *before, const cJSON *patch)
{
    bool conditional = json_string_at(patch, "metadata.resourceVersion") != NULL;
    bool whole = json_at(patch, "status.conditions") != NULL;
    bool ready = str_eq(world_condition(o, "Ready", "status"), "True");
    bool working = world_condition(o, "Reconciling", "status")[0], stalled = world_condition(o, "Stalled", "status")[0];
    int64_t generation = 0, observed = -1;

    note_write_ahead(w, o, before, conditional);
    if (!whole) /* the record of an operation alone says nothing about the account */
        return;
    if (ready)
        check_ready(w, o);
    if ((ready && (working || stalled)) || (working && stalled))
        violation(w, "conditions that contradict each other");
    if (!world_condition(o, "Ready", "status")[0] || !world_condition(o, "Ready", "message")[0])
        violation(w, "no condition Ready, or one without a message");
    (void)json_int(json_at(o->json, "metadata.generation"), false, &generation);
    (void)json_int(json_at(o->json, "status.observedGeneration"), false, &observed);
    if (generation != observed)
        violation(w, "observedGeneration %lld at generation %lld", (long long)observed, (long long)generation);
}
