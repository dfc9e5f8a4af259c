/* JSONPath, selectors, rows and ages of fake-apiserver. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fakes/fake_apiserver_model_selector.h"
#include "fakes/fake_apiserver_model_table.h"
#include "json/json.h"

#include <string.h>

static const char object_text[] =
    "{\"metadata\":{\"name\":\"orders\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"team\":\"a\",\"x."
    "io/y\":\"1\"}},"
    "\"spec\":{\"n\":3,\"on\":true,\"list\":[\"p\",\"q\"]},"
    "\"status\":{\"conditions\":[{\"type\":\"Other\",\"status\":\"False\"},{\"type\":\"Ready\",\"status\":\"True\"}]}}";

static cJSON *object(void)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    assert_int_equal(json_parse(&tree, object_text, strlen(object_text), &err), 0);
    return tree;
}

static void a_path_leads_to_values(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want; /* JSON of all values, joined by blanks */
    } rows[] = {
        {".metadata.name", "\"orders\""},
        {"{.metadata.name}", "\"orders\""},
        {"$.spec.n", "3"},
        {".spec.list[1]", "\"q\""},
        {".spec.list[2]", ""},
        {".spec.list[*]", "\"p\" \"q\""},
        {".metadata.labels['x.io/y']", "\"1\""},
        {".metadata.labels.x\\.io/y", "\"1\""},
        {".status.conditions[?(@.type==\"Ready\")].status", "\"True\""},
        {".status.conditions[?(@.type=='Ready')].status", "\"True\""},
        {".status.conditions[?(@.type == \"Ready\")].status", "\"True\""},
        {".status.conditions[?(@.type!=\"Ready\")].status", "\"False\""},
        {".status.conditions[?(@.type==\"No\")].status", ""},
        {".status.conditions[*].type", "\"Other\" \"Ready\""},
        {".nothing.at.all", ""},
        {".spec[", ""},
        {".status.conditions[?(@.type==\"Ready\"", ""},
        {"spec", ""},
    };
    _cleanup_(json_freep) cJSON *tree = object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const cJSON *found[8];
        size_t n = jsonpath_find(tree, rows[i].path, found, ARRAY_LEN(found));
        _cleanup_(buf_done) struct buf all = BUF_INIT(256);
        for (size_t k = 0; k < n; k++) {
            _cleanup_(freep) char *text = json_print(found[k]);
            buf_printf(&all, "%s%s", k ? " " : "", text);
        }
        if (strcmp(buf_str(&all), rows[i].want) != 0)
            fail_msg("%s gives %s", rows[i].path, buf_str(&all));
    }
}

static void a_selector_selects(void **state)
{
    (void)state;
    static const struct {
        enum selector_kind kind;
        const char *text;
        int want; /* -1: refused */
    } rows[] = {
        {SELECTOR_LABELS, "", 1},
        {SELECTOR_LABELS, "team=a", 1},
        {SELECTOR_LABELS, "team==a", 1},
        {SELECTOR_LABELS, "team!=a", 0},
        {SELECTOR_LABELS, "nope!=a", 1},
        {SELECTOR_LABELS, "team in (b, a),x.io/y", 1},
        {SELECTOR_LABELS, "team in (b)", 0},
        {SELECTOR_LABELS, "team notin (b,c)", 1},
        {SELECTOR_LABELS, "!team", 0},
        {SELECTOR_LABELS, "!nope,team=a", 1},
        {SELECTOR_LABELS, "team=ab", 0},
        {SELECTOR_LABELS, "a===b", -1},
        {SELECTOR_LABELS, "team in (b", -1},
        {SELECTOR_LABELS, "=x", -1},
        {SELECTOR_FIELDS, "metadata.name=orders", 1},
        {SELECTOR_FIELDS, "metadata.name!=orders", 0},
        {SELECTOR_FIELDS, "spec.n=3", 1},
        {SELECTOR_FIELDS, "spec.on=true", 1},
        {SELECTOR_FIELDS, "spec.other=3", -1},
        {SELECTOR_FIELDS, "metadata.name", -1},
    };
    _cleanup_(json_freep) cJSON *tree = object();
    _cleanup_(json_freep) cJSON *fields = cJSON_Parse("[{\"jsonPath\":\".spec.n\"},{\"jsonPath\":\".spec.on\"}]");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector *selector = NULL;
        struct err err = ERR_INIT;
        int result = selector_parse(&selector, rows[i].kind, rows[i].text, fields, &err);
        result = result < 0 ? -1 : selector_matches(selector, tree);
        if (result != rows[i].want)
            fail_msg("'%s' gives %d", rows[i].text, result);
        (void)selector_free(selector);
    }
}

static void ages_read_like_those_of_kubectl(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *want;
    } rows[] = {
        {-5, "<invalid>"},
        {0, "0s"},
        {119, "119s"},
        {120, "2m"},
        {125, "2m5s"},
        {600, "10m"},
        {10799, "179m"},
        {10800, "3h"},
        {11100, "3h5m"},
        {28800, "8h"},
        {172799, "47h"},
        {172800, "2d"},
        {180000, "2d2h"},
        {8 * 86400, "8d"},
        {729 * 86400, "729d"},
        {730 * 86400, "2y"},
        {765 * 86400, "2y35d"},
        {3650LL * 86400, "10y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char age[TABLE_AGE_SIZE];
        table_age(rows[i].seconds * 1000, age);
        assert_string_equal(age, rows[i].want);
    }
}

static void a_row_has_the_name_and_a_cell_for_each_column(void **state)
{
    (void)state;
    _cleanup_(json_freep) cJSON *tree = object();
    _cleanup_(json_freep) cJSON *columns =
        cJSON_Parse("[{\"name\":\"Ready\",\"type\":\"string\",\"jsonPath\":\".status.conditions[?(@.type=="
                    "\\\"Ready\\\")].status\"},"
                    "{\"name\":\"N\",\"type\":\"integer\",\"jsonPath\":\".spec.n\"},"
                    "{\"name\":\"Wrong\",\"type\":\"integer\",\"jsonPath\":\".metadata.name\"},"
                    "{\"name\":\"None\",\"type\":\"string\",\"jsonPath\":\".spec.none\"},"
                    "{\"name\":\"Age\",\"type\":\"date\",\"jsonPath\":\".metadata.creationTimestamp\"},"
                    "{\"name\":\"Bad\",\"type\":\"date\",\"jsonPath\":\".metadata.name\"}]");
    _cleanup_(json_freep) cJSON *table = table_new(columns, "7");
    table_add_row(table, columns, tree, TABLE_METADATA, 1767225600000 + 5000);
    const cJSON *row = cJSON_GetArrayItem(json_member(table, "rows"), 0);
    _cleanup_(freep) char *cells = json_print(json_member(row, "cells"));
    assert_string_equal(cells, "[\"orders\",\"True\",3,null,null,\"5s\",\"<invalid>\"]");
    assert_int_equal(cJSON_GetArraySize(json_member(table, "columnDefinitions")), 7);
    assert_string_equal(json_string_at(row, "object.kind"), "PartialObjectMetadata");
    assert_null(json_at(row, "object.spec"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_to_values),
        cmocka_unit_test(a_selector_selects),
        cmocka_unit_test(ages_read_like_those_of_kubectl),
        cmocka_unit_test(a_row_has_the_name_and_a_cell_for_each_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
