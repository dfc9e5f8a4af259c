#include "sim/fleet.h"

#include "azure/cloud.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "controller/azure_port.h"
#include "controller/codec.h"
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#define UP_SINCE_MS 1000000 /* when the world begins */

#define ENDPOINT "https://management.azure.com"
#define BEGIN "2026-03-02T08:00:00Z"
#define NAMESPACE "payments"

static struct fleet *fleet_of(struct http_client *http)
{
    return (struct fleet *)((char *)http - offsetof(struct fleet, http));
}

/* ---- ARM ---- */

static void refill(const struct fleet *f, struct fleet_bucket *b)
{
    b->level += (double)(f->now - b->at) * b->per_s / 1000;
    b->at = f->now;
    if (b->level > b->burst)
        b->level = b->burst;
}

static bool take(struct fleet *f, struct fleet_bucket *b)
{
    refill(f, b);
    if (b->level < 1) {
        b->throttled++;
        b->last_throttled = f->now - f->begin;
        return false;
    }
    b->level -= 1;
    b->taken++;
    return true;
}

static void tell(struct http_response *response, int status, const char *code, const char *message)
{
    response->status = status;
    buf_printf(&response->body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
}

static void refuse(const struct fleet_bucket *b, struct http_response *response)
{
    buf_printf(&response->headers, "retry-after: %d\n", (int)((1 - b->level) / b->per_s) + 1);
    tell(response, 429, "SubscriptionRequestsThrottled", "Number of requests for subscription exceeded");
}

static void read_operation(struct fleet *f, const char *path, struct http_response *response)
{
    const struct azure_operation *op = azure_operation_find(f->model, strrchr(path, '/') + 1, f->now);

    if (!op) {
        tell(response, 404, "NotFound", "no such operation");
        return;
    }
    response->status = 200;
    buf_printf(&response->body, "{\"status\":\"%s\"}", azure_operation_word(f->model, op, f->now));
}

static void accept(struct fleet *f, const struct azure_operation *op, struct http_response *response)
{
    _cleanup_(buf_done) struct buf query = BUF_INIT(8192);

    azure_operation_query(f->model, op, op->status_path, &query);
    buf_printf(&response->headers, "azure-asyncoperation: " ENDPOINT "%s?%s\n", op->status_path, buf_str(&query));
}

static void patch_account(
    struct fleet *f, struct azure_account *account, const struct http_request *request, struct http_response *response)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    _cleanup_(json_freep) cJSON *body = NULL;

    (void)json_parse(&body, request->body, request->body_len, NULL);
    azure_patch(f->model, account, "2025-10-15", body, f->now, &verdict);
    if (verdict.status != 200) {
        tell(response, verdict.status, verdict.code, "refused");
    } else {
        accept(f, verdict.operation, response);
        response->status = 200;
        azure_account_print(f->model, account, &response->body);
    }
    buf_done(&verdict.message);
}

static void serve_account(
    struct fleet *f, const char *path, const struct http_request *request, struct http_response *response)
{
    struct azure_account *account = azure_model_account(f->model, strrchr(path, '/') + 1);

    if (!account) {
        tell(response, 404, "ResourceNotFound", "no such account");
    } else if (str_eq(request->method, "PATCH")) {
        patch_account(f, account, request, response);
    } else {
        response->status = 200;
        azure_account_print(f->model, account, &response->body);
    }
}

static int perform(struct http_client *self, const struct http_request *request, struct http_response *response,
    struct err *err _unused_)
{
    struct fleet *f = fleet_of(self);
    bool reads = str_eq(request->method, "GET");
    struct fleet_bucket *bucket = reads ? &f->reads : &f->writes;
    const char *path_begin = request->url + strlen(ENDPOINT);
    _cleanup_(freep) char *path = xstrndup(path_begin, strcspn(path_begin, "?"));

    f->now += f->options.latency_ms;
    azure_model_advance(f->model, f->now);
    if (!take(f, bucket)) {
        refuse(bucket, response);
        return 0;
    }
    buf_printf(&response->headers, "x-ms-ratelimit-remaining-subscription-%s: %d\n", reads ? "reads" : "writes",
        (int)bucket->level);
    if (strstr(path, "/operationsStatus/")) {
        read_operation(f, path, response);
    } else if (strstr(path, "/providers/Microsoft.Authorization/") || strstr(path, "/providers/microsoft.insights/")) {
        response->status = 200; /* no locks, no metrics */
        buf_puts(&response->body, "{\"value\":[]}");
    } else {
        serve_account(f, path, request, response);
    }
    return 0;
}

