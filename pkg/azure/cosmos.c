/* Reading and changing one database account.
 *
 * An accepted PATCH (recorded: 200 and 202) is never turned into a failure here, whatever else is wrong with its
 * answer: the operation runs. */
#include "azure/cosmos.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* Decodes an answer that should be about this account. Ids may differ in case, hence the name. */
static int read_account(
    struct cosmos_account *ret, const struct arm_id *id, const struct arm_response *response, struct err *err)
{
    if (cosmos_account_decode(ret, response->http.body.data, response->http.body.len, err) < 0)
        return err_wrap(err, "Azure's answer is not a Cosmos DB account");
    if (str_eq_nocase(ret->name, id->name))
        return 0;
    cosmos_account_done(ret);
    return err_set(err, ERR_PROTOCOL, "Azure's answer is about another account than %s", id->name);
}

int cosmos_account_get(struct arm_client *client, const struct arm_id *id, struct cosmos_account *ret, struct err *err)
{
    struct arm_response response;

    *ret = (struct cosmos_account){0};
    int r = arm_call(client, "GET", id->text, COSMOS_API_VERSION, NULL, NULL, &response, err);
    if (r == 0)
        r = read_account(ret, id, &response, err);
    arm_response_done(&response);
    return r;
}

/* --- the key --- */

static int take_key(const struct arm_response *response, struct secret **ret, struct err *err)
{
    cJSON *tree = NULL;

    if (arm_json_parse(&tree, response->http.body.data, response->http.body.len, err) < 0)
        return -1;
    /* Either will do; both are wiped. */
    const cJSON *keys[] = {
        json_member(tree, "primaryReadonlyMasterKey"), json_member(tree, "secondaryReadonlyMasterKey")};
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!cJSON_IsString(keys[i]))
            continue;
        char *text = keys[i]->valuestring;
        if (!*ret && *text)
            *ret = secret_new(text, strlen(text));
        secret_wipe(text, strlen(text));
    }
    (void)json_free(tree);
    return *ret ? 0 : err_set(err, ERR_PROTOCOL, "Azure's answer has no primaryReadonlyMasterKey");
}

int cosmos_account_read_only_key(
    struct arm_client *client, const struct arm_id *id, struct secret **ret, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/readonlykeys", id->text);
    struct arm_response response;

    int r = arm_call(client, "POST", path, COSMOS_API_VERSION, NULL, NULL, &response, err);
    if (r == 0)
        r = take_key(&response, ret, err);
    secret_wipe(response.http.body.data, response.http.body.cap);
    arm_response_done(&response);
    if (r == 0)
        return 0;
    if (err)
        err->maybe_sent = false;
    if (err && err->kind == ERR_FORBIDDEN)
        return err_wrap(err, "the account's read-only key cannot be had without the right "
                             "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action");
    return err_wrap(err, "cannot get the account's read-only key");
}

void cosmos_accepted_done(struct cosmos_accepted *accepted)
{
    free(accepted->status_url);
    free(accepted->operation_id);
    free(accepted->correlation_id);
    cosmos_account_done(&accepted->account);
    *accepted = (struct cosmos_accepted){0};
}

/* ".../locations/westus/operationsStatus/GUID?api-version=..." */
static char *operation_id_of(const char *url)
{
    size_t end = strcspn(url, "?#"), start = end;

    while (start > 0 && url[start - 1] != '/')
        start--;
    _cleanup_(freep) char *last = xstrndup(url + start, end - start);
    return str_is_guid(last) ? TAKE_PTR(last) : NULL;
}

static int take_status_url(
    struct arm_client *client, const struct arm_response *response, struct cosmos_accepted *ret, struct err *err)
{
    size_t len = 0;
    const char *value = http_response_header_ref(&response->http, "azure-asyncoperation", &len);

    if (!value || len == 0)
        return 0;
    _cleanup_(freep) char *url = xstrndup(value, len);
    if (arm_poll_url_check(client, url, err) < 0)
        return err_wrap(err, "the change was accepted, but its operation cannot be followed");
    ret->operation_id = operation_id_of(url);
    ret->status_url = TAKE_PTR(url);
    return 0;
}

int cosmos_account_patch(struct arm_client *client, const struct arm_id *id, const char *body, const char *correlation,
    struct cosmos_accepted *ret, struct err *ret_warning, struct err *err)
{
    struct arm_response response;

    *ret = (struct cosmos_accepted){0};
    if (ret_warning)
        *ret_warning = ERR_INIT;
    int r = arm_call(client, "PATCH", id->text, COSMOS_API_VERSION, body, correlation, &response, err);
    ret->correlation_id = xstrdup(response.correlation_id);
    if (r == 0) {
        if (read_account(&ret->account, id, &response, ret_warning) < 0)
            (void)err_wrap(ret_warning, "the change was accepted, but its answer cannot be read");
        (void)take_status_url(client, &response, ret, ret_warning);
    }
    arm_response_done(&response);
    return r;
}

/* --- lists --- */

struct listing {
    int (*on_account)(void *data, struct cosmos_account *account, struct err *err);
    void *data;
};

static int take_account(void *data, const cJSON *item, struct err *err)
{
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
    const struct listing *listing = data;

    if (cosmos_account_decode_tree(&account, item, NULL) < 0)
        return 0;
    return listing->on_account(listing->data, &account, err);
}

int cosmos_account_list(struct arm_client *client, const char *subscription, const char *resource_group,
    int (*on_account)(void *data, struct cosmos_account *account, struct err *err), void *data, struct err *err)
{
    _cleanup_(freep) char *scope = resource_group
                                       ? xasprintf("/subscriptions/%s/resourceGroups/%s", subscription, resource_group)
                                       : xasprintf("/subscriptions/%s", subscription);
    _cleanup_(freep) char *path = xasprintf("%s/providers/Microsoft.DocumentDB/databaseAccounts", scope);
    struct listing listing = {.on_account = on_account, .data = data};
    const struct arm_list list = {
        .path = path, .api_version = COSMOS_API_VERSION, .on_item = take_account, .data = &listing};

    if (arm_list(client, &list, err) < 0)
        return arm_say_missing(err, "the list of accounts", "Microsoft.DocumentDB/databaseAccounts/read", scope);
    return 0;
}
