/* Text to tree: the strict scanner first, then cJSON, then the check for names that occur twice.
 *
 * Invariant: a tree that leaves here has no two equal names in one object, so it does not matter which of them a
 * look-up finds. The check sorts the names of each object: 100,000 names cost a moment, not a minute, whatever the peer
 * chose. */
#include "base/mem.h"
#include "json/json.h"
#include "json/scan.h"

#include <string.h>

#define NAMES_ON_STACK 64

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* The second of two members of this object with one name, or NULL. */
static const cJSON *duplicate_in(const cJSON *object)
{
    const cJSON *on_stack[NAMES_ON_STACK], *child, *twin = NULL;
    size_t n = 0;

    cJSON_ArrayForEach (child, object)
        n++;
    _cleanup_(freep) const cJSON **on_heap = n > NAMES_ON_STACK ? xcalloc(n, sizeof(void *)) : NULL;
    const cJSON **members = on_heap ? on_heap : on_stack;
    n = 0;
    cJSON_ArrayForEach (child, object)
        members[n++] = child;
    qsort(members, n, sizeof(void *), compare_names);
    for (size_t i = 1; i < n && !twin; i++)
        if (compare_names(&members[i - 1], &members[i]) == 0)
            twin = members[i];
    if (!twin)
        return NULL;
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(object, twin->string);
    for (child = first->next; strcmp(child->string, twin->string) != 0;)
        child = child->next;
    return child;
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static const cJSON *find_duplicate(const cJSON *value)
{
    const cJSON *found = cJSON_IsObject(value) ? duplicate_in(value) : NULL;
    const cJSON *child;

    cJSON_ArrayForEach (child, value) {
        if (found)
            break;
        if (child->child)
            found = find_duplicate(child);
    }
    return found;
}

/* Counts names in the order of the text up to and including that of member; true once it was met. */
static bool count_names(const cJSON *value, const cJSON *member, size_t *n)
{
    const cJSON *child;

    cJSON_ArrayForEach (child, value) {
        if (child->string)
            ++*n;
        if (child == member || count_names(child, member, n))
            return true;
    }
    return false;
}

/* The tree does not know where its names stood, so the text is scanned once more: this is the rare path. */
static int refuse_duplicate(const cJSON *tree, const cJSON *member, const char *text, size_t len, struct err *err)
{
    struct json_scan again = {.text = text, .len = len};

    (void)count_names(tree, member, &again.wanted_name);
    (void)json_scan_text(&again);
    return err_set(
        err, ERR_PROTOCOL, "invalid JSON at byte %zu: a name that the object already has", again.name_offset);
}

int json_parse(cJSON **ret, const char *text, size_t len, struct err *err)
{
    struct json_scan scan = {.text = text, .len = len, .err = err};

    if (json_scan_text(&scan) < 0)
        return -1;
    _cleanup_(json_freep) cJSON *tree = cJSON_ParseWithLength(text, len);
    if (!tree)
        return err_set(err, ERR_PROTOCOL, "invalid JSON: the parser refused what looked well-formed");
    const cJSON *member = find_duplicate(tree);
    if (member)
        return refuse_duplicate(tree, member, text, len, err);
    *ret = TAKE_PTR(tree);
    return 0;
}
