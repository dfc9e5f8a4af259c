/* fake-azure: Entra ID, Azure Resource Manager with Cosmos DB accounts, and the gateway to their data, over HTTPS on
 * loopback, and on request a machine's instance metadata service over HTTP.
 *
 * One origin serves the authority, ARM and, under /cosmos/ACCOUNT/, each account's gateway. It does what recorded
 * exchanges of the real services show, and what a test asks for through the paths under /fake/. It is no emulator: of
 * the documents there are only ids, and keys are only names. */
#include "fakes/fake_azure.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define SEED_MAX (256u << 20)

static const char demo_identity[] = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/demo/providers/"
                                    "Microsoft.ManagedIdentity/userAssignedIdentities/cosmos-cmk";

struct settings {
    struct fake_process process;
    struct fake_azure azure;
    struct azure_options model;
    const char *accounts_file;
    const char *key_visible;
    const char *client_certificate;
    bool imds;
    int64_t imds_port;
    struct fake_strings identities;
};

static void cut_into_segments(struct azure_request *r)
{
    char *rest = r->copy = xstrdup(r->http->path);

    while (*rest && r->n_segments < ARRAY_LEN(r->segments)) {
        size_t n = strcspn(rest, "/");
        char *segment = rest;
        rest += n;
        if (*rest)
            *rest++ = '\0';
        if (n > 0)
            r->segments[r->n_segments++] = segment;
    }
}

/* As the public cloud's, but for the hosts. Which form goes with which version is what clients read: azure-cli and the
 * Azure SDK for Go an object at 2022-09-01, azure-cli an array of clouds at 2019-05-01. */
static void describe_cloud(struct azure_request *r)
{
    const char *base = r->azure->base_url;
    struct buf *b = &r->reply->body;
    char version[32] = "";
    bool array = httpd_query(r->http, "api-version", version, sizeof(version)) && strcmp(version, "2022-09-01") < 0;

    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
    buf_puts(b, array ? "[" : "");
    buf_printf(b, "{\"name\":\"fake\",\"portal\":\"%s\",\"resourceManager\":\"%s/\",", base, base);
    buf_printf(b,
        "\"authentication\":{\"loginEndpoint\":\"%s/\",\"audiences\":[\"https://management.core.windows.net/\",\"%s\"],"
        "\"tenant\":\"common\",\"identityProvider\":\"AAD\"},",
        base, base);
    buf_printf(b, "\"suffixes\":{\"keyVaultDns\":\"%s\",\"mhsmDns\":\"%s\",\"cosmosDBDns\":\"%s\"}}",
        r->azure->vault_suffix, r->azure->hsm_suffix, r->azure->cosmos_suffix);
    buf_puts(b, array ? "]" : "");
}

static void answer(struct azure_request *r, struct fake_call *call)
{
    if (str_has_prefix(r->http->path, "/fake/"))
        azure_inspect(r);
    else if (r->n_segments > 0 && str_eq_nocase(r->segments[0], "subscriptions"))
        azure_arm(r);
    else if (r->n_segments > 1 && str_eq(r->segments[0], "cosmos"))
        azure_gateway(r);
    else if (azure_path_is(r, "metadata/endpoints"))
        describe_cloud(r);
    else if (!azure_entra(r, call)) {
        azure_reply_begin(r);
        azure_front_door_error(
            r, 404, "NotFound", "fake-azure knows nothing at '%s' (text of fake-azure).", r->http->path);
    }
}

static void handle(
    struct fake_azure *azure, struct httpd_exchange *exchange, const struct httpd_request *request, bool to_imds)
{
    azure_trace(request);
    struct fake_call *call = fake_call_begin(azure->core, exchange, request);
    _cleanup_(fake_reply_done) struct fake_reply reply = FAKE_REPLY_INIT;

    if (!call)
        return;
    struct azure_request r = {
        .azure = azure, .http = request, .exchange = exchange, .reply = &reply, .now_ms = fake_core_now(azure->core)};
    cut_into_segments(&r);
    (void)pthread_mutex_lock(&azure->lock);
    azure_model_advance(azure->model, r.now_ms);
    if (to_imds)
        azure_imds(&r);
    else
        answer(&r, call);
    (void)pthread_mutex_unlock(&azure->lock);
    free(r.copy);
    if (reply.status == 200)
        reply.status_text = "Ok"; /* so it stands in recordings */
    fake_call_reply(call, &reply);
}

static void handle_cloud(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    handle(ctx, exchange, request, false);
}

static void handle_imds(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    handle(ctx, exchange, request, true);
}

