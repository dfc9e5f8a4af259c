/* Resources that are Ready are looked at by one list of their subscription's accounts, not one by one. */
#include "base/mem.h"
#include "e2e/harness.h"

#include <stdio.h>

#define FLEET 9

static void make_fleet(struct world *w)
{
    for (int i = 0; i < FLEET; i++) {
        _cleanup_(freep) char *name = xasprintf("fleet-%d", i);
        _cleanup_(freep) char *path = xasprintf("/fake/accounts/%s", name);
        json_free(azure_ask(w, "PUT", path,
            "{\"subscription\":\"00000000-0000-0000-0000-000000000001\",\"resourceGroup\":\"demo\","
            "\"keyVaultKeyUri\":\"" KEY "\"}"));
        resource_create(w, name, name, NULL);
    }
}

static void await_fleet(struct world *w)
{
    for (int i = 0; i < FLEET; i++) {
        _cleanup_(freep) char *name = xasprintf("fleet-%d", i);
        await_end(w, name, "Encrypted");
    }
}

/* Lists end in the type's name, other requests in an account's. */
static int account_reads(struct world *w)
{
    return azure_count(w, "GET", "databaseAccounts/fleet-");
}

static int lists(struct world *w)
{
    return azure_count(w, "GET", "Microsoft.DocumentDB/databaseAccounts") - account_reads(w);
}

static void a_fleet_that_is_ready_is_confirmed_by_lists_also_after_a_restart(struct world *w)
{
    azure_start(w, NULL);
    make_fleet(w);
    controller_start(w, NULL);
    await_fleet(w);
    (void)controller_stop(w, WAIT_MS);
    json_free(azure_ask(w, "DELETE", "/fake/requests", NULL));
    controller_start(w, NULL);
    azure_await_count(w, "GET", "Microsoft.DocumentDB/databaseAccounts", 3);
    assert_int_equal(account_reads(w), 0);
    assert_true(lists(w) >= 3);
    assert_int_equal(azure_count(w, "PATCH", NULL), 0);
}

static void what_somebody_else_changed_is_found_by_a_list_and_put_right(struct world *w)
{
    azure_start(w, NULL);
    make_fleet(w);
    controller_start(w, NULL);
    await_fleet(w);
    json_free(azure_ask(w, "PUT", "/fake/accounts/fleet-4", "{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}"));
    azure_await_count(w, "PATCH", "fleet-4", 1);
    await_end(w, "fleet-4", "Encrypted");
    assert_int_equal(azure_count(w, "PATCH", NULL), 1);
}

static void without_the_right_to_list_each_account_is_read_on_its_own(struct world *w)
{
    azure_start(w, NULL);
    make_fleet(w);
    azure_fault(w,
        "{\"match\":{\"method\":\"GET\",\"pathContains\":\"000000000001/providers/Microsoft.DocumentDB/"
        "databaseAccounts\","
        "\"count\":0},\"action\":{\"status\":403,\"body\":{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":"
        "\"no\"}}}}");
    controller_start(w, NULL);
    await_fleet(w);
    azure_await_count(w, "GET", "Microsoft.DocumentDB/databaseAccounts", 3 * FLEET);
    assert_true(account_reads(w) >= 2 * FLEET);
    json_free(azure_ask(w, "PUT", "/fake/accounts/fleet-4", "{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}"));
    azure_await_count(w, "PATCH", "fleet-4", 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a fleet that is Ready is confirmed by lists, also after a restart",
            a_fleet_that_is_ready_is_confirmed_by_lists_also_after_a_restart},
        {"what somebody else changed is found by a list and put right",
            what_somebody_else_changed_is_found_by_a_list_and_put_right},
        {"without the right to list, each account is read on its own",
            without_the_right_to_list_each_account_is_read_on_its_own},
    };

    return run_scenes("sweep", scenes, ARRAY_LEN(scenes));
}
