/* GET /metadata/identity/oauth2/token and what comes back.
 *
 * Format and rules of repetition: Microsoft Entra documentation, "How to use managed identities for Azure resources on
 * an Azure VM to acquire a token" (error handling, retry guidance). Numbers come as strings. */
#include "azure/imds.h"

#include "azure/token_answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "json/json.h"

#include <arpa/inet.h>
#include <string.h>

#define API_VERSION "2018-02-01"
#define ANSWER_MAX ((size_t)256 * 1024)
#define TIMEOUT_MS 10000
#define PROBE_TIMEOUT_MS 2000
#define WAIT_MAX_MS 60000

/* Before each repetition. The last one is for 410 alone, with which the service says that it is being updated, for up
 * to 70 seconds. */
static const int64_t waits_ms[] = {0, 2000, 6000, 14000, 30000, 30000};
#define WAITS ARRAY_LEN(waits_ms)
#define WAITS_ORDINARY (WAITS - 1)

/* --- where --- */

static bool is_near(const struct http_url *url)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (str_eq(url->host, "localhost"))
        return true;
    if (inet_pton(AF_INET, url->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127 || ntohl(v4.s_addr) >> 16 == 0xA9FE;
    return inet_pton(AF_INET6, url->host, &v6) == 1 && (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6));
}

int imds_endpoint_check(const char *endpoint, struct err *err)
{
    struct http_url url;

    if (http_url_parse(endpoint, &url, err) < 0)
        return err_wrap(err, "the endpoint of the instance metadata service cannot be used");
    if (!str_eq(url.scheme, "http") || url.has_userinfo || !(str_empty(url.path) || str_eq(url.path, "/")))
        return err_set(
            err, ERR_INVALID, "the endpoint of the instance metadata service must be only http://ADDRESS[:PORT]");
    if (!is_near(&url))
        return err_set(err, ERR_INVALID,
            "the endpoint of the instance metadata service must be a loopback or link-local address, not %s", url.host);
    return 0;
}

static void put_parameter(struct buf *url, const char *name, const char *value)
{
    if (str_empty(value))
        return;
    buf_printf(url, "&%s=", name);
    buf_put_urlencoded(url, value);
}

/* A scope is the resource with "/.default" behind it, to the byte: a resource may end in a slash of its own. */
static char *build_url(const struct imds_request *request)
{
    static const char suffix[] = "/.default";
    size_t n = strlen(request->scope);
    struct buf url = BUF_INIT(65536);

    if (str_has_suffix_nocase(request->scope, suffix))
        n -= strlen(suffix);
    _cleanup_(freep) char *resource = xstrndup(request->scope, n);
    buf_printf(&url, "%s/metadata/identity/oauth2/token?api-version=%s", request->endpoint, API_VERSION);
    put_parameter(&url, "resource", resource);
    put_parameter(&url, "client_id", request->client_id);
    put_parameter(&url, "msi_res_id", request->resource_id);
    return buf_take(&url);
}

/* --- what it says --- */

static void wipe_and_free(cJSON **tree)
{
    token_answer_wipe(*tree, "access_token");
    *tree = json_free(*tree);
}

static enum err_kind kind_of_refusal(int status)
{
    if (status == 429)
        return ERR_THROTTLED;
    if (status == 404 || status == 410 || status == 408 || status >= 500)
        return ERR_UNAVAILABLE;
    return status >= 400 ? ERR_UNAUTHORIZED : ERR_PROTOCOL;
}

static int refused(int status, const cJSON *tree, struct err *err)
{
    const char *error = json_string_at(tree, "error"), *description = json_string_at(tree, "error_description");
    _cleanup_(freep) char *text = xasprintf(
        "%.200s%s%.400s", error ? error : "", error && description ? ": " : "", description ? description : "");

    text[strcspn(text, "\r\n")] = '\0';
    token_one_line(text);
    return err_set(
        err, kind_of_refusal(status), "the instance metadata service answered %d%s%s", status, *text ? ": " : "", text);
}

