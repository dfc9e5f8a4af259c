/* Our credentials against fake-azure as a program, over real TLS: what one says the other has to understand. */
#include "unit.h"

#include "azure/arm.h"
#include "azure/credential.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/run.h"
#include "base/str.h"
#include "folder.h"
#include "signer.h"
#include "json/json.h"

#include <pthread.h>
#include <stdatomic.h>

#define TENANT "00000000-0000-0000-0000-00000000000a"
#define CLIENT "11112222-bbbb-3333-cccc-4444dddd5555"
#define IDENTITY                                                                                                       \
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/"                                 \
    "Microsoft.ManagedIdentity/userAssignedIdentities/controller"

struct fake {
    char *dir, *ready, *ca, *certificate;
    struct signer signer;
    const char *argv[24];
    pthread_t thread;
    atomic_bool stop;
    char *url, *imds_url;
    struct http_engine *engine;
    struct http_tls *tls;
};

static bool is_over(const void *ctx)
{
    return atomic_load(&((struct fake *)ctx)->stop);
}

static void *run_fake(void *ctx)
{
    struct fake *fake = ctx;
    const struct run run = {.argv = (char *const *)fake->argv, .timeout_ms = 110000, .stopped = is_over, .ctx = fake};
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    (void)run_program(&run, &out, &err);
    buf_done(&out);
    return NULL;
}

static char *read_text(const char *path)
{
    struct buf b = BUF_INIT(65536);
    struct err err = ERR_INIT;
    int64_t deadline = clock_mono_ms() + 60000;

    while (file_read(path, &b, &err) < 0 && clock_mono_ms() < deadline) {
        buf_clear(&b);
        clock_sleep_ms(20);
    }
    return buf_take(&b);
}

/* NULL when the answer is not 200. */
static cJSON *get_json(struct fake *fake, const char *path)
{
    _cleanup_(freep) char *url = xasprintf("%s%s", fake->url, path);
    const struct http_request get = {.url = url, .tls = fake->tls};
    cJSON *tree = NULL;
    struct http_response response;
    struct err err = ERR_INIT;

    if (http_do(http_engine_client(fake->engine), &get, &response, &err) < 0)
        fail_msg("%s", err.msg);
    if (response.status == 200)
        assert_int_equal(json_parse(&tree, buf_str(&response.body), response.body.len, &err), 0);
    http_response_done(&response);
    return tree;
}

/* "" when there is none. */
static char *ask_for_imds(struct fake *fake)
{
    _cleanup_(json_freep) cJSON *tree = get_json(fake, "/fake/imds");
    const char *found = json_string_at(tree, "url");

    return xstrdup(found ? found : "");
}

static void open_fake(struct fake *fake, const char *more)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    struct err err = ERR_INIT;

    *fake = (struct fake){.dir = folder_new(), .signer = signer_new(EVP_RSA_gen(2048), -60, 3600)};
    fake->ready = xasprintf("%s/ready", fake->dir);
    fake->ca = xasprintf("%s/ca.pem", fake->dir);
    add_certificate(&pem, &fake->signer);
    add_key(&pem, &fake->signer, "test");
    fake->certificate = folder_write(fake->dir, "client.pem", buf_str(&pem), pem.len, 0);
    const char *argv[] = {FAKE_AZURE, "--tls-dir", fake->dir, "--ready-file", fake->ready, "--client-id", CLIENT,
        "--client-secret", "right", "--client-certificate", fake->certificate, "--identity", IDENTITY, "--vault-suffix",
        "vault.example.net", more, NULL};
    _Static_assert(sizeof(argv) <= sizeof(fake->argv), "more arguments than places");
    memcpy(fake->argv, argv, sizeof(argv));
    assert_int_equal(pthread_create(&fake->thread, NULL, run_fake, fake), 0);

    fake->url = read_text(fake->ready);
    fake->url[strcspn(fake->url, "\n")] = '\0';
    assert_true(str_has_prefix(fake->url, "https://127.0.0.1:"));
    _cleanup_(freep) char *ca = read_text(fake->ca);
    assert_int_equal(http_engine_new(&fake->engine, &(struct http_engine_options){.user_agent = "test"}, &err), 0);
    assert_int_equal(http_tls_new(&fake->tls, &(struct http_tls_options){.ca_pem = ca}, &err), 0);
    fake->imds_url = ask_for_imds(fake);
}

static void close_fake(struct fake *fake)
{
    atomic_store(&fake->stop, true);
    (void)pthread_join(fake->thread, NULL);
    (void)http_engine_free(fake->engine);
    (void)http_tls_unref(fake->tls);
    signer_done(&fake->signer);
    free(fake->url);
    free(fake->imds_url);
    free(fake->ready);
    free(fake->ca);
    free(fake->certificate);
    folder_free(fake->dir);
}

