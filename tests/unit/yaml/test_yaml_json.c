/* YAML as people write it becomes the JSON they mean; what is dangerous or ambiguous is refused with its place. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "yaml/yaml_json.h"

#include <string.h>

#define MAX_BYTES (4 << 20)

static char *read_as_json(const char *text, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (yaml_read(&tree, "config.yaml", text, strlen(text), MAX_BYTES, err) < 0) {
        assert_null(tree);
        return NULL;
    }
    return json_print(tree);
}

static void yaml_becomes_the_json_that_is_meant(void **state)
{
    static const struct {
        const char *yaml, *json;
    } table[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"\xEF\xBB\xBF"
         "a: 1\n",
            "{\"a\":1}"},
        {"a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}"},
        {"a:\n- b: c\n  d:\n    e: f\n- {g: h}\n", "{\"a\":[{\"b\":\"c\",\"d\":{\"e\":\"f\"}},{\"g\":\"h\"}]}"},
        {"[~, null, Null, NULL, '', 'null', \"~\"]", "[null,null,null,null,\"\",\"null\",\"~\"]"},
        {"a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}"},
        {"[true, True, TRUE, false, False, FALSE, 'true']", "[true,true,true,false,false,false,\"true\"]"},
        {"[yes, no, on, off, y, n]", "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]"},
        {"[0, -1, 42, 1.5, -2e3, '42']", "[0,-1,42,1.5,-2000,\"42\"]"},
        {"[0644, 0x1F, 0o17, 1_000, +1, .5, 1., .inf, .nan, 1.2.3, 01:30, -, 2001-12-14]",
            "[\"0644\",\"0x1F\",\"0o17\",\"1_000\",\"+1\",\".5\",\"1.\",\".inf\",\".nan\",\"1.2.3\",\"01:30\",\"-\","
            "\"2001-12-14\"]"},
        {"a: |\n  line 1\n  line 2\nb: >-\n  one\n  two\n", "{\"a\":\"line 1\\nline 2\\n\",\"b\":\"one two\"}"},
        {"a: |\n  42\n", "{\"a\":\"42\\n\"}"},
        {"1: one\ntrue: two\n\"3\": three\n", "{\"1\":\"one\",\"true\":\"two\",\"3\":\"three\"}"},
        {"a: 1\nA: 2\n", "{\"a\":1,\"A\":2}"},
        {"\"\\u00e9\": \"\\x41\\t\"\n", "{\"\xC3\xA9\":\"A\\t\"}"},
        {"---\na: 1\n...\n", "{\"a\":1}"},
        {"---\n---\na: 1\n---\n", "{\"a\":1}"},
        {"%YAML 1.1\n---\na: 1\n", "{\"a\":1}"},
        {"url: https://contoso.vault.azure.net/keys/cosmos # why\n",
            "{\"url\":\"https://contoso.vault.azure.net/keys/cosmos\"}"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        _cleanup_(freep) char *json = read_as_json(table[i].yaml, &err);
        if (!str_eq(json, table[i].json))
            fail_msg("%s\ngives %s (%s)\nexpected %s", table[i].yaml, json ? json : "an error", err.msg, table[i].json);
    }
}

static void refuses_with_line_and_column(void **state)
{
    static const struct {
        const char *yaml, *says;
    } table[] = {
        {"a: &x 1\n", "config.yaml:1:4: anchors are not allowed"},
        {"a: 1\nb: &x {c: d}\n", "config.yaml:2:4: anchors are not allowed"},
        {"- &x [1]\n", "config.yaml:1:3: anchors are not allowed"},
        {"a: *x\n", "config.yaml:1:4: aliases are not allowed"},
        {"*x : 1\n", "config.yaml:1:1: aliases are not allowed"},
        {"&x a: 1\n", "config.yaml:1:1: anchors are not allowed"},
        {"a: !!str 1\n", "config.yaml:1:4: tags are not allowed"},
        {"a: ! 1\n", "config.yaml:1:4: tags are not allowed"},
        {"--- !x\na: 1\n", "config.yaml:1:5: tags are not allowed"},
        {"!!str a: 1\n", "config.yaml:1:1: tags are not allowed"},
        {"a:\n  <<: {b: 1}\n", "config.yaml:2:3: merge keys"},
        {"a: 1\nb: 2\n\"a\": 3\n", "config.yaml:3:1: the key \"a\" is there already, in line 1"},
        {"x:\n- {k: 1, k: 2}\n", "config.yaml:2:10: the key \"k\" is there already, in line 2"},
        {"? [a]\n: 1\n", "config.yaml:1:3: a key must be"},
        {"{{a: 1}: 2}\n", "config.yaml:1:2: a key must be"},
        {"a: 1\n---\nb: 2\n", "config.yaml:3:1: expected one document"},
        {"a: \"x\\0y\"\n", "config.yaml:1:4: a string must not contain a NUL"},
        {"\"x\\0y\": 1\n", "config.yaml:1:1: a string must not contain a NUL"},
        {"a: [1, 2\nb: 3\n", "config.yaml:2:2: "},
        {"a: b: c\n", "config.yaml:1:5: mapping values are not allowed"},
        {"a:\n\t- b\n", "config.yaml:2:1: found character that cannot start any token"},
        {"a: 1\nb: \xFF\n", "config.yaml:2:4: invalid leading UTF-8 octet"},
        {"a: \x01\n", "config.yaml:1:4: control characters are not allowed"},
        {"a: 'x\n", "config.yaml:2:1: found unexpected end of stream"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        _cleanup_(freep) char *json = read_as_json(table[i].yaml, &err);
        if (json)
            fail_msg("%s\naccepted as %s", table[i].yaml, json);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!str_has_prefix(err.msg, table[i].says))
            fail_msg("%s\nsays '%s'\nexpected '%s'", table[i].yaml, err.msg, table[i].says);
    }
}

/* Read to the end, a megabyte of these keeps libyaml busy for longer than the time limit of the test. */
static void deep_nesting_ends_at_the_limit(void **state)
{
    static const char *const pieces[] = {"[", "{", "- ", "? ", "[{", "{a: [", "{[", "[a, "};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(MAX_BYTES);
        struct err err = ERR_INIT;
        while (b.len < 1 << 20)
            buf_puts(&b, pieces[i]);
        assert_null(read_as_json(b.data, &err));
        if (!strstr(err.msg, "nested deeper than 64") && !strstr(err.msg, "a key must be"))
            fail_msg("%s: says %s", pieces[i], err.msg);
    }
}

