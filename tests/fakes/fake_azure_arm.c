/* Azure Resource Manager: accounts of Microsoft.DocumentDB and their operations. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

#define ACCOUNTS_OF_SUBSCRIPTION "subscriptions/*/providers/Microsoft.DocumentDB/databaseAccounts"
#define ACCOUNTS_OF_GROUP "subscriptions/*/resourceGroups/*/providers/Microsoft.DocumentDB/databaseAccounts"

static bool method_is(const struct azure_request *r, const char *method)
{
    return str_eq(r->http->method, method);
}

static bool has_api_version(struct azure_request *r)
{
    const char *v = r->api_version;

    if (!httpd_query(r->http, "api-version", r->api_version, sizeof(r->api_version)) || v[0] == '\0') {
        azure_front_door_error(r, 400, "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.");
        return false;
    }
    bool good = strlen(v) >= 10 && v[4] == '-' && v[7] == '-' && (v[10] == '\0' || str_eq(v + 10, "-preview"));
    for (int i = 0; good && i < 10; i++)
        good = i == 4 || i == 7 || ascii_isdigit(v[i]);
    if (!good)
        azure_front_door_error(r, 400, "InvalidApiVersionParameter",
            "The api-version '%s' is invalid. The supported versions are '2025-10-15,2025-04-15,2024-11-15'.", v);
    return good;
}

static bool subscription_exists(struct azure_request *r)
{
    if (azure_model_subscription(r->azure->model, r->segments[1]))
        return true;
    azure_front_door_error(r, 404, "SubscriptionNotFound", "The subscription '%s' could not be found.", r->segments[1]);
    return false;
}

static bool group_exists(struct azure_request *r)
{
    if (azure_model_knows_group(r->azure->model, r->segments[1], r->segments[3]))
        return true;
    azure_front_door_error(r, 404, "ResourceGroupNotFound", "Resource group '%s' could not be found.", r->segments[3]);
    return false;
}

static bool is_in(const struct azure_account *account, const char *subscription, const char *group)
{
    return str_eq_nocase(account->subscription, subscription) && (!group || str_eq_nocase(account->group, group));
}

/* The account of the path, else a 404 is in the reply. */
static struct azure_account *account_of(struct azure_request *r)
{
    struct azure_account *account = azure_model_account(r->azure->model, r->segments[7]);

    if (!group_exists(r))
        return NULL;
    if (account && is_in(account, r->segments[1], r->segments[3]))
        return account;
    azure_front_door_error(r, 404, "ResourceNotFound",
        "The Resource 'Microsoft.DocumentDB/databaseAccounts/%s' under resource group '%s' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
        r->segments[7], r->segments[3]);
    return NULL;
}

/* ---- Reading ---- */

static void get_account(struct azure_request *r)
{
    struct azure_account *account = account_of(r);

    if (account)
        azure_account_print(r->azure->model, account, &r->reply->body);
}

/* The next account from this one on that is in the group (NULL: any). place counts the accounts that are passed over.
 */
static const struct azure_account *next_in(const struct azure_account *account, const char *group, int64_t *place)
{
    for (; account && group && !str_eq_nocase(account->group, group); account = account->next)
        ++*place;
    return account;
}

/* One page from the nth account on; a page of 0 is everything. The token of the next page is the place in the
 * subscription: accounts that come or go meanwhile may be missed or seen twice, as anywhere. */
static void list_accounts(struct azure_request *r, const char *group)
{
    struct azure_model *model = r->azure->model;
    const struct azure_account *account = azure_model_subscription(model, r->segments[1])->first;
    struct buf *b = &r->reply->body;
    char token[24] = "";
    int64_t skip = 0, place = 0, taken = 0, page = azure_model_page_size(model, r->api_version);

    if (httpd_query(r->http, "$skiptoken", token, sizeof(token)) &&
        !str_to_i64(token, 0, (int64_t)model->n_accounts, &skip)) {
        azure_front_door_error(r, 400, "InvalidSkipToken", "The skip token '%s' is invalid.", token);
        return;
    }
    for (; account && place < skip; account = account->next)
        place++;
    buf_puts(b, "{\"value\":[");
    while ((account = next_in(account, group, &place)) && (page == 0 || taken < page)) {
        buf_puts(b, taken++ ? "," : "");
        azure_account_print(model, account, b);
        account = account->next;
        place++;
    }
    buf_putc(b, ']');
    if (account)
        buf_printf(b, ",\"nextLink\":\"%s%s?api-version=%s&%%24skiptoken=%lld\"", r->azure->base_url, r->http->path,
            r->api_version, (long long)place);
    buf_putc(b, '}');
}

