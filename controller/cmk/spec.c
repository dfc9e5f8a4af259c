#include "cmk/spec.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define MAX_ID 512
#define MAX_KEY_URI 255

#define FIRST_PARTY "FirstPartyIdentity"
#define SYSTEM_ASSIGNED "SystemAssignedIdentity"
#define USER_ASSIGNED "UserAssignedIdentity="

/* Hosts of key URIs in the clouds that exist (azure-facts 7.6). */
static const char *const vault_suffixes[] = {
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
    ".managedhsm.azure.net",
    ".managedhsm.azure.cn",
    ".managedhsm.usgovcloudapi.net",
};

static bool all_of(const char *s, size_t n, const char *extra)
{
    for (size_t i = 0; i < n; i++)
        if (!ascii_isalnum(s[i]) && !strchr(extra, s[i]))
            return false;
    return n > 0;
}

/* Consumes "/word" without case. */
static bool word(const char **s, const char *text)
{
    if (**s != '/' || !str_has_prefix_nocase(*s + 1, text))
        return false;
    const char *end = *s + 1 + strlen(text);
    if (*end != '/')
        return false;
    *s = end;
    return true;
}

/* Consumes "/segment" and returns its length; 0 when there is none. *ret points at it. */
static size_t segment(const char **s, const char **ret)
{
    if (**s != '/')
        return 0;
    *ret = *s + 1;
    size_t n = strcspn(*ret, "/");
    *s = *ret + n;
    return n;
}

static bool is_guid_segment(const char *s, size_t n)
{
    char guid[37];

    if (n != 36)
        return false;
    memcpy(guid, s, 36);
    guid[36] = '\0';
    return str_is_guid(guid);
}

/* /subscriptions/GUID/resourceGroups/RG/providers/PROVIDER/TYPE/NAME; *ret_name is NAME, the rest of the text. */
static bool resource_id(const char *s, const char *provider, const char *type, const char **ret_name)
{
    const char *part;
    size_t n;

    if (strlen(s) > MAX_ID || !word(&s, "subscriptions") || (n = segment(&s, &part)) == 0 || !is_guid_segment(part, n))
        return false;
    if (!word(&s, "resourceGroups") || (n = segment(&s, &part)) == 0 || n > 90 || !all_of(part, n, "-_.()"))
        return false;
    if (part[n - 1] == '.')
        return false;
    if (!word(&s, "providers") || !word(&s, provider) || !word(&s, type) || segment(&s, ret_name) == 0)
        return false;
    return *s == '\0';
}

/* Lower-case letters, digits and single hyphens between them, 3 to 50 characters (azure-facts 2.2). */
static bool is_account_name(const char *s)
{
    size_t n = strlen(s);

    if (n < 3 || n > 50 || s[0] == '-' || s[n - 1] == '-' || strstr(s, "--"))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!ascii_isdigit(s[i]) && !(s[i] >= 'a' && s[i] <= 'z') && s[i] != '-')
            return false;
    return true;
}

static int check_account_id(const char *id, struct err *err)
{
    const char *name;

    if (str_empty(id))
        return err_set(err, ERR_INVALID,
            "spec.accountId is missing; copy the account's resource id from "
            "`az cosmosdb show --query id`");
    if (!resource_id(id, "Microsoft.DocumentDB", "databaseAccounts", &name) || !is_account_name(name))
        return err_set(err, ERR_INVALID,
            "spec.accountId \"%.200s\" is no Cosmos DB account id; it must read "
            "/subscriptions/GUID/resourceGroups/GROUP/"
            "providers/Microsoft.DocumentDB/databaseAccounts/NAME",
            id);
    return 0;
}

static bool is_vault_name(const char *s, size_t n)
{
    return n >= 3 && n <= 24 && all_of(s, n, "-");
}

/* LABEL.SUFFIX of a known cloud. */
static bool is_vault_host(const char *host, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(vault_suffixes); i++) {
        size_t m = strlen(vault_suffixes[i]);
        if (n > m && str_has_prefix_nocase(host + n - m, vault_suffixes[i]))
            return is_vault_name(host, n - m) && host[0] != '-' && host[n - m - 1] != '-';
    }
    return false;
}

