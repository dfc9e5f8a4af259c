/* Walks the schema of spec and makes values of each field by its keywords and its samples.
 *
 * A value of a nested field is the whole member of spec that it belongs to, taken from a spec that has every field,
 * with the one place changed. Nothing is skipped in silence: what is not understood ends the walk with an error. */
#include "sequences/values.h"

#include "base/mem.h"
#include "base/str.h"
#include "sim/world.h"

#include <string.h>

#define MAX_STEPS 8

/* From spec down to a field. The step "[]" is the first item of a list. */
struct place {
    const char *steps[MAX_STEPS];
    size_t n;
};

struct walk {
    struct values *values;
    struct err *err;
    bool failed;
};

/* One field. */
struct field {
    struct walk *walk;
    struct place place;
    const cJSON *schema;
    const struct samples *samples;
    char path[256];
    bool required;
};

/* ---- places ---- */

static void path_of(const struct place *place, char *ret, size_t size)
{
    struct buf b = BUF_INIT(size);

    for (size_t i = 0; i < place->n; i++)
        buf_printf(&b, "%s%s", i && place->steps[i][0] != '[' ? "." : "", place->steps[i]);
    (void)str_copy(ret, size, buf_str(&b));
    buf_done(&b);
}

static cJSON *step_down(cJSON *at, const char *step)
{
    return step[0] == '[' ? cJSON_GetArrayItem(at, 0) : cJSON_GetObjectItemCaseSensitive(at, step);
}

static void put(cJSON *parent, const char *step, cJSON *to)
{
    if (step[0] == '[')
        cJSON_ReplaceItemInArray(parent, 0, to);
    else
        cJSON_DeleteItemFromObjectCaseSensitive(parent, step);
    if (step[0] != '[' && to)
        cJSON_AddItemToObject(parent, step, to);
}

/* The member of spec with to (taken over; NULL: nothing) at the place; NULL when that is the member itself, and is
 * taken away. */
static cJSON *member_with(const cJSON *full, const struct place *place, cJSON *to)
{
    if (place->n <= 1)
        return to;
    cJSON *member = cJSON_Duplicate(json_member(full, place->steps[0]), true), *parent = member;
    for (size_t i = 1; i + 1 < place->n; i++)
        parent = step_down(parent, place->steps[i]);
    put(parent, place->steps[place->n - 1], to);
    return member;
}

/* ---- values ---- */

static void add(struct field *f, const char *what, cJSON *to, bool accepted)
{
    struct values *values = f->walk->values;
    const struct difference *difference = difference_of(f->path, what);

    values->v = xrealloc(values->v, (values->n + 1) * sizeof(*values->v));
    values->v[values->n++] = (struct value){.path = xstrdup(f->path),
        .what = xstrdup(what),
        .member = xstrdup(f->place.n ? f->place.steps[0] : NULL),
        .to = member_with(values->full, &f->place, to),
        .accepted = accepted,
        .own = difference ? difference->own
               : accepted ? OWN_ACCEPTS
                          : OWN_INVALID,
        .why = difference ? difference->why : NULL};
}

static void add_json(struct field *f, const char *what, const char *json, bool accepted)
{
    cJSON *to = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&to, json, strlen(json), &err) < 0)
        abort();
    add(f, what, to, accepted);
}

static void add_string(struct field *f, const char *what, const char *text, bool accepted)
{
    add(f, what, cJSON_CreateString(text), accepted);
}

static struct value *last(struct field *f)
{
    return &f->walk->values->v[f->walk->values->n - 1];
}

