#include "cmk/messages.h"

#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/spec.h"

#include <stdio.h>
#include <string.h>

#define say(...) (void)snprintf(ret, size, __VA_ARGS__)

#define MINUTE_MS 60000

static const char *or_dash(const char *s)
{
    return str_empty(s) ? "-" : s;
}

const char *cmk_short_target(const char *target)
{
    const char *slash = target && cmk_user_identity_of(target) ? strrchr(target, '/') : NULL;

    return slash ? slash + 1 : or_dash(target);
}

/* What Azure is doing, as a half sentence. */
static void doing(const struct cmk_operation *op, char *ret, size_t size)
{
    switch (op->type) {
    case CMK_ATTACH_IDENTITY:
        say("attaching the identity %s to the account", cmk_short_target(op->target));
        break;
    case CMK_GRANT_KEY_ACCESS:
        say("giving the default identity access to %s", or_dash(op->target));
        break;
    case CMK_SET_DEFAULT_IDENTITY:
        say("making %s the account's default identity", cmk_short_target(op->target));
        break;
    case CMK_ENABLE_KEY:
        say("encrypting the account with %s", or_dash(op->target));
        break;
    case CMK_NO_STEP:
        say("changing the account");
        break;
    }
}

static void steps_of(const struct cmk_plan *plan, char *ret, size_t size)
{
    size_t n = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < plan->n && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? ", " : "", cmk_step_type_name(plan->steps[i]));
}

/* Coarse, for each new text is a write: whole minutes at first, then steps of the progress interval. */
static void elapsed(const struct look *l, char *ret)
{
    int64_t since = l->op->started_at ? l->op->started_at : l->op->requested_at;
    int64_t ms = l->view->now - since;
    int64_t progress = l->view->options->progress;
    int64_t grain = ms < progress ? MINUTE_MS : progress;

    duration_format(ms < MINUTE_MS ? 0 : ms - ms % grain, ret);
}

void cmk_say_well(char *message)
{
    for (size_t left = strlen(message); left > 0;) {
        size_t n = utf8_sequence(message, left);
        if (n == 0)
            *message = '?';
        n = n ? n : 1;
        message += n;
        left -= n;
    }
}

void cmk_say_spec_invalid(const struct look *l, char *ret, size_t size)
{
    say("%s", l->spec_err.msg);
}

void cmk_say_spec_unsupported(const struct look *l, char *ret, size_t size)
{
    say("%s", l->unsupported);
}

void cmk_say_account_changed(const struct look *l, char *ret, size_t size)
{
    say("spec.accountId cannot be changed: this resource is about the account %s, as its status says; set it back, and "
        "create a new CosmosCMK for the other account",
        l->view->status.account.name);
}

void cmk_say_zone_unknown(const struct look *l, char *ret, size_t size)
{
    say("spec.window.timeZone: %s", l->view->zone_err.msg);
}

void cmk_say_conflict(const struct look *l, char *ret, size_t size)
{
    say("%s is older and names the same account, so it is the one that acts; delete one of the two", l->view->owner);
}

void cmk_say_suspended(const struct look *l, char *ret, size_t size)
{
    say("spec.suspend is true: the account is neither read nor changed%s; to go on, set it to false",
        cmk_operation_open(l->op) ? "; the operation that Azure is running goes on there and is not followed" : "");
}

void cmk_say_refused_busy(const struct look *l, char *ret, size_t size)
{
    say("Azure did not take the change because another operation holds the account; it is tried again by itself. Azure "
        "says: %s",
        l->view->refusal.msg);
}

void cmk_say_refused(const struct look *l, char *ret, size_t size)
{
    const struct err *refusal = &l->view->refusal;

    if (str_eq(refusal->code, CMK_CLIENT_THROTTLED))
        say("The change is not sent yet: %s; it goes on by itself", refusal->msg);
    else if (str_eq(refusal->code, "AuthorizationFailed") && l->next != CMK_GRANT_KEY_ACCESS)
        say("Azure did not take the change: grant the controller's identity "
            "Microsoft.DocumentDB/databaseAccounts/write "
            "at the account; it is tried again by itself. Azure says: %s",
            refusal->msg);
    else
        say("Azure did not take the change; it is tried again by itself. The cause: %s", refusal->msg);
}

