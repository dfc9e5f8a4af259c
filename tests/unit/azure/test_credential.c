/* Credentials: which one is chosen, what is sent for it, what the answers become, and that the secret shows nowhere. */
#include "unit.h"

#include "azure/credential.h"
#include "base/clock.h"
#include "base/str.h"
#include "fake_http.h"
#include "folder.h"
#include "signer.h"

#include <stdio.h>
#include <unistd.h>

#define TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define CLIENT "11112222-bbbb-3333-cccc-4444dddd5555"
#define SCOPE "https://management.azure.com/.default"
#define CANARY "c4n@ry/+&secret~"
#define CANARY_ENCODED "c4n%40ry%2F%2B%26secret~"
#define GRANTED(token)                                                                                                 \
    "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"" token "\"}"

static const struct azure_credential_options with_secret = {
    .tenant_id = TENANT, .client_id = CLIENT, .client_secret = CANARY};

struct world {
    struct fake_http *fake;
    struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct http_token_source source;
};

static void open_world(
    struct world *w, const struct azure_credential_options *options, const struct fake_answer *answers, size_t n)
{
    struct err err = ERR_INIT;

    *w = (struct world){.fake = fake_new(answers, n)};
    assert_int_equal(azure_cloud_new(&w->cloud, &(struct azure_cloud_options){0}, &err), 0);
    if (azure_credential_new(&w->credential, &w->fake->client, w->cloud, options, &err) < 0)
        fail_msg("%s", err.msg);
    w->source = azure_credential_source(w->credential, SCOPE);
}

static void close_world(struct world *w)
{
    azure_credential_free(w->credential);
    azure_cloud_free(w->cloud);
    fake_free(w->fake);
}

static int get(struct world *w, struct secret **ret, struct err *err)
{
    return w->source.token(w->source.ctx, ret, NULL, err);
}

