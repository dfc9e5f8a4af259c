/* The buffer: its cap, its sticky overflow, and the two encodings that write into it. */
#include "unit.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static void content_is_always_a_string(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(100);
    (void)state;

    assert_string_equal(buf_str(&b), "");
    buf_puts(&b, "one");
    buf_putc(&b, ' ');
    buf_printf(&b, "%s %d", "two", 3);
    buf_add(&b, NULL, 0);
    assert_string_equal(buf_str(&b), "one two 3");
    assert_int_equal(b.len, 9);
    buf_consume(&b, 4);
    assert_string_equal(buf_str(&b), "two 3");
    buf_consume(&b, 5);
    assert_string_equal(buf_str(&b), "");
    buf_consume(&b, 0);
    assert_false(b.overflow);
}

static void the_cap_is_exact_and_overflow_sticks(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(5);
    (void)state;

    buf_puts(&b, "12345");
    assert_false(b.overflow);
    buf_add(&b, "", 0);
    assert_false(b.overflow);
    buf_putc(&b, '6');
    assert_true(b.overflow);
    assert_string_equal(buf_str(&b), "12345");
    buf_consume(&b, 3);
    buf_putc(&b, '6');
    assert_string_equal(buf_str(&b), "45");
    buf_clear(&b);
    assert_false(b.overflow);
    buf_printf(&b, "%06d", 1);
    assert_true(b.overflow);
    assert_string_equal(buf_str(&b), "");
    buf_clear(&b);
    buf_add(&b, "x", SIZE_MAX);
    assert_true(b.overflow);
}

static void taking_the_content_leaves_an_empty_buffer(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(5);
    (void)state;

    char *s = buf_take(&b);
    assert_string_equal(s, "");
    free(s);
    buf_puts(&b, "abc");
    s = buf_take(&b);
    assert_string_equal(s, "abc");
    free(s);
    assert_int_equal(b.len, 0);
    buf_puts(&b, "12345");
    assert_string_equal(buf_str(&b), "12345");
}

static void it_grows_to_megabytes(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 21);
    (void)state;

    for (int i = 0; i < 1 << 20; i++)
        buf_add(&b, "ab", 2);
    assert_int_equal(b.len, 1 << 21);
    assert_int_equal(strlen(buf_str(&b)), 1 << 21);
    assert_false(b.overflow);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } table[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\n\r\t\x01\x1f\x7f", 6, "\"\\n\\r\\t\\u0001\\u001f\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"\xFFx\xC3", 3, "\"\xEF\xBF\xBDx\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(100);
        buf_put_json_string(&b, table[i].in, table[i].len);
        assert_string_equal(buf_str(&b), table[i].out);
    }
}

static void urls_are_percent_encoded(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        {"", ""},
        {"Az09-._~", "Az09-._~"},
        {"a b/c?d=e&f+%", "a%20b%2Fc%3Fd%3De%26f%2B%25"},
        {"\xC3\xA9", "%C3%A9"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(100);
        buf_put_urlencoded(&b, table[i].in);
        assert_string_equal(buf_str(&b), table[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_always_a_string),
        cmocka_unit_test(the_cap_is_exact_and_overflow_sticks),
        cmocka_unit_test(taking_the_content_leaves_an_empty_buffer),
        cmocka_unit_test(it_grows_to_megabytes),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(urls_are_percent_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
