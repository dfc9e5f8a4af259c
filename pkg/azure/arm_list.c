/* Lists that come in pages.
 *
 * Invariant: a nextLink is a URL that somebody else wrote, and gets our token only under the rule for operation URLs.
 * Pages and items have a cap, so that a list that links to itself ends as an error. */
#include "azure/arm_private.h"

#include "base/mem.h"
#include "base/str.h"

#define PAGES_MAX 500
#define ITEMS_MAX 20000

/* Where a list has come to. */
struct walk {
    struct arm_client *client;
    const struct arm_list *list;
    size_t items, pages;
    char *url; /* of the next page; NULL: there is none */
};

static int next_page(struct walk *walk, const cJSON *tree, struct err *err)
{
    const char *next = json_string_at(tree, "nextLink");

    str_replace(&walk->url, NULL);
    if (str_empty(next))
        return 0;
    if (arm_url_check(walk->client, next, "the next page's URL", err) < 0) {
        if (err)
            err->kind = ERR_PROTOCOL;
        return -1;
    }
    if (++walk->pages >= PAGES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the list has more than the %d pages allowed", PAGES_MAX);
    walk->url = xstrdup(next);
    return 0;
}

/* 1 when the caller has had enough. */
static int take_items(struct walk *walk, const cJSON *tree, struct err *err)
{
    size_t max = walk->list->max_items ? walk->list->max_items : ITEMS_MAX;
    const cJSON *value = json_member(tree, "value"), *item;

    if (!cJSON_IsArray(value))
        return err_set(err, ERR_PROTOCOL, "the answer is no list: it has no \"value\"");
    cJSON_ArrayForEach (item, value) {
        if (walk->items++ >= max)
            return err_set(err, ERR_TOO_LARGE, "the list has more than the %zu items allowed", max);
        int r = walk->list->on_item(walk->list->data, item, err);
        if (r != 0)
            return r;
    }
    return 0;
}

static int take_page(struct walk *walk, const struct buf *body, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, body->data, body->len, err) < 0)
        return err_wrap(err, "the list cannot be read");
    int r = take_items(walk, tree, err);
    return r != 0 ? r : next_page(walk, tree, err);
}

int arm_list(struct arm_client *client, const struct arm_list *list, struct err *err)
{
    struct walk walk = {.client = client, .list = list};
    int r = arm_url_make(&walk.url, client, list->path, list->api_version, list->query, err);

    while (r == 0 && walk.url) {
        struct arm_response response = {0};
        http_response_init(&response.http);
        r = arm_send(client, "GET", walk.url, NULL, NULL, &response, err);
        if (r == 0)
            r = take_page(&walk, &response.http.body, err);
        arm_response_done(&response);
    }
    free(walk.url);
    return r < 0 ? -1 : 0;
}
