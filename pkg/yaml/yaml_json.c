/* YAML events in, JSON values out.
 *
 * Built on libyaml's event interface and not on its documents, which follow aliases. The reader stops at the first
 * alias, anchor or tag and at JSON_MAX_DEPTH open containers; that also keeps libyaml from its slow paths, whose cost
 * grows with the square of the depth. Names of a mapping are sorted to find duplicates, so that a large mapping costs a
 * moment.
 *
 * Plain scalars: null, true and false in YAML's three spellings, "~" and nothing for null, and numbers as JSON writes
 * them. Everything else is a string, also what YAML 1.1 would take for a boolean (no), an octal number (0644) or base
 * 60 (01:30). */
#include "yaml/yaml_json.h"

#include "base/fatal.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *name, *text;
    size_t len;
    struct err *err;
};

struct key {
    const char *name; /* borrowed from the tree */
    yaml_mark_t mark;
};

struct keys {
    struct key *list;
    size_t len, cap;
};

static int fail(struct reader *r, yaml_mark_t mark, const char *format, ...) _printf_(3, 4);

static int fail(struct reader *r, yaml_mark_t mark, const char *format, ...)
{
    char what[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_set(r->err, ERR_INVALID, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, what);
}

/* Errors of libyaml's byte reader come with an offset and no mark. */
static yaml_mark_t mark_of_offset(const struct reader *r, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < offset && i < r->len; i++) {
        mark.column++;
        if (r->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read as YAML";

    if (p->error == YAML_READER_ERROR)
        return fail(r, mark_of_offset(r, p->problem_offset), "%s", problem);
    if (p->context)
        return fail(r, p->problem_mark, "%s %s", problem, p->context);
    return fail(r, p->problem_mark, "%s", problem);
}

static int next_event(struct reader *r, yaml_event_t *ret)
{
    return yaml_parser_parse(&r->parser, ret) ? 0 : fail_syntax(r);
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (str_eq(s, *words))
            return true;
    return false;
}

/* A number is what JSON takes for one, so the strict JSON reader decides; NULL when it is none. */
static cJSON *number_of(const char *text)
{
    cJSON *number = NULL;

    if (*text != '-' && !ascii_isdigit(*text))
        return NULL;
    return json_parse(&number, text, strlen(text), NULL) < 0 ? NULL : number;
}

static cJSON *resolve_plain(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};

    if (is_one_of(text, nulls))
        return cJSON_CreateNull();
    if (is_one_of(text, trues))
        return cJSON_CreateTrue();
    if (is_one_of(text, falses))
        return cJSON_CreateFalse();
    cJSON *number = number_of(text);
    return number ? number : cJSON_CreateString(text);
}

static int check_text(struct reader *r, const yaml_event_t *e)
{
    if (memchr(e->data.scalar.value, '\0', e->data.scalar.length))
        return fail(r, e->start_mark, "a string must not contain a NUL");
    return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *e, cJSON **ret)
{
    const char *text = (const char *)e->data.scalar.value;

    if (check_text(r, e) < 0)
        return -1;
    *ret = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? resolve_plain(text) : cJSON_CreateString(text);
    return 0;
}

static int read_value(struct reader *r, const yaml_event_t *e, int depth, cJSON **ret);

static int read_sequence(struct reader *r, int depth, cJSON **ret)
{
    _cleanup_(json_freep) cJSON *list = cJSON_CreateArray();

    for (;;) {
        _cleanup_(yaml_event_delete) yaml_event_t e = {0};
        cJSON *item = NULL;
        if (next_event(r, &e) < 0)
            return -1;
        if (e.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (read_value(r, &e, depth, &item) < 0)
            return -1;
        cJSON_AddItemToArray(list, item);
    }
    *ret = TAKE_PTR(list);
    return 0;
}

static void keys_done(struct keys *keys)
{
    free(keys->list);
}

static void keys_add(struct keys *keys, const char *name, yaml_mark_t mark)
{
    if (keys->len == keys->cap) {
        keys->cap = keys->cap ? keys->cap * 2 : 8;
        keys->list = xrealloc(keys->list, keys->cap * sizeof(*keys->list));
    }
    keys->list[keys->len++] = (struct key){.name = name, .mark = mark};
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->mark.index > y->mark.index) - (x->mark.index < y->mark.index);
}

static int check_duplicates(struct reader *r, struct keys *keys)
{
    if (keys->len > 1)
        qsort(keys->list, keys->len, sizeof(*keys->list), compare_keys);
    for (size_t i = 1; i < keys->len; i++)
        if (str_eq(keys->list[i - 1].name, keys->list[i].name))
            return fail(r, keys->list[i].mark, "the key \"%.64s\" is there already, in line %zu", keys->list[i].name,
                keys->list[i - 1].mark.line + 1);
    return 0;
}

static int refuse_decorations(struct reader *r, yaml_mark_t mark, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return fail(r, mark, "anchors are not allowed: write the value where it is used");
    if (tag)
        return fail(r, mark, "tags are not allowed: write the value as it is, or in quotes for a string");
    return 0;
}

static int check_key(struct reader *r, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.scalar.value;

    if (e->type == YAML_ALIAS_EVENT)
        return fail(r, e->start_mark, "aliases are not allowed: write the value where it is used");
    if (e->type != YAML_SCALAR_EVENT)
        return fail(r, e->start_mark, "a key must be a plain or quoted text, not a list or a mapping");
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && str_eq(name, "<<"))
        return fail(r, e->start_mark, "merge keys (<<) are not allowed: write the values where they are used");
    if (check_text(r, e) < 0)
        return -1;
    return refuse_decorations(r, e->start_mark, e->data.scalar.anchor, e->data.scalar.tag);
}

