/* What json_parse accepts, what it refuses and where it says the mistake is. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "json/json.h"

#include <string.h>

static void accepts_what_rfc_8259_accepts(void **state)
{
    static const char *const texts[] = {"null", "true", " false\n", "0", "-0", "-12.5e+3", "1E9", "\"\"", "[]", "{}",
        "[1,[2],{\"a\":[]}]", "\t{ \"a\" : 1 ,\r\n \"b\" : null }", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"", "\"\xC3\xA9 \xF0\x9F\x98\x80\"", "\xEF\xBB\xBF{\"a\":1}", "{\"a\":1,\"A\":2}",
        "{\"a\":{\"a\":{\"a\":1}}}", "{\"\":1}", "123456789012345678901234567890123456789012345678901234567890123"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = ERR_INIT;
        cJSON *tree = NULL;
        if (json_parse(&tree, texts[i], strlen(texts[i]), &err) < 0)
            fail_msg("%s: %s", texts[i], err.msg);
        assert_non_null(tree);
        json_free(tree);
    }
}

struct refusal {
    const char *text;
    size_t len; /* 0: strlen */
    size_t offset;
    const char *says;
};

static void check_refusal(const struct refusal *r)
{
    size_t len = r->len ? r->len : strlen(r->text);
    char *exact = xmalloc(len); /* no byte behind it, so that the sanitizer sees a read past the end */
    _cleanup_(freep) char *place = xasprintf("at byte %zu:", r->offset);
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    memcpy(exact, r->text, len);
    if (json_parse(&tree, exact, len, &err) != -1)
        fail_msg("accepted: %s", r->text);
    free(exact);
    assert_null(tree);
    assert_int_equal(err.kind, ERR_PROTOCOL);
    if (!strstr(err.msg, r->says) || !strstr(err.msg, place))
        fail_msg("%s: says '%s', expected '%s' %s", r->text, err.msg, r->says, place);
}

static void refuses_with_the_place_of_the_mistake(void **state)
{
    static const struct refusal table[] = {
        {"", 0, 0, "ends too early"},
        {"  ", 0, 2, "ends too early"},
        {"{", 0, 1, "ends too early"},
        {"{\"1\":1,", 0, 7, "ends too early"},
        {"[1", 0, 2, "ends too early"},
        {"\"abc", 0, 4, "ends too early"},
        {"\"a\\", 0, 3, "ends too early"},
        {"\"\\u00", 0, 5, "ends too early"},
        {"-", 0, 1, "ends too early"},
        {"{\"a\"", 0, 4, "ends too early"},
        {"{} x", 0, 3, "unexpected text after"},
        {"{}{}", 0, 2, "unexpected text after"},
        {"nul", 0, 0, "expected a value"},
        {"nulL", 0, 0, "expected a value"},
        {"True", 0, 0, "expected a value"},
        {"[1,]", 0, 3, "expected a value"},
        {"[,1]", 0, 1, "expected a value"},
        {"[1 2]", 0, 3, "expected ',' or ']'"},
        {"{\"a\":1]", 0, 6, "expected ',' or '}'"},
        {"{\"a\":1,}", 0, 7, "expected a name"},
        {"{a:1}", 0, 1, "expected a name"},
        {"{1:1}", 0, 1, "expected a name"},
        {"{\"a\" 1}", 0, 5, "expected ':'"},
        {"01", 0, 1, "unexpected text after"},
        {"+1", 0, 0, "expected a value"},
        {".5", 0, 0, "expected a value"},
        {"1.", 0, 2, "ends too early"},
        {"[1.]", 0, 3, "digit after the decimal point"},
        {"[1e]", 0, 3, "digit in the exponent"},
        {"[-a]", 0, 2, "expected a digit"},
        {"NaN", 0, 0, "expected a value"},
        {"'a'", 0, 0, "expected a value"},
        {"\"a\nb\"", 0, 2, "control character"},
        {"\"\\x\"", 0, 2, "unknown escape"},
        {"\"\\u12g4\"", 0, 5, "four hexadecimal"},
        {"\"a\\u0000\"", 0, 2, "must not contain a NUL"},
        {"\"a\0b\"", 5, 2, "must not contain a NUL"},
        {"{}\0", 3, 2, "unexpected text after"},
        {"\"\\ud83d\"", 0, 1, "half of a surrogate pair"},
        {"\"\\ud83dx\"", 0, 1, "half of a surrogate pair"},
        {"\"\\ud83d\\u0041\"", 0, 1, "half of a surrogate pair"},
        {"\"\\ude00\"", 0, 1, "half of a surrogate pair"},
        {"\"a\xFF\"", 0, 2, "not UTF-8"},
        {"\"\xC3", 0, 1, "not UTF-8"},
        {"\"\xC0\x80\"", 0, 1, "not UTF-8"},
        {"\"\xED\xA0\x80\"", 0, 1, "not UTF-8"},
        {"[1234567890123456789012345678901234567890123456789012345678901234]", 0, 1, "more than 63 characters"},
        {"{\"a\":1,\"a\":2}", 0, 7, "already has"},
        {"{\"a\":1,\"\\u0061\":2}", 0, 7, "already has"},
        {"[{\"x\":{\"a\":1}},{\"k\":[{\"b\":1,\"c\":{\"b\":0},\"b\":2}]}]", 0, 40, "already has"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        check_refusal(&table[i]);
}

static int parse_nested(int depth, struct err *err)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    _cleanup_(json_freep) cJSON *tree = NULL;

    for (int i = 0; i < depth; i++)
        buf_puts(&b, i % 2 ? "[" : "{\"a\":");
    buf_puts(&b, "1");
    for (int i = depth - 1; i >= 0; i--)
        buf_puts(&b, i % 2 ? "]" : "}");
    return json_parse(&tree, b.data, b.len, err);
}

static void nesting_has_a_limit(void **state)
{
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(parse_nested(JSON_MAX_DEPTH, &err), 0);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH + 1, &err), -1);
    assert_non_null(strstr(err.msg, "nested deeper than 64"));
    assert_int_equal(parse_nested(100000, &err), -1);
}

/* A quadratic check would need 5,000,000,000 comparisons here and run into the time limit of the test. */
static void a_hundred_thousand_names_are_checked_at_once(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(4 << 20);
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;
    (void)state;

    buf_putc(&b, '{');
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "\"n%d\":%d,", i, i);
    size_t comma = b.len - 1;
    b.data[comma] = '}';
    assert_int_equal(json_parse(&tree, b.data, b.len, &err), 0);
    assert_int_equal(cJSON_GetArraySize(tree), 100000);

    b.data[comma] = ',';
    size_t twin = b.len;
    buf_puts(&b, "\"n500\":0}");
    check_refusal(&(struct refusal){b.data, b.len, twin, "already has"});
}

static void every_cut_of_a_text_is_refused(void **state)
{
    static const char text[] = "{\"a\":[1.5e3,true,null,\"\\u00e9\xC3\xA9\"],\"b\":{\"c\":\"\\ud83d\\ude00\"}}";
    (void)state;

    for (size_t len = 1; len < sizeof(text) - 1; len++) {
        char *exact = xmalloc(len);
        struct err err = ERR_INIT;
        cJSON *tree = NULL;
        memcpy(exact, text, len);
        if (json_parse(&tree, exact, len, &err) != -1)
            fail_msg("accepted the first %zu bytes", len);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_rfc_8259_accepts),
        cmocka_unit_test(refuses_with_the_place_of_the_mistake),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(a_hundred_thousand_names_are_checked_at_once),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
