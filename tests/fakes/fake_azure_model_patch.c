/* What Azure checks before it accepts an update, in the order in which it is checked here.
 *
 * One rule is one small function; the first that refuses gives the answer. Texts are those on public record (Azure's
 * pages, issues of other tools); a text of our own says "fake-azure". That identity and defaultIdentity in one update
 * lose the second in silence is no refusal and lives where updates take effect (terraform calls it bug 2209567). */
#include "fakes/fake_azure_model.h"

#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define OLDEST_API_VERSION_WITH_KEY "2019-12-12"

struct update {
    const struct azure_model *model;
    struct azure_account *account;
    const char *api_version;
    const cJSON *body;
    const cJSON *key; /* properties.keyVaultKeyUri, null included; NULL when not sent */
    struct azure_verdict *verdict;
};

int azure_verdict_set(struct azure_verdict *verdict, int status, const char *code, const char *format, ...)
{
    va_list args;

    verdict->status = status;
    verdict->code = code;
    buf_clear(&verdict->message);
    va_start(args, format);
    buf_vprintf(&verdict->message, format, args);
    va_end(args);
    return -1;
}

static int bad_request(const struct update *u, const char *text)
{
    return azure_verdict_set(u->verdict, 400, "BadRequest", "%s", text);
}

/* ---- The account ---- */

static int check_online(const struct update *u)
{
    const char *state = u->account->state;

    if (str_eq_nocase(state, "Succeeded") || str_eq_nocase(state, "Updating"))
        return 0;
    return azure_verdict_set(u->verdict, 400, "BadRequest", "Database account %s is not online", u->account->name);
}

/* "Updating" in the seed is the operation of somebody else, of which this fake knows nothing more. */
static int check_lock(const struct update *u)
{
    if (!u->account->running && !str_eq_nocase(u->account->state, "Updating"))
        return 0;
    return azure_verdict_set(u->verdict, 412, "PreconditionFailed",
        "There is already an operation in progress which requires exclusive lock on this service %s. Please retry the "
        "operation after sometime.",
        u->account->name);
}

static bool is_only(const cJSON *object, const char *name)
{
    return cJSON_GetArraySize(object) == 1 && json_member(object, name);
}

/* A refresh of the default identity is the way out of revocation, so it must pass. */
static int check_revoked(const struct update *u)
{
    if (!azure_account_revoked(u->account) ||
        (is_only(u->body, "properties") && is_only(json_member(u->body, "properties"), "defaultIdentity")))
        return 0;
    return bad_request(u, "No Update is allowed on Database Account with Customer Managed Key in Revoked Status");
}

/* ---- Identities ---- */

static int check_identity_exists(const struct update *u)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(u->body, "identity.userAssignedIdentities")) {
        if (cJSON_IsNull(item) || azure_account_attached(u->account, item->string) ||
            azure_model_resource(u->model, item->string))
            continue;
        u->verdict->front_door = true;
        return azure_verdict_set(u->verdict, 400, "FailedIdentityOperation",
            "Identity operation for resource '/subscriptions/%s/resourceGroups/%s/providers/Microsoft.DocumentDB/"
            "databaseAccounts/%s' failed with error 'Failed to perform resource identity operation. Status: "
            "'BadRequest'. Response: '{\"error\":{\"code\":\"BadRequest\",\"message\":\"Resource '%s' was not "
            "found.\"}}'.'.",
            u->account->subscription, u->account->group, u->account->name, item->string);
    }
    return 0;
}

/* The id in "UserAssignedIdentity=<id>[&FederatedClientId=<guid>]", NULL when value has another form. */
static const char *user_assigned_id(const char *value, char *ret, size_t size)
{
    static const char prefix[] = "UserAssignedIdentity=";

    if (!value || !str_has_prefix_nocase(value, prefix))
        return NULL;
    if (!str_copy(ret, size, value + strlen(prefix)))
        return NULL;
    ret[strcspn(ret, "&")] = '\0';
    return ret;
}

static int refuse_default_identity(const struct update *u, const char *more)
{
    return azure_verdict_set(
        u->verdict, 400, "BadRequest", "The given default identity for %s is not valid. %s", u->account->name, more);
}

static int check_identity_usable(const struct update *u, const char *value)
{
    char id[1024];

    if (str_eq_nocase(value, "FirstPartyIdentity"))
        return 0;
    if (str_eq_nocase(value, "SystemAssignedIdentity"))
        return u->account->system_assigned
                   ? 0
                   : refuse_default_identity(u, "The account has no system-assigned identity (text of fake-azure).");
    if (!user_assigned_id(value, id, sizeof(id)) || !str_has_prefix_nocase(id, "/subscriptions/"))
        return refuse_default_identity(u,
            "The format for the default identity is not valid, please use "
            "'FirstPartyIdentity'/'SystemAssignedIdentity'/'UserAssignedIdentity=<UA_resource_id>'");
    return azure_account_attached(u->account, id)
               ? 0
               : refuse_default_identity(u, "The identity is not attached to the account (text of fake-azure).");
}

static int check_default_identity(const struct update *u)
{
    const cJSON *value = json_at(u->body, "properties.defaultIdentity");

    /* Together with identity it is lost unread. */
    if (!value || json_member(u->body, "identity"))
        return 0;
    return check_identity_usable(u, cJSON_IsString(value) ? value->valuestring : "");
}

/* ---- The key ---- */

