/* e2e_run fake|real PROGRAM...: one API server, and all programs of the suite against it, a few at a time.
 *
 * It has deadlines of its own, below those of ctest, because only an orderly end stops the real API server. */
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/apiserver.h"
#include "e2e/pool.h"

#include <signal.h>
#include <string.h>

#define AT_ONCE 5 /* they mostly wait */
#define FAKE_LIMIT_MS 270000
#define REAL_LIMIT_MS 600000
#define SKIPPED 77
#define OUTPUT_BYTES 1000000

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number _unused_)
{
    told_to_stop = 1;
}

static bool is_told_to_stop(void)
{
    return told_to_stop != 0;
}

static void report(const struct pool_job *job)
{
    (void)printf("---- %s: %s after %lld.%03lld s\n", job->spec.name, job->status == 0 ? "passed" : "FAILED",
        (long long)job->took_ms / 1000, (long long)job->took_ms % 1000);
    print_tail("its output", job->spec.out, OUTPUT_BYTES, stdout);
    (void)fflush(stdout);
}

static size_t run_all(const struct apiserver *server, char **programs, size_t n, int64_t limit_ms)
{
    _cleanup_(freep) struct pool_job *jobs = xcalloc(n, sizeof(*jobs));

    for (size_t i = 0; i < n; i++) {
        const char *slash = strrchr(programs[i], '/');
        jobs[i] = (struct pool_job){
            .spec = {.name = slash ? slash + 1 : programs[i], .argv = {programs[i]}}, .timeout_ms = limit_ms};
        jobs[i].spec.out = xasprintf("%s/%s.out", server->dir, jobs[i].spec.name);
        for (size_t j = 0; j < ARRAY_LEN(server->env) && server->env[j]; j++)
            jobs[i].spec.env[j] = server->env[j];
    }
    size_t failed = pool_run(jobs, n, AT_ONCE, report, is_told_to_stop);
    for (size_t i = 0; i < n; i++)
        free((char *)jobs[i].spec.out);
    return failed;
}

static int without_assets(void)
{
    const bool must = env_get("CI") != NULL;

    (void)fprintf(stderr,
        "%s: the end-to-end suite did not run against a real API server, because KUBEBUILDER_ASSETS is not set.\n"
        "    export KUBEBUILDER_ASSETS=$(hack/envtest.sh)\n",
        must ? "FAILED" : "SKIPPED");
    return must ? 1 : SKIPPED;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = on_signal};
    bool real = argc > 1 && str_eq(argv[1], "real");
    struct apiserver server;

    if (argc < 3 || (!real && !str_eq(argv[1], "fake"))) {
        (void)fprintf(stderr, "usage: e2e_run fake|real PROGRAM...\n");
        return 2;
    }
    if (real && !env_get("KUBEBUILDER_ASSETS"))
        return without_assets();
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    int64_t begin = clock_mono_ms();
    apiserver_start(&server, real);
    size_t failed = run_all(&server, argv + 2, (size_t)argc - 2, real ? REAL_LIMIT_MS : FAKE_LIMIT_MS);
    apiserver_done(&server);
    (void)printf("%s against %s after %lld s\n", failed ? "FAILED" : "passed",
        real ? "the real API server" : "fake-apiserver", (long long)(clock_mono_ms() - begin) / 1000);
    return failed ? 1 : 0;
}
