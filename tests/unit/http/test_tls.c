/* Whom we trust, who we say we are, and that no connection is ever used with another identity than it was opened with.
 */
#include "unit.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/certs.h"
#include "http/http.h"
#include "http/scripted_server.h"

#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* These take the places of OpenSSL's for libcurl, and count: how often the system's certificates were asked for. */
static atomic_int system_loads;

int X509_STORE_load_file(X509_STORE *store, const char *file)
{
    (void)store;
    (void)file;
    return atomic_fetch_add(&system_loads, 1) >= 0;
}

int X509_STORE_load_path(X509_STORE *store, const char *path)
{
    (void)store;
    (void)path;
    return atomic_fetch_add(&system_loads, 1) >= 0;
}

static struct test_cert ca, other_ca, server_cert, named_cert, client_a, client_b;
static struct http_engine *engine;

static int set_up_group(void **state)
{
    (void)state;
    ca = test_cert_make("test CA", NULL, NULL);
    other_ca = test_cert_make("other CA", NULL, NULL);
    server_cert = test_cert_make("server", "IP:127.0.0.1", &ca);
    named_cert = test_cert_make("named", "DNS:kubernetes.default.svc", &ca);
    client_a = test_cert_make("client-a", NULL, &ca);
    client_b = test_cert_make("client-b", NULL, &ca);
    return 0;
}

static int tear_down_group(void **state)
{
    struct test_cert *all[] = {&ca, &other_ca, &server_cert, &named_cert, &client_a, &client_b};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        test_cert_done(all[i]);
    return 0;
}

static int set_up(void **state)
{
    struct http_engine_options options = {.user_agent = "cosmoscmk/test"};
    struct err err = ERR_INIT;
    (void)state;

    return http_engine_new(&engine, &options, &err);
}

static int tear_down(void **state)
{
    (void)state;
    engine = http_engine_free(engine);
    return 0;
}

static struct http_tls *tls_new(const char *ca_pem, const struct test_cert *client, const char *server_name)
{
    struct http_tls_options options = {
        .ca_pem = ca_pem,
        .client_cert_pem = client ? client->cert_pem : NULL,
        .client_key_pem = client ? client->key_pem : NULL,
        .server_name = server_name,
    };
    struct http_tls *tls = NULL;
    struct err err = ERR_INIT;

    if (http_tls_new(&tls, &options, &err) < 0)
        fail_msg("%s", err.msg);
    return tls;
}

/* The body is "SNI|CLIENT|HOST HEADER". */
static void tell_who(struct scripted_conn *conn, void *ctx)
{
    const char *request;
    char client[64], body[512];
    (void)ctx;

    while ((request = scripted_read_request(conn))) {
        const char *host = strstr(request, "\r\nHost: ") + strlen("\r\nHost: ");
        scripted_client_name(conn, client, sizeof(client));
        (void)snprintf(body, sizeof(body), "%s|%s|%.*s", scripted_sni(conn), client, (int)strcspn(host, "\r\n"), host);
        scripted_reply(conn, body);
    }
}

static struct scripted_server *start(const struct test_cert *cert, const char *client_ca)
{
    return scripted_start(&(struct scripted_options){
        .handler = tell_who, .cert_pem = cert->cert_pem, .key_pem = cert->key_pem, .client_ca_pem = client_ca});
}

static int get(const char *url, struct http_tls *tls, char *ret_body, size_t size, struct err *err)
{
    struct http_request request = {.url = url, .tls = tls};
    struct http_response response;

    *err = ERR_INIT;
    int r = http_do(http_engine_client(engine), &request, &response, err);
    (void)str_copy(ret_body, size, buf_str(&response.body));
    http_response_done(&response);
    return r;
}

