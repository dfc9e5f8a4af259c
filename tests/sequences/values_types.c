/* Values of one field by its type: the edges of what its keywords allow, and a step beyond. */
#include "sequences/values_private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void add_json(struct field *f, const char *what, const char *json, bool accepted)
{
    cJSON *to = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&to, json, strlen(json), &err) < 0)
        abort();
    values_add(f, what, to, accepted);
}

static void add_string(struct field *f, const char *what, const char *text, bool accepted)
{
    values_add(f, what, cJSON_CreateString(text), accepted);
}

static struct value *last(struct field *f)
{
    return &f->walk->values->v[f->walk->values->n - 1];
}

static int64_t number_of(const cJSON *schema, const char *keyword)
{
    int64_t n = -1;

    (void)json_int(json_member(schema, keyword), false, &n);
    return n;
}

/* text n times. */
static char *repeated(const char *text, int64_t n)
{
    struct buf b = BUF_INIT(1 << 20);

    for (int64_t i = 0; i < n; i++)
        buf_puts(&b, text);
    return buf_take(&b);
}
/* ---- by type ---- */

void values_wrong_types(struct field *f, const char *const *texts)
{
    for (; *texts; texts++) {
        _cleanup_(freep) char *what = xasprintf("wrong type %s", *texts);
        add_json(f, what, *texts, false);
    }
}

static void enum_values(struct field *f, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        _cleanup_(freep) char *what = xasprintf("one of the list \"%s\"", item->valuestring);
        add_string(f, what, item->valuestring, true);
    }
    const char *first = cJSON_GetArrayItem(list, 0)->valuestring;
    _cleanup_(freep) char *lower = str_lower(xstrdup(first)), *longer = xasprintf("%sx", first);
    add_string(f, "not in the list: blank", "", false);
    add_string(f, "not in the list: lower case", lower, false);
    add_string(f, "not in the list: one letter more", longer, false);
}

static void sample_values(struct field *f)
{
    const struct samples *s = f->samples;

    for (size_t i = 0; i < MAX_SAMPLES; i++) {
        _cleanup_(freep) char *good = s->valid[i] ? xasprintf("sample \"%s\"", s->valid[i]) : NULL,
                              *bad = s->invalid[i] ? xasprintf("bad sample \"%s\"", s->invalid[i]) : NULL,
                              *clash = s->clashing[i] ? xasprintf("clash \"%s\"", s->clashing[i]) : NULL;
        if (good) {
            add_string(f, good, s->valid[i], true);
            last(f)->moves = s->immutable && i > 0;
        }
        if (bad)
            add_string(f, bad, s->invalid[i], false);
        if (clash) {
            add_string(f, clash, s->clashing[i], false);
            last(f)->clashes = true;
        }
    }
}

/* A text without a list or a rule is free up to its length, which counts characters. */
static void lengths(struct field *f, bool is_free)
{
    int64_t max = number_of(f->schema, "maxLength");

    if (max < 0) {
        values_unknown(f, "a string without", "maxLength");
        return;
    }
    _cleanup_(freep) char *longest = repeated("a", max), *wide = repeated("\xc3\xa9", max),
                          *more = repeated("a", max + 1);
    if (is_free) {
        add_string(f, "blank", "", true);
        add_string(f, "longest", longest, true);
        add_string(f, "longest, of two bytes each", wide, true);
    }
    add_string(f, "too long", more, false);
}

void values_of_string(struct field *f)
{
    static const char *const wrong[] = {"7", "true", "[\"x\"]", "{\"x\":\"y\"}", NULL};
    const cJSON *list = json_member(f->schema, "enum");

    if (json_member(f->schema, "format"))
        values_unknown(f, "the format", json_string_at(f->schema, "format"));
    values_wrong_types(f, wrong);
    if (list)
        enum_values(f, list);
    if (f->samples->rules && !f->samples->valid[0])
        values_unknown(f, "no sample for", "x-kubernetes-validations");
    sample_values(f);
    lengths(f, !list && !f->samples->rules);
}

void values_of_boolean(struct field *f)
{
    static const char *const wrong[] = {"\"true\"", "1", "[]", NULL};

    add_json(f, "true", "true", true);
    add_json(f, "false", "false", true);
    values_wrong_types(f, wrong);
}

static void add_number(struct field *f, const char *what, int64_t n, bool accepted)
{
    _cleanup_(freep) char *text = xasprintf("%lld", (long long)n);

    add_json(f, what, text, accepted);
}

void values_of_integer(struct field *f)
{
    static const char *const wrong[] = {"\"7\"", "1.5", "true", "[7]", NULL};
    int64_t min = number_of(f->schema, "minimum"), max = number_of(f->schema, "maximum");

    if (!str_eq(json_string_at(f->schema, "format"), "int32"))
        values_unknown(f, "an integer of another format than", "int32");
    if (!json_member(f->schema, "minimum") || !json_member(f->schema, "maximum"))
        values_unknown(f, "an integer without", "minimum and maximum");
    values_wrong_types(f, wrong);
    add_number(f, "minimum", min, true);
    add_number(f, "maximum", max, true);
    add_number(f, "below the minimum", min - 1, false);
    add_number(f, "above the maximum", max + 1, false);
    add_number(f, "no int32", INT32_MAX + 1LL, false);
}

/* n items: copies of the one that there is, or as many different words of a list. */
static cJSON *items_of(struct field *f, int64_t n, bool different)
{
    const cJSON *words = json_at(f->schema, "items.enum");
    cJSON *list = cJSON_CreateArray(), *at = f->walk->values->full;

    for (size_t i = 0; i < f->place.n; i++)
        at = values_down(at, f->place.steps[i]);
    for (int64_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list,
            cJSON_Duplicate(
                different ? cJSON_GetArrayItem(words, (int)i % cJSON_GetArraySize(words)) : cJSON_GetArrayItem(at, 0),
                true));
    return list;
}

void values_of_list(struct field *f)
{
    static const char *const wrong[] = {"\"x\"", "7", "{}", NULL};
    const char *type = json_string_at(f->schema, "x-kubernetes-list-type");
    bool is_set = str_eq(type, "set");
    int64_t min = number_of(f->schema, "minItems"), max = number_of(f->schema, "maxItems");

    if (!is_set && !str_eq(type, "atomic"))
        values_unknown(f, "the list type", type ? type : "absent");
    if (max < 0 || (is_set && max > cJSON_GetArraySize(json_at(f->schema, "items.enum"))))
        values_unknown(f, "the bounds of a list by", "maxItems");
    if (f->walk->failed)
        return;
    values_wrong_types(f, wrong);
    _cleanup_(json_freep) cJSON *one = items_of(f, 1, is_set);
    cJSON *map = cJSON_CreateObject();
    cJSON_AddItemToObject(map, "0", cJSON_DetachItemFromArray(one, 0));
    values_add(f, "a map in place of the list", map, false);
    values_add(f, "most items", items_of(f, max, is_set), true);
    values_add(f, "too many items", items_of(f, max + 1, is_set), false);
    values_add(f, "no item", items_of(f, 0, false), min <= 0);
    values_add(f, "the same item twice", items_of(f, 2, false), !is_set);
}
