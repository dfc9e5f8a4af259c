/* Which credential this process has, and its tokens by scope.
 *
 * A failure to get a token happens before the request it is for is sent, and must not look like that request's own
 * outcome: errors that leave here never say maybe_sent, and a token file that is missing is no "404". */
#include "azure/credential.h"

#include "azure/entra.h"
#include "azure/token_cache.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

#define ASSERTION_MAX ((size_t)64 * 1024)

/* The tokens for one scope; lives as long as the credential. */
struct scope_tokens {
    struct azure_credential *credential;
    char *scope;
    struct token_cache *cache;
    struct scope_tokens *next;
};

struct azure_credential {
    enum azure_credential_kind kind;
    struct http_client *http;
    const struct azure_cloud *cloud;
    char *tenant_id;
    char *client_id;
    struct secret *client_secret;
    char *federated_token_file;
    struct http_tls *tls;
    char *proxy;
    pthread_mutex_t lock; /* of the list */
    struct scope_tokens *scopes;
};

/* --- what is sent to prove who we are, by kind --- */

static int client_secret(const struct azure_credential *credential, struct secret **ret, struct err *err)
{
    (void)err;
    *ret = secret_ref(credential->client_secret);
    return 0;
}

static int read_assertion(const char *path, struct buf *file, struct secret **ret, struct err *err)
{
    if (file_read(path, file, err) < 0)
        return -1;
    const char *text = buf_str(file);
    while (file->len && strchr(" \t\r\n", text[file->len - 1]))
        file->len--;
    if (file->len == 0)
        return err_set(err, ERR_INVALID, "%s is empty", path);
    for (size_t i = 0; i < file->len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return err_set(err, ERR_INVALID, "%s holds something that is not a token", path);
    *ret = secret_new(text, file->len);
    return 0;
}

/* The kubelet replaces the file long before its token expires, so it is read again for each exchange. */
static int federated_token(const struct azure_credential *credential, struct secret **ret, struct err *err)
{
    struct buf file = BUF_INIT(ASSERTION_MAX);

    file.cap = file.max + 1; /* at once: a buffer that grows leaves copies behind that nobody wipes */
    file.data = xcalloc(file.cap, 1);
    int r = read_assertion(credential->federated_token_file, &file, ret, err);
    secret_wipe(file.data, file.cap);
    buf_done(&file);
    if (r < 0 && err) {
        err->kind = ERR_UNAUTHORIZED;
        return err_wrap(err, "cannot use the federated token (AZURE_FEDERATED_TOKEN_FILE)");
    }
    return r;
}

static const struct {
    bool is_assertion;
    int (*prove)(const struct azure_credential *credential, struct secret **ret, struct err *err);
} kinds[] = {
    [AZURE_CLIENT_SECRET] = {.prove = client_secret},
    [AZURE_WORKLOAD_IDENTITY] = {.prove = federated_token, .is_assertion = true},
};

static int exchange(const struct scope_tokens *tokens, struct secret **ret, int64_t *ret_ms, struct http_cancel *cancel,
    struct err *err)
{
    const struct azure_credential *credential = tokens->credential;
    _cleanup_(secret_unrefp) struct secret *proof = NULL;

    if (kinds[credential->kind].prove(credential, &proof, err) < 0)
        return -1;
    const struct entra_request request = {
        .http = credential->http,
        .tls = credential->tls,
        .proxy = credential->proxy,
        .cancel = cancel,
        .authority_host = credential->cloud->authority_host,
        .tenant_id = credential->tenant_id,
        .client_id = credential->client_id,
        .scope = tokens->scope,
        .credential = proof,
        .is_assertion = kinds[credential->kind].is_assertion,
    };
    return entra_token(&request, ret, ret_ms, err);
}

static int fetch(void *ctx, struct secret **ret, int64_t *ret_ms, struct http_cancel *cancel, struct err *err)
{
    const struct scope_tokens *tokens = ctx;

    if (exchange(tokens, ret, ret_ms, cancel, err) == 0)
        return 0;
    err->maybe_sent = false;
    return err_wrap(err, "cannot get a token for %s from %s", tokens->scope, tokens->credential->cloud->authority_host);
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

/* It becomes a part of a URL's path: a GUID or a domain name. */
static bool is_tenant(const char *s)
{
    for (const char *p = s; *p; p++)
        if (!ascii_isalnum(*p) && *p != '.' && *p != '-')
            return false;
    return strlen(s) <= 253 && s[0] != '.';
}

static int choose_kind(const struct azure_credential_options *options, enum azure_credential_kind *ret, struct err *err)
{
    bool has_secret = !str_empty(options->client_secret), has_file = !str_empty(options->federated_token_file);
    bool has_tenant = !str_empty(options->tenant_id), has_client = !str_empty(options->client_id);

    if (!has_tenant || !has_client || (!has_secret && !has_file))
        return err_set(err, ERR_INVALID,
            "no Azure credential: tried a client secret and workload identity; not set:%s%s%s",
            has_tenant ? "" : " AZURE_TENANT_ID", has_client ? "" : " AZURE_CLIENT_ID",
            has_secret || has_file ? "" : " AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE)");
    if (!is_tenant(options->tenant_id))
        return err_set(err, ERR_INVALID, "AZURE_TENANT_ID must be a GUID or a domain name");
    *ret = has_secret ? AZURE_CLIENT_SECRET : AZURE_WORKLOAD_IDENTITY;
    return 0;
}

int azure_credential_new(struct azure_credential **ret, struct http_client *http, const struct azure_cloud *cloud,
    const struct azure_credential_options *options, struct err *err)
{
    enum azure_credential_kind kind = AZURE_CLIENT_SECRET;

    if (choose_kind(options, &kind, err) < 0)
        return -1;
    struct azure_credential *credential = xcalloc(1, sizeof(*credential));
    credential->kind = kind;
    credential->http = http;
    credential->cloud = cloud;
    credential->tenant_id = xstrdup(options->tenant_id);
    credential->client_id = xstrdup(options->client_id);
    if (kind == AZURE_CLIENT_SECRET)
        credential->client_secret = secret_new(options->client_secret, strlen(options->client_secret));
    credential->federated_token_file = xstrdup(options->federated_token_file);
    credential->tls = options->tls ? http_tls_ref(options->tls) : NULL;
    credential->proxy = xstrdup(options->proxy);
    (void)pthread_mutex_init(&credential->lock, NULL);
    *ret = credential;
    return 0;
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
