/* e2e_crash_run [OPTION]... PROGRAM...: kill -9 at every request of every scene of the end-to-end suite.
 *
 * Each scene of the programs is run undisturbed first, which says how it ends and which requests the controller makes
 * (crash.h). Then, for every one of these requests, it is run again: the controller is killed at that request, before
 * it has had its effect and, where it has one, after, and started again. Every run has fakes of its own. A scene must
 * not notice, and its end, every change that Azure took, and what was told must be the same.
 *
 * With a seed and a number of scenes or points a part of the whole is run, the same for the same seed. With --real all
 * runs share a real API server, which cannot kill, so that only requests to Azure are points. */
#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "e2e/apiserver.h"
#include "e2e/files.h"
#include "e2e/pool.h"

#include <signal.h>
#include <string.h>

#define CASE_MS 400000
#define OUTPUT_BYTES 30000
#define TEXT_MAX (64 << 20)
#define LIST_MS 20000
#define SKIPPED 77

struct found {
    char *program, *index, *name, *record, *pid_file;
    size_t points, run, unreached, failed;
};

struct point {
    size_t scene;
    char *text;
    bool after;
};

static struct {
    int64_t seed, scenes, points, at_once;
    const char *only;
    bool real;
} options = {.seed = -1, .at_once = 12};

static struct {
    struct apiserver server; /* with --real */
    char *dir;
    struct found *scenes;
    size_t n_scenes;
    struct point *points;
    size_t n_points;
    size_t done, unreached;
} the_run;

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number _unused_)
{
    told_to_stop = 1;
}

static bool is_told_to_stop(void)
{
    return told_to_stop != 0;
}

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static void shuffle(void *v, size_t n, size_t size)
{
    uint64_t state = (uint64_t)options.seed;
    char *bytes = v;

    for (size_t i = n; i > 1; i--) {
        size_t j = next_random(&state) % i;
        for (size_t k = 0; k < size; k++) {
            char kept = bytes[(i - 1) * size + k];
            bytes[(i - 1) * size + k] = bytes[j * size + k];
            bytes[j * size + k] = kept;
        }
    }
}

static char *text_of(const char *path)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;

    (void)file_read(path, &text, &err);
    return buf_take(&text);
}

/* ---- the scenes ---- */

/* "3 name", or "- name: why not". */
static void take_scene(char *program, const char *line)
{
    const char *name = strchr(line, ' ');

    if (!name || (options.only && !strstr(name + 1, options.only)))
        return;
    if (line[0] == '-') {
        (void)printf("left out: %s\n", name + 1);
        return;
    }
    the_run.scenes = xrealloc(the_run.scenes, (the_run.n_scenes + 1) * sizeof(*the_run.scenes));
    the_run.scenes[the_run.n_scenes++] =
        (struct found){.program = program, .index = xstrndup(line, (size_t)(name - line)), .name = xstrdup(name + 1)};
}

static int find_scenes(char *program)
{
    const struct process_spec spec = {.name = program, .argv = {program}, .env = {"E2E_LIST=1"}};
    _cleanup_(buf_done) struct buf output = {0};

    if (process_run(&spec, LIST_MS, &output) != 0) {
        (void)fprintf(stderr, "%s does not list its scenes: %s\n", program, buf_str(&output));
        return -1;
    }
    _cleanup_(freep) char *text = buf_take(&output);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            take_scene(program, line);
    return 0;
}

static void choose_scenes(void)
{
    size_t wanted = options.scenes > 0 ? (size_t)options.scenes : the_run.n_scenes;

    if (wanted < the_run.n_scenes)
        shuffle(the_run.scenes, the_run.n_scenes, sizeof(*the_run.scenes));
    for (; the_run.n_scenes > wanted; the_run.n_scenes--) {
        free(the_run.scenes[the_run.n_scenes - 1].index);
        free(the_run.scenes[the_run.n_scenes - 1].name);
    }
}

/* ---- undisturbed ---- */

/* Adds an entry to the environment of a run, which owns it. */
static void tell(struct pool_job *job, const char *name, const char *value)
{
    size_t n = 0;

    while (job->spec.env[n])
        n++;
    if (n + 1 < PROCESS_MAX_ENV)
        job->spec.env[n] = xasprintf("%s=%s", name, value);
}