static void fail(struct field *f, const char *what, const char *name)
{
    if (!f->walk->failed)
        (void)err_set(f->walk->err, ERR_INVALID,
            "spec%s%s: %s \"%s\" is not known to the generator; teach it what values that allows "
            "(tests/sequences/values.c "
            "and samples.c)",
            f->path[0] ? "." : "", f->path, what, name);
    f->walk->failed = true;
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

static void wrong_types(struct field *f, const char *const *texts)
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
        fail(f, "a string without", "maxLength");
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

static void string_values(struct field *f)
{
    static const char *const wrong[] = {"7", "true", "[\"x\"]", "{\"x\":\"y\"}", NULL};
    const cJSON *list = json_member(f->schema, "enum");

    if (json_member(f->schema, "format"))
        fail(f, "the format", json_string_at(f->schema, "format"));
    wrong_types(f, wrong);
    if (list)
        enum_values(f, list);
    if (f->samples->rules && !f->samples->valid[0])
        fail(f, "no sample for", "x-kubernetes-validations");
    sample_values(f);
    lengths(f, !list && !f->samples->rules);
}

static void boolean_values(struct field *f)
{
    static const char *const wrong[] = {"\"true\"", "1", "[]", NULL};

    add_json(f, "true", "true", true);
    add_json(f, "false", "false", true);
    wrong_types(f, wrong);
}

static void add_number(struct field *f, const char *what, int64_t n, bool accepted)
{
    _cleanup_(freep) char *text = xasprintf("%lld", (long long)n);

    add_json(f, what, text, accepted);
}

static void integer_values(struct field *f)
{
    static const char *const wrong[] = {"\"7\"", "1.5", "true", "[7]", NULL};
    int64_t min = number_of(f->schema, "minimum"), max = number_of(f->schema, "maximum");

    if (!str_eq(json_string_at(f->schema, "format"), "int32"))
        fail(f, "an integer of another format than", "int32");
    if (!json_member(f->schema, "minimum") || !json_member(f->schema, "maximum"))
        fail(f, "an integer without", "minimum and maximum");
    wrong_types(f, wrong);
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
        at = step_down(at, f->place.steps[i]);
    for (int64_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list,
            cJSON_Duplicate(
                different ? cJSON_GetArrayItem(words, (int)i % cJSON_GetArraySize(words)) : cJSON_GetArrayItem(at, 0),
                true));
    return list;
}

static void list_values(struct field *f)
{
    static const char *const wrong[] = {"\"x\"", "7", "{}", NULL};
    const char *type = json_string_at(f->schema, "x-kubernetes-list-type");
    bool is_set = str_eq(type, "set");
    int64_t min = number_of(f->schema, "minItems"), max = number_of(f->schema, "maxItems");

    if (!is_set && !str_eq(type, "atomic"))
        fail(f, "the list type", type ? type : "absent");
    if (max < 0 || (is_set && max > cJSON_GetArraySize(json_at(f->schema, "items.enum"))))
        fail(f, "the bounds of a list by", "maxItems");
    if (f->walk->failed)
        return;
    wrong_types(f, wrong);
    _cleanup_(json_freep) cJSON *one = items_of(f, 1, is_set);
    cJSON *map = cJSON_CreateObject();
    cJSON_AddItemToObject(map, "0", cJSON_DetachItemFromArray(one, 0));
    add(f, "a map in place of the list", map, false);
    add(f, "most items", items_of(f, max, is_set), true);
    add(f, "too many items", items_of(f, max + 1, is_set), false);
    add(f, "no item", items_of(f, 0, false), min <= 0);
    add(f, "the same item twice", items_of(f, 2, false), !is_set);
}

static void walk_field(struct field *f);

static bool is_in(const cJSON *names, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, names)
        if (str_eq(item->valuestring, name))
            return true;
    return false;
}

static struct field below(struct field *f, const cJSON *schema, const char *step, bool required)
{
    struct field child = {.walk = f->walk, .place = f->place, .schema = schema, .required = required};

    if (child.place.n == MAX_STEPS)
        abort();
    child.place.steps[child.place.n++] = step;
    path_of(&child.place, child.path, sizeof(child.path));
    return child;
}

static void object_values(struct field *f)
{
    static const char *const wrong[] = {"\"x\"", "7", "[]", "true", NULL};
    const cJSON *schema;
    cJSON *at = f->walk->values->full;

    wrong_types(f, wrong);
    for (size_t i = 0; i < f->place.n; i++)
        at = step_down(at, f->place.steps[i]);
    cJSON *more = f->place.n ? cJSON_Duplicate(at, true) : values_base();
    json_add_string(more, "colour", "blue");
    add(f, "a member that nobody knows", more, true);
    cJSON_ArrayForEach (schema, json_member(f->schema, "properties")) {
        struct field child =
            below(f, schema, schema->string, is_in(json_member(f->schema, "required"), schema->string));
        walk_field(&child);
    }
}

/* ---- any field ---- */

static void check_keywords(struct field *f)
{
    static const char *const known[] = {"description", "type", "format", "maxLength", "enum", "default", "minimum",
        "maximum", "minItems", "maxItems", "items", "properties", "required", "x-kubernetes-list-type",
        "x-kubernetes-validations"};
    const cJSON *keyword;

    cJSON_ArrayForEach (keyword, f->schema) {
        size_t i = 0;
        while (i < ARRAY_LEN(known) && !str_eq(known[i], keyword->string))
            i++;
        if (i == ARRAY_LEN(known))
            fail(f, "the keyword", keyword->string);
    }
}

static void check_rules(struct field *f)
{
    size_t rules = (size_t)cJSON_GetArraySize(json_member(f->schema, "x-kubernetes-validations"));
    _cleanup_(freep) char *number = xasprintf("%zu", rules);

    f->samples = samples_of(f->path);
    if (!f->samples)
        fail(f, "the field", f->path);
    else if (f->samples->rules != rules)
        fail(f, "the number of rules", number);
    f->walk->values->rules += rules;
}

