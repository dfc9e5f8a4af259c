/* Between the lease and the program: the queue is opened when we lead, and whoever must end the process hears when we
 * do not any more. Nothing here decides; kube/elector.h has the rules. */
#include "controller/leadership.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define RENEWAL_TOLERANCE_MS 20000

static struct kube_lease_options lease_options(const struct leadership_options *o)
{
    return (struct kube_lease_options){.name = o->name,
        .lease_duration_ms = o->lease_duration,
        .renew_deadline_ms = o->renew_deadline,
        .retry_period_ms = o->retry_period};
}

int leadership_check_options(const struct leadership_options *options, struct err *err)
{
    const struct kube_lease_options lease = lease_options(options);

    return options->elect ? kube_lease_check(&lease, "--leader-elect-", err) : 0;
}

/* ---- on the lease's thread ---- */

static void on_started(void *ctx)
{
    struct leadership *l = ctx;

    log_info("leading", LOG_S("lease", l->place), LOG_S("identity", kube_lease_identity(l->lease)));
    work_queue_hold(l->queue, false);
    l->on_leading(l->ctx);
}

static void on_stopped(void *ctx, const char *why)
{
    struct leadership *l = ctx;

    work_queue_hold(l->queue, true);
    atomic_store(&l->lost, true);
    log_error("leadership lost, the process ends", LOG_S("reason", why));
    l->on_lost(l->ctx);
}

static void on_new_leader(void *ctx, const char *holder, bool is_us)
{
    struct leadership *l = ctx;

    if (!is_us)
        log_info("standing by", LOG_S("lease", l->place), LOG_S("leader", holder));
}

/* An outage is said once, and its end. */
static void on_trouble(void *ctx, const struct err *err)
{
    struct leadership *l = ctx;
    enum err_kind kind = err ? err->kind : ERR_NONE;

    if (!err)
        log_info("the lease can be reached again", LOG_S("lease", l->place));
    else if (kind != l->trouble)
        log_warn("the lease cannot be read or written", LOG_S("lease", l->place), LOG_S("error", err->msg));
    l->trouble = kind;
}

/* ---- life ---- */

int leadership_init(struct leadership *l, struct kube_client *client, const char *default_ns, struct err *err)
{
    const char *ns = str_empty(l->options->namespace_name) ? default_ns : l->options->namespace_name;
    struct kube_lease_options options = lease_options(l->options);

    if (!l->options->elect)
        return 0;
    options.client = client;
    options.ns = ns;
    options.started_leading = on_started;
    options.stopped_leading = on_stopped;
    options.new_leader = on_new_leader;
    options.trouble = on_trouble;
    options.ctx = l;
    if (kube_lease_new(&l->lease, &options, err) < 0)
        return -1;
    l->place = xasprintf("%s/%s", ns, l->options->name);
    work_queue_hold(l->queue, true);
    return 0;
}

void leadership_start(struct leadership *l)
{
    if (l->lease)
        kube_lease_start(l->lease);
}

void leadership_stop(struct leadership *l)
{
    l->lease = kube_lease_release(l->lease);
    free(TAKE_PTR(l->place));
}

/* ---- questions ---- */

bool leadership_valid(void *ctx)
{
    const struct leadership *l = ctx;

    return !l->options->elect || (l->lease && kube_lease_valid(l->lease));
}

bool leadership_is_leader(const struct leadership *l)
{
    return !l->options->elect || (l->lease && kube_lease_is_leader(l->lease));
}

bool leadership_is_lost(const struct leadership *l)
{
    return atomic_load(&l->lost);
}

int leadership_check_renewal(const struct leadership *l, char *why, size_t size)
{
    int64_t ms = l->lease ? kube_lease_unrenewed_ms(l->lease) : 0;

    if (ms <= l->options->lease_duration + RENEWAL_TOLERANCE_MS)
        return 0;
    (void)snprintf(why, size, "the lease has not been renewed for %lld s", (long long)ms / 1000);
    return -1;
}
