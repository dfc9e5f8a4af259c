/* Headers of answers: what the receiver makes of them, when we are told to come back, and what the pacing of ARM learns
 * from the counts in them. Input: answers as in fuzz_script.h, all to one caller's requests. */
#include "fuzz_script.h"

#include "azure/limiter.h"

#define ORIGIN "https://management.azure.com/"
#define URL ORIGIN "subscriptions/00000000-0000-0000-0000-000000000001/providers/p?api-version=1"
#define HOUR_MS 3600000
#define TURN_MAX_MS 600000

static int64_t now_ms;

static int64_t now(void *ctx)
{
    (void)ctx;
    return now_ms;
}

/* Lines "name: value\n", the name in lower case and without blanks. */
static void check_lines(const struct http_response *response)
{
    const char *line = buf_str(&response->headers);

    FUZZ_CHECK(strlen(line) == response->headers.len);
    for (const char *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        FUZZ_CHECK(end);
        const char *colon = memmem(line, (size_t)(end - line), ": ", 2);
        FUZZ_CHECK(colon && colon > line);
        for (const char *c = line; c < end; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
        for (const char *c = line; c < colon; c++)
            FUZZ_CHECK(*c != ' ' && !(*c >= 'A' && *c <= 'Z'));
    }
}

static void check_answer(const struct http_response *response)
{
    char value[64];
    int64_t ms = http_response_retry_after_ms(response, now_ms);

    check_lines(response);
    FUZZ_CHECK(ms >= -1 && ms <= HOUR_MS);
    if (http_response_header(response, "date", value, sizeof(value)))
        FUZZ_CHECK(strlen(value) < sizeof(value) && fuzz_is_one_line(value));
}

/* Who is told to wait is told how long, and is served when it has waited as often as anybody can have to. */
static int ask(struct http_client *limiter, const struct http_request *request, struct http_response *response)
{
    struct err err = ERR_INIT;

    for (int turns = 0;; turns++) {
        int r = http_do(limiter, request, response, &err);
        if (r == 0 || !str_eq(err.code, LIMITER_CODE))
            return r;
        fuzz_check_err(&err);
        FUZZ_CHECK(err.kind == ERR_THROTTLED && !err.maybe_sent);
        FUZZ_CHECK(err.retry_after_ms > 0 && err.retry_after_ms <= HOUR_MS && turns < 64);
        http_response_done(response);
        now_ms += err.retry_after_ms;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_script script = fuzz_script_from(data, size, ORIGIN);
    const struct limiter_clock clock = {.mono_ms = now, .wall_ms = now};
    static const char *const methods[] = {"GET", "GET", "PATCH", "DELETE"};

    now_ms = 1795503300000;
    struct http_client *limiter = limiter_new(&script.client, &clock);
    for (int i = 0; script.left.left && i < FUZZ_MAX_ANSWERS; i++, now_ms += 40) {
        const struct http_request request = {.method = methods[i % 4], .url = URL};
        struct http_response response;
        (void)ask(limiter, &request, &response);
        check_answer(&response);
        http_response_done(&response);
    }
    (void)limiter_free(limiter);
    return 0;
}