static int load_identities(struct settings *s, struct err *err)
{
    for (size_t i = 0; i <= s->identities.n; i++) {
        _cleanup_(json_freep) cJSON *resource = cJSON_CreateObject();
        json_add_string(resource, "id", i < s->identities.n ? s->identities.v[i] : demo_identity);
        if (azure_model_put_resource(s->azure.model, resource, err) < 0)
            return err_wrap(err, "--identity");
    }
    return 0;
}

static int load_seed(struct settings *s, struct err *err)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(SEED_MAX);
    _cleanup_(json_freep) cJSON *seed = NULL;

    if (!s->accounts_file)
        return 0;
    if (file_read(s->accounts_file, &text, err) < 0)
        return -1;
    if (json_parse(&seed, buf_str(&text), text.len, err) < 0 ||
        azure_model_load(s->azure.model, seed, fake_core_now(s->azure.core), err) < 0)
        return err_wrap(err, "%s", s->accounts_file);
    return 0;
}

static int parse(struct settings *s, int argc, char **argv, struct err *err)
{
    const struct fake_option options[] = {
        FAKE_PROCESS_OPTIONS(&s->process),
        {"accounts", "FILE", FAKE_STRING, &s->accounts_file, "seed of accounts, JSON (see below)"},
        {"identity", "ID", FAKE_STRINGS, &s->identities, "a user-assigned identity that exists; may be repeated"},
        {"tenant", "GUID", FAKE_STRING, &s->azure.tenant, "the tenant (00000000-0000-0000-0000-00000000000a)"},
        {"client-id", "GUID", FAKE_STRING, &s->azure.client_id, "the one known application; any, when not given"},
        {"client-secret", "TEXT", FAKE_STRING, &s->azure.client_secret, "its secret; any, when not given"},
        {"client-certificate", "FILE", FAKE_STRING, &s->client_certificate,
            "PEM of the certificate that client assertions must be signed with; unverified, when not given"},
        {"refuse-ps256", NULL, FAKE_FLAG, &s->azure.refuse_ps256, "take client assertions with RS256 only"},
        {"imds", NULL, FAKE_FLAG, &s->imds, "also be a machine's instance metadata service, see GET /fake/imds"},
        {"imds-port", "PORT", FAKE_INT, &s->imds_port, "its port, over plain HTTP; 0 takes a free one (0)"},
        {"cosmos-suffix", "NAME", FAKE_STRING, &s->azure.cosmos_suffix,
            "the suffix of accounts in /metadata/endpoints (documents.azure.com)"},
        {"token-seconds", "S", FAKE_SECONDS, &s->azure.token_ms, "lifetime of tokens (3599)"},
        {"identity-seconds", "S", FAKE_SECONDS, &s->model.identity_ms, "time of operations that set no key (1)"},
        {"encrypt-seconds", "S", FAKE_SECONDS, &s->model.encrypt_ms, "time of operations that set the key (5)"},
        {"enqueued-seconds", "S", FAKE_SECONDS, &s->model.enqueued_ms, "time in Enqueued before Dequeued (0.5)"},
        {"retention-seconds", "S", FAKE_SECONDS, &s->model.retention_ms,
            "how long a finished operation can be read (86400)"},
        {"retry-after", "N", FAKE_INT, &s->azure.retry_after, "Retry-After about running operations; 0, none (0)"},
        {"page-size", "N", FAKE_INT, &s->model.page_size,
            "accounts in a page of a list, from api-version 2026-07-15 on; 0, no paging (0)"},
        {"key-visible", "early|late", FAKE_STRING, &s->key_visible, "when GET shows the new key (late)"},
        {"vault-suffix", "NAME", FAKE_STRING, &s->model.vault_suffix,
            "one more suffix of key vault hosts, and the one in /metadata/endpoints"},
        {"identity-resets-default", NULL, FAKE_FLAG, &s->model.identity_resets_default,
            "an identity update makes defaultIdentity \"undefined\""},
        {"rotation-is-noop", NULL, FAKE_FLAG, &s->model.rotation_is_noop, "setting the same key again ends at once"},
        {"throttle", NULL, FAKE_FLAG, &s->azure.throttle, "refuse with 429 when a token bucket is empty"},
        {"reads", "N", FAKE_INT, &s->azure.reads_max, "size of the bucket for reads (250)"},
        {"reads-per-second", "N", FAKE_INT, &s->azure.reads_per_second, "how fast it fills (25)"},
        {"writes", "N", FAKE_INT, &s->azure.writes_max, "size of the bucket for writes (200)"},
        {"writes-per-second", "N", FAKE_INT, &s->azure.writes_per_second, "how fast it fills (10)"},
    };
    _cleanup_(freep) char *more = xasprintf("%s%s", fake_core_help, azure_inspect_help);

    int parsed = fake_options_parse(options, ARRAY_LEN(options),
        "Entra ID and Azure Resource Manager for Cosmos DB accounts, for tests. Prints its URL when it serves.", more,
        argc, argv, err);
    if (parsed != 0)
        return parsed;
    if (!str_eq(s->key_visible, "early") && !str_eq(s->key_visible, "late"))
        return err_set(err, ERR_INVALID, "--key-visible is early or late");
    s->model.key_visible_early = str_eq(s->key_visible, "early");
    s->model.tenant = s->azure.tenant;
    if (s->model.vault_suffix)
        s->azure.vault_suffix = s->model.vault_suffix;

    s->model.gateway_url = s->azure.base_url; /* known when the server listens */
    return 0;
}

