/* Peers that do everything wrong, or mean harm: each is a clear error within a short time and nothing else, and a token
 * goes to nobody but the host that it is for. Servers are real, on loopback with TLS; every client layer is the
 * program's own. */
#include "unit.h"

#include "azure/cosmos.h"
#include "azure/credential.h"
#include "azure/limiter.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "certs.h"
#include "http/layer.h"
#include "scripted_server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define TOKEN "t0ken-that-nobody-else-may-see"
#define GRANT "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"" TOKEN "\"}"
#define ACCOUNT_ID                                                                                                     \
    "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/shop/providers/Microsoft.DocumentDB/"          \
    "databaseAccounts/orders"
#define BEGINS "{\"id\":\"" ACCOUNT_ID "\",\"name\":\"orders\",\"type\":\"Microsoft.DocumentDB/databaseAccounts\","
#define ACCOUNT BEGINS "\"properties\":{\"provisioningState\":\"Succeeded\"}}"
#define MEGABYTE ((size_t)1 << 20)
#define LIMIT_MS 30000 /* generous: a loaded machine must not fail, a hang must */

/* ---- what a server does ---- */

enum trick {
    PLAIN,        /* this status, these headers, this body */
    ENDLESS,      /* a body without length and without end */
    TEN_GB,       /* one that announces 10 GB and means it */
    CHUNKED,      /* one of chunks without end */
    BIG_HEADER,   /* one header of a megabyte */
    MANY_HEADERS, /* headers without end */
    DEEP,         /* JSON, 100,000 levels deep */
    RAW_NUL,      /* a NUL byte in a string */
    NO_HTTP,      /* something else than HTTP */
};

struct play {
    enum trick trick;
    const char *status;  /* NULL: "200 OK" */
    const char *headers; /* with line ends; may be NULL */
    const char *body;    /* may be NULL */
};

struct stage {
    const struct play *play;
    atomic_int requests, authorized; /* the second: that carry an Authorization header or the token anywhere */
    struct scripted_server *server;
};

static void pour(struct scripted_conn *conn, const char *before, const char *again)
{
    char block[16384];
    size_t n = 0;

    for (size_t len = strlen(again); n + len <= sizeof(block); n += len)
        memcpy(block + n, again, len);
    if (!scripted_puts(conn, before))
        return;
    while (scripted_send(conn, block, n))
        ;
}

static void send_body(struct scripted_conn *conn, const struct play *play, const char *body, size_t len)
{
    _cleanup_(freep) char *head = xasprintf("HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
        play->status ? play->status : "200 OK", play->headers ? play->headers : "", len);

    if (scripted_puts(conn, head))
        (void)scripted_send(conn, body, len);
}

static void send_deep(struct scripted_conn *conn, const struct play *play)
{
    const size_t levels = 100000;
    char *body = xmalloc(2 * levels);

    memset(body, '[', levels);
    memset(body + levels, ']', levels);
    send_body(conn, play, body, 2 * levels);
    free(body);
}

static void send_big_header(struct scripted_conn *conn)
{
    char *value = xmalloc(MEGABYTE);

    memset(value, 'x', MEGABYTE);
    if (scripted_puts(conn, "HTTP/1.1 200 OK\r\nX-Big: "))
        (void)scripted_send(conn, value, MEGABYTE);
    (void)scripted_puts(conn, "\r\nContent-Length: 2\r\n\r\n{}");
    free(value);
}

