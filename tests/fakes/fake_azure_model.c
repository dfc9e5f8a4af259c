/* The store: accounts, other resources, and the passing of time.
 *
 * Names compare without case, as ARM wants it. A subscription or resource group exists once anything in it has existed.
 */
#include "fakes/fake_azure_model.h"

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNTS_MAX 200000
#define KEY_SIZE 1024
#define OLDEST_API_VERSION_WITH_PAGES "2026-07-15"

static const char *lower_key(char key[static KEY_SIZE], const char *text)
{
    if (!str_copy(key, KEY_SIZE, text ? text : ""))
        return "";
    return str_lower(key);
}

static const char *group_key(char key[static KEY_SIZE], const char *subscription, const char *group)
{
    (void)snprintf(key, KEY_SIZE, "%s/%s", subscription, group);
    return str_lower(key);
}

struct azure_model *azure_model_new(const struct azure_options *options, const char *secret)
{
    struct azure_model *model = xcalloc(1, sizeof(*model));

    model->options = *options;
    digest_sha256_hex(secret, strlen(secret), model->secret);
    return model;
}

struct azure_model *azure_model_free(struct azure_model *model)
{
    if (!model)
        return NULL;
    for (size_t i = 0; i < model->n_accounts; i++)
        (void)azure_account_free(model->accounts[i]);
    free(model->accounts);
    map_foreach (entry, &model->subscriptions)
        free(entry->value);
    map_foreach (entry, &model->resources)
        (void)json_free(entry->value);
    map_foreach (entry, &model->operations)
        (void)azure_operation_free(entry->value);
    free(model->running);
    map_done(&model->by_name);
    map_done(&model->subscriptions);
    map_done(&model->groups);
    map_done(&model->resources);
    map_done(&model->operations);
    free(model);
    return NULL;
}

void azure_model_guid(struct azure_model *model, const char *text, char ret[static AZURE_GUID_SIZE])
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(16384);
    char hex[DIGEST_HEX_SIZE];

    if (text)
        buf_printf(&b, "guid of %s", text);
    else
        buf_printf(&b, "guid %s %llu", model->secret, (unsigned long long)++model->counter);
    digest_sha256_hex(b.data, b.len, hex);
    (void)snprintf(ret, AZURE_GUID_SIZE, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

struct azure_account *azure_model_account(const struct azure_model *model, const char *name)
{
    char key[KEY_SIZE];

    return map_get(&model->by_name, lower_key(key, name));
}

const cJSON *azure_model_resource(const struct azure_model *model, const char *id)
{
    char key[KEY_SIZE];

    return map_get(&model->resources, lower_key(key, id));
}

int64_t azure_model_page_size(const struct azure_model *model, const char *api_version)
{
    return strcmp(api_version, OLDEST_API_VERSION_WITH_PAGES) >= 0 ? model->options.page_size : 0;
}

const struct azure_subscription *azure_model_subscription(const struct azure_model *model, const char *id)
{
    char key[KEY_SIZE];

    return map_get(&model->subscriptions, lower_key(key, id));
}

bool azure_model_knows_group(const struct azure_model *model, const char *subscription, const char *group)
{
    char key[KEY_SIZE];

    return map_get(&model->groups, group_key(key, subscription, group)) != NULL;
}

static struct azure_subscription *learn_place(struct azure_model *model, const char *id, const char *group)
{
    char key[KEY_SIZE];
    struct azure_subscription *subscription = map_get(&model->subscriptions, lower_key(key, id));

    if (!subscription) {
        subscription = xcalloc(1, sizeof(*subscription));
        (void)map_set(&model->subscriptions, key, subscription);
    }
    (void)map_set(&model->groups, group_key(key, id, group), model);
    return subscription;
}

static void join(struct azure_subscription *subscription, struct azure_account *account)
{
    if (subscription->last)
        subscription->last->next = account;
    else
        subscription->first = account;
    subscription->last = account;
}

static void leave(struct azure_subscription *subscription, struct azure_account *account)
{
    struct azure_account **at = &subscription->first, *before = NULL;

    for (; *at != account; at = &(*at)->next)
        before = *at;
    *at = account->next;
    if (!account->next)
        subscription->last = before;
}

/* An identity that an account of the seed carries exists, whether or not the seed lists it as a resource. */
static void learn_identities(struct azure_model *model, const struct azure_account *account)
{
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < account->identities.n; i++) {
        if (azure_model_resource(model, account->identities.v[i]))
            continue;
        _cleanup_(json_freep) cJSON *resource = cJSON_CreateObject();
        json_add_string(resource, "id", account->identities.v[i]);
        (void)azure_model_put_resource(model, resource, &ignored);
    }
}

static int insert(struct azure_model *model, struct azure_account *account, struct err *err)
{
    char key[KEY_SIZE];

    if (!account->subscription || !str_is_guid(account->subscription) || str_empty(account->group))
        return err_set(
            err, ERR_INVALID, "account \"%s\" needs \"subscription\" (a GUID) and \"resourceGroup\"", account->name);
    if (model->n_accounts == ACCOUNTS_MAX)
        return err_set(err, ERR_INVALID, "more than %d accounts", ACCOUNTS_MAX);
    if ((model->n_accounts & (model->n_accounts - 1)) == 0)
        model->accounts =
            xrealloc(model->accounts, (model->n_accounts ? model->n_accounts * 2 : 1) * sizeof(struct azure_account *));
    model->accounts[model->n_accounts++] = account;
    (void)map_set(&model->by_name, lower_key(key, account->name), account);
    return 0;
}

