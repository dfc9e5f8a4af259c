/* What the API server, or a proxy before it, answers when it refuses: a Status, or anything else. Input: see
 * fuzz_answer.h. */
#include "fuzz.h"

#include "fuzz_answer.h"

#include "base/str.h"
#include "kube/base64.h"
#include "kube/status.h"

static void check(const struct err *err)
{
    FUZZ_CHECK(err->kind != ERR_NONE && *err->msg);
    FUZZ_CHECK(fuzz_is_one_line(err->msg) && utf8_valid(err->msg, strlen(err->msg)));
    FUZZ_CHECK(fuzz_is_one_line(err->code) && utf8_valid(err->code, strlen(err->code)));
    FUZZ_CHECK(err->retry_after_ms >= -1 && err->retry_after_ms <= 3600000);
    FUZZ_CHECK(err->http_status >= 100 && err->http_status <= 599);
}

/* What is decoded is what is encoded again. */
static void check_base64(const char *text)
{
    _cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);

    if (!kube_base64_decode(text, &bytes))
        return;
    FUZZ_CHECK(bytes.len <= strlen(text));
    _cleanup_(freep) char *encoded = kube_base64_encode(buf_str(&bytes), bytes.len);
    FUZZ_CHECK(kube_base64_decode(encoded, &again));
    FUZZ_CHECK(again.len == bytes.len && memcmp(buf_str(&again), buf_str(&bytes), bytes.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answer answer = fuzz_answer_from(data, size);
    _cleanup_(freep) char *text = xstrndup(answer.body, answer.len);
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err of_body = ERR_INIT, of_event = ERR_INIT;

    FUZZ_CHECK(kube_status_fail_body(answer.body, answer.len, answer.status, &of_body) == -1);
    check(&of_body);
    FUZZ_CHECK(kube_status_fail_body(answer.body, answer.len, answer.status, NULL) == -1);
    if (json_parse(&tree, answer.body, answer.len, NULL) == 0) {
        FUZZ_CHECK(kube_status_fail(tree, 0, &of_event) == -1);
        check(&of_event);
    }
    check_base64(text);
    return 0;
}