/* What follows the key's name. */
static int check_key_rest(const char *uri, const char *rest, struct err *err)
{
    if (str_empty(rest))
        return 0;
    if (strcmp(rest, "/") == 0)
        return err_set(err, ERR_INVALID, "spec.keyVaultKeyUri \"%.200s\" must not end with a slash; remove it", uri);
    return err_set(err, ERR_INVALID,
        "spec.keyVaultKeyUri \"%.200s\" has something after the key's name; remove the version: Azure refuses a URI "
        "with "
        "one and always uses the newest version of the key",
        uri);
}

static int check_key_uri(const char *uri, struct err *err)
{
    if (str_empty(uri))
        return err_set(err, ERR_INVALID,
            "spec.keyVaultKeyUri is missing; customer-managed keys cannot be taken away from an "
            "account, so name the key: https://VAULT.vault.azure.net/keys/KEY");
    const char *host = uri + strlen("https://");
    if (!str_has_prefix_nocase(uri, "https://") || strlen(uri) > MAX_KEY_URI)
        goto malformed;
    const char *path = host + strcspn(host, "/");
    if (!is_vault_host(host, (size_t)(path - host)) || !str_has_prefix(path, "/keys/"))
        goto malformed;
    const char *key = path + strlen("/keys/");
    size_t n = strcspn(key, "/");
    if (n > 127 || !all_of(key, n, "-"))
        goto malformed;
    return check_key_rest(uri, key + n, err);
malformed:
    return err_set(err, ERR_INVALID,
        "spec.keyVaultKeyUri \"%.200s\" is no key URI; it must read https://VAULT.vault.azure.net/keys/KEY (or the "
        "vault or "
        "managed HSM host of your cloud)",
        uri);
}

static bool is_user_identity(const char *id)
{
    const char *name;

    if (!resource_id(id, "Microsoft.ManagedIdentity", "userAssignedIdentities", &name))
        return false;
    size_t n = strlen(name);
    return n >= 3 && n <= 128 && ascii_isalnum(name[0]) && all_of(name, n, "-_");
}

static int check_default_identity(const char *identity, struct err *err)
{
    if (!identity || strcmp(identity, FIRST_PARTY) == 0 || strcmp(identity, SYSTEM_ASSIGNED) == 0)
        return 0;
    if (str_empty(identity))
        return err_set(err, ERR_INVALID,
            "spec.defaultIdentity is blank; remove it to keep the account's default identity as it is");
    if (strchr(identity, '&'))
        return err_set(err, ERR_INVALID,
            "spec.defaultIdentity \"%.200s\" carries a parameter such as &FederatedClientId: a key in another tenant "
            "is not "
            "supported; use a key of the account's own tenant and remove what follows the identity's name",
            identity);
    if (strlen(identity) <= MAX_ID && str_has_prefix(identity, USER_ASSIGNED) &&
        is_user_identity(cmk_user_identity_of(identity)))
        return 0;
    return err_set(err, ERR_INVALID,
        "spec.defaultIdentity \"%.200s\" is none of FirstPartyIdentity, SystemAssignedIdentity and "
        "UserAssignedIdentity=ID, where "
        "ID is the resource id of a user-assigned managed identity",
        identity);
}

static int check_vault_id(const char *id, struct err *err)
{
    const char *name;

    if (!id)
        return 0;
    if ((resource_id(id, "Microsoft.KeyVault", "vaults", &name) ||
            resource_id(id, "Microsoft.KeyVault", "managedHSMs", &name)) &&
        is_vault_name(name, strlen(name)))
        return 0;
    return err_set(err, ERR_INVALID,
        "spec.keyVaultId \"%.200s\" is no vault id; it must read /subscriptions/GUID/resourceGroups/GROUP/providers/"
        "Microsoft.KeyVault/vaults/NAME",
        id);
}

