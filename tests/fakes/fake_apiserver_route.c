/* From URL and method to what answers them. */
#include "fakes/fake_apiserver.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define SEGMENTS_MAX 10

struct path {
    size_t n;
    char segments[SEGMENTS_MAX][NAME_SIZE];
};

/* False when a segment is too long, empty or badly encoded, or there are too many. */
static bool path_split(const char *text, struct path *ret)
{
    ret->n = 0;
    while (*text) {
        text++; /* the slash */
        size_t n = 0;
        if (ret->n == SEGMENTS_MAX)
            return false;
        if (!*text && ret->n > 0)
            break; /* one slash at the end is as good as none */
        char *segment = ret->segments[ret->n++];
        for (; *text && *text != '/'; text++) {
            if (n + 1 >= NAME_SIZE)
                return false;
            char c = *text;
            if (c == '%' && ascii_isxdigit(text[1]) && ascii_isxdigit(text[2])) {
                const char hex[3] = {text[1], text[2], '\0'};
                c = (char)strtol(hex, NULL, 16);
                text += 2;
            }
            segment[n++] = c;
        }
        segment[n] = '\0';
    }
    return true;
}

void api_param(const struct api_request *r, const char *name, char ret[static 4096])
{
    if (!httpd_query(r->http, name, ret, 4096))
        ret[0] = '\0';
}

int64_t api_param_int(const struct api_request *r, const char *name)
{
    char text[4096];
    int64_t n;
    api_param(r, name, text);
    return str_to_i64(text, 0, INT64_MAX / 1000, &n) ? n : 0;
}

bool api_param_true(const struct api_request *r, const char *name)
{
    char text[4096];
    api_param(r, name, text);
    return str_eq(text, "true") || str_eq(text, "1");
}

/* ---- What is no resource ---- */

static void reply_text(struct api_request *r, const char *text)
{
    r->reply->status = 200;
    fake_reply_header(r->reply, "content-type", "text/plain; charset=utf-8");
    buf_puts(&r->reply->body, text);
}

/* Takes the tree; NULL is a 404. */
static void reply_tree(struct api_request *r, cJSON *tree)
{
    if (tree)
        fake_reply_json(r->reply, 200, tree);
    else
        (void)api_fail_page(r);
    json_free(tree);
}

static cJSON *version_tree(void)
{
    cJSON *tree = cJSON_CreateObject();
    json_add_string(tree, "major", "1");
    json_add_string(tree, "minor", "32");
    json_add_string(tree, "gitVersion", "v1.32.0+fake");
    json_add_string(tree, "gitCommit", "0000000000000000000000000000000000000000");
    json_add_string(tree, "gitTreeState", "clean");
    json_add_string(tree, "buildDate", "2024-12-11T18:00:00Z");
    json_add_string(tree, "goVersion", "none");
    json_add_string(tree, "compiler", "gcc");
    json_add_string(tree, "platform", "linux/amd64");
    return tree;
}

