/* What an effect brought, folded into the view. Together with the rules this is the whole state machine. */
#include "base/mem.h"
#include "base/str.h"
#include "cmk/plan.h"
#include "cmk/rules.h"
#include "cmk/spec.h"
#include "cmk/view.h"

#include <string.h>

void cmk_view_init(struct cmk_view *view, const struct cmk_options *options, const struct cmk_resource *resource,
    int64_t now, int64_t uptime)
{
    *view = (struct cmk_view){.options = options, .resource = resource, .now = now, .uptime = uptime};
    cmk_status_copy(&view->status, &resource->status);
}

void cmk_view_done(struct cmk_view *view)
{
    cmk_status_done(&view->status);
    cmk_account_done(&view->account);
    cmk_evidence_done(&view->evidence);
}

/* Limits of the CRD (crd/cosmoscmk.yaml): a status that exceeds one could not be written, and the operation be
 * forgotten. */
#define MAX_STATE 64
#define MAX_ERROR_CODE 256
#define MAX_ERROR_MESSAGE 8192
#define MAX_STATUS_URL 16384
#define MAX_OPERATION_ID 256

static bool fits(const char *s, size_t max)
{
    return !s || strlen(s) <= max;
}

static void take_text(char **slot, const char *s, size_t max)
{
    str_replace(slot, s);
    cmk_cut(*slot, max);
}

/* A grant does not make the account busy: nothing is ever seen of it there. */
static bool is_quiet(const struct cmk_view *view)
{
    const struct cmk_operation *op = &view->status.operation;

    return cmk_operation_open(op) &&
           (op->type == CMK_GRANT_KEY_ACCESS || cmk_is_at_rest(view->account.provisioning_state));
}

static void take_account(struct cmk_view *view, struct cmk_result *result)
{
    cmk_account_done(&view->account);
    view->account = result->account;
    cmk_account_cut(&view->account);
    result->account = (struct cmk_account){0};
    view->account.observed_at = result->begun_at ? result->begun_at : view->now;
    view->looked_at = result->begun_uptime ? result->begun_uptime : view->uptime;
    view->account_fact = CMK_KNOWN;
    view->failing_since = 0;
    if (!is_quiet(view)) {
        view->quiet_since = 0;
    } else if (!view->quiet_since || view->quiet_record != view->status.operation.requested_at) {
        view->quiet_since = view->uptime;
        view->quiet_record = view->status.operation.requested_at;
    }
}

static void account_failed(struct cmk_view *view, const struct err *err)
{
    view->account_fact = CMK_FAILED_TO_READ;
    view->account_err = *err;
    if (!view->failing_since && !cmk_is_own_pacing(err))
        view->failing_since = view->now;
}

static void fold_account(struct cmk_view *view, struct cmk_result *result)
{
    if (result->failed)
        account_failed(view, &result->err);
    else
        take_account(view, result);
}

/* 404, 403, a URL that we may not follow, or an answer that makes no sense: the account is the only source from now on.
 */
static bool is_lost(const struct err *err)
{
    return err->kind == ERR_NOT_FOUND || err->kind == ERR_FORBIDDEN || err->kind == ERR_GONE ||
           err->kind == ERR_INVALID || err->kind == ERR_PROTOCOL || err->kind == ERR_TOO_LARGE;
}

static void fold_operation(struct cmk_view *view, struct cmk_result *result)
{
    struct cmk_operation *op = &view->status.operation;

    view->operation_err = result->err;
    if (result->failed && cmk_is_own_pacing(&result->err)) { /* nobody has looked */
        view->operation_fact = CMK_FAILED_TO_READ;
        return;
    }
    view->operation_read_at = view->now;
    op->last_observed_at = view->now;
    if (result->failed) {
        view->operation_fact = CMK_FAILED_TO_READ;
        view->operation_lost = view->operation_lost || is_lost(&result->err);
        return;
    }
    view->operation_fact = CMK_KNOWN;
    view->operation_lost = false;
    /* Our own word for "no answer is known" must not come from Azure. */
    bool unusable = str_empty(result->state) || str_eq(result->state, CMK_REQUESTED);
    take_text(&op->state, unusable ? CMK_ACCEPTED : result->state, MAX_STATE);
    take_text(&op->error_code, result->error_code, MAX_ERROR_CODE);
    take_text(&op->error_message, result->error_message, MAX_ERROR_MESSAGE);
}

static void fold_evidence(struct cmk_view *view, struct cmk_result *result)
{
    view->evidence_fact = result->failed ? CMK_FAILED_TO_READ : CMK_KNOWN;
    if (result->failed) {
        view->evidence_err = result->err;
        return;
    }
    cmk_evidence_done(&view->evidence);
    view->evidence = result->evidence;
    result->evidence = (struct cmk_evidence){0};
}

/* Who it was is worth knowing and not worth waiting for: a failure is an answer. */
static void fold_culprit(struct cmk_view *view, const struct cmk_result *result)
{
    view->culprit_fact = result->failed ? CMK_FAILED_TO_READ : CMK_KNOWN;
    (void)str_copy(view->culprit, sizeof(view->culprit), result->culprit);
}

/* Nothing was changed, for certain. A refusal of the change itself is kept, as a failed operation (see CMK_OP_REFUSED);
 * one for lack of rights or patience says what to wait for; anything else is a request that never left, an outage. */
static void fold_refusal(struct cmk_view *view, const struct err *err)
{
    switch (err->kind) {
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_EXISTS:
        if (cmk_refused_as_busy(err))
            cmk_operation_done(&view->status.operation);
        break;
    case ERR_LOCKED:
    case ERR_THROTTLED:
    case ERR_FORBIDDEN:
    case ERR_UNAUTHORIZED:
        cmk_operation_done(&view->status.operation);
        break;
    default:
        cmk_operation_done(&view->status.operation);
        account_failed(view, err);
        return;
    }
    view->refused = true;
    view->refusal = *err;
}

