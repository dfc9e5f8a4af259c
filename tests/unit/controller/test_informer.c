/* The informer against an API server that holds what the test says. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/informer.h"
#include "httpd/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_STREAMS 32
#define WAIT_ROUNDS 6000

struct server {
    struct httpd_server *httpd;
    pthread_mutex_t lock;
    int items[2]; /* in namespaces a and b: so many from 0 on */
    bool refuse_b;
    int refused, lists;
    int version;
    struct httpd_exchange *streams[MAX_STREAMS];
    size_t n_streams;
};

static void put_item(struct buf *b, const char *ns, int i)
{
    buf_printf(b,
        "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"r%d\",\"uid\":\"%s-%d\",\"resourceVersion\":\"%d\","
        "\"generation\":1},\"spec\":{\"accountId\":\"/subscriptions/s/resourceGroups/g/providers/"
        "Microsoft.DocumentDB/databaseAccounts/%s-%d\",\"keyVaultKeyUri\":\"https://v.vault.azure.net/keys/k\"}}",
        ns, i, ns, i, i + 1, ns, i);
}

/* A page of 500 as a real server sends it: the members sorted, so that metadata comes last. */
static void reply_list(
    struct server *s, struct httpd_exchange *exchange, const struct httpd_request *request, int which)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(16 << 20);
    char from[16] = "0";
    int64_t n = s->items[which], begin = 0, i;

    (void)httpd_query(request, "continue", from, sizeof(from));
    (void)str_to_i64(from, 0, n, &begin);
    buf_puts(&body, "{\"items\":[");
    for (i = begin; i < n && i < begin + 500; i++) {
        buf_puts(&body, i > begin ? "," : "");
        put_item(&body, which ? "b" : "a", (int)i);
    }
    buf_puts(&body, "],\"metadata\":{");
    if (i < n)
        buf_printf(&body, "\"continue\":\"%d\",", (int)i);
    buf_printf(&body, "\"resourceVersion\":\"%d\"}}", s->version);
    s->lists++;
    httpd_reply_text(exchange, 200, "application/json", buf_str(&body));
}

static void handle_locked(struct server *s, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    char text[16];
    int which = strstr(request->path, "/namespaces/b/") != NULL;

    if (which && s->refuse_b) {
        s->refused++;
        httpd_reply_text(exchange, 403, "application/json", "{\"kind\":\"Status\",\"message\":\"not yet\"}");
    } else if (httpd_query(request, "sendInitialEvents", text, sizeof(text))) {
        httpd_reply_text(exchange, 422, "application/json", "{\"kind\":\"Status\",\"message\":\"no WatchList\"}");
    } else if (httpd_query(request, "watch", text, sizeof(text))) {
        if (s->n_streams == MAX_STREAMS)
            abort();
        httpd_stream_begin(exchange, 200, NULL, 0);
        s->streams[s->n_streams++] = exchange;
    } else {
        reply_list(s, exchange, request, which);
    }
}

static void handle(void *ctx, struct httpd_exchange *exchange, const struct httpd_request *request)
{
    struct server *s = ctx;

    pthread_mutex_lock(&s->lock);
    handle_locked(s, exchange, request);
    pthread_mutex_unlock(&s->lock);
}

struct rig {
    struct server server;
    struct http_engine *engine;
    struct kube_client *kube;
    struct store *store;
    struct work_queue *queue;
    struct informer *informer;
    atomic_int synced, first;
    pthread_t worker;
    atomic_int queued; /* keys handed out so far */
};

static void on_synced(void *ctx, bool first)
{
    struct rig *rig = ctx;

    atomic_fetch_add(&rig->synced, 1);
    if (first)
        atomic_fetch_add(&rig->first, 1);
}

static void *work(void *ctx)
{
    struct rig *rig = ctx;

    for (char *key; (key = work_queue_get(rig->queue)); free(key)) {
        work_queue_done(rig->queue, key);
        atomic_fetch_add(&rig->queued, 1);
    }
    return NULL;
}

static struct rig *rig_new(int a, int b, bool refuse_b)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));
    const struct httpd_options options = {.handler = handle, .ctx = &rig->server};
    const struct http_engine_options engine = {.user_agent = "test/1"};
    struct kube_config config = {0};

    rig->server = (struct server){.items = {a, b}, .refuse_b = refuse_b, .version = 100000};
    (void)pthread_mutex_init(&rig->server.lock, NULL);
    assert_int_equal(httpd_start(&rig->server.httpd, &options, NULL), 0);
    config.server = xasprintf("http://127.0.0.1:%d", httpd_port(rig->server.httpd));
    assert_int_equal(http_engine_new(&rig->engine, &engine, NULL), 0);
    assert_int_equal(kube_client_new(&rig->kube, rig->engine, &config, NULL), 0);
    free(config.server);
    rig->store = store_new();
    rig->queue = work_queue_new(NULL);
    assert_int_equal(pthread_create(&rig->worker, NULL, work, rig), 0);
    return rig;
}