/* The server's thread runs already, but nobody knows its port before the ready file. */
static void name_url(struct settings *s, const char *scheme, const struct httpd_server *server, char ret[static 128])
{
    bool v6 = strchr(s->process.address, ':') != NULL;

    (void)pthread_mutex_lock(&s->azure.lock);
    (void)snprintf(
        ret, 128, "%s://%s%s%s:%d", scheme, v6 ? "[" : "", s->process.address, v6 ? "]" : "", httpd_port(server));
    (void)pthread_mutex_unlock(&s->azure.lock);
}

static int serve_imds(struct settings *s, struct httpd_server **ret, struct err *err)
{
    const struct httpd_options options = {
        .address = s->process.address, .port = (int)s->imds_port, .handler = handle_imds, .ctx = &s->azure};

    if (!s->imds)
        return 0;
    if (httpd_start(ret, &options, err) < 0)
        return err_wrap(err, "--imds");
    name_url(s, "http", *ret, s->azure.imds_url);
    return 0;
}

static int serve(struct settings *s, struct err *err)
{
    struct fake_azure *azure = &s->azure;
    _cleanup_(httpd_stopp) struct httpd_server *server = NULL, *imds = NULL;
    const struct httpd_options options = {.address = s->process.address,
        .port = (int)s->process.port,
        .tls_cert_file = s->process.cert_file,
        .tls_key_file = s->process.key_file,
        .max_body = 8u << 20,
        .handler = handle_cloud,
        .ctx = azure};

    if (httpd_start(&server, &options, err) < 0)
        return -1;
    name_url(s, "https", server, azure->base_url);
    if (serve_imds(s, &imds, err) < 0 || fake_process_ready(&s->process, azure->base_url, err) < 0)
        return -1;
    fake_core_wait(azure->core);
    fake_core_shut(azure->core);
    return 0;
}

static int run(struct settings *s, struct err *err)
{
    struct fake_azure *azure = &s->azure;
    char secret[UUID_SIZE];

    if (fake_process_start(&s->process, err) < 0)
        return -1;
    if (s->client_certificate && azure_load_client_certificate(azure, s->client_certificate, err) < 0)
        return -1;
    random_uuid(secret);
    (void)pthread_mutex_init(&azure->lock, NULL);
    azure->core = fake_core_new();
    azure->model = azure_model_new(&s->model, secret);
    (void)str_copy(azure->token_secret, sizeof(azure->token_secret), azure->model->secret);
    int failed = load_identities(s, err) < 0 || load_seed(s, err) < 0 || serve(s, err) < 0;
    azure_limit_done(azure);
    (void)azure_model_free(azure->model);
    (void)fake_core_free(azure->core);
    X509_free(azure->client_certificate);
    (void)pthread_mutex_destroy(&azure->lock);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {.process = FAKE_PROCESS_INIT,
        .key_visible = "late",
        .model = {.identity_ms = 1000, .encrypt_ms = 5000, .enqueued_ms = 500, .retention_ms = 86400000},
        .azure = {.tenant = "00000000-0000-0000-0000-00000000000a",
            .vault_suffix = "vault.azure.net",
            .hsm_suffix = "managedhsm.azure.net",
            .cosmos_suffix = "documents.azure.com",
            .token_ms = 3599000,
            .reads_max = 250,
            .reads_per_second = 25,
            .writes_max = 200,
            .writes_per_second = 10}};
    struct err err = ERR_INIT;
    int parsed = parse(&settings, argc, argv, &err);

    if (parsed == 1)
        return 0;
    if (parsed < 0 || run(&settings, &err) < 0) {
        (void)fprintf(stderr, "fake-azure: %s\n", err.msg);
        return 1;
    }
    return 0;
}