static void assert_token(struct world *w, const char *expected)
{
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    if (get(w, &token, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(secret_reveal(token), expected);
}

/* --- choosing --- */

#define NO_AZ .az_program = "az-that-nobody-has"
#define NOT_SET                                                                                                        \
    "client secret: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not set; "                            \
    "client certificate: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH are not set; "             \
    "workload identity: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE are not set"

static void settings_decide_before_anybody_is_asked(void **state)
{
    static const struct {
        struct azure_credential_options options;
        enum azure_credential_kind kind;
        const char *passed_over;
    } rows[] = {
        {{TENANT, CLIENT, .client_secret = "s"}, AZURE_CLIENT_SECRET, ""},
        {{TENANT, CLIENT, .federated_token_file = "/f"}, AZURE_WORKLOAD_IDENTITY,
            "client secret: AZURE_CLIENT_SECRET is not set; "
            "client certificate: AZURE_CLIENT_CERTIFICATE_PATH is not set"},
        {{TENANT, CLIENT, .client_secret = "s", .certificate_path = "/c", .federated_token_file = "/f"},
            AZURE_CLIENT_SECRET, ""},
        {{"contoso.onmicrosoft.com", CLIENT, .client_secret = "", .federated_token_file = "/f"},
            AZURE_WORKLOAD_IDENTITY, NULL},
        {{TENANT, CLIENT, .client_secret = "s", .federated_token_file = "/f", .kind = "workload-identity"},
            AZURE_WORKLOAD_IDENTITY, ""},
        {{TENANT, CLIENT, .client_secret = "s", .kind = "managed-identity"}, AZURE_MANAGED_IDENTITY, ""},
        {{TENANT, CLIENT, .client_secret = "s", .kind = "auto"}, AZURE_CLIENT_SECRET, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        open_world(&w, &rows[i].options, NULL, 0);
        assert_int_equal(azure_credential_kind(w.credential), rows[i].kind);
        if (rows[i].passed_over)
            assert_string_equal(azure_credential_passed_over(w.credential), rows[i].passed_over);
        assert_int_equal(w.fake->n_seen, 0);
    }
}

static void a_machine_with_a_metadata_service_is_its_identity(void **state)
{
    static const struct azure_credential_options options = {NO_AZ, .proxy = "http://proxy.example"};
    static const struct fake_answer answers[] = {{.status = 400},
        {.status = 200, .body = "{\"access_token\":\"m\",\"expires_in\":\"3600\",\"token_type\":\"Bearer\"}"}};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &options, answers, ARRAY_LEN(answers));
    assert_int_equal(azure_credential_kind(w.credential), AZURE_MANAGED_IDENTITY);
    assert_string_equal(azure_credential_passed_over(w.credential), NOT_SET);
    assert_token(&w, "m");
    assert_token(&w, "m");
    assert_int_equal(w.fake->n_seen, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(str_has_prefix(w.fake->seen[i].url, "http://169.254.169.254/metadata/identity/oauth2/token?"));
        assert_false(w.fake->seen[i].proxied);
    }
    assert_null(strstr(w.fake->seen[1].url, "client_id"));
}

static void a_managed_identity_is_the_one_that_is_named_most_closely(void **state)
{
    static const struct {
        struct azure_credential_options options;
        const char *ends;
    } rows[] = {
        {{.kind = "managed-identity"}, "management.azure.com"},
        {{.kind = "managed-identity", .client_id = "c1"}, "&client_id=c1"},
        {{.kind = "managed-identity", .client_id = "c1", .managed_identity_client_id = "c2"}, "&client_id=c2"},
        {{.kind = "managed-identity", .client_id = "c1", .managed_identity_resource_id = "/r"}, "&msi_res_id=%2Fr"},
    };
    static const struct fake_answer answer = {.status = 200, .body = GRANTED("m")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_world) struct world w;
        open_world(&w, &rows[i].options, &answer, 1);
        assert_token(&w, "m");
        if (!str_has_suffix_nocase(w.fake->seen[0].url, rows[i].ends))
            fail_msg("row %zu: %s", i, w.fake->seen[0].url);
        assert_null(strstr(w.fake->seen[0].url, "c1&"));
    }
}

static void on_a_machine_without_one_it_is_whoever_is_logged_in(void **state)
{
    static const char script[] = "#!/bin/sh\n"
                                 "echo '{\"accessToken\":\"from-az\",\"expires_on\":4102444800}'\n";
    static const struct fake_answer answers[] = {{.fails = ERR_TIMEOUT}};
    _cleanup_(folder_freep) char *dir = folder_new();
    _cleanup_(freep) char *az = folder_write(dir, "az", script, strlen(script), 0700);
    const struct azure_credential_options options = {.az_program = az};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &options, answers, ARRAY_LEN(answers));
    assert_int_equal(azure_credential_kind(w.credential), AZURE_AZ_CLI);
    assert_string_equal(azure_credential_passed_over(w.credential),
        NOT_SET "; managed identity: no instance metadata service answers at http://169.254.169.254");
    assert_token(&w, "from-az");
    assert_int_equal(w.fake->n_seen, 1);
}

