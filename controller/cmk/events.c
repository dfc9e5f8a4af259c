/* The events of a pass.
 *
 * Invariant: an operation's beginning and end are told once each, by the effect that brought them; Ready's reason is
 * compared with what the pass found, not with what it wrote in between, so that a change that was tried and not taken
 * is no news. Notes are the sentences of conditions; no URL of an operation is ever in one. */
#include "cmk/events.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/messages.h"

#include <stdio.h>
#include <string.h>

#define RECONCILE "Reconcile"

enum kind { SUCCEEDED, FAILED, ADOPTED, KEY_LOST, KEY_REGAINED, PREFLIGHT_WARNING };

/* clang-format off */
static const struct cmk_event_row others[] = {
    [SUCCEEDED] = {"OperationSucceeded", NULL, false, "A step is done; the account was read and shows it."},
    [FAILED] = {"OperationFailed", NULL, true, "Azure refused a step, or its operation failed."},
    [ADOPTED] = {"OperationAdopted", NULL, false, "The answer to a change was lost; the account shows that it arrived, so it is followed and not sent again."},
    [KEY_LOST] = {"AccessLost", RECONCILE, true, "Azure Cosmos DB has lost access to the account's key, while something else keeps the account from being Ready."},
    [KEY_REGAINED] = {"AccessConfirmed", RECONCILE, false, "Azure Cosmos DB has access to the account's key again."},
    [PREFLIGHT_WARNING] = {"PreflightWarning", "EnableKey", true, "Encryption has begun although checks warned."},
};
/* clang-format on */

static bool is_running_reason(enum cmk_reason reason)
{
    return reason == CMK_REASON_ENCRYPTING || reason == CMK_REASON_PREPARING_IDENTITY ||
           reason == CMK_REASON_GRANTING_ACCESS;
}

/* The reason is about the operation, not about the resource as a whole. */
static bool is_about_operation(enum cmk_reason reason)
{
    return is_running_reason(reason) || reason == CMK_REASON_CONFIRMING || reason == CMK_REASON_RETRYING ||
           reason == CMK_REASON_OPERATION_FAILED;
}

static const struct cmk_condition *condition_of(const struct cmk_status *status, const char *type)
{
    for (size_t i = 0; i < status->n_conditions; i++)
        if (str_eq(status->conditions[i].type, type))
            return &status->conditions[i];
    return NULL;
}

static const char *or_dash(const char *s)
{
    return str_empty(s) ? "-" : s;
}

/* ---- the list ---- */

