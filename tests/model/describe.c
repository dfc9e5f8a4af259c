/* The words of a trace. */
#include "model/model.h"

#include "base/buf.h"
#include "base/str.h"

#include <stdarg.h>

static const char *const key_names[] = {"none", "first", "second", "foreign"};

void model_tell(struct model_sink *sink, const char *format, ...)
{
    va_list args;

    if (!sink->tell)
        return;
    buf_clear(sink->tell);
    va_start(args, format);
    buf_vprintf(sink->tell, format, args);
    va_end(args);
}

void model_emit(struct model_sink *sink, const struct model_world *world)
{
    model_oracle_idle(world, sink);
    sink->take(sink, world);
    sink->broken = NULL;
    sink->wrote = false;
    sink->rested = NULL;
}

static void describe_azure(const struct model_azure *a, struct buf *ret)
{
    static const char *const states[] = {"Succeeded", "Updating", "Failed"};
    static const char *const holders[] = {"", " by us", " by others"};

    if (!a->exists) {
        buf_puts(ret, "no account");
        return;
    }
    buf_printf(ret, "account %s%s, key %s%s", states[a->account.state], holders[a->holder], key_names[a->account.key],
        a->account.revoked ? " (revoked)" : "");
    if (a->account.attached || a->account.identity)
        buf_printf(ret, ", identity %s", a->account.identity ? "default" : "attached");
    if (a->running.type)
        buf_printf(ret, ", %s %s%s", cmk_step_type_name((enum cmk_step_type)a->running.type), key_names[a->running.key],
            a->lags ? " not shown yet" : "");
    if (a->flight.type)
        buf_printf(ret, ", on its way since %d: %s %s", a->flight_age,
            cmk_step_type_name((enum cmk_step_type)a->flight.type), key_names[a->flight.key]);
}

static void describe_resource(const struct model_resource *r, struct buf *ret)
{
    const struct model_status *s = model_status(r->status);

    buf_printf(ret, "; spec %d key %s%s%s%s%s%s", r->generation, key_names[r->key], r->suspend ? " suspended" : "",
        r->observe ? " Observe" : "", r->manual ? " Manual" : "", r->invalid ? " invalid" : "",
        r->deleting ? " deleted" : "");
    buf_printf(ret, "; status %lld Ready=%s %s", (long long)s->status.observed_generation,
        cmk_truth_name((enum cmk_truth)s->ready), s->reason ? s->reason : "-");
    if (s->type)
        buf_printf(ret, ", %s %s %s, attempt %lld", cmk_step_type_name((enum cmk_step_type)s->type), key_names[s->key],
            s->status.operation.state, (long long)s->status.operation.attempts);
}

void model_describe(const struct model_world *world, struct buf *ret)
{
    describe_azure(&world->azure, ret);
    describe_resource(&world->resource, ret);
}
