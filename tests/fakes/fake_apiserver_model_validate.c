/* Validation by a structural schema, with the texts of a real API server. See fake_apiserver_model_schema.h. */
#include "fakes/fake_apiserver_model_schema.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <regex.h>
#include <string.h>

#define PATH_MAX_BYTES 16384

struct check {
    cJSON *causes;
    struct buf path;
};

static void check_value(struct check *c, const cJSON *schema, const cJSON *value);

static void fault(struct check *c, const char *reason, const char *format, ...) _printf_(3, 4);
static void fault(struct check *c, const char *reason, const char *format, ...)
{
    struct buf message = BUF_INIT(PATH_MAX_BYTES * 2);
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    schema_cause(c->causes, buf_str(&c->path), reason, buf_str(&message));
    buf_done(&message);
}

/* A value that is wrong, as Go prints it, and what it should be. */
static void fault_value(struct check *c, const cJSON *value, const char *format, ...) _printf_(3, 4);
static void fault_value(struct check *c, const cJSON *value, const char *format, ...)
{
    struct buf rule = BUF_INIT(PATH_MAX_BYTES);
    va_list args;
    va_start(args, format);
    buf_vprintf(&rule, format, args);
    va_end(args);
    _cleanup_(freep) char *text = json_print(value);
    fault(c, "FieldValueInvalid", "Invalid value: %s: %s in body %s", text, buf_str(&c->path), buf_str(&rule));
    buf_done(&rule);
}

static void path_cut(struct check *c, size_t len)
{
    c->path.len = len;
    if (c->path.data)
        c->path.data[len] = '\0';
}

static const char *type_name(const cJSON *value)
{
    if (cJSON_IsString(value))
        return "string";
    if (cJSON_IsBool(value))
        return "boolean";
    if (cJSON_IsArray(value))
        return "array";
    if (cJSON_IsObject(value))
        return "object";
    if (cJSON_IsNull(value))
        return "null";
    int64_t whole;
    return json_int(value, false, &whole) ? "integer" : "float64";
}

static bool type_fits(const cJSON *schema, const cJSON *value)
{
    const char *want = json_string_at(schema, "type");
    const char *have = type_name(value);
    if (!want || str_eq(want, have) || (str_eq(want, "number") && cJSON_IsNumber(value)))
        return true;
    if (json_bool_at(schema, "x-kubernetes-int-or-string", false))
        return str_eq(have, "integer") || str_eq(have, "string");
    return cJSON_IsNull(value) && json_bool_at(schema, "nullable", false);
}

/* A Go expression as a POSIX extended one, as far as it goes. */
static bool pattern_matches(const char *pattern, const char *text)
{
    struct buf posix = BUF_INIT(PATH_MAX_BYTES);
    int flags = REG_EXTENDED | REG_NOSUB;
    for (const char *p = pattern; *p; p++) {
        if (str_has_prefix(p, "(?i)")) {
            flags |= REG_ICASE;
            p += 3;
        } else if (str_has_prefix(p, "(?:")) {
            buf_putc(&posix, '(');
            p += 2;
        } else if (str_has_prefix(p, "\\d")) {
            buf_puts(&posix, "[0-9]");
            p++;
        } else {
            buf_putc(&posix, *p);
        }
    }
    regex_t regex;
    bool matches = true;
    if (regcomp(&regex, buf_str(&posix), flags) == 0) {
        matches = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
    }
    buf_done(&posix);
    return matches;
}

/* metav1.MicroTime is read with exactly six digits. */
static bool is_micro_time(const char *s)
{
    int64_t ms;
    const char *dot = strchr(s, '.');
    return time_parse_rfc3339(s, &ms) && dot && strspn(dot + 1, "0123456789") == 6;
}

