/* Reviews against a scripted API server. */
#include "unit.h"

#include "api_server.h"
#include "kube/review.h"
#include "scratch.h"

#include <string.h>

struct fixture {
    struct api_server api;
    struct http_engine *engine;
    struct kube_config *config;
    struct kube_client *client;
    struct kube_reviewer *reviewer;
};

static int64_t now_ms;

static int64_t fake_now(void)
{
    return now_ms;
}

static void begin(struct fixture *f, const struct api_answer *script, size_t n)
{
    const struct http_engine_options engine = {.user_agent = "test/1"};

    *f = (struct fixture){.config = xcalloc(1, sizeof(*f->config))};
    api_start(&f->api, script, n);
    f->config->server = xasprintf("http://127.0.0.1:%d", httpd_port(f->api.server));
    assert_int_equal(http_engine_new(&f->engine, &engine, NULL), 0);
    assert_int_equal(kube_client_new(&f->client, f->engine, f->config, NULL), 0);
    now_ms = 1000;
    const struct kube_reviewer_options options = {
        .client = f->client, .path = "/metrics", .verb = "get", .mono_ms = fake_now};
    f->reviewer = kube_reviewer_new(&options);
}

static void end(struct fixture *f)
{
    f->reviewer = kube_reviewer_free(f->reviewer);
    f->client = kube_client_free(f->client);
    f->config = kube_config_free(f->config);
    f->engine = http_engine_free(f->engine);
    api_stop(&f->api);
}

#define KNOWN "{\"spec\":{\"token\":\"tok\"},\"status\":{\"authenticated\":true,\"user\":{\"username\":\"prom\"}}}"
#define UNKNOWN "{\"status\":{\"user\":{},\"error\":\"[invalid bearer token, token lookup failed]\"}}"
#define YES "{\"status\":{\"allowed\":true}}"
#define NO "{\"status\":{\"allowed\":false}}"

static void what_the_api_server_says_decides(void **state)
{
    static const struct {
        const char *name, *who, *whether;
        enum kube_verdict expected;
    } rows[] = {
        {"somebody who may", KNOWN, YES, KUBE_ALLOWED},
        {"somebody who may not", KNOWN, NO, KUBE_DENIED},
        {"somebody who is refused expressly", KNOWN, "{\"status\":{\"allowed\":true,\"denied\":true}}", KUBE_DENIED},
        {"an answer without a word", KNOWN, "{}", KUBE_DENIED},
        {"a word of another type", KNOWN, "{\"status\":{\"allowed\":\"true\"}}", KUBE_DENIED},
        {"nobody", UNKNOWN, NULL, KUBE_UNAUTHENTICATED},
        {"nobody, without a word", "{}", NULL, KUBE_UNAUTHENTICATED},
        {"somebody without a name", "{\"status\":{\"authenticated\":true,\"user\":{}}}", NULL, KUBE_UNAUTHENTICATED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct api_answer script[] = {{201, rows[i].who}, {201, rows[i].whether}};
        struct err err = ERR_INIT;
        enum kube_verdict verdict = KUBE_ALLOWED, kept = KUBE_ALLOWED;
        struct fixture f;

        begin(&f, script, rows[i].whether ? 2 : 1);
        assert_false(kube_reviewer_recall(f.reviewer, "tok", &verdict));
        if (kube_reviewer_ask(f.reviewer, "tok", &verdict, &err) < 0 || verdict != rows[i].expected)
            fail_msg("%s: %d %s", rows[i].name, verdict, err.msg);
        assert_true(kube_reviewer_recall(f.reviewer, "tok", &kept));
        assert_int_equal(kept, verdict);
        end(&f);
    }
}

static void all_that_is_known_of_the_user_is_passed_on(void **state)
{
    static const char who[] =
        "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"system:serviceaccount:m:p\","
        "\"uid\":\"u-1\",\"groups\":[\"a\",7,\"b\"],\"extra\":{\"k\":[\"v\",\"w\"],\"x\":3}}}}";
    static const struct api_answer script[] = {{201, who}, {201, YES}};
    enum kube_verdict verdict;
    struct fixture f;

    (void)state;
    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_reviewer_ask(f.reviewer, "tok", &verdict, NULL), 0);
    _cleanup_(freep) char *journal = api_journal(&f.api);
    assert_string_equal(journal,
        "POST /apis/authentication.k8s.io/v1/tokenreviews type=application/json body={\"apiVersion\":"
        "\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{\"token\":\"tok\"}}\n"
        "POST /apis/authorization.k8s.io/v1/subjectaccessreviews type=application/json body={\"apiVersion\":"
        "\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{\"extra\":{\"k\":[\"v\",\"w\"]},"
        "\"user\":\"system:serviceaccount:m:p\",\"uid\":\"u-1\",\"groups\":[\"a\",\"b\"],\"nonResourceAttributes\":{"
        "\"path\":\"/metrics\",\"verb\":\"get\"}}}\n");
    end(&f);
}

