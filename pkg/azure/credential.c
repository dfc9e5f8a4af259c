/* The tokens of a credential by scope, and its life.
 *
 * A failure to get a token happens before the request it is for is sent, and must not look like that request's own
 * outcome: errors that leave here never say maybe_sent, and a token file that is missing is no "404". */
#include "azure/credential_private.h"

#include "azure/imds.h"
#include "azure/token_cache.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* The tokens for one scope; lives as long as the credential. */
struct scope_tokens {
    struct azure_credential *credential;
    char *scope;
    struct token_cache *cache;
    struct scope_tokens *next;
};

static const char *place_of(const struct azure_credential *credential)
{
    if (credential->kind == AZURE_AZ_CLI)
        return "the az CLI";
    return credential->kind == AZURE_MANAGED_IDENTITY ? credential->imds_endpoint : credential->cloud->authority_host;
}

static int fetch(void *ctx, struct secret **ret, int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    const struct scope_tokens *tokens = ctx;
    struct azure_credential *credential = tokens->credential;

    if (credential_kinds[credential->kind].token(credential, tokens->scope, ret, ret_ms, cancel, err) == 0)
        return 0;
    err->maybe_sent = false;
    return err_wrap(err, "cannot get a token for %s from %s", tokens->scope, place_of(credential));
}

/* --- the source of the auth layer --- */

static int source_token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    const struct scope_tokens *tokens = ctx;

    return token_cache_get(tokens->cache, ret, cancel, err);
}

static void source_rejected(void *ctx, const struct secret *token)
{
    const struct scope_tokens *tokens = ctx;

    token_cache_drop(tokens->cache, token);
}

static struct scope_tokens *scope_tokens_new(struct azure_credential *credential, const char *scope)
{
    struct scope_tokens *tokens = xcalloc(1, sizeof(*tokens));

    tokens->credential = credential;
    tokens->scope = xstrdup(scope);
    tokens->cache =
        token_cache_new(&(struct token_cache_options){.fetch = fetch, .ctx = tokens, .now_ms = clock_mono_ms});
    tokens->next = credential->scopes;
    credential->scopes = tokens;
    return tokens;
}

struct http_token_source azure_credential_source(struct azure_credential *credential, const char *scope)
{
    (void)pthread_mutex_lock(&credential->lock);
    struct scope_tokens *tokens = credential->scopes;
    while (tokens && !str_eq(tokens->scope, scope))
        tokens = tokens->next;
    if (!tokens)
        tokens = scope_tokens_new(credential, scope);
    (void)pthread_mutex_unlock(&credential->lock);
    return (struct http_token_source){.token = source_token, .rejected = source_rejected, .ctx = tokens};
}

/* --- making and freeing --- */

static char *copy_of(const char *s)
{
    return str_empty(s) ? NULL : xstrdup(s);
}

static struct secret *secret_of(const char *s)
{
    return str_empty(s) ? NULL : secret_new(s, strlen(s));
}

static void copy_options(struct azure_credential *to, const struct azure_credential_options *from)
{
    bool named = !str_empty(from->managed_identity_client_id) || !str_empty(from->managed_identity_resource_id);

    to->tenant_id = copy_of(from->tenant_id);
    to->client_id = copy_of(from->client_id);
    to->client_secret = secret_of(from->client_secret);
    to->federated_token_file = copy_of(from->federated_token_file);
    to->certificate_path = copy_of(from->certificate_path);
    to->certificate_password = secret_of(from->certificate_password);
    to->identity_client_id = copy_of(named ? from->managed_identity_client_id : from->client_id);
    to->identity_resource_id = copy_of(from->managed_identity_resource_id);
    to->imds_endpoint = xstrdup(str_empty(from->imds_endpoint) ? IMDS_ENDPOINT : from->imds_endpoint);
    to->az_program = xstrdup(str_empty(from->az_program) ? "az" : from->az_program);
    to->tls = from->tls ? http_tls_ref(from->tls) : NULL;
    to->proxy = copy_of(from->proxy);
}

static int check_options(struct azure_credential *credential, struct err *err)
{
    size_t n = strlen(credential->imds_endpoint);

    if (credential->identity_client_id && credential->identity_resource_id)
        return err_set(
            err, ERR_INVALID, "a managed identity is named by its client id or by its resource id, not by both");
    if (imds_endpoint_check(credential->imds_endpoint, err) < 0)
        return -1;
    if (credential->imds_endpoint[n - 1] == '/')
        credential->imds_endpoint[n - 1] = '\0';
    return 0;
}

int azure_credential_new(struct azure_credential **ret, struct http_client *http, const struct azure_cloud *cloud,
    const struct azure_credential_options *options, struct err *err)
{
    _cleanup_(azure_credential_freep) struct azure_credential *credential = xcalloc(1, sizeof(*credential));
    bool automatic = str_empty(options->kind) || str_eq(options->kind, "auto");
    struct err e = ERR_INIT;

    credential->http = http;
    credential->cloud = cloud;
    (void)pthread_mutex_init(&credential->lock, NULL);
    copy_options(credential, options);
    if (check_options(credential, &e) == 0 &&
        credential_choose(credential, automatic ? NULL : options->kind, options->cancel, &e) == 0) {
        *ret = TAKE_PTR(credential);
        return 0;
    }
    e.maybe_sent = false;
    if (e.kind != ERR_CANCELLED)
        e.kind = ERR_INVALID;
    if (err)
        *err = e;
    return -1;
}

struct azure_credential *azure_credential_free(struct azure_credential *credential)
{
    if (!credential)
        return NULL;
    while (credential->scopes) {
        struct scope_tokens *tokens = credential->scopes;
        credential->scopes = tokens->next;
        (void)token_cache_free(tokens->cache);
        free(tokens->scope);
        free(tokens);
    }
    free(credential->tenant_id);
    free(credential->client_id);
    secret_unref(credential->client_secret);
    free(credential->federated_token_file);
    free(credential->certificate_path);
    secret_unref(credential->certificate_password);
    free(credential->identity_client_id);
    free(credential->identity_resource_id);
    free(credential->imds_endpoint);
    free(credential->az_program);
    free(credential->passed_over);
    if (credential->tls)
        (void)http_tls_unref(credential->tls);
    free(credential->proxy);
    (void)pthread_mutex_destroy(&credential->lock);
    free(credential);
    return NULL;
}

enum azure_credential_kind azure_credential_kind(const struct azure_credential *credential)
{
    return credential->kind;
}

const char *azure_credential_passed_over(const struct azure_credential *credential)
{
    return credential->passed_over ? credential->passed_over : "";
}

const char *azure_credential_kind_name(enum azure_credential_kind kind)
{
    return credential_kinds[kind].name;
}
