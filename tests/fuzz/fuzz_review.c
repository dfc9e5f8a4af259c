/* What the API server answers to a TokenReview and a SubjectAccessReview: nobody gets in whom it has not let in, and
 * the token is in no error. Input: answers as in fuzz_script.h. */
#include "fuzz_kube.h"

#include "kube/review.h"

#define TOKEN "canary.token-1"

struct watched {
    int reviews, questions;
    bool asks_as_somebody;
};

static void asked(void *ctx, const struct http_request *request)
{
    struct watched *w = ctx;
    _cleanup_(json_freep) cJSON *body = NULL;
    struct err err = ERR_INIT;

    FUZZ_CHECK(str_eq(request->method, "POST") && json_parse(&body, request->body, request->body_len, &err) == 0);
    if (str_eq(json_string_at(body, "kind"), "TokenReview")) {
        w->reviews++;
        FUZZ_CHECK(str_eq(json_string_at(body, "spec.token"), TOKEN));
        return;
    }
    w->questions++;
    w->asks_as_somebody = !str_empty(json_string_at(body, "spec.user"));
    FUZZ_CHECK(str_eq(json_string_at(body, "spec.nonResourceAttributes.path"), "/metrics"));
    FUZZ_CHECK(str_eq(json_string_at(body, "spec.nonResourceAttributes.verb"), "get"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_script script = fuzz_script_from(data, size, FUZZ_KUBE "/apis/");
    struct http_engine engine = {&script};
    _cleanup_(kube_client_freep) struct kube_client *client = fuzz_kube_client(&engine);
    const struct kube_reviewer_options options = {.client = client, .path = "/metrics", .verb = "get"};
    _cleanup_(kube_reviewer_freep) struct kube_reviewer *reviewer = kube_reviewer_new(&options);

    for (int i = 0; i < 3 && script.left.left; i++) {
        struct watched watched = {0};
        enum kube_verdict verdict = KUBE_DENIED, kept = KUBE_DENIED;
        struct err err = ERR_INIT;

        script.asked = asked;
        script.ctx = &watched;
        if (kube_reviewer_ask(reviewer, TOKEN, &verdict, &err) < 0) {
            FUZZ_CHECK(err.kind != ERR_NONE && *err.msg && fuzz_is_one_line(err.msg));
            FUZZ_CHECK(!strstr(err.msg, TOKEN) && !strstr(err.code, TOKEN));
            continue;
        }
        FUZZ_CHECK(watched.reviews == 1 && watched.questions == (verdict != KUBE_UNAUTHENTICATED));
        FUZZ_CHECK(verdict != KUBE_ALLOWED || watched.asks_as_somebody);
        FUZZ_CHECK(kube_reviewer_recall(reviewer, TOKEN, &kept) && kept == verdict);
        FUZZ_CHECK(!kube_reviewer_recall(reviewer, TOKEN "x", &kept));
    }
    return 0;
}