static void perform_trick(struct scripted_conn *conn, const struct play *play)
{
    static const char nul[] = BEGINS "\"location\":\"we\0st\",\"properties\":{}}";

    switch (play->trick) {
    case PLAIN:
        send_body(conn, play, play->body ? play->body : "", play->body ? strlen(play->body) : 0);
        break;
    case ENDLESS:
        pour(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"x\":\"", "endless ");
        break;
    case TEN_GB:
        pour(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n{\"x\":\"", "10 GB of this ");
        break;
    case CHUNKED:
        pour(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\nendless \r\n");
        break;
    case BIG_HEADER:
        send_big_header(conn);
        break;
    case MANY_HEADERS:
        pour(conn, "HTTP/1.1 200 OK\r\n", "X-More: and more\r\n");
        break;
    case DEEP:
        send_deep(conn, play);
        break;
    case RAW_NUL:
        send_body(conn, play, nul, sizeof(nul) - 1);
        break;
    case NO_HTTP:
        (void)scripted_puts(conn, "SSH-2.0-OpenSSH_9.2\r\n");
        break;
    }
}

static void serve(struct scripted_conn *conn, void *ctx)
{
    struct stage *stage = ctx;

    for (const char *request; (request = scripted_read_request(conn));) {
        stage->requests++;
        if (str_find_nocase(request, "\nauthorization:") || strstr(request, TOKEN))
            stage->authorized++;
        perform_trick(conn, stage->play);
        if (stage->play->trick != PLAIN && stage->play->trick != DEEP && stage->play->trick != RAW_NUL)
            return;
    }
}

/* ---- the client: all layers as in the program ---- */

struct rig {
    struct test_cert cert;
    struct http_tls *tls;
    struct stage arm_stage, entra_stage, elsewhere;
    struct http_engine *engine;
    struct azure_cloud *cloud;
    struct azure_credential *credential;
    struct http_client *auth, *limiter;
    struct arm_client *arm;
    struct arm_id id;
};

static const struct play granted = {.body = GRANT}, good = {.body = ACCOUNT};

static void stage_open(struct rig *rig, struct stage *stage, const struct play *play)
{
    const struct scripted_options options = {
        .handler = serve, .ctx = stage, .cert_pem = rig->cert.cert_pem, .key_pem = rig->cert.key_pem};

    stage->play = play;
    stage->server = scripted_start(&options);
}

static char *origin(const struct stage *stage)
{
    return xstrdup(scripted_url(stage->server, ""));
}

static void make_client(struct rig *rig)
{
    _cleanup_(freep) char *arm = origin(&rig->arm_stage), *entra = origin(&rig->entra_stage);
    const struct azure_cloud_options cloud = {
        .arm_endpoint = arm, .arm_scope = "https://management.azure.com/.default", .authority_host = entra};
    const struct azure_credential_options credential = {
        .tenant_id = TENANT, .client_id = TENANT, .client_secret = "s3cret", .tls = rig->tls};
    struct err err = ERR_INIT;

    if (azure_cloud_new(&rig->cloud, &cloud, &err) < 0 ||
        azure_credential_new(&rig->credential, http_engine_client(rig->engine), rig->cloud, &credential, &err) < 0)
        fail_msg("%s", err.msg);
    const struct http_token_source source = azure_credential_source(rig->credential, rig->cloud->arm_scope);
    rig->auth = http_auth_new(http_engine_client(rig->engine), &source);
    rig->limiter = limiter_new(rig->auth, NULL);
    const struct arm_options options = {.http = rig->limiter, .cloud = rig->cloud, .tls = rig->tls};
    if (arm_client_new(&rig->arm, &options, &err) < 0)
        fail_msg("%s", err.msg);
}

static void rig_open(struct rig *rig, const struct play *arm, const struct play *entra)
{
    const struct http_engine_options options = {.user_agent = "test"};
    struct err err = ERR_INIT;

    *rig = (struct rig){.cert = test_cert_make("127.0.0.1", "IP:127.0.0.1", NULL)};
    const struct http_tls_options tls = {.ca_pem = rig->cert.cert_pem};
    if (http_tls_new(&rig->tls, &tls, &err) < 0 || http_engine_new(&rig->engine, &options, &err) < 0 ||
        arm_id_parse(&rig->id, ACCOUNT_ID, &err) < 0)
        fail_msg("%s", err.msg);
    stage_open(rig, &rig->arm_stage, arm);
    stage_open(rig, &rig->entra_stage, entra);
    stage_open(rig, &rig->elsewhere, &good);
    make_client(rig);
}

static void rig_close(struct rig *rig)
{
    arm_client_free(rig->arm);
    limiter_free(rig->limiter);
    http_auth_free(rig->auth);
    azure_credential_free(rig->credential);
    azure_cloud_free(rig->cloud);
    http_engine_free(rig->engine);
    scripted_stop(rig->arm_stage.server);
    scripted_stop(rig->entra_stage.server);
    scripted_stop(rig->elsewhere.server);
    http_tls_unref(rig->tls);
    arm_id_done(&rig->id);
    test_cert_done(&rig->cert);
}

static int get_account(struct rig *rig, struct err *err)
{
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};

    return cosmos_account_get(rig->arm, &rig->id, &account, err);
}

/* ---- tests ---- */

struct row {
    const char *name;
    struct play play;
    enum err_kind kind;
};

static void check_sentence(const char *name, const struct err *err)
{
    if (err->msg[0] == '\0' || !utf8_valid(err->msg, strlen(err->msg)))
        fail_msg("%s: no sentence that can be shown", name);
    if (strstr(err->msg, TOKEN) || strstr(err->msg, "s3cret") || strchr(err->msg, '\n'))
        fail_msg("%s: %s", name, err->msg);
}

static void a_well_behaved_peer_is_understood(void **state)
{
    struct rig rig;
    struct err err = ERR_INIT;
    (void)state;

    rig_open(&rig, &good, &granted);
    if (get_account(&rig, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(rig.arm_stage.authorized, 1);
    rig_close(&rig);
}

/* "%s" in the headers stands for the origin of the other server. */
static const struct row arm_rows[] = {
    {"a redirect to another host", {.status = "302 Found", .headers = "Location: %s/\r\n"}, ERR_PROTOCOL},
    {"a redirect that keeps the method", {.status = "307 Temporary Redirect", .headers = "Location: %s/\r\n"},
        ERR_PROTOCOL},
    {"a redirect for ever", {.status = "308 Permanent Redirect", .headers = "Location: %s/\r\n"}, ERR_PROTOCOL},
    {"a body without end", {.trick = ENDLESS}, ERR_TOO_LARGE},
    {"a body of 10 GB", {.trick = TEN_GB}, ERR_TOO_LARGE},
    {"chunks without end", {.trick = CHUNKED}, ERR_TOO_LARGE},
    {"a header of a megabyte", {.trick = BIG_HEADER}, ERR_TOO_LARGE},
    {"headers without end", {.trick = MANY_HEADERS}, ERR_TOO_LARGE},
    {"JSON 100,000 levels deep", {.trick = DEEP}, ERR_PROTOCOL},
    {"the same as an error", {.trick = DEEP, .status = "400 Bad Request"}, ERR_INVALID},
    {"bytes that are no UTF-8", {.body = BEGINS "\"location\":\"\xff\xfe\",\"properties\":{}}"}, ERR_PROTOCOL},
    {"an overlong encoding", {.body = BEGINS "\"location\":\"\xc0\xaf\",\"properties\":{}}"}, ERR_PROTOCOL},
    {"a NUL byte in a string", {.trick = RAW_NUL}, ERR_PROTOCOL},
    {"a NUL written as an escape", {.body = BEGINS "\"location\":\"we\\u0000st\",\"properties\":{}}"}, ERR_PROTOCOL},
    {"a name twice", {.body = BEGINS "\"name\":\"orders\",\"properties\":{}}"}, ERR_PROTOCOL},
    {"two properties", {.body = BEGINS "\"properties\":{},\"properties\":{\"keyVaultKeyUri\":\"x\"}}"}, ERR_PROTOCOL},
    {"a number where a text should be", {.body = BEGINS "\"location\":9007199254740993,\"properties\":{}}"},
        ERR_PROTOCOL},
    {"something after the end", {.body = ACCOUNT "{}"}, ERR_PROTOCOL},
    {"half an answer", {.body = BEGINS}, ERR_PROTOCOL},
    {"an empty answer", {.body = ""}, ERR_PROTOCOL},
    {"a proxy's page", {.headers = "Content-Type: text/html\r\n", .body = "<html>Sign in</html>"}, ERR_PROTOCOL},
    {"a page as an error", {.status = "403 Forbidden", .body = "<html>\x01 no \xff</html>"}, ERR_FORBIDDEN},
    {"an error of other types", {.status = "400 Bad Request", .body = "{\"error\":{\"code\":1,\"message\":[]}}"},
        ERR_INVALID},
    {"another account",
        {.body = "{\"id\":\"x\",\"name\":\"other\",\"type\":\"Microsoft.DocumentDB/"
                 "databaseAccounts\",\"properties\":{}}"},
        ERR_PROTOCOL},
    {"no HTTP", {.trick = NO_HTTP}, ERR_PROTOCOL},
};

static void check_row(const struct row *row, bool entra)
{
    struct rig rig;
    struct err err = ERR_INIT;
    struct play play = row->play;

    rig_open(&rig, entra ? &good : &play, entra ? &play : &granted);
    _cleanup_(freep) char *other = origin(&rig.elsewhere);
    const char *mark = play.headers ? strstr(play.headers, "%s") : NULL;
    _cleanup_(freep) char *headers =
        mark ? xasprintf("%.*s%s%s", (int)(mark - play.headers), play.headers, other, mark + 2) : NULL;
    if (headers)
        play.headers = headers;
    int64_t begin = clock_mono_ms();
    if (get_account(&rig, &err) == 0)
        fail_msg("%s: taken for an answer", row->name);
    if (err.kind != row->kind)
        fail_msg("%s: %s: %s", row->name, err_kind_name(err.kind), err.msg);
    check_sentence(row->name, &err);
    if (clock_mono_ms() - begin > LIMIT_MS)
        fail_msg("%s: took %lld ms", row->name, (long long)(clock_mono_ms() - begin));
    assert_int_equal(scripted_connections(rig.elsewhere.server), 0);
    assert_int_equal(rig.entra_stage.authorized, 0);
    if (entra)
        assert_int_equal(rig.arm_stage.requests, 0);
    rig_close(&rig);
}

static void whatever_arm_answers_is_a_clear_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(arm_rows); i++)
        check_row(&arm_rows[i], false);
}

static const struct row entra_rows[] = {
    {"a proxy's page", {.headers = "Content-Type: text/html\r\n", .body = "<html>Sign in</html>"}, ERR_PROTOCOL},
    {"a redirect to another host", {.status = "302 Found", .headers = "Location: %s/\r\n"}, ERR_PROTOCOL},
    {"a redirect that keeps the body", {.status = "307 Temporary Redirect", .headers = "Location: %s/\r\n"},
        ERR_PROTOCOL},
    {"a body without end", {.trick = ENDLESS}, ERR_TOO_LARGE},
    {"a body of 10 GB", {.trick = TEN_GB}, ERR_TOO_LARGE},
    {"a header of a megabyte", {.trick = BIG_HEADER}, ERR_TOO_LARGE},
    {"JSON 100,000 levels deep", {.trick = DEEP}, ERR_PROTOCOL},
    {"a lifetime beyond 2^53",
        {.body = "{\"token_type\":\"Bearer\",\"expires_in\":9007199254740993,\"access_token\":\"" TOKEN "\"}"},
        ERR_PROTOCOL},
    {"a token with a line break",
        {.body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\\r\\nX: y\"}"}, ERR_PROTOCOL},
    {"two tokens", {.body = "{\"expires_in\":3599,\"access_token\":\"a\",\"access_token\":\"b\"}"}, ERR_PROTOCOL},
    {"a NUL in the token", {.body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\\u0000b\"}"},
        ERR_PROTOCOL},
    {"no token", {.body = "{}"}, ERR_PROTOCOL},
};

static void whatever_the_token_endpoint_answers_is_a_clear_error_and_arm_is_not_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(entra_rows); i++)
        check_row(&entra_rows[i], true);
}

