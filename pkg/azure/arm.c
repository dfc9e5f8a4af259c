/* Requests to Azure Resource Manager.
 *
 * Invariant: every URL that leaves here is the configured endpoint with a checked path behind it, or passed
 * arm_poll_url_check; the token is added below (http/layer.h) and seen by nobody else. Repeating a request, waiting for
 * Retry-After and logging are the layers' business too. */
#include "azure/arm_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ANSWER_MAX ((size_t)8 * 1024 * 1024)
#define URL_MAX_BYTES ((size_t)16 * 1024)
#define TIMEOUT_MS 90000 /* ARM gives a resource provider 60 s and then answers 504 itself */

int arm_client_new(struct arm_client **ret, const struct arm_options *options, struct err *err)
{
    _cleanup_(arm_client_freep) struct arm_client *client = xcalloc(1, sizeof(*client));

    client->endpoint = xstrdup(options->cloud->arm_endpoint);
    if (http_url_parse(client->endpoint, &client->origin, err) < 0)
        return err_wrap(err, "the Azure Resource Manager endpoint cannot be used");
    client->http = options->http;
    client->tls = options->tls ? http_tls_ref(options->tls) : NULL;
    client->proxy = xstrdup(options->proxy);
    client->cancel = options->cancel;
    client->permit = options->permit;
    client->permit_ctx = options->permit_ctx;
    *ret = TAKE_PTR(client);
    return 0;
}

struct arm_client *arm_client_for(const struct arm_client *client, const char *caller)
{
    struct arm_client *copy = xcalloc(1, sizeof(*copy));

    *copy = *client;
    copy->endpoint = xstrdup(client->endpoint);
    copy->proxy = xstrdup(client->proxy);
    copy->tls = client->tls ? http_tls_ref(client->tls) : NULL;
    copy->caller = caller;
    return copy;
}

struct arm_client *arm_client_free(struct arm_client *client)
{
    if (!client)
        return NULL;
    free(client->endpoint);
    if (client->tls)
        (void)http_tls_unref(client->tls);
    free(client->proxy);
    free(client);
    return NULL;
}

void arm_response_done(struct arm_response *response)
{
    http_response_done(&response->http);
}

/* --- sending --- */

static const char *label_of(const char *method)
{
    static const char *const methods[] = {"GET", "PATCH", "PUT", "POST", "DELETE"};
    static const char *const labels[] = {"arm get", "arm patch", "arm put", "arm post", "arm delete"};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_eq(method, methods[i]))
            return labels[i];
    return "arm";
}

int arm_send(struct arm_client *client, const char *method, const char *url, const char *body, const char *correlation,
    struct arm_response *response, struct err *err)
{
    bool changes = !str_eq(method, "GET");
    char request_id[UUID_SIZE];
    struct http_request request = {
        .method = method,
        .url = url,
        .headers =
            {
                {"Accept", "application/json"},
                {"x-ms-correlation-request-id", response->correlation_id},
                {"x-ms-client-request-id", request_id},
                {body ? "Content-Type" : NULL, "application/json"},
            },
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .permit = changes ? client->permit : NULL,
        .permit_ctx = client->permit_ctx,
        .once = changes,
        .warm = true, /* whoever changes something has just read it */
        .timeout_ms = TIMEOUT_MS,
        .max_body = ANSWER_MAX,
        .tls = client->tls,
        .proxy = client->proxy,
        .cancel = client->cancel,
        .caller = client->caller,
        .label = label_of(method),
    };

    random_uuid(request_id);
    if (!correlation || !str_copy(response->correlation_id, sizeof(response->correlation_id), correlation))
        random_uuid(response->correlation_id);
    if (http_do(client->http, &request, &response->http, err) < 0) {
        /* Whether it may have arrived is known to the engine, and to the auth layer; a look has no outcome to know. */
        if (err && !changes)
            err->maybe_sent = false;
        return -1;
    }
    response->status = response->http.status;
    if (response->status >= 200 && response->status < 300)
        return 0;
    const struct arm_answer answer = {
        .status = response->status,
        .body = response->http.body.data,
        .len = response->http.body.len,
        .changes = changes,
        .retry_after_ms = http_response_retry_after_ms(&response->http, clock_wall_ms()),
    };
    return arm_error_set(&answer, err);
}

/* Nothing in a path may end it early, and nothing may walk up the tree. */
static bool path_is_safe(const char *path)
{
    if (path[0] != '/' || strpbrk(path, "?#\\"))
        return false;
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
        size_t n = p[0] == '/' ? strcspn(p + 1, "/") : 0;
        if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
            return false;
    }
    return true;
}

