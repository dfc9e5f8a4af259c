/* The list of a subscription has the locks of everything in it, so one list is enough, and each lock is judged by its
 * own scope. Where it may not be read, the lists of the group and of the resource can still show a lock, but not that
 * there is none: whether they have what is inherited is not on public record. */
#include "azure/locks.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define TAIL "/providers/Microsoft.Authorization/locks"

void azure_lock_done(struct azure_lock *lock)
{
    free(lock->name);
    free(lock->scope);
    *lock = (struct azure_lock){0};
}

struct search {
    const char *resource;
    struct azure_lock found;
};

/* The resource itself, or something that it lies in. */
static bool covers(const char *scope, const char *resource)
{
    size_t n = strlen(scope);

    return str_has_prefix_nocase(resource, scope) && (resource[n] == '/' || resource[n] == '\0');
}

static int look_at(void *data, const cJSON *item, struct err *err _unused_)
{
    struct search *search = data;
    const char *id = json_string_at(item, "id"), *name = json_string_at(item, "name");
    const char *tail = id ? str_find_nocase(id, TAIL "/") : NULL;

    if (!tail || !str_eq_nocase(json_string_at(item, "properties.level"), "ReadOnly"))
        return 0;
    _cleanup_(freep) char *scope = xstrndup(id, (size_t)(tail - id));
    if (!covers(scope, search->resource))
        return 0;
    search->found.name = xstrndup(name ? name : tail + strlen(TAIL "/"), 256);
    search->found.scope = TAKE_PTR(scope);
    return 1;
}

static int look_in(struct arm_client *client, const char *scope, struct search *search, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s" TAIL, scope);
    const struct arm_list list = {.path = path, .api_version = LOCKS_API_VERSION, .on_item = look_at, .data = search};

    if (arm_list(client, &list, err) < 0)
        return arm_say_missing(err, "resource locks", "Microsoft.Authorization/locks/read", scope);
    return 0;
}

int locks_find_read_only(struct arm_client *client, const struct arm_id *id, struct azure_lock *ret, struct err *err)
{
    _cleanup_(freep) char *subscription = xasprintf("/subscriptions/%s", id->subscription);
    _cleanup_(freep) char *group = xasprintf("%s/resourceGroups/%s", subscription, id->resource_group);
    const char *const narrower[] = {group, id->text};
    struct search search = {.resource = id->text};
    struct err failed = ERR_INIT, ignored = ERR_INIT;

    *ret = (struct azure_lock){0};
    int r = look_in(client, subscription, &search, &failed);
    bool is_beyond_us = r < 0 && (failed.kind == ERR_FORBIDDEN || failed.kind == ERR_TOO_LARGE);
    for (size_t i = 0; is_beyond_us && i < ARRAY_LEN(narrower) && !search.found.name; i++)
        (void)look_in(client, narrower[i], &search, &ignored);
    if (r < 0 && !search.found.name) {
        if (err)
            *err = failed;
        return -1;
    }
    *ret = search.found;
    return 0;
}
