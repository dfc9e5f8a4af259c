#include "conformance/rig.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/files.h"

#include <string.h>

#define READY_MS 60000
#define TENANT "00000000-0000-0000-0000-00000000000a"
#define CLIENT "00000000-0000-0000-0000-00000000000b"

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static void die_with_log(const char *what, const char *path)
{
    _cleanup_(buf_done) struct buf log = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    (void)file_read(path, &log, &err);
    (void)fprintf(stderr, "%s:\n%s%s\n", what, buf_str(&log), err.msg);
    exit(1);
}

static void start_process(struct rig *rig, const char *seed)
{
    _cleanup_(freep) char *tls = xasprintf("%s/tls", rig->dir), *ready = xasprintf("%s/url", rig->dir);
    _cleanup_(freep) char *accounts = xasprintf("%s/seed.json", rig->dir), *log = xasprintf("%s/log", rig->dir);
    const struct process_spec spec = {.name = "fake-azure",
        .argv = {E2E_BUILD "/tests/fakes/fake-azure", "--tls-dir", tls, "--ready-file", ready, "--accounts", accounts,
            "--parent-death"},
        .out = log};

    write_file(accounts, seed);
    rig->process = process_start(&spec);
    rig->url = await_line(ready, rig->process, READY_MS);
    if (!rig->url)
        die_with_log("fake-azure did not start", log);
}

static int connect(struct rig *rig, struct err *err)
{
    const struct http_engine_options engine = {.user_agent = "cosmoscmk-conformance"};
    const struct azure_cloud_options cloud = {.arm_endpoint = rig->url, .authority_host = rig->url};
    _cleanup_(freep) char *ca = xasprintf("%s/tls/ca.pem", rig->dir);
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);

    if (file_read(ca, &pem, err) < 0 ||
        http_tls_new(&rig->tls, &(struct http_tls_options){.ca_pem = buf_str(&pem)}, err) < 0 ||
        http_engine_new(&rig->engine, &engine, err) < 0 || azure_cloud_new(&rig->cloud, &cloud, err) < 0)
        return -1;
    const struct azure_credential_options credential = {
        .tenant_id = TENANT, .client_id = CLIENT, .client_secret = "secret", .tls = rig->tls};
    return azure_credential_new(&rig->credential, http_engine_client(rig->engine), rig->cloud, &credential, err);
}

struct rig *rig_start(const char *seed)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));
    struct err err = ERR_INIT;

    rig->dir = make_scratch(NULL);
    start_process(rig, seed);
    if (connect(rig, &err) < 0)
        die("cannot reach fake-azure", &err);
    const struct http_token_source source = azure_credential_source(rig->credential, rig->cloud->arm_scope);
    rig->auth = http_auth_new(http_engine_client(rig->engine), &source);
    rig->access = (struct scan_access){.arm_http = rig->auth,
        .http = http_engine_client(rig->engine),
        .cloud = rig->cloud,
        .credential = rig->credential,
        .tls = rig->tls,
        .loopback_host = "127.0.0.1"};
    return rig;
}

struct rig *rig_end(struct rig *rig)
{
    if (!rig)
        return NULL;
    (void)http_engine_free(rig->engine);
    (void)http_auth_free(rig->auth);
    (void)azure_credential_free(rig->credential);
    (void)http_tls_unref(rig->tls);
    (void)azure_cloud_free(rig->cloud);
    (void)process_end(rig->process);
    remove_tree(rig->dir);
    free(rig->dir);
    free(rig->url);
    free(rig);
    return NULL;
}

cJSON *rig_ask(struct rig *rig, const char *method, const char *path, const char *body)
{
    _cleanup_(freep) char *url = xasprintf("%s%s", rig->url, path);
    const struct http_request request = {.method = method,
        .url = url,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .tls = rig->tls,
        .max_body = 64u << 20};
    struct http_response response;
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (http_do(http_engine_client(rig->engine), &request, &response, &err) < 0)
        die(path, &err);
    if (response.body.len > 0 && json_parse(&tree, response.body.data, response.body.len, &err) < 0)
        die(path, &err);
    http_response_done(&response);
    return tree;
}

int rig_count(struct rig *rig, const char *path_contains)
{
    _cleanup_(freep) char *path = xasprintf("/fake/requests?pathContains=%s", path_contains);
    _cleanup_(json_freep) cJSON *list = rig_ask(rig, "GET", path, NULL);

    return cJSON_GetArraySize(list);
}
