/* The layers, each over a client that plays back a list of outcomes: no network, no real waiting. */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/layer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_STEPS 8

struct outcome {
    int status; /* 0: the failure below */
    enum err_kind kind;
    const char *headers;
    bool repeats; /* the body has the token in it, twice */
};

/* The client at the bottom. */
struct player {
    struct http_client client; /* first */
    struct outcome outcomes[MAX_STEPS];
    atomic_int calls;
    char authorization[MAX_STEPS][64];
};

static const char *header_of(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < HTTP_MAX_REQUEST_HEADERS && request->headers[i].name; i++)
        if (str_eq(request->headers[i].name, name))
            return request->headers[i].value;
    return "";
}

static int play(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct player *player = (struct player *)self;
    int n = atomic_fetch_add(&player->calls, 1);
    const struct outcome *o = &player->outcomes[n];

    assert_in_range(n, 0, MAX_STEPS - 1);
    assert_null(response->body.data); /* each attempt begins with a clean answer */
    (void)str_copy(player->authorization[n], sizeof(player->authorization[n]), header_of(request, "Authorization"));
    if (!o->status) {
        (void)err_set(err, o->kind, "attempt %d", n + 1);
        if (err)
            err->maybe_sent = true;
        return -1;
    }
    response->status = o->status;
    buf_puts(&response->headers, o->headers ? o->headers : "");
    if (request->on_data && o->status == 200)
        return request->on_data(request->data, "streamed", strlen("streamed"), err);
    buf_printf(&response->body, "answer %d", n + 1);
    if (o->repeats)
        buf_printf(&response->body, ": not with \"%s\", I say, \"%s\"", player->authorization[n],
            player->authorization[n] + strlen("Bearer "));
    return 0;
}

#define PLAYER(...) ((struct player){.client = {.perform = play}, .outcomes = {__VA_ARGS__}})

/* --- retry --- */

static int swallow(void *data, const char *bytes, size_t len, struct err *err)
{
    (void)data;
    (void)bytes;
    (void)len;
    (void)err;
    return 0;
}

#define FAIL(k)                                                                                                        \
    {                                                                                                                  \
        .kind = (k)                                                                                                    \
    }
#define STATUS(s)                                                                                                      \
    {                                                                                                                  \
        .status = (s)                                                                                                  \
    }

