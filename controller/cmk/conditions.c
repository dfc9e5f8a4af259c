/* From a step to the conditions that people and tools read (design 2.2; kstatus' order of looking: observedGeneration,
 * Reconciling, Stalled, Ready). Ready is always there; Reconciling and Stalled only when True; Encrypting once there
 * has been a key operation; KeyAccessible once Azure says anything about it. */
#include "base/mem.h"
#include "base/str.h"
#include "cmk/rules.h"
#include "cmk/spec.h"
#include "cmk/view.h"

#include <string.h>

static struct cmk_condition *find(struct cmk_status *status, const char *type)
{
    for (size_t i = 0; i < status->n_conditions; i++)
        if (str_eq(status->conditions[i].type, type))
            return &status->conditions[i];
    return NULL;
}

static void remove_condition(struct cmk_status *status, const char *type)
{
    struct cmk_condition *c = find(status, type);

    if (!c)
        return;
    free(c->type);
    free(c->reason);
    free(c->message);
    size_t after = (size_t)(status->conditions + status->n_conditions - (c + 1));
    memmove(c, c + 1, after * sizeof(*c));
    status->n_conditions--;
}

/* lastTransitionTime moves only when the status does. */
static void set(struct cmk_view *view, const char *type, enum cmk_truth truth, const char *reason, const char *message)
{
    struct cmk_status *status = &view->status;
    struct cmk_condition *c = find(status, type);

    if (!c) {
        if (status->n_conditions == CMK_MAX_CONDITIONS)
            return;
        c = &status->conditions[status->n_conditions++];
        *c = (struct cmk_condition){.type = xstrdup(type), .last_transition = view->now};
    } else if (c->status != truth) {
        c->last_transition = view->now;
    }
    c->status = truth;
    str_replace(&c->reason, reason);
    str_replace(&c->message, message);
    c->observed_generation = view->resource->generation;
}

static void set_ready(struct cmk_view *view, const struct cmk_step *step, const char *reason)
{
    bool unknown = step->phase == CMK_IS_UNREACHABLE || step->reason == CMK_REASON_SUSPENDED;

    set(view, "Ready",
        step->phase == CMK_IS_READY ? CMK_TRUE
        : unknown                   ? CMK_UNKNOWN
                                    : CMK_FALSE,
        reason, step->message);
    if (step->phase == CMK_IS_WORKING || step->phase == CMK_IS_WAITING || step->phase == CMK_IS_UNREACHABLE)
        set(view, "Reconciling", CMK_TRUE, reason, step->message);
    else
        remove_condition(&view->status, "Reconciling");
    if (step->phase == CMK_IS_STALLED)
        set(view, "Stalled", CMK_TRUE, reason, step->message);
    else
        remove_condition(&view->status, "Stalled");
}

static char *preflight_summary(const struct look *look)
{
    int passed = 0, warnings = 0, unseen = 0;

    for (size_t i = 0; i < look->n_checks; i++) {
        enum cmk_check_result result = look->checks[i].result;
        passed += result == CMK_PASSED;
        warnings += result == CMK_WARNING;
        unseen += result == CMK_CHECK_UNKNOWN || result == CMK_SKIPPED;
    }
    return xasprintf("No check failed: %d passed, %d %s, %d unknown or skipped; status.preflight lists them", passed,
        warnings, warnings == 1 ? "warning" : "warnings", unseen);
}

static void set_preflight(struct cmk_view *view, const struct look *look)
{
    const struct cmk_check *failed = cmk_first_failed(look->checks, look->n_checks);
    _cleanup_(freep) char *message =
        failed ? xasprintf("%s: %s", failed->name, failed->message) : preflight_summary(look);

    set(view, "PreflightPassed", failed ? CMK_FALSE : CMK_TRUE, failed ? "CheckFailed" : "Passed", message);
}

