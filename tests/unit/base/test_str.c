/* Strings: ASCII comparisons, numbers, GUIDs and UTF-8. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

static void comparisons(void **state)
{
    (void)state;
    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq(NULL, ""));
    assert_true(str_eq("a", "a"));
    assert_false(str_eq("a", "A"));
    assert_true(str_eq_nocase("ReadOnly-9", "READONLY-9"));
    assert_false(str_eq_nocase("ab", "abc"));
    assert_false(str_eq_nocase("abc", "ab"));
    assert_false(str_eq_nocase(NULL, ""));
    assert_false(str_eq_nocase("\xC3\xA9", "\xC3\x89")); /* ASCII only */
    assert_true(str_empty(NULL) && str_empty("") && !str_empty(" "));
    assert_true(str_has_prefix("abc", "ab") && str_has_prefix("abc", "") && !str_has_prefix("ab", "abc"));
    assert_true(str_has_prefix_nocase("/Subscriptions/x", "/subscriptions/"));
    assert_false(str_has_prefix_nocase("/sub", "/subscriptions/"));
    assert_true(str_has_suffix_nocase("x.VAULT.azure.net", ".vault.azure.net"));
    assert_false(str_has_suffix_nocase("net", ".net"));
}

static void searching_without_case(void **state)
{
    const char *s = "Operation is InProgress";
    (void)state;

    assert_ptr_equal(str_find_nocase(s, "inprogress"), s + 13);
    assert_ptr_equal(str_find_nocase(s, ""), s);
    assert_null(str_find_nocase(s, "progressing"));
    assert_null(str_find_nocase("", "x"));
    assert_string_equal(str_find_nocase("", ""), "");
}

static void copies_that_do_not_fit_say_so(void **state)
{
    char small[4];
    (void)state;

    assert_true(str_copy(small, sizeof(small), "abc"));
    assert_string_equal(small, "abc");
    assert_false(str_copy(small, sizeof(small), "wxyz"));
    assert_string_equal(small, "wxy");
    char text[] = "MiXeD\xC3\x89";
    assert_string_equal(str_lower(text), "mixed\xC3\x89");
}

static void guids(void **state)
{
    static const struct {
        const char *s;
        bool ok;
    } table[] = {
        {"00000000-0000-0000-0000-000000000000", true},
        {"0f3B9c1a-AbCd-4eF0-9999-0123456789aB", true},
        {"", false},
        {"00000000-0000-0000-0000-00000000000", false},
        {"00000000-0000-0000-0000-0000000000000", false},
        {"00000000_0000-0000-0000-000000000000", false},
        {"g0000000-0000-0000-0000-000000000000", false},
        {"{0000000-0000-0000-0000-00000000000}", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_is_guid(table[i].s) != table[i].ok)
            fail_msg("%s", table[i].s);
}

static void decimal_numbers(void **state)
{
    static const struct {
        const char *s;
        int64_t min, max;
        bool ok;
        int64_t value;
    } table[] = {
        {"0", 0, 9, true, 0},
        {"-0", 0, 9, true, 0},
        {"007", 0, 9, true, 7},
        {"9", 0, 9, true, 9},
        {"10", 0, 9, false, 0},
        {"-1", 0, 9, false, 0},
        {"-5", -9, 9, true, -5},
        {"9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX},
        {"9223372036854775808", INT64_MIN, INT64_MAX, false, 0},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, false, 0},
        {"99999999999999999999999", INT64_MIN, INT64_MAX, false, 0},
        {"", 0, 9, false, 0},
        {"-", -9, 9, false, 0},
        {"+1", 0, 9, false, 0},
        {" 1", 0, 9, false, 0},
        {"1 ", 0, 9, false, 0},
        {"0x1", 0, 9, false, 0},
        {"1.0", 0, 9, false, 0},
        {"--1", -9, 9, false, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t value = 0;
        if (str_to_i64(table[i].s, table[i].min, table[i].max, &value) != table[i].ok || value != table[i].value)
            fail_msg("'%s' gives %lld", table[i].s, (long long)value);
    }
}

static void utf8_sequences(void **state)
{
    static const struct {
        const char *s;
        size_t len, n;
    } table[] = {
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7F", 1, 1},
        {"\x80", 1, 0},
        {"\xC2\x80", 2, 2},
        {"\xC1\xBF", 2, 0}, /* overlong */
        {"\xC3", 1, 0},     /* cut off */
        {"\xC3x", 2, 0},
        {"\xE0\xA0\x80", 3, 3},
        {"\xE0\x9F\xBF", 3, 0}, /* overlong */
        {"\xED\x9F\xBF", 3, 3},
        {"\xED\xA0\x80", 3, 0}, /* surrogate */
        {"\xEF\xBF\xBF", 3, 3},
        {"\xE2\x82", 2, 0},
        {"\xF0\x90\x80\x80", 4, 4},
        {"\xF0\x8F\xBF\xBF", 4, 0}, /* overlong */
        {"\xF4\x8F\xBF\xBF", 4, 4},
        {"\xF4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xF0\x9F\x98", 3, 0},
        {"\xFF", 1, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (utf8_sequence(table[i].s, table[i].len) != table[i].n)
            fail_msg("row %zu gives %zu", i, utf8_sequence(table[i].s, table[i].len));
        assert_int_equal(utf8_valid(table[i].s, table[i].len), table[i].n != 0);
    }
    assert_true(utf8_valid("", 0));
    assert_false(utf8_valid("good \xFF", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons),
        cmocka_unit_test(searching_without_case),
        cmocka_unit_test(copies_that_do_not_fit_say_so),
        cmocka_unit_test(guids),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(utf8_sequences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
