/* The fields of the kind, from the schema of the CRD: their types, limits and defaults, what they mean, and the
 * sentences with which the API server refuses what is wrong. */
#include "reference.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct walk {
    struct buf *out;
    const cJSON *spec; /* schema of spec, whose rules say what else is required; NULL for status */
};

typedef void (*visit_fn)(struct walk *walk, const char *path, const cJSON *field, bool required);

static bool names(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list)
        if (cJSON_IsString(item) && str_eq(item->valuestring, name))
            return true;
    return false;
}

/* Depth first, in the order of the CRD: a field before its members; the items of a list are "list[]". */
static void walk_members(struct walk *walk, const char *prefix, const cJSON *schema, visit_fn visit)
{
    const cJSON *field;

    cJSON_ArrayForEach (field, json_member(schema, "properties")) {
        _cleanup_(freep) char *path = xasprintf("%s%s%s", prefix, *prefix ? "." : "", field->string);
        visit(walk, path, field, names(json_member(schema, "required"), field->string));
        walk_members(walk, path, field, visit);
        const cJSON *items = json_member(field, "items");
        if (json_member(items, "properties")) {
            _cleanup_(freep) char *item_path = xasprintf("%s[]", path);
            walk_members(walk, item_path, items, visit);
        }
    }
}

static int64_t int_of(const cJSON *schema, const char *name)
{
    int64_t n = 0;

    (void)json_int(json_member(schema, name), false, &n); /* absent is 0 */
    return n;
}

static void put_words(struct buf *out, const cJSON *words)
{
    const cJSON *word;
    const char *separator = "";

    cJSON_ArrayForEach (word, words) {
        buf_printf(out, "%s`%s`", separator, word->valuestring);
        separator = ", ";
    }
}

static void put_type(struct buf *out, const cJSON *field)
{
    const char *type = json_string_at(field, "type"), *format = json_string_at(field, "format");
    const cJSON *items = json_member(field, "items");

    if (json_member(field, "enum")) {
        put_words(out, json_member(field, "enum"));
    } else if (items) {
        buf_puts(out, json_member(items, "enum") ? "list of " : "list");
        put_words(out, json_member(items, "enum"));
        buf_printf(
            out, ", %s%lld", int_of(field, "minItems") ? "1 to " : "at most ", (long long)int_of(field, "maxItems"));
    } else if (str_eq(format, "date-time")) {
        buf_puts(out, "time");
    } else if (json_member(field, "minimum") && json_member(field, "maximum")) {
        buf_printf(
            out, "%s, %lld to %lld", type, (long long)int_of(field, "minimum"), (long long)int_of(field, "maximum"));
    } else if (str_eq(type, "string")) {
        buf_printf(out, "string, at most %lld", (long long)int_of(field, "maxLength"));
    } else {
        buf_puts(out, type);
    }
}

/* Some fields are required by a rule, so that leaving them out has a sentence of its own. */
static bool required_by_rule(const struct walk *walk, const char *path)
{
    const cJSON *rule;

    cJSON_ArrayForEach (rule, json_member(walk->spec, "x-kubernetes-validations")) {
        const char *where = json_string_at(rule, "fieldPath");
        if (str_eq(json_string_at(rule, "reason"), "FieldValueRequired") && where && str_eq(where + 1, path))
            return true;
    }
    return false;
}

static void put_default(struct walk *walk, const char *path, const cJSON *field, bool required)
{
    const cJSON *fallback = json_member(field, "default");

    if (required || required_by_rule(walk, path)) {
        buf_puts(walk->out, "required");
    } else if (fallback) {
        _cleanup_(freep) char *text = json_print(fallback);
        buf_printf(walk->out, "`%s`", cJSON_IsString(fallback) ? fallback->valuestring : text);
    }
}

static void put_field(struct walk *walk, const char *path, const cJSON *field, bool required)
{
    buf_printf(walk->out, "| `%s` | ", path);
    put_type(walk->out, field);
    if (walk->spec) {
        buf_puts(walk->out, " | ");
        put_default(walk, path, field, required);
    }
    buf_puts(walk->out, " | ");
    reference_cell(walk->out, json_string_at(field, "description"));
    buf_puts(walk->out, " |\n");
}

static const cJSON *schema_of(const cJSON *version, const char *part)
{
    return json_member(json_at(version, "schema.openAPIV3Schema.properties"), part);
}

void reference_spec(struct buf *out, const cJSON *version)
{
    struct walk walk = {.out = out, .spec = schema_of(version, "spec")};

    buf_puts(out, "| field | values | default | meaning |\n|---|---|---|---|\n");
    walk_members(&walk, "", walk.spec, put_field);
}

void reference_status(struct buf *out, const cJSON *version)
{
    struct walk walk = {.out = out};

    buf_puts(out, "| field | values | meaning |\n|---|---|---|\n");
    walk_members(&walk, "", schema_of(version, "status"), put_field);
}

static void put_rules(struct walk *walk, const char *path, const cJSON *field, bool required _unused_)
{
    const cJSON *rule;

    cJSON_ArrayForEach (rule, json_member(field, "x-kubernetes-validations")) {
        const char *where = json_string_at(rule, "fieldPath");
        buf_printf(walk->out, "| `%s` | ", where ? where + 1 : path);
        reference_cell(walk->out, json_string_at(rule, "message"));
        buf_puts(walk->out, " |\n");
    }
}

void reference_sentences(struct buf *out, const cJSON *version)
{
    struct walk walk = {.out = out};

    buf_puts(out, "| field | sentence |\n|---|---|\n");
    put_rules(&walk, "", schema_of(version, "spec"), true);
    walk_members(&walk, "", schema_of(version, "spec"), put_rules);
}

void reference_columns(struct buf *out, const cJSON *version)
{
    const cJSON *column;

    buf_puts(out, "| column | shown | meaning |\n|---|---|---|\n");
    cJSON_ArrayForEach (column, json_member(version, "additionalPrinterColumns")) {
        buf_puts(out, "| ");
        for (const char *c = json_string_at(column, "name"); *c; c++) /* as kubectl prints it */
            buf_putc(out, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
        buf_printf(out, " | %s | ", int_of(column, "priority") ? "with `-o wide`" : "always");
        reference_cell(out, json_string_at(column, "description"));
        buf_puts(out, " |\n");
    }
}
