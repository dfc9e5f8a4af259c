/* The port of the metrics: which flags go together, and what is answered without an API server. */
#include "unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/metrics_server.h"
#include "serve/tls.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/metrics-server-XXXXXX";
static char cert_file[64], key_file[64];
static struct http_engine *engine;
static struct kube_client *kube; /* of an API server that is not there */
static struct app_metrics *metrics;

static void write_pair(void)
{
    struct serve_pair pair = {0};
    FILE *cert = fopen(cert_file, "w"), *key = fopen(key_file, "w");

    assert_true(cert && key);
    assert_int_equal(serve_pair_make(&pair, clock_wall_ms(), NULL), 0);
    assert_int_equal(PEM_write_X509(cert, pair.cert), 1);
    assert_int_equal(PEM_write_PrivateKey(key, pair.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(cert) + fclose(key), 0);
    serve_pair_done(&pair);
}

static int setup(void **state)
{
    const struct http_engine_options options = {.user_agent = "test/1"};
    struct kube_config config = {.server = (char[]){"http://127.0.0.1:1"}};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert_file, sizeof(cert_file), "%s/crt", folder);
    (void)snprintf(key_file, sizeof(key_file), "%s/key", folder);
    write_pair();
    assert_int_equal(http_engine_new(&engine, &options, NULL), 0);
    assert_int_equal(kube_client_new(&kube, engine, &config, NULL), 0);
    metrics = app_metrics_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    metrics = app_metrics_free(metrics);
    kube = kube_client_free(kube);
    engine = http_engine_free(engine);
    (void)unlink(cert_file);
    (void)unlink(key_file);
    return rmdir(folder);
}

static void flags_that_do_not_go_together_are_refused(void **state)
{
    const struct {
        const char *name;
        struct metrics_server_options options;
        const char *expected;
    } rows[] = {
        {"no key", {.address = ":0", .cert_file = cert_file}, "--metrics-cert-file and --metrics-key-file go together"},
        {"no certificate", {.address = ":0", .key_file = key_file},
            "--metrics-cert-file and --metrics-key-file go together"},
        {"plain, with a certificate", {.address = ":0", .cert_file = cert_file, .key_file = key_file, .insecure = true},
            "--metrics-insecure is plain HTTP"},
        {"no port", {.address = "localhost"}, "--metrics-address takes ADDRESS:PORT"},
        {"files that are not there", {.address = ":0", .cert_file = "/nowhere/crt", .key_file = "/nowhere/key"},
            "--metrics-address :0: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metrics_server_options options = rows[i].options;
        struct metrics_server *server = NULL;
        struct err err = ERR_INIT;

        options.metrics = metrics;
        options.kube = kube;
        if (metrics_server_start(&server, &options, &err) == 0 || !str_has_prefix(err.msg, rows[i].expected))
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_null(server);
    }
}

static void without_an_address_nothing_is_served(void **state)
{
    struct metrics_server *server = NULL;

    (void)state;
    assert_int_equal(metrics_server_start(&server, &(struct metrics_server_options){.address = ""}, NULL), 0);
    assert_null(server);
    assert_null(metrics_server_stop(server));
}

static const struct row {
    const char *name, *method, *path, *authorization;
    int open, guarded; /* statuses, of a port for everybody and of one that asks */
} rows[] = {
    {"a scrape", "GET", "/metrics", NULL, 200, 401},
    {"the same, its head only", "HEAD", "/metrics", NULL, 200, 401},
    {"another method", "POST", "/metrics", NULL, 405, 405},
    {"another path", "GET", "/metrics/x", NULL, 404, 404},
    {"another scheme", "GET", "/metrics", "Basic YTpi", 200, 401},
    {"a scheme without a token", "GET", "/metrics", "Bearer ", 200, 401},
    {"a token of letters that none has", "GET", "/metrics", "Bearer a,b", 200, 401},
    {"two tokens", "GET", "/metrics", "Bearer a b", 200, 401},
    {"a token, and nobody to ask", "GET", "/metrics", "Bearer abc", 200, 503},
    {"the scheme in small letters", "GET", "/metrics", "bearer  abc", 200, 503},
};

static void ask(const struct row *row, const char *scheme, int port, int expected)
{
    _cleanup_(freep) char *url = xasprintf("%s://127.0.0.1:%d%s", scheme, port, row->path);
    _cleanup_(http_tls_unrefp) struct http_tls *tls = NULL;
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    _cleanup_(http_response_done) struct http_response response;
    struct err err = ERR_INIT;
    char challenge[16] = "";

    http_response_init(&response);
    assert_int_equal(file_read(cert_file, &pem, &err), 0);
    assert_int_equal(http_tls_new(&tls, &(struct http_tls_options){.ca_pem = buf_str(&pem)}, &err), 0);
    const struct http_request request = {.method = row->method,
        .url = url,
        .headers = {{row->authorization ? "Authorization" : NULL, row->authorization}},
        .tls = tls};
    if (http_do(http_engine_client(engine), &request, &response, &err) < 0 || response.status != expected)
        fail_msg("%s, %s: %d %s", row->name, scheme, response.status, err.msg);
    assert_int_equal(
        http_response_header(&response, "www-authenticate", challenge, sizeof(challenge)), expected == 401);
    assert_int_equal(
        strstr(buf_str(&response.body), "cosmoscmk_") != NULL, expected == 200 && !str_eq(row->method, "HEAD"));
}

static void who_asks_how_decides_the_status(void **state)
{
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        struct metrics_server_options options = {.address = "127.0.0.1:0", .metrics = metrics, .kube = kube};
        struct metrics_server *server = NULL;
        struct err err = ERR_INIT;

        options.insecure = !guarded;
        options.cert_file = guarded ? cert_file : NULL;
        options.key_file = guarded ? key_file : NULL;
        if (metrics_server_start(&server, &options, &err) < 0)
            fail_msg("%s", err.msg);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            ask(&rows[i], guarded ? "https" : "http", metrics_server_port(server),
                guarded ? rows[i].guarded : rows[i].open);
        metrics_server_stop(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_that_do_not_go_together_are_refused),
        cmocka_unit_test(without_an_address_nothing_is_served),
        cmocka_unit_test(who_asks_how_decides_the_status),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
