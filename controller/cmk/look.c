/* What follows from a view: the derived facts that the rules and messages share, and the times at which to look again.
 */
#include "base/str.h"
#include "cmk/rules.h"
#include "cmk/spec.h"

#include <string.h>

#define PACING_MAX_MS 60000

bool cmk_is_at_rest(const char *provisioning_state)
{
    return str_empty(provisioning_state) || str_eq_nocase(provisioning_state, "Succeeded") ||
           str_eq_nocase(provisioning_state, "Failed") || str_eq_nocase(provisioning_state, "DeletionFailed");
}

/* Any word that is not known to be final means running (azure-facts 5.1). */
static enum outcome outcome_of(const char *state)
{
    if (str_eq_nocase(state, CMK_SUCCEEDED))
        return OUTCOME_SUCCEEDED;
    if (str_eq_nocase(state, CMK_FAILED) || str_eq_nocase(state, "Canceled") || str_eq_nocase(state, "Cancelled"))
        return OUTCOME_FAILED;
    return OUTCOME_RUNNING;
}

void cmk_look_init(struct look *look, const struct cmk_view *view)
{
    *look = (struct look){
        .view = view, .spec = &view->resource->spec, .account = &view->account, .op = &view->status.operation};
    look->spec_ok = cmk_spec_check(look->spec, &look->spec_err) == 0;
    look->unsupported = cmk_spec_unsupported(look->spec);
    look->outcome = outcome_of(look->op->state);
    if (look->spec->window.present && view->zone)
        look->window = cmk_window_at(&look->spec->window, view->zone, view->now);
    if (!look->spec_ok || view->account_fact != CMK_KNOWN)
        return;
    look->busy = !cmk_is_at_rest(look->account->provisioning_state);
    const struct cmk_plan_input in = {.spec = look->spec,
        .account = look->account,
        .evidence = view->evidence_fact == CMK_KNOWN ? &view->evidence : NULL};
    look->op_shows = cmk_step_shows(look->op->type, look->op->target, &in);
    look->next = cmk_plan_next(&in);
    cmk_plan_make(&look->plan, &in, &view->status.plan);
    look->n_checks = cmk_preflight(look->checks, look->spec, look->account, &view->evidence, view->now);
}

void cmk_look_done(struct look *look)
{
    cmk_checks_done(look->checks, look->n_checks);
}

bool cmk_operation_open(const struct cmk_operation *operation)
{
    return operation->type != CMK_NO_STEP && !operation->completed_at;
}

bool cmk_refused_as_busy(const struct err *refusal)
{
    return refusal->kind == ERR_LOCKED || str_find_nocase(refusal->msg, "is not online");
}

bool cmk_is_own_pacing(const struct err *err)
{
    return err->kind == ERR_THROTTLED && str_eq(err->code, CMK_CLIENT_THROTTLED) && err->retry_after_ms < PACING_MAX_MS;
}

bool cmk_failure_may_pass(const struct cmk_operation *operation)
{
    static const char *const codes[] = {
        "InternalServerError",
        "ServiceUnavailable",
        "RequestTimeout",
        "TooManyRequests",
        "Conflict",
        "PreconditionFailed",
        "ResourceNotFound", /* an identity or an account that is still being created */
        "NoEffect",
        "NotApplied",
    };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_eq_nocase(operation->error_code, codes[i]))
            return true;
    return false;
}

/* An operation of somebody else may run for days, and its age is not known. */
int64_t cmk_poll_interval(const struct look *look)
{
    const struct cmk_options *o = look->view->options;
    int64_t since = look->op->started_at ? look->op->started_at : look->view->now;
    int64_t interval = (look->view->now - since) / 8;

    if (!cmk_operation_open(look->op))
        return o->poll_max;
    return interval < o->poll_min ? o->poll_min : interval > o->poll_max ? o->poll_max : interval;
}

/* A request that never arrived is sent again at once, the first time; anything else waits. */
int64_t cmk_retry_at(const struct look *look)
{
    const struct cmk_options *o = look->view->options;
    int64_t tries = look->op->attempts - (str_eq(look->op->error_code, "NoEffect") ? 1 : 0);
    int64_t delay = tries > 0 ? o->retry_base : 0;

    for (; tries > 1 && delay < o->retry_max; tries--)
        delay *= 2;
    return look->op->completed_at + (delay < o->retry_max ? delay : o->retry_max);
}

const struct err *cmk_last_error(const struct cmk_view *view)
{
    if (view->refused)
        return &view->refusal;
    if (view->account_fact == CMK_FAILED_TO_READ)
        return &view->account_err;
    return view->evidence_fact == CMK_FAILED_TO_READ ? &view->evidence_err : &view->operation_err;
}

int64_t cmk_wake_at(const struct look *look, enum cmk_wake wake, bool *ret_backoff)
{
    const struct cmk_view *v = look->view;
    const struct cmk_options *o = v->options;

    switch (wake) {
    case WAKE_POLL:
        return v->now + cmk_poll_interval(look);
    case WAKE_RESYNC:
        return v->now + o->resync;
    case WAKE_SCAN:
        return v->now + o->poll_max;
    case WAKE_RECHECK:
        return v->now + o->recheck;
    case WAKE_RETRY:
        return cmk_retry_at(look);
    case WAKE_PROPAGATION:
        return look->op->started_at + o->propagation;
    case WAKE_SETTLE: {
        int64_t left = v->quiet_since + o->settle - v->uptime;
        return v->now + (left > 0 && left < o->poll_min ? left : o->poll_min); /* over: the last look was too early */
    }
    case WAKE_WINDOW: {
        int64_t opens = look->window.opens_at, resync = v->now + o->resync;
        return opens && opens < resync ? opens : resync;
    }
    case WAKE_RETRY_AFTER:
        if (cmk_last_error(v)->retry_after_ms > 0)
            return v->now + cmk_last_error(v)->retry_after_ms;
        *ret_backoff = true;
        return 0;
    case WAKE_BACKOFF:
        *ret_backoff = true;
        return 0;
    case WAKE_NEVER:
        break;
    }
    return 0;
}
