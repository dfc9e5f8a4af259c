/* Azure: ARM over the model of fake-azure, and Entra ID's tokens. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS "/providers/Microsoft.DocumentDB/databaseAccounts"
#define GROUP "/subscriptions/" SUBSCRIPTION "/resourceGroups/shop"
#define VAULT GROUP "/providers/Microsoft.KeyVault/vaults/contoso"
#define TOKEN_S 1800
#define RETENTION_MS 86400000

char *account_id(int account)
{
    return xasprintf(GROUP ACCOUNTS "/a%03d", account);
}

int account_of_path(const char *path)
{
    const char *at = strstr(path, ACCOUNTS "/a");

    return at ? (int)strtol(at + strlen(ACCOUNTS "/a"), NULL, 10) : -1;
}

static struct azure_account *account_at(const struct cluster *c, int account)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "a%03d", account);
    return azure_model_account(c->model, name);
}

enum effect azure_effect(const struct call *call)
{
    static const char one[] = GROUP ACCOUNTS "/";
    bool is_one = str_has_prefix(call->path, one) && !strchr(call->path + strlen(one), '/');

    if (!str_has_prefix(call->url, ARM_URL "/"))
        return E_TOKEN;
    if (str_eq(call->method, "PATCH"))
        return E_PATCH;
    if (strstr(call->path, "/operationsStatus/"))
        return E_OPERATION;
    if (str_eq(call->method, "GET") && str_has_suffix_nocase(call->path, ACCOUNTS))
        return E_LIST;
    return is_one && str_eq(call->method, "GET") ? E_READ : E_LOOK;
}

void azure_error(struct call *call, int status, const char *code, const char *message)
{
    buf_clear(&call->reply);
    call->status = status;
    buf_printf(&call->reply, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    buf_put_json_string(&call->reply, message, strlen(message));
    buf_puts(&call->reply, "}}");
}

/* ---- tokens ---- */

static void give_token(struct call *call)
{
    call->status = 200;
    buf_printf(&call->reply,
        "{\"token_type\":\"Bearer\",\"expires_in\":%d,\"access_token\":\"" SECRET_MARK "-arm-%lld-%lld\"}", TOKEN_S,
        (long long)++call->c->tokens, (long long)fiber_now() + (int64_t)TOKEN_S * 1000);
}

static bool is_authorized(struct call *call)
{
    long long number = 0, until = 0;

    if (sscanf(call->authorization, "Bearer " SECRET_MARK "-arm-%lld-%lld", &number, &until) == 2 &&
        number > call->c->tokens_from && until > fiber_now())
        return true;
    azure_error(call, 401, "ExpiredAuthenticationToken", "The access token has expired.");
    return false;
}

/* ---- accounts ---- */

static void read_account(struct call *call, const struct azure_account *account)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    call->status = 200;
    azure_account_print(call->c->model, account, &call->reply);
    (void)json_parse(&tree, buf_str(&call->reply), call->reply.len, NULL);
    oracle_seen(call, tree);
}

static void list_accounts(struct call *call)
{
    struct cluster *c = call->c;

    call->status = 200;
    buf_puts(&call->reply, "{\"value\":[");
    for (size_t i = 0; i < c->model->n_accounts; i++) {
        buf_puts(&call->reply, i ? "," : "");
        azure_account_print(c->model, c->model->accounts[i], &call->reply);
    }
    buf_puts(&call->reply, "]}");
}

static void patch_account(struct call *call, struct azure_account *account)
{
    struct cluster *c = call->c;
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    _cleanup_(json_freep) cJSON *body = NULL;
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    (void)json_parse(&body, call->body, strlen(call->body), NULL);
    azure_patch(c->model, account, "2025-10-15", body, cluster_wall(), &verdict);
    oracle_change(call, account_of_path(call->path), body, &verdict);
    if (verdict.status == 200) {
        call->status = 200;
        azure_operation_query(c->model, verdict.operation, verdict.operation->status_path, &query);
        buf_printf(&call->headers, "azure-asyncoperation: " ARM_URL "%s?%s\n", verdict.operation->status_path,
            buf_str(&query));
        azure_model_advance(c->model, cluster_wall());
        azure_account_print(c->model, account, &call->reply);
    } else {
        azure_error(call, verdict.status, verdict.code, buf_str(&verdict.message));
    }
    buf_done(&verdict.message);
}

static void read_operation(struct call *call)
{
    struct cluster *c = call->c;
    const struct azure_operation *op = azure_operation_find(c->model, strrchr(call->path, '/') + 1, cluster_wall());
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    if (!op) {
        azure_error(call, 404, "NotFound", "The operation was not found.");
        return;
    }
    azure_operation_query(c->model, op, op->status_path, &query);
    if (!str_eq(call->path, op->status_path) || !str_eq(call->query, buf_str(&query)))
        violation(c, "the operation's URL was changed on its way");
    call->status = 200;
    buf_printf(&call->reply, "{\"status\":\"%s\"", azure_operation_word(c->model, op, cluster_wall()));
    if (op->code) {
        buf_printf(&call->reply, ",\"error\":{\"code\":\"%s\",\"message\":", op->code);
        buf_put_json_string(&call->reply, op->message, strlen(op->message));
        buf_putc(&call->reply, '}');
    }
    buf_putc(&call->reply, '}');
}

/* ---- everything else: what the seed says, or nothing ---- */

