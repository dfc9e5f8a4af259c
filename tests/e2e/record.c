/* How a scene has ended, in lines that can be compared with those of another run, and the requests on the way. */
#include "base/mem.h"
#include "base/str.h"
#include "e2e/crash.h"

#include <string.h>

#define TEXT_MAX (32 << 20)
#define MAX_CONDITIONS 32
#define MAX_MEMBERS 64
#define CONTROLLER "cosmoscmk/" /* its User-Agent; the tests' own is cosmoscmk-e2e */

static const struct kube_resource cosmoscmks = {.group = "cosmoscmk.io", .version = "v1", .plural = "cosmoscmks"};
static const struct kube_resource events = {.group = "events.k8s.io", .version = "v1", .plural = "events"};

/* ---- masking ---- */

/* The length of what begins like shape (9: digit, h: hexadecimal digit, else itself), or 0. */
static size_t looks_like(const char *s, const char *shape)
{
    size_t n = 0;

    for (; shape[n]; n++) {
        bool fits = shape[n] == '9' ? ascii_isdigit(s[n]) : shape[n] == 'h' ? ascii_isxdigit(s[n]) : s[n] == shape[n];
        if (!fits)
            return 0;
    }
    return n;
}

static size_t time_at(const char *s)
{
    size_t n = looks_like(s, "9999-99-99T99:99:99");

    if (n == 0)
        n = looks_like(s, "9999-99-99 99:99:99"); /* as Entra writes it */
    if (n == 0)
        return 0;
    return n + strspn(s + n, ".0123456789") + (s[n + strspn(s + n, ".0123456789")] == 'Z');
}

/* A namespace as the harness makes it. */
static size_t namespace_at(const char *s)
{
    return looks_like(s, "e2e-hhhhhhhhhhhh");
}

