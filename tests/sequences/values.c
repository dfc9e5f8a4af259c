/* Walks the schema of spec and makes values of each field by its keywords and its samples.
 *
 * A value of a nested field is the whole member of spec that it belongs to, taken from a spec that has every field,
 * with the one place changed. Nothing is skipped in silence: what is not understood ends the walk with an error. */
#include "sequences/values_private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim/world.h"

#include <string.h>

/* ---- places ---- */

static void path_of(const struct place *place, char *ret, size_t size)
{
    struct buf b = BUF_INIT(size);

    for (size_t i = 0; i < place->n; i++)
        buf_printf(&b, "%s%s", i && place->steps[i][0] != '[' ? "." : "", place->steps[i]);
    (void)str_copy(ret, size, buf_str(&b));
    buf_done(&b);
}

cJSON *values_down(cJSON *at, const char *step)
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
        parent = values_down(parent, place->steps[i]);
    put(parent, place->steps[place->n - 1], to);
    return member;
}
/* ---- values ---- */

void values_add(struct field *f, const char *what, cJSON *to, bool accepted)
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

void values_unknown(struct field *f, const char *what, const char *name)
{
    if (!f->walk->failed)
        (void)err_set(f->walk->err, ERR_INVALID,
            "spec%s%s: %s \"%s\" is not known to the generator; teach it what values that allows "
            "(tests/sequences/values.c "
            "and samples.c)",
            f->path[0] ? "." : "", f->path, what, name);
    f->walk->failed = true;
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

    values_wrong_types(f, wrong);
    for (size_t i = 0; i < f->place.n; i++)
        at = values_down(at, f->place.steps[i]);
    cJSON *more = f->place.n ? cJSON_Duplicate(at, true) : values_base();
    json_add_string(more, "colour", "blue");
    values_add(f, "a member that nobody knows", more, true);
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
            values_unknown(f, "the keyword", keyword->string);
    }
}

static void check_rules(struct field *f)
{
    size_t rules = (size_t)cJSON_GetArraySize(json_member(f->schema, "x-kubernetes-validations"));
    _cleanup_(freep) char *number = xasprintf("%zu", rules);

    f->samples = samples_of(f->path);
    if (!f->samples)
        values_unknown(f, "the field", f->path);
    else if (f->samples->rules != rules)
        values_unknown(f, "the number of rules", number);
    f->walk->values->rules += rules;
}

/* Absent, null (which the API server takes for absent), and what is there when it is absent. */
static void common_values(struct field *f)
{
    const cJSON *fallback = json_member(f->schema, "default");
    bool is_item = f->place.n && f->place.steps[f->place.n - 1][0] == '[';
    bool may_lack = !f->required && !f->samples->needed;

    if (!is_item)
        values_add(f, "absent", NULL, may_lack);
    values_add(f, "null", cJSON_CreateNull(), !is_item && may_lack);
    if (fallback)
        values_add(f, "the default", cJSON_Duplicate(fallback, true), true);
}

static void values_of_type(struct field *f)
{
    static const struct {
        const char *type;
        void (*make)(struct field *);
    } makers[] = {{"string", values_of_string}, {"boolean", values_of_boolean}, {"integer", values_of_integer},
        {"array", values_of_list}, {"object", object_values}};
    const char *type = json_string_at(f->schema, "type");
    size_t i = 0;

    while (i < ARRAY_LEN(makers) && !str_eq(makers[i].type, type))
        i++;
    if (i < ARRAY_LEN(makers))
        makers[i].make(f);
    else
        values_unknown(f, "the type", type ? type : "absent");
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
