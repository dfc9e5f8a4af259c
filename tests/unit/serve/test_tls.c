/* Certificates of the server: read, made, and changed while it runs. */
#include "rig.h"

#include "base/clock.h"
#include "serve/tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define DAY_MS (24LL * 3600 * 1000)

static char folder[] = "/tmp/serve-certs-XXXXXX";
static char cert_path[64], key_path[64];

/* -- PEM text */

struct pem {
    char *cert, *key;
};

static void pem_done(struct pem *p)
{
    free(p->cert);
    free(p->key);
}

static char *take_bio(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = xstrndup(data, (size_t)len);

    BIO_free(bio);
    return text;
}

static char *pem_of_cert(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    return take_bio(bio);
}

static char *pem_of_key(EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, password ? EVP_aes_128_cbc() : NULL, password,
                         password ? (int)strlen(password) : 0, NULL, NULL),
        1);
    return take_bio(bio);
}

static struct pem make_pem(void)
{
    struct serve_pair pair = {0};
    struct pem pem;

    assert_int_equal(serve_pair_make(&pair, clock_wall_ms(), NULL), 0);
    pem = (struct pem){pem_of_cert(pair.cert), pem_of_key(pair.key, NULL)};
    serve_pair_done(&pair);
    return pem;
}

static int parse(const char *cert, const char *key, struct serve_pair *ret, struct err *err)
{
    return serve_pair_parse(ret, cert, strlen(cert), key, strlen(key), err);
}

static void a_pair_that_does_not_do_is_a_sentence(void **state)
{
    _cleanup_(pem_done) struct pem a = make_pem(), b = make_pem();
    struct serve_pair pair = {0};
    struct err err;
    struct serve_pair made = {0};

    (void)state;
    assert_int_equal(serve_pair_make(&made, clock_wall_ms(), NULL), 0);
    _cleanup_(freep) char *encrypted = pem_of_key(made.key, "secret");
    serve_pair_done(&made);
    _cleanup_(freep) char *cut = xstrndup(a.cert, strlen(a.cert) / 2);
    const struct {
        const char *name, *cert, *key, *expected;
    } rows[] = {
        {"nothing", "", "", "the certificate file holds no PEM certificate"},
        {"half a certificate", cut, a.key, "the certificate file holds no PEM certificate"},
        {"a key for a certificate", a.key, a.key, "the certificate file holds no PEM certificate"},
        {"no key", a.cert, "", "the key file holds no PEM private key"},
        {"a certificate for a key", a.cert, a.cert, "the key file holds no PEM private key"},
        {"another's key", a.cert, b.key, "the key is not that of the certificate"},
        {"a key with a password", a.cert, encrypted, "the key is encrypted; a key without a password is needed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        err = ERR_INIT;
        if (parse(rows[i].cert, rows[i].key, &pair, &err) == 0 || !str_eq(err.msg, rows[i].expected))
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(pair.cert);
    }
}

static void a_chain_is_kept_in_its_order_and_has_a_limit(void **state)
{
    _cleanup_(pem_done) struct pem a = make_pem(), b = make_pem();
    _cleanup_(freep) char *chain = xasprintf("%s%s%s", a.cert, b.cert, a.cert);
    _cleanup_(buf_done) struct buf many = BUF_INIT(1 << 20);
    struct serve_pair pair = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parse(chain, a.key, &pair, &err), 0);
    assert_int_equal(sk_X509_num(pair.chain), 2);
    _cleanup_(freep) char *second = pem_of_cert(sk_X509_value(pair.chain, 0));
    assert_string_equal(second, b.cert);
    serve_pair_done(&pair);
    for (int i = 0; i < 30; i++)
        buf_puts(&many, a.cert);
    assert_int_equal(parse(buf_str(&many), a.key, &pair, &err), -1);
    assert_string_equal(err.msg, "the certificate file holds more than 17 certificates");
}

/* -- made here */

