/* The reflector against a scripted API server. A case is a script, what must have been handed out, and what must have
 * been asked. */
#include "unit.h"

#include "api_server.h"
#include "kube/reflector.h"

#include <string.h>

static const struct kube_resource cmks = {"cosmoscmk.io", "v1", "cosmoscmks"};

#define PATH "/apis/cosmoscmk.io/v1/cosmoscmks"
#define OBJECT(version, name)                                                                                          \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, items)                                                                                           \
    {                                                                                                                  \
        200, "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"                              \
    }
#define PAGE(version, next, items)                                                                                     \
    {                                                                                                                  \
        200, "{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" next "\"},\"items\":[" items "]}"    \
    }
#define EVENT(type, version, name) "{\"type\":\"" type "\",\"object\":" OBJECT(version, name) "}\n"
#define BOOKMARK(version) "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"
#define STATUS(code, reason)                                                                                           \
    "{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason "\",\"message\":\"" reason "\"}"
#define ERROR_EVENT(code, reason) "{\"type\":\"ERROR\",\"object\":" STATUS(code, reason) "}\n"

#define END_OF_INITIAL(version)                                                                                        \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version                                  \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"

#define ASKED_WATCH_LIST                                                                                               \
    "GET " PATH "?watch=true&allowWatchBookmarks=true&timeoutSeconds=T&sendInitialEvents=true"                         \
    "&resourceVersionMatch=NotOlderThan\n"
#define ASKED_LIST "GET " PATH "?limit=500\n"
#define ASKED_MORE(next) "GET " PATH "?limit=500&continue=" next "\n"
#define ASKED_WATCH(version)                                                                                           \
    "GET " PATH "?watch=true&allowWatchBookmarks=true&timeoutSeconds=T&resourceVersion=" version "\n"

/* Written by the reflector's thread, read by the test after it has ended. */
struct trace {
    struct buf text;
    int64_t longest_wait_ms;
};

static void list_begin(void *ctx)
{
    buf_puts(&((struct trace *)ctx)->text, "begin\n");
}

static void upsert(void *ctx, const cJSON *object)
{
    buf_printf(&((struct trace *)ctx)->text, "upsert %s@%s\n", json_string_at(object, "metadata.name"),
        json_string_at(object, "metadata.resourceVersion"));
}

static void take_away(void *ctx, const char *ns, const char *name)
{
    buf_printf(&((struct trace *)ctx)->text, "remove %s/%s\n", ns, name);
}

static void list_end(void *ctx)
{
    buf_puts(&((struct trace *)ctx)->text, "end\n");
}

static void trouble(void *ctx, const struct err *err, int64_t retry_in_ms)
{
    struct trace *trace = ctx;

    buf_printf(&trace->text, "trouble %s\n", err_kind_name(err->kind));
    if (retry_in_ms > trace->longest_wait_ms)
        trace->longest_wait_ms = retry_in_ms;
}

struct fixture {
    struct api_server api;
    struct http_engine *engine;
    struct kube_client *client;
    struct trace trace;
    struct kube_reflector_options options;
    pthread_t thread;
};

static void *run(void *ctx)
{
    struct fixture *f = ctx;

    kube_reflector_run(f->client, &f->options);
    return NULL;
}

static void begin(struct fixture *f, const struct api_answer *script, size_t n)
{
    struct http_engine_options engine_options = {.user_agent = "test/1"};
    struct kube_config config = {0};
    struct err err;

    *f = (struct fixture){.trace.text = BUF_INIT(1 << 20)};
    api_start(&f->api, script, n);
    config.server = xasprintf("http://127.0.0.1:%d", httpd_port(f->api.server));
    assert_int_equal(http_engine_new(&f->engine, &engine_options, &err), 0);
    assert_int_equal(kube_client_new(&f->client, f->engine, &config, &err), 0);
    free(config.server);
    f->options = (struct kube_reflector_options){
        .resource = &cmks,
        .no_watch_list = true,
        .backoff_base_ms = 1,
        .backoff_max_ms = 4,
        .cancel = http_cancel_new(),
        .list_begin = list_begin,
        .upsert = upsert,
        .remove = take_away,
        .list_end = list_end,
        .trouble = trouble,
        .ctx = &f->trace,
    };
}

static void start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

static void join(struct fixture *f)
{
    http_cancel_trigger(f->options.cancel);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
}

static void end(struct fixture *f)
{
    f->client = kube_client_free(f->client);
    f->engine = http_engine_free(f->engine);
    api_stop(&f->api);
    f->options.cancel = http_cancel_free(f->options.cancel);
    buf_done(&f->trace.text);
}

