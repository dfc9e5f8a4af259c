/* Other actors at every moment of an ordinary life: the oracles watch every effect, and it ends well where that is
 * possible. */
#include "unit.h"

#include "base/mem.h"
#include "sim/life.h"

#include <string.h>

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
        struct life whole = life_undisturbed(&scenarios[s], &life_quick);
        for (size_t n = 1; n <= whole.n_effects + 2; n++) {
            const struct world_fault one = {.at = n, .fault = FAULT_OUTSIDER};
            const struct life_plan plan = {
                .scenario = &scenarios[s], .options = &life_quick, .faults = &one, .n_faults = 1, .outsider = outsider};
            struct life life = life_live(&plan);
            if (life.broken)
                life_complain(&plan, &life, life.broken);
            if (life.idle_writes || life.idle_changes)
                life_complain(&plan, &life, "writes although nothing changed");
            if (ends_ready && (!life.ready || !strstr(life.end, key)))
                life_complain(&plan, &life, "did not become Ready with the right key");
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
        cmocka_unit_test(the_key_of_the_spec_is_edited_at_any_moment),
        cmocka_unit_test(the_resource_is_touched_at_any_moment),
        cmocka_unit_test(somebody_starts_another_operation_at_any_moment),
        cmocka_unit_test(somebody_changes_the_key_in_azure_at_any_moment),
        cmocka_unit_test(the_resource_is_deleted_at_any_moment),
        cmocka_unit_test(the_resource_is_suspended_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
