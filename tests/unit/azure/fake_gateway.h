/* A gateway by rules: a request takes the first rule of its key whose turns are not used up.
 *
 * A key is "GET /dbs", or "POST /dbs/d/colls/c/docs RANGE CONTINUATION" ("-" for none); rules without a continuation
 * use the shorter form. The journal has the keys in order, one a line. Any number of threads. Time is virtual: waiting
 * moves the clock. */
#pragma once

#include "azure/gateway.h"
#include "azure/scan.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FAKE_ENDPOINT "https://shop.documents.azure.com:443/"
#define FAKE_KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" /* "0123456789abcdef" twice */

struct rule {
    const char *key;
    const char *body;
    const char *headers; /* lines "name: value\n"; NULL: none */
    int status;          /* 0: 200 */
    int times;           /* 0: for ever */
    enum err_kind fails; /* instead of an answer */
};

struct fake_gateway {
    struct http_client client; /* first */
    const struct rule *rules;
    size_t n_rules;
    int used[64];
    pthread_mutex_t lock;
    struct buf journal;
    struct buf sizes; /* x-ms-max-item-count of the queries, separated by spaces */
    char *last_headers;
    int64_t now_ms;
    int64_t waited_ms;
    struct http_cancel *cancel;
    int cancel_after; /* requests; 0: never */
    int requests;
    struct gateway *gateway;
    struct buf told; /* "database/container bytes id\n", and "skipped …" */
};

static inline const char *fake_header_of(const struct http_request *request, const char *name)
{
    for (const struct http_header *h = request->headers; h->name; h++)
        if (str_eq(h->name, name))
            return h->value;
    return NULL;
}

static inline void fake_note(struct fake_gateway *fake, const struct http_request *request, char *key, size_t size)
{
    const char *range = fake_header_of(request, "x-ms-documentdb-partitionkeyrangeid");
    const char *continuation = fake_header_of(request, "x-ms-continuation");
    const char *items = fake_header_of(request, "x-ms-max-item-count");
    const char *path = request->url + strlen("https://shop.documents.azure.com:443");
    struct buf headers = BUF_INIT(65536);

    if (range || continuation)
        (void)snprintf(
            key, size, "%s %s %s %s", request->method, path, range ? range : "-", continuation ? continuation : "-");
    else
        (void)snprintf(key, size, "%s %s", request->method, path);
    buf_printf(&fake->journal, "%s\n", key);
    if (items)
        buf_printf(&fake->sizes, "%s ", items);
    for (const struct http_header *h = request->headers; h->name; h++)
        buf_printf(&headers, "%s: %s\n", h->name, h->value);
    free(fake->last_headers);
    fake->last_headers = buf_take(&headers);
}

static inline const struct rule *fake_rule(struct fake_gateway *fake, const char *key)
{
    for (size_t i = 0; i < fake->n_rules; i++) {
        if (!str_eq(fake->rules[i].key, key) || (fake->rules[i].times && fake->used[i] >= fake->rules[i].times))
            continue;
        fake->used[i]++;
        return &fake->rules[i];
    }
    return NULL;
}

static inline int fake_gateway_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct fake_gateway *fake = (struct fake_gateway *)self;
    char key[4096];

    (void)pthread_mutex_lock(&fake->lock);
    fake_note(fake, request, key, sizeof(key));
    const struct rule *rule = fake_rule(fake, key);
    fake->requests++;
    bool cancel = fake->cancel_after && fake->requests >= fake->cancel_after;
    (void)pthread_mutex_unlock(&fake->lock);
    if (cancel)
        http_cancel_trigger(fake->cancel);
    if (!rule)
        return err_set(err, ERR_INTERNAL, "no rule for %.900s", key);
    if (rule->fails)
        return err_set(err, rule->fails, "no answer");
    response->status = rule->status ? rule->status : 200;
    buf_puts(&response->headers, rule->headers ? rule->headers : "");
    buf_puts(&response->body, rule->body ? rule->body : "");
    return 0;
}

static inline int64_t fake_now(void *ctx)
{
    struct fake_gateway *fake = ctx;

    (void)pthread_mutex_lock(&fake->lock);
    int64_t now = fake->now_ms;
    (void)pthread_mutex_unlock(&fake->lock);
    return now;
}

static inline bool fake_wait(void *ctx, int64_t ms)
{
    struct fake_gateway *fake = ctx;

    (void)pthread_mutex_lock(&fake->lock);
    fake->now_ms += ms;
    fake->waited_ms += ms;
    (void)pthread_mutex_unlock(&fake->lock);
    return fake->cancel && http_cancel_triggered(fake->cancel);
}

static inline void fake_offender(void *ctx, const struct scan_offender *offender)
{
    struct fake_gateway *fake = ctx;

    buf_printf(
        &fake->told, "%s/%s %zu %s\n", offender->database, offender->container, offender->id_bytes, offender->id);
}

static inline void fake_skipped(void *ctx, const char *database, const char *container, const struct err *why)
{
    struct fake_gateway *fake = ctx;

    buf_printf(&fake->told, "skipped %s/%s %s\n", database, container ? container : "", err_kind_name(why->kind));
}

static inline int64_t fake_wall(void)
{
    return 1763618400000; /* Thu, 20 Nov 2025 06:00:00 GMT */
}

static inline struct fake_gateway *fake_gateway_start(const struct rule *rules, size_t n)
{
    struct fake_gateway *fake = xcalloc(1, sizeof(*fake));
    struct secret *key = secret_new(FAKE_KEY, strlen(FAKE_KEY));
    struct err err = ERR_INIT;

    assert_true(n <= ARRAY_LEN(fake->used));
    *fake = (struct fake_gateway){.client = {.perform = fake_gateway_perform},
        .rules = rules,
        .n_rules = n,
        .journal = BUF_INIT(1 << 20),
        .sizes = BUF_INIT(65536),
        .told = BUF_INIT(1 << 20),
        .now_ms = 1000};
    (void)pthread_mutex_init(&fake->lock, NULL);
    fake->cancel = http_cancel_new();
    const struct gateway_options options = {.http = &fake->client,
        .endpoint = FAKE_ENDPOINT,
        .cosmos_suffix = "documents.azure.com",
        .key = key,
        .cancel = fake->cancel,
        .wall_ms = fake_wall};
    if (gateway_new(&fake->gateway, &options, &err) < 0)
        fail_msg("%s", err.msg);
    secret_unref(key);
    return fake;
}

static inline struct fake_gateway *fake_gateway_end(struct fake_gateway *fake)
{
    if (!fake)
        return NULL;
    (void)gateway_free(fake->gateway);
    (void)http_cancel_free(fake->cancel);
    (void)pthread_mutex_destroy(&fake->lock);
    buf_done(&fake->journal);
    buf_done(&fake->sizes);
    buf_done(&fake->told);
    free(fake->last_headers);
    free(fake);
    return NULL;
}
DEFINE_CLEANUP(struct fake_gateway *, fake_gateway_end)
