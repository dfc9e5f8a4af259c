/* Connections, starting and stopping, TLS, as serve/server.h promises them. */
#include "rig.h"

#include "base/clock.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_start(&rig, (struct serve_options){.max_body = 100000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* -- connections */

static void a_connection_serves_many_requests_also_those_sent_ahead(void **state)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);
    int fd = rig_connect(&rig);

    (void)state;
    for (int i = 0; i < 20; i++) {
        _cleanup_(buf_done) struct buf got = BUF_INIT(1 << 20);
        _cleanup_(freep) char *until = xasprintf("/n%d ?", i);

        buf_clear(&text);
        buf_printf(
            &text, "POST /n%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, i % 2 * 3, i % 2 ? "abc" : "");
        raw_send(fd, text.data, text.len);
        assert_true(raw_read(fd, &got, until));
        assert_true(raw_read(fd, &got, i % 2 ? "[abc]" : "[]"));
    }
    close(fd);
    buf_clear(&text);
    for (int i = 0; i < 50; i++)
        buf_printf(&text, "GET /n%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    buf_puts(&text, "GET /last HTTP/1.0\r\n\r\n");
    _cleanup_(buf_done) struct buf got = raw_exchange(&rig, text.data, text.len);
    const char *p = buf_str(&got);

    for (int i = 0; i < 50; i++) {
        _cleanup_(freep) char *want = xasprintf("GET /n%d ?", i);

        p = strstr(p, want);
        if (!p)
            fail_msg("request %d", i);
    }
    assert_non_null(strstr(p, "GET /last ?"));
}

/* libwebsockets reports the end of the body for ever then, and serves nobody else. */
static void what_follows_a_body_too_early_ends_the_connection_and_harms_nobody(void **state)
{
    static const char *const paths[] = {"/a", "/big"};
    static const char next[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        for (int length = 0; length < 4; length++) {
            _cleanup_(buf_done) struct buf text = BUF_INIT(65536), got = BUF_INIT(65536);

            buf_printf(&text, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nabc", paths[i], length);
            for (int n = 0; n < 20; n++)
                buf_puts(&text, next);
            got = raw_exchange(&rig, text.data, text.len);
            _cleanup_(answer_done) struct answer a = rig_request(&rig, "GET", "/a", NULL, 0);
            assert_int_equal(a.status, 200);
        }
    }
}

static void *ask_often(void *arg)
{
    size_t *good = arg;

    for (int i = 0; i < 10; i++) {
        _cleanup_(answer_done) struct answer a = rig_request(&rig, "POST", i ? "/a" : "/big", "abc", 3);

        *good += a.status == 200 && (i ? strstr(buf_str(&a.body), "[abc]") != NULL : a.body.len == BIG_SIZE);
    }
    return NULL;
}

static void many_connections_are_served_at_the_same_time(void **state)
{
    pthread_t threads[16];
    size_t good[ARRAY_LEN(threads)] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &good[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 10);
    }
}

static bool served_on(int fd)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = BUF_INIT(65536);

    raw_send(fd, text, sizeof(text) - 1);
    return raw_read(fd, &got, "[]");
}

static void connections_beyond_the_limit_are_closed_until_others_end(void **state)
{
    struct rig small;
    int fds[3], more;
    bool served = false;

    (void)state;
    rig_start(&small, (struct serve_options){.max_connections = 3});
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = rig_connect(&small);
        assert_true(served_on(fds[i]));
    }
    for (int i = 0; i < 50; i++) {
        more = rig_connect(&small);
        assert_false(served_on(more));
        close(more);
    }
    assert_true(served_on(fds[1]));
    close(fds[0]);
    for (int i = 0; !served && i < PATIENCE_S * 100; i++) {
        more = rig_connect(&small);
        served = served_on(more);
        close(more);
        clock_sleep_ms(served ? 0 : 10);
    }
    assert_true(served);
    close(fds[1]);
    close(fds[2]);
    rig_stop(&small);
}