static void prepare(struct pool_job *job, const struct found *scene, const char *stem)
{
    _cleanup_(freep) char *pid_file = xasprintf("%s.pid", stem);
    char *const *env = the_run.server.env;

    job->timeout_ms = CASE_MS;
    job->spec = (struct process_spec){.name = scene->name, .argv = {scene->program}, .out = xasprintf("%s.out", stem)};
    for (size_t i = 0; env[i]; i++)
        job->spec.env[i] = xstrdup(env[i]);
    if (!options.real)
        tell(job, "E2E_OWN_FAKE", "1");
    tell(job, "E2E_SCENE", scene->index);
    tell(job, "E2E_PIDFILE", pid_file);
}

static void job_done(struct pool_job *job)
{
    for (size_t i = 0; job->spec.env[i]; i++)
        free((char *)job->spec.env[i]);
    free((char *)job->spec.out);
}

static void report_record(const struct pool_job *job)
{
    if (job->status == 0)
        return;
    (void)fprintf(stderr, "undisturbed, \"%s\" failed:\n", job->spec.name);
    print_tail("its output", job->spec.out, OUTPUT_BYTES, stderr);
}

static size_t run_undisturbed(void)
{
    _cleanup_(freep) struct pool_job *jobs = xcalloc(the_run.n_scenes, sizeof(*jobs));

    for (size_t i = 0; i < the_run.n_scenes; i++) {
        struct found *scene = &the_run.scenes[i];
        scene->record = xasprintf("%s/scene-%zu", the_run.dir, i);
        prepare(&jobs[i], scene, scene->record);
        tell(&jobs[i], "E2E_RECORD", scene->record);
    }
    size_t failed = pool_run(jobs, the_run.n_scenes, (size_t)options.at_once, report_record, is_told_to_stop);
    for (size_t i = 0; i < the_run.n_scenes; i++)
        job_done(&jobs[i]);
    return failed;
}

/* ---- disturbed ---- */

/* A read has no effect: whether its sender dies before it or after makes no difference to anybody. */
static bool is_read(const char *point)
{
    return strstr(point, "\"method\":\"GET\"") != NULL;
}

static void add_points(size_t scene)
{
    _cleanup_(freep) char *path = xasprintf("%s.points", the_run.scenes[scene].record), *text = text_of(path);

    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        the_run.points = xrealloc(the_run.points, (the_run.n_points + 2) * sizeof(*the_run.points));
        for (int after = 0; after <= (is_read(line) ? 0 : 1); after++)
            the_run.points[the_run.n_points++] =
                (struct point){.scene = scene, .text = xstrdup(line), .after = after != 0};
        the_run.scenes[scene].points++;
    }
}

static void choose_points(void)
{
    size_t wanted = options.points > 0 ? (size_t)options.points : the_run.n_points;

    if (wanted < the_run.n_points)
        shuffle(the_run.points, the_run.n_points, sizeof(*the_run.points));
    for (; the_run.n_points > wanted; the_run.n_points--)
        free(the_run.points[the_run.n_points - 1].text);
}

static const char *told(const struct pool_job *job, const char *name)
{
    for (size_t i = 0; job->spec.env[i]; i++)
        if (str_has_prefix(job->spec.env[i], name))
            return job->spec.env[i];
    return "";
}

static struct found *scene_of(const struct pool_job *job)
{
    for (size_t i = 0; i < the_run.n_scenes; i++)
        if (str_eq(the_run.scenes[i].name, job->spec.name))
            return &the_run.scenes[i];
    return NULL;
}

static void report_case(const struct pool_job *job)
{
    struct found *scene = scene_of(job);
    _cleanup_(freep) char *output = text_of(job->spec.out);

    if (++the_run.done % 200 == 0) {
        (void)printf("%zu of %zu\n", the_run.done, the_run.n_points);
        (void)fflush(stdout);
    }
    scene->run++;
    if (strstr(output, "the point was not reached"))
        scene->unreached++;
    if (job->status != 0) {
        scene->failed++;
        (void)fprintf(
            stderr, "FAILED: \"%s\" with %s %s\n", job->spec.name, told(job, "E2E_POINT"), told(job, "E2E_WHEN"));
        print_tail("its output", job->spec.out, OUTPUT_BYTES, stderr);
    }
    (void)remove(job->spec.out);
}