static void put_path(struct buf *url, const char *path)
{
    for (; *path; path++) {
        if ((unsigned char)*path < 0x80)
            buf_putc(url, *path);
        else
            buf_printf(url, "%%%02X", (unsigned char)*path);
    }
}

int arm_url_make(char **ret, const struct arm_client *client, const char *path, const char *api_version,
    const struct arm_query *query, struct err *err)
{
    _cleanup_(buf_done) struct buf url = BUF_INIT(URL_MAX_BYTES);

    if (!path_is_safe(path))
        return err_set(err, ERR_INVALID, "a path that would not mean itself in a URL was refused");
    buf_puts(&url, client->endpoint);
    put_path(&url, path);
    buf_puts(&url, "?api-version=");
    buf_put_urlencoded(&url, api_version);
    for (; query && query->name; query++) {
        buf_printf(&url, "&%s=", query->name);
        buf_put_urlencoded(&url, query->value);
    }
    if (url.overflow)
        return err_set(err, ERR_INVALID, "a path of more than %zu bytes was refused", URL_MAX_BYTES);
    *ret = buf_take(&url);
    return 0;
}

int arm_call(struct arm_client *client, const char *method, const char *path, const char *api_version, const char *body,
    const char *correlation, struct arm_response *response, struct err *err)
{
    _cleanup_(freep) char *url = NULL;

    *response = (struct arm_response){0};
    http_response_init(&response->http);
    if (arm_url_make(&url, client, path, api_version, NULL, err) < 0)
        return -1;
    return arm_send(client, method, url, body, correlation, response, err);
}

int arm_get(struct arm_client *client, const char *path, const char *api_version, const struct arm_query *query,
    struct arm_response *response, struct err *err)
{
    _cleanup_(freep) char *url = NULL;

    *response = (struct arm_response){0};
    http_response_init(&response->http);
    if (arm_url_make(&url, client, path, api_version, query, err) < 0)
        return -1;
    return arm_send(client, "GET", url, NULL, NULL, response, err);
}

/* Who lacks the right, which nobody else tells: "The client 'X' with object id 'GUID' does not have ...". */
static int caller_of(const char *message, const char **ret)
{
    static const char before[] = "with object id '";
    const char *found = strstr(message, before);

    *ret = found ? found + strlen(before) : "";
    return (int)strcspn(*ret, "'");
}

int arm_say_missing(struct err *err, const char *what, const char *right, const char *scope)
{
    const char *caller;

    if (!err || err->kind != ERR_FORBIDDEN)
        return err_wrap(err, "cannot read %s", what);
    if (strstr(err->msg, "grant the controller's identity")) /* the right to a part of it: that one is missing */
        return -1;
    if (!str_eq(err->code, "AuthorizationFailed"))
        return err_wrap(err, "cannot read %s: grant the controller's identity %s at %s", what, right, scope);
    /* Azure's own words would say the same once more. */
    int n = caller_of(err->msg, &caller);
    _cleanup_(freep) char *text = xasprintf("cannot read %s: grant the controller's identity%s%.*s%s %s at %s", what,
        n ? " (object id " : "", n, caller, n ? ")" : "", right, scope);
    (void)str_copy(err->msg, sizeof(err->msg), text);
    return -1;
}

/* --- URLs from Azure --- */

int arm_url_check(const struct arm_client *client, const char *url, const char *what, struct err *err)
{
    struct http_url parsed;

    if (strnlen(url, URL_MAX_BYTES + 1) > URL_MAX_BYTES)
        return err_set(err, ERR_INVALID, "%s is longer than %zu bytes", what, URL_MAX_BYTES);
    if (http_url_parse(url, &parsed, err) < 0)
        return err_wrap(err, "%s cannot be used", what);
    if (!str_eq(parsed.scheme, "https"))
        return err_set(err, ERR_INVALID, "%s is not https", what);
    if (parsed.has_userinfo)
        return err_set(err, ERR_INVALID, "%s has a user name in it", what);
    if (!str_eq(parsed.host, client->origin.host))
        return err_set(err, ERR_INVALID, "%s points at %s and not at %s", what, parsed.host, client->origin.host);
    if (parsed.port != client->origin.port)
        return err_set(err, ERR_INVALID, "%s points at port %d and not at %d", what, parsed.port, client->origin.port);
    return 0;
}

int arm_poll_url_check(const struct arm_client *client, const char *url, struct err *err)
{
    if (str_empty(url))
        return err_set(err, ERR_INVALID, "the operation has no URL");
    return arm_url_check(client, url, "the operation's URL", err);
}