static void nesting_up_to_the_limit_is_accepted(void **state)
{
    (void)state;

    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(MAX_BYTES);
        struct err err = ERR_INIT;
        for (int i = 0; i < depth; i++)
            buf_putc(&b, '[');
        for (int i = 0; i < depth; i++)
            buf_putc(&b, ']');
        _cleanup_(freep) char *json = read_as_json(b.data, &err);
        assert_int_equal(json != NULL, depth == JSON_MAX_DEPTH);
    }
}

static void large_mappings_are_checked_at_once(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(MAX_BYTES);
    struct err err = ERR_INIT;
    (void)state;

    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "k%d: %d\n", i, i);
    _cleanup_(freep) char *json = read_as_json(b.data, &err);
    assert_non_null(json);
    buf_puts(&b, "k77: again\n");
    assert_null(read_as_json(b.data, &err));
    assert_string_equal(err.msg, "config.yaml:100001:1: the key \"k77\" is there already, in line 78");
}

static void input_has_a_limit(void **state)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    (void)state;

    assert_int_equal(yaml_read(&tree, "c", "a: 1\n", 5, 5, &err), 0);
    json_free(tree);
    assert_int_equal(yaml_read(&tree, "c", "a: 1\n", 5, 4, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void all_documents_but_the_empty_ones_are_read(void **state)
{
    static const struct {
        const char *yaml, *json;
    } table[] = {
        {"", "[]"},
        {"---\n# nothing\n---\n", "[]"},
        {"a: 1\n", "[{\"a\":1}]"},
        {"---\na: 1\n---\n\n---\nb: 2\n---\n[3]\n...\n", "[{\"a\":1},{\"b\":2},[3]]"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(json_freep) cJSON *all = NULL;
        struct err err = ERR_INIT;
        if (yaml_read_all(&all, "m.yaml", table[i].yaml, strlen(table[i].yaml), MAX_BYTES, &err) < 0)
            fail_msg("%s: %s", table[i].yaml, err.msg);
        _cleanup_(freep) char *json = json_print(all);
        assert_string_equal(json, table[i].json);
    }
    struct err err = ERR_INIT;
    cJSON *all = NULL;
    assert_int_equal(yaml_read_all(&all, "m.yaml", "a: 1\n---\nb: *x\n", 15, MAX_BYTES, &err), -1);
    assert_null(all);
    assert_true(str_has_prefix(err.msg, "m.yaml:3:4: aliases"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_becomes_the_json_that_is_meant),
        cmocka_unit_test(refuses_with_line_and_column),
        cmocka_unit_test(deep_nesting_ends_at_the_limit),
        cmocka_unit_test(nesting_up_to_the_limit_is_accepted),
        cmocka_unit_test(large_mappings_are_checked_at_once),
        cmocka_unit_test(input_has_a_limit),
        cmocka_unit_test(all_documents_but_the_empty_ones_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
