/* Requests to the gateway of one account.
 *
 * Invariant: a gateway exists only for an endpoint that passed gateway_endpoint_check, and every URL is that endpoint
 * with a path of our own behind it, so no token or key can go anywhere else. Queries are POST requests but change
 * nothing: it does no harm when one arrives twice. */
#include "azure/gateway_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "json/json.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define VERSION "2018-12-31"
#define PAGE_MAX ((size_t)16 * 1024 * 1024)
#define CONTINUATION_MAX ((size_t)64 * 1024)
#define NAME_MAX_BYTES ((size_t)1024)
#define TIMEOUT_MS 65000 /* the gateway gives up after 60 s itself */
#define RETRY_AFTER_MAX_MS 600000
#define CHARGE_MAX_MILLI 1000000000LL

struct gateway {
    struct http_client *http;
    char *endpoint; /* without final slash */
    struct http_token_source token;
    struct secret *key; /* raw bytes; NULL: token */
    bool mongo;
    struct http_tls *tls;
    char *proxy;
    struct http_cancel *cancel;
    int64_t (*wall_ms)(void);
};

/* --- where to --- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    return str_eq(host, "localhost") || str_eq(host, "::1") ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static bool is_under(const char *host, const char *suffix)
{
    size_t n = strlen(host), m = strlen(suffix);

    return m > 0 && n > m + 1 && host[n - m - 1] == '.' && host[0] != '.' && str_eq_nocase(host + n - m, suffix);
}

int gateway_endpoint_check(const char *endpoint, const char *suffix, const char *loopback_host, struct err *err)
{
    struct http_url url;

    if (str_empty(endpoint))
        return err_set(err, ERR_INVALID, "the account has no sqlEndpoint");
    if (http_url_parse(endpoint, &url, err) < 0)
        return err_wrap(err, "the account's sqlEndpoint cannot be used");
    if (!str_eq(url.scheme, "https"))
        return err_set(err, ERR_INVALID, "the account's sqlEndpoint is not https");
    if (url.has_userinfo)
        return err_set(err, ERR_INVALID, "the account's sqlEndpoint has a user name in it");
    if (strpbrk(url.path, "?#"))
        return err_set(err, ERR_INVALID, "the account's sqlEndpoint has a query or fragment");
    if (loopback_host && is_loopback(loopback_host) && str_eq_nocase(url.host, loopback_host))
        return 0;
    if (!is_under(url.host, suffix))
        return err_set(err, ERR_INVALID, "the account's sqlEndpoint is at %s, which is not under %s", url.host, suffix);
    if (*url.path && !str_eq(url.path, "/"))
        return err_set(err, ERR_INVALID, "the account's sqlEndpoint has a path");
    return 0;
}

char *gateway_scope(const struct azure_cloud *cloud, const char *endpoint)
{
    struct http_url url;

    if (str_eq(cloud->name, "public") || http_url_parse(endpoint, &url, NULL) < 0)
        return xstrdup("https://cosmos.azure.com/.default");
    return xasprintf("https://%s/.default", url.host);
}

int gateway_new(struct gateway **ret, const struct gateway_options *options, struct err *err)
{
    if (gateway_endpoint_check(options->endpoint, options->cosmos_suffix, options->loopback_host, err) < 0)
        return -1;
    if (!options->token == !options->key)
        return err_set(err, ERR_INTERNAL, "a gateway needs either a token or a key");
    _cleanup_(gateway_freep) struct gateway *gateway = xcalloc(1, sizeof(*gateway));
    if (options->key && gateway_key_decode(options->key, &gateway->key, err) < 0)
        return -1;
    size_t n = strlen(options->endpoint);
    while (n > 0 && options->endpoint[n - 1] == '/')
        n--;
    gateway->endpoint = xstrndup(options->endpoint, n);
    gateway->http = options->http;
    if (options->token)
        gateway->token = *options->token;
    gateway->mongo = options->mongo;
    gateway->tls = options->tls ? http_tls_ref(options->tls) : NULL;
    gateway->proxy = xstrdup(options->proxy);
    gateway->cancel = options->cancel;
    gateway->wall_ms = options->wall_ms ? options->wall_ms : clock_wall_ms;
    *ret = TAKE_PTR(gateway);
    return 0;
}

struct gateway *gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return NULL;
    free(gateway->endpoint);
    secret_unref(gateway->key);
    if (gateway->tls)
        (void)http_tls_unref(gateway->tls);
    free(gateway->proxy);
    free(gateway);
    return NULL;
}

const char *gateway_endpoint(const struct gateway *gateway)
{
    return gateway->endpoint;
}

void gateway_page_done(struct gateway_page *page)
{
    (void)json_free(page->tree);
    free(page->continuation);
    *page = (struct gateway_page){0};
}

/* --- what is asked --- */