/* One key and its value. 1 at the end of the mapping. */
static int read_member(struct reader *r, int depth, cJSON *mapping, struct keys *keys)
{
    _cleanup_(yaml_event_delete) yaml_event_t key = {0};
    _cleanup_(yaml_event_delete) yaml_event_t e = {0};
    cJSON *value = NULL;

    if (next_event(r, &key) < 0)
        return -1;
    if (key.type == YAML_MAPPING_END_EVENT)
        return 1;
    if (check_key(r, &key) < 0 || next_event(r, &e) < 0 || read_value(r, &e, depth, &value) < 0)
        return -1;
    cJSON_AddItemToObject(mapping, (const char *)key.data.scalar.value, value);
    keys_add(keys, value->string, key.start_mark);
    return 0;
}

static int read_mapping(struct reader *r, int depth, cJSON **ret)
{
    _cleanup_(json_freep) cJSON *mapping = cJSON_CreateObject();
    _cleanup_(keys_done) struct keys keys = {0};
    int end;

    while ((end = read_member(r, depth, mapping, &keys)) == 0)
        ;
    if (end < 0 || check_duplicates(r, &keys) < 0)
        return -1;
    *ret = TAKE_PTR(mapping);
    return 0;
}

/* e is the first event of the value; depth counts the containers around it. */
static int read_value(struct reader *r, const yaml_event_t *e, int depth, cJSON **ret)
{
    bool scalar = e->type == YAML_SCALAR_EVENT, sequence = e->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor, *tag;

    if (e->type == YAML_ALIAS_EVENT)
        return fail(r, e->start_mark, "aliases are not allowed: write the value where it is used");
    if (scalar)
        anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    else if (sequence)
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    else
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (refuse_decorations(r, e->start_mark, anchor, tag) < 0)
        return -1;
    if (scalar)
        return read_scalar(r, e, ret);
    if (depth >= JSON_MAX_DEPTH)
        return fail(r, e->start_mark, "nested deeper than %d levels", JSON_MAX_DEPTH);
    return sequence ? read_sequence(r, depth + 1, ret) : read_mapping(r, depth + 1, ret);
}

/* Everything in the stream that is not empty; more than max_documents is an error. */
static int read_stream(struct reader *r, cJSON *documents, size_t max_documents)
{
    for (size_t n = 0;;) {
        _cleanup_(yaml_event_delete) yaml_event_t e = {0};
        _cleanup_(json_freep) cJSON *tree = NULL;
        if (next_event(r, &e) < 0)
            return -1;
        if (e.type == YAML_STREAM_END_EVENT)
            return 0;
        if (e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_START_EVENT ||
            e.type == YAML_DOCUMENT_END_EVENT)
            continue;
        if (read_value(r, &e, 0, &tree) < 0)
            return -1;
        if (cJSON_IsNull(tree))
            continue;
        if (++n > max_documents)
            return fail(r, e.start_mark, "expected one document, and here begins another");
        cJSON_AddItemToArray(documents, TAKE_PTR(tree));
    }
}

static int read_documents(cJSON **ret, struct reader *r, size_t max_bytes, size_t max_documents)
{
    _cleanup_(json_freep) cJSON *documents = cJSON_CreateArray();

    if (r->len > max_bytes)
        return err_set(r->err, ERR_TOO_LARGE, "%s is larger than the %zu bytes allowed", r->name, max_bytes);
    if (!yaml_parser_initialize(&r->parser))
        fatal("out of memory for a YAML parser", 0);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->len);
    int result = read_stream(r, documents, max_documents);
    yaml_parser_delete(&r->parser);
    if (result < 0)
        return -1;
    *ret = TAKE_PTR(documents);
    return 0;
}

int yaml_read(cJSON **ret, const char *name, const char *text, size_t len, size_t max_bytes, struct err *err)
{
    struct reader r = {.name = name, .text = text, .len = len, .err = err};
    _cleanup_(json_freep) cJSON *documents = NULL;

    if (read_documents(&documents, &r, max_bytes, 1) < 0)
        return -1;
    cJSON *only = cJSON_DetachItemFromArray(documents, 0);
    *ret = only ? only : cJSON_CreateNull();
    return 0;
}

int yaml_read_all(cJSON **ret_array, const char *name, const char *text, size_t len, size_t max_bytes, struct err *err)
{
    struct reader r = {.name = name, .text = text, .len = len, .err = err};

    return read_documents(ret_array, &r, max_bytes, SIZE_MAX);
}
