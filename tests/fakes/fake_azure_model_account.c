/* One account: its life, what a seed says of it, and small questions about it. */
#include "fakes/fake_azure_model.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stddef.h>
#include <string.h>

void azure_names_add(struct azure_names *names, const char *name)
{
    if (azure_names_has(names, name))
        return;
    names->v = xrealloc(names->v, (names->n + 1) * sizeof(char *));
    names->v[names->n++] = xstrdup(name);
}

void azure_names_remove(struct azure_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (!str_eq_nocase(names->v[i], name))
            continue;
        free(names->v[i]);
        names->v[i] = names->v[--names->n];
        return;
    }
}

bool azure_names_has(const struct azure_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_eq_nocase(names->v[i], name))
            return true;
    return false;
}

void azure_names_done(struct azure_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct azure_names){0};
}

static void trap_done(struct azure_trap *trap)
{
    free(trap->code);
    free(trap->message);
    *trap = (struct azure_trap){0};
}

struct azure_account *azure_account_free(struct azure_account *account)
{
    if (!account)
        return NULL;
    free(account->subscription);
    free(account->group);
    free(account->name);
    free(account->kind);
    free(account->location);
    free(account->api_types);
    free(account->state);
    free(account->key_uri);
    free(account->key_version);
    free(account->key_status);
    free(account->default_identity);
    free(account->backup);
    azure_names_done(&account->identities);
    azure_names_done(&account->capabilities);
    trap_done(&account->fail_with);
    trap_done(&account->refuse_with);
    (void)json_free(account->tags);
    (void)json_free(account->extra);
    (void)azure_data_free(account->data);
    free(account);
    return NULL;
}

const char *azure_account_state(const struct azure_account *account)
{
    return account->running ? "Updating" : account->state;
}

bool azure_account_has(const struct azure_account *account, const char *capability)
{
    return azure_names_has(&account->capabilities, capability);
}

bool azure_account_revoked(const struct azure_account *account)
{
    return account->key_status && str_has_prefix(account->key_status, "Access to your account is currently revoked");
}

bool azure_account_attached(const struct azure_account *account, const char *identity_id)
{
    return azure_names_has(&account->identities, identity_id);
}

