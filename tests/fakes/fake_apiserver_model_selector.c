/* Selectors and JSONPath. See fake_apiserver_model_selector.h. */
#include "fakes/fake_apiserver_model_selector.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define STEP_MAX 256
#define REQUIREMENTS_MAX 32

/* ---- JSONPath ---- */

struct finding {
    const cJSON **ret;
    size_t n, max;
};

static void follow(struct finding *f, const cJSON *node, const char *path);

/* Copies the name at *path up to one of the stop characters; a backslash takes the next character as it is. */
static bool read_name(const char **path, const char *stop, char ret[STEP_MAX])
{
    size_t n = 0;
    for (; **path && !strchr(stop, **path); (*path)++) {
        if (**path == '\\' && (*path)[1])
            (*path)++;
        if (n + 1 >= STEP_MAX)
            return false;
        ret[n++] = **path;
    }
    ret[n] = '\0';
    return n > 0;
}

static bool filter_passes(const cJSON *node, const char *member, const char *want, bool equal)
{
    const cJSON *found[1];
    bool same =
        jsonpath_find(node, member, found, 1) == 1 && cJSON_IsString(found[0]) && str_eq(found[0]->valuestring, want);
    return same == equal;
}

/* path is behind "[?(@": .a.b=="c")] and the rest. */
static void follow_filter(struct finding *f, const cJSON *list, const char *path)
{
    char member[STEP_MAX], want[STEP_MAX] = "";
    if (!read_name(&path, "=! ", member))
        return;
    path += strspn(path, " ");
    bool equal = str_has_prefix(path, "==");
    if (!equal && !str_has_prefix(path, "!="))
        return;
    path += 2;
    path += strspn(path, " ");
    char quote[2] = {*path == '\'' ? '\'' : '"', '\0'};
    if (*path++ != quote[0])
        return;
    (void)read_name(&path, quote, want);
    if (!str_has_prefix(path, quote) || !str_has_prefix(path + 1, ")]"))
        return;
    const cJSON *element;
    cJSON_ArrayForEach (element, list)
        if (filter_passes(element, member, want, equal))
            follow(f, element, path + 3);
}

static void follow_bracket(struct finding *f, const cJSON *node, const char *path)
{
    char name[STEP_MAX];
    const cJSON *element;
    if (str_has_prefix(path, "?(@")) {
        follow_filter(f, node, path + 3);
    } else if (str_has_prefix(path, "*]")) {
        cJSON_ArrayForEach (element, node)
            follow(f, element, path + 2);
    } else if (*path == '\'' || *path == '"') {
        char quote[2] = {*path++, '\0'};
        if (read_name(&path, quote, name) && path[0] == quote[0] && path[1] == ']')
            follow(f, json_member(node, name), path + 2);
    } else if (read_name(&path, "]", name) && *path == ']') {
        int64_t index;
        if (cJSON_IsArray(node) && str_to_i64(name, 0, INT32_MAX, &index))
            follow(f, cJSON_GetArrayItem(node, (int)index), path + 1);
    }
}

static void follow(struct finding *f, const cJSON *node, const char *path)
{
    char name[STEP_MAX];
    if (!node || f->n == f->max)
        return;
    if (!*path || *path == '}') {
        f->ret[f->n++] = node;
    } else if (*path == '[') {
        follow_bracket(f, node, path + 1);
    } else if (*path == '.') {
        path++;
        if (read_name(&path, ".[}", name))
            follow(f, json_member(node, name), path);
    }
}

size_t jsonpath_find(const cJSON *object, const char *path, const cJSON **ret, size_t max)
{
    struct finding f = {.ret = ret, .max = max};
    if (*path == '{')
        path++;
    if (*path == '$')
        path++;
    follow(&f, object, path);
    return f.n;
}

/* ---- Selectors ---- */

struct requirement {
    char *key;
    enum { IS_IN, IS_NOT_IN, EXISTS, MISSING } test;
    char *values; /* each followed by a comma */
};

struct selector {
    enum selector_kind kind;
    size_t n;
    struct requirement requirements[REQUIREMENTS_MAX];
};

struct selector *selector_free(struct selector *selector)
{
    for (size_t i = 0; selector && i < selector->n; i++) {
        free(selector->requirements[i].key);
        free(selector->requirements[i].values);
    }
    free(selector);
    return NULL;
}

DEFINE_CLEANUP(struct selector *, selector_free)

static char *trimmed(const char *s, size_t len)
{
    while (len && *s == ' ')
        s++, len--;
    while (len && s[len - 1] == ' ')
        len--;
    return xstrndup(s, len);
}

/* "key in (a, b)" and "key notin (a)". */
static bool parse_set(struct requirement *r, const char *text)
{
    const char *open = strchr(text, '('), *close = open ? strchr(open, ')') : NULL;
    const char *word = strchr(text, ' ');
    if (!open || !close || !word || close[1])
        return false;
    word += strspn(word, " ");
    if (!str_has_prefix(word, "in ") && !str_has_prefix(word, "in(") && !str_has_prefix(word, "notin"))
        return false;
    r->test = *word == 'i' ? IS_IN : IS_NOT_IN;
    r->key = trimmed(text, strcspn(text, " "));
    size_t n = 0;
    r->values = xcalloc(1, (size_t)(close - open) + 2);
    for (const char *p = open + 1; p < close; p++)
        if (*p != ' ')
            r->values[n++] = *p;
    r->values[n] = ',';
    return true;
}