static void look(struct call *call)
{
    _cleanup_(freep) char *lower = str_lower(xstrdup(call->path));
    const cJSON *resource = azure_model_resource(call->c->model, lower);
    bool wants_vaults = call->query && strstr(call->query, "KeyVault");

    call->status = 200;
    if (!resource && !wants_vaults) {
        buf_puts(&call->reply, "{\"value\":[]}"); /* no locks, no metrics, no role assignments */
        return;
    }
    _cleanup_(freep) char *vault = str_lower(xstrdup(VAULT));
    _cleanup_(freep) char *text = json_print(resource ? resource : azure_model_resource(call->c->model, vault));
    buf_printf(&call->reply, "%s%s%s", resource ? "" : "{\"value\":[", text, resource ? "" : "]}");
}

void azure_serve(struct call *call)
{
    struct cluster *c = call->c;

    azure_model_advance(c->model, cluster_wall());
    if (call->effect == E_TOKEN) {
        give_token(call);
        return;
    }
    if (!is_authorized(call))
        return;
    c->arm_reads += call->effect != E_PATCH;
    struct azure_account *account = account_at(c, account_of_path(call->path));
    if (call->effect == E_OPERATION)
        read_operation(call);
    else if (call->effect == E_LIST)
        list_accounts(call);
    else if (call->effect == E_LOOK)
        look(call);
    else if (!account)
        azure_error(call, 404, "ResourceNotFound", "The Resource was not found.");
    else if (call->effect == E_PATCH)
        patch_account(call, account);
    else
        read_account(call, account);
}

/* ---- the beginning, and other people ---- */

static void put(struct cluster *c, int account, const char *members)
{
    _cleanup_(json_freep) cJSON *json = NULL;
    _cleanup_(freep) char *text =
        xasprintf("{\"subscription\":\"" SUBSCRIPTION "\",\"resourceGroup\":\"shop\"%s}", members);
    struct err err = ERR_INIT;
    char name[16];

    (void)snprintf(name, sizeof(name), "a%03d", account);
    if (json_parse(&json, text, strlen(text), &err) < 0 ||
        azure_model_put(c->model, name, json, cluster_wall(), &err) < 0)
        violation(c, "the test's account is wrong: %s", err.msg);
}

static void put_resource(struct cluster *c, const char *text)
{
    _cleanup_(json_freep) cJSON *json = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&json, text, strlen(text), &err) < 0 || azure_model_put_resource(c->model, json, &err) < 0)
        violation(c, "the test's resource is wrong: %s", err.msg);
}

/* A vault whose access policy lets the identity in. */
static void put_vault(struct cluster *c)
{
    char principal[AZURE_GUID_SIZE], client[AZURE_GUID_SIZE];

    put_resource(c, "{\"id\":\"" IDENTITY_ID "\"}");
    azure_model_identity_ids(c->model, IDENTITY_ID, principal, client);
    _cleanup_(freep) char *vault = xasprintf(
        "{\"id\":\"" VAULT "\",\"name\":\"contoso\",\"type\":\"Microsoft.KeyVault/vaults\",\"location\":\"westus\","
        "\"properties\":{\"tenantId\":\"00000000-0000-0000-0000-00000000000a\",\"accessPolicies\":[{\"tenantId\":"
        "\"00000000-0000-0000-0000-00000000000a\",\"objectId\":\"%s\",\"permissions\":{\"keys\":[\"get\",\"wrapKey\","
        "\"unwrapKey\"]}}],\"enableSoftDelete\":true,\"enablePurgeProtection\":true,\"vaultUri\":"
        "\"https://contoso.vault.azure.net/\",\"publicNetworkAccess\":\"Enabled\"}}",
        principal);
    put_resource(c, vault);
    for (int i = 0; i < 2; i++) {
        _cleanup_(freep) char *key = xasprintf(
            "{\"id\":\"" VAULT "/keys/%s\",\"name\":\"%s\",\"properties\":{\"attributes\":{\"enabled\":true},\"kty\":"
            "\"RSA\",\"keySize\":3072,\"keyOps\":[\"wrapKey\",\"unwrapKey\"],\"keyUri\":"
            "\"https://contoso.vault.azure.net:443/keys/%s\"}}",
            i ? "other" : "cosmos", i ? "other" : "cosmos", i ? "other" : "cosmos");
        put_resource(c, key);
    }
}

void azure_begin(struct cluster *c)
{
    static const char *const kinds[4] = {"", ",\"backupPolicy\":\"Continuous\"",
        ",\"keyVaultKeyUri\":\"" OTHER_KEY_URI "\"", ",\"keyVaultKeyUri\":\"" KEY_URI "\""};
    const struct azure_options options = {.tenant = "contoso",
        .identity_ms = 12000,
        .encrypt_ms = c->plan.encrypt,
        .enqueued_ms = 10000,
        .retention_ms = RETENTION_MS,
        .key_visible_early = c->plan.early,
        .identity_resets_default = c->plan.resets};

    c->model = azure_model_new(&options, "cluster");
    put_vault(c);
    for (int i = 0; i < c->plan.accounts; i++)
        put(c, i, kinds[c->plan.mix ? i % 4 : 0]);
}

void azure_other(struct cluster *c, int account, const char *body)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    _cleanup_(json_freep) cJSON *json = NULL;

    azure_model_advance(c->model, cluster_wall());
    if (json_parse(&json, body, strlen(body), NULL) == 0)
        azure_patch(c->model, account_at(c, account), "2025-10-15", json, cluster_wall(), &verdict);
    note(c, "somebody PATCHes account %d: %s: %d", account, body, verdict.status);
    buf_done(&verdict.message);
}