/* ---- Updating ---- */

static void put_operation_url(
    struct azure_request *r, const char *header, const struct azure_operation *operation, const char *path)
{
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    azure_operation_query(r->azure->model, operation, path, &query);
    fake_reply_header(r->reply, header, "%s%s?%s", r->azure->base_url, path, buf_str(&query));
}

static void put_retry_after(struct azure_request *r)
{
    if (r->azure->retry_after > 0)
        fake_reply_header(r->reply, "retry-after", "%lld", (long long)r->azure->retry_after);
}

static void start_operation(struct azure_request *r, struct azure_account *account, const cJSON *body)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;

    azure_patch(r->azure->model, account, r->api_version, body, r->now_ms, &verdict);
    if (verdict.status != 200) {
        if (verdict.front_door)
            azure_front_door_error(r, verdict.status, verdict.code, "%s", buf_str(&verdict.message));
        else
            azure_provider_error(r, verdict.status, verdict.code, buf_str(&verdict.message));
        buf_done(&verdict.message);
        return;
    }
    buf_done(&verdict.message);
    const struct azure_operation *operation = verdict.operation;
    str_replace(&verdict.operation->caller, r->caller);
    put_operation_url(r, "azure-asyncoperation", operation, operation->status_path);
    put_operation_url(r, "location", operation, operation->result_path);
    fake_reply_header(r->reply, "x-ms-operation-identifier", "tenantId=%s,objectId=%s/westus/%s", r->azure->tenant,
        r->azure->client_id ? r->azure->client_id : "", operation->id);
    put_retry_after(r);
    azure_model_advance(r->azure->model, r->now_ms); /* one that changes nothing is over now */
    azure_account_print(r->azure->model, account, &r->reply->body);
}

static void patch_account(struct azure_request *r)
{
    struct azure_account *account = account_of(r);
    _cleanup_(json_freep) cJSON *body = NULL;
    struct err err = ERR_INIT;

    if (!account)
        return;
    if (json_parse(&body, r->http->body, r->http->body_len, &err) < 0) {
        azure_front_door_error(r, 400, "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: '%s'.", err.msg);
        return;
    }
    start_operation(r, account, body);
}

/* ---- Operations ---- */

/* The operation whose URL this is, byte for byte; else an error is in the reply. What Azure itself says to a URL that
 * was changed is not known: the fake is strict, to catch URLs that were cut or encoded anew. */
static struct azure_operation *operation_of(struct azure_request *r, const char *id, bool of_status)
{
    struct azure_operation *operation = azure_operation_find(r->azure->model, id, r->now_ms);
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    if (!operation) {
        azure_front_door_error(r, 404, "NotFound", "The operation '%s' was not found (text of fake-azure).", id);
        return NULL;
    }
    const char *path = of_status ? operation->status_path : operation->result_path;
    azure_operation_query(r->azure->model, operation, path, &query);
    if (str_eq(r->http->path, path) && str_eq(r->http->query, buf_str(&query)))
        return operation;
    azure_front_door_error(r, 403, "Forbidden",
        "The URL of the operation is not the one that was given out: its path or query was changed (text of "
        "fake-azure).");
    return NULL;
}

static void put_error(struct azure_request *r, const struct azure_operation *operation)
{
    _cleanup_(buf_done) struct buf message = BUF_INIT(65536);
    const char *code = operation->code ? operation->code : "InternalServerError";

    azure_put_message(r, &message, operation->message ? operation->message : "The operation did not succeed.");
    buf_puts(&r->reply->body, ",\"error\":{\"code\":");
    buf_put_json_string(&r->reply->body, code, strlen(code));
    buf_puts(&r->reply->body, ",\"message\":");
    buf_put_json_string(&r->reply->body, message.data, message.len);
    buf_putc(&r->reply->body, '}');
}

static void get_status(struct azure_request *r)
{
    const struct azure_operation *operation = operation_of(r, r->segments[7], true);

    if (!operation)
        return;
    buf_printf(&r->reply->body, "{\"status\":\"%s\"", azure_operation_word(r->azure->model, operation, r->now_ms));
    if (operation->state == AZURE_OP_RUNNING)
        put_retry_after(r);
    if (operation->state == AZURE_OP_FAILED || operation->state == AZURE_OP_CANCELED)
        put_error(r, operation);
    buf_putc(&r->reply->body, '}');
}