static void what_was_tried_and_why_it_does_not_serve_is_one_sentence(void **state)
{
    static const struct {
        struct azure_credential_options options;
        const char *says;
    } rows[] = {
        {{NO_AZ}, "no Azure credential serves (" NOT_SET
                  "; managed identity: no instance metadata service answers at http://169.254.169.254"
                  "; az CLI: the az CLI is not installed: there is no az-that-nobody-has in $PATH)"},
        {{TENANT, CLIENT, NO_AZ}, "(client secret: AZURE_CLIENT_SECRET is not set; client certificate: "
                                  "AZURE_CLIENT_CERTIFICATE_PATH is not set; workload identity: "
                                  "AZURE_FEDERATED_TOKEN_FILE is not set; "},
        {{NULL, CLIENT, .client_secret = CANARY, NO_AZ}, "(client secret: AZURE_TENANT_ID is not set; "},
        {{TENANT, "", .client_secret = CANARY, NO_AZ}, "(client secret: AZURE_CLIENT_ID is not set; "},
        {{"a/b", CLIENT, .client_secret = CANARY, NO_AZ}, "must be a GUID or a domain name"},
        {{"..", CLIENT, .client_secret = CANARY, NO_AZ}, "must be a GUID or a domain name"},
        {{"-x", CLIENT, .client_secret = CANARY, NO_AZ}, "must be a GUID or a domain name"},
        {{TENANT, CLIENT, .certificate_path = "/nowhere/c.pem", .certificate_password = CANARY, NO_AZ},
            "client certificate: cannot use the client certificate (AZURE_CLIENT_CERTIFICATE_PATH): cannot read "
            "/nowhere/c.pem: No such file"},
        {{.kind = "secret", .client_secret = CANARY},
            "the Azure credential asked for, client secret, does not serve: AZURE_TENANT_ID and AZURE_CLIENT_ID are "
            "not set"},
        {{.kind = "az-cli", NO_AZ}, "az CLI, does not serve: the az CLI is not installed"},
        {{.kind = "az-cli", .tenant_id = "--x", NO_AZ}, "must be a GUID or a domain name"},
        {{.kind = "password"}, "unknown kind of Azure credential \"password\": use auto, secret,"},
        {{.kind = "managed-identity", .managed_identity_client_id = "c", .managed_identity_resource_id = "r"},
            "by its client id or by its resource id"},
        {{.client_secret = CANARY, .imds_endpoint = "http://10.0.0.1"}, "must be a loopback or link-local address"},
    };
    static const struct fake_answer no_imds = {.fails = ERR_UNAVAILABLE, .maybe_sent = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(fake_freep) struct fake_http *fake = fake_new(&no_imds, 1);
        _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
        struct azure_credential *credential = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(azure_cloud_new(&cloud, &(struct azure_cloud_options){0}, &err), 0);
        assert_int_equal(azure_credential_new(&credential, &fake->client, cloud, &rows[i].options, &err), -1);
        assert_null(credential);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_false(err.maybe_sent);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\"", i, err.msg);
        assert_null(strstr(err.msg, CANARY));
    }
}

/* --- a certificate --- */

#define PASSWORD "p4ssw0rd-canary"

struct certificate_world {
    struct world w;
    struct signer signer;
    char *dir, *path;
};

static void open_certificate_world(struct certificate_world *c, const struct fake_answer *answers, size_t n)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);

    *c = (struct certificate_world){.signer = signer_new(EVP_RSA_gen(2048), -60, 3600), .dir = folder_new()};
    add_certificate(&pem, &c->signer);
    add_key(&pem, &c->signer, PASSWORD);
    c->path = folder_write(c->dir, "c.pem", buf_str(&pem), pem.len, 0);
    const struct azure_credential_options options = {
        TENANT, CLIENT, .certificate_path = c->path, .certificate_password = PASSWORD};
    open_world(&c->w, &options, answers, n);
}

static void close_certificate_world(struct certificate_world *c)
{
    close_world(&c->w);
    signer_done(&c->signer);
    folder_free(c->dir);
    free(c->path);
}

/* The JWT's first bytes are those of its header, and that begins with the algorithm. */
static void assert_algorithm(const struct fake_request *seen, const char *expected)
{
    const char *jwt = seen->body ? strstr(seen->body, "&client_assertion=") : NULL;
    unsigned char header[512];

    assert_non_null(jwt);
    jwt += strlen("&client_assertion=");
    size_t n = decode_base64url(jwt, strcspn(jwt, "."), header, sizeof(header) - 1);
    header[n] = '\0';
    assert_non_null(strstr((const char *)header, expected));
}

#define ALGORITHM_REFUSED                                                                                              \
    "{\"error\":\"invalid_request\",\"error_description\":\"AADSTS5002738: Invalid JWT token. 'PS256' is not a "       \
    "supported signature algorithm.\"}"

static void a_certificate_signs_an_assertion_in_place_of_a_secret(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("c")}};
    _cleanup_(close_certificate_world) struct certificate_world c;

    (void)state;
    open_certificate_world(&c, answers, ARRAY_LEN(answers));
    assert_int_equal(azure_credential_kind(c.w.credential), AZURE_CLIENT_CERTIFICATE);
    assert_token(&c.w, "c");
    const struct fake_request *seen = &c.w.fake->seen[0];
    assert_true(str_has_prefix(seen->body,
        "client_id=" CLIENT "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials"
        "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="));
    assert_algorithm(seen, "\"alg\":\"PS256\"");
    assert_null(strstr(seen->body, PASSWORD));
}

