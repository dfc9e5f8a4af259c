/* bench-fleet: many CosmosCMKs at once, for hack/bench.sh.
 *
 * It creates resources as fast as the API server takes them, over a few HTTP/2 connections, or one at a time with a
 * pause; and it counts how many are Ready. Resource i of PREFIX is PREFIX-000001 and so on, for the account of the same
 * name; accounts are spread over subscriptions, because Azure limits requests by subscription and the bench is not
 * about that. The seed for fake-azure with the same names is printed by "accounts"; each subscription needs a vault. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_JOBS 64
#define SUBSCRIPTION_SIZE 48
#define KEY_URI "https://demo-vault.vault.azure.net/keys/cosmos"
static const struct kube_resource cosmoscmks = {.group = "cosmoscmk.io", .version = "v1", .plural = "cosmoscmks"};

struct fleet {
    struct kube_client *kube;
    const char *ns, *prefix;
    int64_t count, subscriptions, block, jobs, pause_ms;
    atomic_llong next;
    atomic_bool failed;
};

static void subscription_of(const struct fleet *f, int64_t i, char ret[static SUBSCRIPTION_SIZE])
{
    (void)snprintf(ret, SUBSCRIPTION_SIZE, "00000000-0000-4%03llx-8000-%012llx", (long long)f->block,
        (long long)(i % f->subscriptions));
}

static cJSON *resource_of(const struct fleet *f, int64_t i)
{
    char subscription[SUBSCRIPTION_SIZE];

    subscription_of(f, i, subscription);
    _cleanup_(freep) char *name = xasprintf("%s-%06lld", f->prefix, (long long)i);
    _cleanup_(freep) char *account =
        xasprintf("/subscriptions/%s/resourceGroups/bench/providers/Microsoft.DocumentDB/databaseAccounts/%s",
            subscription, name);
    _cleanup_(freep) char *vault =
        xasprintf("/subscriptions/%s/resourceGroups/demo/providers/Microsoft.KeyVault/vaults/demo-vault", subscription);
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "apiVersion", "cosmoscmk.io/v1");
    json_add_string(object, "kind", "CosmosCMK");
    json_add_string(json_add_object(object, "metadata"), "name", name);
    cJSON *spec = json_add_object(object, "spec");
    json_add_string(spec, "accountId", account);
    json_add_string(spec, "keyVaultKeyUri", KEY_URI);
    json_add_string(spec, "keyVaultId", vault);
    return object;
}

static int create_one(struct fleet *f, int64_t i, struct err *err)
{
    _cleanup_(json_freep) cJSON *object = resource_of(f, i), *answer = NULL;

    return kube_create(f->kube, &cosmoscmks, f->ns, object, &answer, err);
}

static void *create_some(void *ctx)
{
    struct fleet *f = ctx;
    struct err err = ERR_INIT;
    int64_t i;

    while (!atomic_load(&f->failed) && (i = atomic_fetch_add(&f->next, 1)) <= f->count) {
        if (create_one(f, i, &err) < 0) {
            atomic_store(&f->failed, true);
            (void)fprintf(stderr, "bench-fleet: resource %lld: %s\n", (long long)i, err.msg);
        }
        clock_sleep_ms(f->pause_ms);
    }
    return NULL;
}

static int create(struct fleet *f)
{
    pthread_t threads[MAX_JOBS];
    int64_t started = 0;

    atomic_init(&f->next, 1);
    for (; started < f->jobs && started < MAX_JOBS; started++)
        if (pthread_create(&threads[started], NULL, create_some, f) != 0)
            break;
    for (int64_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    return started > 0 && !atomic_load(&f->failed) ? 0 : 1;
}

static bool is_ready(const cJSON *object)
{
    const cJSON *condition;

    cJSON_ArrayForEach (condition, json_at(object, "status.conditions"))
        if (str_eq(json_string_at(condition, "type"), "Ready"))
            return str_eq(json_string_at(condition, "status"), "True");
    return false;
}

/* Prints how many there are and how many of them are Ready. */
static int count(struct fleet *f)
{
    struct kube_list_page page = {.ns = f->ns};
    _cleanup_(freep) char *token = NULL;
    long long all = 0, ready = 0;
    struct err err = ERR_INIT;

    do {
        _cleanup_(json_freep) cJSON *list = NULL;
        const cJSON *item;
        page.continue_token = token;
        if (kube_list_page(f->kube, &cosmoscmks, &page, &list, &err) < 0) {
            (void)fprintf(stderr, "bench-fleet: %s\n", err.msg);
            return 1;
        }
        cJSON_ArrayForEach (item, json_at(list, "items")) {
            all++;
            ready += is_ready(item);
        }
        str_replace(&token, json_string_at(list, "metadata.continue"));
    } while (!str_empty(token));
    printf("%lld %lld\n", all, ready);
    return 0;
}