/* Both were found to be well formed. */
static int check_same_vault(const char *vault_id, const char *key_uri, struct err *err)
{
    if (!vault_id)
        return 0;
    const char *name = strrchr(vault_id, '/') + 1, *host = key_uri + strlen("https://");
    if (str_has_prefix_nocase(host, name) && host[strlen(name)] == '.')
        return 0;
    return err_set(err, ERR_INVALID,
        "spec.keyVaultId names the vault %s, spec.keyVaultKeyUri is in the vault %.*s; correct one of them, or remove "
        "spec.keyVaultId",
        name, (int)strcspn(host, "."), host);
}

static int check_window(const struct cmk_window *window, struct err *err)
{
    if (window->present && (str_empty(window->time_zone) || window->n_periods == 0))
        return err_set(err, ERR_INVALID, "spec.window needs a timeZone (such as Europe/Rome) and at least one period");
    return 0;
}

int cmk_spec_check(const struct cmk_spec *spec, struct err *err)
{
    if (spec->malformed)
        return err_set(err, ERR_INVALID, "%s", spec->malformed);
    if (check_account_id(spec->account_id, err) < 0 || check_key_uri(spec->key_uri, err) < 0 ||
        check_default_identity(spec->default_identity, err) < 0 || check_vault_id(spec->key_vault_id, err) < 0 ||
        check_same_vault(spec->key_vault_id, spec->key_uri, err) < 0)
        return -1;
    return check_window(&spec->window, err);
}

const char *cmk_spec_unsupported(const struct cmk_spec *spec)
{
    if (spec->priority != 0)
        return "spec.priority is not supported by this version, which takes resources in the order in which they come; "
               "remove it";
    return NULL;
}

bool cmk_account_changed(const struct cmk_spec *spec, const struct cmk_status *status)
{
    const char *name = spec->account_id ? strrchr(spec->account_id, '/') : NULL;

    return status->has_account && !str_empty(status->account.name) && name &&
           !str_eq_nocase(status->account.name, name + 1);
}

char *cmk_account_key(const char *account_id)
{
    return str_lower(xstrdup(account_id));
}

struct key_parts {
    const char *host, *name;
    size_t host_len, name_len;
};

static bool key_parts(const char *uri, struct key_parts *ret)
{
    if (!str_has_prefix_nocase(uri, "https://"))
        return false;
    ret->host = uri + strlen("https://");
    ret->host_len = strcspn(ret->host, ":/");
    const char *path = ret->host + strcspn(ret->host, "/");
    if (!str_has_prefix_nocase(path, "/keys/"))
        return false;
    ret->name = path + strlen("/keys/");
    ret->name_len = strcspn(ret->name, "/");
    return true;
}

static bool same_nocase(const char *a, size_t n, const char *b, size_t m)
{
    for (size_t i = 0; n == m && i < n; i++)
        if (ascii_tolower(a[i]) != ascii_tolower(b[i]))
            return false;
    return n == m;
}

bool cmk_same_key(const char *a, const char *b)
{
    struct key_parts x, y;

    if (str_empty(a) || str_empty(b))
        return str_empty(a) && str_empty(b);
    if (!key_parts(a, &x) || !key_parts(b, &y))
        return strcmp(a, b) == 0;
    return same_nocase(x.host, x.host_len, y.host, y.host_len) && same_nocase(x.name, x.name_len, y.name, y.name_len);
}

bool cmk_identity_is_first_party(const char *identity)
{
    return str_empty(identity) || str_eq_nocase(identity, FIRST_PARTY);
}

bool cmk_same_identity(const char *a, const char *b)
{
    if (cmk_identity_is_first_party(a) || cmk_identity_is_first_party(b))
        return cmk_identity_is_first_party(a) && cmk_identity_is_first_party(b);
    return str_eq_nocase(a, b);
}

const char *cmk_user_identity_of(const char *identity)
{
    if (str_empty(identity) || !str_has_prefix_nocase(identity, USER_ASSIGNED))
        return NULL;
    return identity + strlen(USER_ASSIGNED);
}