/* az sends apiProperties with every update, {} or {"ServerVersion": null}, and its users do enable keys. */
static bool says_nothing(const cJSON *property)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, property)
        if (!cJSON_IsNull(item))
            return false;
    return str_eq(property->string, "apiProperties");
}

static int check_key_alone(const struct update *u)
{
    const cJSON *properties = json_member(u->body, "properties"), *item;
    bool alone = is_only(u->body, "properties");

    cJSON_ArrayForEach (item, properties)
        if (!str_eq(item->string, "keyVaultKeyUri") && !says_nothing(item))
            alone = false;
    if (alone)
        return 0;
    return bad_request(u, "Cannot update Customer Managed Key settings and other properties at the same time.");
}

static int check_key_supported(const struct update *u)
{
    bool blank = !cJSON_IsString(u->key) || u->key->valuestring[0] == '\0';

    if (!blank && strcmp(u->api_version, OLDEST_API_VERSION_WITH_KEY) >= 0)
        return 0;
    return bad_request(u, "Updating KeyVaultKeyUri is not supported");
}

static bool is_vault_host(const struct azure_model *model, const char *host, size_t n)
{
    const char *const suffixes[] = {"vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net",
        "managedhsm.azure.net", "managedhsm.azure.cn", "managedhsm.usgovcloudapi.net", model->options.vault_suffix};
    size_t label = 0;

    while (label < n && (ascii_isalnum(host[label]) || host[label] == '-'))
        label++;
    if (label == 0 || label == n || host[label] != '.')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (suffixes[i] && strlen(suffixes[i]) == n - label - 1 && str_has_prefix_nocase(host + label + 1, suffixes[i]))
            return true;
    return false;
}

static size_t name_length(const char *s)
{
    size_t n = 0;

    while (ascii_isalnum(s[n]) || s[n] == '-')
        n++;
    return n;
}

static int check_key_uri(const struct update *u)
{
    const char *uri = u->key->valuestring, *host = uri + strlen("https://"), *path, *end = "";
    bool good = false;

    if (str_has_prefix_nocase(uri, "https://")) {
        size_t n = strcspn(host, "/");
        path = host + n;
        good = is_vault_host(u->model, host, n) && str_has_prefix(path, "/keys/");
        if (good) {
            n = name_length(path + strlen("/keys/"));
            end = path + strlen("/keys/") + n;
            good = n > 0 && n <= 127;
        }
    }
    if (good && end[0] == '/' && name_length(end + 1) > 0)
        return bad_request(u, "Please provide KeyVault Key Uri without version. We will use latest version of the key");
    if (good && end[0] == '\0')
        return 0;
    return azure_verdict_set(u->verdict, 400, "BadRequest", "Provided KeyVaultKeyUri %s is Invalid.", uri);
}

static int check_key_api(const struct update *u)
{
    if (azure_account_has(u->account, "EnableCassandra"))
        return bad_request(u, "Customer Managed Key enablement on an existing Cassandra account is not supported (text "
                              "of fake-azure).");
    if (azure_account_has(u->account, "EnableNoSQLVectorSearch"))
        return bad_request(u, "Customer Managed Key enablement on an existing account with Vector Search is not "
                              "supported (text of fake-azure).");
    return 0;
}

static int check_key_identity(const struct update *u)
{
    const struct azure_account *account = u->account;
    bool dedicated = str_eq_nocase(account->backup, "Continuous") || account->analytical;

    if (dedicated && str_eq_nocase(account->default_identity, "FirstPartyIdentity"))
        return bad_request(u, "Setting Non-FPI default identity is required for dedicated storage account features. "
                              "Please set a valid System or User Assigned Identity to default and retry the request.");
    return check_identity_usable(u, account->default_identity);
}

static int check_key_trap(const struct update *u)
{
    struct azure_trap *trap = &u->account->refuse_with;

    if (!trap->code || trap->times == 0)
        return 0;
    if (trap->times > 0)
        trap->times--;
    return azure_verdict_set(u->verdict, trap->status ? (int)trap->status : 400, trap->code, "%s", trap->message);
}

/* ---- The order ---- */

typedef int (*check)(const struct update *u);

static int run(const check *checks, const struct update *u)
{
    for (size_t i = 0; checks[i]; i++)
        if (checks[i](u) < 0)
            return -1;
    return 0;
}

void azure_patch_check(const struct azure_model *model, struct azure_account *account, const char *api_version,
    const cJSON *body, struct azure_verdict *ret)
{
    static const check every_update[] = {
        check_online, check_lock, check_revoked, check_identity_exists, check_default_identity, NULL};
    static const check of_the_key[] = {
        check_key_supported, check_key_alone, check_key_uri, check_key_api, check_key_identity, check_key_trap, NULL};
    const struct update u = {.model = model,
        .account = account,
        .api_version = api_version,
        .body = body,
        .key = json_at(body, "properties.keyVaultKeyUri"),
        .verdict = ret};

    ret->status = 200;
    if (!cJSON_IsObject(body)) {
        ret->front_door = true;
        (void)azure_verdict_set(ret, 400, "InvalidRequestContent",
            "The request content was invalid and could not be deserialized (text of fake-azure).");
        return;
    }
    if (run(every_update, &u) == 0 && u.key)
        (void)run(of_the_key, &u);
}

void azure_patch(struct azure_model *model, struct azure_account *account, const char *api_version, const cJSON *body,
    int64_t now_ms, struct azure_verdict *ret)
{
    azure_patch_check(model, account, api_version, body, ret);
    if (ret->status == 200)
        ret->operation = azure_operation_start(model, account, api_version, body, now_ms);
}
