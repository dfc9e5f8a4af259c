/* The server's side of a watch, run by the fiber that watches: it tells what its server has seen, from a version on,
 * with bookmarks, until its time is over or something breaks. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOKMARK_MS 60000

struct stream {
    struct call *call;
    const struct http_request *request;
    struct err *err;
    size_t next;     /* the change to be told next */
    int64_t version; /* the last one that was told, or skipped */
    int64_t ends_at, bookmark_at, heard_at;
    unsigned broken, moved, silent, gone, repeated;
    char *last;  /* line */
    bool failed; /* on_data did not want it */
};

/* Sometimes in two pieces. */
static bool say(struct stream *s, const char *line, size_t len)
{
    size_t first = fiber_chance(4) ? fiber_below(len + 1) : len;

    s->heard_at = fiber_now();
    if (s->request->on_data(s->request->data, line, first, s->err) != 0 ||
        (first < len && s->request->on_data(s->request->data, line + first, len - first, s->err) != 0))
        s->failed = true;
    return !s->failed;
}

static bool say_event(struct stream *s, const char *type, const char *object)
{
    _cleanup_(freep) char *line = xasprintf("{\"type\":\"%s\",\"object\":%s}\n", type, object);
    bool ok = say(s, line, strlen(line));

    free(s->last);
    s->last = TAKE_PTR(line);
    return ok;
}

static bool say_bookmark(struct stream *s, bool ends_initial)
{
    _cleanup_(freep) char *line = xasprintf(
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"CosmosCMK\",\"apiVersion\":\"cosmoscmk.io/v1\",\"metadata\":{"
        "\"resourceVersion\":\"%lld\"%s}}}\n",
        (long long)s->version, ends_initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");

    s->bookmark_at = fiber_now() + BOOKMARK_MS;
    return say(s, line, strlen(line));
}

static bool say_gone(struct stream *s)
{
    static const char line[] =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":"
        "\"Failure\",\"reason\":\"Expired\",\"message\":\"too old resource version\",\"code\":410}}"
        "\n";

    return say(s, line, strlen(line));
}

static bool tell_changes(struct stream *s)
{
    static const char *const words[] = {"ADDED", "MODIFIED", "DELETED"};
    struct cluster *c = s->call->c;
    size_t visible = kube_visible(c, s->call->from->server);

    for (; s->next < visible; s->next++) {
        const struct change *change = &c->etcd.changes[s->next];
        if (change->version <= s->version)
            continue;
        s->version = change->version;
        if (!say_event(s, words[change->type], change->text))
            return false;
    }
    return true;
}

/* The present state, as the beginning of a watch: every change again would be one too, but not what a server does. */
static bool tell_initial(struct stream *s)
{
    struct cluster *c = s->call->c;
    size_t visible = kube_visible(c, s->call->from->server), n;

    _cleanup_(freep) const struct change **items = kube_state_at(c, visible, &n);
    for (size_t i = 0; i < n; i++)
        if (!say_event(s, "ADDED", items[i]->text))
            return false;
    s->next = visible;
    s->version = visible ? c->etcd.changes[visible - 1].version : 1;
    return say_bookmark(s, true);
}

/* When there will be something to say, or the wait is over. */
static int64_t next_moment(const struct stream *s)
{
    const struct etcd *e = &s->call->c->etcd;
    int64_t at = s->ends_at < s->bookmark_at ? s->ends_at : s->bookmark_at;

    if (s->next < e->n) {
        int64_t shown = e->changes[s->next].at + e->lag[s->call->from->server];
        at = shown > fiber_now() && shown < at ? shown : at;
    }
    return at;
}

/* Nothing more comes; the client has to find out. 1: it was cancelled, 0: it has tired. */
static int fall_silent(struct stream *s)
{
    int64_t idle = s->request->idle_timeout_ms, until = idle ? s->heard_at + idle : s->ends_at + 30000;
    struct http_cancel *cancel = s->request->cancel;

    while (fiber_now() < until && !http_cancel_triggered(cancel) && !s->call->from->group.dead)
        (void)fiber_wait(&s->call->c->etcd, fiber_now() + 1000);
    return http_cancel_triggered(cancel) || s->call->from->group.dead;
}

static int end(struct stream *s, enum err_kind kind, const char *message)
{
    (void)err_set(s->err, kind, "%s", message);
    return -1;
}

/* Something was done to all watches. 1: go on. */
static int suffer(struct stream *s)
{
    const struct etcd *e = &s->call->c->etcd;

    if (s->silent != e->silent)
        return end(s, fall_silent(s) ? ERR_CANCELLED : ERR_TIMEOUT, "nothing came");
    if (s->gone != e->gone)
        return say_gone(s) ? 0 : -1;
    if (s->broken != e->broken) {
        if (s->next < e->n && !say(s, "{\"type\":\"MODI", 13))
            return -1;
        return end(s, ERR_UNAVAILABLE, "the connection was lost");
    }
    if (s->moved != e->moved) {
        s->call->from->server = (s->call->from->server + 1) % MAX_SERVERS;
        return end(s, ERR_UNAVAILABLE, "the connection was lost");
    }
    if (s->repeated != e->repeated) {
        s->repeated = e->repeated;
        return !s->last || say(s, s->last, strlen(s->last)) ? 1 : -1;
    }
    return 1;
}

static int go_on(struct stream *s)
{
    struct cluster *c = s->call->c;

    for (;;) {
        if (http_cancel_triggered(s->request->cancel) || s->call->from->group.dead)
            return end(s, ERR_CANCELLED, "the request was cancelled");
        int r = suffer(s);
        if (r != 1)
            return r;
        if (fiber_now() < c->no_kube_until)
            return end(s, ERR_UNAVAILABLE, "the connection was lost");
        if (!tell_changes(s))
            return -1;
        if (fiber_now() >= s->ends_at)
            return 0;
        if (fiber_now() >= s->bookmark_at && !say_bookmark(s, false))
            return -1;
        (void)fiber_wait(&c->etcd, next_moment(s));
    }
}

static bool begin(struct stream *s, bool initial)
{
    struct cluster *c = s->call->c;
    char from[32] = "0";

    if (initial)
        return tell_initial(s);
    (void)kube_query(s->call, "resourceVersion", from, sizeof(from));
    s->version = strtoll(from, NULL, 10);
    return s->version >= c->etcd.compacted;
}

int watch_serve(struct call *call, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct cluster *c = call->c;
    const struct etcd *e = &c->etcd;
    char seconds[16] = "300", word[8] = "";
    bool initial = kube_query(call, "sendInitialEvents", word, sizeof(word));
    struct stream s = {.call = call,
        .request = request,
        .err = err,
        .broken = e->broken,
        .moved = e->moved,
        .silent = e->silent,
        .gone = e->gone,
        .repeated = e->repeated};

    if (initial && !c->plan.watch_list) {
        kube_error(call, 422, "Invalid",
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate "
            "is enabled");
        response->status = call->status;
        buf_puts(&response->body, buf_str(&call->reply));
        return 0;
    }
    (void)kube_query(call, "timeoutSeconds", seconds, sizeof(seconds));
    s.ends_at = fiber_now() + strtoll(seconds, NULL, 10) * 1000;
    s.bookmark_at = fiber_now() + BOOKMARK_MS;
    response->status = 200;
    int r = begin(&s, initial) ? go_on(&s) : s.failed ? -1 : say_gone(&s) ? 0 : -1;
    free(s.last);
    return r;
}