static void rs256_is_tried_once_and_kept_when_it_serves(void **state)
{
    static const struct fake_answer answers[] = {{.status = 400, .body = ALGORITHM_REFUSED},
        {.status = 200, .body = GRANTED("one")}, {.status = 200, .body = GRANTED("two")}};
    _cleanup_(close_certificate_world) struct certificate_world c;
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    open_certificate_world(&c, answers, ARRAY_LEN(answers));
    if (get(&c.w, &token, &err) < 0)
        fail_msg("%s", err.msg);
    c.w.source.rejected(c.w.source.ctx, token);
    assert_token(&c.w, "two");
    assert_int_equal(c.w.fake->n_seen, 3);
    assert_algorithm(&c.w.fake->seen[0], "\"alg\":\"PS256\"");
    assert_algorithm(&c.w.fake->seen[1], "\"alg\":\"RS256\"");
    assert_algorithm(&c.w.fake->seen[2], "\"alg\":\"RS256\"");
}

static void only_a_refusal_that_may_be_about_the_algorithm_brings_rs256(void **state)
{
    static const struct {
        struct fake_answer answers[2];
        size_t asked;
        const char *says;
    } rows[] = {
        {{{.status = 401,
             .body = "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700016: no such "
                     "application\"}"}},
            1, "AADSTS700016"},
        {{{.status = 503}}, 1, "answered 503"},
        {{{.fails = ERR_UNAVAILABLE, .maybe_sent = true}}, 1, "no answer"},
        {{{.status = 400, .body = ALGORITHM_REFUSED},
             {.status = 401, .body = "{\"error\":\"x\",\"error_description\":\"AADSTS700027: not registered\"}"}},
            2, "AADSTS700027: not registered"},
        {{{.status = 401, .body = "{\"error\":\"x\",\"error_description\":\"AADSTS700027: invalid signature\"}"},
             {.status = 400, .body = ALGORITHM_REFUSED}},
            2, "AADSTS5002738"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(close_certificate_world) struct certificate_world c;
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        open_certificate_world(&c, rows[i].answers, ARRAY_LEN(rows[i].answers));
        assert_int_equal(get(&c.w, &token, &err), -1);
        if (!strstr(err.msg, rows[i].says) || c.w.fake->n_seen != rows[i].asked)
            fail_msg("row %zu: \"%s\" after %zu", i, err.msg, c.w.fake->n_seen);
        assert_false(err.maybe_sent);
        assert_null(strstr(err.msg, PASSWORD));
    }
}

static void a_renewed_certificate_serves_at_the_next_token(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = GRANTED("one")}, {.status = 200, .body = GRANTED("two")}};
    _cleanup_(close_certificate_world) struct certificate_world c;
    _cleanup_(signer_done) struct signer renewed = signer_new(EVP_RSA_gen(2048), -60, 3600);
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE], header[512];
    struct err err = ERR_INIT;
    unsigned n = 0;

    (void)state;
    open_certificate_world(&c, answers, ARRAY_LEN(answers));
    assert_int_equal(get(&c.w, &token, &err), 0);
    c.w.source.rejected(c.w.source.ctx, token);
    add_certificate(&pem, &renewed);
    add_key(&pem, &renewed, PASSWORD);
    free(folder_write(c.dir, "c.pem", buf_str(&pem), pem.len, 0));
    assert_token(&c.w, "two");

    (void)X509_digest(renewed.x509, EVP_sha256(), digest, &n);
    const char *jwt = strstr(c.w.fake->seen[1].body, "&client_assertion=") + strlen("&client_assertion=");
    header[decode_base64url(jwt, strcspn(jwt, "."), header, sizeof(header) - 1)] = '\0';
    const char *thumbprint = strstr((const char *)header, "\"x5t#S256\":\"") + strlen("\"x5t#S256\":\"");
    unsigned char named[64];
    assert_int_equal(decode_base64url(thumbprint, strcspn(thumbprint, "\""), named, sizeof(named)), n);
    assert_memory_equal(named, digest, n);
}

/* --- what is sent --- */