/* Absent, null (which the API server takes for absent), and what is there when it is absent. */
static void common_values(struct field *f)
{
    const cJSON *fallback = json_member(f->schema, "default");
    bool is_item = f->place.n && f->place.steps[f->place.n - 1][0] == '[';
    bool may_lack = !f->required && !f->samples->needed;

    if (!is_item)
        add(f, "absent", NULL, may_lack);
    add(f, "null", cJSON_CreateNull(), !is_item && may_lack);
    if (fallback)
        add(f, "the default", cJSON_Duplicate(fallback, true), true);
}

static void values_of_type(struct field *f)
{
    static const struct {
        const char *type;
        void (*make)(struct field *);
    } makers[] = {{"string", string_values}, {"boolean", boolean_values}, {"integer", integer_values},
        {"array", list_values}, {"object", object_values}};
    const char *type = json_string_at(f->schema, "type");
    size_t i = 0;

    while (i < ARRAY_LEN(makers) && !str_eq(makers[i].type, type))
        i++;
    if (i < ARRAY_LEN(makers))
        makers[i].make(f);
    else
        fail(f, "the type", type ? type : "absent");
}

static void walk_field(struct field *f)
{
    check_keywords(f);
    check_rules(f);
    if (f->walk->failed)
        return;
    f->walk->values->fields++;
    common_values(f);
    values_of_type(f);
    if (!f->walk->failed && str_eq(json_string_at(f->schema, "type"), "array")) {
        struct field item = below(f, json_member(f->schema, "items"), "[]", false);
        walk_field(&item);
    }
}

/* ---- a spec with every field ---- */

static cJSON *whole(const cJSON *schema, const char *path)
{
    const cJSON *fallback = json_member(schema, "default"), *words = json_member(schema, "enum"), *child;
    const struct samples *samples = samples_of(path);
    const char *type = json_string_at(schema, "type");

    if (str_eq(type, "object")) {
        cJSON *object = cJSON_CreateObject();
        cJSON_ArrayForEach (child, json_member(schema, "properties")) {
            _cleanup_(freep) char *below_path = xasprintf("%s%s%s", path, path[0] ? "." : "", child->string);
            cJSON_AddItemToObject(object, child->string, whole(child, below_path));
        }
        return object;
    }
    if (str_eq(type, "array")) {
        _cleanup_(freep) char *item_path = xasprintf("%s[]", path);
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemToArray(list, whole(json_member(schema, "items"), item_path));
        return list;
    }
    if (fallback)
        return cJSON_Duplicate(fallback, true);
    if (words)
        return cJSON_Duplicate(cJSON_GetArrayItem(words, 0), true);
    return cJSON_CreateString(samples && samples->valid[0] ? samples->valid[0] : "");
}

cJSON *values_base(void)
{
    cJSON *spec = cJSON_CreateObject();

    json_add_string(spec, "accountId", ACCOUNT_ID("orders"));
    json_add_string(spec, "keyVaultKeyUri", KEY_URI("cosmos"));
    return spec;
}

int values_make(struct values *ret, const cJSON *spec_schema, struct err *err)
{
    struct walk walk = {.values = ret, .err = err};
    struct field spec = {.walk = &walk, .schema = spec_schema, .required = true};

    *ret = (struct values){.full = whole(spec_schema, "")};
    walk_field(&spec);
    for (size_t i = 0; !walk.failed && samples_at(i); i++) {
        size_t k = 0;
        while (k < ret->n && !str_eq(ret->v[k].path, samples_at(i)->path))
            k++;
        if (k == ret->n)
            return err_set(err, ERR_INVALID, "samples.c has a row for spec.%s, which is no field of the schema",
                samples_at(i)->path);
    }
    return walk.failed ? -1 : 0;
}

void values_done(struct values *values)
{
    for (size_t i = 0; i < values->n; i++) {
        free(values->v[i].path);
        free(values->v[i].what);
        free(values->v[i].member);
        (void)json_free(values->v[i].to);
    }
    free(values->v);
    (void)json_free(values->full);
}

char *value_text(const struct value *value)
{
    return xasprintf("spec%s%s: %s", value->path[0] ? "." : "", value->path, value->what);
}

cJSON *value_in(const struct value *value, const cJSON *spec)
{
    if (!value->member)
        return value->to ? cJSON_Duplicate(value->to, true) : NULL;
    cJSON *whole_spec = cJSON_IsObject(spec) ? cJSON_Duplicate(spec, true) : values_base();
    cJSON_DeleteItemFromObjectCaseSensitive(whole_spec, value->member);
    if (value->to)
        cJSON_AddItemToObject(whole_spec, value->member, cJSON_Duplicate(value->to, true));
    return whole_spec;
}