static const struct {
    const char *type;  /* as signed, and last in the path */
    const char *items; /* where the answer has them */
    int names;         /* how many are in the link */
    const char *label;
} whats[] = {
    [GATEWAY_DATABASES] = {"dbs", "Databases", 0, "cosmos list databases"},
    [GATEWAY_CONTAINERS] = {"colls", "DocumentCollections", 1, "cosmos list containers"},
    [GATEWAY_RANGES] = {"pkranges", "PartitionKeyRanges", 2, "cosmos list ranges"},
    [GATEWAY_QUERY] = {"docs", "Documents", 2, "cosmos query"},
};

/* Names that Cosmos DB cannot have, and that would not mean themselves in a path. */
static int check_name(const char *name, struct err *err)
{
    bool good = !str_empty(name) && strnlen(name, NAME_MAX_BYTES + 1) <= NAME_MAX_BYTES && !strpbrk(name, "/\\") &&
                !str_eq(name, ".") && !str_eq(name, "..");

    for (const char *p = name; good && *p; p++)
        good = (unsigned char)*p >= ' ' && *p != 0x7f;
    return good ? 0 : err_set(err, ERR_PROTOCOL, "the gateway named a database or container as none can be named");
}

static void put_link(struct buf *b, const struct gateway_question *q, bool encoded)
{
    static const char *const segments[] = {"dbs/", "/colls/"};
    const char *const names[ARRAY_LEN(segments)] = {q->database, q->container};

    for (size_t i = 0; i < ARRAY_LEN(segments) && (int)i < whats[q->what].names; i++) {
        buf_puts(b, segments[i]);
        if (encoded)
            buf_put_urlencoded(b, names[i]);
        else
            buf_puts(b, names[i]);
    }
}

static char *url_of(const struct gateway *gateway, const struct gateway_question *q)
{
    struct buf url = BUF_INIT(strlen(gateway->endpoint) + 8 * NAME_MAX_BYTES);

    buf_printf(&url, "%s/", gateway->endpoint);
    put_link(&url, q, true);
    buf_printf(&url, "%s%s", whats[q->what].names ? "/" : "", whats[q->what].type);
    return buf_take(&url);
}

static char *body_of(const struct gateway_question *q)
{
    struct buf body = BUF_INIT(65536);

    buf_puts(&body, "{\"query\":");
    buf_put_json_string(&body, q->query, strlen(q->query));
    buf_puts(&body, ",\"parameters\":[]}");
    return buf_take(&body);
}

static void add(struct http_request *request, const char *name, const char *value)
{
    size_t n = 0;

    while (request->headers[n].name)
        n++;
    if (value && n + 1 < HTTP_MAX_REQUEST_HEADERS)
        request->headers[n] = (struct http_header){name, value};
}

/* --- sending --- */

static int64_t leading_number(const struct http_response *response, const char *name, int64_t max, bool milli)
{
    size_t len = 0;
    const char *text = http_response_header_ref(response, name, &len);
    int64_t value = 0, scale = milli ? 1000 : 1;
    size_t i = 0;

    if (!text || len == 0 || !ascii_isdigit(text[0]))
        return -1;
    for (; i < len && ascii_isdigit(text[i]) && value <= max; i++)
        value = value * 10 + (text[i] - '0');
    value = value > max / scale ? max : value * scale;
    if (milli && i < len && text[i] == '.')
        for (i++; i < len && ascii_isdigit(text[i]) && scale > 1; i++)
            value += (text[i] - '0') * (scale /= 10);
    return value < max ? value : max;
}

static int take_continuation(const struct http_response *response, struct gateway_page *ret, struct err *err)
{
    size_t len = 0;
    const char *text = http_response_header_ref(response, "x-ms-continuation", &len);

    if (!text || len == 0)
        return 0;
    if (len > CONTINUATION_MAX)
        return err_set(err, ERR_TOO_LARGE, "the gateway sent a continuation of more than %zu bytes", CONTINUATION_MAX);
    ret->continuation = xstrndup(text, len);
    return 0;
}

static int refuse(const struct gateway *gateway, const struct http_response *response, const struct gateway_page *page,
    struct err *err)
{
    int64_t after = leading_number(response, "x-ms-retry-after-ms", RETRY_AFTER_MAX_MS, false);
    const struct gateway_answer answer = {
        .status = response->status,
        .substatus = page->substatus,
        .body = response->body.data,
        .len = response->body.len,
        .retry_after_ms = after >= 0 ? after : http_response_retry_after_ms(response, gateway->wall_ms()),
        .with_key = gateway->key != NULL,
    };
    return gateway_error_set(&answer, err);
}