/* The ids of the tests themselves begin with zeros, and stay. */
static size_t guid_at(const char *s)
{
    return str_has_prefix(s, "00000000-0000") ? 0 : looks_like(s, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh");
}

/* A number behind words that say that it is another one each time: the version that a key vault made up for its key, a
 * fake's port, its times. */
static size_t number_at(const char *s)
{
    static const char *const words[] = {"keyVaultKeyUriVersion\":\t\"", "127.0.0.1:", "startMs\":\t", "endMs\":\t"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_has_prefix(s, words[i]))
            return strlen(words[i]) + strspn(s + strlen(words[i]), "0123456789abcdef");
    return 0;
}

void record_mask(char *text)
{
    char *to = text;

    for (const char *from = text; *from;) {
        size_t time = time_at(from), guid = time ? 0 : guid_at(from) + number_at(from) + namespace_at(from);
        *to++ = time ? 'T' : guid ? 'U' : *from;
        from += time ? time : guid ? guid : 1;
    }
    *to = '\0';
}

/* ---- the end state ---- */

static void put_masked(struct buf *b, const char *what, const char *name, const cJSON *tree)
{
    char *text = cJSON_Print(tree);

    record_mask(text);
    buf_printf(b, "%s %s %s\n", what, name ? name : "?", text);
    cJSON_free(text);
}

/* How Azure calls an operation, and where it tells of it, is lost with the answer to the PATCH, and then nobody looks
 * there. A request that never left was an attempt. */
static void drop_lost_details(cJSON *status)
{
    static const char *const lost[] = {"id", "statusUrl", "startedAt", "lastObservedAt", "attempts"};
    cJSON *operation = cJSON_GetObjectItemCaseSensitive(status, "operation");

    for (size_t i = 0; i < ARRAY_LEN(lost); i++)
        cJSON_DeleteItemFromObjectCaseSensitive(operation, lost[i]);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* Members come in the order in which they were merged. */
static void sort_members(cJSON *object)
{
    cJSON *sorted[MAX_MEMBERS];
    size_t n = 0;

    while (n < MAX_MEMBERS && cJSON_IsObject(object) && object->child)
        sorted[n++] = cJSON_DetachItemViaPointer(object, object->child);
    if (n)
        qsort(sorted, n, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < n; i++) {
        sort_members(sorted[i]);
        _cleanup_(freep) char *name = xstrdup(sorted[i]->string);
        (void)cJSON_AddItemToObject(object, name, sorted[i]);
    }
}

static int by_type(const void *a, const void *b)
{
    return strcmp(json_string_at(*(cJSON *const *)a, "type"), json_string_at(*(cJSON *const *)b, "type"));
}

/* They are a map; their order is that in which they first came up. */
static void sort_conditions(cJSON *status)
{
    cJSON *conditions = cJSON_GetObjectItemCaseSensitive(status, "conditions"), *sorted[MAX_CONDITIONS];
    size_t n = 0;

    while (n < MAX_CONDITIONS && cJSON_GetArraySize(conditions) > 0)
        sorted[n++] = cJSON_DetachItemFromArray(conditions, 0);
    if (n)
        qsort(sorted, n, sizeof(sorted[0]), by_type);
    for (size_t i = 0; i < n; i++)
        (void)cJSON_AddItemToArray(conditions, sorted[i]);
}

static cJSON *list(struct world *w, const struct kube_resource *resource)
{
    const struct kube_list_page page = {.ns = w->ns};
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (kube_list_page(the_kube(), resource, &page, &tree, &err) < 0)
        fail_msg("%s cannot be listed: %s", resource->plural, err.msg);
    return tree;
}

static void put_resources(struct buf *b, struct world *w)
{
    _cleanup_(json_freep) cJSON *tree = list(w, &cosmoscmks);
    cJSON *item;

    cJSON_ArrayForEach (item, json_member(tree, "items")) {
        cJSON *status = cJSON_GetObjectItemCaseSensitive(item, "status");
        drop_lost_details(status);
        sort_conditions(status);
        sort_members(status);
        put_masked(b, "resource", json_string_at(item, "metadata.name"), status);
    }
}

/* Accounts, without the operations that were: their names are Azure's. */
static void put_azure(struct buf *b, struct world *w)
{
    _cleanup_(json_freep) cJSON *accounts = azure_ask(w, "GET", "/fake/accounts", NULL);
    _cleanup_(json_freep) cJSON *resources = azure_ask(w, "GET", "/fake/resources", NULL);

    put_masked(b, "Azure", "accounts", accounts);
    put_masked(b, "Azure", "resources", resources);
}

/* Whether the request changed, or may have changed, something: everything but what Azure has refused. */
static bool is_change(const cJSON *entry)
{
    const char *method = json_string_at(entry, "method");
    int64_t status = 0;

    (void)json_int(json_at(entry, "status"), false, &status);
    return (str_eq(method, "PATCH") || str_eq(method, "PUT") || str_eq(method, "DELETE") ||
               (str_eq(method, "POST") && str_find_nocase(json_string_at(entry, "path"), "accessPolicies"))) &&
           status / 100 != 4;
}

/* In order for each path; what happens to different things at the same time has none. */
static void put_changes(struct buf *b, struct world *w)
{
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, NULL, NULL);

    while (cJSON_GetArraySize(journal) > 0) {
        _cleanup_(json_freep) cJSON *first = cJSON_DetachItemFromArray(journal, 0);
        const char *path = json_string_at(first, "path");
        if (is_change(first))
            buf_printf(
                b, "change of %s\n  %s %s\n", path, json_string_at(first, "method"), json_string_at(first, "body"));
        for (int i = 0; is_change(first) && i < cJSON_GetArraySize(journal);) {
            const cJSON *entry = cJSON_GetArrayItem(journal, i);
            if (!is_change(entry) || !str_eq(json_string_at(entry, "path"), path)) {
                i++;
                continue;
            }
            buf_printf(b, "  %s %s\n", json_string_at(entry, "method"), json_string_at(entry, "body"));
            cJSON_DeleteItemFromArray(journal, i);
        }
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the lines of b, or blocks of lines that begin with one without indentation. */
static char *sorted_blocks(struct buf *b)
{
    _cleanup_(freep) char *text = buf_take(b);
    _cleanup_(freep) char **blocks = NULL;
    struct buf out = BUF_INIT(TEXT_MAX);
    size_t n = 0;

    for (char *at = text; *at;) {
        char *end = strchr(at, '\n');
        while (end && (end[1] == ' '))
            end = strchr(end + 1, '\n');
        blocks = xrealloc(blocks, (n + 1) * sizeof(*blocks));
        blocks[n++] = xstrndup(at, end ? (size_t)(end + 1 - at) : strlen(at));
        at += strlen(blocks[n - 1]);
    }
    if (n)
        qsort(blocks, n, sizeof(*blocks), by_text);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&out, blocks[i]);
        free(blocks[i]);
    }
    return buf_take(&out);
}

char *record_end(struct world *w)
{
    struct buf b = BUF_INIT(TEXT_MAX), changes = BUF_INIT(TEXT_MAX);

    put_resources(&b, w);
    if (w->azure_url) {
        put_azure(&b, w);
        put_changes(&changes, w);
    }
    _cleanup_(freep) char *sorted = sorted_blocks(&changes);
    buf_puts(&b, sorted);
    return buf_take(&b);
}

/* What is said when an answer was lost: that it is being confirmed, that the operation was found, that there was none.
 * And what is said of waiting, which is a matter of when somebody looks. */
static bool may_differ(const cJSON *event)
{
    static const char *const passing[] = {
        "Confirming", "OperationAdopted", "AzureUnavailable", "Throttled", "AccountBusy"};
    const char *reason = json_string_at(event, "reason"), *note = json_string_at(event, "note");

    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (str_eq(reason, passing[i]))
            return true;
    return str_eq(reason, "OperationFailed") && note && strstr(note, "had no effect");
}

char *record_events(struct world *w)
{
    _cleanup_(json_freep) cJSON *tree = list(w, &events);
    struct buf b = BUF_INIT(TEXT_MAX);
    const cJSON *item;

    cJSON_ArrayForEach (item, json_member(tree, "items"))
        if (!may_differ(item))
            buf_printf(&b, "%s %s %s/%s\n", json_string_at(item, "regarding.name"), json_string_at(item, "type"),
                json_string_at(item, "reason"), json_string_at(item, "action"));
    return sorted_blocks(&b);
}

/* ---- points ---- */

/* The path up to what another run will call differently. */
static char *steady_path(const char *path)
{
    const char *end = path + strlen(path), *event = strstr(path, "/events/");

    for (const char *at = path; at < end; at++)
        if (*at == '/' && guid_at(at + 1))
            end = at + 1;
    if (event && event + strlen("/events/") < end)
        end = event + strlen("/events/");
    return xstrndup(path, (size_t)(end - path));
}

static bool fits(const cJSON *entry, const char *method, const char *path, const char *query)
{
    return str_eq(json_string_at(entry, "method"), method) && str_find_nocase(json_string_at(entry, "path"), path) &&
           (!query || str_find_nocase(json_string_at(entry, "query"), query));
}

static void put_point(struct buf *b, const char *side, const cJSON *journal, int i)
{
    const cJSON *entry = cJSON_GetArrayItem(journal, i), *earlier;
    _cleanup_(freep) char *path = steady_path(json_string_at(entry, "path"));
    const char *method = json_string_at(entry, "method"), *query = json_string_at(entry, "query");
    const char *watch = query && strstr(query, "watch=") ? "watch=" : NULL;
    _cleanup_(json_freep) cJSON *point = cJSON_CreateObject();
    int nth = 0;

    cJSON_ArrayForEach (earlier, journal) {
        nth += fits(earlier, method, path, watch);
        if (earlier == entry)
            break;
    }
    json_add_string(point, "side", side);
    cJSON *match = json_add_object(point, "match");
    json_add_string(match, "method", method);
    json_add_string(match, "pathContains", path);
    json_add_string(match, "queryContains", watch);
    json_add_string(match, "agentContains", CONTROLLER);
    json_add_int(match, "nth", nth);
    _cleanup_(freep) char *text = json_print(point);
    buf_printf(b, "%s\n", text);
}

/* The controller's own requests. */
static cJSON *requests_of(struct world *w, bool to_azure)
{
    cJSON *journal =
        to_azure ? azure_ask(w, "GET", "/fake/requests", NULL) : apiserver_ask("GET", "/fake/requests", NULL);

    for (int i = cJSON_GetArraySize(journal) - 1; i >= 0; i--) {
        const char *agent = json_string_at(cJSON_GetArrayItem(journal, i), "agent");
        if (!agent || !strstr(agent, CONTROLLER))
            cJSON_DeleteItemFromArray(journal, i);
    }
    return journal;
}

static bool has_side(struct world *w, bool azure)
{
    return azure ? w->azure_url != NULL : the_apiserver()->fake_url != NULL;
}

char *record_points(struct world *w)
{
    struct buf b = BUF_INIT(TEXT_MAX);

    for (int azure = 0; azure <= 1; azure++) {
        if (!has_side(w, azure))
            continue;
        _cleanup_(json_freep) cJSON *journal = requests_of(w, azure);
        for (int i = 0; i < cJSON_GetArraySize(journal); i++)
            put_point(&b, azure ? "azure" : "apiserver", journal, i);
    }
    return buf_take(&b);
}

int record_requests(struct world *w)
{
    int n = 0;

    for (int azure = 0; azure <= 1; azure++) {
        _cleanup_(json_freep) cJSON *journal = has_side(w, azure) ? requests_of(w, azure) : NULL;
        n += cJSON_GetArraySize(journal);
    }
    return n;
}
