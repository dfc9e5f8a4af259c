/* One operation is several events with one correlationId: Started, perhaps Accepted, then Succeeded or Failed, in no
 * order that can be relied on.
 *
 * The filter is known in two spellings, with the id of the resource in quotes (the reference) and without (a page with
 * examples). The other is tried when the first is refused as a bad request. */
#include "azure/activity.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#define EVENTS_MAX 2000
#define KEPT_MAX 64
#define CALLER_MAX 256
#define PREFIX "Microsoft.DocumentDB/databaseAccounts/"
#define OBJECT_ID "http://schemas.microsoft.com/identity/claims/objectidentifier"

void activity_done(struct activity *activity)
{
    free(activity->caller);
    free(activity->operation);
    free(activity->correlation_id);
    *activity = (struct activity){0};
}

struct search {
    int64_t since_ms, now_ms;
    struct activity found[KEPT_MAX]; /* one per correlation id */
    size_t n;
};

static void search_done(struct search *search)
{
    for (size_t i = 0; i < search->n; i++)
        activity_done(&search->found[i]);
}

static bool is_change(const char *operation)
{
    static const char *const reads[] = {"/list", "/readonlykeys/", "/read"};

    if (!operation || !str_has_prefix_nocase(operation, PREFIX))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        if (str_find_nocase(operation, reads[i]))
            return false;
    return true;
}

static const char *caller_of(const cJSON *event)
{
    const cJSON *claims = json_member(event, "claims");
    const cJSON *object = json_member(claims, OBJECT_ID);
    const char *candidates[] = {
        json_string_at(event, "caller"), json_string_at(claims, "appid"), cJSON_GetStringValue(object)};

    for (size_t i = 0; i < ARRAY_LEN(candidates); i++)
        if (!str_empty(candidates[i]))
            return candidates[i];
    return "somebody";
}

/* The entry of this correlation id; a new one displaces the oldest when there is no room. */
static struct activity *entry_for(struct search *search, const char *correlation)
{
    struct activity *entry = NULL;

    for (size_t i = 0; i < search->n; i++) {
        if (correlation && str_eq_nocase(search->found[i].correlation_id, correlation))
            return &search->found[i];
        if (!entry || search->found[i].started_at < entry->started_at)
            entry = &search->found[i];
    }
    if (search->n < KEPT_MAX)
        entry = &search->found[search->n++];
    activity_done(entry);
    entry->correlation_id = xstrdup(correlation);
    return entry;
}

static int take_event(void *data, const cJSON *item, struct err *err _unused_)
{
    static const char *const ends[] = {"Succeeded", "Failed", "Canceled", "Cancelled"};
    struct search *search = data;
    const char *operation = json_string_at(item, "operationName.value");
    const char *status = json_string_at(item, "status.value"), *time = json_string_at(item, "eventTimestamp");
    int64_t at;

    if (!is_change(operation) || !time || !time_parse_rfc3339(time, &at) || at < search->since_ms ||
        at > search->now_ms) /* the filter is a wish */
        return 0;
    struct activity *entry = entry_for(search, json_string_at(item, "correlationId"));
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        entry->ended |= str_eq_nocase(status, ends[i]);
    if (entry->started_at && entry->started_at <= at)
        return 0;
    entry->started_at = at;
    free(entry->caller);
    entry->caller = xstrndup(caller_of(item), CALLER_MAX);
    free(entry->operation);
    entry->operation = xstrndup(operation, CALLER_MAX);
    return 0;
}

static int list_events(struct arm_client *client, const struct arm_id *account, const char *from, const char *to,
    const char *quote, struct search *search, struct err *err)
{
    _cleanup_(freep) char *path =
        xasprintf("/subscriptions/%s/providers/Microsoft.Insights/eventtypes/management/values", account->subscription);
    _cleanup_(freep) char *filter = xasprintf("eventTimestamp ge '%s' and eventTimestamp le '%s' and resourceUri eq "
                                              "%s%s%s",
        from, to, quote, account->text, quote);
    const struct arm_query query[] = {{"$filter", filter}, {NULL, NULL}};
    const struct arm_list list = {.path = path,
        .api_version = ACTIVITY_API_VERSION,
        .query = query,
        .max_items = EVENTS_MAX,
        .on_item = take_event,
        .data = search};

    return arm_list(client, &list, err);
}

/* a is a better answer than b. */
static bool better(const struct activity *a, const struct activity *b)
{
    return a->ended != b->ended ? !a->ended : a->started_at > b->started_at;
}

int activity_find_running(struct arm_client *client, const struct arm_id *account, int64_t since_ms, int64_t now_ms,
    struct activity *ret, struct err *err)
{
    _cleanup_(search_done) struct search search = {.since_ms = since_ms - since_ms % 1000, .now_ms = now_ms};
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    struct err failed = ERR_INIT;
    struct activity *best = NULL;

    *ret = (struct activity){0};
    time_format_rfc3339(since_ms, from);
    time_format_rfc3339(now_ms, to);
    int r = list_events(client, account, from, to, "'", &search, &failed);
    if (r < 0 && failed.kind == ERR_INVALID)
        r = list_events(client, account, from, to, "", &search, &failed);
    if (r < 0) {
        if (err)
            *err = failed;
        _cleanup_(freep) char *scope = xasprintf("/subscriptions/%s", account->subscription);
        return arm_say_missing(err, "the Activity Log", "Microsoft.Insights/eventtypes/values/read", scope);
    }
    for (size_t i = 0; i < search.n; i++)
        if (!best || better(&search.found[i], best))
            best = &search.found[i];
    if (best) {
        *ret = *best;
        *best = (struct activity){0};
    }
    return 0;
}
