/* Faults that come at a time: to processes, to servers, and from other people. */
#include "cluster/cluster.h"

#include <stdio.h>

#define LAG_LASTS_MS 120000

static const char *resource_name(const struct cluster *c, int account)
{
    return c->resources[account % c->plan.accounts].name;
}

static void suspend(struct cluster *c, const struct fault *f)
{
    kube_edit(c, resource_name(c, f->who), "{\"suspend\":true}");
    fiber_sleep(f->arg);
    kube_edit(c, resource_name(c, f->who), "{\"suspend\":null}");
}

/* Two of them may be at it: who comes second finds it there. */
static void recreate(struct cluster *c, const struct fault *f)
{
    const char *name = resource_name(c, f->who);

    kube_delete_object(c, name);
    fiber_sleep((int64_t)fiber_below(20000));
    if (!kube_object(c, name))
        kube_apply(c, name, f->who % c->plan.accounts);
}

static void twin(struct cluster *c, const struct fault *f)
{
    struct resource *r = &c->resources[c->n_resources++];

    *r = (struct resource){.account = f->who % c->plan.accounts, .twin = true};
    (void)snprintf(r->name, sizeof(r->name), "twin-%zu", c->n_resources);
    kube_apply(c, r->name, r->account);
    fiber_sleep(f->arg);
    kube_delete_object(c, r->name);
}

static void of_people(struct cluster *c, const struct fault *f)
{
    char word[32];

    (void)snprintf(word, sizeof(word), "look-%zu", ++c->people);
    switch (f->kind) {
    case F_SUSPEND:
        suspend(c, f);
        break;
    case F_TOUCH:
        kube_annotate(c, resource_name(c, f->who), word);
        break;
    case F_TAG:
        azure_other(c, f->who % c->plan.accounts, "{\"tags\":{\"owner\":\"bob\"}}");
        break;
    case F_RECREATE:
        recreate(c, f);
        break;
    case F_TWIN:
        twin(c, f);
        break;
    case F_WIPE:
        kube_wipe(c, resource_name(c, f->who));
        break;
    case F_KEY:
        kube_edit(c, resource_name(c, f->who), "{\"keyVaultKeyUri\":\"" OTHER_KEY_URI "\"}");
        break;
    case F_UNDO:
        azure_other(c, f->who % c->plan.accounts, "{\"properties\":{\"keyVaultKeyUri\":\"" KEY_URI "2\"}}");
        break;
    default:
        break;
    }
}

static void of_process(struct cluster *c, const struct fault *f)
{
    struct process *p = c->running[f->who % MAX_REPLICAS];

    if (!p || p->group.dead)
        return;
    if (f->kind == F_CRASH)
        process_kill(p, "the plan says so");
    else if (f->kind == F_PAUSE)
        p->group.frozen_until = fiber_now() + f->arg;
    else if (f->kind == F_WALL)
        p->group.wall_ms += f->arg;
    else
        p->terminated = true;
    process_signal(p);
}

static void of_servers(struct cluster *c, const struct fault *f)
{
    struct etcd *e = &c->etcd;

    if (f->kind == F_LAG) {
        e->lag[f->who % MAX_SERVERS] = f->arg;
        e->lag_until[f->who % MAX_SERVERS] = fiber_now() + LAG_LASTS_MS;
    }
    e->moved += f->kind == F_MOVE;
    e->broken += f->kind == F_BREAK || f->kind == F_COMPACT;
    e->silent += f->kind == F_SILENT;
    e->gone += f->kind == F_GONE;
    e->repeated += f->kind == F_REPEAT;
    if (f->kind == F_COMPACT)
        e->compacted = e->n ? e->changes[e->n - 1].version : 0;
    if (f->kind == F_NO_KUBE)
        c->no_kube_until = fiber_now() + f->arg;
    if (f->kind == F_NO_ARM)
        c->no_arm_until = fiber_now() + f->arg;
    if (f->kind == F_TOKENS)
        c->tokens_from = c->tokens;
    if (f->kind == F_FORGET)
        c->model->options.retention_ms = -1;
    fiber_wake(e);
}

static void happen(void *ctx)
{
    const struct fault *f = ctx;
    struct cluster *c = the_cluster;

    fiber_sleep(f->at);
    c->fault_used[f - c->plan.faults]++;
    note(c, "now: %s %d %lld", fault_name(f->kind), f->who, (long long)f->arg);
    if (f->kind >= F_SUSPEND)
        of_people(c, f);
    else if (f->kind <= F_WALL)
        of_process(c, f);
    else
        of_servers(c, f);
}

void faults_start(struct cluster *c)
{
    for (size_t i = 0; i < c->plan.n_faults; i++)
        if (c->plan.faults[i].on == E_TIME)
            (void)fiber_start(NULL, happen, &c->plan.faults[i], false);
}
