/* The current credential and when to look for a new one.
 *
 * A token file that cannot be read for a moment (a volume being swapped) does not take away the token that we have. A
 * 401 marks the credential stale only if it is still the current one: a crowd of workers that are refused together
 * leads to one new look, not to many. */
#include "kube/credentials.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/exec.h"
#include "kube/wipe.h"

#include <pthread.h>
#include <string.h>

#define FILE_MAX_AGE_MS 60000
#define MAX_TOKEN (64 << 10)
#define MAX_CA (1 << 20)

struct kube_credentials {
    pthread_mutex_t lock;
    /* never changes */
    char *source, *ca_file, *server_name, *token_file;
    struct kube_plugin *plugin;
    /* under the lock */
    char *ca_pem;
    struct http_tls *tls;
    struct secret *token;
    int64_t file_read_ms;    /* monotonic */
    int64_t expires_wall_ms; /* of what the plugin gave */
    bool loaded;             /* the file or plugin has given something */
    bool stale;              /* look again, whatever the time */
};

static int make_tls(struct kube_credentials *c, const char *cert_pem, const struct secret *key, struct err *err)
{
    struct http_tls_options options = {
        .ca_pem = c->ca_pem,
        .client_cert_pem = cert_pem,
        .client_key_pem = key ? secret_reveal(key) : NULL,
        .server_name = c->server_name,
    };
    struct http_tls *tls;

    if (http_tls_new(&tls, &options, err) < 0)
        return err_wrap(err, "%s", c->source);
    if (c->tls)
        (void)http_tls_unref(c->tls);
    c->tls = tls;
    return 0;
}

int kube_credentials_new(struct kube_credentials **ret, const struct kube_config *config, struct err *err)
{
    _cleanup_(kube_credentials_freep) struct kube_credentials *c = xcalloc(1, sizeof(*c));

    (void)pthread_mutex_init(&c->lock, NULL);
    c->source = xstrdup(config->source ? config->source : "Kubernetes configuration");
    c->ca_pem = xstrdup(config->ca_pem);
    c->ca_file = config->client_cert_pem ? NULL : xstrdup(config->ca_file); /* that identity is the files' as well */
    c->server_name = xstrdup(config->server_name);
    c->token_file = xstrdup(config->token_file);
    c->token = config->token_file ? NULL : secret_ref(config->token);
    if (config->exec && !config->token_file && !config->token) /* client-go: a token goes before a plugin */
        c->plugin = kube_plugin_new(config);
    if (make_tls(c, config->client_cert_pem, config->client_key_pem, err) < 0)
        return -1;
    *ret = TAKE_PTR(c);
    return 0;
}

struct kube_credentials *kube_credentials_free(struct kube_credentials *c)
{
    if (!c)
        return NULL;
    free(c->source);
    free(c->ca_pem);
    free(c->ca_file);
    free(c->server_name);
    free(c->token_file);
    (void)kube_plugin_free(c->plugin);
    if (c->tls)
        (void)http_tls_unref(c->tls);
    (void)secret_unref(c->token);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

/* Keeps the object when the content is the same: the auth layer then knows that there is nothing new. */
static void set_token(struct kube_credentials *c, const char *token, size_t len)
{
    if (c->token && secret_len(c->token) == len && memcmp(secret_reveal(c->token), token, len) == 0)
        return;
    (void)secret_unref(c->token);
    c->token = secret_new(token, len);
}

static int read_file(struct kube_credentials *c, struct err *err)
{
    _cleanup_(kube_wipe_buf) struct buf text = BUF_INIT(MAX_TOKEN);

    if (file_read(c->token_file, &text, err) < 0) {
        if (err)
            err->kind = ERR_UNAUTHORIZED;
        return err_wrap(err, "token file");
    }
    const char *token = buf_str(&text), *space = " \t\r\n";
    token += strspn(token, space);
    size_t len = strcspn(token, space);
    if (len == 0 || token[len + strspn(token + len, space)] != '\0')
        return err_set(err, ERR_UNAUTHORIZED, "token file %s does not hold one token", c->token_file);
    set_token(c, token, len);
    return 0;
}

/* A CA that was renewed. What cannot be used leaves us with the trust that we have. */
static void read_ca(struct kube_credentials *c)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(MAX_CA);
    char *old = c->ca_pem;
    struct err err = ERR_INIT;

