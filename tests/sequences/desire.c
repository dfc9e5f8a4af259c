/* The oracle of ends. It decides by the account as the model of Azure has it, not as the controller has seen it: the
 * only thing that it takes from the status is the hash that a person approves. */
#include "sequences/desire.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static struct desire stalled(const char *reason)
{
    return (struct desire){.ready = "False", .reason = reason, .stalled = true};
}

static const char *text(const cJSON *spec, const char *path)
{
    const char *s = json_string_at(spec, path);

    return s ? s : "";
}

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash ? slash + 1 : id;
}

/* The vault that is named is not that of the key. */
static bool vaults_clash(const cJSON *spec)
{
    const char *vault = last_segment(text(spec, "keyVaultId")),
               *host = text(spec, "keyVaultKeyUri") + strlen("https://");

    return vault[0] && !(str_has_prefix_nocase(host, vault) && host[strlen(vault)] == '.');
}

static bool is_first_party(const char *identity)
{
    return str_empty(identity) || str_eq(identity, "FirstPartyIdentity");
}

static const char *user_identity(const char *identity)
{
    return str_has_prefix(identity, "UserAssignedIdentity=") ? strchr(identity, '=') + 1 : NULL;
}

static bool is_satisfied(const cJSON *spec, const struct azure_account *account)
{
    const char *identity = text(spec, "defaultIdentity"), *user = user_identity(identity);

    if (!str_eq_nocase(account->key_uri, text(spec, "keyVaultKeyUri")))
        return false;
    return !identity[0] ||
           (str_eq_nocase(account->default_identity, identity) && (!user || azure_account_attached(account, user)));
}

/* The checks that can fail in these worlds: which identity, and whether it may use the key. */
static bool fails_preflight(const cJSON *spec, const struct world *w, const struct azure_account *account)
{
    const char *wanted = text(spec, "defaultIdentity"), *how = text(spec, "preflight.keyVault");
    bool lenient = str_eq(how, "Warn") || str_eq(how, "Skip"), grants = str_eq(text(spec, "keyVaultAccess"), "Grant");

    if (str_eq(account->backup, "Continuous") && is_first_party(wanted[0] ? wanted : account->default_identity))
        return true;
    return w->no_access && !grants && !lenient;
}

/* A user-assigned identity that nobody has made cannot be attached. */
static bool identity_is_missing(const cJSON *spec, const struct world *w, const struct azure_account *account)
{
    const char *user = user_identity(text(spec, "defaultIdentity"));

    return user && !azure_account_attached(account, user) && !azure_model_resource(w->model, user);
}

static struct desire of_account(
    const cJSON *spec, const struct world *w, const struct world_object *o, const struct azure_account *account)
{
    const struct desire encrypted = {.ready = "True", .reason = "Encrypted"};
    const char *hash = json_string_at(o->json, "status.plan.hash");

    if (is_satisfied(spec, account))
        return encrypted;
    if (fails_preflight(spec, w, account))
        return stalled("PreflightFailed");
    if (str_eq(text(spec, "mode"), "Observe"))
        return (struct desire){.ready = "False", .reason = "Observing"};
    if (str_eq(text(spec, "approval"), "Manual") && !(hash && str_eq(hash, text(spec, "approvedPlan"))))
        return (struct desire){.ready = "False", .reason = "AwaitingApproval", .reconciling = true};
    if (identity_is_missing(spec, w, account))
        return stalled("OperationFailed");
    return encrypted;
}

struct desire desire_of(const struct wish *wish, const struct world *w, const struct world_object *o)
{
    const char *name = last_segment(text(wish->spec, "accountId"));

    if (wish->malformed || vaults_clash(wish->spec))
        return stalled("InvalidSpec");
    if (wish->unsupported)
        return stalled("UnsupportedSpec");
    if (wish->unknown || (wish->bound && !str_eq_nocase(wish->bound, name)))
        return stalled("InvalidSpec");
    if (cJSON_IsTrue(json_member(wish->spec, "suspend")))
        return (struct desire){.ready = "Unknown", .reason = "Suspended"};
    const struct azure_account *account = world_azure_account(w, name);
    return account ? of_account(wish->spec, w, o, account) : stalled("AccountNotFound");
}