static void publish_checks(struct cmk_view *view, const struct look *look)
{
    struct cmk_status *status = &view->status;

    cmk_checks_done(status->checks, status->n_checks);
    for (size_t i = 0; i < look->n_checks; i++)
        status->checks[i] = (struct cmk_check){.name = xstrdup(look->checks[i].name),
            .result = look->checks[i].result,
            .message = xstrdup(look->checks[i].message)};
    status->n_checks = look->n_checks;
}

static void set_encrypting(struct cmk_view *view, const struct cmk_step *step)
{
    const struct cmk_operation *op = &view->status.operation;
    _cleanup_(freep) char *message = NULL;

    if (op->type != CMK_ENABLE_KEY) {
        const struct cmk_condition *c = find(&view->status, "Encrypting");
        if (c && c->status != CMK_FALSE) /* of a request that was never sent, or refused */
            remove_condition(&view->status, "Encrypting");
    } else if (str_eq(op->state, CMK_REQUESTED)) {
        set(view, "Encrypting", CMK_UNKNOWN, "Requested",
            "The key was or is about to be sent to Azure; no answer is known yet");
    } else if (cmk_operation_open(op)) {
        /* While the account cannot be read the last sentence about the operation stays. */
        if (step->reason == CMK_REASON_ENCRYPTING || !find(&view->status, "Encrypting"))
            set(view, "Encrypting", CMK_TRUE, "Encrypting", step->message);
    } else if (str_eq(op->state, CMK_SUCCEEDED)) {
        message = xasprintf("Azure has encrypted the account with %s", op->target ? op->target : "the key");
        set(view, "Encrypting", CMK_FALSE, "Encrypted", message);
    } else {
        message = xasprintf(
            "%s: %s", op->error_code ? op->error_code : CMK_FAILED, op->error_message ? op->error_message : "-");
        set(view, "Encrypting", CMK_FALSE, "OperationFailed", message);
    }
}

static void set_key_accessible(struct cmk_view *view)
{
    enum cmk_truth access = cmk_key_access(&view->account);
    char message[CMK_MESSAGE_SIZE];

    if (access == CMK_UNKNOWN) {
        remove_condition(&view->status, "KeyAccessible");
    } else if (access == CMK_TRUE) {
        set(view, "KeyAccessible", CMK_TRUE, "AccessConfirmed", view->account.cmk_status);
    } else {
        cmk_say_key_lost(&view->account, message, sizeof(message));
        set(view, "KeyAccessible", CMK_FALSE, "AccessLost", message);
    }
}

/* This pass has changed nothing about the operation. */
static bool same_operation(const struct cmk_view *view)
{
    const struct cmk_operation *now = &view->status.operation, *read = &view->resource->status.operation;

    return now->type == read->type && now->requested_at == read->requested_at && str_eq(now->state, read->state);
}

/* Nothing could be learnt in this pass: what was known stays for a while, and nothing is written. So a short outage
 * does not make every resource flap, Ready being worth keeping for longer than the rest; and our own pacing is never
 * news. */
static bool outlives_silence(const struct cmk_view *view, const struct cmk_step *step)
{
    const struct cmk_condition *ready = find((struct cmk_status *)&view->status, "Ready");
    int64_t grace = view->options->unreachable_grace;

    if (step->phase != CMK_IS_UNREACHABLE || !ready || !same_operation(view))
        return false;
    if (cmk_is_own_pacing(cmk_last_error(view)))
        return true;
    if (view->account_fact == CMK_KNOWN || ready->observed_generation != view->resource->generation)
        return false;
    bool patient = ready->status == CMK_TRUE || str_eq(view->account_err.code, CMK_CLIENT_THROTTLED);
    return view->now - view->failing_since < (patient ? grace : grace / 10);
}

