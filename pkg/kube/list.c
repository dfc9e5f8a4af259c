/* The list decoder: a machine over the outermost two levels of the text, which finds where a value begins and ends;
 * each value is then read by the strict parser (json_parse). No byte is looked at twice, and only an unfinished value
 * is kept.
 *
 * Not checked here is what json_parse checks in each value. Members other than items and metadata are parsed too, and
 * dropped. Pure. */
#include "kube/list.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define DEFAULT_MAX_ITEM (4 << 20)
#define KEEP (64 << 10) /* a buffer that one large item has blown up is given back */

/* What the next byte that is no white space has to be. */
enum expect { OPENING, FIRST_NAME, NAME, COLON, VALUE, NEXT_MEMBER, FIRST_ITEM, ITEM, NEXT_ITEM, NOTHING };

struct kube_list {
    enum expect expect;
    /* The value that is being read: a name, a member's value or an item. */
    bool in_value;
    bool in_string, escaped;
    size_t depth; /* containers open within it; a scalar has none */
    struct buf value;
    char *member; /* whose value is next */
    bool has_items;
    cJSON *metadata;
};

struct kube_list *kube_list_new(size_t max_item)
{
    struct kube_list *list = xcalloc(1, sizeof(*list));

    list->value = BUF_INIT(max_item ? max_item : DEFAULT_MAX_ITEM);
    return list;
}

struct kube_list *kube_list_free(struct kube_list *list)
{
    if (!list)
        return NULL;
    buf_done(&list->value);
    json_free(list->metadata);
    free(list->member);
    free(list);
    return NULL;
}

static int no_list(struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "the API server's answer is no list");
}

/* ---- a value that is complete ---- */

static int take_name(struct kube_list *list, const cJSON *name, struct err *err)
{
    if (!cJSON_IsString(name))
        return no_list(err);
    str_replace(&list->member, name->valuestring);
    list->expect = COLON;
    return 0;
}

/* Takes the tree. */
static int take_member(struct kube_list *list, cJSON **value, struct err *err)
{
    bool is_metadata = str_eq(list->member, "metadata"), is_items = str_eq(list->member, "items");

    if ((is_metadata && list->metadata) || (is_items && list->has_items))
        return err_set(err, ERR_PROTOCOL, "the API server's list has its %s twice", list->member);
    if (is_items && !cJSON_IsNull(*value))
        return err_set(err, ERR_PROTOCOL, "the API server's list has no items");
    if (is_metadata)
        list->metadata = TAKE_PTR(*value);
    list->has_items = list->has_items || is_items;
    list->expect = NEXT_MEMBER;
    return 0;
}

static int finish_value(
    struct kube_list *list, int (*on_item)(void *ctx, const cJSON *item, struct err *err), void *ctx, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    list->in_value = false;
    if (list->value.overflow)
        return err_set(err, ERR_TOO_LARGE, "the API server's list has an item of more than %zu bytes", list->value.max);
    if (json_parse(&tree, buf_str(&list->value), list->value.len, err) < 0)
        return err_wrap(err, "the API server's list");
    if (list->value.cap > KEEP)
        buf_done(&list->value);
    else
        buf_clear(&list->value);
    if (list->expect == NAME)
        return take_name(list, tree, err);
    if (list->expect == VALUE)
        return take_member(list, &tree, err);
    list->expect = NEXT_ITEM;
    return on_item(ctx, tree, err);
}

/* ---- bytes ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Length of the part of bytes that belongs to the value; *ret_done when it ends there. A scalar ends before the byte
 * that follows it. */
static size_t scan_value(struct kube_list *list, const char *bytes, size_t len, bool *ret_done)
{
    *ret_done = true;
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (list->in_string) {
            if (list->escaped)
                list->escaped = false;
            else if (c == '\\')
                list->escaped = true;
            else if (c == '"')
                list->in_string = false;
            if (!list->in_string && list->depth == 0)
                return i + 1;
        } else if (c == '"') {
            list->in_string = true;
        } else if (c == '{' || c == '[') {
            list->depth++;
        } else if (c == '}' || c == ']') {
            if (list->depth == 0)
                return i;
            if (--list->depth == 0)
                return i + 1;
        } else if (list->depth == 0 && (c == ',' || is_space(c))) {
            return i;
        }
    }
    *ret_done = false;
    return len;
}

/* One byte between values. Sets in_value when a value begins with it. */
static int step(struct kube_list *list, char c, struct err *err)
{
    static const struct {
        enum expect when;
        char c;
        enum expect then;
    } moves[] = {
        {OPENING, '{', FIRST_NAME},
        {FIRST_NAME, '}', NOTHING},
        {COLON, ':', VALUE},
        {NEXT_MEMBER, ',', NAME},
        {NEXT_MEMBER, '}', NOTHING},
        {FIRST_ITEM, ']', NEXT_MEMBER},
        {NEXT_ITEM, ',', ITEM},
        {NEXT_ITEM, ']', NEXT_MEMBER},
    };

    if (list->expect == VALUE && c == '[' && str_eq(list->member, "items") && !list->has_items) {
        list->has_items = true;
        list->expect = FIRST_ITEM;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(moves); i++)
        if (moves[i].when == list->expect && moves[i].c == c) {
            list->expect = moves[i].then;
            return 0;
        }
    if (list->expect == FIRST_NAME)
        list->expect = NAME;
    if (list->expect == FIRST_ITEM)
        list->expect = ITEM;
    /* json_parse would let a byte order mark begin each value. */
    list->in_value = (list->expect == NAME || list->expect == VALUE || list->expect == ITEM) && c != '\0' &&
                     strchr("\"{[-0123456789tfn", c);
    return list->in_value ? 0 : no_list(err);
}

int kube_list_feed(struct kube_list *list, const char *bytes, size_t len,
    int (*on_item)(void *ctx, const cJSON *item, struct err *err), void *ctx, struct err *err)
{
    while (len > 0) {
        if (!list->in_value) {
            if (!is_space(*bytes) && step(list, *bytes, err) < 0)
                return -1;
            if (!list->in_value) {
                bytes++;
                len--;
                continue;
            }
        }
        bool done;
        size_t n = scan_value(list, bytes, len, &done);
        buf_add(&list->value, bytes, n);
        if ((done || list->value.overflow) && finish_value(list, on_item, ctx, err) < 0)
            return -1;
        bytes += n;
        len -= n;
    }
    return 0;
}

int kube_list_end(const struct kube_list *list, struct err *err)
{
    if (list->expect != NOTHING)
        return err_set(err, ERR_UNAVAILABLE, "the API server's list was cut off");
    if (!list->has_items)
        return err_set(err, ERR_PROTOCOL, "the API server's list has no items");
    if (!cJSON_IsObject(list->metadata))
        return err_set(err, ERR_PROTOCOL, "the API server's list has no metadata");
    return 0;
}

const char *kube_list_version(const struct kube_list *list)
{
    return json_string_at(list->metadata, "resourceVersion");
}

const char *kube_list_continue(const struct kube_list *list)
{
    return json_string_at(list->metadata, "continue");
}