char *azure_location_id(const char *location)
{
    char *id = str_lower(xstrdup(location)), *to = id;

    for (const char *from = id; *from; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = '\0';
    return id;
}

/* ---- Seeds ---- */

enum member_kind { TEXT, OPTIONAL_TEXT, BOOL, NAMES, SECONDS, TRAP, OBJECT, DATA, IGNORED };

struct member {
    const char *name;
    enum member_kind kind;
    size_t offset;
};

#define AT(member) offsetof(struct azure_account, member)

static const struct member members[] = {
    {"name", IGNORED, 0}, /* it is the key under which the account was found or made */
    {"subscription", TEXT, AT(subscription)},
    {"resourceGroup", TEXT, AT(group)},
    {"kind", TEXT, AT(kind)},
    {"location", TEXT, AT(location)},
    {"apiTypes", OPTIONAL_TEXT, AT(api_types)},
    {"provisioningState", TEXT, AT(state)},
    {"keyVaultKeyUri", OPTIONAL_TEXT, AT(key_uri)},
    {"keyVaultKeyUriVersion", OPTIONAL_TEXT, AT(key_version)},
    {"customerManagedKeyStatus", OPTIONAL_TEXT, AT(key_status)},
    {"defaultIdentity", TEXT, AT(default_identity)},
    {"backupPolicy", TEXT, AT(backup)},
    {"analyticalStorage", BOOL, AT(analytical)},
    {"systemAssigned", BOOL, AT(system_assigned)},
    {"identities", NAMES, AT(identities)},
    {"capabilities", NAMES, AT(capabilities)},
    {"encryptSeconds", SECONDS, AT(encrypt_ms)},
    {"identitySeconds", SECONDS, AT(identity_ms)},
    {"failWith", TRAP, AT(fail_with)},
    {"refuseWith", TRAP, AT(refuse_with)},
    {"tags", OBJECT, AT(tags)},
    {"properties", OBJECT, AT(extra)},
    {"data", DATA, AT(data)},
};

static int merge_names(struct azure_names *names, const cJSON *json)
{
    const cJSON *item;

    azure_names_done(names);
    cJSON_ArrayForEach (item, json) {
        if (!cJSON_IsString(item))
            return -1;
        azure_names_add(names, item->valuestring);
    }
    return cJSON_IsArray(json) || cJSON_IsNull(json) ? 0 : -1;
}

static int merge_trap(struct azure_trap *trap, const cJSON *json, struct err *err)
{
    static const struct json_field fields[] = {
        {"status", JSON_INT, offsetof(struct azure_trap, status)},
        {"code", JSON_STRING, offsetof(struct azure_trap, code), true},
        {"message", JSON_STRING, offsetof(struct azure_trap, message), true},
        {"times", JSON_INT, offsetof(struct azure_trap, times)},
    };

    trap_done(trap);
    if (cJSON_IsNull(json))
        return 0;
    trap->times = -1;
    return json_decode(json, fields, ARRAY_LEN(fields), trap, err);
}

static int merge_seconds(int64_t *ms, const cJSON *json)
{
    *ms = -1;
    if (cJSON_IsNull(json))
        return 0;
    if (!cJSON_IsNumber(json) || json->valuedouble < 0 || json->valuedouble > 1e9)
        return -1;
    *ms = (int64_t)(json->valuedouble * 1000);
    return 0;
}

static int merge_text(char **slot, const cJSON *json, bool may_clear)
{
    if (cJSON_IsNull(json) && may_clear)
        str_replace(slot, NULL);
    else if (cJSON_IsString(json))
        str_replace(slot, json->valuestring);
    else
        return -1;
    return 0;
}

static int merge_data(struct azure_data **slot, const cJSON *json, struct err *err)
{
    struct azure_data *data = NULL;

    if (!cJSON_IsNull(json) && azure_data_parse(&data, json, err) < 0)
        return -1;
    (void)azure_data_free(*slot);
    *slot = data;
    return 0;
}

static int merge_member(struct azure_account *account, const struct member *m, const cJSON *json, struct err *err)
{
    void *at = (char *)account + m->offset;

    switch (m->kind) {
    case TEXT:
    case OPTIONAL_TEXT:
        return merge_text(at, json, m->kind == OPTIONAL_TEXT);
    case BOOL:
        *(bool *)at = cJSON_IsTrue(json);
        return cJSON_IsBool(json) ? 0 : -1;
    case NAMES:
        return merge_names(at, json);
    case SECONDS:
        return merge_seconds(at, json);
    case TRAP:
        return merge_trap(at, json, err);
    case OBJECT:
        (void)json_free(*(cJSON **)at);
        *(cJSON **)at = cJSON_IsObject(json) ? cJSON_Duplicate(json, true) : NULL;
        return cJSON_IsObject(json) || cJSON_IsNull(json) ? 0 : -1;
    case DATA:
        return merge_data(at, json, err);
    case IGNORED:
        break;
    }
    return 0;
}

int azure_account_merge(struct azure_account *account, const cJSON *json, struct err *err)
{
    const cJSON *child;

    if (!cJSON_IsObject(json))
        return err_set(err, ERR_INVALID, "is no JSON object");
    cJSON_ArrayForEach (child, json) {
        const struct member *m = NULL;
        for (size_t i = 0; i < ARRAY_LEN(members) && !m; i++)
            if (str_eq(members[i].name, child->string))
                m = &members[i];
        if (!m)
            return err_set(err, ERR_INVALID, "\"%s\" is no member of a seed", child->string);
        *err = ERR_INIT;
        if (merge_member(account, m, child, err) < 0)
            return err->kind ? err_wrap(err, "\"%s\"", m->name)
                             : err_set(err, ERR_INVALID, "\"%s\" has a value of the wrong type", m->name);
    }
    return 0;
}