static void rig_start(struct rig *rig, const char *const *namespaces, size_t n)
{
    const struct informer_options options = {.client = rig->kube,
        .store = rig->store,
        .queue = rig->queue,
        .namespaces = namespaces,
        .n_namespaces = n,
        .synced = on_synced,
        .ctx = rig};

    assert_int_equal(informer_start(&rig->informer, &options, NULL), 0);
}

static void rig_free(struct rig *rig)
{
    informer_cancel(rig->informer);
    assert_null(informer_join(rig->informer));
    work_queue_stop(rig->queue);
    (void)pthread_join(rig->worker, NULL);
    kube_client_free(rig->kube);
    http_engine_free(rig->engine);
    httpd_stop(rig->server.httpd);
    for (size_t i = 0; i < rig->server.n_streams; i++)
        httpd_abort(rig->server.streams[i]); /* which frees them */
    (void)pthread_mutex_destroy(&rig->server.lock);
    store_free(rig->store);
    work_queue_free(rig->queue);
    free(rig);
}

static void say(struct rig *rig, const char *line)
{
    pthread_mutex_lock(&rig->server.lock);
    for (size_t i = 0; i < rig->server.n_streams; i++)
        httpd_stream_write(rig->server.streams[i], line, strlen(line));
    pthread_mutex_unlock(&rig->server.lock);
}

static int refused(struct rig *rig)
{
    pthread_mutex_lock(&rig->server.lock);
    int n = rig->server.refused;
    pthread_mutex_unlock(&rig->server.lock);
    return n;
}

#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        int rounds_ = 0;                                                                                               \
        while (!(condition) && ++rounds_ < WAIT_ROUNDS)                                                                \
            clock_sleep_ms(10);                                                                                        \
        assert_true(condition);                                                                                        \
    } while (0)

/* Who acts for an account is known only when all are known; then the first sweep asks. */
static void changes_are_queued_once_every_namespace_was_listed(void **state _unused_)
{
    static const char *const namespaces[] = {"a", "b"};
    struct rig *rig = rig_new(2, 3, true);

    rig_start(rig, namespaces, 2);
    AWAIT(store_len(rig->store) == 2 && refused(rig) >= 2);
    AWAIT(({
        say(rig, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"a\",\"name\":\"late\",\"uid\":\"late\","
                 "\"resourceVersion\":\"100001\"}}}\n");
        store_len(rig->store) == 3;
    }));
    assert_int_equal(atomic_load(&rig->queued), 0);
    assert_int_equal(atomic_load(&rig->synced), 0);
    pthread_mutex_lock(&rig->server.lock);
    rig->server.refuse_b = false;
    pthread_mutex_unlock(&rig->server.lock);
    AWAIT(atomic_load(&rig->first) == 1);
    assert_int_equal(store_len(rig->store), 6);
    assert_int_equal(atomic_load(&rig->queued), 0);
    AWAIT(({
        say(rig,
            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"a\",\"name\":\"later\",\"uid\":\"later\","
            "\"resourceVersion\":\"100002\"}}}\n");
        atomic_load(&rig->queued) == 1;
    }));
    rig_free(rig);
}

static void ten_thousand_are_listed_and_a_second_list_takes_half_of_them_away(void **state _unused_)
{
    struct rig *rig = rig_new(10000, 0, false);

    rig_start(rig, NULL, 0);
    AWAIT(atomic_load(&rig->first) == 1);
    assert_int_equal(store_len(rig->store), 10000);
    pthread_mutex_lock(&rig->server.lock);
    assert_int_equal(rig->server.lists, 20);
    rig->server.items[0] = 5000;
    rig->server.version++;
    pthread_mutex_unlock(&rig->server.lock);
    AWAIT(({
        say(rig, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n");
        atomic_load(&rig->synced) > 1;
    }));
    assert_int_equal(store_len(rig->store), 5000);
    assert_int_equal(atomic_load(&rig->queued), 0); /* nothing that is left has changed */
    _cleanup_(store_item_unrefp) struct store_item *last = store_get(rig->store, "a/r4999");
    assert_non_null(last);
    assert_null(store_get(rig->store, "a/r5000"));
    rig_free(rig);
}

static void a_resource_that_stops_matching_is_let_go(void **state _unused_)
{
    struct rig *rig = rig_new(2, 0, false);

    rig_start(rig, NULL, 0);
    AWAIT(atomic_load(&rig->first) == 1);
    /* What the API server sends for it, with a selector. */
    AWAIT(({
        say(rig, "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"namespace\":\"a\",\"name\":\"r1\","
                 "\"uid\":\"a-1\",\"resourceVersion\":\"100005\"}}}\n");
        store_len(rig->store) == 1;
    }));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_queued_once_every_namespace_was_listed),
        cmocka_unit_test(ten_thousand_are_listed_and_a_second_list_takes_half_of_them_away),
        cmocka_unit_test(a_resource_that_stops_matching_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