/* Whether access has to be granted is only known from the evidence: until then a published plan stands. */
static void publish_plan(struct cmk_view *view, const struct look *look)
{
    bool grant_unknown = look->spec->key_vault_access == CMK_ACCESS_GRANT && view->evidence_fact != CMK_KNOWN;

    if (cmk_account_unsupported(&view->account))
        view->status.plan = (struct cmk_plan){0};
    else if (look->next == CMK_NO_STEP || !grant_unknown)
        view->status.plan = look->plan;
}

static void publish_facts(struct cmk_view *view, const struct look *look)
{
    struct cmk_status *status = &view->status;

    cmk_account_done(&status->account);
    cmk_account_copy(&status->account, &view->account);
    status->has_account = true;
    publish_plan(view, look);
    /* What was checked before our own operation stays: while it runs the account is busy by our own wish. */
    bool ours = look->busy && cmk_operation_open(&status->operation);
    bool looked = view->evidence_fact == CMK_KNOWN || cmk_first_failed(look->checks, look->n_checks);
    if (look->next != CMK_NO_STEP && !ours && looked) {
        publish_checks(view, look);
        set_preflight(view, look);
    }
    set_key_accessible(view);
}

/* Until the account was read its name is that of its id: people look for it first when it cannot be read. */
static void publish_name(struct cmk_view *view, const struct look *look)
{
    struct cmk_status *status = &view->status;

    if (!look->spec_ok || status->has_account)
        return;
    status->has_account = true;
    str_replace(&status->account.name, strrchr(view->resource->spec.account_id, '/') + 1);
}

/* From the operation's record, which survives a status that could not be written (see kube_port.write_operation), and
 * not at the moment of its end, which does not come again. A key change is no first encryption. */
static void publish_encrypted_at(struct cmk_view *view)
{
    const struct cmk_operation *op = &view->status.operation;

    if (op->type == CMK_ENABLE_KEY && str_eq(op->state, CMK_SUCCEEDED) && !op->previous_key_uri && op->completed_at &&
        !view->status.encrypted_at)
        view->status.encrypted_at = op->completed_at;
}

/* Conditions that this step says nothing about are as true of the new generation as of the old one. */
static void touch_generation(struct cmk_view *view)
{
    static const char *const ours[] = {"PreflightPassed", "Encrypting", "KeyAccessible"};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        struct cmk_condition *c = find(&view->status, ours[i]);
        if (c)
            c->observed_generation = view->resource->generation;
    }
}

void cmk_conclude(struct cmk_view *view, const struct cmk_step *step)
{
    _cleanup_(cmk_look_done) struct look look;
    const char *reason = cmk_reason_text(step->reason)->word;

    bool taken_back = view->armed;
    if (taken_back) { /* written ahead and not sent: it never was */
        cmk_operation_done(&view->status.operation);
        view->armed = false;
    }
    cmk_look_init(&look, view);
    if (!taken_back && outlives_silence(view, step))
        return;
    if (view->account_fact == CMK_KNOWN && look.spec_ok)
        publish_facts(view, &look);
    publish_name(view, &look);
    publish_encrypted_at(view);
    set_encrypting(view, step);
    set_ready(view, step, reason);
    touch_generation(view);
    if (step->reason == CMK_REASON_ENCRYPTED)
        str_replace(&view->status.encrypted_key_uri, view->resource->spec.key_uri);
    view->status.observed_generation = view->resource->generation;
    if (view->resource->reconcile_requested_at)
        str_replace(&view->status.last_handled_reconcile_at, view->resource->reconcile_requested_at);
}

bool cmk_is_settled(const struct cmk_resource *resource)
{
    const struct cmk_status *status = &resource->status;
    const struct cmk_condition *ready = find((struct cmk_status *)status, "Ready");

    return ready && ready->status == CMK_TRUE && ready->observed_generation == resource->generation &&
           status->observed_generation == resource->generation && !resource->deleting &&
           !cmk_operation_open(&status->operation) &&
           (!resource->reconcile_requested_at ||
               str_eq(resource->reconcile_requested_at, status->last_handled_reconcile_at));
}
