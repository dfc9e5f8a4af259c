/* What a scan asks for: the lists, and the pages of one range.
 *
 * Invariant: the state moves on only after a whole page was understood, and in one step with what was told about it, so
 * a position never lies beyond a document that was not looked at. */
#include "azure/scan_private.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define MAX_EMPTY_PAGES 1000000 /* in a row; each stands for at least some hundred documents that were read */

void scan_skip(struct scan *scan, const char *database, const char *container, const struct err *why)
{
    scan->skipped++;
    if (scan->events.skipped)
        scan->events.skipped(scan->events.ctx, database, container, why);
}

static int bad_item(const char *list, struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "the gateway's list of %s has an entry without what it must have", list);
}

/* --- lists --- */

/* A list to its end; each page is handed to take(). */
static int list_all(struct scan *scan, struct gateway_question question,
    int (*take)(void *ctx, const cJSON *items, struct err *err), void *ctx, struct err *err)
{
    _cleanup_(freep) char *continuation = NULL;

    for (int pages = 0; pages < SCAN_MAX_LIST_PAGES; pages++) {
        _cleanup_(gateway_page_done) struct gateway_page page = {0};
        question.continuation = continuation;
        if (scan_ask(scan, &question, &page, err) < 0 || take(ctx, page.items, err) < 0)
            return -1;
        if (!page.continuation)
            return 0;
        if (str_eq(page.continuation, continuation))
            break;
        free(continuation);
        continuation = TAKE_PTR(page.continuation);
    }
    return err_set(err, ERR_PROTOCOL, "the gateway's list does not come to an end");
}

struct names {
    char **v;
    size_t n;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
}

static int take_databases(void *ctx, const cJSON *items, struct err *err)
{
    struct names *names = ctx;
    const cJSON *item;

    cJSON_ArrayForEach (item, items) {
        const char *id = json_string_at(item, "id");
        if (str_empty(id))
            return bad_item("databases", err);
        if (names->n == SCAN_MAX_CONTAINERS)
            return err_set(err, ERR_TOO_LARGE, "the account has more than %d databases", SCAN_MAX_CONTAINERS);
        names->v = xrealloc(names->v, (names->n + 1) * sizeof(char *));
        names->v[names->n++] = xstrdup(id);
    }
    return 0;
}

struct container_list {
    struct scan *scan;
    const char *database;
};

static int take_containers(void *ctx, const cJSON *items, struct err *err)
{
    const struct container_list *list = ctx;
    const cJSON *item;
    int r = 0;

    (void)pthread_mutex_lock(&list->scan->lock);
    for (item = items->child; item && r == 0; item = item->next) {
        const char *id = json_string_at(item, "id"), *rid = json_string_at(item, "_rid");
        if (str_empty(id) || strchr(id, '\n'))
            r = bad_item("containers", err);
        else
            r = scan_state_list(&list->scan->state, list->database, id, rid ? rid : "", err);
    }
    (void)pthread_mutex_unlock(&list->scan->lock);
    return r;
}

static int list_containers(struct scan *scan, const char *database, struct err *err)
{
    const struct gateway_question question = {.what = GATEWAY_CONTAINERS, .database = database};
    struct container_list list = {scan, database};

    int r = list_all(scan, question, take_containers, &list, err);
    if (r == 0)
        return 0;
    if (err->kind != ERR_NOT_FOUND)
        return err_wrap(err, "cannot list the containers of database %s", database);
    (void)pthread_mutex_lock(&scan->lock);
    scan_skip(scan, database, NULL, err);
    (void)pthread_mutex_unlock(&scan->lock);
    return 0;
}

int scan_list(struct scan *scan, struct err *err)
{
    _cleanup_(names_done) struct names databases = {0};

    if (list_all(scan, (struct gateway_question){.what = GATEWAY_DATABASES}, take_databases, &databases, err) < 0)
        return err_wrap(err, "cannot list the account's databases");
    for (size_t i = 0; i < databases.n; i++) {
        if (list_containers(scan, databases.v[i], err) < 0)
            return -1;
        (void)pthread_mutex_lock(&scan->lock);
        scan->databases++;
        (void)pthread_mutex_unlock(&scan->lock);
    }
    (void)pthread_mutex_lock(&scan->lock);
    scan_state_listed(&scan->state);
    scan->listed = true;
    (void)pthread_mutex_unlock(&scan->lock);
    return 0;
}

/* --- ranges --- */

struct range_list {
    struct scan_listed_range *v; /* strings are owned */
    size_t n;
};

static void range_list_done(struct range_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free((char *)list->v[i].id);
        free((char *)list->v[i].min);
        free((char *)list->v[i].max);
    }
    free(list->v);
}

/* A string; stand-ins for the service send the number that is in it. It becomes a header's value. NULL: neither. */
static char *range_id_of(const cJSON *item)
{
    const char *id = json_string_at(item, "id");
    int64_t number = 0;

    if (json_int(json_member(item, "id"), false, &number))
        return xasprintf("%lld", (long long)number);
    return str_empty(id) || strpbrk(id, "\r\n") ? NULL : xstrdup(id);
}

static int take_ranges(void *ctx, const cJSON *items, struct err *err)
{
    struct range_list *list = ctx;
    const cJSON *item;

    cJSON_ArrayForEach (item, items) {
        _cleanup_(freep) char *id = range_id_of(item);
        const char *min = json_string_at(item, "minInclusive");
        const char *max = json_string_at(item, "maxExclusive");
        if (!id || !min || !max)
            return bad_item("partition key ranges", err);
        if (list->n == SCAN_MAX_RANGES)
            return err_set(err, ERR_TOO_LARGE, "there are more than %d partition key ranges", SCAN_MAX_RANGES);
        list->v = xrealloc(list->v, (list->n + 1) * sizeof(*list->v));
        list->v[list->n++] = (struct scan_listed_range){TAKE_PTR(id), xstrdup(min), xstrdup(max)};
    }
    return 0;
}

