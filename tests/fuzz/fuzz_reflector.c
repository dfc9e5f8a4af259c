/* What the API server answers to lists and watches, in any order and with any failure in between: lists begin before
 * they end, and what a watch brings never goes back in time. Input: answers as in fuzz_script.h. */
#include "fuzz_kube.h"

#include "kube/reflector.h"

struct seen {
    struct http_cancel *cancel;
    bool listing, synced;
    char newest[32]; /* of what came after a list */
};

static void end(void *ctx)
{
    struct seen *seen = ctx;

    http_cancel_trigger(seen->cancel);
}

static void list_begin(void *ctx)
{
    struct seen *seen = ctx;

    seen->listing = true;
}

static void list_end(void *ctx)
{
    struct seen *seen = ctx;

    FUZZ_CHECK(seen->listing);
    seen->listing = false;
    seen->synced = true;
}

static void upsert(void *ctx, const cJSON *object)
{
    struct seen *seen = ctx;
    const char *version = json_string_at(object, "metadata.resourceVersion");
    int64_t now, before = 0;

    FUZZ_CHECK(seen->listing || seen->synced);
    FUZZ_CHECK(cJSON_IsObject(object));
    if (seen->listing || !str_to_i64(version ? version : "", 0, INT64_MAX, &now))
        return;
    (void)str_to_i64(seen->newest, 0, INT64_MAX, &before);
    FUZZ_CHECK(now >= before);
    (void)str_copy(seen->newest, sizeof(seen->newest), version);
}

static void removed(void *ctx, const char *ns, const char *name)
{
    const struct seen *seen = ctx;

    FUZZ_CHECK(seen->listing || seen->synced);
    FUZZ_CHECK(!str_empty(name));
    (void)ns;
}

static void trouble(void *ctx, const struct err *err, int64_t retry_in_ms)
{
    (void)ctx;
    FUZZ_CHECK(err->kind != ERR_NONE && *err->msg);
    FUZZ_CHECK(retry_in_ms >= 0 && retry_in_ms <= 3600000 * 2);
}

static void run(struct fuzz_script *script, bool no_watch_list)
{
    struct http_engine engine = {script};
    struct seen seen = {.cancel = http_cancel_new()};
    struct kube_client *client = fuzz_kube_client(&engine);
    const struct kube_reflector_options options = {
        .resource = &(const struct kube_resource){"cosmoscmk.io", "v1", "cosmoscmks"},
        .no_watch_list = no_watch_list,
        .backoff_base_ms = 1,
        .backoff_max_ms = 1,
        .cancel = seen.cancel,
        .list_begin = list_begin,
        .list_end = list_end,
        .upsert = upsert,
        .remove = removed,
        .trouble = trouble,
        .ctx = &seen};

    script->ended = end;
    script->ctx = &seen;
    kube_reflector_run(client, &options);
    (void)kube_client_free(client);
    (void)http_cancel_free(seen.cancel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_script first = fuzz_script_from(data, size, FUZZ_KUBE "/apis/cosmoscmk.io/v1/cosmoscmks?");
    struct fuzz_script second = first;

    if (memmem(data, size, "retry-after", 11) || memmem(data, size, "retryAfterSeconds", 17))
        return 0; /* which would be waited for */
    run(&first, false);
    run(&second, true);
    return 0;
}