static void fold_sent(struct cmk_view *view, struct cmk_result *result)
{
    struct cmk_operation *op = &view->status.operation;

    view->armed = false;
    view->sent = true;
    view->account_fact = view->evidence_fact = CMK_UNREAD;
    view->quiet_since = 0; /* the pass may have stood still before the request left */
    if (result->failed && !result->err.maybe_sent) {
        fold_refusal(view, &result->err);
        return;
    }
    if (result->failed) { /* stays Requested: the account will tell */
        str_replace(&op->error_message, result->err.msg);
        return;
    }
    str_replace(&op->state, CMK_ACCEPTED);
    str_replace(&op->status_url, fits(result->status_url, MAX_STATUS_URL) ? result->status_url : NULL);
    str_replace(&op->id, fits(result->operation_id, MAX_OPERATION_ID) ? result->operation_id : NULL);
    op->started_at = op->last_observed_at = view->now;
    view->operation_lost = false;
    take_account(view, result);
    if (cmk_is_at_rest(view->account.provisioning_state))
        view->account_fact = CMK_UNREAD; /* nothing is running: what the account shows is to be read, not believed */
}

static void end_operation(struct cmk_view *view, const char *state, const char *code, const char *message)
{
    struct cmk_operation *op = &view->status.operation;

    if (message)
        take_text(&op->error_message, message, MAX_ERROR_MESSAGE);
    if (code)
        take_text(&op->error_code, code, MAX_ERROR_CODE);
    str_replace(&op->state, state);
    str_replace(&op->status_url, NULL);
    if (!op->completed_at)
        op->completed_at = view->now;
}

static void operation_done(struct cmk_view *view)
{
    struct cmk_operation *op = &view->status.operation;

    end_operation(view, CMK_SUCCEEDED, NULL, NULL);
    str_replace(&op->error_code, NULL);
    str_replace(&op->error_message, NULL);
    /* Whatever the spec names by now: a key that we have set ourselves is never taken for somebody else's doing. */
    if (op->type == CMK_ENABLE_KEY)
        str_replace(&view->status.encrypted_key_uri, op->target);
}

static void no_effect(struct cmk_view *view)
{
    _cleanup_(freep) char *why = xasprintf("the request had no effect on the account%s%s",
        str_empty(view->status.operation.error_message) ? "" : ": ",
        str_empty(view->status.operation.error_message) ? "" : view->status.operation.error_message);

    end_operation(view, CMK_FAILED, "NoEffect", why);
}

static void settle(struct cmk_view *view, enum cmk_settlement settlement)
{
    struct cmk_operation *op = &view->status.operation;

    switch (settlement) {
    case CMK_OP_RUNS:
        str_replace(&op->state, CMK_ACCEPTED);
        str_replace(&op->error_message, NULL);
        op->started_at = op->requested_at;
        break;
    case CMK_OP_DONE:
        operation_done(view);
        break;
    case CMK_OP_FAILED:
        end_operation(view, CMK_FAILED, str_empty(op->error_code) ? op->state : NULL,
            str_empty(op->error_message) ? "Azure gave no reason" : NULL);
        break;
    case CMK_OP_NO_EFFECT:
        no_effect(view);
        break;
    case CMK_OP_NOT_APPLIED:
        end_operation(
            view, CMK_FAILED, "NotApplied", "Azure reported success, but the account does not show the change");
        break;
    case CMK_OP_REFUSED:
        end_operation(view, CMK_FAILED, view->refusal.code[0] ? view->refusal.code : "Refused", view->refusal.msg);
        view->refused = false;
        break;
    case CMK_OP_FORGET:
        cmk_operation_done(op);
        break;
    case CMK_OP_NONE:
        break;
    }
}

void cmk_write_ahead(struct cmk_view *view, const struct cmk_step *step, const char *correlation_id)
{
    struct cmk_operation *op = &view->status.operation;
    bool again = op->type == step->type && str_eq(op->state, CMK_FAILED);
    int64_t attempts = again ? op->attempts + 1 : 1;

    view->armed = false;
    view->quiet_since = 0;
    cmk_operation_done(op);
    op->type = step->type;
    op->state = xstrdup(CMK_REQUESTED);
    op->target = xstrdup(cmk_step_target(step->type, &view->resource->spec));
    if (step->type == CMK_ENABLE_KEY && !str_empty(view->account.key_uri))
        op->previous_key_uri = xstrdup(view->account.key_uri);
    op->correlation_id = xstrdup(correlation_id);
    op->requested_at = view->now;
    op->attempts = attempts;
}

void cmk_fold(struct cmk_view *view, const struct cmk_step *step, struct cmk_result *result)
{
    switch (step->effect) {
    case CMK_READ_ACCOUNT:
        fold_account(view, result);
        break;
    case CMK_READ_OPERATION:
        fold_operation(view, result);
        break;
    case CMK_WRITE_AHEAD: /* written: may be sent, once the account has been read again */
        view->armed = !result || !result->failed;
        view->account_fact = CMK_UNREAD;
        break;
    case CMK_GATHER:
        fold_evidence(view, result);
        break;
    case CMK_READ_CULPRIT:
        fold_culprit(view, result);
        break;
    case CMK_SEND:
        fold_sent(view, result);
        break;
    case CMK_SETTLE:
        settle(view, step->settlement);
        break;
    case CMK_REST:
    case CMK_YIELD:
    case CMK_GONE:
        break;
    }
}
