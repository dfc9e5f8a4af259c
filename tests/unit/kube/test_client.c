/* The REST client against a scripted API server. */
#include "unit.h"

#include "api_server.h"
#include "kube/client.h"
#include "scratch.h"

#include <string.h>

struct fixture {
    struct api_server api;
    struct http_engine *engine;
    struct kube_config *config;
    struct kube_client *client;
};

static const struct kube_resource cmks = {"cosmoscmk.io", "v1", "cosmoscmks"};
static const struct kube_resource accounts = {"", "v1", "serviceaccounts"};

static void open_client(struct fixture *f)
{
    struct http_engine_options options = {.user_agent = "test/1"};
    struct err err;

    f->config->server = xasprintf("http://127.0.0.1:%d", httpd_port(f->api.server));
    assert_int_equal(http_engine_new(&f->engine, &options, &err), 0);
    assert_int_equal(kube_client_new(&f->client, f->engine, f->config, &err), 0);
}

static void begin(struct fixture *f, const struct api_answer *script, size_t n)
{
    *f = (struct fixture){.config = xcalloc(1, sizeof(*f->config))};
    api_start(&f->api, script, n);
    open_client(f);
}

static void end(struct fixture *f)
{
    f->client = kube_client_free(f->client);
    f->config = kube_config_free(f->config);
    f->engine = http_engine_free(f->engine);
    api_stop(&f->api);
}

#define assert_journal(f, expected)                                                                                    \
    do {                                                                                                               \
        _cleanup_(freep) char *journal_ = api_journal(&(f)->api);                                                      \
        assert_string_equal(journal_, expected);                                                                       \
    } while (0)

#define ITEM "/apis/cosmoscmk.io/v1/namespaces/payments/cosmoscmks"

static void each_call_is_the_request_that_the_api_server_expects(void **state)
{
    static const struct api_answer script[] = {
        {200, "{\"kind\":\"CosmosCMK\"}"},
        {201, "{\"created\":true}"},
        {201, "{\"status\":{\"token\":\"x\"}}"},
        {200, "{\"a\":1}"},
        {200, "{\"b\":2}"},
        {200, "{\"kind\":\"Status\",\"status\":\"Success\"}"},
        {200, "{\"gitVersion\":\"v1.36.3\"}"},
        {200, "{\"items\":[]}"},
        {200, "{\"items\":[]}"},
    };
    struct fixture f;
    struct err err;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    cJSON *answers[9] = {0};
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    (void)json_add_string(object, "kind", "CosmosCMK");
    assert_int_equal(kube_get(f.client, &cmks, "payments", "orders", &answers[0], &err), 0);
    assert_string_equal(json_string_at(answers[0], "kind"), "CosmosCMK");
    assert_int_equal(kube_create(f.client, &cmks, "payments", object, &answers[1], &err), 0);
    assert_true(json_bool_at(answers[1], "created", false));
    assert_int_equal(
        kube_create_subresource(f.client, &accounts, "payments", "cosmoscmk", "token", object, &answers[2], &err), 0);
    assert_int_equal(kube_merge_patch(f.client, &cmks, "payments", "orders", NULL, object, &answers[3], &err), 0);
    assert_int_equal(kube_merge_patch(f.client, &cmks, "payments", "orders", "status", object, &answers[4], &err), 0);
    assert_int_equal(kube_delete(f.client, &cmks, "payments", "orders", &err), 0);
    assert_int_equal(kube_server_version(f.client, &answers[6], &err), 0);
    assert_string_equal(json_string_at(answers[6], "gitVersion"), "v1.36.3");
    struct kube_list_page page = {.label_selector = "a=b,c in (d)"};
    assert_int_equal(kube_list_page(f.client, &cmks, &page, &answers[7], &err), 0);
    page = (struct kube_list_page){.ns = "payments", .limit = 7, .continue_token = "t+/="};
    assert_int_equal(kube_list_page(f.client, &cmks, &page, &answers[8], &err), 0);
    assert_journal(&f, "GET " ITEM "/orders\n"
                       "POST " ITEM " type=application/json body={\"kind\":\"CosmosCMK\"}\n"
                       "POST /api/v1/namespaces/payments/serviceaccounts/cosmoscmk/token type=application/json "
                       "body={\"kind\":\"CosmosCMK\"}\n"
                       "PATCH " ITEM "/orders type=application/merge-patch+json body={\"kind\":\"CosmosCMK\"}\n"
                       "PATCH " ITEM "/orders/status type=application/merge-patch+json body={\"kind\":\"CosmosCMK\"}\n"
                       "DELETE " ITEM "/orders\n"
                       "GET /version\n"
                       "GET /apis/cosmoscmk.io/v1/cosmoscmks?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29\n"
                       "GET " ITEM "?limit=7&continue=t%2B%2F%3D\n");
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        answers[i] = json_free(answers[i]);
    end(&f);
}

