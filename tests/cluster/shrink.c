/* Faults are left out, by halves, then one by one; then numbers are made smaller. What fails may fail for another
 * reason than at first: it fails all the same. */
#include "cluster/shrink.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* The last world that was lived in without faults. How it ends depends on everything but the scheduler's seed. */
static struct {
    char *world;
    struct plan plan;
    struct life life;
} calm;

const struct life *plan_calm(const struct plan *plan)
{
    struct plan without = *plan;

    without.n_faults = 0;
    without.seed = 0;
    _cleanup_(freep) char *world = plan_print(&without);
    if (str_eq(world, calm.world))
        return &calm.life;
    plan_forget_calm();
    calm.world = TAKE_PTR(world);
    calm.plan = without;
    calm.plan.seed = plan->seed;
    calm.life = life_live(&calm.plan, false);
    return &calm.life;
}

void plan_forget_calm(void)
{
    free(TAKE_PTR(calm.world));
    life_done(&calm.life);
    calm.life = (struct life){0};
}

char *plan_try(const struct plan *plan, bool trace, struct life *ret)
{
    const struct life *undisturbed = plan_calm(plan);

    *ret = life_live(plan, trace);
    char *what = life_judge(&calm.plan, undisturbed, NULL);
    if (!what)
        return life_judge(plan, ret, undisturbed);
    char *said = xasprintf("without any fault: %s", what);
    free(what);
    return said;
}

static bool fails(const struct plan *plan, int *tries)
{
    struct life life;

    if ((*tries)-- <= 0)
        return false;
    char *what = plan_try(plan, false, &life);
    life_done(&life);
    free(what);
    return what != NULL;
}

static struct plan without(const struct plan *plan, size_t from, size_t n)
{
    struct plan less = *plan;

    memmove(&less.faults[from], &less.faults[from + n], (less.n_faults - from - n) * sizeof(struct fault));
    less.n_faults -= n;
    return less;
}

static void leave_out(struct plan *plan, int *tries)
{
    for (size_t n = (plan->n_faults + 1) / 2; n > 0; n /= 2)
        for (size_t from = 0; from + n <= plan->n_faults;) {
            struct plan less = without(plan, from, n);
            if (fails(&less, tries))
                *plan = less;
            else
                from += n;
        }
}

static void lower(struct plan *plan, int *number, int least, int *tries)
{
    while (*number > least && *tries > 0) {
        int was = *number;
        *number = least;
        if (fails(plan, tries))
            return;
        *number = was / 2 > least ? was / 2 : was - 1;
        if (!fails(plan, tries)) {
            *number = was;
            return;
        }
    }
}

struct plan plan_shrink(const struct plan *plan, int tries)
{
    struct plan p = *plan;

    leave_out(&p, &tries);
    lower(&p, &p.accounts, 1, &tries);
    lower(&p, &p.replicas, 1, &tries);
    lower(&p, &p.workers, 1, &tries);
    lower(&p, &p.skew, 0, &tries);
    lower(&p, &p.page, 0, &tries);
    lower(&p, &p.mix, 0, &tries);
    lower(&p, &p.vault, 0, &tries);
    for (size_t i = 0; i < p.n_faults; i++)
        lower(&p, &p.faults[i].times, 1, &tries);
    leave_out(&p, &tries);
    return p;
}
