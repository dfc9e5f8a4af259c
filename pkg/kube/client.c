/* REST calls: a URL from checked parts, one request through the layers, an answer as a tree or an error in Kubernetes'
 * own words.
 *
 * Layers: log over retry over observe over identity over the engine. Only GETs are ever repeated; everything else is
 * sent with once = true, because a PATCH that arrives twice is two writes. There is no client-side rate limit: the
 * server's priority and fairness does that better (controller-runtime has switched its own off, too). */
#include "kube/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "http/layer.h"
#include "kube/credentials.h"
#include "kube/identity.h"
#include "kube/path.h"
#include "kube/status.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAX_URL (16 << 10)
#define MAX_OBJECT (4 << 20)
#define MAX_LIST (16 << 20)
#define CALL_TIMEOUT_MS 30000
#define LIST_TIMEOUT_MS 60000
#define DEFAULT_PAGE 500

/* A call in flight that has a cancel of its own. */
struct flight {
    struct http_cancel *cancel;
    struct flight *next;
};

struct kube_client {
    char *server;
    char *proxy;
    struct kube_credentials *credentials;
    struct http_client *identity, *observe, *retry, *top;
    struct http_client *direct; /* without retry, for calls within limits */
    struct http_cancel *cancel;
    pthread_mutex_t lock;
    struct flight *flights; /* under the lock */
};

int kube_client_new(
    struct kube_client **ret, struct http_engine *engine, const struct kube_config *config, struct err *err)
{
    static const struct http_retry_options retries = {.attempts = 3, .base_ms = 100, .max_ms = 1000};
    _cleanup_(kube_credentials_freep) struct kube_credentials *credentials = NULL;

    if (kube_credentials_new(&credentials, config, err) < 0)
        return -1;
    struct kube_client *client = xcalloc(1, sizeof(*client));
    (void)pthread_mutex_init(&client->lock, NULL);
    client->server = xstrdup(config->server);
    client->proxy = xstrdup(config->proxy);
    client->credentials = TAKE_PTR(credentials);
    client->identity = kube_identity_new(http_engine_client(engine), client->credentials);
    client->observe = http_observe_new(client->identity, &(struct http_observer){0});
    client->retry = http_retry_new(client->observe, &retries);
    client->top = http_log_new(client->retry);
    client->direct = http_log_new(client->observe);
    client->cancel = http_cancel_new();
    *ret = client;
    return 0;
}

struct kube_client *kube_client_free(struct kube_client *client)
{
    if (!client)
        return NULL;
    (void)http_log_free(client->direct);
    (void)http_log_free(client->top);
    (void)http_retry_free(client->retry);
    (void)http_observe_free(client->observe);
    (void)kube_identity_free(client->identity);
    (void)kube_credentials_free(client->credentials);
    (void)http_cancel_free(client->cancel);
    (void)pthread_mutex_destroy(&client->lock);
    free(client->server);
    free(client->proxy);
    free(client);
    return NULL;
}

void kube_client_observe(struct kube_client *client, const struct http_observer *observer)
{
    http_observe_set(client->observe, observer);
}

void kube_client_cancel(struct kube_client *client)
{
    (void)pthread_mutex_lock(&client->lock);
    http_cancel_trigger(client->cancel);
    for (struct flight *f = client->flights; f; f = f->next)
        http_cancel_trigger(f->cancel);
    (void)pthread_mutex_unlock(&client->lock);
}

/* A request can watch one cancel only. So a call with its own is entered in a list, and the client's cancel reaches it
 * through that. */
static int take_off(struct kube_client *client, struct flight *flight, struct err *err)
{
    int r = 0;

    (void)pthread_mutex_lock(&client->lock);
    if (http_cancel_triggered(client->cancel)) {
        r = err_set(err, ERR_CANCELLED, "the Kubernetes client was told to stop");
    } else if (flight->cancel) {
        flight->next = client->flights;
        client->flights = flight;
    }
    (void)pthread_mutex_unlock(&client->lock);
    return r;
}

static void land(struct kube_client *client, const struct flight *flight)
{
    if (!flight->cancel)
        return;
    (void)pthread_mutex_lock(&client->lock);
    for (struct flight **at = &client->flights; *at; at = &(*at)->next)
        if (*at == flight) {
            *at = flight->next;
            break;
        }
    (void)pthread_mutex_unlock(&client->lock);
}

static int fly(
    struct kube_client *client, struct http_request *request, struct http_response *response, struct err *err)
{
    struct flight flight = {.cancel = request->cancel};