static int read_answer(
    const struct http_response *response, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err)
{
    _cleanup_(wipe_and_free) cJSON *tree = NULL;
    int status = response->status;

    if (json_parse(&tree, buf_str(&response->body), response->body.len, NULL) < 0 || !cJSON_IsObject(tree)) {
        if (kind_of_refusal(status) == ERR_UNAUTHORIZED || kind_of_refusal(status) == ERR_PROTOCOL)
            return err_set(err, ERR_PROTOCOL,
                "the instance metadata service answered %d with something that is not JSON: is something else at its "
                "address?",
                status);
        return refused(status, NULL, err);
    }
    if (status != 200)
        return refused(status, tree, err);
    return token_answer_read(tree, "the instance metadata service", false, clock_wall_ms(), ret, ret_lifetime_ms, err);
}

/* One request; *ret_status is 0 when there was no answer. */
static int ask(const struct imds_request *request, const char *url, struct secret **ret, int64_t *ret_lifetime_ms,
    int *ret_status, struct err *err)
{
    struct http_response response;
    const struct http_request get = {
        .method = "GET",
        .url = url,
        .headers = {{"Metadata", "true"}, {"Accept", "application/json"}},
        .timeout_ms = TIMEOUT_MS,
        .max_body = ANSWER_MAX,
        .proxy = NULL, /* never: the address means this machine */
        .cancel = request->cancel,
        .label = "imds token",
    };

    http_response_init(&response);
    int r = http_do(request->http, &get, &response, err);
    *ret_status = r == 0 ? response.status : 0;
    if (r == 0)
        r = read_answer(&response, ret, ret_lifetime_ms, err);
    if (r < 0 && response.status) {
        err->http_status = response.status;
        err->retry_after_ms = http_response_retry_after_ms(&response, clock_wall_ms());
    }
    secret_wipe(response.body.data, response.body.cap);
    http_response_done(&response);
    return r;
}

/* --- again --- */

static bool may_pass(const struct err *err)
{
    return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_THROTTLED;
}

static int64_t wait_before(size_t attempt, const struct err *err)
{
    int64_t ms = waits_ms[attempt];

    if (err->retry_after_ms > ms)
        ms = err->retry_after_ms < WAIT_MAX_MS ? err->retry_after_ms : WAIT_MAX_MS;
    return ms;
}

int imds_token(const struct imds_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err)
{
    _cleanup_(freep) char *url = build_url(request);
    struct err e = ERR_INIT;

    for (size_t attempt = 0;; attempt++) {
        int status = 0;
        if (ask(request, url, ret, ret_lifetime_ms, &status, &e) == 0)
            return 0;
        if (!may_pass(&e) || attempt >= (status == 410 ? WAITS : WAITS_ORDINARY))
            break;
        if (request->wait(request->cancel, wait_before(attempt, &e))) {
            (void)err_set(&e, ERR_CANCELLED, "stopped while waiting for the instance metadata service");
            break;
        }
    }
    if (err)
        *err = e;
    return -1;
}

/* The service refuses what lacks the header "Metadata: true" with 400, at once and without doing anything. What answers
 * in another way at this address belongs to another cloud, or is Docker Desktop's network (403). */
int imds_probe(const struct imds_request *request, struct err *err)
{
    _cleanup_(freep) char *url = build_url(request);
    struct http_response response;
    const struct http_request get = {
        .method = "GET",
        .url = url,
        .connect_timeout_ms = PROBE_TIMEOUT_MS,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .max_body = ANSWER_MAX,
        .proxy = NULL,
        .cancel = request->cancel,
        .label = "imds probe",
    };

    http_response_init(&response);
    int r = http_do(request->http, &get, &response, err), status = response.status;
    http_response_done(&response);
    if (r < 0 && err && err->kind == ERR_CANCELLED)
        return -1;
    if (r < 0)
        return err_set(err, ERR_UNAVAILABLE, "no instance metadata service answers at %s", request->endpoint);
    if (status == 400 || status == 410 || status == 429 || status >= 500)
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "what answers at %s (with %d) is not Azure's instance metadata service",
        request->endpoint, status);
}
