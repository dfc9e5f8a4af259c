/* Three states, WATCH_LIST, LIST and WATCH, and one step of each; a step that fails says where to go on. A WATCH_LIST
 * turns into a WATCH while it runs.
 *
 * The invariant: seen is the newest resourceVersion that was handed out, and nothing older is handed out after it. A
 * list that is older (from an API server that lags behind, see kubernetes/kubernetes#59848) is refused and asked for
 * again: before its first item where it says its version first, else before its end, so that nothing is taken away.
 * Resource versions are compared as unsigned decimals of any length, which Kubernetes guarantees since 1.35 and every
 * version has done. */
#include "kube/reflector.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "kube/list.h"
#include "kube/watch.h"

#include <string.h>

#define DEFAULT_BASE_MS 800
#define DEFAULT_MAX_MS 30000
#define QUIET_MS 120000   /* progress so long after the last failure: the back-off begins anew */
#define MIN_WATCH_MS 5000 /* we ask for minutes */
#define MAX_PAGES 100000
#define SLICE_MS 50

enum state { WATCH_LIST, LIST, WATCH };

struct reflector {
    struct kube_client *client;
    const struct kube_reflector_options *o;
    enum state state;
    char *seen;
    struct kube_list *page;     /* of the current list */
    struct kube_watch *decoder; /* of the current stream */
    int64_t events;             /* of the current stream */
    bool initial;               /* the current stream has not told all that is there */
    bool listing;               /* list_begin was called for the current list */
    bool no_watch_list;
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

static int check_version(const struct reflector *r, const char *version, struct err *err)
{
    if (!is_version(version))
        return err_set(err, ERR_PROTOCOL, "the API server's list has no usable metadata.resourceVersion");
    if (r->seen && compare_versions(version, r->seen) < 0)
        return err_set(err, ERR_UNAVAILABLE,
            "the API server's list (version %s) is older than what it sent before (%s); if the cluster was restored "
            "from a backup, restart this program",
            version, r->seen);
    return 0;
}

static void begin_list(struct reflector *r)
{
    if (!r->listing)
        r->o->list_begin(r->o->ctx);
    r->listing = true;
}

static int end_list(struct reflector *r, const char *version, struct err *err)
{
    if (check_version(r, version, err) < 0)
        return -1;
    begin_list(r); /* when it was empty */
    r->listing = false;
    str_replace(&r->seen, version);
    r->o->list_end(r->o->ctx);
    r->last_progress_ms = clock_mono_ms();
    r->state = WATCH;
    return 0;
}

static int on_item(void *ctx, const cJSON *item, struct err *err)
{
    struct reflector *r = ctx;
    const char *ns, *name, *version = kube_list_version(r->page);

    if (version && check_version(r, version, err) < 0)
        return -1;
    begin_list(r);
    if (object_key(item, &ns, &name, err) < 0)
        return -1;
    r->o->upsert(r->o->ctx, item);
    return 0;
}

static int on_page_data(void *data, const char *bytes, size_t len, struct err *err)
{
    struct reflector *r = data;

    tell(r, KUBE_REFLECTOR_HEARS);
    return kube_list_feed(r->page, bytes, len, on_item, r, err);
}

/* One page; *next is its continue token in and the next one's out. */
static int list_page(struct reflector *r, char **next, struct err *err)
{
    _cleanup_(kube_list_freep) struct kube_list *page = kube_list_new(0);
    const struct kube_list_page options = {.ns = r->o->ns,
        .label_selector = r->o->label_selector,
        .limit = r->o->page_size,
        .continue_token = *next,
        .cancel = r->o->cancel};

    r->page = page;
    if (kube_list_stream(r->client, r->o->resource, &options, on_page_data, r, err) < 0 ||
        kube_list_end(page, err) < 0 || check_version(r, kube_list_version(page), err) < 0)
        return -1;
    begin_list(r);
    str_replace(next, kube_list_continue(page));
    return str_empty(*next) ? end_list(r, kube_list_version(page), err) : 0;
}

static int list(struct reflector *r, struct err *err)
{
    _cleanup_(freep) char *next = NULL;

    tell(r, KUBE_REFLECTOR_LISTS);
    r->listing = false;
    for (int n = 0; n < MAX_PAGES; n++)
        if (list_page(r, &next, err) < 0)
            return -1;
        else if (r->state != LIST)
            return 0;
    return err_set(err, ERR_TOO_LARGE, "the API server's list has more than %d pages", MAX_PAGES);
}

/* --- watch --- */

static int hand_out(struct reflector *r, const struct kube_watch_event *event, struct err *err)
{
    const char *ns, *name;

    if (object_key(event->object, &ns, &name, err) < 0)
        return -1;
    if (event->type == KUBE_DELETED)
        r->o->remove(r->o->ctx, ns, name);
    else
        r->o->upsert(r->o->ctx, event->object);
    return 0;
}

/* What is there comes in no order of versions, and changes meanwhile with it, up to the bookmark that ends it. A server
 * that sends another bookmark before has not understood what it was asked for. */
static int on_initial_event(struct reflector *r, const struct kube_watch_event *event, struct err *err)
{
    if (event->type != KUBE_BOOKMARK) {
        begin_list(r);
        return hand_out(r, event, err);
    }
    if (!event->ends_initial)
        return err_set(err, ERR_INVALID, "the API server does not say where the initial events of a watch end");
    r->initial = false;
    return end_list(r, event->resource_version, err);
}

static int on_event(void *ctx, const struct kube_watch_event *event, struct err *err)
{
    struct reflector *r = ctx;

    r->events++;
    if (!is_version(event->resource_version))
        return err_set(err, ERR_PROTOCOL, "watch event: metadata.resourceVersion is no number");
    if (r->initial)
        return on_initial_event(r, event, err);
    if (compare_versions(event->resource_version, r->seen) < 0)
        return err_set(err, ERR_PROTOCOL, "watch event: version %s after version %s", event->resource_version, r->seen);
    if (event->type != KUBE_BOOKMARK && hand_out(r, event, err) < 0)
        return -1;
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
    bool initial = r->state == WATCH_LIST;
    /* A copy, because seen moves while the call runs. None asks for the newest there is. */
    _cleanup_(freep) char *from = initial ? NULL : xstrdup(r->seen);
    struct kube_watch_options options = {
        .ns = r->o->ns,
        .label_selector = r->o->label_selector,
        .resource_version = from,
        .initial_events = initial,
        .timeout_s = 300 + (int)random_below(301), /* so that many watchers do not come back at once */
        .idle_timeout_ms = r->o->idle_timeout_ms,
        .cancel = r->o->cancel,
    };
    int64_t start_ms = clock_mono_ms();

    tell(r, KUBE_REFLECTOR_WATCHES);
    r->decoder = decoder;
    r->events = 0;
    r->initial = initial;
    r->listing = false;
    if (kube_watch_stream(r->client, r->o->resource, &options, on_data, r, err) < 0 || kube_watch_end(decoder, err) < 0)
        return -1;
    if (r->initial)
        return err_set(err, ERR_UNAVAILABLE, "the API server closed the watch before it had told all that is there");
    if (r->events == 0 && clock_mono_ms() - start_ms < MIN_WATCH_MS) /* or we would turn in circles at full speed */
        return err_set(err, ERR_UNAVAILABLE, "the API server closed the watch at once");
    return 0;
}

/* --- trouble --- */

/* Resuming helps when the stream broke; when what was said cannot be followed or is gone, only a list does. */
static enum state state_after(const struct reflector *r, const struct err *err)
{
    switch (err->kind) {
    case ERR_GONE:
    case ERR_PROTOCOL:
    case ERR_TOO_LARGE:
    case ERR_INVALID:
        return r->no_watch_list ? LIST : WATCH_LIST;
    default:
        return r->state;
    }
}

/* client-go does the same (tools/cache/reflector.go, ListAndWatchWithContext): a server that does not have WatchList,
 * or has it switched off, refuses the query as invalid. No trouble, and nothing to wait for. */
static bool falls_back(struct reflector *r, const struct err *err)
{
    if (r->state != WATCH_LIST || err->kind != ERR_INVALID)
        return false;
    r->no_watch_list = true;
    r->state = LIST;
    return true;
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
    struct reflector r = {.client = client,
        .o = options,
        .no_watch_list = options->no_watch_list,
        .state = options->no_watch_list ? LIST : WATCH_LIST};
    struct err err = ERR_INIT;

    while (!http_cancel_triggered(options->cancel)) {
        if ((r.state == LIST ? list(&r, &err) : watch(&r, &err)) == 0 || falls_back(&r, &err))
            continue;
        if (err.kind == ERR_CANCELLED) /* ours, or the whole client's */
            break;
        r.state = state_after(&r, &err);
        int64_t wait_ms = time_to_wait_ms(&r, &err);
        if (options->trouble)
            options->trouble(options->ctx, &err, wait_ms);
        wait_or_cancel(&r, wait_ms);
    }
    free(r.seen);
}