static void a_secret_is_exchanged_for_a_token(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("eyJ.first")}};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_token(&w, "eyJ.first");
    assert_token(&w, "eyJ.first");
    assert_int_equal(w.fake->n_seen, 1);
    const struct fake_request *seen = &w.fake->seen[0];
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->url, "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token");
    assert_string_equal(seen->body,
        "client_id=" CLIENT "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials"
        "&client_secret=" CANARY_ENCODED);
    assert_non_null(strstr(seen->headers, "Content-Type: application/x-www-form-urlencoded\n"));
    assert_null(strstr(seen->headers, "Authorization"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void the_federated_token_is_read_again_for_each_exchange(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = GRANTED("one")}, {.status = 200, .body = GRANTED("two")}};
    char path[] = "/tmp/cosmoscmk-token-XXXXXX";
    int fd = mkstemp(path);
    const struct azure_credential_options options = {
        .tenant_id = TENANT, .client_id = CLIENT, .federated_token_file = path};
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    {
        _cleanup_(close_world) struct world w;
        open_world(&w, &options, answers, ARRAY_LEN(answers));
        write_file(path, "aaa.bbb.ccc\n");
        assert_int_equal(get(&w, &token, &err), 0);
        w.source.rejected(w.source.ctx, token);
        write_file(path, "ddd.eee.fff");
        assert_token(&w, "two");
        const char *form =
            "client_id=" CLIENT "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&grant_type=client_credentials"
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
            "&client_assertion=";
        assert_true(str_has_prefix(w.fake->seen[0].body, form));
        assert_string_equal(w.fake->seen[0].body + strlen(form), "aaa.bbb.ccc");
        assert_string_equal(w.fake->seen[1].body + strlen(form), "ddd.eee.fff");
    }
    (void)unlink(path);
}

static void a_token_file_that_cannot_be_used_is_no_answer_of_azure(void **state)
{
    static const struct {
        const char *content; /* NULL: no file */
        const char *says;
    } rows[] = {
        {NULL, "No such file"},
        {"", "is empty"},
        {" \n", "is empty"},
        {"aaa bbb " CANARY, "holds something that is not a token"},
        {"\x7f"
         "ELF",
            "holds something that is not a token"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[] = "/tmp/cosmoscmk-token-XXXXXX";
        int fd = mkstemp(path);
        const struct azure_credential_options options = {
            .tenant_id = TENANT, .client_id = CLIENT, .federated_token_file = path};
        _cleanup_(close_world) struct world w;
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        assert_true(fd >= 0);
        (void)close(fd);
        if (rows[i].content)
            write_file(path, rows[i].content);
        else
            (void)unlink(path);
        open_world(&w, &options, NULL, 0);
        assert_int_equal(get(&w, &token, &err), -1);
        (void)unlink(path);
        assert_int_equal(err.kind, ERR_UNAUTHORIZED);
        assert_non_null(strstr(err.msg, path));
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\"", i, err.msg);
        assert_null(strstr(err.msg, CANARY));
        assert_int_equal(w.fake->n_seen, 0);
    }
}

/* --- what comes back --- */

static void numbers_may_be_strings_and_bearer_any_case(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200, .body = "{\"token_type\":\"bearer\",\"expires_in\":\"3599\",\"access_token\":\"t\"}"}};
    _cleanup_(close_world) struct world w;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_token(&w, "t");
    assert_token(&w, "t");
}

#define REFUSED(code, text)                                                                                            \
    "{\"error\":\"" code "\",\"error_description\":\"" text                                                            \
    "\\r\\nTrace ID: t\\r\\nCorrelation ID: c\\r\\nTimestamp: 2016-01-09 02:02:12Z\",\"error_codes\":[7000215]}"