static void what_is_repeated(void **state)
{
    static const struct {
        const char *name;
        struct http_request request;
        struct outcome outcomes[MAX_STEPS];
        int calls;
        int status; /* of the end; 0: kind */
        enum err_kind kind;
    } rows[] = {
        {"a success is not", {.url = "u"}, {STATUS(200)}, 1, 200, ERR_NONE},
        {"a lost connection is", {.url = "u"}, {FAIL(ERR_UNAVAILABLE), STATUS(200)}, 2, 200, ERR_NONE},
        {"a timeout is", {.url = "u"}, {FAIL(ERR_TIMEOUT), FAIL(ERR_TIMEOUT), STATUS(200)}, 3, 200, ERR_NONE},
        {"502, 503 and 504 are", {.url = "u"}, {STATUS(502), STATUS(503), STATUS(504)}, 3, 504, ERR_NONE},
        {"attempts end", {.url = "u"}, {FAIL(ERR_TIMEOUT), FAIL(ERR_TIMEOUT), FAIL(ERR_UNAVAILABLE)}, 3, 0,
            ERR_UNAVAILABLE},
        {"a 500 is not", {.url = "u"}, {STATUS(500)}, 1, 500, ERR_NONE},
        {"a 404 is not", {.url = "u"}, {STATUS(404)}, 1, 404, ERR_NONE},
        {"a 429 is not", {.url = "u"}, {STATUS(429)}, 1, 429, ERR_NONE},
        {"a 503 that says when is not", {.url = "u"}, {{503, ERR_NONE, "retry-after: 5\n"}}, 1, 503, ERR_NONE},
        {"what was throttled is not", {.url = "u"}, {FAIL(ERR_THROTTLED)}, 1, 0, ERR_THROTTLED},
        {"mistrust is not", {.url = "u"}, {FAIL(ERR_TLS)}, 1, 0, ERR_TLS},
        {"a cancelled call is not", {.url = "u"}, {FAIL(ERR_CANCELLED)}, 1, 0, ERR_CANCELLED},
        {"too much is not", {.url = "u"}, {FAIL(ERR_TOO_LARGE)}, 1, 0, ERR_TOO_LARGE},
        {"a GET by name is", {.url = "u", .method = "GET"}, {STATUS(503), STATUS(200)}, 2, 200, ERR_NONE},
        {"a POST is not", {.url = "u", .method = "POST"}, {FAIL(ERR_UNAVAILABLE)}, 1, 0, ERR_UNAVAILABLE},
        {"a PATCH is not", {.url = "u", .method = "PATCH"}, {STATUS(503)}, 1, 503, ERR_NONE},
        {"a PUT is not", {.url = "u", .method = "PUT"}, {STATUS(503)}, 1, 503, ERR_NONE},
        {"a DELETE is not", {.url = "u", .method = "DELETE"}, {STATUS(503)}, 1, 503, ERR_NONE},
        {"a once request is not", {.url = "u", .once = true}, {STATUS(503)}, 1, 503, ERR_NONE},
        {"a stream is not", {.url = "u", .on_data = swallow}, {FAIL(ERR_UNAVAILABLE)}, 1, 0, ERR_UNAVAILABLE},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player player = PLAYER();
        memcpy(player.outcomes, rows[i].outcomes, sizeof(player.outcomes));
        struct http_client *retry = http_retry_new(&player.client, &(struct http_retry_options){3, 1, 2});
        struct http_response response;
        struct err err = ERR_INIT;
        int r = http_do(retry, &rows[i].request, &response, &err);
        if (player.calls != rows[i].calls || (r == 0) != (rows[i].status != 0) ||
            (r == 0 ? response.status != rows[i].status : err.kind != rows[i].kind))
            fail_msg("%s: %d calls, status %d, %s", rows[i].name, player.calls, response.status, err.msg);
        http_response_done(&response);
        http_retry_free(retry);
    }
}

static void a_repeated_call_may_do_without_an_error_to_fill(void **state)
{
    struct player player = PLAYER(FAIL(ERR_TIMEOUT), STATUS(200));
    struct http_client *retry = http_retry_new(&player.client, &(struct http_retry_options){2, 1, 1});
    struct http_response response;
    (void)state;

    assert_int_equal(http_do(retry, &(struct http_request){.url = "u"}, &response, NULL), 0);
    assert_string_equal(buf_str(&response.body), "answer 2");
    http_response_done(&response);
    http_retry_free(retry);
}

struct waiting_call {
    struct http_client *client;
    struct http_cancel *cancel;
    struct err err;
    int r;
};

static void *run_waiting_call(void *arg)
{
    struct waiting_call *call = arg;
    struct http_request request = {.url = "u", .cancel = call->cancel};
    struct http_response response;

    call->r = http_do(call->client, &request, &response, &call->err);
    http_response_done(&response);
    return NULL;
}

static void a_cancel_ends_the_wait_before_a_repetition(void **state)
{
    struct player player = PLAYER(FAIL(ERR_UNAVAILABLE));
    struct http_cancel *cancel = http_cancel_new();
    struct http_client *retry = http_retry_new(&player.client, &(struct http_retry_options){3, 3600000, 3600000});
    struct waiting_call call = {.client = retry, .cancel = cancel};
    pthread_t thread;
    (void)state;

    assert_int_equal(pthread_create(&thread, NULL, run_waiting_call, &call), 0);
    while (atomic_load(&player.calls) == 0)
        clock_sleep_ms(1);
    clock_sleep_ms(20);
    http_cancel_trigger(cancel);
    pthread_join(thread, NULL);
    assert_int_equal(call.r, -1);
    assert_int_equal(call.err.kind, ERR_CANCELLED);
    assert_int_equal(atomic_load(&player.calls), 1);
    http_retry_free(retry);
    http_cancel_free(cancel);
}