void cmk_say_account_error(const struct look *l, char *ret, size_t size)
{
    const struct err *why = &l->view->account_err;

    if (str_eq(why->code, CMK_CLIENT_THROTTLED))
        say("The account is not read yet: %s; it goes on by itself", why->msg);
    else if (why->kind == ERR_NOT_FOUND)
        say("The account does not exist; create it or, if spec.accountId is wrong, delete this resource and make one "
            "with the right id. Azure says: %s",
            why->msg);
    else if (why->kind == ERR_FORBIDDEN)
        say("The account cannot be read; grant the controller's identity Microsoft.DocumentDB/databaseAccounts/read at "
            "it. Azure says: %s",
            why->msg);
    else if (why->kind == ERR_UNAUTHORIZED)
        say("The account cannot be read with the controller's credential; see that it is right and still valid: %s",
            why->msg);
    else
        say("The account cannot be read; it is tried again by itself. The cause: %s", why->msg);
}

void cmk_say_evidence_error(const struct look *l, char *ret, size_t size)
{
    say("The checks before the change are not complete, and go on by themselves: %s", l->view->evidence_err.msg);
}

void cmk_say_granting(const struct look *l, char *ret, size_t size)
{
    char at[TIME_TEXT_SIZE];

    time_format_rfc3339(l->op->started_at + l->view->options->propagation, at);
    say("The default identity was given access to %s; waiting until %s for it to hold everywhere",
        or_dash(l->op->target), at);
}

void cmk_say_scanning(const struct look *l, char *ret, size_t size)
{
    const struct cmk_scan_evidence *scan = &l->view->evidence.scan;

    if (scan->state == CMK_SCAN_FAILED)
        say("Searching the account's data for document ids over 990 bytes was interrupted and is taken up again by "
            "itself: %s",
            scan->error.msg);
    else if (scan->containers == 0)
        say("Searching the account's data for document ids over 990 bytes has just begun");
    else
        say("Searching the account's data for document ids over 990 bytes: %lld of %lld containers and %lld of %lld "
            "partition key ranges are done",
            (long long)scan->containers_done, (long long)scan->containers, (long long)scan->ranges_done,
            (long long)scan->ranges);
}

void cmk_say_confirming(const struct look *l, char *ret, size_t size)
{
    const char *why = l->op->error_message;
    char at[TIME_TEXT_SIZE], settle[TIME_TEXT_SIZE];

    time_format_rfc3339(l->op->requested_at, at);
    duration_format(l->view->options->settle, settle);
    say("%s was requested at %s and its outcome is not known; the account is watched for its effect for %s, and "
        "nothing is sent again before that%s%s",
        cmk_step_type_name(l->op->type), at, settle, str_empty(why) ? "" : ". The cause: ", str_empty(why) ? "" : why);
}

void cmk_say_running(const struct look *l, char *ret, size_t size)
{
    char time[TIME_TEXT_SIZE], what[CMK_MESSAGE_SIZE / 2];

    elapsed(l, time);
    doing(l->op, what, sizeof(what));
    say("Azure is %s: the operation is %s, running for %s%s%s", what, or_dash(l->op->state),
        str_eq(time, "0s") ? "less than a minute" : time,
        l->op->type == CMK_ENABLE_KEY
            ? "; reads and writes go on, control-plane changes such as adding a region are blocked until it ends"
            : "",
        l->view->operation_lost ? "; its status URL can no longer be read, so the account is watched instead" : "");
}

void cmk_say_not_shown(const struct look *l, char *ret, size_t size)
{
    say("Azure's operation for %s has ended, but the account does not show it yet; reading it again",
        cmk_step_type_name(l->op->type));
}

void cmk_say_broken(const struct look *l, char *ret, size_t size)
{
    say("The account's provisioningState is %s: its creation or deletion failed; repair or delete it in Azure",
        or_dash(l->account->provisioning_state));
}

static void busy_beginning(const struct look *l, char *ret, size_t size)
{
    say("The account's provisioningState is %s because of an operation that was started elsewhere",
        or_dash(l->account->provisioning_state));
}