static const struct refusal {
    struct fake_answer answer;
    enum err_kind kind;
    const char *code;
    const char *says;
    int64_t retry_after_ms;
} refusals[] = {
    {{.status = 401, .body = REFUSED("invalid_client", "AADSTS7000215: Invalid client secret provided.")},
        ERR_UNAUTHORIZED, "AADSTS7000215", "refused the credential: AADSTS7000215: Invalid client secret provided.",
        -1},
    {{.status = 400, .body = REFUSED("invalid_request", "AADSTS90002: Tenant 'x' not found.")}, ERR_UNAUTHORIZED,
        "AADSTS90002", "AADSTS90002: Tenant 'x' not found.", -1},
    {{.status = 400, .body = REFUSED("unauthorized_client", "Something else.")}, ERR_UNAUTHORIZED, "AADSTS7000215",
        "Something else.", -1},
    {{.status = 400, .body = "{\"error\":\"invalid_scope\"}"}, ERR_UNAUTHORIZED, "invalid_scope", "invalid_scope", -1},
    {{.status = 400, .body = "{\"error\":\"temporarily_unavailable\",\"error_description\":\"AADSTS90033: later\"}"},
        ERR_UNAVAILABLE, "AADSTS90033", "AADSTS90033: later", -1},
    {{.status = 429, .body = REFUSED("x", "AADSTS90055: slow down"), .headers = "retry-after: 12\n"}, ERR_THROTTLED,
        "AADSTS90055", "slow down", 12000},
    {{.status = 503, .body = ""}, ERR_UNAVAILABLE, "", "answered 503", -1},
    {{.status = 400, .body = "{}"}, ERR_UNAUTHORIZED, "", "answered 400 without saying why", -1},
    {{.status = 400, .body = REFUSED("\\nx", "AADSTS1: a\\tb\\u001b[0m")}, ERR_UNAUTHORIZED, "AADSTS1",
        "AADSTS1: a b [0m", -1},
    {{.status = 200, .body = "<!DOCTYPE html><html>Sign in " CANARY "</html>", .headers = "content-type: text/html\n"},
        ERR_PROTOCOL, "", "an HTML page instead of JSON", -1},
    {{.status = 407, .body = "<html>"}, ERR_PROTOCOL, "", "an HTML page instead of JSON", -1},
    {{.status = 200, .body = "ok " CANARY}, ERR_PROTOCOL, "", "something that is not JSON", -1},
    {{.status = 302, .headers = "location: https://evil.example\n"}, ERR_PROTOCOL, "", "never followed", -1},
    {{.status = 200, .body = "{}"}, ERR_PROTOCOL, "", "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\\nb\"}"},
        ERR_PROTOCOL, "", "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"\"}"}, ERR_PROTOCOL, "",
        "access_token", -1},
    {{.status = 200, .body = "{\"token_type\":\"mac\",\"expires_in\":3599,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "",
        "token_type", -1},
    {{.status = 200, .body = "{\"expires_in\":3599,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "", "token_type", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"access_token\":\"a\"}"}, ERR_PROTOCOL, "", "expires_in", -1},
    {{.status = 200, .body = "{\"token_type\":\"Bearer\",\"expires_in\":-5,\"access_token\":\"a\"}"}, ERR_PROTOCOL, "",
        "expires_in", -1},
    {{.status = 400, .body = REFUSED("invalid_client", "AADSTS7000215: you sent " CANARY " to us")}, ERR_UNAUTHORIZED,
        "", "withheld", -1},
    {{.status = 400, .body = REFUSED("invalid_client", "AADSTS7000215: you sent " CANARY_ENCODED)}, ERR_UNAUTHORIZED,
        "", "withheld", -1},
    {{.status = 400, .body = "{\"error\":\"" CANARY "\"}"}, ERR_UNAUTHORIZED, "", "withheld", -1},
    {{.fails = ERR_TIMEOUT, .maybe_sent = true}, ERR_TIMEOUT, "", "no answer", -1},
    {{.fails = ERR_TLS}, ERR_TLS, "", "no answer", -1},
};

static void every_refusal_says_what_to_do_and_never_the_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        _cleanup_(close_world) struct world w;
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        open_world(&w, &with_secret, &r->answer, 1);
        assert_int_equal(get(&w, &token, &err), -1);
        assert_null(token);
        if (err.kind != r->kind || strcmp(err.code, r->code) != 0 || !strstr(err.msg, r->says))
            fail_msg("row %zu: %s \"%s\" \"%s\"", i, err_kind_name(err.kind), err.code, err.msg);
        assert_true(
            str_has_prefix(err.msg, "cannot get a token for " SCOPE " from https://login.microsoftonline.com: "));
        assert_null(strstr(err.msg, CANARY));
        assert_null(strstr(err.msg, CANARY_ENCODED));
        assert_null(strstr(err.code, CANARY));
        assert_null(strstr(err.msg, "Trace ID"));
        assert_false(err.maybe_sent);
        assert_int_equal(err.retry_after_ms, r->retry_after_ms);
    }
}

/* --- sharing --- */