static void check_string(struct check *c, const cJSON *schema, const cJSON *value)
{
    const char *s = value->valuestring, *format = json_string_at(schema, "format"),
               *pattern = json_string_at(schema, "pattern");
    int64_t bound, ms;
    size_t characters = 0;
    for (size_t i = 0, n = strlen(s); i < n; characters++)
        i += utf8_sequence(s + i, n - i) ? utf8_sequence(s + i, n - i) : 1;
    if (json_int(json_member(schema, "maxLength"), false, &bound) && (int64_t)characters > bound)
        fault(c, "FieldValueTooLong", "Too long: may not be more than %lld bytes", (long long)bound);
    else if (json_int(json_member(schema, "x-max-bytes"), false, &bound) &&
             (int64_t)strlen(s) > bound) /* built-in types only */
        fault(c, "FieldValueInvalid", "Invalid value: \"\": can have at most %lld characters", (long long)bound);
    else if (json_int(json_member(schema, "minLength"), false, &bound) && (int64_t)characters < bound)
        fault_value(c, value, "should be at least %lld chars long", (long long)bound);
    else if (pattern && !pattern_matches(pattern, s))
        fault_value(c, value, "should match '%s'", pattern);
    if (str_eq(format, "date-time") && !time_parse_rfc3339(s, &ms))
        fault(c, "FieldValueTypeInvalid", "Invalid value: \"%s\": %s in body must be of type date-time: \"%s\"", s,
            buf_str(&c->path), s);
    if (str_eq(format, "micro-time") && !is_micro_time(s))
        fault(c, SCHEMA_UNREADABLE,
            "parsing time \"%s\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"%s\" as \".000000\"", s,
            strlen(s) > 19 ? s + 19 : s);
}

static void check_number(struct check *c, const cJSON *schema, const cJSON *value)
{
    const cJSON *minimum = json_member(schema, "minimum"), *maximum = json_member(schema, "maximum");
    if (json_bool_at(schema, "x-positive", false) && value->valuedouble <= 0) /* built-in types only */
        fault(c, "FieldValueInvalid", "Invalid value: %.15g: must be greater than 0", value->valuedouble);
    if (cJSON_IsNumber(minimum) && value->valuedouble < minimum->valuedouble)
        fault_value(c, value, "should be greater than or equal to %.15g", minimum->valuedouble);
    if (cJSON_IsNumber(maximum) && value->valuedouble > maximum->valuedouble)
        fault_value(c, value, "should be less than or equal to %.15g", maximum->valuedouble);
    if (str_eq(json_string_at(schema, "format"), "int32") &&
        (value->valuedouble > INT32_MAX || value->valuedouble < INT32_MIN))
        fault_value(c, value, "must be of type int32: \"%.15g\"", value->valuedouble);
}

static void check_enum(struct check *c, const cJSON *choices, const cJSON *value)
{
    struct buf all = BUF_INIT(PATH_MAX_BYTES);
    const cJSON *choice;
    cJSON_ArrayForEach (choice, choices) {
        if (cJSON_Compare(choice, value, true)) {
            buf_done(&all);
            return;
        }
        _cleanup_(freep) char *text = json_print(choice);
        buf_printf(&all, "%s%s", all.len ? ", " : "", text);
    }
    _cleanup_(freep) char *text = json_print(value);
    fault(c, "FieldValueNotSupported", "Unsupported value: %s: supported values: %s", text, buf_str(&all));
    buf_done(&all);
}

/* Two elements are the same: all of them in a set, the key fields in a map. */
static bool same_element(const cJSON *keys, const cJSON *a, const cJSON *b)
{
    const cJSON *key;
    if (!keys)
        return cJSON_Compare(a, b, true);
    cJSON_ArrayForEach (key, keys) {
        if (!cJSON_IsString(key))
            continue;
        const cJSON *x = json_member(a, key->valuestring), *y = json_member(b, key->valuestring);
        if ((x || y) && !cJSON_Compare(x, y, true))
            return false;
    }
    return true;
}

/* What tells it apart from others; the caller frees it. */
static char *element_text(const cJSON *keys, const cJSON *element)
{
    if (!keys)
        return json_print(element);
    _cleanup_(json_freep) cJSON *shown = cJSON_CreateObject();
    const cJSON *key;
    cJSON_ArrayForEach (key, keys)
        if (cJSON_IsString(key) && json_member(element, key->valuestring))
            cJSON_AddItemToObject(
                shown, key->valuestring, cJSON_Duplicate(json_member(element, key->valuestring), true));
    return json_print(shown);
}

