/* A CosmosCMK of the API server: what we write back about what we read is read as the same again, and nothing is lost
 * in the store. */
#include "fuzz.h"

#include "cmk/spec.h"
#include "controller/codec.h"
#include "controller/pack.h"

/* The status patch as text; *ret is what object says. NULL when it is no resource. */
static char *patch_of(const cJSON *object, struct cmk_resource *ret)
{
    struct err err = ERR_INIT;

    *ret = (struct cmk_resource){0};
    if (cmk_decode(ret, object, &err) < 0) {
        FUZZ_CHECK(err.kind == ERR_PROTOCOL && *err.msg);
        return NULL;
    }
    FUZZ_CHECK(ret->ns && ret->name && ret->uid && ret->resource_version);
    _cleanup_(json_freep) cJSON *patch = cmk_encode_status(&ret->status, ret->resource_version);
    return json_print(patch);
}

/* *resource goes through its packed form. */
static void repack(struct cmk_resource *resource)
{
    struct pool *pool = pool_new();
    struct packed *packed = pack(pool, resource);
    struct cmk_resource copy;

    unpack(pool, packed, &copy);
    FUZZ_CHECK(strcmp(copy.name, resource->name) == 0 && strcmp(copy.uid, resource->uid) == 0);
    cmk_resource_done(resource);
    *resource = copy;
    FUZZ_CHECK(!packed_free(pool, packed) && pool_len(pool) == 0);
    pool_free(pool);
}

static void put_status(cJSON *object, const char *patch_text)
{
    _cleanup_(json_freep) cJSON *patch = NULL;
    struct err err = ERR_INIT;

    FUZZ_CHECK(json_parse(&patch, patch_text, strlen(patch_text), &err) == 0);
    cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
    FUZZ_CHECK(cJSON_AddItemToObject(object, "status", cJSON_DetachItemFromObjectCaseSensitive(patch, "status")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(json_freep) cJSON *object = NULL;
    _cleanup_(cmk_resource_done) struct cmk_resource first = {0}, second = {0};
    struct err err = ERR_INIT;

    if (json_parse(&object, (const char *)data, size, &err) < 0)
        return 0;
    _cleanup_(freep) char *text = patch_of(object, &first);
    if (!text)
        return 0;
    if (cmk_spec_check(&first.spec, &err) == 0)
        (void)cmk_spec_unsupported(&first.spec);
    repack(&first);
    _cleanup_(json_freep) cJSON *patch = cmk_encode_status(&first.status, first.resource_version);
    _cleanup_(freep) char *unpacked = json_print(patch);
    FUZZ_CHECK(strcmp(text, unpacked) == 0);
    put_status(object, text);
    _cleanup_(freep) char *again = patch_of(object, &second);
    FUZZ_CHECK(again && strcmp(text, again) == 0);
    return 0;
}