static void a_refused_token_is_fetched_anew_and_each_scope_has_its_own(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("one")},
        {.status = 200, .body = GRANTED("two")}, {.status = 200, .body = GRANTED("three")}};
    _cleanup_(secret_unrefp) struct secret *token = NULL, *other = NULL;
    _cleanup_(close_world) struct world w;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    assert_int_equal(get(&w, &token, &err), 0);
    w.source.rejected(w.source.ctx, token);
    assert_token(&w, "two");
    w.source.rejected(w.source.ctx, token);
    assert_token(&w, "two");

    struct http_token_source same = azure_credential_source(w.credential, SCOPE);
    assert_ptr_equal(same.ctx, w.source.ctx);
    struct http_token_source source = azure_credential_source(w.credential, "https://cosmos.azure.com/.default");
    assert_int_equal(source.token(source.ctx, &other, NULL, &err), 0);
    assert_string_equal(secret_reveal(other), "three");
    assert_non_null(strstr(w.fake->seen[2].body, "&scope=https%3A%2F%2Fcosmos.azure.com%2F.default&"));
    assert_token(&w, "two");
}

static void behind_the_auth_layer_a_401_costs_one_new_token(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("one")}, {.status = 401},
        {.status = 200, .body = GRANTED("two")}, {.status = 200, .body = "done"}};
    const struct http_request request = {.method = "GET", .url = "https://management.azure.com/x"};
    _cleanup_(close_world) struct world w;
    struct http_response response;
    struct err err = ERR_INIT;

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    struct http_client *auth = http_auth_new(&w.fake->client, &w.source);
    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    assert_string_equal(buf_str(&response.body), "done");
    assert_non_null(strstr(w.fake->seen[1].headers, "Authorization: Bearer one\n"));
    assert_non_null(strstr(w.fake->seen[3].headers, "Authorization: Bearer two\n"));
    http_response_done(&response);
    (void)http_auth_free(auth);
}

static int slow_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    clock_sleep_ms(50); /* so that others arrive meanwhile; when they do not, they find the token in the cache */
    return fake_perform(self, request, response, err);
}

static void *caller(void *arg)
{
    struct world *w = arg;
    _cleanup_(secret_unrefp) struct secret *token = NULL;
    struct err err = ERR_INIT;

    return get(w, &token, &err) == 0 && str_eq(secret_reveal(token), "shared") ? w : NULL;
}

static void eight_threads_at_once_cause_one_exchange(void **state)
{
    static const struct fake_answer answers[] = {{.status = 200, .body = GRANTED("shared")}};
    _cleanup_(close_world) struct world w;
    pthread_t threads[8];

    (void)state;
    open_world(&w, &with_secret, answers, ARRAY_LEN(answers));
    w.fake->client.perform = slow_perform;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, caller, &w), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &w);
    }
    assert_int_equal(w.fake->n_seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_decide_before_anybody_is_asked),
        cmocka_unit_test(a_machine_with_a_metadata_service_is_its_identity),
        cmocka_unit_test(a_managed_identity_is_the_one_that_is_named_most_closely),
        cmocka_unit_test(on_a_machine_without_one_it_is_whoever_is_logged_in),
        cmocka_unit_test(what_was_tried_and_why_it_does_not_serve_is_one_sentence),
        cmocka_unit_test(a_certificate_signs_an_assertion_in_place_of_a_secret),
        cmocka_unit_test(rs256_is_tried_once_and_kept_when_it_serves),
        cmocka_unit_test(only_a_refusal_that_may_be_about_the_algorithm_brings_rs256),
        cmocka_unit_test(a_renewed_certificate_serves_at_the_next_token),
        cmocka_unit_test(a_secret_is_exchanged_for_a_token),
        cmocka_unit_test(the_federated_token_is_read_again_for_each_exchange),
        cmocka_unit_test(a_token_file_that_cannot_be_used_is_no_answer_of_azure),
        cmocka_unit_test(numbers_may_be_strings_and_bearer_any_case),
        cmocka_unit_test(every_refusal_says_what_to_do_and_never_the_secret),
        cmocka_unit_test(a_refused_token_is_fetched_anew_and_each_scope_has_its_own),
        cmocka_unit_test(behind_the_auth_layer_a_401_costs_one_new_token),
        cmocka_unit_test(eight_threads_at_once_cause_one_exchange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
