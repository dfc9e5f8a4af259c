/* Two states, LIST and WATCH, and one step of each; a step that fails says where to go on.
 *
 * The invariant: seen is the newest resourceVersion that was handed out, and nothing older is handed out after it. A
 * list that is older (from an API server that lags behind, see kubernetes/kubernetes#59848) is refused and asked for
 * again. Resource versions are compared as unsigned decimals of any length, which Kubernetes guarantees since 1.35 and
 * every version has done. */
#include "kube/reflector.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "kube/watch.h"

#include <string.h>

#define DEFAULT_BASE_MS 800
#define DEFAULT_MAX_MS 30000
#define QUIET_MS 120000   /* progress so long after the last failure: the back-off begins anew */
#define MIN_WATCH_MS 5000 /* we ask for minutes */
#define MAX_PAGES 100000
#define SLICE_MS 50

enum state { LIST, WATCH };

struct reflector {
    struct kube_client *client;
    const struct kube_reflector_options *o;
    enum state state;
    char *seen;
    struct kube_watch *decoder; /* of the current stream */
    int64_t events;             /* of the current stream */
    int failures;
    int64_t last_failure_ms;
    int64_t last_progress_ms; /* when a list was complete or an event came */
};

static bool is_version(const char *s)
{
    const char *c = s;

    while (c && ascii_isdigit(*c))
        c++;
    return c && c > s && *c == '\0' && c - s < 64;
}

/* Both are versions. Negative, 0, positive like strcmp. */
static int compare_versions(const char *a, const char *b)
{
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t na = strlen(a), nb = strlen(b);
    return na != nb ? (na < nb ? -1 : 1) : strcmp(a, b);
}

static int object_key(const cJSON *object, const char **ns, const char **name, struct err *err)
{
    *ns = json_string_at(object, "metadata.namespace");
    *name = json_string_at(object, "metadata.name");
    return *name ? 0 : err_set(err, ERR_PROTOCOL, "the API server sent an object without metadata.name");
}

static void tell(const struct reflector *r, enum kube_reflector_progress what)
{
    if (r->o->progress)
        r->o->progress(r->o->ctx, what);
}

/* --- list --- */

static int check_list(const struct reflector *r, const cJSON *page, struct err *err)
{
    const char *version = json_string_at(page, "metadata.resourceVersion");

    if (!cJSON_IsArray(json_at(page, "items")) && !cJSON_IsNull(json_at(page, "items")))
        return err_set(err, ERR_PROTOCOL, "the API server's list has no items");
    if (!is_version(version))
        return err_set(err, ERR_PROTOCOL, "the API server's list has no usable metadata.resourceVersion");
    if (r->seen && compare_versions(version, r->seen) < 0)
        return err_set(err, ERR_UNAVAILABLE,
            "the API server's list (version %s) is older than what it sent before (%s); if the cluster was restored "
            "from a backup, restart this program",
            version, r->seen);
    return 0;
}

static int hand_out_page(struct reflector *r, const cJSON *page, struct err *err)
{
    const char *ns, *name;
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(page, "items")) {
        if (object_key(item, &ns, &name, err) < 0)
            return -1;
        r->o->upsert(r->o->ctx, item);
    }
    return 0;
}

static int list(struct reflector *r, struct err *err)
{
    struct kube_list_page options = {
        .ns = r->o->ns, .label_selector = r->o->label_selector, .limit = r->o->page_size, .cancel = r->o->cancel};
    _cleanup_(freep) char *next = NULL;

    tell(r, KUBE_REFLECTOR_LISTS);
    for (int n = 0; n < MAX_PAGES; n++) {
        _cleanup_(json_freep) cJSON *page = NULL;
        options.continue_token = next;
        if (kube_list_page(r->client, r->o->resource, &options, &page, err) < 0 || check_list(r, page, err) < 0)
            return -1;
        tell(r, KUBE_REFLECTOR_HEARS);
        if (n == 0)
            r->o->list_begin(r->o->ctx);
        if (hand_out_page(r, page, err) < 0)
            return -1;
        str_replace(&next, json_string_at(page, "metadata.continue"));
        if (!str_empty(next))
            continue;
        str_replace(&r->seen, json_string_at(page, "metadata.resourceVersion"));
        r->o->list_end(r->o->ctx);
        r->last_progress_ms = clock_mono_ms();
        r->state = WATCH;
        return 0;
    }
    return err_set(err, ERR_TOO_LARGE, "the API server's list has more than %d pages", MAX_PAGES);
}

/* --- watch --- */

