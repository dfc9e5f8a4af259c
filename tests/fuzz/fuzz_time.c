/* Times, durations and Retry-After as text. What is understood is the same when we have written it ourselves. */
#include "fuzz.h"

#include "base/timefmt.h"
#include "http/http.h"

#define NOW 1795503300000

static void check_rfc3339(const char *text)
{
    char again[TIME_TEXT_SIZE];
    int64_t ms, ms_again;

    if (!time_parse_rfc3339(text, &ms))
        return;
    FUZZ_CHECK(ms >= 0 && ms < 253402300800000);
    time_format_rfc3339_ms(ms, again);
    FUZZ_CHECK(time_parse_rfc3339(again, &ms_again) && ms_again == ms);
    time_format_rfc3339(ms, again);
    FUZZ_CHECK(time_parse_rfc3339(again, &ms_again) && ms_again == ms - ms % 1000);
}

static void check_duration(const char *text)
{
    char shown[TIME_TEXT_SIZE];
    int64_t ms;

    if (!duration_parse(text, &ms))
        return;
    FUZZ_CHECK(ms >= 0 && ms <= 3660LL * 86400000);
    duration_format(ms, shown);
    FUZZ_CHECK(*shown);
}

static void check_retry_after(const char *text)
{
    struct http_response response;

    http_response_init(&response);
    buf_printf(&response.headers, "date: x\nretry-after: %s\n", text);
    int64_t ms = http_response_retry_after_ms(&response, NOW);
    FUZZ_CHECK(ms >= -1 && ms <= 3600000);
    http_response_done(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *text = fuzz_line(&lines);
    int64_t ms;

    check_rfc3339(text);
    check_duration(text);
    check_retry_after(text);
    if (time_parse_http_date(text, &ms))
        FUZZ_CHECK(ms % 1000 == 0);
    return 0;
}