static void an_api_server_that_does_not_say_is_an_error_and_nothing_is_kept(void **state)
{
    static const char forbidden[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Forbidden\",\"message\":"
                                    "\"tokenreviews.authentication.k8s.io is forbidden\",\"code\":403}";
    static const char echo[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Invalid\",\"message\":"
                               "\"spec.token: Invalid value: canary\",\"code\":422}";
    static const struct {
        const char *name;
        struct api_answer script[2];
        size_t n;
        enum err_kind kind;
        const char *message;
    } rows[] = {
        {"we may not ask", {{403, forbidden}}, 1, ERR_FORBIDDEN, "TokenReview: tokenreviews.authentication.k8s.io"},
        {"it is broken", {{500, "{}"}}, 1, ERR_UNAVAILABLE, "TokenReview: "},
        {"it sends the token back", {{422, echo}}, 1, ERR_INVALID, "the API server refused a TokenReview"},
        {"only the first is answered", {{201, KNOWN}, {503, "{}"}}, 2, ERR_UNAVAILABLE, "SubjectAccessReview: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        enum kube_verdict verdict;
        struct fixture f;

        begin(&f, rows[i].script, rows[i].n);
        assert_int_equal(kube_reviewer_ask(f.reviewer, "canary", &verdict, &err), -1);
        if (err.kind != rows[i].kind || !str_has_prefix(err.msg, rows[i].message) || strstr(err.msg, "canary"))
            fail_msg("%s: %s: %s", rows[i].name, err_kind_name(err.kind), err.msg);
        assert_false(kube_reviewer_recall(f.reviewer, "canary", &verdict));
        end(&f);
    }
}

static void yes_is_kept_for_a_minute_and_no_for_ten_seconds(void **state)
{
    static const struct api_answer script[] = {{201, KNOWN}, {201, YES}, {201, UNKNOWN}, {201, KNOWN}, {201, NO}};
    enum kube_verdict verdict;
    struct fixture f;

    (void)state;
    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_reviewer_ask(f.reviewer, "yes", &verdict, NULL), 0);
    assert_int_equal(kube_reviewer_ask(f.reviewer, "unknown", &verdict, NULL), 0);
    assert_int_equal(kube_reviewer_ask(f.reviewer, "no", &verdict, NULL), 0);
    now_ms += 9999;
    assert_true(kube_reviewer_recall(f.reviewer, "unknown", &verdict));
    assert_true(kube_reviewer_recall(f.reviewer, "no", &verdict));
    now_ms += 1;
    assert_false(kube_reviewer_recall(f.reviewer, "unknown", &verdict));
    assert_false(kube_reviewer_recall(f.reviewer, "no", &verdict));
    now_ms += 49999;
    assert_true(kube_reviewer_recall(f.reviewer, "yes", &verdict));
    now_ms += 1;
    assert_false(kube_reviewer_recall(f.reviewer, "yes", &verdict));
    end(&f);
}

#define FLOOD 200

static void a_flood_of_unknown_tokens_does_not_push_out_the_known_one(void **state)
{
    struct api_answer script[2 + FLOOD] = {{201, KNOWN}, {201, YES}};
    enum kube_verdict verdict;
    struct fixture f;
    char token[32];

    (void)state;
    for (size_t i = 0; i < FLOOD; i++)
        script[2 + i] = (struct api_answer){201, UNKNOWN};
    begin(&f, script, ARRAY_LEN(script));
    assert_int_equal(kube_reviewer_ask(f.reviewer, "yes", &verdict, NULL), 0);
    for (size_t i = 0; i < FLOOD; i++) {
        (void)snprintf(token, sizeof(token), "guess-%zu", i);
        assert_int_equal(kube_reviewer_ask(f.reviewer, token, &verdict, NULL), 0);
    }
    assert_true(kube_reviewer_recall(f.reviewer, "yes", &verdict));
    assert_int_equal(verdict, KUBE_ALLOWED);
    assert_true(kube_reviewer_recall(f.reviewer, token, &verdict)); /* the last guess has found room */
    end(&f);
}

static void more_yes_than_there_is_room_for_push_out_the_oldest(void **state)
{
    static struct api_answer script[200];
    enum kube_verdict verdict;
    struct fixture f;
    char token[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(script); i++)
        script[i] = (struct api_answer){201, i % 2 ? YES : KNOWN};
    begin(&f, script, ARRAY_LEN(script));
    for (size_t i = 0; i < 65; i++) {
        (void)snprintf(token, sizeof(token), "yes-%zu", i);
        assert_int_equal(kube_reviewer_ask(f.reviewer, token, &verdict, NULL), 0);
        now_ms++;
    }
    assert_false(kube_reviewer_recall(f.reviewer, "yes-0", &verdict));
    assert_true(kube_reviewer_recall(f.reviewer, "yes-1", &verdict));
    assert_true(kube_reviewer_recall(f.reviewer, "yes-64", &verdict));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_api_server_says_decides),
        cmocka_unit_test(all_that_is_known_of_the_user_is_passed_on),
        cmocka_unit_test(an_api_server_that_does_not_say_is_an_error_and_nothing_is_kept),
        cmocka_unit_test(yes_is_kept_for_a_minute_and_no_for_ten_seconds),
        cmocka_unit_test(a_flood_of_unknown_tokens_does_not_push_out_the_known_one),
        cmocka_unit_test(more_yes_than_there_is_room_for_push_out_the_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