struct scenario {
    const char *name;
    bool watch_list;
    struct api_answer script[8]; /* up to the first status 0; the request after that hangs and ends the case */
    const char *handed_out;
    const char *asked;
};

static const struct scenario scenarios[] = {
    {"a list, then events from its version on", false,
        {LIST("10", OBJECT("3", "a") "," OBJECT("9", "b")),
            {200, EVENT("ADDED", "11", "c") EVENT("MODIFIED", "12", "a") EVENT("DELETED", "13", "b"), API_STREAM}},
        "begin\nupsert a@3\nupsert b@9\nend\nupsert c@11\nupsert a@12\nremove n/b\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("13")},
    {"an empty list", false, {LIST("10", "")}, "begin\nend\n", ASKED_LIST ASKED_WATCH("10")},
    {"items that are null", false, {{200, "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":null}"}},
        "begin\nend\n", ASKED_LIST ASKED_WATCH("10")},
    {"pages", false,
        {PAGE("10", "p2", OBJECT("3", "a")), PAGE("10", "p3", OBJECT("4", "b")), LIST("10", OBJECT("5", "c"))},
        "begin\nupsert a@3\nupsert b@4\nupsert c@5\nend\n",
        ASKED_LIST ASKED_MORE("p2") ASKED_MORE("p3") ASKED_WATCH("10")},
    {"a continue token that has expired begins the list again", false,
        {PAGE("10", "p2", OBJECT("3", "a")), {410, STATUS(410, "Expired")}, LIST("20", OBJECT("15", "b"))},
        "begin\nupsert a@3\ntrouble gone\nbegin\nupsert b@15\nend\n",
        ASKED_LIST ASKED_MORE("p2") ASKED_LIST ASKED_WATCH("20")},
    {"bookmarks only move the version", false, {LIST("10", ""), {200, BOOKMARK("15") BOOKMARK("99"), API_STREAM}},
        "begin\nend\n", ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("99")},
    {"410 as an HTTP status lists again", false,
        {LIST("10", OBJECT("3", "a")), {410, STATUS(410, "Expired")}, LIST("20", "")},
        "begin\nupsert a@3\nend\ntrouble gone\nbegin\nend\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_WATCH("20")},
    {"410 within the stream lists again", false,
        {LIST("10", ""), {200, EVENT("ADDED", "11", "a") ERROR_EVENT(410, "Expired"), API_STREAM}, LIST("20", "")},
        "begin\nend\nupsert a@11\ntrouble gone\nbegin\nend\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_WATCH("20")},
    {"another error within the stream resumes", false,
        {LIST("10", ""), {200, EVENT("ADDED", "11", "a") ERROR_EVENT(500, "InternalError"), API_STREAM}},
        "begin\nend\nupsert a@11\ntrouble unavailable\n", ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("11")},
    {"a stream cut within an event resumes after the last whole one", false,
        {LIST("10", ""), {200, EVENT("ADDED", "11", "a") "{\"type\":\"ADD", API_STREAM}},
        "begin\nend\nupsert a@11\ntrouble unavailable\n", ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("11")},
    {"a stream that closes at once is trouble, or it would be asked for without pause", false,
        {LIST("10", ""), {200, "", API_STREAM}}, "begin\nend\ntrouble unavailable\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("10")},
    {"429 on the list is waited out", false, {{429, STATUS(429, "TooManyRequests")}, LIST("10", "")},
        "trouble throttled\nbegin\nend\n", ASKED_LIST ASKED_LIST ASKED_WATCH("10")},
    {"429 on the watch resumes", false, {LIST("10", ""), {429, STATUS(429, "TooManyRequests")}},
        "begin\nend\ntrouble throttled\n", ASKED_LIST ASKED_WATCH("10") ASKED_WATCH("10")},
    {"403 is asked again: rights may be granted", false, {{403, STATUS(403, "Forbidden")}, LIST("10", "")},
        "trouble forbidden\nbegin\nend\n", ASKED_LIST ASKED_LIST ASKED_WATCH("10")},
    {"404 is asked again: the CRD may be installed", false, {{404, "404 page not found"}, LIST("10", "")},
        "trouble not-found\nbegin\nend\n", ASKED_LIST ASKED_LIST ASKED_WATCH("10")},
    {"a list older than what was seen is refused until it has caught up", false,
        {LIST("10", OBJECT("3", "a")), {200, BOOKMARK("100") ERROR_EVENT(410, "Expired"), API_STREAM},
            LIST("99", OBJECT("3", "a")), LIST("9", ""), LIST("100", OBJECT("50", "b"))},
        "begin\nupsert a@3\nend\ntrouble gone\ntrouble unavailable\ntrouble unavailable\nbegin\nupsert b@50\nend\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_LIST ASKED_LIST ASKED_WATCH("100")},
    {"versions beyond 64 bits are numbers, too", false,
        {LIST("99999999999999999999", ""),
            {200, EVENT("ADDED", "100000000000000000000", "a") ERROR_EVENT(410, "Expired"), API_STREAM},
            LIST("99999999999999999999", ""), LIST("100000000000000000001", "")},
        "begin\nend\nupsert a@100000000000000000000\ntrouble gone\ntrouble unavailable\nbegin\nend\n",
        ASKED_LIST ASKED_WATCH("99999999999999999999") ASKED_LIST ASKED_LIST ASKED_WATCH("100000000000000000001")},
    {"an event older than what was seen is not handed out", false,
        {LIST("10", ""), {200, EVENT("ADDED", "9", "old"), API_STREAM}, LIST("10", "")},
        "begin\nend\ntrouble protocol\nbegin\nend\n", ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_WATCH("10")},
    {"garbage in the stream lists again", false, {LIST("10", ""), {200, "<html>\n", API_STREAM}, LIST("11", "")},
        "begin\nend\ntrouble protocol\nbegin\nend\n", ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_WATCH("11")},
    {"a list that is none is asked for again", false,
        {{200, "[]"}, {200, "{\"items\":[]}"}, {200, "{\"metadata\":{\"resourceVersion\":\"x\"},\"items\":[]}"},
            {200, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}"}, LIST("10", "")},
        "trouble protocol\ntrouble protocol\ntrouble protocol\ntrouble protocol\nbegin\nend\n",
        ASKED_LIST ASKED_LIST ASKED_LIST ASKED_LIST ASKED_LIST ASKED_WATCH("10")},
    {"an item without a name is no item", false, {LIST("10", OBJECT("3", "a") ",{}"), LIST("10", OBJECT("3", "a"))},
        "begin\nupsert a@3\ntrouble protocol\nbegin\nupsert a@3\nend\n", ASKED_LIST ASKED_LIST ASKED_WATCH("10")},
    {"a watch that begins with what is there", true,
        {{200,
            EVENT("ADDED", "9", "b") EVENT("ADDED", "3", "a") END_OF_INITIAL("10") EVENT("MODIFIED", "12", "a")
                BOOKMARK("15"),
            API_STREAM}},
        "begin\nupsert b@9\nupsert a@3\nend\nupsert a@12\n", ASKED_WATCH_LIST ASKED_WATCH("15")},
    {"a watch that begins with nothing", true, {{200, END_OF_INITIAL("10"), API_STREAM}}, "begin\nend\n",
        ASKED_WATCH_LIST ASKED_WATCH("10")},
    {"what changes while the initial events come", true,
        {{200,
            EVENT("ADDED", "9", "b") EVENT("MODIFIED", "11", "b") EVENT("ADDED", "3", "a") EVENT("DELETED", "12", "b")
                END_OF_INITIAL("12"),
            API_STREAM}},
        "begin\nupsert b@9\nupsert b@11\nupsert a@3\nremove n/b\nend\n", ASKED_WATCH_LIST ASKED_WATCH("12")},
    {"a server that refuses WatchList as invalid is listed, for good", true,
        {{422, STATUS(422, "Invalid")}, LIST("10", OBJECT("3", "a")),
            {200, EVENT("ADDED", "11", "b") ERROR_EVENT(410, "Expired"), API_STREAM}, LIST("20", "")},
        "begin\nupsert a@3\nend\nupsert b@11\ntrouble gone\nbegin\nend\n",
        ASKED_WATCH_LIST ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_WATCH("20")},
    {"so is one that calls it a bad request", true, {{400, STATUS(400, "BadRequest")}, LIST("10", "")}, "begin\nend\n",
        ASKED_WATCH_LIST ASKED_LIST ASKED_WATCH("10")},
    {"so is one that ignores it and sends ordinary bookmarks", true,
        {{200, EVENT("ADDED", "9", "b") BOOKMARK("10"), API_STREAM}, LIST("10", "")}, "begin\nupsert b@9\nbegin\nend\n",
        ASKED_WATCH_LIST ASKED_LIST ASKED_WATCH("10")},
    {"initial events that break off begin again", true,
        {{200, EVENT("ADDED", "9", "b"), API_STREAM}, {200, EVENT("ADDED", "3", "a") "{\"type\":\"BOOK", API_STREAM},
            {200, END_OF_INITIAL("10"), API_STREAM}},
        "begin\nupsert b@9\ntrouble unavailable\nbegin\nupsert a@3\ntrouble unavailable\nbegin\nend\n",
        ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH("10")},
    {"403, 404, 429, 500 do not mean that there is no WatchList", true,
        {{403, STATUS(403, "Forbidden")}, {404, "404 page not found"}, {429, STATUS(429, "TooManyRequests")},
            {500, STATUS(500, "InternalError")}, {200, END_OF_INITIAL("10"), API_STREAM}},
        "trouble forbidden\ntrouble not-found\ntrouble throttled\ntrouble unavailable\nbegin\nend\n",
        ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH("10")},
    {"410 begins a WatchList again", true,
        {{200, END_OF_INITIAL("10") ERROR_EVENT(410, "Expired"), API_STREAM}, {200, END_OF_INITIAL("20"), API_STREAM}},
        "begin\nend\ntrouble gone\nbegin\nend\n", ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH("20")},
    {"initial events older than what was seen take nothing away", true,
        {{200, END_OF_INITIAL("10") BOOKMARK("100") ERROR_EVENT(410, "Expired"), API_STREAM},
            {200, EVENT("ADDED", "50", "a") END_OF_INITIAL("99"), API_STREAM},
            {200, EVENT("ADDED", "101", "b") END_OF_INITIAL("101"), API_STREAM}},
        "begin\nend\ntrouble gone\nbegin\nupsert a@50\ntrouble unavailable\nbegin\nupsert b@101\nend\n",
        ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH_LIST ASKED_WATCH("101")},
    {"a list whose version comes last", false,
        {{200, "{\"items\":[" OBJECT("3", "a") "," OBJECT("4", "b") "],\"metadata\":{\"resourceVersion\":\"10\"}}"},
            {200, BOOKMARK("100") ERROR_EVENT(410, "Expired"), API_STREAM},
            {200, "{\"items\":[" OBJECT("3", "a") "],\"metadata\":{\"resourceVersion\":\"99\"}}"},
            {200, "{\"items\":[],\"metadata\":{\"resourceVersion\":\"101\"}}"}},
        "begin\nupsert a@3\nupsert b@4\nend\ntrouble gone\nbegin\nupsert a@3\ntrouble unavailable\nbegin\nend\n",
        ASKED_LIST ASKED_WATCH("10") ASKED_LIST ASKED_LIST ASKED_WATCH("101")},
    {"a list that is cut off takes nothing away", false,
        {{200, "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[" OBJECT("3", "a") ","}, LIST("11", "")},
        "begin\nupsert a@3\ntrouble unavailable\nbegin\nend\n", ASKED_LIST ASKED_LIST ASKED_WATCH("11")},
};

static void run_scenario(const struct scenario *s)
{
    struct fixture f;
    size_t n = 0;

    while (n < ARRAY_LEN(s->script) && s->script[n].status)
        n++;
    begin(&f, s->script, n);
    f.options.no_watch_list = !s->watch_list;
    start(&f);
    assert_true(api_wait(&f.api, n + 1));
    join(&f);
    _cleanup_(freep) char *asked = api_journal(&f.api);
    assert_string_equal(buf_str(&f.trace.text), s->handed_out);
    assert_string_equal(asked, s->asked);
    end(&f);
}

static void every_scenario_ends_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        print_message("  %s\n", scenarios[i].name);
        run_scenario(&scenarios[i]);
    }
}

static void a_connection_that_breaks_resumes_from_the_last_event(void **state)
{
    static const struct api_answer script[] = {LIST("10", ""), {200, EVENT("ADDED", "11", "a"), API_HANG}};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    start(&f);
    assert_true(api_wait(&f.api, 2));
    clock_sleep_ms(50); /* the event is most likely read by now; if not, it is asked for again */
    api_cut(&f.api);
    assert_true(api_wait(&f.api, 3));
    join(&f);
    _cleanup_(freep) char *asked = api_journal(&f.api);
    assert_memory_equal(asked, ASKED_LIST ASKED_WATCH("10"), strlen(ASKED_LIST ASKED_WATCH("10")));
    assert_non_null(strstr(buf_str(&f.trace.text), "trouble unavailable\n"));
    if (strstr(buf_str(&f.trace.text), "upsert a@11"))
        assert_non_null(strstr(asked, "resourceVersion=11\n"));
    end(&f);
}

static void a_silent_stream_is_opened_anew(void **state)
{
    static const struct api_answer script[] = {LIST("10", ""), {200, EVENT("ADDED", "11", "a"), API_HANG}};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    f.options.idle_timeout_ms = 1000;
    start(&f);
    assert_true(api_wait(&f.api, 3));
    join(&f);
    assert_memory_equal(buf_str(&f.trace.text), "begin\nend\nupsert a@11\ntrouble timeout\n", 39);
    end(&f);
}

static void retry_after_is_obeyed_and_waiting_ends_with_the_cancel(void **state)
{
    static const struct api_answer script[] = {
        {429, STATUS(429, "TooManyRequests"), API_REPLY, "3000"},
        LIST("10", ""),
    };
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    start(&f);
    assert_true(api_wait(&f.api, 1));
    clock_sleep_ms(100);
    int64_t start_ms = clock_mono_ms();
    join(&f);
    assert_true(clock_mono_ms() - start_ms < 60000); /* and not 50 minutes */
    assert_string_equal(buf_str(&f.trace.text), "trouble throttled\n");
    assert_in_range(f.trace.longest_wait_ms, 3000000, 3750000);
    assert_int_equal(api_served(&f.api), 1);
    end(&f);
}

static void the_backoff_grows_up_to_its_bound(void **state)
{
    struct api_answer script[12];
    struct fixture f;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(script); i++)
        script[i] = (struct api_answer){403, STATUS(403, "Forbidden")};
    begin(&f, script, ARRAY_LEN(script));
    f.options.backoff_max_ms = 20;
    start(&f);
    assert_true(api_wait(&f.api, ARRAY_LEN(script) + 1));
    join(&f);
    assert_in_range(f.trace.longest_wait_ms, 10, 20);
    end(&f);
}

static void being_told_to_wait_does_not_slow_down_what_comes_after(void **state)
{
    static const struct api_answer script[] = {
        {429, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":0}}", API_REPLY, "1"},
        {429, "{}", API_REPLY, "1"},
        {403, STATUS(403, "Forbidden")},
    };
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    f.options.backoff_base_ms = 2000;
    f.options.backoff_max_ms = 3600000;
    start(&f);
    assert_true(api_wait(&f.api, ARRAY_LEN(script) + 1));
    join(&f);
    assert_in_range(f.trace.longest_wait_ms, 2000, 4000);
    end(&f);
}

static void selectors_and_page_sizes_are_passed_on(void **state)
{
    static const struct api_answer script[] = {PAGE("10", "p2", ""), LIST("10", "")};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    f.options.ns = "payments";
    f.options.label_selector = "shard=1";
    f.options.page_size = 2;
    f.options.trouble = NULL;
    start(&f);
    assert_true(api_wait(&f.api, 3));
    join(&f);
    _cleanup_(freep) char *asked = api_journal(&f.api);
#define IN_NS "GET /apis/cosmoscmk.io/v1/namespaces/payments/cosmoscmks?"
    assert_string_equal(asked,
        IN_NS "limit=2&labelSelector=shard%3D1\n" IN_NS "limit=2&labelSelector=shard%3D1&continue=p2\n" IN_NS
              "watch=true&allowWatchBookmarks=true&timeoutSeconds=T&labelSelector=shard%3D1&resourceVersion=10\n");
    end(&f);
}

static void a_cancelled_client_ends_the_reflector_too(void **state)
{
    static const struct api_answer script[] = {LIST("10", "")};
    struct fixture f;
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    start(&f);
    assert_true(api_wait(&f.api, 2));
    kube_client_cancel(f.client);
    assert_int_equal(pthread_join(f.thread, NULL), 0);
    assert_string_equal(buf_str(&f.trace.text), "begin\nend\n");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scenario_ends_as_told),
        cmocka_unit_test(a_connection_that_breaks_resumes_from_the_last_event),
        cmocka_unit_test(a_silent_stream_is_opened_anew),
        cmocka_unit_test(retry_after_is_obeyed_and_waiting_ends_with_the_cancel),
        cmocka_unit_test(the_backoff_grows_up_to_its_bound),
        cmocka_unit_test(being_told_to_wait_does_not_slow_down_what_comes_after),
        cmocka_unit_test(selectors_and_page_sizes_are_passed_on),
        cmocka_unit_test(a_cancelled_client_ends_the_reflector_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