static void what_is_made_is_for_localhost_and_the_host_for_a_year(void **state)
{
    struct serve_pair pair = {0};
    int64_t now = 1764000000000;
    char host[256] = "";

    (void)state;
    assert_int_equal(serve_pair_make(&pair, now, NULL), 0);
    assert_int_equal(X509_check_host(pair.cert, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(pair.cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_host(pair.cert, "example.com", 0, 0, NULL), 0);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_int_equal(X509_check_host(pair.cert, host, 0, 0, NULL), 1);
    assert_int_equal(EVP_PKEY_get_base_id(pair.key), EVP_PKEY_EC);
    assert_int_equal(EVP_PKEY_get_bits(pair.key), 256);
    time_t at = (time_t)(now / 1000);
    assert_true(X509_cmp_time(X509_get0_notBefore(pair.cert), &at) < 0);
    at += 364L * 24 * 3600;
    assert_true(X509_cmp_time(X509_get0_notAfter(pair.cert), &at) > 0);
    at += 2L * 24 * 3600;
    assert_true(X509_cmp_time(X509_get0_notAfter(pair.cert), &at) < 0);
    serve_pair_done(&pair);
}

static int64_t wall;
static int changes;
static char trouble[512];

static int64_t fake_wall(void)
{
    return wall;
}

static void on_changed(void *ctx, const struct err *err)
{
    (void)ctx;
    if (!err)
        changes++;
    else
        (void)str_copy(trouble, sizeof(trouble), err->msg);
}

static void what_is_made_is_made_anew_long_before_its_end(void **state)
{
    const struct serve_tls_options options = {.changed = on_changed, .wall_ms = fake_wall};
    struct serve_tls *tls;

    (void)state;
    changes = 0;
    wall = 1764000000000;
    assert_int_equal(serve_tls_new(&tls, &options, NULL), 0);
    X509 *first = X509_dup(serve_tls_current(tls)->cert);
    wall += (SELF_SIGNED_DAYS - SELF_SIGNED_RENEW_DAYS) * DAY_MS - 1;
    assert_int_equal(X509_cmp(serve_tls_current(tls)->cert, first), 0);
    wall += 1;
    assert_int_not_equal(X509_cmp(serve_tls_current(tls)->cert, first), 0);
    assert_int_equal(changes, 1);
    wall -= 1000 * DAY_MS; /* the clock was wrong, and is put right */
    time_t at = (time_t)(wall / 1000);
    assert_true(X509_cmp_time(X509_get0_notBefore(serve_tls_current(tls)->cert), &at) < 0);
    assert_int_equal(changes, 2);
    X509_free(first);
    serve_tls_free(tls);
}

/* -- from files */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void write_pem(const struct pem *pem)
{
    write_text(cert_path, pem->cert);
    write_text(key_path, pem->key);
}

static const struct serve_pair *look(struct serve_tls *tls)
{
    clock_sleep_ms(3); /* more than check_ms */
    return serve_tls_current(tls);
}

static void assert_shows(struct serve_tls *tls, const struct pem *pem)
{
    _cleanup_(freep) char *now = pem_of_cert(look(tls)->cert);

    assert_string_equal(now, pem->cert);
}

static void new_files_are_taken_and_broken_ones_told_once(void **state)
{
    _cleanup_(pem_done) struct pem a = make_pem(), b = make_pem(), c = make_pem();
    const struct serve_tls_options options = {
        .cert_file = cert_path, .key_file = key_path, .check_ms = 1, .changed = on_changed};
    struct serve_tls *tls;

    (void)state;
    changes = 0;
    write_pem(&a);
    assert_int_equal(serve_tls_new(&tls, &options, NULL), 0);
    assert_shows(tls, &a);
    assert_int_equal(changes, 0);
    write_pem(&b);
    assert_shows(tls, &b);
    assert_int_equal(changes, 1);

    trouble[0] = '\0';
    write_text(key_path, a.key); /* between two files: no word of it */
    assert_shows(tls, &b);
    assert_string_equal(trouble, "");
    assert_shows(tls, &b); /* but it stays so */
    assert_non_null(strstr(trouble, "the key is not that of the certificate"));
    assert_non_null(strstr(trouble, cert_path));
    trouble[0] = '\0';
    assert_shows(tls, &b);
    assert_string_equal(trouble, "");

    assert_int_equal(unlink(key_path), 0);
    assert_shows(tls, &b);
    assert_shows(tls, &b);
    assert_non_null(strstr(trouble, key_path));

    write_pem(&c);
    assert_shows(tls, &c);
    assert_int_equal(changes, 2);
    serve_tls_free(tls);
}

static void files_are_not_read_at_every_handshake(void **state)
{
    _cleanup_(pem_done) struct pem a = make_pem(), b = make_pem();
    const struct serve_tls_options options = {.cert_file = cert_path, .key_file = key_path, .check_ms = 3600000};
    struct serve_tls *tls;

    (void)state;
    write_pem(&a);
    assert_int_equal(serve_tls_new(&tls, &options, NULL), 0);
    write_pem(&b);
    assert_shows(tls, &a);
    serve_tls_free(tls);
}

/* -- the server. libwebsockets leaks a little with two TLS servers at a time, so there is one for all. */

static void put_off(void *ctx, struct serve_exchange *x, const struct serve_request *r)
{
    struct serve_ticket ticket;

    if (str_eq(r->path, "/later"))
        (void)serve_defer(x, &ticket); /* and never answered */
    else
        rig_handle(ctx, x, r);
}

/* The leaf that a client is shown, which trusts this PEM file; NULL when it does not. */
static char *shown(struct rig *rig, const char *trusted)
{
    struct answer a;
    struct curl_certinfo *info = NULL;
    char *pem = NULL;

    rig->tls_cert = trusted;
    CURL *curl = rig_curl(rig, "/a", &a);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) == CURLE_OK && info->num_of_certs > 0)
        for (struct curl_slist *line = info->certinfo[0]; line; line = line->next)
            if (str_has_prefix(line->data, "Cert:"))
                pem = xstrdup(line->data + strlen("Cert:"));
    curl_easy_cleanup(curl);
    answer_done(&a);
    return pem;
}