const char *cmk_busy_message(const struct look *l)
{
    const struct cmk_status *status = &l->view->status;
    char beginning[CMK_MESSAGE_SIZE / 2];

    busy_beginning(l, beginning, sizeof(beginning));
    for (size_t i = 0; i < status->n_conditions; i++) {
        const struct cmk_condition *c = &status->conditions[i];
        if (str_eq(c->type, "Ready") && c->message && str_has_prefix(c->message, beginning))
            return c->message;
    }
    return NULL;
}

void cmk_say_busy(const struct look *l, char *ret, size_t size)
{
    const char *published = l->view->culprit_fact == CMK_UNREAD ? cmk_busy_message(l) : NULL;
    char beginning[CMK_MESSAGE_SIZE / 2];

    busy_beginning(l, beginning, sizeof(beginning));
    if (published)
        say("%s", published);
    else
        say("%s%s%s; waiting for its end", beginning, l->view->culprit[0] ? " " : "", l->view->culprit);
}

void cmk_say_revoked(const struct look *l, char *ret, size_t size)
{
    cmk_say_key_lost(l->account, ret, size);
}

void cmk_say_encrypted(const struct look *l, char *ret, size_t size)
{
    say("The account is encrypted with %s", or_dash(l->account->key_uri));
}

void cmk_say_failed(const struct look *l, char *ret, size_t size)
{
    bool given_up = l->op->attempts >= l->view->options->max_attempts;

    say("%s failed%s with %s; to try again once the cause is removed, change the spec or set the annotation "
        "cosmoscmk.io/reconcile-requested-at to a new value. The cause: %s",
        cmk_step_type_name(l->op->type), given_up ? " repeatedly" : "", or_dash(l->op->error_code),
        or_dash(l->op->error_message));
}

void cmk_say_retrying(const struct look *l, char *ret, size_t size)
{
    char at[TIME_TEXT_SIZE];

    time_format_rfc3339(cmk_retry_at(l), at);
    say("%s failed with %s; attempt %lld follows at %s. The cause: %s", cmk_step_type_name(l->op->type),
        or_dash(l->op->error_code), (long long)l->op->attempts + 1, at, or_dash(l->op->error_message));
}

void cmk_say_unsupported(const struct look *l, char *ret, size_t size)
{
    say("%s", cmk_account_unsupported(l->account));
    ret[0] = 'T'; /* "the account ..." */
}

void cmk_say_preflight(const struct look *l, char *ret, size_t size)
{
    const struct cmk_check *failed = cmk_first_failed(l->checks, l->n_checks);

    say("%s: %s", failed->name, failed->message);
}

void cmk_say_drifted(const struct look *l, char *ret, size_t size)
{
    say("The account was changed to %s after it was Ready with %s, and spec.drift is Report; change "
        "spec.keyVaultKeyUri or set "
        "spec.drift to Correct",
        str_empty(l->account->key_uri) ? "no key" : l->account->key_uri, or_dash(l->spec->key_uri));
}

void cmk_say_observing(const struct look *l, char *ret, size_t size)
{
    char steps[128];

    steps_of(&l->plan, steps, sizeof(steps));
    say("spec.mode is Observe, so nothing is changed; to carry out the plan (%s), set it to Enforce", steps);
}

void cmk_say_approval(const struct look *l, char *ret, size_t size)
{
    char steps[128];

    steps_of(&l->plan, steps, sizeof(steps));
    say("The plan (%s) waits for approval and cannot be undone once carried out; to approve it, set spec.approvedPlan "
        "to \"%s\"",
        steps, l->plan.hash);
}

void cmk_say_window(const struct look *l, char *ret, size_t size)
{
    char at[TIME_TEXT_SIZE];

    time_format_rfc3339(l->window.opens_at, at);
    if (l->window.opens_at)
        say("The change waits for spec.window, which opens at %s", at);
    else
        say("spec.window never opens: its periods name no day");
}

void cmk_say_starting(const struct look *l, char *ret, size_t size)
{
    say("%s is about to be sent to Azure", cmk_step_type_name(l->next));
}
