/* From a method and a URL to a bucket. The URL was made or checked by arm.c; nothing here trusts it to be short. */
#include "azure/limiter_core.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define SHARED "?" /* the bucket of all subscriptions for which there is no room; no path has this character */

/* [documented] learn.microsoft.com, request-limits-and-throttling */
static const struct limiter_figures figures[LIMITER_KINDS] = {
    [LIMITER_READS] = {.burst = {250, 3750}, .per_s = {25, 375}},
    [LIMITER_WRITES] = {.burst = {200, 3000}, .per_s = {10, 150}, .one_lane = true},
    [LIMITER_DELETES] = {.burst = {200, 3000}, .per_s = {10, 150}, .one_lane = true},
};

const char *limiter_kind_name(enum limiter_kind kind)
{
    static const char *const names[LIMITER_KINDS] = {"reads", "writes", "deletes"};

    return names[kind];
}

/* ---- what a request is ---- */

static enum limiter_kind kind_of(const char *method)
{
    if (!method || str_eq(method, "GET") || str_eq(method, "HEAD"))
        return LIMITER_READS;
    return str_eq(method, "DELETE") ? LIMITER_DELETES : LIMITER_WRITES;
}

static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");

    return host ? host + strlen("://") + strcspn(host + strlen("://"), "/?#") : url;
}

static bool is_poll(const char *path, size_t len)
{
    const char *const words[] = {"/operationsStatus/", "/operationResults/"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *found = str_find_nocase(path, words[i]);
        if (found && found < path + len)
            return true;
    }
    return false;
}

/* The id of the account of which, or below which, the path speaks; else the whole path. */
static size_t caller_len(const char *path, size_t len)
{
    const char *type = str_find_nocase(path, "/databaseAccounts/");

    if (!type || type >= path + len)
        return len;
    const char *name = type + strlen("/databaseAccounts/");
    return (size_t)(name - path) + strcspn(name, "/?#");
}

static uint64_t key_of(const char *path, size_t len)
{
    uint64_t h = 1469598103934665603ULL; /* FNV-1a: two callers with one key share a turn, no more */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)ascii_tolower(path[i])) * 1099511628211ULL;
    return h;
}

static void put_subscription(const char *path, char ret[static LIMITER_SUBSCRIPTION_SIZE])
{
    static const char prefix[] = "/subscriptions/";

    ret[0] = '\0';
    if (!str_has_prefix_nocase(path, prefix))
        return;
    const char *id = path + strlen(prefix);
    size_t n = strcspn(id, "/?#");
    if (n >= LIMITER_SUBSCRIPTION_SIZE)
        n = LIMITER_SUBSCRIPTION_SIZE - 1;
    memcpy(ret, id, n);
    ret[n] = '\0';
    (void)str_lower(ret);
}

void limiter_classify(const char *method, const char *url, const char *caller, struct limiter_request *ret)
{
    const char *path = path_of(url);
    size_t len = strcspn(path, "?#");

    *ret = (struct limiter_request){
        .kind = kind_of(method), .key = caller ? key_of(caller, strlen(caller)) : key_of(path, caller_len(path, len))};
    ret->lane = is_poll(path, len) ? LIMITER_URGENT : LIMITER_PLAIN;
    put_subscription(path, ret->subscription);
}

/* ---- the buckets ---- */

static void buckets_free(struct limiter_bucket *buckets)
{
    for (int k = 0; buckets && k < LIMITER_KINDS; k++)
        limiter_bucket_done(&buckets[k]);
    free(buckets);
}

void limiter_core_done(struct limiter_core *core)
{
    map_foreach (entry, &core->subscriptions)
        buckets_free(entry->value);
    map_done(&core->subscriptions);
}

static struct limiter_bucket *buckets_make(struct limiter_core *core, const char *subscription, int64_t now)
{
    struct limiter_bucket *buckets = xcalloc(LIMITER_KINDS, sizeof(*buckets));

    for (int k = 0; k < LIMITER_KINDS; k++)
        limiter_bucket_init(&buckets[k], &figures[k], now);
    (void)map_set(&core->subscriptions, subscription, buckets);
    return buckets;
}

static bool is_idle(const struct limiter_bucket *buckets, int64_t now)
{
    for (int k = 0; k < LIMITER_KINDS; k++)
        if (!limiter_bucket_idle(&buckets[k], now))
            return false;
    return true;
}

/* True when there is room again. */
static bool drop_one_idle(struct limiter_core *core, int64_t now)
{
    map_foreach (entry, &core->subscriptions)
        if (is_idle(entry->value, now)) {
            buckets_free(map_remove(&core->subscriptions, entry->key));
            return true;
        }
    return false;
}

struct limiter_bucket *limiter_core_bucket(
    struct limiter_core *core, const struct limiter_request *request, int64_t now)
{
    const char *subscription = request->subscription;
    struct limiter_bucket *buckets = map_get(&core->subscriptions, subscription);

    if (!buckets && core->subscriptions.len >= LIMITER_MAX_SUBSCRIPTIONS && !drop_one_idle(core, now)) {
        subscription = SHARED;
        buckets = map_get(&core->subscriptions, SHARED);
    }
    if (!buckets)
        buckets = buckets_make(core, subscription, now);
    return &buckets[request->kind];
}
