/* Server-side printing with the printer columns of a CRD. See fake_apiserver_model_table.h. */
#include "fakes/fake_apiserver_model_table.h"

#include "fakes/fake_apiserver_model_selector.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define VALUES_MAX 32
#define CELL_MAX 65536

static void add_column(
    cJSON *table, const char *name, const char *type, const char *format, const char *description, int64_t priority)
{
    cJSON *column = cJSON_CreateObject();
    json_add_string(column, "name", name);
    json_add_string(column, "type", type);
    json_add_string(column, "format", format ? format : "");
    json_add_string(column, "description", description ? description : "");
    json_add_int(column, "priority", priority);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(table, "columnDefinitions"), column);
}

cJSON *table_new(const cJSON *columns, const char *resource_version)
{
    cJSON *table = cJSON_CreateObject();
    json_add_string(table, "kind", "Table");
    json_add_string(table, "apiVersion", "meta.k8s.io/v1");
    json_add_string(json_add_object(table, "metadata"), "resourceVersion", resource_version);
    json_add_array(table, "columnDefinitions");
    json_add_array(table, "rows");
    add_column(table, "Name", "string", "name", "Name must be unique within a namespace.", 0);
    const cJSON *column;
    cJSON_ArrayForEach (column, columns) {
        int64_t priority = 0;
        const char *description = json_string_at(column, "description");
        _cleanup_(freep) char *path =
            xasprintf("Custom resource definition column (in JSONPath format): %s", json_string_at(column, "jsonPath"));
        (void)json_int(json_member(column, "priority"), false, &priority);
        add_column(table, json_string_at(column, "name"), json_string_at(column, "type"),
            json_string_at(column, "format"), description ? description : path, priority);
    }
    if (!columns)
        add_column(table, "Age", "date", NULL,
            "CreationTimestamp is a timestamp of the time when this object was created.", 0);
    return table;
}

void table_age(int64_t ms, char ret[static TABLE_AGE_SIZE])
{
    const int64_t minute = 60, hour = 60 * minute, day = 24 * hour, year = 365 * day;
    const struct {
        int64_t below, unit, rest; /* rest 0: one unit only */
        const char *unit_name, *rest_name;
    } steps[] = {
        {2 * minute, 1, 0, "s", ""},
        {10 * minute, minute, 1, "m", "s"},
        {3 * hour, minute, 0, "m", ""},
        {8 * hour, hour, minute, "h", "m"},
        {2 * day, hour, 0, "h", ""},
        {8 * day, day, hour, "d", "h"},
        {2 * year, day, 0, "d", ""},
        {8 * year, year, day, "y", "d"},
        {INT64_MAX, year, 0, "y", ""},
    };
    int64_t s = ms / 1000;
    if (ms < -1000) {
        (void)str_copy(ret, TABLE_AGE_SIZE, "<invalid>");
        return;
    }
    s = s < 0 ? 0 : s;
    size_t i = 0;
    while (s >= steps[i].below)
        i++;
    int64_t rest = steps[i].rest ? s % steps[i].unit / steps[i].rest : 0;
    if (rest)
        (void)snprintf(ret, TABLE_AGE_SIZE, "%lld%s%lld%s", (long long)(s / steps[i].unit), steps[i].unit_name,
            (long long)rest, steps[i].rest_name);
    else
        (void)snprintf(ret, TABLE_AGE_SIZE, "%lld%s", (long long)(s / steps[i].unit), steps[i].unit_name);
}

static cJSON *date_cell(const cJSON *value, int64_t now_ms)
{
    int64_t then;
    char age[TABLE_AGE_SIZE];
    if (!cJSON_IsString(value) || !time_parse_rfc3339(value->valuestring, &then))
        return cJSON_CreateString("<invalid>");
    table_age(now_ms - then, age);
    return cJSON_CreateString(age);
}

static cJSON *text_cell(const cJSON *const *values, size_t n)
{
    struct buf text = BUF_INIT(CELL_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(&text, ' ');
        if (cJSON_IsString(values[i])) {
            buf_puts(&text, values[i]->valuestring);
        } else {
            _cleanup_(freep) char *json = json_print(values[i]);
            buf_puts(&text, json);
        }
    }
    cJSON *cell = cJSON_CreateString(buf_str(&text));
    buf_done(&text);
    return cell;
}

/* The built-in resources name more than one path: the first that leads somewhere counts. No path of a CRD has a '|'
 * outside of quotes that this reader would follow. */
static size_t find_first(const cJSON *object, const char *paths, const cJSON **values)
{
    size_t n = 0;
    while (n == 0 && *paths) {
        size_t len = strchr(paths, '?') ? strlen(paths) : strcspn(paths, "|");
        _cleanup_(freep) char *path = xstrndup(paths, len);
        n = jsonpath_find(object, path, values, VALUES_MAX);
        paths += len + (paths[len] == '|');
    }
    return n;
}

static cJSON *cell(const cJSON *column, const cJSON *object, int64_t now_ms)
{
    const cJSON *values[VALUES_MAX];
    const char *path = json_string_at(column, "jsonPath"), *type = json_string_at(column, "type");
    size_t n = path ? find_first(object, path, values) : 0;
    if (n == 0)
        return cJSON_CreateNull();
    if (str_eq(type, "date"))
        return date_cell(values[0], now_ms);
    if (str_eq(type, "string"))
        return text_cell(values, n);
    bool fits = str_eq(type, "boolean") ? cJSON_IsBool(values[0]) : cJSON_IsNumber(values[0]);
    return fits ? cJSON_Duplicate(values[0], true) : cJSON_CreateNull();
}

static cJSON *row_object(const cJSON *object, enum table_include include)
{
    if (include == TABLE_OBJECT)
        return cJSON_Duplicate(object, true);
    cJSON *partial = cJSON_CreateObject();
    json_add_string(partial, "kind", "PartialObjectMetadata");
    json_add_string(partial, "apiVersion", "meta.k8s.io/v1");
    cJSON_AddItemToObject(partial, "metadata", cJSON_Duplicate(json_member(object, "metadata"), true));
    return partial;
}

void table_add_row(cJSON *table, const cJSON *columns, const cJSON *object, enum table_include include, int64_t now_ms)
{
    cJSON *row = cJSON_CreateObject();
    cJSON *cells = json_add_array(row, "cells");
    const char *name = json_string_at(object, "metadata.name");
    cJSON_AddItemToArray(cells, cJSON_CreateString(name ? name : ""));
    const cJSON *column;
    cJSON_ArrayForEach (column, columns)
        cJSON_AddItemToArray(cells, cell(column, object, now_ms));
    if (!columns)
        cJSON_AddItemToArray(cells, date_cell(json_at(object, "metadata.creationTimestamp"), now_ms));
    if (include != TABLE_NONE)
        cJSON_AddItemToObject(row, "object", row_object(object, include));
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(table, "rows"), row);
}