static void names_that_are_none_never_reach_the_wire(void **state)
{
    struct fixture f;
    struct err err;
    cJSON *answer = NULL;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    (void)state;

    begin(&f, NULL, 0);
    assert_int_equal(kube_get(f.client, &cmks, "payments", "../secrets/x", &answer, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(kube_merge_patch(f.client, &cmks, "a/b", "x", NULL, object, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(kube_delete(f.client, &cmks, "payments", "a?b", &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(answer);
    assert_journal(&f, "");
    end(&f);
}

#define STATUS(reason, message) "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"

static void errors_are_kubernetes_own_words(void **state)
{
    static const struct api_answer script[] = {
        {409, STATUS("Conflict", "the object has been modified")},
        {429, STATUS("TooManyRequests", "slow down"), API_REPLY, "7"},
        {429, STATUS("TooManyRequests", "slow down")},
        {500, STATUS("InternalError", "etcdserver: request timed out")},
        {201, "not json"},
    };
    struct fixture f;
    struct err err;
    cJSON *answer = NULL;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_merge_patch(f.client, &cmks, "n", "o", NULL, object, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.code, "Conflict");
    assert_string_equal(err.msg, "the object has been modified");
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), -1); /* and is not repeated */
    assert_int_equal(err.kind, ERR_THROTTLED);
    assert_int_equal(err.retry_after_ms, 7000);
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), -1);
    assert_int_equal(err.retry_after_ms, -1);
    assert_int_equal(kube_create(f.client, &cmks, "n", object, &answer, &err), -1); /* nor is a POST */
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_true(err.maybe_sent);
    assert_int_equal(kube_create(f.client, &cmks, "n", object, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_PROTOCOL);
    assert_true(err.maybe_sent);
    assert_null(answer);
    assert_int_equal(api_served(&f.api), 5);
    end(&f);
}

static void a_get_is_repeated_when_the_server_is_unavailable_for_a_moment_and_a_patch_is_not(void **state)
{
    static const struct api_answer script[] = {
        {503, STATUS("ServiceUnavailable", "starting")},
        {504, STATUS("Timeout", "late")},
        {200, "{\"kind\":\"CosmosCMK\"}"},
        {503, STATUS("ServiceUnavailable", "starting")},
    };
    struct fixture f;
    struct err err;
    cJSON *answer = NULL;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), 0);
    answer = json_free(answer);
    assert_int_equal(kube_merge_patch(f.client, &cmks, "n", "o", NULL, object, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_int_equal(api_served(&f.api), 4);
    end(&f);
}

static void a_write_that_gets_no_answer_is_sent_once_and_says_that_its_outcome_is_unknown(void **state)
{
    static const struct api_answer script[] = {
        {200, "{}"}, /* leaves a connection that could be used again */
        {200, "", API_ABORT},
        {200, "", API_ABORT},
        {200, "", API_ABORT},
    };
    struct fixture f;
    struct err err;
    cJSON *answer = NULL;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_get(f.client, &cmks, "payments", "orders", &answer, &err), 0);
    answer = json_free(answer);
    assert_int_equal(kube_merge_patch(f.client, &cmks, "payments", "orders", NULL, object, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_true(err.maybe_sent);
    assert_int_equal(kube_create(f.client, &cmks, "payments", object, &answer, &err), -1);
    assert_true(err.maybe_sent);
    assert_int_equal(kube_delete(f.client, &cmks, "payments", "orders", &err), -1);
    assert_true(err.maybe_sent);
    assert_journal(&f, "GET " ITEM "/orders\n"
                       "PATCH " ITEM "/orders type=application/merge-patch+json body={}\n"
                       "POST " ITEM " type=application/json body={}\n"
                       "DELETE " ITEM "/orders\n");
    end(&f);
}

static void a_list_may_be_large_but_not_without_end(void **state)
{
    struct buf fits = BUF_INIT(32 << 20), exceeds = BUF_INIT(32 << 20);
    struct fixture f;
    struct err err;
    cJSON *answer = NULL;
    struct kube_list_page page = {.limit = 500};
    (void)state;

    buf_puts(&fits, "{\"items\":[],\"x\":\"");
    while (fits.len < (12 << 20))
        buf_puts(&fits, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    buf_add(&exceeds, fits.data, fits.len);
    while (exceeds.len <= (16 << 20))
        buf_puts(&exceeds, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    buf_puts(&fits, "\"}");
    buf_puts(&exceeds, "\"}");
    struct api_answer script[] = {{200, buf_str(&fits)}, {200, buf_str(&exceeds)}};
    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_list_page(f.client, &cmks, &page, &answer, &err), 0);
    answer = json_free(answer);
    assert_int_equal(kube_list_page(f.client, &cmks, &page, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    end(&f);
    buf_done(&fits);
    buf_done(&exceeds);
}

static int count(void *data, const char *bytes, size_t len, struct err *err)
{
    (void)bytes;
    (void)err;
    *(size_t *)data += len;
    return 0;
}

static void a_list_as_a_stream_is_handed_on_as_it_comes_however_large(void **state)
{
    _cleanup_(buf_done) struct buf large = BUF_INIT(32 << 20);
    struct fixture f;
    struct err err;
    struct kube_list_page page = {.limit = 500};
    size_t received = 0;
    (void)state;

    buf_puts(&large, "{\"items\":[],\"x\":\"");
    while (large.len < (20 << 20))
        buf_puts(&large, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    buf_puts(&large, "\"}");
    struct api_answer script[] = {{200, buf_str(&large)}, {403, STATUS("Forbidden", "not yours")}};
    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_list_stream(f.client, &cmks, &page, count, &received, &err), 0);
    assert_int_equal(received, large.len);
    assert_int_equal(kube_list_stream(f.client, &cmks, &page, count, &received, &err), -1);
    assert_int_equal(err.kind, ERR_FORBIDDEN);
    assert_string_equal(err.msg, "not yours");
    assert_int_equal(received, large.len);
    end(&f);
}

/* --- identity --- */

static void a_token_file_that_was_renewed_heals_a_401_within_the_call(void **state)
{
    static const struct api_answer script[] = {
        {200, "{}"},
        {401, STATUS("Unauthorized", "Unauthorized")},
        {201, "{}"},
        {401, STATUS("Unauthorized", "Unauthorized")},
    };
    char *dir = scratch_new();
    struct fixture f = {.config = xcalloc(1, sizeof(*f.config))};
    struct err err;
    cJSON *answer = NULL;
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    (void)state;

    f.config->token_file = scratch_path(dir, "token");
    scratch_write(dir, "token", "one\n", 0);
    api_start(&f.api, script, ARRAY_LEN(script));
    open_client(&f);
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), 0);
    answer = json_free(answer);
    scratch_write(dir, "token", "two\n", 0);
    assert_int_equal(kube_create(f.client, &cmks, "n", object, &answer, &err), 0);
    answer = json_free(answer);
    assert_int_equal(
        kube_get(f.client, &cmks, "n", "o", &answer, &err), -1); /* no other token: the 401 is the answer */
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_journal(&f,
        "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks/o auth=Bearer one\n"
        "POST /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks type=application/json auth=Bearer one body={}\n"
        "POST /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks type=application/json auth=Bearer two body={}\n"
        "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks/o auth=Bearer two\n");
    end(&f);
    scratch_remove(dir);
}

static void an_exec_plugin_is_asked_once_for_many_calls(void **state)
{
    static const struct api_answer script[] = {{200, "{}"}, {200, "{}"}};
    char *dir = scratch_new();
    struct fixture f = {.config = xcalloc(1, sizeof(*f.config))};
    struct err err;
    cJSON *answer = NULL;
    (void)state;

    scratch_write(dir, "plugin",
        "#!/bin/sh\necho run >>\"$0.runs\"\n"
        "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":"
        "{\"token\":\"from-plugin\"}}'\n",
        0700);
    f.config->exec = xcalloc(1, sizeof(*f.config->exec));
    f.config->exec->api_version = xstrdup("client.authentication.k8s.io/v1");
    f.config->exec->command = scratch_path(dir, "plugin");
    api_start(&f.api, script, ARRAY_LEN(script));
    open_client(&f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), 0);
        answer = json_free(answer);
    }
    assert_journal(&f, "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks/o auth=Bearer from-plugin\n"
                       "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks/o auth=Bearer from-plugin\n");
    _cleanup_(freep) char *runs = scratch_path(dir, "plugin.runs");
    struct stat st;
    assert_int_equal(stat(runs, &st), 0);
    assert_int_equal(st.st_size, strlen("run\n"));
    end(&f);
    scratch_remove(dir);
}

static void a_plugin_that_fails_fails_the_call_and_nothing_is_sent(void **state)
{
    struct fixture f = {.config = xcalloc(1, sizeof(*f.config))};
    struct err err;
    cJSON *answer = NULL;
    (void)state;

    f.config->exec = xcalloc(1, sizeof(*f.config->exec));
    f.config->exec->api_version = xstrdup("client.authentication.k8s.io/v1");
    f.config->exec->command = xstrdup("/nonexistent/plugin");
    api_start(&f.api, NULL, 0);
    open_client(&f);
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), -1);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_int_equal(api_served(&f.api), 0);
    end(&f);
}

/* --- streams and cancelling --- */

static int collect(void *data, const char *bytes, size_t len, struct err *err)
{
    (void)err;
    buf_add(data, bytes, len);
    return 0;
}

static int refuse(void *data, const char *bytes, size_t len, struct err *err)
{
    (void)data;
    (void)bytes;
    (void)len;
    return err_set(err, ERR_GONE, "told so");
}

static void a_watch_streams_until_the_server_ends_it(void **state)
{
    static const struct api_answer script[] = {
        {200, "{\"a\":1}\n{\"b\"", API_STREAM},
        {410, STATUS("Expired", "too old resource version")},
        {200, "x\n", API_HANG},
        {200, "", API_HANG},
    };
    struct fixture f;
    struct err err = ERR_INIT;
    struct buf seen = BUF_INIT(1024);
    struct kube_watch_options options = {.ns = "n", .label_selector = "l", .resource_version = "7", .timeout_s = 300};
    (void)state;

    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_watch_stream(f.client, &cmks, &options, collect, &seen, &err), 0);
    assert_string_equal(buf_str(&seen), "{\"a\":1}\n{\"b\"");
    assert_int_equal(kube_watch_stream(f.client, &cmks, &options, collect, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_GONE);
    assert_string_equal(err.msg, "too old resource version");
    assert_int_equal(kube_watch_stream(f.client, &cmks, &options, refuse, &seen, &err), -1);
    assert_string_equal(err.msg, "told so");
    options.idle_timeout_ms = 100;
    assert_int_equal(kube_watch_stream(f.client, &cmks, &options, collect, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    _cleanup_(freep) char *journal = api_journal(&f.api);
    const char *first = "GET /apis/cosmoscmk.io/v1/namespaces/n/cosmoscmks?watch=true&allowWatchBookmarks=true&"
                        "timeoutSeconds=T&labelSelector=l&resourceVersion=7\n";
    assert_memory_equal(journal, first, strlen(first));
    buf_done(&seen);
    end(&f);
}

struct waiting {
    struct fixture *f;
    struct http_cancel *cancel; /* NULL: the client's only */
    struct err err;
    int r;
};

static void *hang_in_a_watch(void *ctx)
{
    struct waiting *w = ctx;
    struct buf seen = BUF_INIT(1024);
    struct kube_watch_options options = {.resource_version = "7", .timeout_s = 300, .cancel = w->cancel};

    w->r = kube_watch_stream(w->f->client, &cmks, &options, collect, &seen, &w->err);
    buf_done(&seen);
    return NULL;
}

static void *hang_in_a_get(void *ctx)
{
    struct waiting *w = ctx;
    cJSON *answer = NULL;

    w->r = kube_get(w->f->client, &cmks, "n", "o", &answer, &w->err);
    return NULL;
}

static void a_cancelled_client_ends_all_calls_and_refuses_new_ones(void **state)
{
    struct fixture f;
    struct waiting waiting[3];
    pthread_t threads[3];
    cJSON *answer = NULL;
    struct err err;
    (void)state;

    begin(&f, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        waiting[i] = (struct waiting){.f = &f, .cancel = i == 1 ? http_cancel_new() : NULL};
        assert_int_equal(pthread_create(&threads[i], NULL, i == 2 ? hang_in_a_get : hang_in_a_watch, &waiting[i]), 0);
    }
    assert_true(api_wait(&f.api, 3));
    kube_client_cancel(f.client);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(waiting[i].r, -1);
        assert_int_equal(waiting[i].err.kind, ERR_CANCELLED);
    }
    assert_true(http_cancel_triggered(waiting[1].cancel));
    assert_int_equal(kube_get(f.client, &cmks, "n", "o", &answer, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    (void)http_cancel_free(waiting[1].cancel);
    end(&f);
}

static void a_calls_own_cancel_ends_that_call_only(void **state)
{
    struct fixture f;
    struct waiting own, other;
    pthread_t threads[2];
    (void)state;

    begin(&f, NULL, 0);
    own = (struct waiting){.f = &f, .cancel = http_cancel_new()};
    other = (struct waiting){.f = &f};
    assert_int_equal(pthread_create(&threads[0], NULL, hang_in_a_watch, &own), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, hang_in_a_get, &other), 0);
    assert_true(api_wait(&f.api, 2));
    http_cancel_trigger(own.cancel);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(own.err.kind, ERR_CANCELLED);
    kube_client_cancel(f.client);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_int_equal(other.err.kind, ERR_CANCELLED);
    (void)http_cancel_free(own.cancel);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_is_the_request_that_the_api_server_expects),
        cmocka_unit_test(names_that_are_none_never_reach_the_wire),
        cmocka_unit_test(errors_are_kubernetes_own_words),
        cmocka_unit_test(a_get_is_repeated_when_the_server_is_unavailable_for_a_moment_and_a_patch_is_not),
        cmocka_unit_test(a_write_that_gets_no_answer_is_sent_once_and_says_that_its_outcome_is_unknown),
        cmocka_unit_test(a_list_may_be_large_but_not_without_end),
        cmocka_unit_test(a_list_as_a_stream_is_handed_on_as_it_comes_however_large),
        cmocka_unit_test(a_token_file_that_was_renewed_heals_a_401_within_the_call),
        cmocka_unit_test(an_exec_plugin_is_asked_once_for_many_calls),
        cmocka_unit_test(a_plugin_that_fails_fails_the_call_and_nothing_is_sent),
        cmocka_unit_test(a_watch_streams_until_the_server_ends_it),
        cmocka_unit_test(a_cancelled_client_ends_all_calls_and_refuses_new_ones),
        cmocka_unit_test(a_calls_own_cancel_ends_that_call_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
