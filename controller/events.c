/* From the domain's events to Kubernetes' own. Which there are and what they say is decided in controller/cmk. */
#include "controller/events.h"

#include "base/log.h"
#include "base/mem.h"
#include "controller/codec.h"

#include <sys/utsname.h>

#define NAME "cosmoscmk"

static void record(
    void *ctx, const struct cmk_resource *resource, const char *resource_version, const struct cmk_event *event)
{
    const struct kube_event e = {
        .regarding = {.api_version = CMK_GROUP "/" CMK_VERSION,
            .kind = CMK_KIND,
            .ns = resource->ns,
            .name = resource->name,
            .uid = resource->uid,
            .resource_version = resource_version},
        .reason = event->reason,
        .action = event->action,
        .note = event->note,
        .warning = event->warning,
    };

    kube_events_record(ctx, &e);
}

struct event_port event_port_make(struct kube_events *recorder)
{
    return (struct event_port){.ctx = recorder, .record = recorder ? record : NULL};
}

static void trouble(void *ctx _unused_, const struct err *err, uint64_t lost)
{
    log_warn("events are not taken by the API server; everything else goes on", LOG_S("error", err->msg),
        LOG_I("lost", lost),
        LOG_S("hint", err->kind == ERR_FORBIDDEN ? "grant create and patch on events in events.k8s.io" : ""));
}

struct kube_events *controller_events_new(struct kube_client *client)
{
    struct utsname system = {0};
    struct kube_events *recorder = NULL;
    struct err err = ERR_INIT;

    (void)uname(&system);
    _cleanup_(freep) char *instance = xasprintf(NAME "-%s", system.nodename);
    const struct kube_events_options options = {
        .client = client, .controller = NAME, .instance = instance, .trouble = trouble};
    if (kube_events_new(&recorder, &options, &err) < 0)
        log_warn("no events will be recorded", LOG_S("error", err.msg));
    return recorder;
}
