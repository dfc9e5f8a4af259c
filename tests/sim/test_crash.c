/* Every fault at every effect of an ordinary life: it ends as it would have ended, with the same changes sent to Azure.
 *
 * The oracles watch every effect of every life; here the ends are compared. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "sim/scenario.h"

#include <stdio.h>
#include <string.h>

#define LIFE_MS (24 * HOUR_MS)
#define IDLE_AFTER_MS (30 * MINUTE_MS)
#define IDLE_MS (3 * HOUR_MS)

struct life {
    bool ready;
    char *end; /* the account and the status, without what may differ */
    size_t accepted[CMK_ENABLE_KEY + 1];
    size_t n_effects; /* until Ready */
    size_t idle_writes, idle_changes;
    unsigned char effects[1000];
    char *broken;
    char *trace;
};

static void life_done(struct life *life)
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

    buf_printf(b, "account: %s, key %s (%s), default %s, %zu identities\n", azure_account_state(account), account->key_uri,
        account->key_status, account->default_identity, account->identities.n);
}

/* Conditions are a map by type: their order says nothing. */
static void put_in_order(const cJSON *conditions, struct buf *b)
{
    static const char *const types[] = {"Ready", "Reconciling", "Stalled", "PreflightPassed", "Encrypting", "KeyAccessible"};
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
    static const char *const volatile_members[] = {"id", "statusUrl", "correlationId", "attempts", "requestedAt", "startedAt",
        "lastObservedAt", "completedAt"};
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

struct plan {
    const struct scenario *scenario;
    const struct world_options *options;
    const struct world_fault *faults;
    size_t n_faults;
    void (*outsider)(struct world *w);
};

static void idle(struct world *w, struct life *life)
{
    size_t writes = w->kube_writes, patches = w->n_patches;
    world_run(w, w->now - w->begin + IDLE_MS);
    life->idle_writes = w->kube_writes - writes;
    life->idle_changes = w->n_patches - patches;
}

static struct life live(const struct plan *plan)
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

static void complain(const struct plan *plan, const struct life *life, const char *what)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);

    buf_printf(&b, "%s", plan->scenario->name);
    for (size_t i = 0; i < plan->n_faults; i++)
        buf_printf(&b, ", %s at effect %zu", fault_name(plan->faults[i].fault), plan->faults[i].at);
    (void)fprintf(stderr, "%s: %s\n%s\n%s\n", buf_str(&b), what, life->trace, life->end);
    fail();
}

/* The same end, and the same number of accepted changes for each step. */
static void expect_like(const struct plan *plan, const struct life *undisturbed)
{
    struct life life = live(plan);

    if (life.broken)
        complain(plan, &life, life.broken);
    if (!life.ready)
        complain(plan, &life, "did not become Ready");
    if (life.idle_writes || life.idle_changes)
        complain(plan, &life, "writes although nothing changed");
    for (int t = CMK_ATTACH_IDENTITY; t <= CMK_ENABLE_KEY; t++)
        if (life.accepted[t] != undisturbed->accepted[t])
            complain(plan, &life, "Azure has accepted another number of changes");
    if (!str_eq(life.end, undisturbed->end)) {
        (void)fprintf(stderr, "--- undisturbed ---\n%s\n", undisturbed->end);
        complain(plan, &life, "ends otherwise");
    }
    life_done(&life);
}

static struct life undisturbed_life(const struct scenario *scenario, const struct world_options *options)
{
    const struct plan plan = {.scenario = scenario, .options = options};
    struct life life = live(&plan);

    if (life.broken || !life.ready || life.idle_writes || life.idle_changes || life.n_effects >= sizeof(life.effects))
        complain(&plan, &life, life.broken ? life.broken : "the undisturbed life is not well");
    return life;
}

static void every_single(const struct world_options *options, enum fault first, enum fault last)
{
    for (size_t s = 0; s < n_scenarios; s++) {
        struct life whole = undisturbed_life(&scenarios[s], options);
        for (size_t n = 1; n <= whole.n_effects + 2; n++)
            for (enum fault fault = first; fault <= last; fault++) {
                const struct world_fault one = {.at = n, .fault = fault};
                const struct plan plan = {.scenario = &scenarios[s], .options = options, .faults = &one, .n_faults = 1};
                if (fault_fits(fault, (enum effect)whole.effects[n]) && fault != FAULT_OUTSIDER)
                    expect_like(&plan, &whole);
            }
        life_done(&whole);
    }
}

/* ---- the tests ---- */

static const struct world_options quick = {.identity_ms = 12000, .encrypt_ms = 30000, .latency_ms = 100};

