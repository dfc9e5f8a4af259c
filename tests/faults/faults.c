/* One call of one function fails, at each position in turn, while the real controller starts, takes an account through
 * all its steps against the fakes, is scraped and is told to stop.
 *
 *     faults [--most N] [--cases N] [--seed N] [--only FUNCTION]     all functions, at most N positions of each
 *     faults --case FUNCTION N [NAMES...]                             the one case
 *
 * What is allowed: the controller goes on and comes to the same end; or it ends by itself, with a status other than 0
 * and a sentence that says why, and another one, without faults, comes to the same end. The end is: Ready because the
 * account was read back with the key, as many accepted PATCHes as steps, /readyz and /metrics served, an orderly stop.
 * Anything else is a finding: to hang, to crash, to leak, to end without a word, to stay but not serve.
 *
 * Positions are counted in an undisturbed run. A function with more of them than --most is tried at the first half of
 * that number and at positions drawn with the seed for the rest; --cases then draws so many of all of them. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "e2e/files.h"
#include "e2e/harness.h"
#include "e2e/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STEPS 3
#define AT_ONCE 6
#define CASE_MS 300000
#define END_MS 40000  /* for anything that takes two seconds on an idle machine */
#define STOP_MS 60000 /* drain, flush, requests to be cancelled; and a sanitizer that looks for leaks */
#define RESTARTS 5
#define POLL_MS 20
#define LOG_MAX ((size_t)64 << 20)
#define OUTPUT_BYTES 20000
#define STATUS_ABORTED (128 + SIGABRT)

/* The case that this process is. */
static struct {
    const char *function; /* NULL: the undisturbed run */
    const char *position;
    const char *counts; /* where to leave the counts */
    int probes_port;
} the_case;

/* ---- one run ---- */

static const char *const azure_flags[] = {
    "--identity-seconds", "0.05", "--encrypt-seconds", "0.1", "--enqueued-seconds", "0.02", NULL};

static void start(struct world *w, bool disturbed)
{
    static const char *const flags[] = {"--leader-elect=true", "--leader-elect-lease-duration", "3s",
        "--leader-elect-renew-deadline", "2s", "--leader-elect-retry-period", "200ms", "--leader-elect-namespace",
        "default", "--leader-elect-name", "PLACE", "--metrics-address", "127.0.0.1:0", "--probe-address", "PROBES",
        NULL};
    const char *own[ARRAY_LEN(flags)];
    _cleanup_(freep) char *probes = xasprintf("127.0.0.1:%d", the_case.probes_port = free_port());
    _cleanup_(freep) char *fault = disturbed && the_case.function
                                       ? xasprintf("COSMOSCMK_FAULT=%s:%s", the_case.function, the_case.position)
                                       : xstrdup("COSMOSCMK_FAULT");
    _cleanup_(freep) char *log = xasprintf("COSMOSCMK_FAULT_LOG=%s/fired", w->dir);
    _cleanup_(freep) char *counts =
        the_case.counts ? xasprintf("COSMOSCMK_FAULT_COUNTS=%s", the_case.counts) : xstrdup("COSMOSCMK_FAULT_COUNTS");
    const char *env[] = {
        "LD_PRELOAD=" FAULTS_LIBRARY, "ASAN_OPTIONS=verify_asan_link_order=0", fault, log, counts, NULL};

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        own[i] = str_eq(flags[i], "PLACE") ? w->ns : str_eq(flags[i], "PROBES") ? probes : flags[i];
    controller_start_env(w, own, disturbed ? env : NULL);
}

static char *log_text(const struct world *w)
{
    struct buf log = BUF_INIT(LOG_MAX);
    struct err err = ERR_INIT;

    (void)file_read(w->controller_log, &log, &err);
    return buf_take(&log);
}

/* The sentence of a process that has ended by itself: a line of the log, or one without a format when there was no
 * memory for that. NULL: there is none. The caller frees it. */
static char *last_words(const char *log)
{
    const char *found = NULL;

    for (const char *line = log; *line;) {
        size_t n = strcspn(line, "\n");
        _cleanup_(freep) char *text = xstrndup(line, n);
        if (strstr(text, "\"level\":\"error\"") || str_has_prefix(text, "cosmoscmk: "))
            found = line;
        line += n + (line[n] == '\n');
    }
    return found ? xstrndup(found, strcspn(found, "\n")) : NULL;
}