static void clients_see_the_new_certificate(void **state)
{
    _cleanup_(pem_done) struct pem a = make_pem(), b = make_pem();
    const struct serve_options options = {
        .tls_cert_file = cert_path, .tls_key_file = key_path, .tls_check_ms = 1, .handler = rig_handle};
    struct rig r;

    (void)state;
    write_pem(&a);
    rig_start(&r, options);
    _cleanup_(freep) char *first = shown(&r, cert_path);
    assert_string_equal(first, a.cert);
    write_pem(&b);
    clock_sleep_ms(5);
    _cleanup_(freep) char *second = shown(&r, cert_path);
    assert_string_equal(second, b.cert);
    write_text(cert_path, "broken");
    clock_sleep_ms(5);
    write_text(key_path, b.cert); /* what the client trusts, elsewhere */
    _cleanup_(freep) char *third = shown(&r, key_path);
    assert_string_equal(third, b.cert);
    rig_stop(&r);
}

static double cpu_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static BIO *connect_tls(struct rig *r, SSL_CTX *ctx)
{
    _cleanup_(freep) char *to = xasprintf("127.0.0.1:%d", serve_port(r->server));
    BIO *bio = BIO_new_ssl_connect(ctx);

    assert_non_null(bio);
    BIO_set_conn_hostname(bio, to);
    assert_int_equal(BIO_do_connect(bio), 1);
    return bio;
}

static void a_certificate_made_here_serves_tls_1_2_and_up(void **state)
{
    static const char ahead[] = "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct rig r;
    SSL *ssl;

    (void)state;
    rig_start(&r, (struct serve_options){.tls_self_signed = true, .handler = put_off});
    BIO *bio = connect_tls(&r, ctx);
    BIO_get_ssl(bio, &ssl);
    X509 *cert = SSL_get1_peer_certificate(ssl);
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_true(SSL_version(ssl) >= TLS1_2_VERSION);
    /* What was sent ahead of an answer that is put off costs nothing, also behind OpenSSL's own buffer. */
    assert_int_equal(BIO_write(bio, ahead, sizeof(ahead) - 1), sizeof(ahead) - 1);
    clock_sleep_ms(200);
    double before = cpu_s();
    clock_sleep_ms(1000);
    assert_true(cpu_s() - before < 0.5);
    X509_free(cert);
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    rig_stop(&r);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert_path, sizeof(cert_path), "%s/tls.crt", folder);
    (void)snprintf(key_path, sizeof(key_path), "%s/tls.key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(cert_path);
    (void)unlink(key_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_does_not_do_is_a_sentence),
        cmocka_unit_test(a_chain_is_kept_in_its_order_and_has_a_limit),
        cmocka_unit_test(what_is_made_is_for_localhost_and_the_host_for_a_year),
        cmocka_unit_test(what_is_made_is_made_anew_long_before_its_end),
        cmocka_unit_test(new_files_are_taken_and_broken_ones_told_once),
        cmocka_unit_test(files_are_not_read_at_every_handshake),
        cmocka_unit_test(clients_see_the_new_certificate),
        cmocka_unit_test(a_certificate_made_here_serves_tls_1_2_and_up),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
