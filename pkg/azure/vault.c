/* Reading vaults and keys, finding a vault, adding to an access policy.
 *
 * A vault is looked for by the first label of its host, which is its name, in the list of all resources; that list
 * leaves out what the caller may not read. Before a vault is called absent, the list of Microsoft.KeyVault itself is
 * asked for, which is refused to who may not read all of it (as other providers' lists are known to be; not on record
 * for this one). */
#include "azure/vault.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define RESOURCES_API_VERSION "2015-11-01"
#define READ_VAULT "Microsoft.KeyVault/vaults/read"
#define READ_HSM "Microsoft.KeyVault/managedHSMs/read"
#define READ_KEY "Microsoft.KeyVault/vaults/keys/read"
#define WRITE_POLICY "Microsoft.KeyVault/vaults/accessPolicies/write"

static int read_vault(const struct buf *body, const char *id, const char *principal, struct vault *ret, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, body->data, body->len, err) < 0 || vault_decode(ret, tree, principal, err) < 0)
        return err_wrap(err, "Azure's answer is not a key vault");
    if (str_eq_nocase(ret->id, id))
        return 0;
    vault_done(ret);
    return err_set(err, ERR_PROTOCOL, "Azure's answer is about another key vault than %s", id);
}

int vault_get(struct arm_client *client, const char *id, const char *principal, struct vault *ret, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id parsed = {0};
    _cleanup_(freep) char *what = NULL;
    struct arm_response response;

    *ret = (struct vault){0};
    if (arm_id_parse(&parsed, id, err) < 0)
        return err_wrap(err, "the key vault's id cannot be used");
    bool hsm = arm_id_is(&parsed, "Microsoft.KeyVault", "managedHSMs");
    if (!hsm && !arm_id_is(&parsed, "Microsoft.KeyVault", "vaults"))
        return err_set(err, ERR_INVALID, "%s is no id of a key vault", id);
    what = xasprintf("the %s %s", hsm ? "managed HSM" : "key vault", parsed.name);
    int r = arm_call(client, "GET", parsed.text, VAULT_API_VERSION, NULL, NULL, &response, err);
    if (r < 0)
        (void)arm_say_missing(err, what, hsm ? READ_HSM : READ_VAULT, parsed.text);
    else if (response.status == 204) /* specified for managed HSMs */
        r = err_set(err, ERR_NOT_FOUND, "%s does not exist", what);
    else
        r = read_vault(&response.http.body, parsed.text, principal, ret, err);
    arm_response_done(&response);
    return r;
}

/* --- finding --- */

struct search {
    const char *name;
    char *id; /* found */
};

static int look_at(void *data, const cJSON *item, struct err *err _unused_)
{
    struct search *search = data;
    const char *name = json_string_at(item, "name"), *id = json_string_at(item, "id");

    if (!name || !id || !str_eq_nocase(name, search->name))
        return 0;
    search->id = xstrdup(id);
    return 1;
}

static int search_resources(
    struct arm_client *client, const char *subscription, const char *type, struct search *search, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("/subscriptions/%s/resources", subscription);
    _cleanup_(freep) char *filter = xasprintf("resourceType eq '%s'", type);
    const struct arm_query query[] = {{"$filter", filter}, {NULL, NULL}};
    const struct arm_list list = {
        .path = path, .api_version = RESOURCES_API_VERSION, .query = query, .on_item = look_at, .data = search};

    return arm_list(client, &list, err);
}

static int search_provider(
    struct arm_client *client, const char *subscription, const char *type, struct search *search, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("/subscriptions/%s/providers/%s", subscription, type);
    const struct arm_list list = {.path = path, .api_version = VAULT_API_VERSION, .on_item = look_at, .data = search};

    return arm_list(client, &list, err);
}

/* The id in search->id, or the error that says how much is known. */
static int find_id(
    struct arm_client *client, const char *subscription, bool hsm, struct search *search, struct err *err)
{
    const char *type = hsm ? "Microsoft.KeyVault/managedHSMs" : "Microsoft.KeyVault/vaults";
    _cleanup_(freep) char *scope = xasprintf("/subscriptions/%s", subscription);
    _cleanup_(freep) char *what = xasprintf("all key vaults of subscription %s", subscription);
    struct err first = ERR_INIT;

    int r = search_resources(client, subscription, type, search, &first);
    if (r == 0 && search->id)
        return 0;
    if (r < 0 && first.kind != ERR_FORBIDDEN) {
        if (err)
            *err = first;
        return err_wrap(err, "cannot list the key vaults of subscription %s", subscription);
    }
    if (search_provider(client, subscription, type, search, err) < 0)
        return arm_say_missing(err, what, hsm ? READ_HSM : READ_VAULT, scope);
    if (!search->id)
        return err_set(err, ERR_NOT_FOUND, "there is no %s %s in subscription %s", hsm ? "managed HSM" : "key vault",
            search->name, subscription);
    return 0;
}