    if (take_off(client, &flight, err) < 0)
        return -1;
    request->proxy = client->proxy;
    if (!request->cancel)
        request->cancel = client->cancel;
    int r = http_do(client->top, request, response, err);
    land(client, &flight);
    return r;
}

static int answer_to_error(const struct http_response *response, struct err *err)
{
    int64_t wait_ms = http_response_retry_after_ms(response, clock_wall_ms());

    (void)kube_status_fail_body(buf_str(&response->body), response->body.len, response->status, err);
    if (err && wait_ms >= 0)
        err->retry_after_ms = wait_ms;
    return -1;
}

/* ret may be NULL: the answer is of no interest, only that it is a good one. */
static int take_answer(const struct http_response *response, const char *label, cJSON **ret, struct err *err)
{
    if (response->status < 200 || response->status > 299)
        return answer_to_error(response, err);
    if (!ret)
        return 0;
    if (json_parse(ret, buf_str(&response->body), response->body.len, err) == 0)
        return 0;
    if (err)
        err->maybe_sent = true;
    return err_wrap(err, "answer of the API server to %s", label);
}

static int call(struct kube_client *client, struct http_request *request, cJSON **ret, struct err *err)
{
    _cleanup_(http_response_done) struct http_response response;

    http_response_init(&response);
    if (fly(client, request, &response, err) < 0)
        return -1;
    return take_answer(&response, request->label, ret, err);
}

static int call_within(struct kube_client *client, struct http_request *request, const struct kube_limits *limits,
    cJSON **ret, struct err *err)
{
    _cleanup_(http_response_done) struct http_response response;

    http_response_init(&response);
    request->proxy = client->proxy;
    request->timeout_ms = request->connect_timeout_ms = limits->timeout_ms;
    request->once = limits->fresh;
    request->cancel = limits->cancel;
    if (http_do(client->direct, request, &response, err) < 0)
        return -1;
    return take_answer(&response, request->label, ret, err);
}

/* A body may hold a token. */
static void wipe_text(char **text)
{
    if (*text)
        secret_wipe(*text, strlen(*text));
    free(*text);
}

/* A call on one object or collection: everything but lists and watches. */
struct object_call {
    const char *label;
    const char *method;
    struct kube_path path;
    const cJSON *body; /* NULL: none */
    const char *content_type;
    const struct kube_limits *limits; /* NULL: none */
};

static int call_object(struct kube_client *client, const struct object_call *c, cJSON **ret, struct err *err)
{
    _cleanup_(buf_done) struct buf url = BUF_INIT(MAX_URL);
    _cleanup_(wipe_text) char *body = c->body ? json_print(c->body) : NULL;
    struct http_request request = {
        .method = c->method,
        .headers = {{"Accept", "application/json"}},
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .once = !str_eq(c->method, "GET"),
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = MAX_OBJECT,
        .label = c->label,
    };

    if (kube_path_build(&url, client->server, &c->path, err) < 0)
        return -1;
    if (body)
        request.headers[1] = (struct http_header){"Content-Type", c->content_type};
    request.url = buf_str(&url);
    return c->limits ? call_within(client, &request, c->limits, ret, err) : call(client, &request, ret, err);
}

int kube_get(struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name,
    cJSON **ret, struct err *err)
{
    struct object_call c = {.label = "kube get", .method = "GET", .path = {resource, ns, name}};

    return call_object(client, &c, ret, err);
}

int kube_get_within(struct kube_client *client, const struct kube_limits *limits, const struct kube_resource *resource,
    const char *ns, const char *name, cJSON **ret, struct err *err)
{
    struct object_call c = {.label = "kube get", .method = "GET", .path = {resource, ns, name}, .limits = limits};

    return call_object(client, &c, ret, err);
}

int kube_create(struct kube_client *client, const struct kube_resource *resource, const char *ns, const cJSON *object,
    cJSON **ret, struct err *err)
{
    struct object_call c = {"kube create", "POST", {resource, ns}, object, "application/json"};

    return call_object(client, &c, ret, err);
}

int kube_create_within(struct kube_client *client, const struct kube_limits *limits,
    const struct kube_resource *resource, const char *ns, const cJSON *object, cJSON **ret, struct err *err)
{
    struct object_call c = {"kube create", "POST", {resource, ns}, object, "application/json", limits};

    return call_object(client, &c, ret, err);
}