static void a_server_of_the_given_ca_is_trusted(void **state)
{
    struct scripted_server *server = start(&server_cert, NULL);
    struct http_tls *tls = tls_new(ca.cert_pem, NULL, NULL);
    char body[256], expected[64];
    struct err err;
    (void)state;

    if (get(scripted_url(server, "/"), tls, body, sizeof(body), &err) < 0)
        fail_msg("%s", err.msg);
    (void)snprintf(expected, sizeof(expected), "||127.0.0.1:%d", scripted_port(server));
    assert_string_equal(body, expected);
    http_tls_unref(tls);
    scripted_stop(server);
}

static void a_given_ca_takes_the_place_of_the_systems(void **state)
{
    struct scripted_server *server = start(&server_cert, NULL);
    struct http_tls *tls = tls_new(ca.cert_pem, NULL, NULL);
    char body[256];
    struct err err;
    (void)state;

    atomic_store(&system_loads, 0);
    assert_int_equal(get(scripted_url(server, "/"), tls, body, sizeof(body), &err), 0);
    assert_int_equal(atomic_load(&system_loads), 0);
    assert_int_equal(get(scripted_url(server, "/"), NULL, body, sizeof(body), &err), -1);
    assert_true(atomic_load(&system_loads) > 0);
    http_tls_unref(tls);
    scripted_stop(server);
}

static void every_certificate_of_a_bundle_is_trusted(void **state)
{
    struct scripted_server *server = start(&server_cert, NULL);
    _cleanup_(freep) char *bundle = xasprintf("%s# comment\n%s", other_ca.cert_pem, ca.cert_pem);
    struct http_tls *tls = tls_new(bundle, NULL, NULL);
    char body[256];
    struct err err;
    (void)state;

    assert_int_equal(get(scripted_url(server, "/"), tls, body, sizeof(body), &err), 0);
    http_tls_unref(tls);
    scripted_stop(server);
}

