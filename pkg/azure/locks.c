/* Three lists, because whether a resource's list has the locks that it inherits is not on public record. The list of a
 * group or subscription also has the locks of everything in it, so each lock is judged by its own scope. */
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

int locks_find_read_only(struct arm_client *client, const struct arm_id *id, struct azure_lock *ret, struct err *err)
{
    _cleanup_(freep) char *subscription = xasprintf("/subscriptions/%s", id->subscription);
    _cleanup_(freep) char *group = xasprintf("%s/resourceGroups/%s", subscription, id->resource_group);
    const char *const scopes[] = {id->text, group, subscription};
    struct search search = {.resource = id->text};

    *ret = (struct azure_lock){0};
    for (size_t i = 0; i < ARRAY_LEN(scopes) && !search.found.name; i++) {
        _cleanup_(freep) char *path = xasprintf("%s" TAIL, scopes[i]);
        const struct arm_list list = {
            .path = path, .api_version = LOCKS_API_VERSION, .on_item = look_at, .data = &search};
        if (arm_list(client, &list, err) < 0)
            return arm_say_missing(err, "resource locks", "Microsoft.Authorization/locks/read", scopes[i]);
    }
    *ret = search.found;
    return 0;
}
