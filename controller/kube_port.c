#include "controller/kube_port.h"

#include "base/mem.h"
#include "base/str.h"
#include "controller/codec.h"

const struct kube_resource cosmoscmk_resource = {.group = CMK_GROUP, .version = CMK_VERSION, .plural = CMK_PLURAL};

static int write_patch(struct kube_port_context *context, const struct cmk_resource *resource, const cJSON *patch,
    char **ret_version, struct err *err)
{
    _cleanup_(json_freep) cJSON *answer = NULL;
    struct cmk_resource written = {0};

    if (kube_merge_patch(
            context->client, &cosmoscmk_resource, resource->ns, resource->name, "status", patch, &answer, err) < 0 ||
        cmk_decode(&written, answer, err) < 0)
        return -1;
    if (ret_version)
        *ret_version = xstrdup(written.resource_version);
    store_learn(context->store, &written);
    return 0;
}

static int write_status(void *ctx, const struct cmk_resource *resource, const char *resource_version,
    const struct cmk_status *status, char **ret_version, struct err *err)
{
    _cleanup_(json_freep) cJSON *patch = cmk_encode_status(status, resource_version);

    return write_patch(ctx, resource, patch, ret_version, err);
}

static int write_operation(
    void *ctx, const struct cmk_resource *resource, const struct cmk_operation *operation, struct err *err)
{
    _cleanup_(cmk_resource_done) struct cmk_resource now = {0};
    _cleanup_(json_freep) cJSON *object = NULL, *patch = NULL;
    struct kube_port_context *context = ctx;

    if (kube_get(context->client, &cosmoscmk_resource, resource->ns, resource->name, &object, err) < 0 ||
        cmk_decode(&now, object, err) < 0)
        return -1;
    if (!str_eq(now.uid, resource->uid) || !str_eq(now.status.operation.correlation_id, operation->correlation_id))
        return err_set(err, ERR_CONFLICT, "the resource has gone on to another operation");
    patch = cmk_encode_operation(operation, now.resource_version);
    return write_patch(context, resource, patch, NULL, err);
}

struct kube_port kube_port_make(struct kube_port_context *context)
{
    return (struct kube_port){.ctx = context, .write_status = write_status, .write_operation = write_operation};
}