static void another_server_is_refused_before_anything_is_sent(void **state)
{
    const struct {
        const char *name;
        const struct test_cert *cert;
        const char *ca_pem; /* NULL: the system's */
        const char *server_name;
    } rows[] = {
        {"of another CA", &server_cert, other_ca.cert_pem, NULL},
        {"of a CA that the system does not know", &server_cert, NULL, NULL},
        {"self-signed", &other_ca, ca.cert_pem, NULL},
        {"of another name", &named_cert, ca.cert_pem, NULL},
        {"of another name than asked for", &server_cert, ca.cert_pem, "kubernetes.default.svc"},
        {"of another name than asked for, though the URL's fits", &named_cert, ca.cert_pem, "api.test"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scripted_server *server = start(rows[i].cert, NULL);
        struct http_tls *tls = rows[i].ca_pem ? tls_new(rows[i].ca_pem, NULL, rows[i].server_name) : NULL;
        char body[256], peer[64];
        struct err err;
        if (get(scripted_url(server, "/secret"), tls, body, sizeof(body), &err) == 0)
            fail_msg("%s: accepted", rows[i].name);
        (void)snprintf(peer, sizeof(peer), "the certificate of 127.0.0.1:%d is not trusted: ", scripted_port(server));
        if (err.kind != ERR_TLS || err.maybe_sent || !str_has_prefix(err.msg, peer) || strstr(err.msg, "secret"))
            fail_msg("%s: %s: %s", rows[i].name, err_kind_name(err.kind), err.msg);
        assert_int_equal(scripted_requests(server), 0);
        http_tls_unref(tls);
        scripted_stop(server);
    }
}

static void a_server_name_is_verified_and_sent_as_sni_but_the_host_header_stays(void **state)
{
    struct scripted_server *server = start(&named_cert, NULL);
    struct http_tls *tls = tls_new(ca.cert_pem, NULL, "Kubernetes.Default.svc");
    char body[256], expected[128];
    struct err err;
    (void)state;

    if (get(scripted_url(server, "/"), tls, body, sizeof(body), &err) < 0)
        fail_msg("%s", err.msg);
    (void)snprintf(expected, sizeof(expected), "kubernetes.default.svc||127.0.0.1:%d", scripted_port(server));
    assert_string_equal(body, expected);
    http_tls_unref(tls);
    scripted_stop(server);
}

static void a_client_certificate_is_presented(void **state)
{
    struct scripted_server *server = start(&server_cert, ca.cert_pem);
    struct http_tls *tls = tls_new(ca.cert_pem, &client_a, NULL), *none = tls_new(ca.cert_pem, NULL, NULL);
    char body[256];
    struct err err;
    (void)state;

    if (get(scripted_url(server, "/"), tls, body, sizeof(body), &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(str_has_prefix(body, "|client-a|"));
    assert_int_equal(get(scripted_url(server, "/"), none, body, sizeof(body), &err), -1);
    assert_int_equal(err.kind, ERR_TLS);
    http_tls_unref(none);
    http_tls_unref(tls);
    scripted_stop(server);
}

/* Each identity twice, interleaved: four answers of the right client over two connections. */
static void a_connection_is_never_shared_between_client_identities(void **state)
{
    struct scripted_server *server = start(&server_cert, ca.cert_pem);
    struct http_tls *tls[] = {tls_new(ca.cert_pem, &client_a, NULL), tls_new(ca.cert_pem, &client_b, NULL)};
    char body[256];
    struct err err;
    (void)state;

    for (int i = 0; i < 4; i++) {
        if (get(scripted_url(server, "/"), tls[i % 2], body, sizeof(body), &err) < 0)
            fail_msg("%s", err.msg);
        assert_true(str_has_prefix(body, i % 2 ? "|client-b|" : "|client-a|"));
    }
    assert_int_equal(scripted_connections(server), 2);
    http_tls_unref(tls[0]);
    http_tls_unref(tls[1]);
    scripted_stop(server);
}

/* An open connection that one trust accepts is of no use to a trust that would not accept it; nor is its TLS session.
 */
static void a_connection_is_never_shared_with_a_trust_that_would_refuse_it(void **state)
{
    struct scripted_server *server = start(&server_cert, NULL);
    struct http_tls *good = tls_new(ca.cert_pem, NULL, NULL);
    struct http_tls *bad[] = {tls_new(other_ca.cert_pem, NULL, NULL), tls_new(ca.cert_pem, NULL, "api.test"), NULL};
    char body[256];
    struct err err;
    (void)state;

    assert_int_equal(get(scripted_url(server, "/"), good, body, sizeof(body), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(get(scripted_url(server, "/"), bad[i], body, sizeof(body), &err), -1);
        assert_int_equal(err.kind, ERR_TLS);
    }
    int connections = scripted_connections(server);
    assert_int_equal(get(scripted_url(server, "/"), good, body, sizeof(body), &err), 0);
    assert_int_equal(scripted_connections(server), connections);
    assert_int_equal(scripted_requests(server), 2);
    http_tls_unref(good);
    http_tls_unref(bad[0]);
    http_tls_unref(bad[1]);
    scripted_stop(server);
}

static void an_equal_identity_shares_the_connection_even_when_the_first_is_gone(void **state)
{
    struct scripted_server *server = start(&server_cert, ca.cert_pem);
    char body[256];
    struct err err;
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct http_tls *tls = tls_new(ca.cert_pem, &client_a, NULL);
        assert_int_equal(get(scripted_url(server, "/"), tls, body, sizeof(body), &err), 0);
        http_tls_unref(http_tls_ref(tls));
        http_tls_unref(tls);
    }
    assert_int_equal(scripted_connections(server), 1);
    scripted_stop(server);
}

static void hang_up(struct scripted_conn *conn, void *ctx)
{
    (void)conn;
    (void)ctx;
}

/* It may heal, so it must not be called a matter of trust. */
static void a_peer_that_hangs_up_during_the_handshake_is_unavailable(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = hang_up});
    char url[64], body[256];
    struct err err;
    (void)state;

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", scripted_port(server));
    assert_int_equal(get(url, NULL, body, sizeof(body), &err), -1);
    if (err.kind != ERR_UNAVAILABLE || err.maybe_sent)
        fail_msg("%s: %s", err_kind_name(err.kind), err.msg);
    scripted_stop(server);
}

static void a_peer_without_tls_is_no_peer(void **state)
{
    struct scripted_server *server = scripted_start(&(struct scripted_options){.handler = tell_who});
    char url[64];
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", scripted_port(server));
    struct http_request request = {.url = url, .timeout_ms = 500};
    assert_int_equal(http_do(http_engine_client(engine), &request, &response, &err), -1);
    http_response_done(&response);
    assert_false(err.maybe_sent);
    scripted_stop(server);
}

/* Nobody is asked for the password on a terminal. */
static void a_key_with_a_password_is_refused(void **state)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    struct http_tls *tls = NULL;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(file_read("fuzz/corpus/certificate/pem_encrypted", &pem, &err), 0);
    const struct http_tls_options options = {.client_cert_pem = buf_str(&pem), .client_key_pem = buf_str(&pem)};
    assert_int_equal(http_tls_new(&tls, &options, &err), -1);
    assert_null(tls);
    assert_int_equal(err.kind, ERR_INVALID);
}

