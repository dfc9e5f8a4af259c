/* Living, and judging how it ended. What may differ between two lives is taken out of what is compared: times, ids, the
 * order of conditions, how often something was tried. */
#include "sim/life.h"

#include "unit.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

const struct world_options life_quick = {.identity_ms = 12000, .encrypt_ms = 30000, .latency_ms = 100};

#define LIFE_MS (24 * HOUR_MS)
#define IDLE_AFTER_MS (35 * MINUTE_MS)
#define IDLE_MS HOUR_MS

void life_done(struct life *life)
{
    free(life->end);
    free(life->broken);
    free(life->trace);
}

/* ---- how it ended ---- */

static void drop(cJSON *object, const char *name)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

static void put_account(struct world *w, struct buf *b)
{
    const struct azure_account *account = world_azure_account(w, "orders");

    buf_printf(b, "account: %s, key %s (%s), default %s, %zu identities\n", azure_account_state(account),
        account->key_uri, account->key_status, account->default_identity, account->identities.n);
}

/* Conditions are a map by type: their order says nothing. */
static void put_in_order(const cJSON *conditions, struct buf *b)
{
    static const char *const types[] = {
        "Ready", "Reconciling", "Stalled", "PreflightPassed", "Encrypting", "KeyAccessible"};
    const cJSON *item;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        cJSON_ArrayForEach (item, conditions)
            if (str_eq(json_string_at(item, "type"), types[i])) {
                _cleanup_(freep) char *text = json_print(item);
                buf_printf(b, "%s\n", text);
            }
}

static void put_status(const struct world_object *o, struct buf *b)
{
    static const char *const volatile_members[] = {
        "id", "statusUrl", "correlationId", "attempts", "requestedAt", "startedAt", "lastObservedAt", "completedAt"};
    cJSON *status = cJSON_Duplicate(json_member(o->json, "status"), true), *item;
    cJSON *operation = cJSON_GetObjectItemCaseSensitive(status, "operation");
    cJSON *account = cJSON_GetObjectItemCaseSensitive(status, "account");

    for (size_t i = 0; i < ARRAY_LEN(volatile_members); i++)
        drop(operation, volatile_members[i]);
    drop(account, "observedAt");
    drop(account, "keyVaultKeyUriVersion");
    if (json_member(status, "encryptedAt")) {
        drop(status, "encryptedAt");
        json_add_string(status, "encryptedAt", "yes");
    }
    cJSON_ArrayForEach (item, json_member(status, "conditions"))
        drop(item, "lastTransitionTime");
    put_in_order(json_member(status, "conditions"), b);
    drop(status, "conditions");
    _cleanup_(freep) char *text = cJSON_Print(status);
    buf_puts(b, text);
    cJSON_Delete(status);
}

static char *end_of(struct world *w)
{
    struct buf b = BUF_INIT(65536);

    put_account(w, &b);
    if (world_object(w, "orders")->exists)
        put_status(world_object(w, "orders"), &b);
    return buf_take(&b);
}

/* ---- living ---- */

static void idle(struct world *w, struct life *life)
{
    size_t writes = w->kube_writes, patches = w->n_patches;
    world_run(w, w->now - w->begin + IDLE_MS);
    life->idle_writes = w->kube_writes - writes;
    life->idle_changes = w->n_patches - patches;
}

struct life life_live(const struct life_plan *plan)
{
    struct world *w = world_new(plan->options);
    struct life life = {0};

    w->outsider = plan->outsider;
    for (size_t i = 0; i < plan->n_faults; i++)
        w->faults[w->n_faults++] = plan->faults[i];
    plan->scenario->begin(w);
    life.ready = plan->scenario->run(w, LIFE_MS);
    life.n_effects = w->n_effects;
    world_run(w, w->now - w->begin + IDLE_AFTER_MS);
    w->n_faults = 0;
    if (life.ready) /* what a late fault has disturbed */
        life.ready = plan->scenario->run(w, LIFE_MS);
    memcpy(life.effects, w->effects, sizeof(life.effects));
    idle(w, &life);
    for (int t = CMK_ATTACH_IDENTITY; t <= CMK_ENABLE_KEY; t++)
        life.accepted[t] = world_accepted(w, (enum cmk_step_type)t);
    life.end = end_of(w);
    if (w->violation.len > 0)
        life.broken = xstrdup(buf_str(&w->violation));
    life.trace = xstrdup(trace_text(w));
    (void)world_free(w);
    return life;
}

/* ---- judging ---- */

void life_complain(const struct life_plan *plan, const struct life *life, const char *what)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);

    buf_printf(&b, "%s", plan->scenario->name);
    for (size_t i = 0; i < plan->n_faults; i++)
        buf_printf(&b, ", %s at effect %zu", fault_name(plan->faults[i].fault), plan->faults[i].at);
    (void)fprintf(stderr, "%s: %s\n%s\n%s\n", buf_str(&b), what, life->trace, life->end);
    fail();
}

/* The same end, and the same number of accepted changes for each step. */
void life_expect_like(const struct life_plan *plan, const struct life *undisturbed)
{
    struct life life = life_live(plan);

    if (life.broken)
        life_complain(plan, &life, life.broken);
    if (!life.ready)
        life_complain(plan, &life, "did not become Ready");
    if (life.idle_writes || life.idle_changes)
        life_complain(plan, &life, "writes although nothing changed");
    for (int t = CMK_ATTACH_IDENTITY; t <= CMK_ENABLE_KEY; t++)
        if (life.accepted[t] != undisturbed->accepted[t])
            life_complain(plan, &life, "Azure has accepted another number of changes");
    if (!str_eq(life.end, undisturbed->end)) {
        (void)fprintf(stderr, "--- undisturbed ---\n%s\n", undisturbed->end);
        life_complain(plan, &life, "ends otherwise");
    }
    life_done(&life);
}

struct life life_undisturbed(const struct scenario *scenario, const struct world_options *options)
{
    const struct life_plan plan = {.scenario = scenario, .options = options};
    struct life life = life_live(&plan);

    if (life.broken || !life.ready || life.idle_writes || life.idle_changes || life.n_effects >= sizeof(life.effects))
        life_complain(&plan, &life, life.broken ? life.broken : "the undisturbed life is not well");
    return life;
}

void life_every_single(const struct world_options *options, enum fault first, enum fault last)
{
    for (size_t s = 0; s < n_scenarios; s++) {
        struct life whole = life_undisturbed(&scenarios[s], options);
        for (size_t n = 1; n <= whole.n_effects + 2; n++)
            for (enum fault fault = first; fault <= last; fault++) {
                const struct world_fault one = {.at = n, .fault = fault};
                const struct life_plan plan = {
                    .scenario = &scenarios[s], .options = options, .faults = &one, .n_faults = 1};
                if (fault_fits(fault, (enum effect)whole.effects[n]) && fault != FAULT_OUTSIDER)
                    life_expect_like(&plan, &whole);
            }
        life_done(&whole);
    }
}
