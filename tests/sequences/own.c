/* The controller's own opinion of a spec: what stands in the rows spec-invalid, spec-unsupported and zone-unknown. */
#include "sequences/values.h"

#include "base/tz_file.h"
#include "cmk/spec.h"
#include "controller/codec.h"

const char *own_name(enum own own)
{
    static const char *const names[] = {"accepts", "InvalidSpec", "UnsupportedSpec"};

    return names[own];
}

static int look(const struct cmk_resource *resource, struct err *why)
{
    struct tz *zone = NULL;

    if (cmk_spec_check(&resource->spec, why) < 0)
        return OWN_INVALID;
    const char *unsupported = cmk_spec_unsupported(&resource->spec);
    if (unsupported) {
        (void)err_set(why, ERR_INVALID, "%s", unsupported);
        return OWN_UNSUPPORTED;
    }
    if (resource->spec.window.present && tz_load(&zone, resource->spec.window.time_zone, NULL, why) < 0)
        return OWN_INVALID;
    (void)tz_free(zone);
    return OWN_ACCEPTS;
}

enum own own_verdict(const cJSON *spec, struct err *why)
{
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    cJSON *metadata = json_add_object(object, "metadata");
    struct cmk_resource resource;

    json_add_string(metadata, "name", "orders");
    json_add_string(metadata, "namespace", "payments");
    json_add_string(metadata, "uid", "1");
    json_add_string(metadata, "resourceVersion", "1");
    if (spec)
        cJSON_AddItemToObject(object, "spec", cJSON_Duplicate(spec, true));
    if (cmk_decode(&resource, object, why) < 0)
        return OWN_INVALID;
    enum own own = (enum own)look(&resource, why);
    cmk_resource_done(&resource);
    return own;
}