/* ---- the API server ---- */

static const cJSON *ready_of(const cJSON *object)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(object, "status.conditions"))
        if (str_eq(json_string_at(item, "type"), "Ready"))
            return item;
    return NULL;
}

static void note(struct fleet *f, size_t i)
{
    const cJSON *ready = ready_of(f->objects[i]);

    f->status_writes++;
    f->paced_writes += str_eq(json_string_at(ready, "reason"), "Throttled");
    if (f->ready_at[i] >= 0 || !str_eq(json_string_at(ready, "status"), "True"))
        return;
    f->ready_at[i] = f->now - f->begin;
    f->ready++;
}

static void set_version(struct fleet *f, cJSON *object)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)++f->version);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "resourceVersion");
    json_add_string(metadata, "resourceVersion", text);
}

static int find(struct fleet *f, const char *name, size_t *ret, struct err *err)
{
    int64_t i = 0;

    if (!str_to_i64(name + 1, 0, (int64_t)f->options.accounts - 1, &i))
        return err_set(err, ERR_NOT_FOUND, "not found");
    *ret = (size_t)i;
    return 0;
}

int kube_get(struct kube_client *client, const struct kube_resource *resource _unused_, const char *ns _unused_,
    const char *name, cJSON **ret, struct err *err)
{
    struct fleet *f = (struct fleet *)client;
    size_t i;

    if (find(f, name, &i, err) < 0)
        return -1;
    *ret = cJSON_Duplicate(f->objects[i], true);
    return 0;
}

int kube_merge_patch(struct kube_client *client, const struct kube_resource *resource _unused_, const char *ns _unused_,
    const char *name, const char *subresource _unused_, const cJSON *patch, cJSON **ret, struct err *err)
{
    struct fleet *f = (struct fleet *)client;
    size_t i;

    if (find(f, name, &i, err) < 0)
        return -1;
    cJSON *object = f->objects[i], *status = cJSON_GetObjectItemCaseSensitive(object, "status");
    const char *version = json_string_at(patch, "metadata.resourceVersion");
    if (version && !str_eq(version, json_string_at(object, "metadata.resourceVersion")))
        return err_set(err, ERR_CONFLICT, "the object has been modified");
    json_merge(status ? status : cJSON_AddObjectToObject(object, "status"), json_member(patch, "status"));
    set_version(f, object);
    note(f, i);
    *ret = cJSON_Duplicate(object, true);
    return 0;
}

/* ---- the process ---- */

static int64_t now_ms(void *ctx)
{
    return ((struct fleet *)ctx)->now;
}

static int64_t uptime_ms(void *ctx)
{
    const struct fleet *f = ctx;

    return f->now - f->begin + UP_SINCE_MS;
}

static bool holds_lease(void *ctx)
{
    return ctx != NULL;
}

static void uuid(void *ctx, char ret[static UUID_SIZE])
{
    struct fleet *f = ctx;

    (void)snprintf(ret, UUID_SIZE, "c0000000-0000-4000-8000-%012llx", (unsigned long long)++f->uuids);
}

static void one_pass(struct fleet *f, const char *borrowed_key)
{
    _cleanup_(freep) char *key = xstrdup(borrowed_key);
    struct reconcile_verdict verdict = reconcile(&f->reconciler, key);

    if (verdict.backoff) {
        (void)queue_add_backoff(f->queue, key, f->now);
    } else {
        if (!verdict.held)
            queue_forget(f->queue, key);
        if (verdict.after_ms > 0)
            queue_add_at(f->queue, key, f->now + verdict.after_ms);
    }
    queue_done(f->queue, key);
}

bool fleet_run(struct fleet *f, size_t ready, int64_t until_ms)
{
    int64_t end = f->begin + until_ms, wake;

    while (f->ready < ready && f->now < end) {
        const char *key = queue_get(f->queue, f->now, &wake);
        if (key)
            one_pass(f, key);
        else
            f->now = wake < end ? wake : end;
    }
    return f->ready >= ready;
}

/* ---- the beginning and the end ---- */

static void make_azure(struct fleet *f)
{
    const struct azure_options options = {.tenant = "contoso",
        .identity_ms = 30000,
        .encrypt_ms = f->options.encrypt_ms,
        .enqueued_ms = 10000,
        .retention_ms = 86400000};

    f->model = azure_model_new(&options, "fleet");
    f->reads = (struct fleet_bucket){.level = 250, .burst = 250, .per_s = 25, .at = f->now, .last_throttled = -1};
    f->writes = (struct fleet_bucket){.level = 200, .burst = 200, .per_s = 10, .at = f->now, .last_throttled = -1};
    f->http.perform = perform;
}

