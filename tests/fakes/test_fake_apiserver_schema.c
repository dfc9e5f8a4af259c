/* What fake-apiserver does to objects by a CRD's schema. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fakes/fake_apiserver_model_schema.h"
#include "json/json.h"

#include <string.h>

/* JSON with ' for ". */
static cJSON *parsed(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    _cleanup_(freep) char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    if (json_parse(&tree, copy, strlen(copy), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static void defaults_fill_what_is_absent_or_null(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value, *want;
    } rows[] = {
        {"{'properties':{'a':{'default':1}}}", "{}", "{'a':1}"},
        {"{'properties':{'a':{'default':1}}}", "{'a':2}", "{'a':2}"},
        {"{'properties':{'a':{'default':1}}}", "{'a':null}", "{'a':1}"},
        {"{'properties':{'a':{'default':1,'nullable':true}}}", "{'a':null}", "{'a':null}"},
        {"{'properties':{'a':{'type':'string'}}}", "{'a':null}", "{}"},
        {"{'properties':{'a':{'default':{},'properties':{'b':{'default':true}}}}}", "{}", "{'a':{'b':true}}"},
        {"{'properties':{'a':{'properties':{'b':{'default':true}}}}}", "{}", "{}"},
        {"{'properties':{'l':{'items':{'properties':{'b':{'default':1}}}}}}", "{'l':[{},{'b':2}]}",
            "{'l':[{'b':1},{'b':2}]}"},
        {"{'additionalProperties':{'properties':{'b':{'default':1}}}}", "{'x':{}}", "{'x':{'b':1}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *schema = parsed(rows[i].schema);
        _cleanup_(json_freep) cJSON *value = parsed(rows[i].value);
        _cleanup_(json_freep) cJSON *want = parsed(rows[i].want);
        schema_default(schema, value);
        if (!cJSON_Compare(value, want, true))
            fail_msg("row %zu", i);
    }
}

static void unknown_members_are_pruned_and_named_in_order(void **state)
{
    (void)state;
    _cleanup_(json_freep) cJSON *schema =
        parsed("{'properties':{'spec':{'properties':{'a':{},'l':{'items':{'properties':{'x':{}}}},"
               "'free':{'x-kubernetes-preserve-unknown-fields':true}}}}}");
    _cleanup_(json_freep) cJSON *object = parsed("{'kind':'K','apiVersion':'v','metadata':{'m':1},'zz':1,'spec':{'a':1,"
                                                 "'b':2,'l':[{'x':1},{'y':1}],'free':{'q':1}}}");
    _cleanup_(json_freep) cJSON *want =
        parsed("{'kind':'K','apiVersion':'v','metadata':{'m':1},'spec':{'a':1,'l':[{'x':1},{}],'free':{'q':1}}}");
    _cleanup_(json_freep) cJSON *names = parsed("['spec.b','spec.l[1].y','zz']");
    _cleanup_(json_freep) cJSON *unknown = cJSON_CreateArray();
    schema_prune(schema, object, unknown);
    assert_true(cJSON_Compare(object, want, true));
    assert_true(cJSON_Compare(unknown, names, true));
}

static void faults_are_told_in_the_words_of_an_api_server(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value, *want; /* "FIELD: MESSAGE", or "" */
    } rows[] = {
        {"'type':'string'", "'x'", ""},
        {"'type':'string'", "1", "s.v: Invalid value: \"integer\": s.v in body must be of type string: \"integer\""},
        {"'type':'boolean'", "'x'", "s.v: Invalid value: \"string\": s.v in body must be of type boolean: \"string\""},
        {"'type':'integer'", "3", ""},
        {"'type':'integer'", "3.5",
            "s.v: Invalid value: \"float64\": s.v in body must be of type integer: \"float64\""},
        {"'type':'number'", "3", ""},
        {"'type':'string','nullable':true", "null", ""},
        {"'x-kubernetes-int-or-string':true,'type':'x'", "'80'", ""},
        {"'type':'string','enum':['A','B']", "'A'", ""},
        {"'type':'string','enum':['A','B']", "'C'", "s.v: Unsupported value: \"C\": supported values: \"A\", \"B\""},
        {"'type':'string','maxLength':2", "'\xC3\xA4\xC3\xB6'", ""},
        {"'type':'string','maxLength':2", "'abc'", "s.v: Too long: may not be more than 2 bytes"},
        {"'type':'string','minLength':1", "''",
            "s.v: Invalid value: \"\": s.v in body should be at least 1 chars long"},
        {"'type':'string','pattern':'^[a-z]+$'", "'A'",
            "s.v: Invalid value: \"A\": s.v in body should match '^[a-z]+$'"},
        {"'type':'string','pattern':'^(?i)[a-z]+(?:-\\\\d+)?$'", "'A-12'", ""},
        {"'type':'integer','minimum':0", "-1",
            "s.v: Invalid value: -1: s.v in body should be greater than or equal to 0"},
        {"'type':'integer','maximum':9", "10", "s.v: Invalid value: 10: s.v in body should be less than or equal to 9"},
        {"'type':'string','x-max-bytes':2", "'\u00fc'", ""},
        {"'type':'string','x-max-bytes':2", "'\u00fcb'", "s.v: Invalid value: \"\": can have at most 2 characters"},
        {"'type':'array','maxItems':1", "[1,2]", "s.v: Too many: 2: must have at most 1 item"},
        {"'type':'array','minItems':1", "[]", "s.v: Invalid value: 0: s.v in body should have at least 1 items"},
        {"'type':'array','x-kubernetes-list-type':'set'", "[1,2,1]", "s.v[2]: Duplicate value: 1"},
        {"'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['k']",
            "[{'k':'a'},{'k':'a','z':1}]", "s.v[1]: Duplicate value: {\"k\":\"a\"}"},
        {"'type':'array','items':{'type':'string'}", "['a',1]",
            "s.v[1]: Invalid value: \"integer\": s.v[1] in body must be of type string: \"integer\""},
        {"'type':'object','required':['q']", "{}", "s.v.q: Required value"},
        {"'type':'string','format':'date-time'", "'2026-01-01T00:00:00Z'", ""},
        {"'type':'string','format':'date-time'", "'now'",
            "s.v: Invalid value: \"now\": s.v in body must be of type date-time: \"now\""},
        {"'type':'string','format':'micro-time'", "'2026-01-01T00:00:00.000001Z'", ""},
        {"'type':'string','format':'micro-time'", "'2026-01-01T00:00:00.001Z'",
            "s.v: parsing time \"2026-01-01T00:00:00.001Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse "
            "\".001Z\" as "
            "\".000000\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(freep) char *text = xasprintf("{'properties':{'s':{'properties':{'v':{%s}}}}}", rows[i].schema);
        _cleanup_(freep) char *object_text = xasprintf("{'s':{'v':%s}}", rows[i].value);
        _cleanup_(json_freep) cJSON *schema = parsed(text);
        _cleanup_(json_freep) cJSON *object = parsed(object_text);
        _cleanup_(json_freep) cJSON *causes = cJSON_CreateArray();
        schema_validate(schema, object, causes);
        const cJSON *first = causes->child;
        _cleanup_(freep) char *told =
            first ? xasprintf("%s: %s", json_string_at(first, "field"), json_string_at(first, "message")) : xstrdup("");
        assert_string_equal(told, rows[i].want);
        assert_int_equal(cJSON_GetArraySize(causes), rows[i].want[0] ? 1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_is_absent_or_null),
        cmocka_unit_test(unknown_members_are_pruned_and_named_in_order),
        cmocka_unit_test(faults_are_told_in_the_words_of_an_api_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
