/* The ordinary lives. Each has one account "orders" and one resource of that name. */
#include "sim/scenario.h"

#include "base/mem.h"
#include "base/str.h"

#define IDENTITY "\"defaultIdentity\":\"UserAssignedIdentity=" IDENTITY_ID("cmk") "\""

static void put_identity(struct world *w)
{
    cJSON *resource = cJSON_CreateObject();
    struct err err = ERR_INIT;

    json_add_string(resource, "id", IDENTITY_ID("cmk"));
    if (azure_model_put_resource(w->model, resource, &err) < 0)
        violation(w, "%s", err.msg);
    (void)json_free(resource);
}

static void begin_periodic(struct world *w)
{
    world_account(w, "orders", "");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
}

static void begin_continuous(struct world *w)
{
    put_identity(w);
    world_account(w, "orders", "\"backupPolicy\":\"Continuous\"");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), IDENTITY);
}

static void begin_manual(struct world *w)
{
    put_identity(w);
    world_account(w, "orders", "\"backupPolicy\":\"Continuous\"");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), IDENTITY ",\"approval\":\"Manual\"");
}

/* The person approves what is published, as often as it takes. */
static bool run_manual(struct world *w, int64_t until_ms)
{
    struct world_object *o = world_object(w, "orders");

    for (int64_t t = w->now - w->begin; t < until_ms; t += MINUTE_MS) {
        const char *hash = json_string_at(o->json, "status.plan.hash");
        bool waits = str_eq(world_condition(o, "Ready", "reason"), "AwaitingApproval");
        if (waits && hash && !str_eq(hash, json_string_at(o->json, "spec.approvedPlan"))) {
            _cleanup_(freep) char *edit = xasprintf("{\"approvedPlan\":\"%s\"}", hash);
            world_edit(w, "orders", edit);
        }
        if (world_run_until_ready(w, t + MINUTE_MS))
            return true;
    }
    return false;
}

static void begin_key_change(struct world *w)
{
    world_account(w, "orders", "\"keyVaultKeyUri\":\"" KEY_URI("old") "\"");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), "");
}

static void begin_grant(struct world *w)
{
    put_identity(w);
    w->no_access = true;
    world_account(w, "orders", "\"backupPolicy\":\"Continuous\"");
    world_apply(w, "orders", ACCOUNT_ID("orders"), KEY_URI("cosmos"), IDENTITY ",\"keyVaultAccess\":\"Grant\"");
}

const struct scenario scenarios[] = {
    {"periodic", begin_periodic, world_run_until_ready},
    {"continuous", begin_continuous, world_run_until_ready},
    {"manual", begin_manual, run_manual},
    {"key-change", begin_key_change, world_run_until_ready},
    {"grant", begin_grant, world_run_until_ready},
};
const size_t n_scenarios = ARRAY_LEN(scenarios);
