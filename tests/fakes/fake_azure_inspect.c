/* The inspection API: how a test looks behind the scene, plays other actors, and ends what would take hours. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

const char azure_inspect_help[] =
    "  GET    /fake/accounts             every account with its running operation\n"
    "  GET    /fake/accounts/NAME        one of them\n"
    "  PUT    /fake/accounts/NAME        merges members of a seed into the account, or creates it: other actors\n"
    "  DELETE /fake/accounts/NAME        removes it\n"
    "  POST   /fake/operations/NAME/start    a PATCH body: an update by somebody else, checked like any other\n"
    "  POST   /fake/operations/NAME/finish   "
    "{\"state\":\"Succeeded\"|\"Failed\"|\"Canceled\",\"error\":{\"code\",\"message\"}}\n"
    "         ends the account's running operation at once\n"
    "  GET    /fake/resources            what is known besides accounts\n"
    "  PUT    /fake/resources            {\"id\":\"/subscriptions/…\",\"properties\":{}}: adds or replaces a resource\n"
    "  POST   /fake/resources/remove     {\"id\"}\n"
    "  POST   /fake/tokens/revoke        every token issued until now is refused with 401\n"
    "  GET    /fake/imds                 {\"url\"} of the instance metadata service, with --imds\n"
    "  GET    /fake/healthz              204 once the fake serves\n"
    "\n"
    "A seed (--accounts) is a JSON array of accounts, or {\"accounts\":[],\"resources\":[]}. Members of an account:\n"
    "  name, subscription (GUID), resourceGroup; kind, location, apiTypes, capabilities [names], backupPolicy\n"
    "  (Periodic|Continuous), analyticalStorage, identities [ids], systemAssigned, defaultIdentity, keyVaultKeyUri,\n"
    "  keyVaultKeyUriVersion, customerManagedKeyStatus, provisioningState, tags, properties {shown as they are},\n"
    "  encryptSeconds, identitySeconds, failWith {code, message, times} (the operation that sets the key fails),\n"
    "  refuseWith {status, code, message, times} (the update that sets the key is refused),\n"
    "  data {databases, listPage, readers [client ids; all may read when absent]}. A database has id and containers; "
    "a\n"
    "  container id, documents (so many with ordinary ids), ids [{text, repeat, count}], ranges, documentsPerPage,\n"
    "  chargeMilli, throttle {after, times, retryAfterMs} (queries), splitAfter (queries until range 0 is split)\n";

static void fail(struct azure_request *r, int status, const char *text)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();

    json_add_string(tree, "error", text);
    fake_reply_json(r->reply, status, tree);
}

static cJSON *parse_body(struct azure_request *r)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, r->http->body, r->http->body_len, &err) < 0)
        fail(r, 400, err.msg);
    return tree;
}

static void describe_operation(struct azure_request *r, const struct azure_operation *operation, cJSON *tree)
{
    static const char *const types[] = {[AZURE_OP_OTHER] = "Other",
        [AZURE_OP_IDENTITY] = "Identity",
        [AZURE_OP_DEFAULT_IDENTITY] = "DefaultIdentity",
        [AZURE_OP_KEY] = "Key"};

    if (!operation)
        return;
    cJSON *object = json_add_object(tree, "operation");
    json_add_string(object, "id", operation->id);
    json_add_string(object, "type", types[operation->type]);
    json_add_string(object, "state", azure_operation_word(r->azure->model, operation, r->now_ms));
    json_add_int(object, "startMs", operation->start_ms);
    json_add_int(object, "endMs", operation->end_ms);
}

static cJSON *describe(struct azure_request *r, const struct azure_account *account)
{
    cJSON *tree = cJSON_CreateObject();

    json_add_string(tree, "name", account->name);
    json_add_string(tree, "subscription", account->subscription);
    json_add_string(tree, "resourceGroup", account->group);
    json_add_string(tree, "provisioningState", azure_account_state(account));
    json_add_string(tree, "keyVaultKeyUri", account->key_uri);
    json_add_string(tree, "keyVaultKeyUriVersion", account->key_version);
    json_add_string(tree, "customerManagedKeyStatus", account->key_status);
    json_add_string(tree, "defaultIdentity", account->default_identity);
    cJSON *identities = json_add_array(tree, "identities");
    for (size_t i = 0; i < account->identities.n; i++)
        cJSON_AddItemToArray(identities, cJSON_CreateString(account->identities.v[i]));
    json_add_int(tree, "changes", account->changes);
    describe_operation(r, account->running, tree);
    return tree;
}

static void list_accounts(struct azure_request *r)
{
    const struct azure_model *model = r->azure->model;
    struct buf *b = &r->reply->body;

    fake_reply_header(r->reply, "content-type", "application/json");
    buf_putc(b, '[');
    for (size_t i = 0; i < model->n_accounts; i++) {
        _cleanup_(json_freep) cJSON *tree = describe(r, model->accounts[i]);
        _cleanup_(freep) char *text = json_print(tree);
        buf_printf(b, "%s%s", i ? ",\n" : "", text);
    }
    buf_puts(b, "]\n");
}

static void show_account(struct azure_request *r, const char *name)
{
    const struct azure_account *account = azure_model_account(r->azure->model, name);

    if (!account) {
        fail(r, 404, "there is no such account");
        return;
    }
    _cleanup_(json_freep) cJSON *tree = describe(r, account);
    fake_reply_json(r->reply, 200, tree);
}

static void put_account(struct azure_request *r, const char *name)
{
    _cleanup_(json_freep) cJSON *tree = parse_body(r);
    struct err err = ERR_INIT;

    if (!tree)
        return;
    if (azure_model_put(r->azure->model, name, tree, r->now_ms, &err) < 0)
        fail(r, 400, err.msg);
    else
        show_account(r, name);
}

static void remove_account(struct azure_request *r, const char *name)
{
    struct azure_account *account = azure_model_account(r->azure->model, name);

    r->reply->status = 204;
    if (account)
        azure_model_remove(r->azure->model, account);
    else
        fail(r, 404, "there is no such account");
}

static void start_operation(struct azure_request *r, const char *name)
{
    _cleanup_(json_freep) cJSON *tree = parse_body(r);
    struct azure_account *account = azure_model_account(r->azure->model, name);
    struct azure_verdict verdict = AZURE_VERDICT_INIT;

    if (!tree)
        return;
    if (!account) {
        fail(r, 404, "there is no such account");
        return;
    }
    azure_patch(r->azure->model, account, "2025-10-15", tree, r->now_ms, &verdict);
    azure_model_advance(r->azure->model, r->now_ms);
    if (verdict.status == 200)
        show_account(r, name);
    else
        fail(r, verdict.status, buf_str(&verdict.message));
    buf_done(&verdict.message);
}

static void finish_operation(struct azure_request *r, const char *name)
{
    _cleanup_(json_freep) cJSON *tree = parse_body(r);
    const struct azure_account *account = azure_model_account(r->azure->model, name);
    const char *word = json_string_at(tree, "state"), *code = json_string_at(tree, "error.code");
    const char *message = json_string_at(tree, "error.message");
    enum azure_operation_state state = str_eq_nocase(word, "Succeeded")  ? AZURE_OP_SUCCEEDED
                                       : str_eq_nocase(word, "Failed")   ? AZURE_OP_FAILED
                                       : str_eq_nocase(word, "Canceled") ? AZURE_OP_CANCELED
                                                                         : AZURE_OP_RUNNING;

    if (!tree)
        return;
    if (state == AZURE_OP_RUNNING) {
        fail(r, 400, "\"state\" must be Succeeded, Failed or Canceled");
    } else if (!account || !account->running) {
        fail(r, 404, "the account has no running operation");
    } else {
        azure_operation_finish(r->azure->model, account->running, state, code, message, r->now_ms);
        show_account(r, name);
    }
}

static void list_resources(struct azure_request *r)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateArray();

    map_foreach (entry, &r->azure->model->resources)
        cJSON_AddItemToArray(tree, cJSON_Duplicate(entry->value, true));
    fake_reply_json(r->reply, 200, tree);
}

static void change_resource(struct azure_request *r, bool removes)
{
    _cleanup_(json_freep) cJSON *tree = parse_body(r);
    const char *id = json_string_at(tree, "id");
    struct err err = ERR_INIT;

    if (!tree)
        return;
    r->reply->status = 204;
    if (!removes && azure_model_put_resource(r->azure->model, tree, &err) < 0)
        fail(r, 400, err.msg);
    if (removes && (!id || !azure_model_remove_resource(r->azure->model, id)))
        fail(r, 404, "there is no such resource");
}

static bool inspect_accounts(struct azure_request *r, const char *method)
{
    const char *name = r->n_segments > 2 ? r->segments[2] : "";

    if (str_eq(method, "GET") && azure_path_is(r, "fake/accounts"))
        list_accounts(r);
    else if (str_eq(method, "GET") && azure_path_is(r, "fake/accounts/*"))
        show_account(r, name);
    else if (str_eq(method, "PUT") && azure_path_is(r, "fake/accounts/*"))
        put_account(r, name);
    else if (str_eq(method, "DELETE") && azure_path_is(r, "fake/accounts/*"))
        remove_account(r, name);
    else if (str_eq(method, "POST") && azure_path_is(r, "fake/operations/*/start"))
        start_operation(r, name);
    else if (str_eq(method, "POST") && azure_path_is(r, "fake/operations/*/finish"))
        finish_operation(r, name);
    else
        return false;
    return true;
}

void azure_inspect(struct azure_request *r)
{
    const char *method = r->http->method;

    if (inspect_accounts(r, method))
        return;
    if (str_eq(method, "GET") && azure_path_is(r, "fake/resources")) {
        list_resources(r);
    } else if (str_eq(method, "PUT") && azure_path_is(r, "fake/resources")) {
        change_resource(r, false);
    } else if (str_eq(method, "POST") && azure_path_is(r, "fake/resources/remove")) {
        change_resource(r, true);
    } else if (str_eq(method, "POST") && azure_path_is(r, "fake/tokens/revoke")) {
        r->azure->tokens_valid_from_ms = r->now_ms + 1;
        r->reply->status = 204;
    } else if (str_eq(method, "GET") && azure_path_is(r, "fake/imds") && *r->azure->imds_url) {
        _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
        json_add_string(tree, "url", r->azure->imds_url);
        fake_reply_json(r->reply, 200, tree);
    } else if (str_eq(method, "GET") && azure_path_is(r, "fake/healthz")) {
        r->reply->status = 204;
    } else {
        fail(r, 404, "the inspection API has no such path and method; see --help");
    }
}
