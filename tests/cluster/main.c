/* sim_cluster: lives of plans drawn from seeds, or of plans that are given. See hack/sim.sh. */
#include "base/mem.h"
#include "base/str.h"
#include "cluster/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHRINK_TRIES 150

struct sums {
    size_t seeds, failed, effects, switches, crashes, faults, faults_met, processes;
    int64_t ms, slowest_ms;
    double began;
};

struct wishes {
    uint64_t from, seeds;
    double minutes;
    bool trace, keep_on, as_is;
    const char *plan, *plans;
};

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(struct sums *s, const struct plan *plan, const struct life *life)
{
    s->seeds++;
    s->effects += life->n_effects;
    s->switches += life->switches;
    s->crashes += life->crashes;
    s->processes += life->processes;
    s->faults += plan->n_faults;
    s->faults_met += life->faults_met;
    s->ms += life->lived_ms;
    if (life->ready && life->healing_ms > s->slowest_ms)
        s->slowest_ms = life->healing_ms;
}

static void complain(const struct plan *plan, const char *what, const struct wishes *w)
{
    _cleanup_(freep) char *line = plan_print(plan);
    struct life life;

    (void)printf("FAILED: %s\nthe plan: %s\n", what, line);
    (void)fflush(stdout);
    if (w->as_is)
        return;
    struct plan less = plan_shrink(plan, SHRINK_TRIES);
    _cleanup_(freep) char *short_line = plan_print(&less);
    _cleanup_(freep) char *said = plan_try(&less, true, &life);
    (void)printf("%s\nshortened: %s\nagain: hack/sim.sh --plan '%s'\n", life.log ? life.log : "",
        said ? said : "nothing", short_line);
    (void)fflush(stdout);
    life_done(&life);
}

static bool run(const struct plan *plan, const struct wishes *w, struct sums *s)
{
    struct life life;
    _cleanup_(freep) char *what = plan_try(plan, w->trace, &life);

    add(s, plan, &life);
    if (w->trace)
        (void)printf("%s%s", life.log ? life.log : "", life.end);
    life_done(&life);
    if (!what)
        return true;
    s->failed++;
    if (w->trace)
        (void)printf("FAILED: %s\n", what);
    else
        complain(plan, what, w);
    return false;
}

static bool run_seed(uint64_t seed, const struct wishes *w, struct sums *s)
{
    struct plan plan = plan_draw(seed);
    const struct life *undisturbed = plan_calm(&plan);

    plan_draw_faults(&plan, undisturbed->ready_ms, undisturbed->effects);
    if (w->trace) {
        _cleanup_(freep) char *line = plan_print(&plan);
        (void)printf("%s\n", line);
    }
    bool well = run(&plan, w, s);
    if (!well)
        (void)printf("again: hack/sim.sh --seed %llu\n", (unsigned long long)seed);
    return well;
}

static bool run_line(const char *line, const struct wishes *w, struct sums *s)
{
    struct plan plan;
    struct err err = ERR_INIT;

    if (plan_parse(&plan, line, &err) < 0) {
        (void)fprintf(stderr, "sim_cluster: %s\n", err.msg);
        exit(2);
    }
    return run(&plan, w, s);
}

static void run_plans(const struct wishes *w, struct sums *s)
{
    FILE *f = fopen(w->plans, "re");
    char *line = NULL;
    size_t size = 0;

    if (!f) {
        (void)fprintf(stderr, "sim_cluster: cannot open %s\n", w->plans);
        exit(2);
    }
    while (getline(&line, &size, f) > 0)
        if (line[0] != '#' && line[0] != '\n')
            (void)run_line(line, w, s);
    free(line);
    (void)fclose(f);
}

static void report(const struct sums *s)
{
    double took = seconds() - s->began;

    (void)printf(
        "%zu lives, %zu failed; %.1f simulated hours, %zu effects, %zu processes, %zu kills, %zu of %zu faults "
        "met, %zu turns; the slowest was Ready %.1f min after the last fault; %.1f s, %.0f lives a minute\n",
        s->seeds, s->failed, (double)s->ms / 3600000, s->effects, s->processes, s->crashes, s->faults_met, s->faults,
        s->switches, (double)s->slowest_ms / 60000, took, (double)s->seeds * 60 / took);
}

static const char *value(char **argv, int *i, const char *name)
{
    if (!str_eq(argv[*i], name))
        return NULL;
    return argv[*i + 1] ? argv[++*i] : "";
}

static struct wishes read_args(char **argv)
{
    struct wishes w = {.seeds = 100, .from = 1};
    const char *v;

    for (int i = 1; argv[i]; i++)
        if ((v = value(argv, &i, "--seeds")))
            w.seeds = strtoull(v, NULL, 10);
        else if ((v = value(argv, &i, "--from")))
            w.from = str_eq(v, "clock") ? (uint64_t)time(NULL) % 100000000 * 1000 : strtoull(v, NULL, 10);
        else if ((v = value(argv, &i, "--minutes"))) {
            w.minutes = strtod(v, NULL);
            w.seeds = UINT64_MAX;
        } else if ((v = value(argv, &i, "--seed"))) {
            w.from = strtoull(v, NULL, 10);
            w.seeds = 1;
            w.trace = true;
        } else if ((v = value(argv, &i, "--plan"))) {
            w.plan = v;
            w.trace = true;
        } else if ((v = value(argv, &i, "--plans")))
            w.plans = v;
        else if (str_eq(argv[i], "--keep-on"))
            w.keep_on = true;
        else if (str_eq(argv[i], "--as-is"))
            w.as_is = true;
        else {
            (void)fprintf(stderr,
                "usage: sim_cluster [--seeds N | --minutes M] [--from S | --from clock] [--keep-on] [--as-is]\n"
                "       sim_cluster --seed S | --plan LINE | --plans FILE\n");
            exit(2);
        }
    return w;
}

int main(int argc _unused_, char **argv)
{
    const struct wishes w = read_args(argv);
    struct sums s = {.began = seconds()};

    (void)setvbuf(stdout, NULL, _IOLBF, 0);

    if (w.plan) {
        (void)run_line(w.plan, &w, &s);
    } else if (w.plans) {
        run_plans(&w, &s);
    } else {
        (void)printf("seeds from %llu\n", (unsigned long long)w.from);
        for (uint64_t i = 0; i < w.seeds && (!w.minutes || seconds() - s.began < w.minutes * 60); i++)
            if (!run_seed(w.from + i, &w, &s) && !w.keep_on)
                break;
    }
    report(&s);
    plan_forget_calm();
    return s.failed ? 1 : 0;
}
