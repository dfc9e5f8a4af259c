/* Whatever ARM answers to each call about an account: the change of a key above all, whose answer says where its
 * operation can be followed. The first byte is the call; answers follow as in fuzz_script.h. */
#include "fuzz_script.h"

#include "azure/activity.h"
#include "azure/cosmos.h"

#define ORIGIN "https://management.azure.com/"
#define SUBSCRIPTION "00000000-0000-0000-0000-000000000001"
#define ACCOUNT                                                                                                        \
    "/subscriptions/" SUBSCRIPTION "/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define NOW 1795503300000 /* a whole second */
#define DAY_MS 86400000

struct scene {
    struct arm_client *arm;
    struct arm_id id;
    struct fuzz_script *script;
};

static void patch(struct scene *s)
{
    _cleanup_(freep) char *body = cosmos_body_key("https://contoso.vault.azure.net/keys/cosmos");
    struct cosmos_accepted accepted;
    struct err warning, err = ERR_INIT;

    if (cosmos_account_patch(s->arm, &s->id, body, NULL, &accepted, &warning, &err) < 0) {
        fuzz_check_err(&err);
        FUZZ_CHECK(!accepted.status_url && !accepted.account.id);
        /* A refusal is a definite answer below 500; whatever else may have had its effect. */
        FUZZ_CHECK(!err.maybe_sent == (err.http_status >= 400 && err.http_status < 500 && err.http_status != 408) ||
                   s->script->answers == 0);
    } else if (accepted.status_url) {
        fuzz_script_check_url(s->script, accepted.status_url);
        FUZZ_CHECK(arm_poll_url_check(s->arm, accepted.status_url, &err) == 0);
        FUZZ_CHECK(!accepted.operation_id || str_is_guid(accepted.operation_id));
    }
    FUZZ_CHECK(str_is_guid(accepted.correlation_id));
    FUZZ_CHECK(s->script->changes == 1); /* never sent again */
    cosmos_accepted_done(&accepted);
}

static void get(struct scene *s)
{
    struct cosmos_account account;
    struct err err = ERR_INIT;

    if (cosmos_account_get(s->arm, &s->id, &account, &err) < 0) {
        fuzz_check_err(&err);
        FUZZ_CHECK(!account.id);
    } else {
        FUZZ_CHECK(str_eq_nocase(account.name, "orders") && account.provisioning_state);
    }
    cosmos_account_done(&account);
}

static int take(void *ctx, struct cosmos_account *account, struct err *err)
{
    (void)err;
    FUZZ_CHECK(account->id && account->name);
    ++*(size_t *)ctx;
    return 0;
}

static void list(struct scene *s)
{
    struct err err = ERR_INIT;
    size_t n = 0;

    if (cosmos_account_list(s->arm, SUBSCRIPTION, NULL, take, &n, &err) < 0)
        fuzz_check_err(&err);
    FUZZ_CHECK(n <= 20000 && s->script->changes == 0);
}

static void key(struct scene *s)
{
    struct secret *secret = NULL;
    struct err err = ERR_INIT;

    if (cosmos_account_read_only_key(s->arm, &s->id, &secret, &err) == 0)
        FUZZ_CHECK(secret && secret_len(secret) > 0);
    else
        FUZZ_CHECK(!secret && err.kind != ERR_NONE && fuzz_is_one_line(err.msg) && !err.maybe_sent);
    (void)secret_unref(secret);
}

static void activity(struct scene *s)
{
    struct activity found = {0};
    struct err err = ERR_INIT;

    if (activity_find_running(s->arm, &s->id, NOW - DAY_MS, NOW, &found, &err) < 0)
        fuzz_check_err(&err);
    else if (found.caller)
        FUZZ_CHECK(found.started_at >= NOW - DAY_MS && found.started_at <= NOW);
    activity_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const calls[])(struct scene * s) = {patch, get, list, key, activity};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(arm_client_freep) struct arm_client *arm = NULL;
    struct err err = ERR_INIT;

    if (!size)
        return 0;
    struct fuzz_script script = fuzz_script_from(data + 1, size - 1, ORIGIN);
    FUZZ_CHECK(azure_cloud_new(&cloud, &(struct azure_cloud_options){0}, &err) == 0);
    const struct arm_options options = {.http = &script.client, .cloud = cloud};
    FUZZ_CHECK(arm_client_new(&arm, &options, &err) == 0);
    struct scene scene = {.arm = arm, .script = &script};
    FUZZ_CHECK(arm_id_parse(&scene.id, ACCOUNT, &err) == 0);
    calls[data[0] % ARRAY_LEN(calls)](&scene);
    arm_id_done(&scene.id);
    return 0;
}