static void check_duplicates(struct check *c, const cJSON *schema, const cJSON *list)
{
    const char *type = json_string_at(schema, "x-kubernetes-list-type");
    const cJSON *keys = json_member(schema, "x-kubernetes-list-map-keys");
    if (!str_eq(type, "set") && !(str_eq(type, "map") && keys))
        return;
    int i = 0;
    const cJSON *element, *earlier;
    cJSON_ArrayForEach (element, list) {
        size_t len = c->path.len;
        buf_printf(&c->path, "[%d]", i++);
        for (earlier = list->child; earlier != element; earlier = earlier->next) {
            if (!same_element(str_eq(type, "map") ? keys : NULL, earlier, element))
                continue;
            _cleanup_(freep) char *text = element_text(str_eq(type, "map") ? keys : NULL, element);
            fault(c, "FieldValueDuplicate", "Duplicate value: %s", text);
            break;
        }
        path_cut(c, len);
    }
}

static void check_array(struct check *c, const cJSON *schema, const cJSON *list)
{
    int64_t bound;
    int n = cJSON_GetArraySize(list), i = 0;
    const cJSON *items = json_member(schema, "items"), *element;
    if (json_int(json_member(schema, "maxItems"), false, &bound) && n > bound)
        fault(c, "FieldValueTooMany", "Too many: %d: must have at most %lld item%s", n, (long long)bound,
            bound == 1 ? "" : "s");
    if (json_int(json_member(schema, "minItems"), false, &bound) && n < bound)
        fault(c, "FieldValueInvalid", "Invalid value: %d: %s in body should have at least %lld items", n,
            buf_str(&c->path), (long long)bound);
    check_duplicates(c, schema, list);
    cJSON_ArrayForEach (element, list) {
        size_t len = c->path.len;
        buf_printf(&c->path, "[%d]", i++);
        if (items)
            check_value(c, items, element);
        path_cut(c, len);
    }
}

static void check_object(struct check *c, const cJSON *schema, const cJSON *object)
{
    const cJSON *properties = json_member(schema, "properties"), *others = json_member(schema, "additionalProperties");
    const cJSON *name, *child;
    size_t len = c->path.len;
    cJSON_ArrayForEach (name, json_member(schema, "required")) {
        if (!cJSON_IsString(name) || json_member(object, name->valuestring))
            continue;
        buf_printf(&c->path, "%s%s", len ? "." : "", name->valuestring);
        fault(c, "FieldValueRequired", "Required value");
        path_cut(c, len);
    }
    cJSON_ArrayForEach (child, object) {
        const cJSON *property = json_member(properties, child->string);
        if ((!property && !cJSON_IsObject(others)) || (len == 0 && str_eq(child->string, "metadata")))
            continue;
        buf_printf(&c->path, "%s%s", len ? "." : "", child->string);
        check_value(c, property ? property : others, child);
        path_cut(c, len);
    }
}

static void check_value(struct check *c, const cJSON *schema, const cJSON *value)
{
    const cJSON *choices = json_member(schema, "enum");
    if (!type_fits(schema, value)) {
        const char *name = type_name(value);
        const char *want =
            json_string_at(schema, cJSON_IsNumber(value) && json_member(schema, "format") ? "format" : "type");
        fault(c, "FieldValueTypeInvalid", "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", name,
            buf_str(&c->path), want, name);
        return;
    }
    if (cJSON_IsArray(choices))
        check_enum(c, choices, value);
    if (cJSON_IsString(value))
        check_string(c, schema, value);
    else if (cJSON_IsNumber(value))
        check_number(c, schema, value);
    else if (cJSON_IsArray(value))
        check_array(c, schema, value);
    else if (cJSON_IsObject(value))
        check_object(c, schema, value);
}

void schema_validate(const cJSON *schema, const cJSON *object, cJSON *causes)
{
    struct check c = {.causes = causes, .path = BUF_INIT(PATH_MAX_BYTES)};
    check_value(&c, schema, object);
    buf_done(&c.path);
}
