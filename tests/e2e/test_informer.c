/* What is watched: the namespaces and labels that were named, through every way in which a watch can end. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <signal.h>
#include <string.h>

static char *make_other_namespace(const struct world *w)
{
    const struct kube_resource namespaces = {.group = "", .version = "v1", .plural = "namespaces"};
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject(), *answer = NULL;
    char *name = xasprintf("%s-other", w->ns);
    struct err err = ERR_INIT;

    json_add_string(object, "apiVersion", "v1");
    json_add_string(object, "kind", "Namespace");
    json_add_string(json_add_object(object, "metadata"), "name", name);
    if (kube_create(the_kube(), &namespaces, NULL, object, &answer, &err) < 0)
        fail_msg("%s: %s", name, err.msg);
    return name;
}

static void in_namespace(struct world *w, char **ns)
{
    char *was = w->ns;

    w->ns = *ns;
    *ns = was;
}

static void two_namespaces(struct world *w)
{
    _cleanup_(freep) char *other = make_other_namespace(w);
    _cleanup_(freep) char *list = xasprintf("%s,%s", other, w->ns);

    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, (const char *const[]){"--namespace", list, NULL});
    await_end(w, "orders", "Encrypted");
    in_namespace(w, &other);
    resource_create(w, "legacy", "demo-legacy", NULL);
    await_end(w, "legacy", "UnsupportedAccount");
    /* Of another namespace, but for the same account; younger also by the whole seconds of a time of creation. */
    clock_sleep_ms(1001);
    resource_create(w, "orders-again", "demo-orders", NULL);
    await_end(w, "orders-again", "AccountConflict");
    in_namespace(w, &other);
    resource_delete(w, "orders");
    in_namespace(w, &other);
    await_end(w, "orders-again", "Encrypted");
    in_namespace(w, &other);
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void namespace_that_is_none(struct world *w)
{
    int status = -1;

    azure_start(w, NULL);
    controller_start(w, (const char *const[]){"--namespace", "Not_A_Name", NULL});
    assert_true(process_wait(w->controller, WAIT_MS, &status));
    assert_int_equal(status, 1);
}

static void labels(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    resource_create(w, "legacy", "demo-legacy", NULL);
    resource_patch(w, "orders", "{\"metadata\":{\"labels\":{\"shard\":\"1\"}}}");
    controller_start(w, (const char *const[]){"--selector", "shard=1", NULL});
    await_end(w, "orders", "Encrypted");
    /* It leaves, and what it asks for then is not done. */
    resource_patch(w, "orders", "{\"metadata\":{\"labels\":{\"shard\":\"2\"}}}");
    resource_patch(w, "orders", "{\"spec\":{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}}");
    resource_patch(w, "legacy", "{\"metadata\":{\"labels\":{\"shard\":\"1\"}}}");
    await_end(w, "legacy", "UnsupportedAccount");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    resource_patch(w, "orders", "{\"metadata\":{\"labels\":{\"shard\":\"1\"}}}");
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

/* Other tests watch the same server: they are used to such things. */
static void expired_watch(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    json_free(apiserver_ask("POST", "/fake/compact", NULL));
    json_free(apiserver_ask("POST", "/fake/drop-watches?gone=true", NULL));
    resource_create(w, "legacy", "demo-legacy", NULL);
    await_end(w, "legacy", "UnsupportedAccount");
    json_free(apiserver_ask("POST", "/fake/drop-watches", NULL));
    resource_delete(w, "legacy");
    resource_create(w, "legacy", "demo-legacy", NULL);
    await_end(w, "legacy", "UnsupportedAccount");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void await_logged(struct world *w, const char *text)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (;;) {
        const char *const args[] = {"grep", "-F", text, w->controller_log, NULL};
        struct process_spec spec = {.name = "grep"};
        _cleanup_(buf_done) struct buf output = {0};
        memcpy(spec.argv, args, sizeof(args));
        if (process_run(&spec, WAIT_MS, &output) == 0)
            return;
        if (clock_mono_ms() >= deadline)
            fail_msg("the controller's log does not say: %s", text);
        clock_sleep_ms(100);
    }
}

/* The controller sleeps while the world changes many times over: what it missed it finds. */
static void long_sleep(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    resource_create(w, "legacy", "demo-legacy", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    await_end(w, "legacy", "UnsupportedAccount");
    process_signal(w->controller, SIGSTOP);
    resource_delete(w, "legacy");
    for (int i = 0; i < 300; i++) {
        _cleanup_(freep) char *patch = xasprintf("{\"metadata\":{\"annotations\":{\"round\":\"%d\"}}}", i);
        resource_patch(w, "orders", patch);
    }
    resource_patch(w, "orders", "{\"spec\":{\"keyVaultKeyUri\":\"" OTHER_KEY "\"}}");
    resource_create(w, "legacy", "demo-legacy", "\"suspend\":true");
    process_signal(w->controller, SIGCONT);
    await_end(w, "orders", "Encrypted");
    await_end(w, "legacy", "Suspended");
    assert_int_equal(azure_patches(w, "demo-orders"), 2);
}

static void a_start_that_says_what_it_found(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_logged(w, "\"msg\":\"synced\",\"resources\":1");
    await_end(w, "orders", "Encrypted");
}

int main(void)
{
    static const struct scene scenes[] = {
        {"resources of every namespace that is named are looked after, as one fleet", two_namespaces},
        {"a name that no namespace can have is refused at the start", namespace_that_is_none,
            .no_crash = "no controller comes up"},
        {"a resource that stops matching the selector is let go, and taken up again", labels},
        {"a watch that has expired is listed anew, one that was closed resumes", expired_watch, true},
        {"what happened while the controller slept is found", long_sleep},
        {"the start says how many resources it found", a_start_that_says_what_it_found},
    };

    return run_scenes("informer", scenes, ARRAY_LEN(scenes));
}