static void a_crash_anywhere_leads_to_the_same_end(void **state _unused_)
{
    every_single(&quick, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void a_crash_anywhere_with_a_late_restart_leads_to_the_same_end(void **state _unused_)
{
    struct world_options late = quick;

    late.restart_ms = 20 * MINUTE_MS;
    every_single(&late, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void a_crash_anywhere_when_the_key_shows_early(void **state _unused_)
{
    struct world_options early = quick;

    early.key_visible_early = true;
    every_single(&early, FAULT_CRASH_BEFORE, FAULT_CRASH_AFTER);
}

static void two_crashes_anywhere_lead_to_the_same_end(void **state _unused_)
{
    static const struct world_options short_one = {.identity_ms = 6000, .encrypt_ms = 6000, .latency_ms = 100};
    struct life whole = undisturbed_life(&scenarios[0], &short_one);

    for (size_t n = 1; n <= whole.n_effects + 1; n++)
        for (size_t m = n + 1; m <= whole.n_effects + 6; m++)
            for (int which = 0; which < 4; which++) {
                const struct world_fault two[] = {{.at = n, .fault = which & 1 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER},
                    {.at = m, .fault = which & 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER}};
                const struct plan plan = {
                    .scenario = &scenarios[0], .options = &short_one, .faults = two, .n_faults = 2};
                expect_like(&plan, &whole);
            }
    life_done(&whole);
}

static void any_fault_anywhere_leads_to_the_same_end(void **state _unused_)
{
    every_single(&quick, FAULT_SLOW, FAULT_COUNT - 1);
}

/* A lost answer, and then the worst moment for a crash. */
static void a_lost_answer_and_a_crash_lead_to_the_same_end(void **state _unused_)
{
    static const enum fault lost[] = {FAULT_CUT_AFTER, FAULT_CUT_BEFORE, FAULT_504_AFTER, FAULT_500, FAULT_KUBE_LOST,
        FAULT_KUBE_DOWN, FAULT_KUBE_CONFLICT, FAULT_GARBAGE, FAULT_SLOW};
    struct life whole = undisturbed_life(&scenarios[0], &quick);

    for (size_t n = 1; n <= whole.n_effects; n++)
        for (size_t m = n + 1; m <= n + 6; m++)
            for (size_t k = 0; k < 2 * ARRAY_LEN(lost); k++) {
                const struct world_fault two[] = {{.at = n, .fault = lost[k / 2]},
                    {.at = m, .fault = k % 2 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER}};
                const struct plan plan = {.scenario = &scenarios[0], .options = &quick, .faults = two, .n_faults = 2};
                if (fault_fits(lost[k / 2], (enum effect)whole.effects[n]))
                    expect_like(&plan, &whole);
            }
    life_done(&whole);
}

/* ---- other actors, at any moment ---- */

static void edits_the_key(struct world *w)
{
    if (world_object(w, "orders")->exists)
        world_edit(w, "orders", "{\"keyVaultKeyUri\":\"" KEY_URI("second") "\"}");
}

static void touches_the_resource(struct world *w)
{
    world_annotate(w, "orders", "2026-03-02T08:00:10Z");
}

static void starts_another_operation(struct world *w)
{
    world_azure_patch(w, "orders", "{\"tags\":{\"a\":\"b\"}}");
}

static void changes_the_key_in_azure(struct world *w)
{
    world_azure_patch(w, "orders", "{\"properties\":{\"keyVaultKeyUri\":\"" KEY_URI("third") "\"}}");
}

static void deletes_the_resource(struct world *w)
{
    world_delete(w, "orders");
}

static void suspends(struct world *w)
{
    world_edit(w, "orders", "{\"suspend\":true}");
}

/* Whatever somebody else does at whatever moment: no oracle complains, and it ends Ready where that is possible. */
static void expect_peace(void (*outsider)(struct world *w), bool ends_ready, const char *key)
{
    for (size_t s = 0; s < n_scenarios; s++) {
        struct life whole = undisturbed_life(&scenarios[s], &quick);
        for (size_t n = 1; n <= whole.n_effects + 2; n++) {
            const struct world_fault one = {.at = n, .fault = FAULT_OUTSIDER};
            const struct plan plan = {
                .scenario = &scenarios[s], .options = &quick, .faults = &one, .n_faults = 1, .outsider = outsider};
            struct life life = live(&plan);
            if (life.broken)
                complain(&plan, &life, life.broken);
            if (life.idle_writes || life.idle_changes)
                complain(&plan, &life, "writes although nothing changed");
            if (ends_ready && (!life.ready || !strstr(life.end, key)))
                complain(&plan, &life, "did not become Ready with the right key");
            life_done(&life);
        }
        life_done(&whole);
    }
}

static void the_key_of_the_spec_is_edited_at_any_moment(void **state _unused_)
{
    expect_peace(edits_the_key, true, "Succeeded, key " KEY_URI("second"));
}

static void the_resource_is_touched_at_any_moment(void **state _unused_)
{
    expect_peace(touches_the_resource, true, "Succeeded, key " KEY_URI("cosmos"));
}

static void somebody_starts_another_operation_at_any_moment(void **state _unused_)
{
    expect_peace(starts_another_operation, true, "Succeeded, key " KEY_URI("cosmos"));
}

static void somebody_changes_the_key_in_azure_at_any_moment(void **state _unused_)
{
    expect_peace(changes_the_key_in_azure, true, "Succeeded, key " KEY_URI("cosmos"));
}

static void the_resource_is_deleted_at_any_moment(void **state _unused_)
{
    expect_peace(deletes_the_resource, false, "");
}

static void the_resource_is_suspended_at_any_moment(void **state _unused_)
{
    expect_peace(suspends, false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_anywhere_leads_to_the_same_end),
        cmocka_unit_test(a_crash_anywhere_with_a_late_restart_leads_to_the_same_end),
        cmocka_unit_test(a_crash_anywhere_when_the_key_shows_early),
        cmocka_unit_test(two_crashes_anywhere_lead_to_the_same_end),
        cmocka_unit_test(any_fault_anywhere_leads_to_the_same_end),
        cmocka_unit_test(a_lost_answer_and_a_crash_lead_to_the_same_end),
        cmocka_unit_test(the_key_of_the_spec_is_edited_at_any_moment),
        cmocka_unit_test(the_resource_is_touched_at_any_moment),
        cmocka_unit_test(somebody_starts_another_operation_at_any_moment),
        cmocka_unit_test(somebody_changes_the_key_in_azure_at_any_moment),
        cmocka_unit_test(the_resource_is_deleted_at_any_moment),
        cmocka_unit_test(the_resource_is_suspended_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
