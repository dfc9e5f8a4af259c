/* Two controllers and one Lease: a clean hand-over, a take-over after kill -9, and a leader that stands still for
 * longer than its lease at each moment of an encryption, while the other one takes over and finishes the job. Whatever
 * happens: one PATCH, the same end, and the one that wakes up ends. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define POLL_MS 10

static const struct kube_resource leases = {.group = "coordination.k8s.io", .version = "v1", .plural = "leases"};

/* Short, but not so short that a busy machine loses it by itself. */
#define LEASE_MS 4000
#define QUICK(w)                                                                                                       \
    (const char *[])                                                                                                   \
    {                                                                                                                  \
        "--kubeconfig", the_apiserver()->kubeconfig, "--leader-elect=true", "--leader-elect-namespace", (w)->ns,       \
            "--leader-elect-lease-duration", "4s", "--leader-elect-renew-deadline", "3s",                              \
            "--leader-elect-retry-period", "500ms", NULL                                                               \
    }
#define DEFAULTS(w)                                                                                                    \
    (const char *[])                                                                                                   \
    {                                                                                                                  \
        "--kubeconfig", the_apiserver()->kubeconfig, "--leader-elect=true", "--leader-elect-namespace", (w)->ns, NULL  \
    }

/* "" when nobody holds it. */
static char *holder(struct world *w)
{
    _cleanup_(json_freep) cJSON *lease = NULL;
    struct err err = ERR_INIT;

    if (kube_get(the_kube(), &leases, w->ns, "cosmoscmk", &lease, &err) < 0) {
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        return xstrdup("");
    }
    const char *name = json_string_at(lease, "spec.holderIdentity");
    return xstrdup(name ? name : "");
}

/* Waits until somebody else holds it, and gives the new one. */
static char *await_other(struct world *w, const char *before)
{
    int64_t deadline = clock_mono_ms() + 2 * WAIT_MS;

    for (;;) {
        char *now = holder(w);
        if (!str_empty(now) && !str_eq(now, before))
            return now;
        free(now);
        if (clock_mono_ms() >= deadline)
            fail_msg("nobody has taken over from \"%s\"", before);
        clock_sleep_ms(POLL_MS);
    }
}

static bool log_has(struct world *w, const char *text)
{
    _cleanup_(buf_done) struct buf log = BUF_INIT(64 << 20);
    struct err err = ERR_INIT;

    return file_read(w->controller_log, &log, &err) == 0 && strstr(buf_str(&log), text);
}

static void await_log(struct world *w, const char *text)
{
    for (int64_t deadline = clock_mono_ms() + WAIT_MS; !log_has(w, text); clock_sleep_ms(POLL_MS))
        if (clock_mono_ms() >= deadline)
            fail_msg("the log never says %s", text);
}

/* ---- hand-over ---- */

/* By their own clocks the second would take 15 s if it did not see the release. */
static void a_clean_stop_hands_over(struct world *w)
{
    azure_start(w, NULL);
    struct process *first = controller_spawn(w, DEFAULTS(w), NULL);
    _cleanup_(freep) char *leader = await_other(w, "");
    controller_start(w, DEFAULTS(w));
    await_log(w, "\"standing by\"");
    process_signal(first, SIGTERM);
    int status = -1;
    assert_true(process_wait(first, WAIT_MS, &status));
    assert_int_equal(status, 0);
    int64_t begin = clock_mono_ms();
    free(await_other(w, leader));
    int64_t took = clock_mono_ms() - begin;
    (void)printf("             taken over after %lld ms\n", (long long)took);
    assert_true(took < 10000);
    (void)process_kill(first);
    resource_create(w, "orders", "demo-orders", NULL);
    await_end(w, "orders", "Encrypted");
    (void)controller_stop(w, WAIT_MS);
    _cleanup_(freep) char *last = holder(w);
    assert_string_equal(last, "");
}