static void put_note(struct cmk_event *event, const char *text)
{
    size_t n = strlen(text);

    if (n >= sizeof(event->note))
        for (n = sizeof(event->note) - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    memcpy(event->note, text, n);
    event->note[n] = '\0';
}

/* With the list full the rest is left out: a pass that long has told enough. note is freed. */
static void add(struct cmk_events *events, const char *reason, const char *action, bool warning, char *note)
{
    if (events->n < CMK_MAX_EVENTS) {
        struct cmk_event *event = &events->list[events->n++];
        *event = (struct cmk_event){.reason = reason, .action = action, .warning = warning};
        put_note(event, note);
    }
    free(note);
}

static void add_other(struct cmk_events *events, enum kind kind, const struct cmk_operation *op, char *note)
{
    const struct cmk_event_row *row = &others[kind];

    add(events, row->reason, row->action ? row->action : cmk_step_type_name(op->type), row->warning, note);
}

static struct cmk_event *find(struct cmk_events *events, const char *reason, const char *action)
{
    for (size_t i = 0; i < events->n; i++)
        if (str_eq(events->list[i].reason, reason) && str_eq(events->list[i].action, action))
            return &events->list[i];
    return NULL;
}

/* ---- operations ---- */

static enum cmk_reason running_reason(enum cmk_step_type type)
{
    return type == CMK_ENABLE_KEY         ? CMK_REASON_ENCRYPTING
           : type == CMK_GRANT_KEY_ACCESS ? CMK_REASON_GRANTING_ACCESS
                                          : CMK_REASON_PREPARING_IDENTITY;
}

static void add_warnings(struct cmk_events *events, const struct cmk_view *view)
{
    const struct cmk_status *status = &view->status;
    _cleanup_(buf_done) struct buf b = BUF_INIT(65536);

    for (size_t i = 0; i < status->n_checks; i++)
        if (status->checks[i].result == CMK_WARNING)
            buf_printf(&b, "%s%s: %s", b.len ? "; " : "", status->checks[i].name, or_dash(status->checks[i].message));
    if (b.len)
        add_other(events, PREFLIGHT_WARNING, &status->operation,
            xasprintf("Encryption has begun although checks warned. %s", buf_str(&b)));
}

/* The beginning of an operation: what, of which account, and for the key that it is for good. */
static void add_begun(
    struct cmk_events *events, const struct cmk_view *view, const char *reason, const char *how, const char *after)
{
    const struct cmk_operation *op = &view->status.operation;
    const char *previous = op->previous_key_uri, *step = cmk_step_type_name(op->type);
    const char *undo = op->type != CMK_ENABLE_KEY ? ""
                       : previous                 ? ". The key can be changed again, but not taken away"
                                  : ". This cannot be undone: the key can be changed, but not taken away";
    char *note = xasprintf("%s %s (%s%s%s) for the account %s, correlation id %s%s%s", how, step,
        cmk_short_target(op->target), previous ? ", in place of " : "", previous ? previous : "",
        or_dash(view->resource->spec.account_id), or_dash(op->correlation_id), after, undo);

    add(events, reason, step, false, note);
    if (op->type == CMK_ENABLE_KEY && op->attempts == 1)
        add_warnings(events, view);
}

static void add_sent(struct cmk_events *events, const struct cmk_view *view)
{
    enum cmk_reason reason = running_reason(view->status.operation.type);

    add_begun(events, view, cmk_reason_text(reason)->word, "Azure accepted", "");
}

static void add_adopted(struct cmk_events *events, const struct cmk_view *view)
{
    add_begun(events, view, others[ADOPTED].reason, "The answer was lost, but the account shows that Azure runs",
        "; it is followed and not sent again");
}

static void add_succeeded(struct cmk_events *events, const struct cmk_operation *op)
{
    int64_t since = op->started_at ? op->started_at : op->requested_at;
    char took[TIME_TEXT_SIZE];

    duration_format(op->completed_at > since ? op->completed_at - since : 0, took);
    add_other(events, SUCCEEDED, op,
        xasprintf("%s (%s) is done after %s; correlation id %s", cmk_step_type_name(op->type),
            cmk_short_target(op->target), took, or_dash(op->correlation_id)));
}

static void add_failed(struct cmk_events *events, const struct cmk_operation *op)
{
    add_other(events, FAILED, op,
        xasprintf("%s failed with %s (attempt %lld, correlation id %s). The cause: %s", cmk_step_type_name(op->type),
            or_dash(op->error_code), (long long)op->attempts, or_dash(op->correlation_id), or_dash(op->error_message)));
}

static void add_settled(struct cmk_events *events, const struct cmk_view *view, enum cmk_settlement settlement)
{
    const struct cmk_operation *op = &view->status.operation;

    switch (settlement) {
    case CMK_OP_DONE:
        add_succeeded(events, op);
        break;
    case CMK_OP_FAILED:
    case CMK_OP_NO_EFFECT:
    case CMK_OP_NOT_APPLIED:
    case CMK_OP_REFUSED:
        add_failed(events, op);
        break;
    case CMK_OP_RUNS:
        add_adopted(events, view);
        break;
    case CMK_OP_NONE:
    case CMK_OP_FORGET:
        break;
    }
}

/* ---- conditions ---- */

/* The operation that runs was told when it was accepted or adopted. It is news again when Ready comes back to it from
 * something else: an outage, a suspension. */
static bool came_back(const struct cmk_view *view)
{
    const struct cmk_operation *now = &view->status.operation, *found = &view->resource->status.operation;
    const struct cmk_condition *was = condition_of(&view->resource->status, "Ready");

    return cmk_operation_open(found) && !str_eq(found->state, CMK_REQUESTED) &&
           str_eq(now->correlation_id, found->correlation_id) && was &&
           !str_eq(was->reason, cmk_reason_text(CMK_REASON_STARTING)->word);
}

static void add_ready(struct cmk_events *events, const struct cmk_view *view, const struct cmk_step *step)
{
    const struct cmk_condition *was = condition_of(&view->resource->status, "Ready");
    const struct cmk_condition *is = condition_of(&view->status, "Ready");
    const char *word = cmk_reason_text(step->reason)->word;
    enum cmk_step_type type = view->status.operation.type;
    bool about_operation = is_about_operation(step->reason) && type != CMK_NO_STEP;
    const char *action = about_operation ? cmk_step_type_name(type) : RECONCILE;

    if (step->reason == CMK_REASON_OPERATION_FAILED || step->reason == CMK_REASON_RETRYING) {
        /* One event for a failure and what follows from it: the sentence of Ready says both. */
        struct cmk_event *failed = find(events, others[FAILED].reason, action);
        if (failed) {
            put_note(failed, step->message);
            return;
        }
    }
    if (!is || !str_eq(is->reason, word) || (was && str_eq(was->reason, word)))
        return;
    if (step->reason == CMK_REASON_STARTING || (is_running_reason(step->reason) && !came_back(view)))
        return;
    add(events, word, action, step->phase == CMK_IS_STALLED, xstrdup(step->message));
}

static void add_key_access(struct cmk_events *events, const struct cmk_view *view, const struct cmk_step *step)
{
    const struct cmk_condition *was = condition_of(&view->resource->status, "KeyAccessible");
    const struct cmk_condition *is = condition_of(&view->status, "KeyAccessible");
    const struct cmk_operation *op = &view->status.operation;

    if (!is || (was && was->status == is->status))
        return;
    if (is->status == CMK_FALSE && step->reason != CMK_REASON_KEY_REVOKED)
        add_other(events, KEY_LOST, op, xstrdup(or_dash(is->message)));
    if (is->status == CMK_TRUE && was)
        add_other(events, KEY_REGAINED, op, xasprintf("Azure says: %s", or_dash(is->message)));
}

/* ---- the outside ---- */

void cmk_events_add(struct cmk_events *events, const struct cmk_view *view, const struct cmk_step *step)
{
    switch (step->effect) {
    case CMK_SETTLE:
        add_settled(events, view, step->settlement);
        break;
    case CMK_SEND:
        if (view->sent && str_eq(view->status.operation.state, CMK_ACCEPTED))
            add_sent(events, view);
        break;
    case CMK_REST:
        add_key_access(events, view, step);
        add_ready(events, view, step);
        break;
    default:
        break;
    }
}

/* The rows of the rules, each reason once; the reasons of an operation that runs stand for its beginning as well. */
static bool row_of_rules(size_t *i, struct cmk_event_row *ret)
{
    bool seen[CMK_REASON_COUNT] = {[CMK_REASON_NONE] = true, [CMK_REASON_STARTING] = true};
    enum cmk_reason reason;
    enum cmk_phase phase;

    seen[CMK_REASON_OPERATION_FAILED] = true; /* the failure of an operation */
    for (size_t rule = 0; cmk_rule_gives(rule, &reason, &phase); rule++) {
        if (seen[reason])
            continue;
        seen[reason] = true;
        if ((*i)-- > 0)
            continue;
        *ret = (struct cmk_event_row){.reason = cmk_reason_text(reason)->word,
            .action = is_about_operation(reason) ? NULL : RECONCILE,
            .warning = phase == CMK_IS_STALLED,
            .meaning = cmk_reason_text(reason)->meaning};
        return true;
    }
    return false;
}

bool cmk_event_row(size_t i, struct cmk_event_row *ret)
{
    if (row_of_rules(&i, ret))
        return true;
    if (i >= ARRAY_LEN(others))
        return false;
    *ret = others[i];
    return true;
}
