/* The layer that tells: over a client with one answer, under one that repeats. */
#include "unit.h"

#include "base/str.h"
#include "http/layer.h"

#include <string.h>

struct told {
    int calls;
    int status;
    enum err_kind kind;
    int64_t ms;
    char label[32];
};

static void note(void *ctx, const struct http_observation *o)
{
    struct told *told = ctx;

    told->calls++;
    told->status = o->response->status;
    told->kind = o->err ? o->err->kind : ERR_NONE;
    told->ms = o->ms;
    (void)str_copy(told->label, sizeof(told->label), o->request->label);
}

struct answerer {
    struct http_client client; /* first */
    int status;                /* 0: the failure */
    enum err_kind kind;
    int calls;
};

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct answerer *a = (struct answerer *)self;

    (void)request;
    a->calls++;
    if (!a->status)
        return err_set(err, a->kind, "no answer");
    response->status = a->status;
    return 0;
}

static int ask(struct http_client *client, struct err *err)
{
    const struct http_request request = {.url = "https://example.com/a", .label = "what it is"};
    struct http_response response;

    http_response_init(&response);
    int r = http_do(client, &request, &response, err);
    http_response_done(&response);
    return r;
}

static void an_answer_and_a_failure_are_told_as_they_are(void **state)
{
    static const struct {
        const char *name;
        int status;
        enum err_kind kind;
    } rows[] = {
        {"a success", 200, ERR_NONE},
        {"an error of the peer's", 503, ERR_NONE},
        {"no answer", 0, ERR_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answerer a = {{perform}, rows[i].status, rows[i].kind, 0};
        struct told told = {0};
        const struct http_observer observer = {note, &told};
        struct http_client *layer = http_observe_new(&a.client, &observer);
        struct err err = ERR_INIT;

        assert_int_equal(ask(layer, &err), rows[i].status ? 0 : -1);
        if (told.calls != 1 || told.status != rows[i].status || told.kind != rows[i].kind || told.ms < 0)
            fail_msg("%s: %d calls, status %d, kind %d", rows[i].name, told.calls, told.status, told.kind);
        assert_string_equal(told.label, "what it is");
        assert_int_equal(err.kind, rows[i].kind);
        http_observe_free(layer);
    }
}

static void a_failure_is_told_to_who_observes_even_if_the_caller_does_not_want_it(void **state)
{
    struct answerer a = {{perform}, 0, ERR_TLS, 0};
    struct told told = {0};
    const struct http_observer observer = {note, &told};
    struct http_client *layer = http_observe_new(&a.client, &observer);

    (void)state;
    assert_int_equal(ask(layer, NULL), -1);
    assert_int_equal(told.kind, ERR_TLS);
    http_observe_free(layer);
}

static void below_a_retry_every_attempt_is_told(void **state)
{
    const struct http_retry_options options = {.attempts = 3, .base_ms = 1, .max_ms = 1};
    struct answerer a = {{perform}, 503, ERR_NONE, 0};
    struct told told = {0};
    const struct http_observer observer = {note, &told};
    struct http_client *layer = http_observe_new(&a.client, &observer), *retry = http_retry_new(layer, &options);

    (void)state;
    assert_int_equal(ask(retry, NULL), 0);
    assert_int_equal(told.calls, 3);
    http_retry_free(retry);
    http_observe_free(layer);
}

static void nobody_is_told_until_somebody_wants_to_know(void **state)
{
    struct answerer a = {{perform}, 200, ERR_NONE, 0};
    struct told told = {0};
    const struct http_observer nobody = {0}, observer = {note, &told};
    struct http_client *layer = http_observe_new(&a.client, &nobody);

    (void)state;
    assert_int_equal(ask(layer, NULL), 0);
    http_observe_set(layer, &observer);
    assert_int_equal(ask(layer, NULL), 0);
    assert_int_equal(a.calls, 2);
    assert_int_equal(told.calls, 1);
    http_observe_free(layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_and_a_failure_are_told_as_they_are),
        cmocka_unit_test(a_failure_is_told_to_who_observes_even_if_the_caller_does_not_want_it),
        cmocka_unit_test(below_a_retry_every_attempt_is_told),
        cmocka_unit_test(nobody_is_told_until_somebody_wants_to_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
