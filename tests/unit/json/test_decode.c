/* Reading trees: look-ups, the decoding table and its errors; and printing the trees that we build. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

static cJSON *parse(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static void look_ups_respect_case_and_types(void **state)
{
    _cleanup_(json_freep) cJSON *tree = parse("{\"Spec\":{\"a\":\"upper\"},\"spec\":{\"a\":\"x\",\"ab\":\"y\",\"n\":"
                                              "null,\"t\":true,\"k.d\":\"dots\"},\"s\":\"\"}");
    (void)state;

    assert_string_equal(json_string_at(tree, "spec.a"), "x");
    assert_string_equal(json_string_at(tree, "Spec.a"), "upper");
    assert_string_equal(json_string_at(tree, "s"), "");
    assert_string_equal(json_member(json_at(tree, "spec"), "k.d")->valuestring, "dots");
    static const char *const absent[] = {
        "SPEC.a", "spec.b", "spec.a.b", "spec.n", "spec.n.x", "spec.t", "spec.", "", "spec.k.d", "."};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        if (json_string_at(tree, absent[i]))
            fail_msg("found something at '%s'", absent[i]);
    assert_null(json_at(NULL, "a"));
    assert_null(json_member(NULL, "a"));
    assert_true(json_bool_at(tree, "spec.t", false));
    assert_true(json_bool_at(tree, "spec.a", true));
    assert_false(json_bool_at(tree, "spec.zz", false));
}

static void integers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool accept_string, ok;
        int64_t value;
    } table[] = {
        {"0", false, true, 0},
        {"-1", false, true, -1},
        {"3599.0", false, true, 3599},
        {"1e3", false, true, 1000},
        {"9007199254740991", false, true, 9007199254740991},
        {"-9007199254740991", false, true, -9007199254740991},
        {"9007199254740992", false, false, 0},
        {"9007199254740993", false, false, 0},
        {"-9007199254740993", false, false, 0},
        {"1e999", false, false, 0},
        {"1.5", false, false, 0},
        {"\"3599\"", true, true, 3599},
        {"\"3599\"", false, false, 0},
        {"\"3599 \"", true, false, 0},
        {"\"\"", true, false, 0},
        {"\"9007199254740993\"", true, false, 0},
        {"true", true, false, 0},
        {"null", true, false, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(json_freep) cJSON *tree = parse(table[i].text);
        int64_t value = 0;
        if (json_int(tree, table[i].accept_string, &value) != table[i].ok || value != table[i].value)
            fail_msg("%s: wrong answer, value %lld", table[i].text, (long long)value);
    }
    int64_t value;
    assert_false(json_int(NULL, true, &value));
}

struct sample {
    char *name;
    char *note;
    bool on;
    int64_t count;
    int64_t seconds;
    int64_t at;
};

static const struct json_field fields[] = {
    {"metadata.name", JSON_STRING, offsetof(struct sample, name), true, 8},
    {"note", JSON_STRING, offsetof(struct sample, note), false, 0},
    {"spec.on", JSON_BOOL, offsetof(struct sample, on), false, 0},
    {"spec.count", JSON_INT, offsetof(struct sample, count), false, 0},
    {"expires_in", JSON_INT_OR_STRING, offsetof(struct sample, seconds), false, 0},
    {"at", JSON_TIME, offsetof(struct sample, at), false, 0},
};

static int decode(const char *text, struct sample *s, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = parse(text);

    return json_decode(tree, fields, ARRAY_LEN(fields), s, err);
}

static void sample_done(struct sample *s)
{
    free(s->name);
    free(s->note);
}

static void a_table_fills_a_struct(void **state)
{
    _cleanup_(sample_done) struct sample s = {.note = xstrdup("old"), .count = 7};
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(
        decode("{\"metadata\":{\"name\":\"orders\"},\"spec\":{\"on\":true,\"count\":null},\"expires_in\":\"3599\","
               "\"at\":\"1970-01-01T00:00:01.5Z\"}",
            &s, &err),
        0);
    assert_string_equal(s.name, "orders");
    assert_string_equal(s.note, "old");
    assert_true(s.on);
    assert_int_equal(s.count, 7);
    assert_int_equal(s.seconds, 3599);
    assert_int_equal(s.at, 1500);
    assert_int_equal(decode("{\"metadata\":{\"name\":\"next\"},\"note\":\"new\"}", &s, &err), 0);
    assert_string_equal(s.name, "next");
    assert_string_equal(s.note, "new");
}

static void errors_name_the_path(void **state)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"{}", "metadata.name: required, but missing"},
        {"{\"metadata\":{\"name\":null}}", "metadata.name: required, but missing"},
        {"{\"metadata\":null}", "metadata.name: required, but missing"},
        {"{\"metadata\":\"x\"}", "metadata: expected an object, found a string"},
        {"[]", "expected an object, found a list"},
        {"{\"metadata\":{\"name\":1}}", "metadata.name: expected a string, found a number"},
        {"{\"metadata\":{\"name\":\"123456789\"}}", "metadata.name: longer than the 8 bytes allowed"},
        {"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"on\":\"true\"}}", "spec.on: expected a boolean, found a string"},
        {"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"count\":\"1\"}}",
            "spec.count: expected a whole number, found a string"},
        {"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"count\":1.5}}", "spec.count: expected a whole number between"},
        {"{\"metadata\":{\"name\":\"a\"},\"expires_in\":[]}",
            "expires_in: expected a whole number or a string of digits, found a list"},
        {"{\"metadata\":{\"name\":\"a\"},\"at\":false}", "at: expected a time such as"},
        {"{\"metadata\":{\"name\":\"a\"},\"at\":\"yesterday\"}", "at: not a time"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(sample_done) struct sample s = {0};
        struct err err = ERR_INIT;
        assert_int_equal(decode(table[i].text, &s, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        if (!str_has_prefix(err.msg, table[i].says))
            fail_msg("%s: says '%s', expected '%s'", table[i].text, err.msg, table[i].says);
    }
}

static void built_trees_print_exactly(void **state)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    (void)state;

    cJSON *inner = json_add_object(tree, "o");
    json_add_string(inner, "s", "a\"\n\xC3\xA9");
    assert_null(json_add_string(inner, "none", NULL));
    json_add_int(inner, "ms", 1764052500123);
    json_add_int(inner, "big", 9007199254740993);
    json_add_int(inner, "min", INT64_MIN);
    assert_non_null(json_add_array(tree, "l"));
    _cleanup_(freep) char *text = json_print(tree);
    assert_string_equal(text, "{\"o\":{\"s\":\"a\\\"\\n\xC3\xA9\",\"ms\":1764052500123,\"big\":9007199254740993,"
                              "\"min\":-9223372036854775808},\"l\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups_respect_case_and_types),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(a_table_fills_a_struct),
        cmocka_unit_test(errors_name_the_path),
        cmocka_unit_test(built_trees_print_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
