/* Faults are left out, by halves, then one by one; then numbers are made smaller. What fails may fail for another
 * reason than at first: it fails all the same. */
#include "cluster/shrink.h"

#include "base/mem.h"

#include <string.h>

char *plan_try(const struct plan *plan, bool trace, struct life *ret)
{
    struct plan calm = *plan;

    calm.n_faults = 0;
    struct life undisturbed = life_live(&calm, false);
    *ret = life_live(plan, trace);
    char *what = life_judge(&calm, &undisturbed, NULL);
    if (what) {
        char *said = xasprintf("without any fault: %s", what);
        free(what);
        what = said;
    } else {
        what = life_judge(plan, ret, &undisturbed);
    }
    life_done(&undisturbed);
    return what;
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