/* Members of a seed, with a comma after each. encrypt_s < 0: encrypted with the key already. */
static void print_accounts(const struct fleet *f, int64_t encrypt_s)
{
    char subscription[SUBSCRIPTION_SIZE];

    for (int64_t i = 1; i <= f->count; i++) {
        subscription_of(f, i, subscription);
        printf("{\"name\":\"%s-%06lld\",\"subscription\":\"%s\",\"resourceGroup\":\"bench\",", f->prefix, (long long)i,
            subscription);
        if (encrypt_s < 0)
            printf("\"keyVaultKeyUri\":\"" KEY_URI "\"},\n");
        else
            printf("\"encryptSeconds\":%lld},\n", (long long)encrypt_s);
    }
}

static int connect_to(struct fleet *f, struct http_engine **ret_engine)
{
    const struct http_engine_options options = {.user_agent = "bench-fleet"};
    const struct kube_config_options where = {0};
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    struct err err = ERR_INIT;

    if (http_engine_new(ret_engine, &options, &err) == 0 && kube_config_load(&config, &where, &err) == 0 &&
        kube_client_new(&f->kube, *ret_engine, config, &err) == 0)
        return 0;
    (void)fprintf(stderr, "bench-fleet: %s\n", err.msg);
    return -1;
}

static int usage(void)
{
    (void)fputs("usage: bench-fleet create NAMESPACE PREFIX COUNT SUBSCRIPTIONS[:BLOCK] JOBS PAUSE_MS\n"
                "       bench-fleet count NAMESPACE\n"
                "       bench-fleet accounts PREFIX COUNT SUBSCRIPTIONS[:BLOCK] ENCRYPT_SECONDS|-1\n",
        stderr);
    return 2;
}

static bool number(const char *text, int64_t *ret)
{
    return str_to_i64(text, -1, 1000000, ret);
}

/* N, or N:BLOCK for subscriptions that no other block has. */
static bool take_subscriptions(struct fleet *f, const char *text)
{
    const char *colon = strchr(text, ':');
    _cleanup_(freep) char *n = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);

    return number(n, &f->subscriptions) && f->subscriptions > 0 &&
           (!colon || str_to_i64(colon + 1, 0, 4095, &f->block));
}

int main(int argc, char **argv)
{
    _cleanup_(http_engine_freep) struct http_engine *engine = NULL;
    struct fleet f = {0};
    int64_t encrypt_s;
    int r = 1;

    if (argc == 6 && str_eq(argv[1], "accounts") && number(argv[3], &f.count) && take_subscriptions(&f, argv[4]) &&
        number(argv[5], &encrypt_s)) {
        f.prefix = argv[2];
        print_accounts(&f, encrypt_s);
        return 0;
    }
    bool creates = argc == 8 && str_eq(argv[1], "create") && number(argv[4], &f.count) &&
                   take_subscriptions(&f, argv[5]) && number(argv[6], &f.jobs) && number(argv[7], &f.pause_ms);
    if (!creates && !(argc == 3 && str_eq(argv[1], "count")))
        return usage();
    f.ns = argv[2];
    f.prefix = argv[3];
    if (connect_to(&f, &engine) == 0)
        r = creates ? create(&f) : count(&f);
    f.kube = kube_client_free(f.kube);
    return r;
}