static struct azure_account *account_new(const char *name, int64_t now_ms)
{
    struct azure_account *account = xcalloc(1, sizeof(*account));

    account->name = xstrdup(name);
    account->kind = xstrdup("GlobalDocumentDB");
    account->location = xstrdup("West US");
    account->state = xstrdup("Succeeded");
    account->default_identity = xstrdup("FirstPartyIdentity");
    account->backup = xstrdup("Periodic");
    account->encrypt_ms = account->identity_ms = -1;
    account->created_ms = now_ms;
    return account;
}

static void complete_key(struct azure_model *model, struct azure_account *account)
{
    char guid[AZURE_GUID_SIZE], hex[DIGEST_HEX_SIZE];

    if (!account->key_uri)
        return;
    azure_model_guid(model, account->key_uri, guid);
    digest_sha256_hex(guid, strlen(guid), hex);
    hex[32] = '\0';
    if (!account->key_version)
        account->key_version = xstrdup(hex);
    if (!account->key_status)
        account->key_status = xstrdup(AZURE_KEY_CONFIRMED);
}

int azure_model_put(struct azure_model *model, const char *name, const cJSON *json, int64_t now_ms, struct err *err)
{
    struct azure_account *account = azure_model_account(model, name), *made = NULL;

    if (str_empty(name) || strlen(name) > 50)
        return err_set(err, ERR_INVALID, "the name of an account has 3 to 50 characters");
    if (account && cJSON_HasObjectItem(json, "subscription") &&
        !str_eq_nocase(json_string_at(json, "subscription"), account->subscription))
        return err_set(err, ERR_INVALID, "account \"%s\" is in another subscription already", name);
    if (!account)
        account = made = account_new(name, now_ms);
    if (azure_account_merge(account, json, err) < 0 || (made && insert(model, made, err) < 0)) {
        (void)azure_account_free(made);
        return err_wrap(err, "account \"%s\"", name);
    }
    struct azure_subscription *subscription = learn_place(model, account->subscription, account->group);
    if (made)
        join(subscription, made);
    learn_identities(model, account);
    complete_key(model, account);
    return 0;
}

void azure_model_remove(struct azure_model *model, struct azure_account *account)
{
    char key[KEY_SIZE];

    map_foreach (entry, &model->operations) {
        struct azure_operation *operation = entry->value;
        if (operation->account == account)
            operation->account = NULL;
    }
    for (size_t i = 0; i < model->n_accounts; i++) {
        if (model->accounts[i] != account)
            continue;
        memmove(
            &model->accounts[i], &model->accounts[i + 1], (model->n_accounts - i - 1) * sizeof(struct azure_account *));
        model->n_accounts--;
        break;
    }
    leave(learn_place(model, account->subscription, account->group), account);
    (void)map_remove(&model->by_name, lower_key(key, account->name));
    (void)azure_account_free(account);
}

/* Subscription and resource group of an id, for the places that exist. */
static void learn_place_of(struct azure_model *model, const char *id)
{
    char subscription[64], word[32], group[128];

    if (sscanf(id, "/%*[Ss]ubscriptions/%63[^/]/%31[^/]/%127[^/]", subscription, word, group) == 3 &&
        str_eq_nocase(word, "resourceGroups"))
        learn_place(model, subscription, group);
}

int azure_model_put_resource(struct azure_model *model, const cJSON *json, struct err *err)
{
    const char *id = json_string_at(json, "id");
    char key[KEY_SIZE];

    if (str_empty(id) || !str_has_prefix_nocase(id, "/subscriptions/") || !str_find_nocase(id, "/providers/") ||
        strlen(id) >= KEY_SIZE)
        return err_set(err, ERR_INVALID, "a resource needs an \"id\" below /subscriptions/…/providers/");
    learn_place_of(model, id);
    (void)json_free(map_set(&model->resources, lower_key(key, id), cJSON_Duplicate(json, true)));
    return 0;
}

bool azure_model_remove_resource(struct azure_model *model, const char *id)
{
    char key[KEY_SIZE];
    cJSON *resource = map_remove(&model->resources, lower_key(key, id));
    bool existed = resource != NULL;

    (void)json_free(resource);
    return existed;
}

int azure_model_load(struct azure_model *model, const cJSON *seed, int64_t now_ms, struct err *err)
{
    const cJSON *accounts = cJSON_IsArray(seed) ? seed : json_member(seed, "accounts"), *item;

    if (!cJSON_IsArray(accounts))
        return err_set(err, ERR_INVALID, "a seed is an array of accounts, or an object with \"accounts\"");
    cJSON_ArrayForEach (item, json_member(seed, "resources"))
        if (azure_model_put_resource(model, item, err) < 0)
            return -1;
    cJSON_ArrayForEach (item, accounts) {
        const char *name = json_string_at(item, "name");
        if (azure_model_account(model, name))
            return err_set(err, ERR_INVALID, "the seed has two accounts \"%s\"", name);
        if (azure_model_put(model, name, item, now_ms, err) < 0)
            return -1;
    }
    return 0;
}

void azure_model_advance(struct azure_model *model, int64_t now_ms)
{
    for (size_t i = model->n_running; i-- > 0;) {
        struct azure_operation *operation = model->running[i];
        if (operation->end_ms > now_ms)
            continue;
        if (operation->fails)
            azure_operation_finish(model, operation, AZURE_OP_FAILED, operation->code, operation->message, now_ms);
        else
            azure_operation_finish(model, operation, AZURE_OP_SUCCEEDED, NULL, NULL, now_ms);
    }
}