static bool is_encrypted(struct world *w)
{
    _cleanup_(json_freep) cJSON *object = resource_get(w, "ledger");

    return str_eq(json_string_at(condition_of(object, "Ready"), "reason"), "Encrypted");
}

/* Never Ready for what is not so. */
static void assert_true_in_azure(struct world *w)
{
    _cleanup_(json_freep) cJSON *account = azure_ask(w, "GET", "/fake/accounts/demo-ledger", NULL);
    _cleanup_(freep) char *text = json_print(account);
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, "PATCH", "/databaseAccounts/demo-ledger");
    int accepted = 0;
    const cJSON *entry;

    if (!strstr(text, "\"" KEY "\""))
        fail_msg("the resource is Ready, and the account is not encrypted: %s", text);
    cJSON_ArrayForEach (entry, journal) {
        const cJSON *status = json_member(entry, "status");
        accepted += cJSON_IsNumber(status) && status->valueint >= 200 && status->valueint < 300;
    }
    assert_int_equal(accepted, STEPS);
}

/* True when it has ended by itself, as it may; its words are printed. */
static bool has_ended(struct world *w)
{
    int status = 0;

    if (!process_wait(w->controller, 0, &status))
        return false;
    _cleanup_(freep) char *log = log_text(w), *words = last_words(log);
    w->controller = process_kill(w->controller);
    if (status == 0)
        fail_msg("it ended by itself with status 0");
    if (status != 1 && status != STATUS_ABORTED)
        fail_msg("it ended with status %d", status);
    if (!words)
        fail_msg("it ended with status %d and without a word", status);
    (void)printf("words: %s\n", words);
    return true;
}

/* ---- what it serves ---- */

static int64_t port_of(const char *log, const char *message)
{
    _cleanup_(freep) char *wanted = xasprintf("\"msg\":\"%s\"", message);
    const char *line = strstr(log, wanted), *port = line ? strstr(line, "\"port\":") : NULL;

    return port && port < line + strcspn(line, "\n") ? strtol(port + strlen("\"port\":"), NULL, 10) : -1;
}

/* The status that curl sees, or 0. */
static int status_of(const char *url)
{
    const struct process_spec spec = {.name = "curl",
        .argv = {"curl", "-sk", "--noproxy", "*", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "-H",
            "Authorization: Bearer nobody", url}};
    _cleanup_(buf_done) struct buf output = {0};

    (void)process_run(&spec, END_MS, &output);
    return (int)strtol(buf_str(&output), NULL, 10);
}

/* A fault may hit one request, and one that started anew needs its first list before it is ready. */
static void scrape(struct world *w)
{
    _cleanup_(freep) char *log = log_text(w);
    int64_t metrics = port_of(log, "serving metrics"), deadline = clock_mono_ms() + END_MS;
    _cleanup_(freep) char *a = xasprintf("https://127.0.0.1:%lld/metrics", (long long)metrics);
    _cleanup_(freep) char *b = xasprintf("http://127.0.0.1:%d/readyz", the_case.probes_port);
    int at_metrics = metrics < 0 ? 401 : 0, at_probes = 0; /* the line that says where may have been lost */

    for (;; clock_sleep_ms(POLL_MS)) {
        at_metrics = at_metrics == 401 ? 401 : status_of(a);
        at_probes = at_probes == 200 ? 200 : status_of(b);
        if (at_metrics == 401 && at_probes == 200)
            return;
        if (process_wait(w->controller, 0, NULL))
            return; /* which is looked into after this */
        if (clock_mono_ms() >= deadline)
            fail_msg("it lives and does not serve: /metrics gives %d, /readyz %d", at_metrics, at_probes);
    }
}

/* ---- the case ---- */

static bool stop(struct world *w)
{
    int status = -1;

    process_signal(w->controller, SIGTERM);
    if (!process_wait(w->controller, STOP_MS, &status))
        fail_msg("it does not stop");
    if (status != 0)
        return has_ended(w);
    w->controller = process_kill(w->controller);
    return false;
}