static bool parse_requirement(struct requirement *r, const char *text)
{
    text += strspn(text, " ");
    if (strchr(text, '('))
        return parse_set(r, text);
    const char *equal = strchr(text, '=');
    if (!equal) {
        r->test = *text == '!' ? MISSING : EXISTS;
        r->key = trimmed(text + (*text == '!'), strlen(text) - (*text == '!'));
        return r->key[0] != '\0';
    }
    bool negated = equal > text && equal[-1] == '!';
    r->test = negated ? IS_NOT_IN : IS_IN;
    r->key = trimmed(text, (size_t)(equal - text) - negated);
    const char *value = equal + 1 + (equal[1] == '=');
    _cleanup_(freep) char *plain = trimmed(value, strlen(value));
    r->values = xasprintf("%s,", plain);
    return r->key[0] != '\0';
}

static bool field_known(const char *key, const cJSON *fields)
{
    const cJSON *field;
    if (str_eq(key, "metadata.name") || str_eq(key, "metadata.namespace"))
        return true;
    cJSON_ArrayForEach (field, fields) {
        const char *path = json_string_at(field, "jsonPath");
        if (path && str_eq(path + (*path == '.'), key))
            return true;
    }
    return false;
}

/* Letters, digits and -_./ as in label keys and values. */
static bool plain_text(const char *s)
{
    for (; *s; s++)
        if (!ascii_isalnum(*s) && !strchr("-_./,", *s))
            return false;
    return true;
}

/* Adds the requirement text[0..len). */
static int add(struct selector *s, const char *text, size_t len, const cJSON *fields, struct err *err)
{
    if (s->n == REQUIREMENTS_MAX)
        return err_set(err, ERR_INVALID, "more than %d requirements in a selector", REQUIREMENTS_MAX);
    struct requirement *r = &s->requirements[s->n++];
    _cleanup_(freep) char *one = xstrndup(text, len);
    if (!parse_requirement(r, one))
        return err_set(err, ERR_INVALID, "unable to parse requirement: %s", one);
    if (s->kind == SELECTOR_LABELS && (!plain_text(r->key) || (r->values && !plain_text(r->values))))
        return err_set(err, ERR_INVALID, "unable to parse requirement: %s is no label selector", one);
    if (s->kind == SELECTOR_LABELS)
        return 0;
    if (r->test == EXISTS || r->test == MISSING)
        return err_set(err, ERR_INVALID, "invalid field selector: %s", one);
    if (!field_known(r->key, fields))
        return err_set(err, ERR_INVALID, "field label not supported: %s", r->key);
    return 0;
}

int selector_parse(
    struct selector **ret, enum selector_kind kind, const char *text, const cJSON *fields, struct err *err)
{
    *ret = NULL;
    if (str_empty(text))
        return 0;
    _cleanup_(selector_freep) struct selector *s = xcalloc(1, sizeof(*s));
    s->kind = kind;
    int depth = 0;
    const char *start = text;
    for (const char *p = text;; p++) {
        depth += (*p == '(') - (*p == ')');
        if ((*p == ',' && depth == 0) || !*p) {
            if (add(s, start, (size_t)(p - start), fields, err) < 0)
                return -1;
            start = p + 1;
        }
        if (!*p)
            break;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

/* values is "a,b,": value is one of them. */
static bool is_in(const char *values, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = values; *p; p += strcspn(p, ",") + 1)
        if (strcspn(p, ",") == len && strncmp(p, value, len) == 0)
            return true;
    return false;
}

/* The value as text: labels are strings, fields may be anything simple; an absent field is "". */
static const char *value_of(const struct selector *s, const cJSON *object, const char *key, char number[32])
{
    if (s->kind == SELECTOR_LABELS)
        return cJSON_GetStringValue(json_member(json_at(object, "metadata.labels"), key));
    const cJSON *value = json_at(object, key);
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value) ? "true" : "false";
    if (cJSON_IsNumber(value)) {
        (void)snprintf(number, 32, "%.15g", value->valuedouble);
        return number;
    }
    return cJSON_IsString(value) ? value->valuestring : "";
}

bool selector_matches(const struct selector *selector, const cJSON *object)
{
    for (size_t i = 0; selector && i < selector->n; i++) {
        const struct requirement *r = &selector->requirements[i];
        char number[32];
        const char *value = value_of(selector, object, r->key, number);
        bool ok = r->test == EXISTS    ? value != NULL
                  : r->test == MISSING ? value == NULL
                  : r->test == IS_IN   ? value && is_in(r->values, value)
                                       : !value || !is_in(r->values, value);
        if (!ok)
            return false;
    }
    return true;
}
