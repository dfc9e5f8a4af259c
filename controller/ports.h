/* Everything that touches the world, as the reconcile loop reaches it. The program implements the ports with pkg/
 * (azure_port.c, kube_port.c); tests implement them with a world in memory and a virtual clock.
 *
 * All may block for as long as one request may take, and are called from any worker. */
#pragma once

#include "base/random.h"
#include "cmk/events.h"
#include "cmk/view.h"

struct azure_port {
    void *ctx;
    int (*read_account)(void *ctx, const char *account_id, struct cmk_account *ret, struct err *err);
    /* Every account of a subscription that can be made sense of. on_account may move out of the account what it wants.
     */
    int (*list_accounts)(void *ctx, const char *subscription,
        void (*on_account)(void *data, const char *account_id, struct cmk_account *account), void *data,
        struct err *err);
    /* Fills state and, when it failed, error_code and error_message. */
    int (*read_operation)(void *ctx, const char *status_url, struct cmk_result *ret, struct err *err);
    /* Everything that preflight looks at besides the account. Fails only for what heals by itself. */
    int (*gather)(void *ctx, const struct cmk_view *view, struct cmk_evidence *ret, struct err *err);
    /* Who started the operation that keeps the account busy: a half sentence such as "by NAME at TIME". */
    int (*read_culprit)(void *ctx, const char *account_id, char ret[static CMK_CULPRIT_SIZE], struct err *err);
    /* The change of one step. err.maybe_sent says whether the outcome is unknown. Fills account, status_url,
     * operation_id. */
    int (*send)(
        void *ctx, const struct cmk_view *view, const struct cmk_step *step, struct cmk_result *ret, struct err *err);
};

struct kube_port {
    void *ctx;
    /* Writes the whole status, on condition that the resource still has this resourceVersion (ERR_CONFLICT otherwise,
     * ERR_NOT_FOUND when it is gone). *ret_version is the new resourceVersion, the caller's to free. */
    int (*write_status)(void *ctx, const struct cmk_resource *resource, const char *resource_version,
        const struct cmk_status *status, char **ret_version, struct err *err);
    /* Writes status.operation alone: after a change was sent, its record must not be lost because somebody edited the
     * resource meanwhile. Only where the resource still names this very operation (by its correlation id): another
     * controller may have gone on. ERR_CONFLICT otherwise. */
    int (*write_operation)(
        void *ctx, const struct cmk_resource *resource, const struct cmk_operation *operation, struct err *err);
};

struct world_port {
    void *ctx;
    int64_t (*now_ms)(void *ctx);    /* wall */
    int64_t (*uptime_ms)(void *ctx); /* of a clock that nobody sets; never 0 */
    void (*uuid)(void *ctx, char ret[static UUID_SIZE]);
    /* May this process act as the leader at this instant? Always, without leader election. */
    bool (*holds_lease)(void *ctx);
};

/* Tells people. Never blocks and never fails: an event is a courtesy. */
struct event_port {
    void *ctx;
    /* record NULL: nobody listens. */
    void (*record)(
        void *ctx, const struct cmk_resource *resource, const char *resource_version, const struct cmk_event *event);
};

struct ports {
    struct azure_port azure;
    struct kube_port kube;
    struct event_port events;
    struct world_port world;
};