/* True when it ended before the end was reached, or instead of it. */
static bool live(struct world *w)
{
    int64_t deadline = clock_mono_ms() + END_MS;

    while (!is_encrypted(w)) {
        if (has_ended(w))
            return true;
        if (clock_mono_ms() >= deadline)
            fail_msg("it neither ends nor comes to an end");
        clock_sleep_ms(POLL_MS);
    }
    assert_true_in_azure(w);
    scrape(w);
    return has_ended(w) || stop(w);
}

static void one(struct world *w)
{
    _cleanup_(freep) char *fired = xasprintf("%s/fired", w->dir);
    _cleanup_(buf_done) struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;

    azure_start(w, azure_flags);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    start(w, true);
    bool ended = live(w);
    for (int i = 0; ended && i < RESTARTS; i++) {
        (void)remove(w->controller_log);
        start(w, false);
        if (!live(w))
            break;
        assert_true(i + 1 < RESTARTS);
    }
    assert_true_in_azure(w);
    bool hit = file_read(fired, &text, &err) == 0;
    assert_true(hit || !ended);
    (void)printf("outcome: %s\n", !hit ? "not reached" : ended ? "ended" : "went on");
}

/* ---- all cases ---- */

struct tally {
    const char *function;
    int64_t calls;
    int tried, went_on, ended, not_reached, failed;
};

static struct {
    int64_t most, cases, seed;
    const char *only;
    uint64_t dice;
} plan = {.most = 40};

static struct tally tallies[128];
static size_t n_tallies;
static const char *program;

/* splitmix64: the same cases for the same seed, on every machine. */
static uint64_t draw(uint64_t bound)
{
    uint64_t z = (plan.dice += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31)) % bound;
}

static void prepare(struct pool_job *job, const char *dir, const char *function, int64_t position)
{
    char *const *env = the_apiserver()->env;

    *job = (struct pool_job){.timeout_ms = CASE_MS,
        .spec = {.name = "case",
            .argv = {program, "--case", function, xasprintf("%lld", (long long)position)},
            .out = xasprintf("%s/%s-%lld", dir, function, (long long)position)}};
    for (size_t i = 0; env[i]; i++)
        job->spec.env[i] = env[i];
}

static void forget(struct pool_job *job)
{
    free((char *)job->spec.argv[3]);
    free((char *)job->spec.out);
}

static struct tally *tally_of(const char *function)
{
    for (size_t i = 0; i < n_tallies; i++)
        if (str_eq(tallies[i].function, function))
            return &tallies[i];
    return NULL;
}

static void report(const struct pool_job *job)
{
    struct tally *tally = tally_of(job->spec.argv[2]);
    _cleanup_(buf_done) struct buf output = BUF_INIT(LOG_MAX);
    struct err err = ERR_INIT;

    (void)file_read(job->spec.out, &output, &err);
    tally->tried++;
    tally->went_on += strstr(buf_str(&output), "outcome: went on") != NULL;
    tally->ended += strstr(buf_str(&output), "outcome: ended") != NULL;
    tally->not_reached += strstr(buf_str(&output), "outcome: not reached") != NULL;
    if (job->status == 0)
        return;
    tally->failed++;
    (void)fprintf(stderr, "FAILED: --case %s %s\n", job->spec.argv[2], job->spec.argv[3]);
    print_tail("its output", job->spec.out, OUTPUT_BYTES, stderr);
}

/* The undisturbed run, and how often it called what. */
static void count(struct world *w)
{
    _cleanup_(freep) char *path = xasprintf("%s/counts", w->dir);
    _cleanup_(buf_done) struct buf text = BUF_INIT(65536);
    struct err err = ERR_INIT;

    the_case.counts = path;
    azure_start(w, azure_flags);
    resource_create(w, "ledger", "demo-ledger", "\"defaultIdentity\":\"" IDENTITY "\"");
    start(w, true);
    assert_false(live(w));
    the_case.counts = NULL;
    if (file_read(path, &text, &err) < 0)
        fail_msg("%s", err.msg);
    for (const char *line = buf_str(&text); *line && n_tallies < ARRAY_LEN(tallies);) {
        const char *space = strchr(line, ' '), *end = strchr(line, '\n');
        assert_true(space && end);
        tallies[n_tallies++] =
            (struct tally){.function = xstrndup(line, (size_t)(space - line)), .calls = strtol(space, NULL, 10)};
        line = end + 1;
    }
    assert_true(n_tallies > 20);
}

