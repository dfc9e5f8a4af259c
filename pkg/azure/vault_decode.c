/* What the answers about vaults and keys mean.
 *
 * Recorded: purge protection is true or absent; networkAcls absent lets everybody in, and its bypass absent is
 * AzureServices; permissions may be "all" and vary in case; a vaultUri may lack its slash and a keyUri carries ":443".
 * A policy with an applicationId is for that application on behalf of the principal, and gives the principal itself
 * nothing. */
#include "azure/vault.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "json/json.h"

#include <string.h>

#define POLICIES_MAX 1024 /* Azure's own limit */
#define WORDS_MAX 64
#define WORD_MAX 64
#define URI_MAX_BYTES 1024
#define VAULT_TYPE "Microsoft.KeyVault/vaults"
#define HSM_TYPE "Microsoft.KeyVault/managedHSMs"

static void words_done(struct vault_words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->words[i]);
    free(words->words);
    *words = (struct vault_words){0};
}

void vault_done(struct vault *vault)
{
    free(vault->id);
    free(vault->name);
    free(vault->uri);
    free(vault->tenant_id);
    words_done(&vault->policy.keys);
    words_done(&vault->policy.secrets);
    words_done(&vault->policy.certificates);
    words_done(&vault->policy.storage);
    *vault = (struct vault){0};
}

void vault_key_done(struct vault_key *key)
{
    free(key->uri);
    free(key->type);
    *key = (struct vault_key){0};
}

/* --- URIs --- */

/* Scheme, host and port; *ret_path is what follows, without a slash at its end. */
static char *origin_of(const char *uri, char **ret_path)
{
    struct http_url url;

    if (!uri || strnlen(uri, URI_MAX_BYTES + 1) > URI_MAX_BYTES || http_url_parse(uri, &url, NULL) < 0 ||
        !str_eq(url.scheme, "https") || url.has_userinfo)
        return NULL;
    size_t n = strlen(url.path);
    while (n > 0 && url.path[n - 1] == '/')
        n--;
    *ret_path = xstrndup(url.path, n);
    return url.port == 443 ? xasprintf("https://%s", url.host) : xasprintf("https://%s:%d", url.host, url.port);
}

char *vault_uri_normalize(const char *uri)
{
    _cleanup_(freep) char *path = NULL, *origin = origin_of(uri, &path);

    return origin ? xasprintf("%s%s", origin, path) : NULL;
}

char *vault_uri_of_key(const char *key_uri)
{
    _cleanup_(freep) char *path = NULL;

    return origin_of(key_uri, &path);
}

/* --- access policies --- */

static int add_word(struct vault_words *words, const char *word, struct err *err)
{
    if (!word || strnlen(word, WORD_MAX + 1) > WORD_MAX)
        return err_set(err, ERR_PROTOCOL, "properties.accessPolicies: a permission is no short string");
    for (size_t i = 0; i < words->n; i++)
        if (str_eq_nocase(words->words[i], word))
            return 0;
    if (words->n == WORDS_MAX)
        return err_set(err, ERR_PROTOCOL, "properties.accessPolicies: more than %d permissions", WORDS_MAX);
    words->words = xrealloc(words->words, (words->n + 1) * sizeof(*words->words));
    words->words[words->n++] = xstrdup(word);
    return 0;
}

static int add_policy(struct vault_policy *policy, const cJSON *permissions, struct err *err)
{
    const struct {
        const char *name;
        struct vault_words *words;
    } lists[] = {
        {"keys", &policy->keys},
        {"secrets", &policy->secrets},
        {"certificates", &policy->certificates},
        {"storage", &policy->storage},
    };
    const cJSON *word;

    policy->found = true;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        cJSON_ArrayForEach (word, json_member(permissions, lists[i].name))
            if (add_word(lists[i].words, cJSON_IsString(word) ? word->valuestring : NULL, err) < 0)
                return -1;
    return 0;
}

static int decode_policies(struct vault *vault, const cJSON *tree, const char *principal, struct err *err)
{
    const cJSON *list = json_at(tree, "properties.accessPolicies"), *entry;
    int n = 0;

    if (!list || cJSON_IsNull(list))
        return 0;
    if (!cJSON_IsArray(list))
        return err_set(err, ERR_PROTOCOL, "properties.accessPolicies: expected a list");
    cJSON_ArrayForEach (entry, list) {
        if (n++ == POLICIES_MAX)
            return err_set(err, ERR_PROTOCOL, "properties.accessPolicies: more than %d", POLICIES_MAX);
        const char *object = json_string_at(entry, "objectId");
        if (!principal || !object || !str_eq_nocase(object, principal) ||
            !str_empty(json_string_at(entry, "applicationId")))
            continue;
        if (add_policy(&vault->policy, json_member(entry, "permissions"), err) < 0)
            return -1;
    }
    return 0;
}

bool vault_policy_allows(const struct vault_policy *policy, const char *word)
{
    for (size_t i = 0; i < policy->keys.n; i++)
        if (str_eq_nocase(policy->keys.words[i], word) || str_eq_nocase(policy->keys.words[i], "all"))
            return true;
    return false;
}

/* --- vaults --- */

static size_t count_of(const cJSON *list)
{
    return cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
}

