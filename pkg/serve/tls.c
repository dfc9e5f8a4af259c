/* When certificates change.
 *
 * The invariant: there is always a usable pair. Files are compared by their content, as a digest of both, so that any
 * way to replace them is seen (a Secret's volume swaps a symbolic link; times may go backwards). A content that does
 * not do is told when it is still there at the next look: between the two files there is a moment in which they do not
 * fit. */
#include "serve/tls.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#include <string.h>

#define PEM_MAX ((size_t)1 << 20)
#define CHECK_MS 2000
#define DAY_MS (24LL * 3600 * 1000)

struct serve_tls {
    char *cert_file, *key_file;
    struct serve_tls_options options; /* without the files */
    struct serve_pair pair;
    int64_t checked_ms; /* monotonic */
    int64_t made_ms;    /* wall; of a pair made here */
    char used[DIGEST_HEX_SIZE];
    char refused[DIGEST_HEX_SIZE]; /* seen once */
    bool told;                     /* and twice */
};

static void wipe(struct buf *b)
{
    if (b->data)
        secret_wipe(b->data, b->cap);
    buf_done(b);
}

/* Both files, as a pair, and the digest of what was read, or of why it was not. */
static int load(
    const struct serve_tls *tls, struct serve_pair *ret, char digest[static DIGEST_HEX_SIZE], struct err *err)
{
    _cleanup_(buf_done) struct buf cert = BUF_INIT(PEM_MAX), both = BUF_INIT(256);
    _cleanup_(wipe) struct buf key = BUF_INIT(PEM_MAX);
    char of_cert[DIGEST_HEX_SIZE], of_key[DIGEST_HEX_SIZE];

    if (file_read(tls->cert_file, &cert, err) < 0 || file_read(tls->key_file, &key, err) < 0) {
        digest_sha256_hex(err->msg, strlen(err->msg), digest);
        return -1;
    }
    digest_sha256_hex(buf_str(&cert), cert.len, of_cert);
    digest_sha256_hex(buf_str(&key), key.len, of_key);
    buf_printf(&both, "%s%s", of_cert, of_key);
    digest_sha256_hex(buf_str(&both), both.len, digest);
    if (str_eq(digest, tls->used) || serve_pair_parse(ret, buf_str(&cert), cert.len, buf_str(&key), key.len, err) == 0)
        return 0;
    return err_wrap(err, "certificate %s with key %s", tls->cert_file, tls->key_file);
}

static void take(struct serve_tls *tls, struct serve_pair *pair)
{
    serve_pair_done(&tls->pair);
    tls->pair = *pair;
    *pair = (struct serve_pair){0};
}

static void tell(const struct serve_tls *tls, const struct err *err)
{
    if (tls->options.changed)
        tls->options.changed(tls->options.ctx, err);
}

static void refuse(struct serve_tls *tls, const char *digest, const struct err *err)
{
    if (!str_eq(digest, tls->refused)) {
        (void)str_copy(tls->refused, sizeof(tls->refused), digest);
        tls->told = false;
    } else if (!tls->told) {
        tls->told = true;
        tell(tls, err);
    }
}

static void look_at_files(struct serve_tls *tls)
{
    struct serve_pair pair = {0};
    struct err err = ERR_INIT;
    char digest[DIGEST_HEX_SIZE];
    int64_t now = clock_mono_ms();

    if (now - tls->checked_ms < tls->options.check_ms)
        return;
    tls->checked_ms = now;
    if (load(tls, &pair, digest, &err) < 0) {
        refuse(tls, digest, &err);
        return;
    }
    tls->refused[0] = '\0';
    if (!pair.cert) /* the one that is in use */
        return;
    take(tls, &pair);
    (void)str_copy(tls->used, sizeof(tls->used), digest);
    tell(tls, NULL);
}

/* -1 leaves what there is. */
static int make(struct serve_tls *tls, int64_t now, struct err *err)
{
    struct serve_pair pair = {0};

    if (serve_pair_make(&pair, now, err) < 0)
        return -1;
    take(tls, &pair);
    tls->made_ms = now;
    return 0;
}

/* Also when the clock was set back to before it was made. */
static void renew(struct serve_tls *tls)
{
    int64_t now = tls->options.wall_ms(), age = now - tls->made_ms;
    struct err err = ERR_INIT;

    if (age >= 0 && age < (SELF_SIGNED_DAYS - SELF_SIGNED_RENEW_DAYS) * DAY_MS)
        return;
    tell(tls, make(tls, now, &err) < 0 ? &err : NULL);
}

const struct serve_pair *serve_tls_current(struct serve_tls *tls)
{
    if (tls->cert_file)
        look_at_files(tls);
    else
        renew(tls);
    return &tls->pair;
}

int serve_tls_new(struct serve_tls **ret, const struct serve_tls_options *options, struct err *err)
{
    struct serve_tls *tls = xcalloc(1, sizeof(*tls));
    struct err own = ERR_INIT, *e = err ? err : &own;
    char digest[DIGEST_HEX_SIZE] = "";
    int r;

    tls->options = *options;
    tls->options.check_ms = options->check_ms ? options->check_ms : CHECK_MS;
    tls->options.wall_ms = options->wall_ms ? options->wall_ms : clock_wall_ms;
    tls->cert_file = xstrdup(options->cert_file);
    tls->key_file = xstrdup(options->key_file);
    tls->checked_ms = clock_mono_ms();
    r = tls->cert_file ? load(tls, &tls->pair, digest, e) : make(tls, tls->options.wall_ms(), e);
    (void)str_copy(tls->used, sizeof(tls->used), digest);
    if (r < 0) {
        serve_tls_free(tls);
        return -1;
    }
    *ret = tls;
    return 0;
}

struct serve_tls *serve_tls_free(struct serve_tls *tls)
{
    if (!tls)
        return NULL;
    serve_pair_done(&tls->pair);
    free(tls->cert_file);
    free(tls->key_file);
    free(tls);
    return NULL;
}

/* OpenSSL asks at the beginning of each handshake, whether the peer names a host or not. */
static int on_handshake(SSL *ssl, void *arg)
{
    const struct serve_pair *pair = serve_tls_current(arg);

    return SSL_use_cert_and_key(ssl, pair->cert, pair->key, pair->chain, 1);
}

int serve_tls_install(struct serve_tls *tls, SSL_CTX *ctx)
{
    SSL_CTX_set_cert_cb(ctx, on_handshake, tls);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 ? 0 : -1;
}
