/* The instance metadata service: where it may be, and what it answers. The first line is an endpoint that somebody has
 * configured; answers follow as in fuzz_script.h. */
#include "fuzz_script.h"

#include "azure/imds.h"
#include "azure/token_answer.h"
#include "http/url.h"

#define CANARY "canary.token-1"

static int64_t waited_ms;

static bool wait_ms(struct http_cancel *cancel, int64_t ms)
{
    (void)cancel;
    FUZZ_CHECK(ms >= 0 && ms <= 60000);
    waited_ms += ms;
    return false;
}

static void check_endpoint(const char *endpoint)
{
    struct http_url url;
    struct err err = ERR_INIT;

    if (imds_endpoint_check(endpoint, &err) < 0) {
        FUZZ_CHECK(err.kind == ERR_INVALID && *err.msg);
        return;
    }
    FUZZ_CHECK(http_url_parse(endpoint, &url, &err) == 0 && !url.has_userinfo && str_eq(url.scheme, "http"));
    FUZZ_CHECK(str_eq(url.host, "localhost") || str_has_prefix(url.host, "127.") ||
               str_has_prefix(url.host, "169.254.") || strchr(url.host, ':'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *endpoint = fuzz_line(&lines);
    struct fuzz_script script = fuzz_script_from((const uint8_t *)lines.at, lines.left, IMDS_ENDPOINT "/metadata/");
    const struct imds_request request = {.http = &script.client,
        .endpoint = IMDS_ENDPOINT,
        .scope = "https://management.azure.com/.default",
        .wait = wait_ms};
    struct secret *token = NULL;
    int64_t lifetime_ms = 0;
    struct err err = ERR_INIT;

    check_endpoint(endpoint);
    waited_ms = 0;
    if (imds_token(&request, &token, &lifetime_ms, &err) == 0) {
        FUZZ_CHECK(token && token_is_usable(secret_reveal(token)));
        FUZZ_CHECK(lifetime_ms > 0 && lifetime_ms <= 7LL * 24 * 3600 * 1000);
    } else {
        fuzz_check_err(&err);
        FUZZ_CHECK(!token && script.answers <= 7);
    }
    FUZZ_CHECK(waited_ms <= 6 * 60000);
    (void)secret_unref(token);
    return 0;
}