/* The n-th of the positions of a function that are tried. */
static int64_t position_of(const struct tally *tally, int64_t n)
{
    if (tally->calls <= plan.most || n < plan.most / 2)
        return n + 1;
    return 1 + (int64_t)draw((uint64_t)tally->calls);
}

static size_t make_jobs(const struct world *w, struct pool_job **ret)
{
    struct pool_job *jobs = NULL;
    size_t n = 0;

    for (size_t i = 0; i < n_tallies; i++) {
        const struct tally *tally = &tallies[i];
        int64_t tries = tally->calls < plan.most ? tally->calls : plan.most;
        if (plan.only && !str_eq(plan.only, tally->function))
            continue;
        jobs = xrealloc(jobs, (n + (size_t)tries) * sizeof(*jobs));
        for (int64_t t = 0; t < tries; t++)
            prepare(&jobs[n++], w->dir, tally->function, position_of(tally, t));
    }
    for (size_t i = 0; plan.cases && i < n && i < (size_t)plan.cases; i++) { /* so many, drawn to the front */
        size_t other = i + draw(n - i);
        struct pool_job job = jobs[i];
        jobs[i] = jobs[other];
        jobs[other] = job;
    }
    for (; plan.cases && n > (size_t)plan.cases; n--)
        forget(&jobs[n - 1]);
    *ret = jobs;
    return n;
}

static void print_table(void)
{
    struct tally all = {0};

    (void)printf(
        "%-24s %9s %6s %8s %6s %12s %7s\n", "function", "calls", "tried", "went on", "ended", "not reached", "failed");
    for (size_t i = 0; i < n_tallies; i++) {
        const struct tally *t = &tallies[i];
        if (!t->tried)
            continue;
        (void)printf("%-24s %9lld %6d %8d %6d %12d %7d\n", t->function, (long long)t->calls, t->tried, t->went_on,
            t->ended, t->not_reached, t->failed);
        all.calls += t->calls;
        all.tried += t->tried;
        all.went_on += t->went_on;
        all.ended += t->ended;
        all.not_reached += t->not_reached;
        all.failed += t->failed;
    }
    (void)printf("%-24s %9lld %6d %8d %6d %12d %7d\n", "all", (long long)all.calls, all.tried, all.went_on, all.ended,
        all.not_reached, all.failed);
}

static void every_one(struct world *w)
{
    struct pool_job *jobs = NULL;
    int64_t begin = clock_mono_ms();

    count(w);
    size_t n = make_jobs(w, &jobs);
    (void)printf("%zu cases of %zu functions, seed %lld\n", n, n_tallies, (long long)plan.seed);
    (void)fflush(stdout);
    size_t failed = pool_run(jobs, n, AT_ONCE, report, NULL);
    print_table();
    (void)printf("%lld s\n", (long long)(clock_mono_ms() - begin) / 1000);
    for (size_t i = 0; i < n; i++)
        forget(&jobs[i]);
    free(jobs);
    for (size_t i = 0; i < n_tallies; i++)
        free((char *)tallies[i].function);
    assert_int_equal(failed, 0);
}

static bool take_argument(const char *name, const char *value)
{
    if (str_eq(name, "--only"))
        plan.only = value;
    else if (str_eq(name, "--most"))
        return str_to_i64(value, 1, 1000000, &plan.most);
    else if (str_eq(name, "--cases"))
        return str_to_i64(value, 1, 1000000, &plan.cases);
    else if (str_eq(name, "--seed"))
        return str_to_i64(value, 0, INT64_MAX, &plan.seed);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static const struct scene one_case[] = {{"one call fails", one}};
    static const struct scene all[] = {{"whatever call fails, the end is the same, or it says why", every_one}};

    program = argv[0];
    plan.seed = (int64_t)random_below(1000000);
    if (argc == 4 && str_eq(argv[1], "--case")) {
        the_case.function = argv[2];
        the_case.position = argv[3];
        return run_scenes("one fault", one_case, ARRAY_LEN(one_case));
    }
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !take_argument(argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "usage: faults [--most N] [--cases N] [--seed N] [--only FUNCTION]\n");
            return 2;
        }
    plan.dice = (uint64_t)plan.seed;
    return run_scenes("faults", all, ARRAY_LEN(all));
}
