/* What the API server answers about a Lease: whoever leads has had its last write accepted, and every write but the
 * first is on condition of the version that was last seen. Input: answers as in fuzz_script.h; the leadership lasts for
 * as long as there are some. */
#include "fuzz_kube.h"

#include "kube/lease.h"

#include <pthread.h>

struct scene {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over; /* under the lock */
    char *identity;
    int writes;
};

static void end(void *ctx)
{
    struct scene *scene = ctx;

    (void)pthread_mutex_lock(&scene->lock);
    scene->over = true;
    (void)pthread_cond_signal(&scene->changed);
    (void)pthread_mutex_unlock(&scene->lock);
}

static void asked(void *ctx, const struct http_request *request)
{
    struct scene *scene = ctx;
    _cleanup_(json_freep) cJSON *body = NULL;
    struct err err = ERR_INIT;

    if (str_eq(request->method, "GET"))
        return;
    scene->writes++;
    FUZZ_CHECK(json_parse(&body, request->body, request->body_len, &err) == 0);
    FUZZ_CHECK(str_eq(request->method, "POST") || !str_empty(json_string_at(body, "metadata.resourceVersion")));
    const char *holder = json_string_at(body, "spec.holderIdentity");
    FUZZ_CHECK(str_eq(holder, scene->identity) || str_eq(holder, "")); /* "": given back */
}

static void started(void *ctx)
{
    const struct scene *scene = ctx;

    FUZZ_CHECK(scene->writes > 0); /* nobody leads by what it has read */
}

static void stopped(void *ctx, const char *why)
{
    FUZZ_CHECK(*why);
    end(ctx);
}

static void new_leader(void *ctx, const char *holder, bool is_us)
{
    const struct scene *scene = ctx;

    FUZZ_CHECK(!str_empty(holder) && is_us == str_eq(holder, scene->identity));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct fuzz_script script = fuzz_script_from(data, size, FUZZ_KUBE "/apis/coordination.k8s.io/v1/");
    struct http_engine engine = {&script};
    _cleanup_(kube_client_freep) struct kube_client *client = fuzz_kube_client(&engine);
    const struct kube_lease_options options = {.client = client,
        .ns = "ns",
        .name = "lease",
        .lease_duration_ms = 12,
        .renew_deadline_ms = 8,
        .retry_period_ms = 1,
        .started_leading = started,
        .stopped_leading = stopped,
        .new_leader = new_leader,
        .ctx = &scene};
    struct kube_lease *lease = NULL;
    struct err err = ERR_INIT;

    script.asked = asked;
    script.ended = end;
    script.ctx = &scene;
    FUZZ_CHECK(kube_lease_new(&lease, &options, &err) == 0);
    scene.identity = xstrdup(kube_lease_identity(lease));
    kube_lease_start(lease);
    (void)pthread_mutex_lock(&scene.lock);
    while (!scene.over)
        (void)pthread_cond_wait(&scene.changed, &scene.lock);
    (void)pthread_mutex_unlock(&scene.lock);
    (void)kube_lease_release(lease);
    free(scene.identity);
    return 0;
}