static int on_event(void *ctx, const struct kube_watch_event *event, struct err *err)
{
    struct reflector *r = ctx;
    const char *ns, *name;

    if (!is_version(event->resource_version))
        return err_set(err, ERR_PROTOCOL, "watch event: metadata.resourceVersion is no number");
    if (compare_versions(event->resource_version, r->seen) < 0)
        return err_set(err, ERR_PROTOCOL, "watch event: version %s after version %s", event->resource_version, r->seen);
    if (event->type != KUBE_BOOKMARK) {
        if (object_key(event->object, &ns, &name, err) < 0)
            return -1;
        if (event->type == KUBE_DELETED)
            r->o->remove(r->o->ctx, ns, name);
        else
            r->o->upsert(r->o->ctx, event->object);
    }
    r->events++;
    r->last_progress_ms = clock_mono_ms();
    str_replace(&r->seen, event->resource_version);
    return 0;
}

static int on_data(void *data, const char *bytes, size_t len, struct err *err)
{
    struct reflector *r = data;

    tell(r, KUBE_REFLECTOR_HEARS);
    return kube_watch_feed(r->decoder, bytes, len, on_event, r, err);
}

static int watch(struct reflector *r, struct err *err)
{
    _cleanup_(kube_watch_freep) struct kube_watch *decoder = kube_watch_new(0);
    _cleanup_(freep) char *from = xstrdup(r->seen); /* seen moves while the call runs */
    struct kube_watch_options options = {
        .ns = r->o->ns,
        .label_selector = r->o->label_selector,
        .resource_version = from,
        .timeout_s = 300 + (int)random_below(301), /* so that many watchers do not come back at once */
        .idle_timeout_ms = r->o->idle_timeout_ms,
        .cancel = r->o->cancel,
    };
    int64_t start_ms = clock_mono_ms();

    tell(r, KUBE_REFLECTOR_WATCHES);
    r->decoder = decoder;
    r->events = 0;
    if (kube_watch_stream(r->client, r->o->resource, &options, on_data, r, err) < 0 || kube_watch_end(decoder, err) < 0)
        return -1;
    if (r->events == 0 && clock_mono_ms() - start_ms < MIN_WATCH_MS) /* or we would turn in circles at full speed */
        return err_set(err, ERR_UNAVAILABLE, "the API server closed the watch at once");
    return 0;
}

/* --- trouble --- */

/* Resuming helps when the stream broke; when what was said cannot be followed or is gone, only a list does. */
static enum state state_after(enum state state, const struct err *err)
{
    switch (err->kind) {
    case ERR_GONE:
    case ERR_PROTOCOL:
    case ERR_TOO_LARGE:
    case ERR_INVALID:
        return LIST;
    default:
        return state;
    }
}

static int64_t jittered(int64_t least_ms, int64_t most_ms)
{
    return least_ms + (int64_t)random_below((uint64_t)(most_ms - least_ms) + 1);
}

static int64_t backoff_ms(struct reflector *r)
{
    int64_t upper_ms = r->o->backoff_base_ms ? r->o->backoff_base_ms : DEFAULT_BASE_MS;
    int64_t max_ms = r->o->backoff_max_ms ? r->o->backoff_max_ms : DEFAULT_MAX_MS;

    if (r->last_progress_ms - r->last_failure_ms >= QUIET_MS)
        r->failures = 0;
    r->failures++;
    r->last_failure_ms = clock_mono_ms();
    for (int i = 0; i < r->failures && upper_ms < max_ms; i++)
        upper_ms *= 2;
    if (upper_ms > max_ms)
        upper_ms = max_ms;
    return jittered(upper_ms / 2, upper_ms);
}

/* A server that says when to come back knows better than we do; that it is busy is no failure that should make us
 * slower. Never before the time it said, and not all replicas at once. */
static int64_t time_to_wait_ms(struct reflector *r, const struct err *err)
{
    if (err->retry_after_ms > 0)
        return jittered(err->retry_after_ms, err->retry_after_ms + err->retry_after_ms / 4);
    return backoff_ms(r);
}

static void wait_or_cancel(const struct reflector *r, int64_t ms)
{
    int64_t end_ms = clock_mono_ms() + ms;

    for (int64_t left_ms; (left_ms = end_ms - clock_mono_ms()) > 0 && !http_cancel_triggered(r->o->cancel);) {
        tell(r, KUBE_REFLECTOR_RESTS);
        clock_sleep_ms(left_ms < SLICE_MS ? left_ms : SLICE_MS);
    }
}

void kube_reflector_run(struct kube_client *client, const struct kube_reflector_options *options)
{
    struct reflector r = {.client = client, .o = options, .state = LIST};
    struct err err = ERR_INIT;

    while (!http_cancel_triggered(options->cancel)) {
        if ((r.state == LIST ? list(&r, &err) : watch(&r, &err)) == 0)
            continue;
        if (err.kind == ERR_CANCELLED) /* ours, or the whole client's */
            break;
        r.state = state_after(r.state, &err);
        int64_t wait_ms = time_to_wait_ms(&r, &err);
        if (options->trouble)
            options->trouble(options->ctx, &err, wait_ms);
        wait_or_cancel(&r, wait_ms);
    }
    free(r.seen);
}
