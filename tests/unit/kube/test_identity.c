/* TLS identities: who the API server must be, and who we are to it by certificate, from the configuration or a plugin.
 */
#include "unit.h"

#include "api_server.h"
#include "base/file.h"
#include "kube/client.h"
#include "scratch.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const struct kube_resource cmks = {"cosmoscmk.io", "v1", "cosmoscmks"};

/* NAME.crt and NAME.key in the folder: a certificate signed with its own key, for 127.0.0.1. */
static void write_pair(const char *dir, const char *name)
{
    _cleanup_(freep) char *cert_path = xasprintf("%s/%s.crt", dir, name);
    _cleanup_(freep) char *key_path = xasprintf("%s/%s.key", dir, name);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,DNS:api.test");
    X509_NAME *subject = X509_get_subject_name(cert);
    FILE *cert_file = fopen(cert_path, "w"), *key_file = fopen(key_path, "w");

    assert_true(key && san && cert_file && key_file);
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    (void)X509_set_pubkey(cert, key);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    (void)X509_set_issuer_name(cert, subject);
    (void)X509_add_ext(cert, san, -1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(cert_file, cert), 1);
    assert_int_equal(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(cert_file);
    (void)fclose(key_file);
    X509_EXTENSION_free(san);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static char *read_pem(const char *dir, const char *name)
{
    _cleanup_(freep) char *path = scratch_path(dir, name);
    struct buf b = BUF_INIT(65536);

    assert_int_equal(file_read(path, &b, NULL), 0);
    return buf_take(&b);
}

struct fixture {
    char *dir;
    struct api_server api;
    struct http_engine *engine;
    struct kube_config *config;
};

/* A server that is "server" and trusts the certificate "client". */
static void begin(struct fixture *f, const struct api_answer *script, size_t n)
{
    static const char *const names[] = {"server", "client", "stranger"};
    struct http_engine_options options = {.user_agent = "test/1"};

    *f = (struct fixture){.dir = scratch_new(), .config = xcalloc(1, sizeof(*f->config))};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        write_pair(f->dir, names[i]);
    _cleanup_(freep) char *cert = scratch_path(f->dir, "server.crt");
    _cleanup_(freep) char *key = scratch_path(f->dir, "server.key");
    _cleanup_(freep) char *ca = scratch_path(f->dir, "client.crt");
    api_start_with(&f->api, script, n,
        (struct httpd_options){.tls_cert_file = cert, .tls_key_file = key, .tls_client_ca_file = ca});
    f->config->source = xstrdup("test");
    f->config->server = xasprintf("https://127.0.0.1:%d", httpd_port(f->api.server));
    f->config->ca_pem = read_pem(f->dir, "server.crt");
    assert_int_equal(http_engine_new(&f->engine, &options, NULL), 0);
}

static void end(struct fixture *f)
{
    f->config = kube_config_free(f->config);
    f->engine = http_engine_free(f->engine);
    api_stop(&f->api);
    scratch_remove(f->dir);
}

static struct kube_client *client_of(struct fixture *f)
{
    struct kube_client *client = NULL;
    struct err err = ERR_INIT;

    if (kube_client_new(&client, f->engine, f->config, &err) < 0)
        fail_msg("%s", err.msg);
    return client;
}

/* The kind of a GET's outcome. */
static enum err_kind get(struct kube_client *client)
{
    cJSON *answer = NULL;
    struct err err = ERR_INIT;

    (void)kube_get(client, &cmks, "n", "o", &answer, &err);
    (void)json_free(answer);
    return err.kind;
}

static enum err_kind get_once(struct fixture *f)
{
    struct kube_client *client = client_of(f);
    enum err_kind kind = get(client);

    client = kube_client_free(client);
    return kind;
}

static void use_certificate(struct fixture *f, const char *name)
{
    _cleanup_(freep) char *cert = xasprintf("%s.crt", name);
    _cleanup_(freep) char *key = xasprintf("%s.key", name);
    _cleanup_(freep) char *key_pem = read_pem(f->dir, key);

    free(f->config->client_cert_pem);
    (void)secret_unref(f->config->client_key_pem);
    f->config->client_cert_pem = read_pem(f->dir, cert);
    f->config->client_key_pem = secret_new(key_pem, strlen(key_pem));
}

static void the_server_must_be_who_the_configuration_says(void **state)
{
    static const struct api_answer script[] = {{200, "{}"}, {200, "{}"}};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(get_once(&f), ERR_NONE);
    f.config->server_name = xstrdup("api.test");
    assert_int_equal(get_once(&f), ERR_NONE);
    str_replace(&f.config->server_name, "other.test");
    assert_int_equal(get_once(&f), ERR_TLS);
    str_replace(&f.config->server_name, NULL);
    free(f.config->ca_pem);
    f.config->ca_pem = read_pem(f.dir, "stranger.crt");
    assert_int_equal(get_once(&f), ERR_TLS);
    f.config->token = secret_new("hunter2", 7);
    assert_int_equal(get_once(&f), ERR_TLS);
    assert_int_equal(api_served(&f.api), 2);
    end(&f);
}

static void a_ca_that_was_renewed_since_the_program_began_is_taken_over(void **state)
{
    static const struct api_answer script[] = {{200, "{}"}, {200, "{}"}};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    scratch_write(f.dir, "token", "hunter2", 0);
    f.config->token_file = scratch_path(f.dir, "token");
    f.config->ca_file = scratch_path(f.dir, "ca.crt");
    scratch_write(f.dir, "ca.crt", "half a certificate", 0);
    assert_int_equal(get_once(&f), ERR_NONE); /* what cannot be used changes nothing */
    _cleanup_(freep) char *renewed = TAKE_PTR(f.config->ca_pem);
    f.config->ca_pem = read_pem(f.dir, "stranger.crt");
    assert_int_equal(get_once(&f), ERR_TLS);
    scratch_write(f.dir, "ca.crt", renewed, 0);
    assert_int_equal(get_once(&f), ERR_NONE);
    end(&f);
}

static void a_client_certificate_is_shown_to_the_server(void **state)
{
    static const struct api_answer script[] = {{200, "{}"}};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    use_certificate(&f, "client");
    assert_int_equal(get_once(&f), ERR_NONE);
    use_certificate(&f, "stranger");
    assert_int_not_equal(get_once(&f), ERR_NONE);
    assert_int_equal(api_served(&f.api), 1);
    end(&f);
}

static void a_key_that_does_not_fit_is_found_when_the_client_is_made(void **state)
{
    struct fixture f;
    struct kube_client *client = NULL;
    struct err err = ERR_INIT;
    (void)state;

    begin(&f, NULL, 0);
    use_certificate(&f, "client");
    free(f.config->client_cert_pem);
    f.config->client_cert_pem = read_pem(f.dir, "stranger.crt");
    assert_int_equal(kube_client_new(&client, f.engine, f.config, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(client);
    end(&f);
}

/* What the plugin will answer from now on. */
static void plugin_answers(const struct fixture *f, const char *name, const char *token)
{
    _cleanup_(json_freep) cJSON *answer = cJSON_CreateObject();
    _cleanup_(freep) char *cert = xasprintf("%s.crt", name), *key = xasprintf("%s.key", name);
    _cleanup_(freep) char *cert_pem = read_pem(f->dir, cert), *key_pem = read_pem(f->dir, key);

    (void)json_add_string(answer, "kind", "ExecCredential");
    (void)json_add_string(answer, "apiVersion", "client.authentication.k8s.io/v1");
    cJSON *status = json_add_object(answer, "status");
    (void)json_add_string(status, "clientCertificateData", cert_pem);
    (void)json_add_string(status, "clientKeyData", key_pem);
    (void)json_add_string(status, "token", token);
    _cleanup_(freep) char *text = json_print(answer);
    scratch_write(f->dir, "answer", text, 0);
}

static void a_plugins_certificate_is_shown_and_renewed_after_a_401(void **state)
{
    static const struct api_answer script[] = {
        {200, "{}"},
        {401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}"},
        {200, "{}"},
        {200, "{}"},
    };
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    f.config->exec = xcalloc(1, sizeof(*f.config->exec));
    f.config->exec->api_version = xstrdup("client.authentication.k8s.io/v1");
    f.config->exec->command = scratch_path(f.dir, "plugin");
    _cleanup_(freep) char *plugin = xasprintf("#!/bin/sh\nexec cat '%s/answer'\n", f.dir);
    scratch_write(f.dir, "plugin", plugin, 0700);

    plugin_answers(&f, "client", NULL);
    struct kube_client *client = client_of(&f);
    assert_int_equal(get(client), ERR_NONE);
    assert_int_equal(get(client), ERR_UNAUTHORIZED);
    plugin_answers(&f, "client", "and-a-token"); /* asked again, because of the 401 */
    assert_int_equal(get(client), ERR_NONE);
    plugin_answers(&f, "stranger", NULL); /* not asked: nothing was wrong */
    assert_int_equal(get(client), ERR_NONE);
    client = kube_client_free(client);
    assert_int_not_equal(get_once(&f), ERR_NONE); /* a new client asks, and the server does not know the stranger */

    _cleanup_(freep) char *journal = api_journal(&f.api);
#define ASKED "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks/o"
    assert_string_equal(
        journal, ASKED "\n" ASKED "\n" ASKED " auth=Bearer and-a-token\n" ASKED " auth=Bearer and-a-token\n");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_must_be_who_the_configuration_says),
        cmocka_unit_test(a_ca_that_was_renewed_since_the_program_began_is_taken_over),
        cmocka_unit_test(a_client_certificate_is_shown_to_the_server),
        cmocka_unit_test(a_key_that_does_not_fit_is_found_when_the_client_is_made),
        cmocka_unit_test(a_plugins_certificate_is_shown_and_renewed_after_a_401),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
