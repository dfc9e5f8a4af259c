/* Building Event objects. The limits are those of the API server's validation (pkg/apis/core/validation/events.go):
 * what breaks one is refused as a whole, so text is cut here and the rest is checked before it is queued. */
#include "kube/event_object.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

#define CONTROLLER_MAX 63
#define SUBDOMAIN_MAX 253

/* metav1.MicroTime is parsed with exactly six digits of a fraction. */
static void add_micro_time(cJSON *object, const char *name, int64_t wall_ms)
{
    char ms[TIME_TEXT_SIZE], text[TIME_TEXT_SIZE + 4];

    time_format_rfc3339_ms(wall_ms, ms);
    (void)snprintf(text, sizeof(text), "%.*s000Z", (int)strcspn(ms, "Z"), ms);
    json_add_string(object, name, text);
}

static void add_cut(cJSON *object, const char *name, const char *text, size_t max)
{
    size_t n = strlen(text);

    if (n > max)
        for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    _cleanup_(freep) char *cut = xstrndup(text, n);
    json_add_string(object, name, cut);
}

static void add_series(cJSON *object, const struct event_series *s)
{
    cJSON *series = json_add_object(object, "series");

    json_add_int(series, "count", s->count);
    add_micro_time(series, "lastObservedTime", s->last);
}

static void add_regarding(cJSON *object, const struct kube_event_object *o)
{
    cJSON *regarding = json_add_object(object, "regarding");

    json_add_string(regarding, "apiVersion", o->api_version);
    json_add_string(regarding, "kind", o->kind);
    json_add_string(regarding, "namespace", o->ns);
    json_add_string(regarding, "name", o->name);
    json_add_string(regarding, "uid", o->uid);
    json_add_string(regarding, "resourceVersion", o->resource_version);
}

cJSON *event_object_new(const struct event_series *s, const char *controller, const char *instance)
{
    const struct kube_event *event = s->event;
    cJSON *object = cJSON_CreateObject(), *metadata;

    json_add_string(object, "apiVersion", "events.k8s.io/v1");
    json_add_string(object, "kind", "Event");
    metadata = json_add_object(object, "metadata");
    json_add_string(metadata, "namespace", event->regarding.ns);
    json_add_string(metadata, "name", s->name);
    add_micro_time(object, "eventTime", s->first);
    json_add_string(object, "type", event->warning ? "Warning" : "Normal");
    json_add_string(object, "reason", event->reason);
    json_add_string(object, "action", event->action);
    add_cut(object, "note", event->note ? event->note : "", EVENT_NOTE_MAX);
    add_regarding(object, &event->regarding);
    json_add_string(object, "reportingController", controller);
    add_cut(object, "reportingInstance", instance, EVENT_WORD_MAX);
    if (s->count > 1)
        add_series(object, s);
    return object;
}

cJSON *event_object_series(const struct event_series *s)
{
    cJSON *patch = cJSON_CreateObject();

    add_series(patch, s);
    return patch;
}

static bool is_word(const char *s)
{
    return !str_empty(s) && strlen(s) <= EVENT_WORD_MAX;
}

bool event_object_valid(const struct kube_event *event)
{
    const struct kube_event_object *o = &event->regarding;

    return is_word(event->reason) && is_word(event->action) && !str_empty(o->kind) && !str_empty(o->ns) &&
           !str_empty(o->name) && !str_empty(o->uid) && !str_empty(o->api_version);
}

static bool is_name(const char *s, size_t n, const char *between)
{
    if (n == 0 || !ascii_isalnum(s[0]) || !ascii_isalnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!ascii_isalnum(s[i]) && !strchr(between, s[i]))
            return false;
    return true;
}

bool event_controller_valid(const char *name)
{
    const char *slash = name ? strchr(name, '/') : NULL;

    if (!name || (slash && ((size_t)(slash - name) > SUBDOMAIN_MAX || !is_name(name, (size_t)(slash - name), "-."))))
        return false;
    name = slash ? slash + 1 : name;
    return strlen(name) <= CONTROLLER_MAX && is_name(name, strlen(name), "-_.");
}
