/* Rest: where a resource stays until somebody does something. And fresh resources, each made once for an account and a
 * spec. */
#include "sequences/fresh.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "sequences/story.h"
#include "sim/life.h"

#include <string.h>

#define QUIET_MS (11 * MINUTE_MS) /* longer than what stalled it is looked at again */
#define PATIENCE_MS (30 * 24 * HOUR_MS)

/* ---- rest ---- */

static bool azure_rests(const struct world *w)
{
    return w->model->n_running == 0 && w->late.at == 0;
}

static bool is_at_rest(const struct world *w, const struct world_object *o)
{
    static const char *const waiting[] = {"Observing", "Suspended", "AwaitingApproval"};
    const char *reason = world_condition(o, "Ready", "reason");
    int64_t generation = 0, observed = -1;

    (void)json_int(json_at(o->json, "metadata.generation"), false, &generation);
    (void)json_int(json_at(o->json, "status.observedGeneration"), false, &observed);
    if (o->changed || generation != observed || !azure_rests(w))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        if (str_eq(reason, waiting[i]))
            return true;
    return str_eq(world_condition(o, "Ready", "status"), "True") || world_condition(o, "Stalled", "status")[0];
}

bool rest_reach(struct world *w, const char *name, int64_t within_ms)
{
    const struct world_object *o = world_object(w, name);
    int64_t end = w->now + within_ms;

    while (w->now < end && w->violation.len == 0 && w->n_effects < WORLD_MAX_EFFECTS) {
        world_run(w, w->now - w->begin + MINUTE_MS);
        size_t writes = w->kube_writes, patches = w->n_patches;
        int64_t version = w->last_version;
        if (!is_at_rest(w, o))
            continue;
        world_run(w, w->now - w->begin + QUIET_MS);
        if (is_at_rest(w, o) && writes == w->kube_writes && patches == w->n_patches && version == w->last_version)
            return w->violation.len == 0;
    }
    return false;
}

/* ---- what is compared ---- */

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (str_eq(word, *words))
            return true;
    return false;
}

static void put_condition(const struct world_object *o, const char *type, bool with_message, struct buf *b)
{
    buf_printf(b, "%s: %s %s %s\n", type, world_condition(o, type, "status"), world_condition(o, type, "reason"),
        with_message ? world_condition(o, type, "message") : "");
}

static void put_account(const struct world *w, struct buf *b)
{
    const struct azure_account *a = world_azure_account(w, "orders");

    buf_printf(b, "account: %s, key %s, default %s, system-assigned %d", azure_account_state(a), a->key_uri,
        a->default_identity, a->system_assigned);
    for (size_t i = 0; i < a->identities.n; i++)
        buf_printf(b, ", %s", a->identities.v[i]);
    buf_putc(b, '\n');
}

char *rest_text(const struct world *w, const char *name)
{
    /* These name the plan, whose hash is kept while it is carried out, or what goes on in Azure. */
    static const char *const own_words[] = {"AwaitingApproval", "Observing", "Suspended", NULL},
                             *const not_looked[] = {"InvalidSpec", "UnsupportedSpec", "Suspended", "AccountNotFound",
                                 NULL},
                             *const checked[] = {"PreflightFailed", "AwaitingApproval", "Observing", NULL};
    const struct world_object *o = world_object(w, name);
    const char *reason = world_condition(o, "Ready", "reason");
    bool with_message = !is_one_of(reason, own_words);
    struct buf b = BUF_INIT(65536);

    put_account(w, &b);
    put_condition(o, "Ready", with_message, &b);
    put_condition(o, "Reconciling", with_message, &b);
    put_condition(o, "Stalled", with_message, &b);
    if (!is_one_of(reason, not_looked))
        put_condition(o, "KeyAccessible", true, &b);
    if (is_one_of(reason, checked))
        put_condition(o, "PreflightPassed", true, &b);
    return buf_take(&b);
}

/* ---- a fresh one ---- */

static struct map known; /* account and spec -> rest_text */
static size_t asked;

static void copy_resource(const struct world *from, struct world *to, const char *id)
{
    const cJSON *resource = azure_model_resource(from->model, id);
    struct err err = ERR_INIT;

    if (resource && azure_model_put_resource(to->model, resource, &err) < 0)
        violation(to, "%s", err.msg);
}

static void copy_account(const struct world *from, struct world *to)
{
    const struct azure_account *a = world_azure_account(from, "orders");
    _cleanup_(json_freep) cJSON *seed = cJSON_CreateObject();
    struct err err = ERR_INIT;

    json_add_string(seed, "subscription", a->subscription);
    json_add_string(seed, "resourceGroup", a->group);
    json_add_string(seed, "backupPolicy", a->backup);
    json_add_string(seed, "keyVaultKeyUri", a->key_uri);
    json_add_string(seed, "customerManagedKeyStatus", a->key_status);
    json_add_string(seed, "defaultIdentity", a->default_identity);
    cJSON_AddBoolToObject(seed, "systemAssigned", a->system_assigned);
    cJSON *identities = json_add_array(seed, "identities");
    for (size_t i = 0; i < a->identities.n; i++)
        cJSON_AddItemToArray(identities, cJSON_CreateString(a->identities.v[i]));
    if (azure_model_put(to->model, "orders", seed, to->now, &err) < 0)
        violation(to, "%s", err.msg);
}

static char *live_anew(const struct world *w, const cJSON *spec, struct err *err)
{
    struct world *fresh = world_new(&life_quick);
    char *text = NULL;

    fresh->scan = w->scan;
    fresh->no_access = w->no_access;
    copy_resource(w, fresh, IDENTITY_ID("cmk"));
    copy_account(w, fresh);
    world_apply(fresh, "orders", NULL, NULL, "");
    world_set_spec(fresh, "orders", spec);
    if (rest_reach(fresh, "orders", PATIENCE_MS))
        text = rest_text(fresh, "orders");
    else
        (void)err_set(err, ERR_INVALID, "a fresh resource %s",
            fresh->violation.len ? buf_str(&fresh->violation) : "does not come to rest");
    (void)world_free(fresh);
    return text;
}

const char *fresh_rest(const struct world *w, const cJSON *spec, struct err *err)
{
    _cleanup_(buf_done) struct buf key = BUF_INIT(1 << 20);
    _cleanup_(freep) char *spec_text = spec ? json_print(spec) : NULL;

    put_account(w, &key);
    buf_printf(&key, "%s%d%d", world_azure_account(w, "orders")->backup, w->no_access, (int)w->scan);
    buf_puts(&key, spec_text ? spec_text : "none");
    asked++;
    char *text = map_get(&known, buf_str(&key));
    if (!text) {
        text = live_anew(w, spec, err);
        if (text)
            (void)map_set(&known, buf_str(&key), text);
    }
    return text;
}

size_t story_fresh(size_t *ret_asked)
{
    *ret_asked = asked;
    return known.len;
}

void story_forget(void)
{
    map_foreach (entry, &known)
        free(entry->value);
    map_done(&known);
}