/* %1$s: the ARM server's "host:port"; %2$s: another server's. */
static const char *const poll_urls[] = {
    "https://%2$s/operationsStatus/1",
    "http://%1$s/operationsStatus/1",
    "https://%1$s@%2$s/operationsStatus/1",
    "https://user:pass@%1$s/operationsStatus/1",
    "https://@%1$s/operationsStatus/1",
    "https://%1$s.%2$s/operationsStatus/1",
    "https://%2$s\\@%1$s/operationsStatus/1",
    "https://%2$s#@%1$s/operationsStatus/1",
    "https://127.0.0.1/operationsStatus/1",
    "https://localhost/operationsStatus/1",
    "//%2$s/operationsStatus/1",
    "/operationsStatus/1",
    "file:///etc/passwd",
    "ftp://%1$s/operationsStatus/1",
    "https://",
    "",
};

static char *poll_url(const struct rig *rig, const char *format)
{
    _cleanup_(freep) char *arm = origin(&rig->arm_stage), *other = origin(&rig->elsewhere);
    struct buf b = BUF_INIT(4096);

    for (const char *p = format; *p; p++) {
        if (str_has_prefix(p, "%1$s") || str_has_prefix(p, "%2$s")) {
            buf_puts(&b, (p[1] == '1' ? arm : other) + strlen("https://"));
            p += 3;
        } else {
            buf_putc(&b, *p);
        }
    }
    return buf_take(&b);
}