static void silent_connections_are_closed(void **state)
{
    static const char *const said[] = {
        "",
        "GET /a HT",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    struct rig brief;
    int fds[ARRAY_LEN(said)];

    (void)state;
    rig_start(&brief, (struct serve_options){.idle_timeout_s = 1});
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        fds[i] = rig_connect(&brief);
        raw_send(fds[i], said[i], strlen(said[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        _cleanup_(buf_done) struct buf got = BUF_INIT(65536);

        (void)raw_read(fds[i], &got, NULL); /* fails when it stays open */
        close(fds[i]);
    }
    rig_stop(&brief);
}

static void a_peer_that_does_not_read_its_answer_is_closed_and_others_are_served(void **state)
{
    static const char text[] = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";
    struct rig brief;
    bool served = false;
    int fd, other;

    (void)state;
    rig_start(&brief, (struct serve_options){.idle_timeout_s = 1, .max_connections = 1});
    fd = rig_connect(&brief);
    raw_send(fd, text, sizeof(text) - 1);
    for (int i = 0; !served && i < PATIENCE_S * 10; i++) {
        clock_sleep_ms(100);
        other = rig_connect(&brief);
        served = served_on(other);
        close(other);
    }
    assert_true(served);
    close(fd);
    rig_stop(&brief);
}

/* -- start and stop */

/* The error of a start that fails. libwebsockets leaks its TLS context then. */
static struct err start_error(const struct serve_options *options)
{
    struct serve_server *server;
    struct err err = ERR_INIT;
    int failed;

    leaks_are_reported(false);
    failed = serve_start(&server, options, &err);
    leaks_are_reported(true);
    if (!failed)
        fail_msg("it started");
    return err;
}

static void stopping_closes_what_is_open(void **state)
{
    static const char big[] = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
                      half[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Le";

    (void)state;
    for (int round = 0; round < 20; round++) {
        _cleanup_(buf_done) struct buf got = BUF_INIT(16 << 20);
        struct rig r;
        int idle, sending, writing;

        rig_start(&r, (struct serve_options){0});
        idle = rig_connect(&r);
        sending = rig_connect(&r);
        writing = rig_connect(&r);
        if (round % 2)
            assert_true(served_on(idle));
        raw_send(sending, half, sizeof(half) - 1);
        raw_send(writing, big, sizeof(big) - 1);
        if (round % 4)
            assert_true(raw_read(writing, &got, "HTTP/1.1 200"));
        rig_stop(&r);
        (void)raw_read(idle, &got, NULL);
        (void)raw_read(sending, &got, NULL);
        (void)raw_read(writing, &got, NULL);
        close(idle);
        close(sending);
        close(writing);
    }
}

static void an_address_that_does_not_do_is_a_clear_error(void **state)
{
    const struct {
        const char *address;
        int port;
        const char *cert, *key, *want;
    } rows[] = {
        {"127.0.0.1", serve_port(rig.server), NULL, NULL, "Address already in use"},
        {"0.0.0.0", serve_port(rig.server), NULL, NULL, "Address already in use"},
        {"192.0.2.1", 0, NULL, NULL, "cannot listen on 192.0.2.1 port 0: Cannot assign requested address"},
        {"2001:db8::1", 0, NULL, NULL, "cannot listen on 2001:db8::1 port 0: "},
        {"localhost", 0, NULL, NULL, "cannot listen on localhost port 0: not a numeric address and port"},
        {"127.0.0.1", 65536, NULL, NULL, "not a numeric address and port"},
        {"127.0.0.1", -1, NULL, NULL, "not a numeric address and port"},
        {NULL, 0, "/nonexistent/cert", "/nonexistent/key", "/nonexistent/cert"},
        {NULL, 0, "/nonexistent/cert", NULL, "a certificate needs its key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct serve_options options = {.address = rows[i].address,
            .port = rows[i].port,
            .tls_cert_file = rows[i].cert,
            .tls_key_file = rows[i].key,
            .handler = rig_handle};
        struct err err = start_error(&options);

        if (!strstr(err.msg, rows[i].want))
            fail_msg("row %zu: %s", i, err.msg);
    }
}

static void any_address_and_port_can_be_listened_on(void **state)
{
    static const struct {
        const char *address, *host;
    } rows[] = {
        {NULL, "127.0.0.1"},
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "127.0.0.1"},
        {"::1", "[::1]"},
        {"::", "[::1]"},
        {"::", "127.0.0.1"},
    };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool have_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;

    (void)state;
    close(fd);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;
        struct rig r;
        CURL *curl;

        if (!have_ipv6 && rows[i].address && strchr(rows[i].address, ':')) {
            print_message("no IPv6 here: %s is not tested\n", rows[i].address);
            continue;
        }
        rig_start(&r, (struct serve_options){.address = rows[i].address});
        _cleanup_(freep) char *url = xasprintf("http://%s:%d/a", rows[i].host, serve_port(r.server));
        curl = rig_curl(&r, "/", &a);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        rig_finish(curl, &a);
        if (a.status != 200)
            fail_msg("%s: %s", url, curl_easy_strerror(a.code));
        answer_done(&a);
        rig_stop(&r);
    }
}

static void on_signal(int number)
{
    (void)number;
}

static void signals_are_left_alone(void **state)
{
    struct sigaction mine = {.sa_handler = on_signal}, before[32], now;
    sigset_t mask_before, mask_now;
    struct rig r;

    (void)state;
    sigaction(SIGPIPE, &mine, NULL);
    for (int i = 1; i < 32; i++)
        (void)sigaction(i, NULL, &before[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    rig_start(&r, (struct serve_options){0});
    rig_stop(&r);
    for (int i = 1; i < 32; i++) {
        if (sigaction(i, NULL, &now) == 0 && now.sa_handler != before[i].sa_handler)
            fail_msg("signal %d", i);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_now);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&mask_now, i), sigismember(&mask_before, i));
    (void)signal(SIGPIPE, SIG_DFL);
}

/* -- TLS */

static char folder[] = "/tmp/serve-tls-XXXXXX";
static char cert[64], key[64];

/* A key and a certificate signed with itself, for 127.0.0.1. */
static void write_pair(void)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *f = fopen(cert, "w"), *g = fopen(key, "w");

    assert_true(pair && san && f && g);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_add_ext(x, san, -1);
    assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
    PEM_write_X509(f, x);
    PEM_write_PrivateKey(g, pair, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    fclose(g);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static int make_certificate(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert", folder);
    (void)snprintf(key, sizeof(key), "%s/key", folder);
    write_pair();
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    return rmdir(folder);
}

/* One server with TLS at a time: libwebsockets leaks a little when there are two. */
static int setup_tls(void **state)
{
    const struct serve_options options = {
        .tls_cert_file = cert, .tls_key_file = key, .max_body = 100000, .max_connections = 40};

    (void)state;
    rig_start(&rig, options);
    return 0;
}

static void tls_serves_http_1_1_to_clients_that_would_take_2(void **state)
{
    _cleanup_(answer_done) struct answer a = rig_request(&rig, "POST", "/a", "abc", 3);
    _cleanup_(answer_done) struct answer big = rig_request(&rig, "GET", "/big", NULL, 0);
    _cleanup_(freep) char *body = xcalloc(1, 100001);
    _cleanup_(answer_done) struct answer over = rig_request(&rig, "PUT", "/a", body, 100001);

    (void)state;
    assert_int_equal(a.status, 200);
    assert_int_equal(a.version, CURL_HTTP_VERSION_1_1);
    assert_non_null(strstr(buf_str(&a.body), "[abc]"));
    assert_big(&big);
    assert_int_equal(over.status, 413);
}

static void old_tls_and_plain_text_are_refused_and_do_not_use_up_connections(void **state)
{
    static const char plain[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    for (int i = 0; i < 60; i++) {
        _cleanup_(buf_done) struct buf got = raw_exchange(&rig, plain, sizeof(plain) - 1);
        struct answer a;
        CURL *curl = rig_curl(&rig, "/a", &a);

        assert_null(strstr(buf_str(&got), "200 OK"));
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)(CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1));
        curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "ALL:@SECLEVEL=0");
        rig_finish(curl, &a);
        assert_int_equal(a.code, CURLE_SSL_CONNECT_ERROR);
        answer_done(&a);
    }
    many_connections_are_served_at_the_same_time(NULL);
}

static void tls_servers_start_and_stop_often(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct rig r;

        rig_start(&r, (struct serve_options){.tls_cert_file = cert, .tls_key_file = key});
        _cleanup_(answer_done) struct answer a = rig_request(&r, "GET", "/a", NULL, 0);
        assert_int_equal(a.status, 200);
        rig_stop(&r);
    }
}

