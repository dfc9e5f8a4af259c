/* What a role gives: data actions with wildcards, and a memory of definitions that were read.
 *
 * A definition is remembered as the text of its "permissions", because what is asked of it differs. An id without a
 * subscription (of a management group or the tenant) is the same role: its GUID counts, and it is read through the
 * subscription that the scope lies in. */
#include "azure/authz_private.h"

#include "azure/arm_error.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

#define KEPT_MAX 256
#define KEPT_MS (5 * 60 * 1000LL)
#define READ_ROLE "Microsoft.Authorization/roleDefinitions/read"

/* --- matching --- */

bool authz_matches(const char *pattern, const char *action)
{
    const char *star = NULL, *from = NULL;

    while (*action) {
        if (*pattern == '*') {
            star = pattern++;
            from = action;
        } else if (*pattern && ascii_tolower(*pattern) == ascii_tolower(*action)) {
            pattern++;
            action++;
        } else if (star) { /* the last star takes one byte more */
            pattern = star + 1;
            action = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool any_matches(const cJSON *patterns, const char *action)
{
    const cJSON *pattern;

    cJSON_ArrayForEach (pattern, patterns)
        if (cJSON_IsString(pattern) && authz_matches(pattern->valuestring, action))
            return true;
    return false;
}

unsigned authz_permissions(const cJSON *permissions, const char *const *actions, size_t n)
{
    const cJSON *entry;
    unsigned bits = 0;

    cJSON_ArrayForEach (entry, permissions)
        for (size_t i = 0; i < n && i < AUTHZ_MAX_ACTIONS; i++)
            if (any_matches(json_member(entry, "dataActions"), actions[i]) &&
                !any_matches(json_member(entry, "notDataActions"), actions[i]))
                bits |= 1U << i;
    return bits;
}

/* --- memory --- */

struct kept {
    int64_t read_at; /* monotonic ms */
    cJSON *permissions;
};

struct authz_roles {
    pthread_mutex_t lock;
    struct map by_guid; /* lower case */
};

struct authz_roles *authz_roles_new(void)
{
    struct authz_roles *roles = xcalloc(1, sizeof(*roles));

    (void)pthread_mutex_init(&roles->lock, NULL);
    return roles;
}

static void kept_free(struct kept *kept)
{
    if (!kept)
        return;
    (void)json_free(kept->permissions);
    free(kept);
}

static void forget_all(struct authz_roles *roles)
{
    map_foreach (entry, &roles->by_guid)
        kept_free(entry->value);
    map_done(&roles->by_guid);
    roles->by_guid = MAP_INIT;
}

struct authz_roles *authz_roles_free(struct authz_roles *roles)
{
    if (!roles)
        return NULL;
    forget_all(roles);
    (void)pthread_mutex_destroy(&roles->lock);
    free(roles);
    return NULL;
}

static bool recall(struct authz_roles *roles, const char *guid, const struct authz_question *question, unsigned *ret)
{
    if (!roles)
        return false;
    (void)pthread_mutex_lock(&roles->lock);
    const struct kept *kept = map_get(&roles->by_guid, guid);
    bool fresh = kept && clock_mono_ms() - kept->read_at < KEPT_MS;
    if (fresh)
        *ret = authz_permissions(kept->permissions, question->actions, question->n);
    (void)pthread_mutex_unlock(&roles->lock);
    return fresh;
}

/* permissions is taken. */
static void keep(struct authz_roles *roles, const char *guid, cJSON *permissions)
{
    if (!roles) {
        (void)json_free(permissions);
        return;
    }
    struct kept *kept = xcalloc(1, sizeof(*kept));
    *kept = (struct kept){.read_at = clock_mono_ms(), .permissions = permissions};
    (void)pthread_mutex_lock(&roles->lock);
    if (roles->by_guid.len >= KEPT_MAX)
        forget_all(roles);
    kept_free(map_set(&roles->by_guid, guid, kept));
    (void)pthread_mutex_unlock(&roles->lock);
}

/* --- reading --- */

/* Its "permissions", the caller's; NULL for a role that does not exist. */
static int read_role(
    struct arm_client *client, const char *subscription, const char *guid, cJSON **ret, struct err *err)
{
    _cleanup_(freep) char *path =
        xasprintf("/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/%s", subscription, guid);
    _cleanup_(freep) char *what = xasprintf("the role definition %s", guid);
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct arm_response response;
    struct err failed = ERR_INIT;

    int r = arm_get(client, path, AUTHZ_API_VERSION, NULL, &response, &failed);
    if (r < 0 && failed.kind == ERR_NOT_FOUND) {
        r = 0;
    } else if (r < 0) {
        if (err)
            *err = failed;
        (void)arm_say_missing(err, what, READ_ROLE, path);
    } else if (arm_json_parse(&tree, response.http.body.data, response.http.body.len, err) < 0) {
        r = err_wrap(err, "Azure's answer is not a role definition");
    } else {
        cJSON *properties = cJSON_GetObjectItemCaseSensitive(tree, "properties");
        *ret = cJSON_DetachItemFromObjectCaseSensitive(properties, "permissions");
        if (!cJSON_IsArray(*ret)) {
            *ret = json_free(*ret);
            r = err_set(err, ERR_PROTOCOL, "Azure's answer is not a role definition: it has no permissions");
        }
    }
    arm_response_done(&response);
    return r;
}

int authz_role_bits(struct arm_client *client, struct authz_roles *roles, const char *subscription,
    const char *definition, const struct authz_question *question, unsigned *ret, struct err *err)
{
    const char *last = strrchr(definition, '/');
    _cleanup_(freep) char *guid = str_lower(xstrdup(last ? last + 1 : definition));
    cJSON *permissions = NULL;

    if (!str_is_guid(guid))
        return err_set(err, ERR_PROTOCOL, "a role assignment names no role that can be read");
    if (recall(roles, guid, question, ret))
        return 0;
    if (read_role(client, subscription, guid, &permissions, err) < 0)
        return -1;
    *ret = authz_permissions(permissions, question->actions, question->n);
    if (permissions) /* a role that was just made may not be there yet */
        keep(roles, guid, permissions);
    return 0;
}