static void a_poll_url_that_leads_elsewhere_is_not_followed(void **state)
{
    struct rig rig;
    (void)state;

    rig_open(&rig, &good, &granted);
    for (size_t i = 0; i < ARRAY_LEN(poll_urls); i++) {
        _cleanup_(arm_operation_done) struct arm_operation operation = {0};
        _cleanup_(freep) char *url = poll_url(&rig, poll_urls[i]);
        struct err err = ERR_INIT;
        if (arm_operation_get(rig.arm, url, &operation, &err) == 0 || err.kind != ERR_INVALID)
            fail_msg("%s: %s", url, err.msg);
        check_sentence(url, &err);
    }
    assert_int_equal(rig.arm_stage.requests + rig.entra_stage.requests + rig.elsewhere.requests, 0);
    assert_int_equal(scripted_connections(rig.elsewhere.server), 0);
    rig_close(&rig);
}

/* The change is accepted all the same: it runs, whatever the header says. */
static void a_poll_url_in_a_header_that_leads_elsewhere_is_dropped(void **state)
{
    struct rig rig;
    struct play play = good;
    (void)state;

    rig_open(&rig, &play, &granted);
    for (size_t i = 0; i < ARRAY_LEN(poll_urls) - 1; i++) {
        _cleanup_(cosmos_accepted_done) struct cosmos_accepted accepted = {0};
        _cleanup_(freep) char *url = poll_url(&rig, poll_urls[i]);
        _cleanup_(freep) char *headers = xasprintf("Azure-AsyncOperation: %s\r\n", url);
        struct err err = ERR_INIT, warning = ERR_INIT;
        play.headers = headers;
        if (cosmos_account_patch(rig.arm, &rig.id, "{}", NULL, &accepted, &warning, &err) < 0)
            fail_msg("%s: %s", url, err.msg);
        assert_null(accepted.status_url);
        assert_int_equal(warning.kind, ERR_INVALID);
        check_sentence(url, &warning);
    }
    assert_int_equal(scripted_connections(rig.elsewhere.server), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_well_behaved_peer_is_understood),
        cmocka_unit_test(whatever_arm_answers_is_a_clear_error),
        cmocka_unit_test(whatever_the_token_endpoint_answers_is_a_clear_error_and_arm_is_not_asked),
        cmocka_unit_test(a_poll_url_that_leads_elsewhere_is_not_followed),
        cmocka_unit_test(a_poll_url_in_a_header_that_leads_elsewhere_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