/* With the lock held, as far as the container is the scan's. */
static int give_up(struct scan *scan, struct scan_container *container, const struct err *why)
{
    (void)pthread_mutex_lock(&scan->lock);
    if (container->state != CONTAINER_SKIPPED) {
        scan_container_skip(container);
        scan_skip(scan, container->database, container->name, why);
    }
    (void)pthread_mutex_unlock(&scan->lock);
    return 0;
}

int scan_open(struct scan *scan, struct scan_container *container, struct err *err)
{
    const struct gateway_question question = {
        .what = GATEWAY_RANGES, .database = container->database, .container = container->name};
    _cleanup_(range_list_done) struct range_list list = {0};

    int r = list_all(scan, question, take_ranges, &list, err);
    if (r < 0 && err->kind == ERR_NOT_FOUND)
        return give_up(scan, container, err);
    if (r == 0) {
        (void)pthread_mutex_lock(&scan->lock);
        if (container->state != CONTAINER_SKIPPED)
            r = scan_container_ranges(container, list.v, list.n, err);
        (void)pthread_mutex_unlock(&scan->lock);
    }
    if (r < 0)
        return err_wrap(err, "cannot list the ranges of %s/%s", container->database, container->name);
    return 0;
}

/* --- pages of a range --- */

static int check_documents(const cJSON *items, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, items)
        if (!json_string_at(item, "id"))
            return bad_item("documents", err);
    return 0;
}

static void tell(struct scan *scan, const struct scan_container *container, const char *id, size_t len)
{
    char text[SCAN_ID_TEXT_SIZE];

    scan->state.offenders++;
    if (!scan->events.offender)
        return;
    scan_shorten(id, len, text);
    scan->events.offender(scan->events.ctx, &(struct scan_offender){container->database, container->name, text, len});
}

/* With the lock held. */
static void take_documents(
    struct scan *scan, struct scan_container *container, struct scan_range *range, const cJSON *items)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, items) {
        const char *id = json_string_at(item, "id");
        size_t len = strlen(id);
        scan->state.documents++;
        if (len > SCAN_MAX_ID_BYTES && scan_range_offender(container, range, id, len))
            tell(scan, container, id, len);
    }
    container->relisted = 0;
}

/* How often the gateway has led us nowhere. */
struct progress_watch {
    int same;  /* continuations in a row */
    int empty; /* pages in a row */
};

static int watch(
    struct progress_watch *w, const struct scan_range *range, const struct gateway_page *page, struct err *err)
{
    bool same = range->continuation && str_eq(range->continuation, page->continuation);

    w->same = same ? w->same + 1 : 0;
    w->empty = page->items->child ? 0 : w->empty + 1;
    if (w->same >= SCAN_MAX_SAME_CONTINUATION)
        return err_set(err, ERR_PROTOCOL, "the gateway sends the same continuation again and again");
    if (w->empty >= MAX_EMPTY_PAGES)
        return err_set(err, ERR_PROTOCOL, "the gateway sends empty pages without end");
    return 0;
}

/* 1: there is more. */
static int read_page(struct scan *scan, struct scan_container *container, struct scan_range *range,
    struct progress_watch *w, int *ret_substatus, struct err *err)
{
    _cleanup_(gateway_page_done) struct gateway_page page = {0};
    const struct gateway_question question = {
        .what = GATEWAY_QUERY,
        .database = container->database,
        .container = container->name,
        .query = SCAN_QUERY,
        .range_id = range->id,
        .continuation = range->continuation,
    };

    int r = scan_ask(scan, &question, &page, err);
    *ret_substatus = page.substatus;
    if (r < 0 || check_documents(page.items, err) < 0 || watch(w, range, &page, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&scan->lock);
    take_documents(scan, container, range, page.items);
    str_replace(&range->continuation, page.continuation);
    bool more = range->continuation != NULL;
    if (!more)
        scan_range_finish(&scan->state, container, range);
    (void)pthread_mutex_unlock(&scan->lock);
    return more;
}

/* The range was split or merged: the container is opened again, for the ranges that took its place. */
static int follow_split(struct scan *scan, struct scan_container *container, struct scan_range *range, struct err *err)
{
    (void)pthread_mutex_lock(&scan->lock);
    int times = container->relisted++;
    scan_range_gone(container, range);
    (void)pthread_mutex_unlock(&scan->lock);
    if (times >= SCAN_MAX_RELISTS)
        return err_set(err, ERR_PROTOCOL, "the gateway names partition key ranges of %s/%s and then does not know them",
            container->database, container->name);
    bool stopped = times > 0 && scan_wait(scan, scan_pace_backoff_ms(times - 1, -1));
    (void)pthread_mutex_lock(&scan->lock);
    if (container->state != CONTAINER_SKIPPED)
        container->state = CONTAINER_NEW;
    (void)pthread_mutex_unlock(&scan->lock);
    return stopped ? err_set(err, ERR_CANCELLED, "the scan was stopped") : 0;
}

int scan_read(struct scan *scan, struct scan_container *container, struct scan_range *range, struct err *err)
{
    struct progress_watch w = {0};
    int r, substatus = 0;

    while ((r = read_page(scan, container, range, &w, &substatus, err)) > 0)
        ;
    if (r == 0)
        return 0;
    if (err->kind == ERR_GONE && substatus == GATEWAY_RANGE_GONE)
        return follow_split(scan, container, range, err);
    if (err->kind == ERR_NOT_FOUND)
        return give_up(scan, container, err);
    return err_wrap(err, "cannot read %s/%s", container->database, container->name);
}