/* A token by this credential, and the list of subscriptions with it. */
static int list_subscriptions(struct fake *fake, struct azure_credential_options options, struct err *err)
{
    const struct azure_cloud_access access = {.http = http_engine_client(fake->engine), .tls = fake->tls};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(azure_credential_freep) struct azure_credential *credential = NULL;
    struct arm_response response;
    struct arm_client *arm = NULL;

    if (azure_cloud_open(&cloud, &access, &(struct azure_cloud_options){.arm_endpoint = fake->url}, err) < 0)
        return -1;
    assert_string_equal(cloud->vault_suffix, "vault.example.net");
    assert_string_equal(cloud->authority_host, fake->url);
    options.tls = fake->tls;
    if (azure_credential_new(&credential, access.http, cloud, &options, err) < 0)
        return -1;
    const struct http_token_source source = azure_credential_source(credential, cloud->arm_scope);
    struct http_client *auth = http_auth_new(access.http, &source);
    assert_int_equal(
        arm_client_new(&arm, &(struct arm_options){.http = auth, .cloud = cloud, .tls = fake->tls}, err), 0);
    int r = arm_call(arm, "GET", "/subscriptions", "2022-12-01", NULL, NULL, &response, err);
    arm_response_done(&response);
    (void)arm_client_free(arm);
    (void)http_auth_free(auth);
    return r;
}

static void assert_works(struct fake *fake, struct azure_credential_options options)
{
    struct err err = ERR_INIT;

    if (list_subscriptions(fake, options, &err) < 0)
        fail_msg("%s", err.msg);
}

static void assert_refused(struct fake *fake, struct azure_credential_options options, const char *says)
{
    struct err err = ERR_INIT;

    assert_int_equal(list_subscriptions(fake, options, &err), -1);
    if (!strstr(err.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
}

static void a_certificate_is_taken_by_ps256_or_by_rs256(void **state)
{
    static const char *const more[] = {NULL, "--refuse-ps256"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        _cleanup_(close_fake) struct fake fake;
        open_fake(&fake, more[i]);
        const struct azure_credential_options options = {
            TENANT, CLIENT, .certificate_path = fake.certificate, .certificate_password = "test"};
        assert_works(&fake, options);
    }
}

static void another_certificate_or_secret_is_refused(void **state)
{
    _cleanup_(signer_done) struct signer other = signer_new(EVP_RSA_gen(2048), -60, 3600);
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    _cleanup_(close_fake) struct fake fake;

    (void)state;
    open_fake(&fake, NULL);
    add_certificate(&pem, &other);
    add_key(&pem, &other, NULL);
    _cleanup_(freep) char *path = folder_write(fake.dir, "other.pem", buf_str(&pem), pem.len, 0);
    assert_refused(&fake, (struct azure_credential_options){TENANT, CLIENT, .certificate_path = path}, "AADSTS700027");
    assert_refused(&fake, (struct azure_credential_options){TENANT, CLIENT, .client_secret = "wrong"}, "AADSTS7000215");
    assert_works(&fake, (struct azure_credential_options){TENANT, CLIENT, .client_secret = "right"});
}

static void a_machine_gives_tokens_of_its_identities(void **state)
{
    _cleanup_(close_fake) struct fake fake;

    (void)state;
    open_fake(&fake, "--imds");
    assert_true(str_has_prefix(fake.imds_url, "http://127.0.0.1:"));
    struct azure_credential_options options = {.imds_endpoint = fake.imds_url};
    assert_works(&fake, options); /* found by the probe */
    options.kind = "managed-identity";
    options.managed_identity_resource_id = IDENTITY;
    assert_works(&fake, options);
    options.managed_identity_resource_id = IDENTITY "-of-another-machine";
    assert_refused(&fake, options, "answered 400: invalid_request: Identity not found");
}

static void a_cloud_is_an_object_since_2022_and_one_of_an_array_before(void **state)
{
    static const struct {
        const char *version;
        bool array;
    } rows[] = {{"2022-09-01", false}, {"2020-06-01", true}, {"2019-05-01", true}};
    _cleanup_(close_fake) struct fake fake;

    (void)state;
    open_fake(&fake, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *path = xasprintf("/metadata/endpoints?api-version=%s", rows[i].version);
        _cleanup_(json_freep) cJSON *tree = get_json(&fake, path);
        assert_int_equal(cJSON_IsArray(tree), rows[i].array);
        assert_string_equal(json_string_at(rows[i].array ? tree->child : tree, "name"), "fake");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_taken_by_ps256_or_by_rs256),
        cmocka_unit_test(another_certificate_or_secret_is_refused),
        cmocka_unit_test(a_machine_gives_tokens_of_its_identities),
        cmocka_unit_test(a_cloud_is_an_object_since_2022_and_one_of_an_array_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
