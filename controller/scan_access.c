/* The endpoint comes from ARM and is checked by the gateway itself, before a token or key is asked for. */
#include "controller/scan_access.h"

#include "azure/cosmos.h"
#include "base/mem.h"
#include "base/str.h"

static bool has_capability(const struct cosmos_account *account, const char *name)
{
    for (size_t i = 0; i < account->n_capabilities; i++)
        if (str_eq_nocase(account->capabilities[i], name))
            return true;
    return false;
}

static bool is_mongo(const struct cosmos_account *account)
{
    return str_eq_nocase(account->kind, "MongoDB") || has_capability(account, "EnableMongo");
}

/* The data plane has roles for the API for NoSQL only. */
static bool takes_tokens(const struct cosmos_account *account)
{
    return !is_mongo(account) && !has_capability(account, "EnableGremlin") && !has_capability(account, "EnableTable");
}

static struct gateway_options options_for(
    const struct scan_access *access, const struct cosmos_account *account, struct http_cancel *cancel)
{
    return (struct gateway_options){.http = access->http,
        .endpoint = account->sql_endpoint,
        .cosmos_suffix = access->cloud->cosmos_suffix,
        .loopback_host = access->loopback_host,
        .mongo = is_mongo(account),
        .tls = access->tls,
        .proxy = access->proxy,
        .cancel = cancel};
}

static int open_with_key(const struct scan_access *access, struct arm_client *arm, const struct arm_id *id,
    const struct gateway_options *given, struct gateway **ret, struct err *err)
{
    _cleanup_(secret_unrefp) struct secret *key = NULL;
    struct gateway_options options = *given;

    if (gateway_endpoint_check(options.endpoint, options.cosmos_suffix, access->loopback_host, err) < 0 ||
        cosmos_account_read_only_key(arm, id, &key, err) < 0)
        return -1;
    options.key = key;
    return gateway_new(ret, &options, err);
}

/* Makes it and asks for one list, because only that tells whether the role is there. */
static int open_with_token(
    const struct scan_access *access, const struct gateway_options *given, struct gateway **ret, struct err *err)
{
    _cleanup_(gateway_freep) struct gateway *gateway = NULL;
    _cleanup_(gateway_page_done) struct gateway_page page = {0};
    struct gateway_options options = *given;

    if (gateway_endpoint_check(options.endpoint, options.cosmos_suffix, access->loopback_host, err) < 0)
        return -1;
    _cleanup_(freep) char *scope = gateway_scope(access->cloud, options.endpoint);
    const struct http_token_source token = azure_credential_source(access->credential, scope);
    options.token = &token;
    if (gateway_new(&gateway, &options, err) < 0)
        return -1;
    if (gateway_ask(gateway, &(struct gateway_question){.what = GATEWAY_DATABASES}, &page, err) < 0 &&
        (err->kind == ERR_FORBIDDEN || err->kind == ERR_UNAUTHORIZED))
        return -1;
    *err = ERR_INIT; /* anything else the scan waits out, or says itself */
    *ret = TAKE_PTR(gateway);
    return 0;
}

static int open_account(const struct scan_access *access, struct arm_client *arm, const struct arm_id *id,
    const struct cosmos_account *account, struct http_cancel *cancel, struct gateway **ret, struct err *err)
{
    const struct gateway_options options = options_for(access, account, cancel);
    bool keys = access->allow_account_keys && !account->local_auth_disabled;

    if (has_capability(account, "EnableCassandra"))
        return err_set(err, ERR_INVALID, "documents of the API for Cassandra cannot be scanned");
    if (takes_tokens(account)) {
        int r = open_with_token(access, &options, ret, err);
        if (r == 0 || !keys || (err->kind != ERR_FORBIDDEN && err->kind != ERR_UNAUTHORIZED))
            return r;
        *err = ERR_INIT;
    }
    if (account->local_auth_disabled)
        return err_set(err, ERR_FORBIDDEN,
            "an account of this API can be read with its key only, and the account takes no keys (disableLocalAuth)");
    if (!keys)
        return err_set(err, ERR_FORBIDDEN,
            "an account of this API can be read with its key only, and this process was not allowed to use account "
            "keys");
    return open_with_key(access, arm, id, &options, ret, err);
}

int scan_access_open(
    void *ctx, const char *account_id, struct http_cancel *cancel, struct gateway **ret, struct err *err)
{
    const struct scan_access *access = ctx;
    const struct arm_options options = {
        .http = access->arm_http, .cloud = access->cloud, .tls = access->tls, .proxy = access->proxy, .cancel = cancel};
    _cleanup_(arm_client_freep) struct arm_client *arm = NULL;
    _cleanup_(arm_id_done) struct arm_id id = {0};
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};

    if (arm_client_new(&arm, &options, err) < 0 || arm_id_parse(&id, account_id, err) < 0)
        return -1;
    if (cosmos_account_get(arm, &id, &account, err) < 0)
        return err_wrap(err, "cannot look for the account's data");
    return open_account(access, arm, &id, &account, cancel, ret, err);
}