    if (!c->ca_file || file_read(c->ca_file, &pem, NULL) < 0 || str_eq(buf_str(&pem), old))
        return;
    c->ca_pem = buf_take(&pem);
    if (make_tls(c, NULL, NULL, &err) < 0) {
        free(c->ca_pem);
        c->ca_pem = old;
        return;
    }
    free(old);
}

static int refresh_file(struct kube_credentials *c, struct err *err)
{
    int64_t now_ms = clock_mono_ms();

    if (c->loaded && !c->stale && now_ms - c->file_read_ms < FILE_MAX_AGE_MS)
        return 0;
    if (read_file(c, err) < 0 && !c->token)
        return -1;
    read_ca(c);
    c->file_read_ms = now_ms;
    c->loaded = true;
    c->stale = false;
    return 0;
}

static int refresh_plugin(struct kube_credentials *c, struct http_cancel *cancel, struct err *err)
{
    _cleanup_(kube_credential_done) struct kube_credential fresh = {0};

    if (c->loaded && !c->stale && clock_wall_ms() < c->expires_wall_ms)
        return 0;
    if (kube_plugin_run(c->plugin, KUBE_PLUGIN_TIMEOUT_MS, cancel, &fresh, err) < 0)
        return -1;
    if (fresh.cert_pem && make_tls(c, fresh.cert_pem, fresh.key_pem, err) < 0)
        return -1;
    if (fresh.token)
        set_token(c, secret_reveal(fresh.token), secret_len(fresh.token));
    else
        c->token = secret_unref(c->token);
    c->expires_wall_ms = fresh.expires_wall_ms;
    c->loaded = true;
    c->stale = false;
    return 0;
}

static int refresh(struct kube_credentials *c, struct http_cancel *cancel, struct err *err)
{
    if (c->plugin)
        return refresh_plugin(c, cancel, err);
    return c->token_file ? refresh_file(c, err) : 0;
}

int kube_credentials_tls(
    struct kube_credentials *c, struct http_tls **ret, bool *ret_has_token, struct http_cancel *cancel, struct err *err)
{
    (void)pthread_mutex_lock(&c->lock);
    int r = refresh(c, cancel, err);
    if (r == 0) {
        *ret = http_tls_ref(c->tls);
        *ret_has_token = c->token != NULL;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return r;
}

static int token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    struct kube_credentials *c = ctx;

    (void)pthread_mutex_lock(&c->lock);
    int r = refresh(c, cancel, err);
    if (r == 0 && !c->token)
        r = err_set(err, ERR_UNAUTHORIZED, "the credential plugin no longer gives a token");
    if (r == 0)
        *ret = secret_ref(c->token);
    (void)pthread_mutex_unlock(&c->lock);
    return r;
}

static void rejected(void *ctx, const struct secret *refused)
{
    struct kube_credentials *c = ctx;

    (void)pthread_mutex_lock(&c->lock);
    if (c->token && secret_len(c->token) == secret_len(refused) &&
        memcmp(secret_reveal(c->token), secret_reveal(refused), secret_len(refused)) == 0)
        c->stale = true;
    (void)pthread_mutex_unlock(&c->lock);
}

struct http_token_source kube_credentials_tokens(struct kube_credentials *c)
{
    return (struct http_token_source){.token = token, .rejected = rejected, .ctx = c};
}

void kube_credentials_refused(struct kube_credentials *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->stale = true;
    (void)pthread_mutex_unlock(&c->lock);
}
