/* kill -9 at every effect: just before and just after each request to Azure, and each write to Kubernetes, of the way
 * of an account with three steps. Whatever was lost, the account ends Ready and no step is accepted twice.
 *
 * The requests of an undisturbed run are counted first. Then every case is a run of this program with --case, several
 * at a time: its controller is stopped by a fault at request n (held: the request has no effect; answered late: it has,
 * but nobody knows), killed, and started again. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/harness.h"
#include "e2e/pool.h"

#include <stdio.h>
#include <string.h>

#define STEPS 3
#define AT_ONCE 10
#define CASE_MS 120000
#define POLL_MS 20
#define OUTPUT_BYTES 30000

enum where { AT_AZURE, AT_KUBERNETES };

/* The case that this process is. */
static struct {
    enum where where;
    bool after;
    int n;
} the_case;

static const char *program;

/* One look at the operation in its time, so that every run makes the same requests. */
static const char *const controller_flags[] = {"--poll-min", "600ms", "--poll-max", "600ms", "--resync", "1h", NULL};

static int seen(struct world *w, enum where where)
{
    return where == AT_AZURE ? azure_count(w, NULL, NULL) : apiserver_count(w, "PATCH");
}

static bool is_encrypted(struct world *w)
{
    _cleanup_(json_freep) cJSON *object = resource_get(w, "ledger");

    return str_eq(json_string_at(condition_of(object, "Ready"), "reason"), "Encrypted");
}

static void arm(struct world *w)
{
    _cleanup_(freep) char *rule = xasprintf("{\"match\":{%s%s%s\"nth\":%d},\"action\":{%s}}",
        the_case.where == AT_AZURE ? "" : "\"method\":\"PATCH\",\"pathContains\":\"",
        the_case.where == AT_AZURE ? "" : w->ns, the_case.where == AT_AZURE ? "" : "\",", the_case.n,
        the_case.after ? "\"delayMs\":600000" : "\"hold\":true");

    if (the_case.where == AT_AZURE)
        azure_fault(w, rule);
    else
        json_free(apiserver_ask("POST", "/fake/faults", rule));
}

/* False when the run was over before: it made fewer requests this time. */
static bool await_request(struct world *w)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    while (seen(w, the_case.where) < the_case.n) {
        if (is_encrypted(w))
            return false;
        if (clock_mono_ms() >= deadline)
            fail_msg("request %d was never made", the_case.n);
        clock_sleep_ms(POLL_MS);
    }
    return true;
}

/* The journal's n-th request was a PATCH that never had an effect. */
static bool lost_a_patch(struct world *w)
{
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, NULL, NULL);

    return the_case.where == AT_AZURE && !the_case.after &&
           str_eq(json_string_at(cJSON_GetArrayItem(journal, the_case.n - 1), "method"), "PATCH");
}

static void survives(struct world *w)
{
    azure_start(w, NULL);
    arm(w);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    controller_start(w, controller_flags);
    if (!await_request(w)) {
        (void)printf("request %d was not made this time\n", the_case.n);
        return;
    }
    controller_kill(w);
    azure_heal(w);
    controller_start(w, controller_flags);
    await_end(w, "ledger", "Encrypted");
    assert_int_equal(azure_patches(w, "demo-ledger"), STEPS + (lost_a_patch(w) ? 1 : 0));
}

/* ---- all cases ---- */

static void report(const struct pool_job *job)
{
    if (job->status == 0)
        return;
    (void)fprintf(stderr, "case %s %s %s failed:\n", job->spec.argv[2], job->spec.argv[3], job->spec.argv[4]);
    print_tail("its output", job->spec.out, OUTPUT_BYTES, stderr);
}

static size_t run_cases(struct world *w, const char *where, const char *when, int n)
{
    _cleanup_(freep) struct pool_job *jobs = xcalloc((size_t)n, sizeof(*jobs));
    char *const *env = the_apiserver()->env;

    for (int i = 0; i < n; i++) {
        struct process_spec *spec = &jobs[i].spec;
        *spec = (struct process_spec){.name = "case",
            .argv = {program, "--case", where, when, xasprintf("%d", i + 1)},
            .out = xasprintf("%s/%s-%s-%d", w->dir, where, when, i + 1)};
        jobs[i].timeout_ms = CASE_MS;
        for (size_t j = 0; env[j]; j++)
            spec->env[j] = env[j];
    }
    size_t failed = pool_run(jobs, (size_t)n, AT_ONCE, report, NULL);
    for (int i = 0; i < n; i++) {
        free((char *)jobs[i].spec.argv[4]);
        free((char *)jobs[i].spec.out);
    }
    return failed;
}

static void kill_at_each(struct world *w, enum where where, const char *when)
{
    azure_start(w, NULL);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    controller_start(w, controller_flags);
    await_end(w, "ledger", "Encrypted");
    int n = seen(w, where);
    assert_int_equal(azure_patches(w, "demo-ledger"), STEPS);
    assert_true(n >= 2 * STEPS);
    (void)printf("             %d cases\n", n);
    (void)fflush(stdout);
    assert_int_equal(run_cases(w, where == AT_AZURE ? "azure" : "kubernetes", when, n), 0);
}

static void before_each_azure_request(struct world *w)
{
    kill_at_each(w, AT_AZURE, "before");
}

static void after_each_azure_request(struct world *w)
{
    kill_at_each(w, AT_AZURE, "after");
}

static void before_each_status_write(struct world *w)
{
    kill_at_each(w, AT_KUBERNETES, "before");
}

static void after_each_status_write(struct world *w)
{
    kill_at_each(w, AT_KUBERNETES, "after");
}

int main(int argc, char **argv)
{
    static const struct scene one[] = {{"the controller is killed at one request and starts again", survives}};
    static const struct scene all[] = {
        {"kill -9 just before each request to Azure loses and repeats nothing", before_each_azure_request},
        {"kill -9 just after each request to Azure loses and repeats nothing", after_each_azure_request},
        {"kill -9 just before each status write loses and repeats nothing", before_each_status_write,
            .fake_only = true},
        {"kill -9 just after each status write loses and repeats nothing", after_each_status_write, .fake_only = true},
    };
    int64_t n = 0;

    program = argv[0];
    if (argc == 5 && str_eq(argv[1], "--case") && str_to_i64(argv[4], 1, 10000, &n)) {
        the_case.where = str_eq(argv[2], "azure") ? AT_AZURE : AT_KUBERNETES;
        the_case.after = str_eq(argv[3], "after");
        the_case.n = (int)n;
        return run_scenes("one crash", one, ARRAY_LEN(one));
    }
    return run_scenes("crashes", all, ARRAY_LEN(all));
}