/* --- throttle --- */

static int through(struct http_client *client, int *ret_status, struct err *err)
{
    struct http_response response;

    *err = ERR_INIT;
    int r = http_do(client, &(struct http_request){.url = "https://h/"}, &response, err);
    *ret_status = response.status;
    http_response_done(&response);
    return r;
}

static void who_comes_back_too_early_is_refused_without_asking_the_peer(void **state)
{
    static const struct {
        const char *name;
        struct outcome first;
        bool refused;
        int64_t least_ms, most_ms;
    } rows[] = {
        {"429 with a time", {429, ERR_NONE, "retry-after: 100\n"}, true, 40000, 100000},
        {"429 without", {429, ERR_NONE, ""}, true, 10000, 70000},
        {"429 with nonsense", {429, ERR_NONE, "retry-after: soon\n"}, true, 10000, 70000},
        {"503 with a time", {503, ERR_NONE, "retry-after: 100\n"}, true, 40000, 100000},
        {"503 without", {503, ERR_NONE, ""}, false, 0, 0},
        {"429 with zero", {429, ERR_NONE, "retry-after: 0\n"}, false, 0, 0},
        {"200 with a time", {200, ERR_NONE, "retry-after: 100\n"}, false, 0, 0},
        {"a failure", FAIL(ERR_UNAVAILABLE), false, 0, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player player = PLAYER(rows[i].first, STATUS(200));
        struct http_client *throttle = http_throttle_new(&player.client, 70000);
        struct err err;
        int status;
        (void)through(throttle, &status, &err);
        assert_int_equal(status, rows[i].first.status); /* the answer itself is passed on */
        int r = through(throttle, &status, &err);
        if ((r < 0) != rows[i].refused || player.calls != (rows[i].refused ? 1 : 2))
            fail_msg("%s: %d, %d calls", rows[i].name, r, player.calls);
        if (rows[i].refused) {
            assert_int_equal(err.kind, ERR_THROTTLED);
            assert_false(err.maybe_sent);
            assert_in_range(err.retry_after_ms, rows[i].least_ms, rows[i].most_ms);
        }
        http_throttle_free(throttle);
    }
}

static void after_the_time_has_passed_requests_go_through_again(void **state)
{
    struct player player = PLAYER({429, ERR_NONE, ""}, STATUS(200));
    struct http_client *throttle = http_throttle_new(&player.client, 50);
    struct err err;
    int status;
    (void)state;

    assert_int_equal(through(throttle, &status, &err), 0);
    clock_sleep_ms(80);
    assert_int_equal(through(throttle, &status, &err), 0);
    assert_int_equal(status, 200);
    http_throttle_free(throttle);
    assert_null(http_throttle_free(NULL));
}

/* --- auth --- */

struct tokens {
    const char *values[4];
    int n, rejected;
    char rejected_value[32];
};

static int next_token(void *ctx, struct secret **ret, struct http_cancel *cancel, struct err *err)
{
    struct tokens *tokens = ctx;
    const char *value = tokens->values[tokens->n++];
    (void)cancel;

    if (!value) {
        (void)err_set(err, ERR_UNAUTHORIZED, "the credential was refused");
        err->maybe_sent = true;
        return -1;
    }
    *ret = secret_new(value, strlen(value));
    return 0;
}

static void reject(void *ctx, const struct secret *token)
{
    struct tokens *tokens = ctx;

    tokens->rejected++;
    (void)str_copy(tokens->rejected_value, sizeof(tokens->rejected_value), secret_reveal(token));
}

static struct http_client *auth_over(struct player *player, struct tokens *tokens)
{
    return http_auth_new(
        &player->client, &(struct http_token_source){.token = next_token, .rejected = reject, .ctx = tokens});
}

static void a_token_is_added_to_the_callers_headers(void **state)
{
    struct player player = PLAYER(STATUS(200));
    struct tokens tokens = {.values = {"t1"}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct err err;
    int status;
    (void)state;

    assert_int_equal(through(auth, &status, &err), 0);
    assert_string_equal(player.authorization[0], "Bearer t1");
    assert_int_equal(tokens.rejected, 0);
    http_auth_free(auth);
}

static void a_refused_token_is_given_back_and_another_is_tried_once(void **state)
{
    struct player player = PLAYER(STATUS(401), STATUS(401));
    struct tokens tokens = {.values = {"t1", "t2"}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct http_request request = {.method = "PATCH", .url = "https://h/", .once = true};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    assert_int_equal(response.status, 401);
    assert_string_equal(buf_str(&response.body), "answer 2");
    assert_int_equal(player.calls, 2);
    assert_string_equal(player.authorization[1], "Bearer t2");
    assert_int_equal(tokens.rejected, 1);
    assert_string_equal(tokens.rejected_value, "t1");
    http_response_done(&response);
    http_auth_free(auth);
}

static void without_another_token_the_401_is_the_answer(void **state)
{
    struct player player = PLAYER(STATUS(401));
    struct tokens tokens = {.values = {"t1", "t1"}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct err err;
    int status;
    (void)state;

    assert_int_equal(through(auth, &status, &err), 0);
    assert_int_equal(status, 401);
    assert_int_equal(player.calls, 1);
    http_auth_free(auth);
}

static void without_any_token_nothing_was_sent(void **state)
{
    struct player player = PLAYER(STATUS(200));
    struct tokens tokens = {.values = {NULL}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct err err;
    int status;
    (void)state;

    assert_int_equal(through(auth, &status, &err), -1);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_false(err.maybe_sent);
    assert_int_equal(player.calls, 0);
    http_auth_free(auth);
}

static void when_no_other_token_is_to_be_had_that_is_the_failure(void **state)
{
    struct player player = PLAYER(STATUS(401));
    struct tokens tokens = {.values = {"t1", NULL}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct err err;
    int status;
    (void)state;

    assert_int_equal(through(auth, &status, &err), -1);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_false(err.maybe_sent); /* the 401 was a refusal */
    assert_int_equal(player.calls, 1);
    http_auth_free(auth);
}

static void a_refusal_that_repeats_the_token_loses_it(void **state)
{
    struct player player = PLAYER({.status = 403, .repeats = true}, {.status = 200, .repeats = true});
    struct tokens tokens = {.values = {"canary-token", "canary-token"}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct http_request request = {.method = "GET", .url = "https://h/"};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    assert_string_equal(buf_str(&response.body), "answer 1: not with \"Bearer ************\", I say, \"************\"");
    http_response_done(&response);
    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    assert_non_null(strstr(buf_str(&response.body), "canary-token")); /* what is no refusal is the caller's */
    http_response_done(&response);
    http_auth_free(auth);
}

static void a_token_never_leaves_this_machine_without_tls(void **state)
{
    static const struct {
        struct http_request request;
        bool sent;
    } rows[] = {
        {{.url = "https://h/"}, true},
        {{.url = "http://127.0.0.1:8080/"}, true},
        {{.url = "http://[::1]/"}, true},
        {{.url = "http://localhost/"}, true},
        {{.url = "http://h/"}, false},
        {{.url = "http://10.0.0.1/"}, false},
        {{.url = "http://127.0.0.1.evil.com/"}, false},
        {{.url = "http://127.0.0.1/", .proxy = "http://proxy:3128"}, false},
        {{.url = "ftp://127.0.0.1/"}, false},
        {{.url = NULL}, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player player = PLAYER(STATUS(200));
        struct tokens tokens = {.values = {"t1"}};
        struct http_client *auth = auth_over(&player, &tokens);
        struct http_response response;
        struct err err = ERR_INIT;
        int r = http_do(auth, &rows[i].request, &response, &err);
        if ((r == 0) != rows[i].sent || player.calls != (rows[i].sent ? 1 : 0) || tokens.n != player.calls)
            fail_msg("%s: %s", rows[i].request.url, err.msg);
        http_response_done(&response);
        http_auth_free(auth);
    }
}

static void a_request_without_room_for_the_token_is_refused(void **state)
{
    struct player player = PLAYER(STATUS(200));
    struct tokens tokens = {.values = {"t1", "t1"}};
    struct http_client *auth = auth_over(&player, &tokens);
    struct http_request request = {.url = "https://h/"};
    struct http_response response;
    struct err err = ERR_INIT;
    (void)state;

    for (size_t i = 0; i < HTTP_MAX_REQUEST_HEADERS - 1; i++)
        request.headers[i] = (struct http_header){"X", "y"};
    assert_int_equal(http_do(auth, &request, &response, &err), 0);
    http_response_done(&response);
    assert_string_equal(player.authorization[0], "Bearer t1");
    request.headers[HTTP_MAX_REQUEST_HEADERS - 1] = (struct http_header){"X", "y"};
    assert_int_equal(http_do(auth, &request, &response, &err), -1);
    http_response_done(&response);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(player.calls, 1);
    http_auth_free(auth);
}

/* --- log --- */

/* What the layer writes to standard error for this request. */
static void logged(struct player *player, const struct http_request *request, char *ret, size_t size)
{
    struct http_client *layer = http_log_new(&player->client);
    struct http_response response;
    struct err err = ERR_INIT;
    int saved = dup(STDERR_FILENO), pipe_fds[2];

    assert_int_equal(pipe(pipe_fds), 0);
    (void)dup2(pipe_fds[1], STDERR_FILENO);
    (void)http_do(layer, request, &response, &err);
    (void)dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
    http_response_done(&response);
    http_log_free(layer);
}

static void a_request_is_one_debug_line_without_path_query_header_or_body(void **state)
{
    struct http_request request = {.method = "PUT",
        .url = "https://Vault.test:8443/hunter2/p?sig=hunter2",
        .headers = {{"X", "hunter2"}},
        .body = "hunter2",
        .body_len = 7,
        .label = "vault key get"};
    struct player player = PLAYER({201, ERR_NONE, "x: hunter2\n"}, FAIL(ERR_TIMEOUT), STATUS(200), STATUS(200));
    char line[1024];
    (void)state;

    log_setup(LOG_DEBUG, LOG_JSON);
    logged(&player, &request, line, sizeof(line));
    assert_null(strstr(line, "hunter2"));
    assert_non_null(strstr(line, "\"level\":\"debug\""));
    assert_non_null(
        strstr(line, "\"label\":\"vault key get\",\"method\":\"PUT\",\"host\":\"vault.test\",\"status\":201,"));
    assert_non_null(strstr(line, "\"bytes\":8,"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);

    logged(&player, &request, line, sizeof(line));
    assert_non_null(strstr(line, "\"error\":\"timeout\""));
    request.on_data = swallow;
    logged(&player, &request, line, sizeof(line));
    assert_non_null(strstr(line, "\"bytes\":8,")); /* "streamed" */

    log_setup(LOG_INFO, LOG_JSON);
    logged(&player, &request, line, sizeof(line));
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_repeated),
        cmocka_unit_test(a_repeated_call_may_do_without_an_error_to_fill),
        cmocka_unit_test(a_cancel_ends_the_wait_before_a_repetition),
        cmocka_unit_test(who_comes_back_too_early_is_refused_without_asking_the_peer),
        cmocka_unit_test(after_the_time_has_passed_requests_go_through_again),
        cmocka_unit_test(a_token_is_added_to_the_callers_headers),
        cmocka_unit_test(a_refused_token_is_given_back_and_another_is_tried_once),
        cmocka_unit_test(without_another_token_the_401_is_the_answer),
        cmocka_unit_test(without_any_token_nothing_was_sent),
        cmocka_unit_test(when_no_other_token_is_to_be_had_that_is_the_failure),
        cmocka_unit_test(a_refusal_that_repeats_the_token_loses_it),
        cmocka_unit_test(a_token_never_leaves_this_machine_without_tls),
        cmocka_unit_test(a_request_without_room_for_the_token_is_refused),
        cmocka_unit_test(a_request_is_one_debug_line_without_path_query_header_or_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
