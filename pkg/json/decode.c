/* Reading a tree: look-ups by path, and decoding into a struct by a table.
 *
 * Look-ups answer NULL for whatever is not there or is of another type, for facts that are optional by nature. The
 * table tells absent from wrong: a value of another type is an error that names its place. */
#include "json/json.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <string.h>

#define STRING_MAX 4096
/* 2^53 - 1. The next one is what a double makes of 2^53 + 1 as well, so it cannot be trusted. */
#define INT_LIMIT 9007199254740991LL

/* How far json_at came: the value, or the part of the path where it met something that has no members. */
struct place {
    const cJSON *value;
    const cJSON *not_object; /* present, not null, no object; NULL when there is no such thing on the way */
    size_t path_len;         /* bytes of the path up to there */
};

static const cJSON *member_of(const cJSON *object, const char *name, size_t n)
{
    const cJSON *child;

    if (!cJSON_IsObject(object))
        return NULL;
    cJSON_ArrayForEach (child, object)
        if (child->string && strncmp(child->string, name, n) == 0 && child->string[n] == '\0')
            return child;
    return NULL;
}

static struct place find(const cJSON *object, const char *path)
{
    const char *part = path;

    for (;;) {
        if (object && !cJSON_IsObject(object) && !cJSON_IsNull(object))
            return (struct place){.not_object = object, .path_len = part > path ? (size_t)(part - path - 1) : 0};
        size_t n = strcspn(part, ".");
        object = member_of(object, part, n);
        if (!object || part[n] == '\0')
            return (struct place){.value = object};
        part += n + 1;
    }
}

const cJSON *json_at(const cJSON *object, const char *path)
{
    return find(object, path).value;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    return member_of(object, name, strlen(name));
}

const char *json_string_at(const cJSON *object, const char *path)
{
    const cJSON *value = json_at(object, path);

    return cJSON_IsString(value) ? value->valuestring : NULL;
}

bool json_bool_at(const cJSON *object, const char *path, bool fallback)
{
    const cJSON *value = json_at(object, path);

    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : fallback;
}

bool json_int(const cJSON *value, bool accept_string, int64_t *ret)
{
    if (accept_string && cJSON_IsString(value))
        return str_to_i64(value->valuestring, -INT_LIMIT, INT_LIMIT, ret);
    if (!cJSON_IsNumber(value))
        return false;
    double d = value->valuedouble;
    if (!(d >= -(double)INT_LIMIT && d <= (double)INT_LIMIT) || (double)(int64_t)d != d)
        return false;
    *ret = (int64_t)d;
    return true;
}

static const char *type_name(const cJSON *value)
{
    switch (value->type & 0xff) {
    case cJSON_String:
        return "a string";
    case cJSON_Number:
        return "a number";
    case cJSON_Object:
        return "an object";
    case cJSON_Array:
        return "a list";
    default:
        return cJSON_IsBool(value) ? "a boolean" : "null";
    }
}

static int wrong_type(const struct json_field *f, const char *expected, const cJSON *value, struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "%s: expected %s, found %s", f->path, expected, type_name(value));
}

static int decode_string(const struct json_field *f, const cJSON *value, char **ret, struct err *err)
{
    size_t max = f->max ? f->max : STRING_MAX;

    if (!cJSON_IsString(value))
        return wrong_type(f, "a string", value, err);
    if (strlen(value->valuestring) > max)
        return err_set(err, ERR_PROTOCOL, "%s: longer than the %zu bytes allowed", f->path, max);
    str_replace(ret, value->valuestring);
    return 0;
}

static int decode_int(const struct json_field *f, const cJSON *value, int64_t *ret, struct err *err)
{
    bool accept_string = f->type == JSON_INT_OR_STRING;

    if (json_int(value, accept_string, ret))
        return 0;
    if (!cJSON_IsNumber(value))
        return wrong_type(f, accept_string ? "a whole number or a string of digits" : "a whole number", value, err);
    return err_set(err, ERR_PROTOCOL, "%s: expected a whole number between -2^53 and 2^53", f->path);
}

static int decode_time(const struct json_field *f, const cJSON *value, int64_t *ret, struct err *err)
{
    if (!cJSON_IsString(value))
        return wrong_type(f, "a time such as 2006-01-02T15:04:05Z", value, err);
    if (!time_parse_rfc3339(value->valuestring, ret))
        return err_set(err, ERR_PROTOCOL, "%s: not a time such as 2006-01-02T15:04:05Z", f->path);
    return 0;
}

static int decode_value(const struct json_field *f, const cJSON *value, void *slot, struct err *err)
{
    switch (f->type) {
    case JSON_STRING:
        return decode_string(f, value, slot, err);
    case JSON_BOOL:
        if (!cJSON_IsBool(value))
            return wrong_type(f, "a boolean", value, err);
        *(bool *)slot = cJSON_IsTrue(value);
        return 0;
    case JSON_INT:
    case JSON_INT_OR_STRING:
        return decode_int(f, value, slot, err);
    case JSON_TIME:
        return decode_time(f, value, slot, err);
    }
    return err_set(err, ERR_INTERNAL, "%s: the decoding table has no such type", f->path);
}

static int not_an_object(const struct json_field *f, const struct place *place, struct err *err)
{
    if (place->path_len == 0)
        return err_set(err, ERR_PROTOCOL, "expected an object, found %s", type_name(place->not_object));
    return err_set(err, ERR_PROTOCOL, "%.*s: expected an object, found %s", (int)place->path_len, f->path,
        type_name(place->not_object));
}

int json_decode(const cJSON *tree, const struct json_field *fields, size_t n, void *object_struct, struct err *err)
{
    for (const struct json_field *f = fields; f < fields + n; f++) {
        struct place place = find(tree, f->path);
        if (place.not_object)
            return not_an_object(f, &place, err);
        if (place.value && !cJSON_IsNull(place.value)) {
            if (decode_value(f, place.value, (char *)object_struct + f->offset, err) < 0)
                return -1;
        } else if (f->required) {
            return err_set(err, ERR_PROTOCOL, "%s: required, but missing", f->path);
        }
    }
    return 0;
}