int vault_find(struct arm_client *client, const char *subscription, const char *uri, bool hsm, const char *principal,
    struct vault *ret, struct err *err)
{
    _cleanup_(freep) char *wanted = vault_uri_normalize(uri);
    struct search search = {0};

    *ret = (struct vault){0};
    if (!wanted || !str_is_guid(subscription))
        return err_set(err, ERR_INVALID, "there is no key vault to look for");
    const char *host = wanted + strlen("https://");
    _cleanup_(freep) char *name = xstrndup(host, strcspn(host, ".:/"));
    search.name = name;
    int r = find_id(client, subscription, hsm, &search, err);
    if (r == 0)
        r = vault_get(client, search.id, principal, ret, err);
    free(search.id);
    if (r < 0 || str_eq_nocase(ret->uri, wanted))
        return r;
    r = err_set(err, ERR_NOT_FOUND, "the key vault %s has the URI %s and not %s", name, ret->uri, wanted);
    vault_done(ret);
    return r;
}

/* --- keys --- */

int vault_key_get(
    struct arm_client *client, const struct vault *vault, const char *name, struct vault_key *ret, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/keys/%s", vault->id, name);
    _cleanup_(freep) char *what = xasprintf("the key %s of the key vault %s", name, vault->name);
    _cleanup_(freep) char *expected = xasprintf("%s/keys/%s", vault->uri, name);
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct arm_response response;

    *ret = (struct vault_key){0};
    int r = arm_get(client, path, VAULT_API_VERSION, NULL, &response, err);
    if (r < 0)
        (void)arm_say_missing(err, what, READ_KEY, path);
    else if (arm_json_parse(&tree, response.http.body.data, response.http.body.len, err) < 0 ||
             vault_key_decode(ret, tree, err) < 0)
        r = err_wrap(err, "Azure's answer is not a key");
    arm_response_done(&response);
    if (r < 0 || str_eq_nocase(ret->uri, expected))
        return r;
    vault_key_done(ret);
    return err_set(err, ERR_PROTOCOL, "Azure's answer is about another key than %s", expected);
}

/* --- access policies --- */

static void put_words(cJSON *permissions, const char *name, const struct vault_words *words)
{
    if (words->n == 0)
        return;
    cJSON *list = json_add_array(permissions, name);
    for (size_t i = 0; i < words->n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(words->words[i]));
}

char *vault_policy_body(const struct vault *vault, const char *principal)
{
    static const char *const needed[] = {"get", "wrapKey", "unwrapKey"};
    const struct vault_policy *own = &vault->policy;
    _cleanup_(json_freep) cJSON *body = cJSON_CreateObject();
    cJSON *policies = json_add_array(json_add_object(body, "properties"), "accessPolicies");
    cJSON *policy = cJSON_CreateObject();

    cJSON_AddItemToArray(policies, policy);
    json_add_string(policy, "tenantId", vault->tenant_id);
    json_add_string(policy, "objectId", principal);
    cJSON *permissions = json_add_object(policy, "permissions");
    put_words(permissions, "keys", &own->keys);
    cJSON *keys = cJSON_GetObjectItemCaseSensitive(permissions, "keys");
    if (!keys)
        keys = json_add_array(permissions, "keys");
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!vault_policy_allows(own, needed[i]))
            cJSON_AddItemToArray(keys, cJSON_CreateString(needed[i]));
    put_words(permissions, "secrets", &own->secrets);
    put_words(permissions, "certificates", &own->certificates);
    put_words(permissions, "storage", &own->storage);
    return json_print(body);
}

int vault_policy_add(struct arm_client *client, const struct vault *vault, const char *principal, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/accessPolicies/add", vault->id);
    struct arm_response response;

    if (vault->managed_hsm || vault->rbac || str_empty(vault->tenant_id))
        return err_set(err, ERR_INVALID, "the key vault %s does not go by access policies", vault->name);
    _cleanup_(freep) char *body = vault_policy_body(vault, principal);
    int r = arm_call(client, "PUT", path, VAULT_API_VERSION, body, NULL, &response, err);
    arm_response_done(&response);
    if (r < 0 && err && err->kind == ERR_FORBIDDEN)
        return err_wrap(err,
            "cannot add an access policy to the key vault %s: grant the controller's identity " WRITE_POLICY " at %s",
            vault->name, vault->id);
    return r < 0 ? err_wrap(err, "cannot add an access policy to the key vault %s", vault->name) : 0;
}