static void openapi(struct api_request *r, const struct path *p)
{
    const char *accept = httpd_request_header(r->exchange, "accept");
    const struct registry *registry = &r->api->registry;
    if (p->n == 2 && str_eq(p->segments[1], "v2")) {
        if (!accept || !strstr(accept, "protobuf")) {
            reply_tree(r, openapi_v2(registry));
            return;
        }
        fake_reply_header(r->reply, "content-type", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
        openapi_v2_protobuf(registry, &r->reply->body);
    } else if (p->n == 2 && str_eq(p->segments[1], "v3")) {
        reply_tree(r, openapi_v3_index(registry));
    } else if (p->n == 4 && str_eq(p->segments[1], "v3") && str_eq(p->segments[2], "api")) {
        reply_tree(r, openapi_v3(registry, "", p->segments[3]));
    } else if (p->n == 5 && str_eq(p->segments[1], "v3") && str_eq(p->segments[2], "apis")) {
        reply_tree(r, openapi_v3(registry, p->segments[3], p->segments[4]));
    } else {
        (void)api_fail_page(r);
    }
}

/* The fake's own paths that are not shared with the other fakes. */
static void inspect(struct api_request *r, const struct path *p)
{
    const char *what = p->n > 1 ? p->segments[1] : "";
    r->reply->status = 204;
    if (!str_eq(r->http->method, "POST"))
        (void)api_fail_page(r);
    else if (str_eq(what, "compact"))
        store_compact(r->api->store);
    else if (str_eq(what, "drop-watches"))
        api_watch_drop(r->api, NULL, api_param_true(r, "gone"));
    else
        (void)api_fail_page(r);
}

static bool is_health(const char *segment)
{
    return str_eq(segment, "healthz") || str_eq(segment, "livez") || str_eq(segment, "readyz");
}

/* ---- Resources ---- */

static bool watched(const struct api_request *r)
{
    return api_param_true(r, "watch");
}

static void not_allowed(struct api_request *r)
{
    (void)api_fail(r, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
}

static void on_collection(struct api_request *r)
{
    const char *method = r->http->method;
    if (str_eq(method, "GET") && watched(r))
        api_watch(r);
    else if (str_eq(method, "GET"))
        api_list(r);
    else if (str_eq(method, "DELETE"))
        api_delete_collection(r);
    else if (str_eq(method, "POST") && (!r->resource->namespaced || r->ns[0]))
        api_create(r);
    else if (str_eq(method, "POST") && r->resource->custom)
        (void)api_fail_page(r);
    else if ((str_eq(method, "PUT") || str_eq(method, "PATCH")) && r->resource->custom)
        (void)api_fail(r, 400, "BadRequest", "name must be provided");
    else
        not_allowed(r);
}

static void on_object(struct api_request *r)
{
    const char *method = r->http->method;
    if (str_eq(method, "GET"))
        api_get(r);
    else if (str_eq(method, "PUT"))
        api_update(r);
    else if (str_eq(method, "PATCH"))
        api_patch(r);
    else if (str_eq(method, "DELETE") && !r->subresource[0])
        api_delete(r);
    else
        not_allowed(r);
}

static void on_resource(struct api_request *r)
{
    bool status = str_eq(r->subresource, "status") && r->resource->has_status;
    bool token = str_eq(r->subresource, "token") && str_eq(r->resource->collection, "/serviceaccounts");
    if (r->subresource[0] && !status && !token && r->resource->custom)
        (void)api_fail_not_found(r, r->resource->collection, r->name);
    else if (r->subresource[0] && !status && !token)
        (void)api_fail_page(r);
    else if (token && str_eq(r->http->method, "POST"))
        api_token_request(r);
    else if (token)
        not_allowed(r);
    else if (r->name[0])
        on_object(r);
    else
        on_collection(r);
}

/* rest: what follows the version in the path. */
static void resources(struct api_request *r, const char *group, const char *version, const struct path *p, size_t rest)
{
    size_t n = p->n - rest;
    const char *first = p->segments[rest];
    bool scoped = n >= 3 && str_eq(first, "namespaces") && !str_eq(p->segments[rest + 2], "status") &&
                  !str_eq(p->segments[rest + 2], "finalize");
    if (scoped) {
        (void)str_copy(r->ns, sizeof(r->ns), p->segments[rest + 1]);
        rest += 2;
        n -= 2;
    }
    r->resource = registry_find(&r->api->registry, group, version, p->segments[rest]);
    if (!r->resource || n > 3 || (scoped && !r->resource->namespaced) ||
        (!scoped && r->resource->namespaced && n > 1)) {
        (void)api_fail_page(r);
        return;
    }
    if (n > 1)
        (void)str_copy(r->name, sizeof(r->name), p->segments[rest + 1]);
    if (n > 2)
        (void)str_copy(r->subresource, sizeof(r->subresource), p->segments[rest + 2]);
    on_resource(r);
}

static void under_api(struct api_request *r, const struct path *p)
{
    if (p->n == 1)
        reply_tree(r, discovery_versions());
    else if (p->n == 2)
        reply_tree(r, discovery_resources(&r->api->registry, "", p->segments[1]));
    else
        resources(r, "", p->segments[1], p, 2);
}

static void under_apis(struct api_request *r, const struct path *p)
{
    const struct registry *registry = &r->api->registry;
    if (p->n == 1)
        reply_tree(r, discovery_groups(registry));
    else if (p->n == 2)
        reply_tree(r, discovery_group(registry, p->segments[1]));
    else if (p->n == 3)
        reply_tree(r, discovery_resources(registry, p->segments[1], p->segments[2]));
    else if (p->n != 4 || !api_review(r, p->segments[1], p->segments[2], p->segments[3]))
        resources(r, p->segments[1], p->segments[2], p, 3);
}

static bool authorized(const struct api_request *r)
{
    const char *given = httpd_request_header(r->exchange, "authorization");
    if (!r->api->token)
        return true;
    return given && str_has_prefix(given, "Bearer ") && str_eq(given + strlen("Bearer "), r->api->token);
}

static void read_accept(struct api_request *r)
{
    char include[4096];
    const char *accept = httpd_request_header(r->exchange, "accept");
    r->table = accept && strstr(accept, "as=Table") && strstr(accept, "v=v1;");
    api_param(r, "includeObject", include);
    r->include = str_eq(include, "Object") ? TABLE_OBJECT : str_eq(include, "None") ? TABLE_NONE : TABLE_METADATA;
}

static void route(struct api_request *r)
{
    struct path p;
    if (!path_split(r->http->path, &p) || p.n == 0) {
        (void)api_fail_page(r);
        return;
    }
    const char *first = p.segments[0];
    if (str_eq(first, "fake"))
        inspect(r, &p);
    else if (is_health(first))
        reply_text(r, "ok");
    else if (!authorized(r))
        (void)api_fail(r, 401, "Unauthorized", "Unauthorized");
    else if (str_eq(first, "version"))
        reply_tree(r, version_tree());
    else if (str_eq(first, "openapi"))
        openapi(r, &p);
    else if (str_eq(first, "api"))
        under_api(r, &p);
    else if (str_eq(first, "apis"))
        under_apis(r, &p);
    else
        (void)api_fail_page(r);
}

void api_handle(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    struct api *api = ctx;
    struct fake_call *call = fake_call_begin(api->core, exchange, request);
    if (!call)
        return; /* a fault rule or the shared inspection API has dealt with it */
    _cleanup_(fake_reply_done) struct fake_reply reply = FAKE_REPLY_INIT;
    struct api_request r = {.api = api, .http = request, .exchange = exchange, .call = call, .reply = &reply};
    (void)pthread_mutex_lock(&api->lock);
    read_accept(&r);
    route(&r);
    api_pump(api);
    (void)pthread_mutex_unlock(&api->lock);
    if (r.call)
        fake_call_reply(r.call, &reply);
}