static void a_key_that_is_not_the_certificates_is_a_clear_error(void **state)
{
    struct err err = start_error(&(struct serve_options){.tls_cert_file = cert, .tls_key_file = cert});

    (void)state;
    assert_non_null(strstr(err.msg, cert));
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(a_connection_serves_many_requests_also_those_sent_ahead),
        cmocka_unit_test(what_follows_a_body_too_early_ends_the_connection_and_harms_nobody),
        cmocka_unit_test(many_connections_are_served_at_the_same_time),
        cmocka_unit_test(connections_beyond_the_limit_are_closed_until_others_end),
        cmocka_unit_test(silent_connections_are_closed),
        cmocka_unit_test(a_peer_that_does_not_read_its_answer_is_closed_and_others_are_served),
        cmocka_unit_test(stopping_closes_what_is_open),
        cmocka_unit_test(an_address_that_does_not_do_is_a_clear_error),
        cmocka_unit_test(any_address_and_port_can_be_listened_on),
        cmocka_unit_test(signals_are_left_alone),
    };
    const struct CMUnitTest tls[] = {
        cmocka_unit_test_setup_teardown(tls_serves_http_1_1_to_clients_that_would_take_2, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(
            old_tls_and_plain_text_are_refused_and_do_not_use_up_connections, setup_tls, teardown),
        cmocka_unit_test(tls_servers_start_and_stop_often),
        cmocka_unit_test(a_key_that_is_not_the_certificates_is_a_clear_error),
    };
    int failed = cmocka_run_group_tests(plain, setup, teardown);

    return failed + cmocka_run_group_tests(tls, make_certificate, remove_certificate);
}
