/* Reading headers out of an answer. */
#include "unit.h"

#include "http/http.h"

#include <string.h>

#define WALL_MS 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct http_response with_headers(const char *headers)
{
    struct http_response r;

    http_response_init(&r);
    buf_puts(&r.headers, headers);
    return r;
}

static void a_header_is_found_by_its_whole_name_in_any_case(void **state)
{
    struct http_response r = with_headers("etag: \"1\"\nlocation: https://h/x: y\nx: \netag: 2\n");
    char value[32];
    size_t len = 99;
    (void)state;

    assert_true(http_response_header(&r, "ETag", value, sizeof(value)));
    assert_string_equal(value, "\"1\"");
    assert_true(http_response_header(&r, "LOCATION", value, sizeof(value)));
    assert_string_equal(value, "https://h/x: y");
    assert_true(http_response_header(&r, "x", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(http_response_header(&r, "eta", value, sizeof(value)));
    assert_false(http_response_header(&r, "etagg", value, sizeof(value)));
    assert_false(http_response_header(&r, "https", value, sizeof(value)));
    assert_false(http_response_header(&r, "location", value, strlen("https://h/x: y")));
    assert_non_null(http_response_header_ref(&r, "location", &len));
    assert_int_equal(len, strlen("https://h/x: y"));
    http_response_done(&r);
    assert_null(http_response_header_ref(&r, "etag", &len));
    http_response_done(&r);
}

static void retry_after_is_seconds_or_a_date_and_never_more_than_an_hour(void **state)
{
    static const struct {
        const char *headers;
        int64_t ms;
    } rows[] = {
        {"", -1},
        {"retry-after: 0\n", 0},
        {"retry-after: 17\n", 17000},
        {"retry-after: 3600\n", 3600000},
        {"retry-after: 86400\n", 3600000},
        {"retry-after: 9223372036854775807\n", 3600000},
        {"retry-after: -1\n", -1},
        {"retry-after: 1.5\n", -1},
        {"retry-after: soon\n", -1},
        {"retry-after: \n", -1},
        {"retry-after: Sun, 06 Nov 1994 08:49:40 GMT\n", 3000},
        {"retry-after: Sun, 06 Nov 1994 08:49:37 GMT\n", 0},
        {"retry-after: Sun, 06 Nov 1994 08:00:00 GMT\n", 0},
        {"retry-after: Mon, 07 Nov 1994 08:49:37 GMT\n", 3600000},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_response r = with_headers(rows[i].headers);
        int64_t ms = http_response_retry_after_ms(&r, WALL_MS);
        if (ms != rows[i].ms)
            fail_msg("%s: %lld", rows[i].headers, (long long)ms);
        http_response_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_found_by_its_whole_name_in_any_case),
        cmocka_unit_test(retry_after_is_seconds_or_a_date_and_never_more_than_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