static void decode_network(struct vault *vault, const cJSON *tree)
{
    const cJSON *acls = json_at(tree, "properties.networkAcls");
    const char *bypass = json_string_at(acls, "bypass");
    const char *access = json_string_at(tree, "properties.publicNetworkAccess");

    vault->default_deny = str_eq_nocase(json_string_at(acls, "defaultAction"), "Deny");
    vault->trusted_bypass = str_empty(bypass) || str_find_nocase(bypass, "AzureServices");
    vault->n_rules = count_of(json_member(acls, "ipRules")) + count_of(json_member(acls, "virtualNetworkRules"));
    vault->not_public = !str_empty(access) && !str_eq_nocase(access, "Enabled");
}

struct raw_vault {
    struct vault vault;
    char *type, *vault_uri, *hsm_uri;
};

static void raw_vault_done(struct raw_vault *raw)
{
    vault_done(&raw->vault);
    free(raw->type);
    free(raw->vault_uri);
    free(raw->hsm_uri);
}

int vault_decode(struct vault *ret, const cJSON *tree, const char *principal, struct err *err)
{
    static const struct json_field fields[] = {
        {"id", JSON_STRING, offsetof(struct raw_vault, vault.id), .required = true},
        {"name", JSON_STRING, offsetof(struct raw_vault, vault.name), .required = true},
        {"type", JSON_STRING, offsetof(struct raw_vault, type), .required = true},
        {"properties.tenantId", JSON_STRING, offsetof(struct raw_vault, vault.tenant_id)},
        {"properties.vaultUri", JSON_STRING, offsetof(struct raw_vault, vault_uri)},
        {"properties.hsmUri", JSON_STRING, offsetof(struct raw_vault, hsm_uri)},
        {"properties.enableSoftDelete", JSON_BOOL, offsetof(struct raw_vault, vault.soft_delete)},
        {"properties.enablePurgeProtection", JSON_BOOL, offsetof(struct raw_vault, vault.purge_protection)},
        {"properties.enableRbacAuthorization", JSON_BOOL, offsetof(struct raw_vault, vault.rbac)},
    };
    _cleanup_(raw_vault_done) struct raw_vault raw = {.vault.soft_delete = true};

    if (json_decode(tree, fields, ARRAY_LEN(fields), &raw, err) < 0)
        return -1;
    raw.vault.managed_hsm = str_eq_nocase(raw.type, HSM_TYPE);
    if (!raw.vault.managed_hsm && !str_eq_nocase(raw.type, VAULT_TYPE))
        return err_set(err, ERR_PROTOCOL, "type: expected %s", VAULT_TYPE);
    raw.vault.uri = vault_uri_normalize(raw.vault.managed_hsm ? raw.hsm_uri : raw.vault_uri);
    if (!raw.vault.uri)
        return err_set(
            err, ERR_PROTOCOL, "properties.%s: expected an https URL", raw.vault.managed_hsm ? "hsmUri" : "vaultUri");
    decode_network(&raw.vault, tree);
    if (decode_policies(&raw.vault, tree, principal, err) < 0)
        return -1;
    *ret = raw.vault;
    raw.vault = (struct vault){0};
    return 0;
}

/* --- keys --- */

/* An absent list does not restrict (RFC 7517, key_ops). */
static bool may_wrap(const cJSON *ops)
{
    bool wrap = false, unwrap = false;
    const cJSON *op;

    if (!cJSON_IsArray(ops))
        return true;
    cJSON_ArrayForEach (op, ops) {
        wrap |= cJSON_IsString(op) && str_eq_nocase(op->valuestring, "wrapKey");
        unwrap |= cJSON_IsString(op) && str_eq_nocase(op->valuestring, "unwrapKey");
    }
    return wrap && unwrap;
}

int vault_key_decode(struct vault_key *ret, const cJSON *tree, struct err *err)
{
    static const struct json_field fields[] = {
        {"properties.keyUri", JSON_STRING, offsetof(struct vault_key, uri), .required = true},
        {"properties.kty", JSON_STRING, offsetof(struct vault_key, type), .max = 64},
        {"properties.attributes.enabled", JSON_BOOL, offsetof(struct vault_key, enabled)},
        {"properties.attributes.nbf", JSON_INT, offsetof(struct vault_key, not_before)},
        {"properties.attributes.exp", JSON_INT, offsetof(struct vault_key, expires)},
    };
    _cleanup_(vault_key_done) struct vault_key key = {.enabled = true};

    if (json_decode(tree, fields, ARRAY_LEN(fields), &key, err) < 0)
        return -1;
    char *uri = vault_uri_normalize(key.uri);
    if (!uri)
        return err_set(err, ERR_PROTOCOL, "properties.keyUri: expected an https URL");
    free(key.uri);
    key.uri = uri;
    if (key.not_before < 0 || key.not_before > INT64_MAX / 1000 || key.expires < 0 || key.expires > INT64_MAX / 1000)
        return err_set(err, ERR_PROTOCOL, "properties.attributes: a time outside of what can be");
    key.not_before *= 1000;
    key.expires *= 1000;
    key.may_wrap = may_wrap(json_at(tree, "properties.keyOps"));
    *ret = key;
    key = (struct vault_key){0};
    return 0;
}