static int read_page(const struct gateway *gateway, const struct gateway_question *q,
    const struct http_response *response, struct gateway_page *ret, struct err *err)
{
    int64_t charge = leading_number(response, "x-ms-request-charge", CHARGE_MAX_MILLI, true);
    int64_t substatus = leading_number(response, "x-ms-substatus", 999999, false);

    ret->charge_milli = charge > 0 ? charge : 0;
    ret->substatus = substatus > 0 ? (int)substatus : 0;
    if (response->status != 200)
        return refuse(gateway, response, ret, err);
    if (json_parse(&ret->tree, buf_str(&response->body), response->body.len, err) < 0)
        return err_wrap(err, "the gateway's answer cannot be read");
    ret->items = json_member(ret->tree, whats[q->what].items);
    if (!cJSON_IsArray(ret->items))
        return err_set(err, ERR_PROTOCOL, "the gateway's answer has no list of %s", whats[q->what].items);
    return take_continuation(response, ret, err);
}

static int send_question(const struct gateway *gateway, const struct gateway_question *q,
    struct http_response *response, const struct secret *token, struct err *err)
{
    bool query = q->what == GATEWAY_QUERY;
    char date[GATEWAY_DATE_SIZE], size[16];
    _cleanup_(freep) char *url = url_of(gateway, q), *body = query ? body_of(q) : NULL;
    _cleanup_(buf_done) struct buf link = BUF_INIT(4 * NAME_MAX_BYTES);

    gateway_date(gateway->wall_ms(), date);
    put_link(&link, q, false);
    const struct gateway_signed what = {query ? "post" : "get", whats[q->what].type, buf_str(&link), date};
    _cleanup_(gateway_authorization_done) struct buf authorization =
        token ? gateway_authorize_token(token) : gateway_authorize_key(gateway->key, &what);
    struct http_request request = {
        .method = query ? "POST" : "GET",
        .url = url,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .timeout_ms = TIMEOUT_MS,
        .max_body = PAGE_MAX,
        .tls = gateway->tls,
        .proxy = gateway->proxy,
        .cancel = gateway->cancel,
        .label = whats[q->what].label,
    };

    (void)snprintf(size, sizeof(size), "%d", q->page_size);
    add(&request, "authorization", authorization.data);
    add(&request, "x-ms-date", date);
    add(&request, "x-ms-version", VERSION);
    add(&request, "Accept", "application/json");
    add(&request, "x-ms-continuation", q->continuation);
    if (query || q->what == GATEWAY_DATABASES) /* where Microsoft's own scanner sends it */
        add(&request, "x-ms-cosmos-apitype", gateway->mongo ? "MongoDB" : NULL);
    if (query) {
        add(&request, "Content-Type", "application/query+json"); /* with a charset it is refused */
        add(&request, "x-ms-documentdb-isquery", "True");
        add(&request, "x-ms-documentdb-query-enablecrosspartition", "True");
        add(&request, "x-ms-documentdb-partitionkeyrangeid", q->range_id);
        add(&request, "x-ms-max-item-count", q->page_size ? size : NULL);
    }
    http_response_init(response);
    int r = http_do(gateway->http, &request, response, err);
    if (r == 0 && response->status != 200) /* its words become those of an error */
        secret_strike(token, response->body.data, response->body.len);
    return r;
}

static int get_token(const struct gateway *gateway, struct secret **ret, struct err *err)
{
    if (gateway->key || gateway->token.token(gateway->token.ctx, ret, gateway->cancel, err) == 0)
        return 0;
    return err_wrap(err, "no token to read the account's data with");
}

/* A token that is refused is asked for anew, once, as the auth layer does it. */
static int exchange(
    const struct gateway *gateway, const struct gateway_question *q, struct http_response *response, struct err *err)
{
    _cleanup_(secret_unrefp) struct secret *token = NULL, *other = NULL;

    http_response_init(response);
    if (get_token(gateway, &token, err) < 0)
        return -1;
    int r = send_question(gateway, q, response, token, err);
    if (r < 0 || response->status != 401 || !token || !gateway->token.rejected)
        return r;
    gateway->token.rejected(gateway->token.ctx, token);
    if (get_token(gateway, &other, err) < 0)
        return -1;
    http_response_done(response);
    return send_question(gateway, q, response, other, err);
}

int gateway_ask(
    struct gateway *gateway, const struct gateway_question *question, struct gateway_page *ret, struct err *err)
{
    struct http_response response;

    *ret = (struct gateway_page){0};
    if ((whats[question->what].names > 0 && check_name(question->database, err) < 0) ||
        (whats[question->what].names > 1 && check_name(question->container, err) < 0))
        return -1;
    int r = exchange(gateway, question, &response, err);
    if (r == 0)
        r = read_page(gateway, question, &response, ret, err);
    http_response_done(&response);
    if (r < 0 && err)
        err->maybe_sent = false; /* nothing is changed by a question */
    return r;
}