/* No recording shows this one; the shape is that of ARM's rules for Location: 202 until it is over, then the result. */
static void get_result(struct azure_request *r)
{
    struct azure_operation *operation = operation_of(r, r->segments[9], false);

    if (!operation)
        return;
    if (operation->state == AZURE_OP_RUNNING) {
        r->reply->status = 202;
        put_operation_url(r, "location", operation, operation->result_path);
        put_retry_after(r);
    } else if (operation->state != AZURE_OP_SUCCEEDED) {
        azure_provider_error(r, 500, operation->code ? operation->code : "InternalServerError",
            operation->message ? operation->message : "The operation did not succeed.");
    } else if (operation->account) {
        azure_account_print(r->azure->model, operation->account, &r->reply->body);
    } else {
        r->reply->status = 204;
    }
}

/* ---- Subscriptions ---- */

static void put_subscription(struct azure_request *r, const char *id)
{
    buf_printf(&r->reply->body,
        "{\"id\":\"/subscriptions/%s\",\"subscriptionId\":\"%s\",\"tenantId\":\"%s\",\"displayName\":\"fake %s\","
        "\"state\":\"Enabled\",\"authorizationSource\":\"RoleBased\",\"managedByTenants\":[],"
        "\"subscriptionPolicies\":{\"spendingLimit\":\"Off\"}}",
        id, id, r->azure->tenant, id);
}

static void list_subscriptions(struct azure_request *r)
{
    const char *separator = "";

    buf_puts(&r->reply->body, "{\"value\":[");
    map_foreach (entry, &r->azure->model->subscriptions) {
        buf_puts(&r->reply->body, separator);
        put_subscription(r, entry->key);
        separator = ",";
    }
    buf_printf(&r->reply->body, "],\"count\":{\"type\":\"Total\",\"value\":%zu}}", r->azure->model->subscriptions.len);
}

/* ---- Routes ---- */

static void route_get(struct azure_request *r)
{
    if (azure_path_is(r, "subscriptions/*"))
        put_subscription(r, r->segments[1]);
    else if (azure_path_is(r, ACCOUNTS_OF_SUBSCRIPTION))
        list_accounts(r, NULL);
    else if (azure_path_is(r, ACCOUNTS_OF_GROUP) && group_exists(r))
        list_accounts(r, r->segments[3]);
    else if (azure_path_is(r, ACCOUNTS_OF_GROUP "/*"))
        get_account(r);
    else if (azure_path_is(r, ACCOUNTS_OF_GROUP "/*/operationResults/*"))
        get_result(r);
    else if (azure_path_is(r, "subscriptions/*/providers/Microsoft.DocumentDB/locations/*/operationsStatus/*"))
        get_status(r);
    else if (!azure_path_is(r, ACCOUNTS_OF_GROUP) && !azure_arm_monitor(r) && !azure_arm_grants(r) &&
             !azure_arm_resources(r))
        azure_front_door_error(
            r, 404, "NotFound", "fake-azure knows nothing at '%s' (text of fake-azure).", r->http->path);
}

void azure_arm(struct azure_request *r)
{
    bool get = method_is(r, "GET");

    azure_reply_begin(r);
    if (!azure_authenticate(r) || !has_api_version(r))
        return;
    if (get && azure_path_is(r, "subscriptions")) {
        list_subscriptions(r);
        return;
    }
    if (r->n_segments < 2 || !azure_limit(r, r->segments[1], !get) || !subscription_exists(r))
        return;
    if (get)
        route_get(r);
    else if (method_is(r, "PATCH") && azure_path_is(r, ACCOUNTS_OF_GROUP "/*"))
        patch_account(r);
    else if (method_is(r, "POST") && azure_path_is(r, ACCOUNTS_OF_GROUP "/*/readonlykeys"))
        azure_account_keys(r, account_of(r), true);
    else if (method_is(r, "POST") && azure_path_is(r, ACCOUNTS_OF_GROUP "/*/listKeys"))
        azure_account_keys(r, account_of(r), false);
    else if (!azure_arm_grants(r))
        azure_front_door_error(r, 405, "MethodNotAllowed",
            "The HTTP method '%s' is not supported at this resource (text of fake-azure).", r->http->method);
}