void fleet_limits(struct fleet *f, double factor)
{
    struct fleet_bucket *buckets[] = {&f->reads, &f->writes};

    for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
        refill(f, buckets[i]); /* what had come until now came at the old speed */
        buckets[i]->burst *= factor;
        buckets[i]->per_s *= factor;
        refill(f, buckets[i]);
    }
}

static void make_process(struct fleet *f)
{
    static const struct queue_options queue = {.backoff_base_ms = 500, .backoff_max_ms = 300000};
    const struct azure_cloud_options cloud = {0};
    const struct limiter_clock clock = {.mono_ms = now_ms, .wall_ms = now_ms, .ctx = f};
    struct err err = ERR_INIT;

    f->limiter = limiter_new(&f->http, &clock);
    if (azure_cloud_new(&f->cloud, &cloud, &err) < 0)
        abort();
    const struct arm_options arm = {.http = f->limiter, .cloud = f->cloud};
    if (arm_client_new(&f->arm, &arm, &err) < 0)
        abort();
    f->store = store_new();
    f->queue = queue_new(&queue);
    f->kube = (struct kube_port_context){.client = (struct kube_client *)f, .store = f->store};
    f->azure = (struct azure_port_context){.client = f->arm, .evidence = {.cloud = f->cloud}};
    f->ports = (struct ports){.azure = azure_port_make(&f->azure),
        .kube = kube_port_make(&f->kube),
        .world = {.ctx = f, .now_ms = now_ms, .uptime_ms = uptime_ms, .uuid = uuid, .holds_lease = holds_lease}};
    f->reconciler = (struct reconciler){.ports = &f->ports, .options = &cmk_default_options, .store = f->store};
}

static void make_one(struct fleet *f, size_t i)
{
    _cleanup_(freep) char *name = xasprintf("a%05zu", i);
    _cleanup_(freep) char *text = xasprintf(
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"" NAMESPACE
        "\",\"uid\":\"%s\",\"generation\":1,\"resourceVersion\":\"1\",\"creationTimestamp\":\"" BEGIN
        "\"},\"spec\":{\"accountId\":\"/subscriptions/" FLEET_SUBSCRIPTION
        "/resourceGroups/shop/providers/Microsoft.DocumentDB/databaseAccounts/%s\",\"keyVaultKeyUri\":\"" KEY_URI(
            "cosmos") "\",\"preflight\":{\"keyVault\":\"Skip\"}}}",
        name, name, name);
    static const char seed[] = "{\"subscription\":\"" FLEET_SUBSCRIPTION "\",\"resourceGroup\":\"shop\"}";
    _cleanup_(json_freep) cJSON *account = NULL;
    struct cmk_resource resource;
    struct err err = ERR_INIT;

    f->ready_at[i] = -1;
    if (json_parse(&account, seed, strlen(seed), &err) < 0 ||
        azure_model_put(f->model, name, account, f->now, &err) < 0 ||
        json_parse(&f->objects[i], text, strlen(text), &err) < 0 || cmk_decode(&resource, f->objects[i], &err) < 0)
        abort();
    (void)store_put(f->store, &resource);
    _cleanup_(freep) char *key = store_key(NAMESPACE, name);
    queue_add(f->queue, key, f->now);
}

struct fleet *fleet_new(const struct fleet_options *options)
{
    struct fleet *f = xcalloc(1, sizeof(*f));

    f->options = *options;
    (void)time_parse_rfc3339(BEGIN, &f->begin);
    f->now = f->begin;
    f->version = 1;
    f->objects = xcalloc(options->accounts, sizeof(*f->objects));
    f->ready_at = xcalloc(options->accounts, sizeof(*f->ready_at));
    log_setup(LOG_ERROR, LOG_JSON);
    make_azure(f);
    make_process(f);
    for (size_t i = 0; i < options->accounts; i++)
        make_one(f, i);
    return f;
}

struct fleet *fleet_free(struct fleet *f)
{
    if (!f)
        return NULL;
    (void)store_free(f->store);
    (void)queue_free(f->queue);
    (void)arm_client_free(f->arm);
    (void)azure_cloud_free(f->cloud);
    (void)limiter_free(f->limiter);
    (void)azure_model_free(f->model);
    for (size_t i = 0; i < f->options.accounts; i++)
        (void)json_free(f->objects[i]);
    free(f->objects);
    free(f->ready_at);
    free(f);
    return NULL;
}