static void a_kill_hands_over_when_the_lease_has_run_out(struct world *w)
{
    azure_start(w, NULL);
    struct process *first = controller_spawn(w, QUICK(w), NULL);
    _cleanup_(freep) char *leader = await_other(w, "");
    controller_start(w, QUICK(w));
    await_log(w, "\"standing by\"");
    resource_create(w, "orders", "demo-orders", NULL);
    azure_await_count(w, "PATCH", "demo-orders", 1);
    first = process_kill(first);
    int64_t begin = clock_mono_ms();
    free(await_other(w, leader));
    (void)printf(
        "             taken over after %lld ms, the lease is %d ms\n", (long long)(clock_mono_ms() - begin), LEASE_MS);
    await_end(w, "orders", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
}

static void one_that_stands_by_asks_and_changes_nothing(struct world *w)
{
    azure_start(w, NULL);
    struct process *first = controller_spawn(w, QUICK(w), NULL);
    free(await_other(w, ""));
    process_signal(first, SIGTERM);
    assert_true(process_wait(first, WAIT_MS, NULL));
    (void)process_kill(first);
    /* somebody whom nobody knows renews for ever: the tests' own hand */
    _cleanup_(json_freep) cJSON *patch = cJSON_CreateObject(), *answer = NULL;
    cJSON *spec = json_add_object(patch, "spec");
    struct err err = ERR_INIT;
    json_add_string(spec, "holderIdentity", "somebody");
    json_add_int(spec, "leaseDurationSeconds", 600);
    assert_int_equal(kube_merge_patch(the_kube(), &leases, w->ns, "cosmoscmk", NULL, patch, &answer, &err), 0);

    controller_start(w, QUICK(w));
    await_log(w, "\"leader\":\"somebody\"");
    resource_create(w, "orders", "demo-orders", NULL);
    await_log(w, "\"synced\"");
    clock_sleep_ms(LEASE_MS); /* that nothing happens can only be waited for */
    assert_int_equal(azure_count(w, NULL, NULL), 0);
    _cleanup_(json_freep) cJSON *object = resource_get(w, "orders");
    assert_null(json_at(object, "status.conditions"));
    assert_int_equal(controller_stop(w, WAIT_MS) < WAIT_MS, true);
    _cleanup_(freep) char *still = holder(w);
    assert_string_equal(still, "somebody");
}

/* ---- standing still ---- */

/* The number of the first PATCH among all requests of an undisturbed run. */
static int number_of_patch(struct world *w)
{
    azure_start(w, NULL);
    resource_create(w, "orders", "demo-orders", NULL);
    controller_start(w, NULL);
    await_end(w, "orders", "Encrypted");
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, NULL, NULL);
    int n = 0;
    const cJSON *entry;
    cJSON_ArrayForEach (entry, journal) {
        n++;
        if (str_eq(json_string_at(entry, "method"), "PATCH"))
            break;
    }
    controller_kill(w);
    resource_delete(w, "orders");
    w->azure = process_end(w->azure);
    free(TAKE_PTR(w->azure_url));
    _cleanup_(freep) char *ready = xasprintf("%s/azure.url", w->dir);
    (void)remove(ready);
    return n;
}

/* The answer to request n comes while its sender stands still: it is there when it wakes up. */
static void stands_still_at(struct world *w, int n)
{
    _cleanup_(freep) char *rule = xasprintf("{\"match\":{\"nth\":%d},\"action\":{\"delayMs\":1500}}", n);

    azure_start(w, NULL);
    azure_fault(w, rule);
    struct process *first = controller_spawn(w, QUICK(w), NULL);
    _cleanup_(freep) char *leader = await_other(w, "");
    controller_start(w, QUICK(w));
    await_log(w, "\"standing by\"");
    resource_create(w, "orders", "demo-orders", NULL);
    azure_await_count(w, NULL, NULL, n);
    process_signal(first, SIGSTOP);
    _cleanup_(freep) char *second = await_other(w, leader);
    await_end(w, "orders", "Encrypted");
    process_signal(first, SIGCONT);
    int status = -1;
    assert_true(process_wait(first, WAIT_MS, &status));
    assert_int_equal(status, 1);
    (void)process_kill(first);
    assert_true(log_has(w, "leadership lost"));
    assert_int_equal(azure_patches(w, "demo-orders"), 1);
    await_end(w, "orders", "Encrypted");
    _cleanup_(freep) char *last = holder(w);
    assert_string_equal(last, second);
}

static void before_the_write_ahead(struct world *w)
{
    int n = number_of_patch(w);

    assert_true(n > 3);
    stands_still_at(w, n - 2);
}

/* What comes right before the PATCH is a last look at the account, after the write-ahead. */
static void between_the_write_ahead_and_the_patch(struct world *w)
{
    stands_still_at(w, number_of_patch(w) - 1);
}

static void while_the_patch_is_answered(struct world *w)
{
    stands_still_at(w, number_of_patch(w));
}

static void during_the_operation(struct world *w)
{
    stands_still_at(w, number_of_patch(w) + 1);
}

int main(void)
{
    static const struct scene scenes[] = {
        {"a controller that is stopped hands over at once", a_clean_stop_hands_over,
            .no_crash = "two controllers, and signals of its own"},
        {"after kill -9 the other one takes over when the lease has run out, and finishes the job",
            a_kill_hands_over_when_the_lease_has_run_out, .no_crash = "two controllers, and signals of its own"},
        {"one that stands by asks Azure nothing and writes nothing", one_that_stands_by_asks_and_changes_nothing,
            .no_crash = "two controllers, and signals of its own"},
        {"a leader stands still before the write-ahead: one PATCH, the same end", before_the_write_ahead,
            .no_crash = "two controllers, and signals of its own"},
        {"a leader stands still between write-ahead and PATCH: one PATCH, the same end",
            between_the_write_ahead_and_the_patch, .no_crash = "two controllers, and signals of its own"},
        {"a leader stands still while its PATCH is answered: one PATCH, the same end", while_the_patch_is_answered,
            .no_crash = "two controllers, and signals of its own"},
        {"a leader stands still during the operation: one PATCH, the same end", during_the_operation,
            .no_crash = "two controllers, and signals of its own"},
    };

    return run_scenes("leader election", scenes, ARRAY_LEN(scenes));
}