static void pem_that_cannot_work_is_refused_where_it_is_configured(void **state)
{
    _cleanup_(freep) char *damaged =
        xasprintf("%s-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", ca.cert_pem);
    const struct {
        const char *name;
        struct http_tls_options options;
    } rows[] = {
        {"an empty CA", {.ca_pem = ""}},
        {"text for a CA", {.ca_pem = "hello"}},
        {"a key for a CA", {.ca_pem = ca.key_pem}},
        {"a bundle with a damaged certificate", {.ca_pem = damaged}},
        {"a certificate without key", {.client_cert_pem = client_a.cert_pem}},
        {"a key without certificate", {.client_key_pem = client_a.key_pem}},
        {"another certificate's key", {.client_cert_pem = client_a.cert_pem, .client_key_pem = client_b.key_pem}},
        {"text for a certificate", {.client_cert_pem = "x", .client_key_pem = client_a.key_pem}},
        {"text for a key", {.client_cert_pem = client_a.cert_pem, .client_key_pem = "x"}},
        {"a name with a port", {.server_name = "h:1"}},
        {"a name with a path", {.server_name = "h/x"}},
        {"a name with a user", {.server_name = "u@h"}},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_tls *tls = NULL;
        struct err err = ERR_INIT;
        if (http_tls_new(&tls, &rows[i].options, &err) == 0)
            fail_msg("accepted: %s", rows[i].name);
        assert_null(tls);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(strstr(err.msg, "BEGIN"));
    }
    assert_null(http_tls_unref(NULL));
    struct http_tls *plain = NULL;
    assert_int_equal(http_tls_new(&plain, &(struct http_tls_options){.server_name = "::1"}, NULL), 0);
    http_tls_unref(plain);
    assert_int_equal(http_tls_new(&plain, &(struct http_tls_options){.server_name = ""}, NULL), 0);
    http_tls_unref(plain);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_of_the_given_ca_is_trusted),
        TEST(a_given_ca_takes_the_place_of_the_systems),
        TEST(every_certificate_of_a_bundle_is_trusted),
        TEST(another_server_is_refused_before_anything_is_sent),
        TEST(a_server_name_is_verified_and_sent_as_sni_but_the_host_header_stays),
        TEST(a_client_certificate_is_presented),
        TEST(a_connection_is_never_shared_between_client_identities),
        TEST(a_connection_is_never_shared_with_a_trust_that_would_refuse_it),
        TEST(an_equal_identity_shares_the_connection_even_when_the_first_is_gone),
        TEST(a_peer_that_hangs_up_during_the_handshake_is_unavailable),
        TEST(a_peer_without_tls_is_no_peer),
        TEST(a_key_with_a_password_is_refused),
        TEST(pem_that_cannot_work_is_refused_where_it_is_configured),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