int kube_create_subresource(struct kube_client *client, const struct kube_resource *resource, const char *ns,
    const char *name, const char *subresource, const cJSON *object, cJSON **ret, struct err *err)
{
    struct object_call c = {
        "kube create subresource", "POST", {resource, ns, name, subresource}, object, "application/json"};

    return call_object(client, &c, ret, err);
}

int kube_merge_patch(struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name,
    const char *subresource, const cJSON *patch, cJSON **ret, struct err *err)
{
    struct object_call c = {
        "kube patch", "PATCH", {resource, ns, name, subresource}, patch, "application/merge-patch+json"};

    return call_object(client, &c, ret, err);
}

int kube_merge_patch_within(struct kube_client *client, const struct kube_limits *limits,
    const struct kube_resource *resource, const char *ns, const char *name, const cJSON *patch, cJSON **ret,
    struct err *err)
{
    struct object_call c = {"kube patch", "PATCH", {resource, ns, name}, patch, "application/merge-patch+json", limits};

    return call_object(client, &c, ret, err);
}

int kube_delete(
    struct kube_client *client, const struct kube_resource *resource, const char *ns, const char *name, struct err *err)
{
    struct object_call c = {.label = "kube delete", .method = "DELETE", .path = {resource, ns, name}};

    return call_object(client, &c, NULL, err);
}

int kube_server_version(struct kube_client *client, cJSON **ret, struct err *err)
{
    _cleanup_(freep) char *url = xasprintf("%s/version", client->server);
    struct http_request request = {
        .method = "GET",
        .url = url,
        .headers = {{"Accept", "application/json"}},
        .timeout_ms = CALL_TIMEOUT_MS,
        .label = "kube version",
    };

    return call(client, &request, ret, err);
}

static int check_url(const struct buf *url, struct err *err)
{
    if (url->overflow)
        return err_set(err, ERR_TOO_LARGE, "a query of more than %d bytes for the API server", MAX_URL);
    return 0;
}

int kube_list_page(struct kube_client *client, const struct kube_resource *resource, const struct kube_list_page *page,
    cJSON **ret, struct err *err)
{
    _cleanup_(buf_done) struct buf url = BUF_INIT(MAX_URL);
    struct kube_path path = {.resource = resource, .ns = page->ns};
    char limit[16];

    (void)snprintf(limit, sizeof(limit), "%d", page->limit > 0 ? page->limit : DEFAULT_PAGE);
    if (kube_path_build(&url, client->server, &path, err) < 0)
        return -1;
    kube_query_add(&url, "limit", limit);
    kube_query_add(&url, "labelSelector", page->label_selector);
    kube_query_add(&url, "continue", page->continue_token);
    if (check_url(&url, err) < 0)
        return -1;
    struct http_request request = {
        .method = "GET",
        .url = buf_str(&url),
        .headers = {{"Accept", "application/json"}},
        .timeout_ms = LIST_TIMEOUT_MS,
        .max_body = MAX_LIST,
        .cancel = page->cancel,
        .label = "kube list",
    };
    return call(client, &request, ret, err);
}

static int watch_url(struct buf *url, const struct kube_client *client, const struct kube_resource *resource,
    const struct kube_watch_options *options, struct err *err)
{
    struct kube_path path = {.resource = resource, .ns = options->ns};
    char timeout[16];

    (void)snprintf(timeout, sizeof(timeout), "%d", options->timeout_s);
    if (kube_path_build(url, client->server, &path, err) < 0)
        return -1;
    kube_query_add(url, "watch", "true");
    kube_query_add(url, "allowWatchBookmarks", "true");
    kube_query_add(url, "timeoutSeconds", timeout);
    kube_query_add(url, "labelSelector", options->label_selector);
    kube_query_add(url, "resourceVersion", options->resource_version);
    return check_url(url, err);
}

int kube_watch_stream(struct kube_client *client, const struct kube_resource *resource,
    const struct kube_watch_options *options, int (*on_data)(void *, const char *, size_t, struct err *), void *data,
    struct err *err)
{
    _cleanup_(buf_done) struct buf url = BUF_INIT(MAX_URL);

    if (watch_url(&url, client, resource, options, err) < 0)
        return -1;
    struct http_request request = {
        .method = "GET",
        .url = buf_str(&url),
        .headers = {{"Accept", "application/json"}},
        .timeout_ms = ((int64_t)options->timeout_s + 30) * 1000,
        .idle_timeout_ms = options->idle_timeout_ms,
        .on_data = on_data,
        .data = data,
        .cancel = options->cancel,
        .label = "kube watch",
    };
    return call(client, &request, NULL, err);
}