static size_t run_disturbed(void)
{
    _cleanup_(freep) struct pool_job *jobs = xcalloc(the_run.n_points + 1, sizeof(*jobs));

    for (size_t i = 0; i < the_run.n_points; i++) {
        const struct point *point = &the_run.points[i];
        const struct found *scene = &the_run.scenes[point->scene];
        _cleanup_(freep) char *stem = xasprintf("%s/case-%zu", the_run.dir, i);
        prepare(&jobs[i], scene, stem);
        tell(&jobs[i], "E2E_EXPECT", scene->record);
        tell(&jobs[i], "E2E_POINT", point->text);
        tell(&jobs[i], "E2E_WHEN", point->after ? "after" : "before");
    }
    size_t failed = pool_run(jobs, the_run.n_points, (size_t)options.at_once, report_case, is_told_to_stop);
    for (size_t i = 0; i < the_run.n_points; i++)
        job_done(&jobs[i]);
    return failed;
}

static size_t report(int64_t began_at)
{
    size_t points = 0, unreached = 0, failed = 0;

    (void)printf("requests  cases  not reached  failed  scene\n");
    for (size_t i = 0; i < the_run.n_scenes; i++) {
        const struct found *s = &the_run.scenes[i];
        (void)printf("%8zu %6zu %12zu %7zu  %s\n", s->points, s->run, s->unreached, s->failed, s->name);
        points += s->run;
        unreached += s->unreached;
        failed += s->failed;
    }
    (void)printf("%zu scenes, %zu crashes at different points (%zu more were not reached), %zu failed, %lld s, seed "
                 "%lld\n",
        the_run.n_scenes, points - unreached, unreached, failed, (long long)(clock_mono_ms() - began_at) / 1000,
        (long long)options.seed);
    return points - unreached;
}

/* ---- the program ---- */

/* True when argv[*i] is that option; takes its value. */
static bool number_option(int argc, char **argv, int *i, const char *name, int64_t *ret)
{
    if (!str_eq(argv[*i], name) || *i + 1 >= argc || !str_to_i64(argv[*i + 1], 0, 1000000000, ret))
        return false;
    (*i)++;
    return true;
}

static int read_options(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (number_option(argc, argv, &i, "--seed", &options.seed) ||
            number_option(argc, argv, &i, "--scenes", &options.scenes) ||
            number_option(argc, argv, &i, "--points", &options.points) ||
            number_option(argc, argv, &i, "--at-once", &options.at_once))
            continue;
        if (str_eq(argv[i], "--real"))
            options.real = true;
        else if (str_eq(argv[i], "--only") && i + 1 < argc)
            options.only = argv[++i];
        else
            return -1;
    }
    if (options.seed < 0)
        options.seed = (int64_t)random_below(1000000000);
    return i;
}

static void tidy(void)
{
    for (size_t i = 0; i < the_run.n_points; i++)
        free(the_run.points[i].text);
    for (size_t i = 0; i < the_run.n_scenes; i++) {
        free(the_run.scenes[i].index);
        free(the_run.scenes[i].name);
        free(the_run.scenes[i].record);
    }
    free(the_run.points);
    free(the_run.scenes);
    remove_tree(the_run.dir);
    free(the_run.dir);
}

/* All that there is to run; what main() returns. */
static int run(char **programs, size_t n)
{
    int64_t began_at = clock_mono_ms();
    bool listed = true;

    the_run.dir = make_scratch(NULL);
    for (size_t i = 0; i < n; i++)
        listed = find_scenes(programs[i]) == 0 && listed;
    choose_scenes();
    size_t failed = run_undisturbed();
    for (size_t i = 0; i < the_run.n_scenes; i++)
        add_points(i);
    choose_points();
    (void)printf("%zu scenes, %zu points, seed %lld\n", the_run.n_scenes, the_run.n_points, (long long)options.seed);
    (void)fflush(stdout);
    failed += run_disturbed();
    size_t crashes = report(began_at);
    tidy();
    return listed && failed == 0 && crashes > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = on_signal};
    int first = read_options(argc, argv);

    if (first < 0 || first >= argc) {
        (void)fprintf(stderr, "usage: e2e_crash_run [--seed N] [--scenes N] [--points N] [--at-once N] [--only TEXT] "
                              "[--real] PROGRAM...\n");
        return 2;
    }
    if (options.real && !env_get("KUBEBUILDER_ASSETS")) {
        (void)fprintf(stderr, "%s: no crashes on a real API server, because KUBEBUILDER_ASSETS is not set.\n",
            env_get("CI") ? "FAILED" : "SKIPPED");
        return env_get("CI") ? 1 : SKIPPED;
    }
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    if (options.real)
        apiserver_start(&the_run.server, true);
    int r = run(argv + first, (size_t)(argc - first));
    if (options.real)
        apiserver_done(&the_run.server);
    return r;
}
