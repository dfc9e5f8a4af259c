/* The behaviour of cosmoscmk on one screen: an ordered table, first match wins.
 *
 * Each row is a name, a predicate, the effect, and the reason, phase and wake-up that it gives. Everything a row looks
 * at is in struct look; nothing here changes anything. The order is the argument for the invariants of the design:
 *
 *   - a process that no longer leads decides nothing: lease-lost stands above everything;
 *   - nothing is decided about an account that was not read in this pass (account-unread stands above every row that
 * looks);
 *   - an operation that may be under way is followed to its end before anything new is considered;
 *   - every gate stands above "send", and "send" is reached only in the pass that wrote the operation ahead and has
 * read the account again since (the fold of the write-ahead makes the account unread). */
#include "cmk/rules.h"

#include "base/str.h"
#include "cmk/messages.h"
#include "cmk/spec.h"

const struct cmk_options cmk_default_options = {
    .poll_min = 5000,
    .poll_max = 60000,
    .progress = 600000,
    .settle = 120000, /* ARM gives resource providers 60 s to answer (azure-facts 5.1); twice that */
    .resync = 600000,
    .recheck = 600000,
    .propagation = 300000, /* Microsoft says up to ten minutes; what comes too early is refused and tried again */
    .retry_base = 300000,
    .retry_max = 3600000,
    .max_attempts = 5,
    .unreachable_grace = 900000,
};

/* ---- predicates: this process ---- */

static bool lease_is_lost(const struct look *l)
{
    return !l->view->lease_valid;
}

/* ---- predicates: the resource ---- */

static bool is_deleting(const struct look *l)
{
    return l->view->resource->deleting;
}

static bool spec_is_invalid(const struct look *l)
{
    return !l->spec_ok;
}

static bool spec_is_unsupported(const struct look *l)
{
    return l->unsupported != NULL;
}

static bool account_has_changed(const struct look *l)
{
    return cmk_account_changed(l->spec, &l->view->status);
}

static bool zone_is_unknown(const struct look *l)
{
    return l->spec->window.present && !l->view->zone;
}

static bool has_older_owner(const struct look *l)
{
    return l->view->owner != NULL;
}

static bool is_suspended(const struct look *l)
{
    return l->spec->suspend;
}

/* ---- predicates: Azure refused what was just sent ---- */

static bool refused_as(const struct look *l, enum err_kind kind)
{
    return l->view->refused && l->view->refusal.kind == kind;
}

static bool refused_because_busy(const struct look *l)
{
    return l->view->refused && cmk_refused_as_busy(&l->view->refusal);
}

static bool refused_by_throttle(const struct look *l)
{
    return refused_as(l, ERR_THROTTLED);
}

static bool refused_by_rights(const struct look *l)
{
    return refused_as(l, ERR_FORBIDDEN) || refused_as(l, ERR_UNAUTHORIZED);
}

static bool refused_otherwise(const struct look *l)
{
    return l->view->refused && l->op->type != CMK_NO_STEP && str_eq(l->op->state, CMK_REQUESTED);
}

/* ---- predicates: the account as read ---- */

static bool account_is_unread(const struct look *l)
{
    return l->view->account_fact == CMK_UNREAD;
}

static bool account_failed_as(const struct look *l, enum err_kind kind)
{
    return l->view->account_fact == CMK_FAILED_TO_READ && l->view->account_err.kind == kind;
}

static bool account_is_absent(const struct look *l)
{
    return account_failed_as(l, ERR_NOT_FOUND);
}

static bool account_is_denied(const struct look *l)
{
    return account_failed_as(l, ERR_FORBIDDEN) || account_failed_as(l, ERR_UNAUTHORIZED);
}

static bool account_is_throttled(const struct look *l)
{
    return account_failed_as(l, ERR_THROTTLED);
}

static bool account_is_unreadable(const struct look *l)
{
    return l->view->account_fact == CMK_FAILED_TO_READ;
}

/* ---- predicates: a request whose answer is not known ---- */

static bool answer_is_lost(const struct look *l)
{
    return l->op->type != CMK_NO_STEP && str_eq(l->op->state, CMK_REQUESTED) && !l->view->armed;
}

static bool is_grant(const struct look *l)
{
    return l->op->type == CMK_GRANT_KEY_ACCESS;
}

/* A grant shows in the evidence, not in the account. */
static bool lost_grant_unread(const struct look *l)
{
    return answer_is_lost(l) && is_grant(l) && l->view->evidence_fact == CMK_UNREAD;
}

static bool lost_and_busy(const struct look *l)
{
    return answer_is_lost(l) && l->busy && !is_grant(l);
}

static bool lost_and_shown(const struct look *l)
{
    return answer_is_lost(l) && l->op_shows;
}

/* Nothing was seen for too short a time to mean anything. By the time of the look, not by now: one that took long may
 * show an account that the request had yet to reach. */
static bool quiet_is_young(const struct look *l)
{
    const struct cmk_view *v = l->view;

    return !v->quiet_since || v->looked_at < v->quiet_since + v->options->settle;
}

static bool lost_and_young(const struct look *l)
{
    return answer_is_lost(l) && quiet_is_young(l);
}

/* ---- predicates: an operation that Azure has accepted ---- */

static bool is_running(const struct look *l)
{
    return cmk_operation_open(l->op) && !str_eq(l->op->state, CMK_REQUESTED);
}

static bool grant_is_unread(const struct look *l)
{
    return is_running(l) && is_grant(l) && l->view->evidence_fact == CMK_UNREAD;
}

/* Granted, and not yet in force everywhere: data actions of a new role need up to ten minutes (azure-facts 11.6). */
static bool grant_propagates(const struct look *l)
{
    return is_running(l) && is_grant(l) && l->view->now < l->op->started_at + l->view->options->propagation;
}

static bool operation_is_due(const struct look *l)
{
    const struct cmk_view *v = l->view;

    if (!is_running(l) || v->operation_fact != CMK_UNREAD || str_empty(l->op->status_url))
        return false;
    if (l->outcome != OUTCOME_RUNNING) /* an end is an end: Azure need not be asked again */
        return false;
    if (!l->busy)
        return true;
    bool never_read = v->operation_read_at < l->op->started_at;
    return !v->sent && (never_read || v->now >= v->operation_read_at + 4 * cmk_poll_interval(l));
}

static bool running_and_busy(const struct look *l)
{
    return is_running(l) && l->busy && !is_grant(l);
}

static bool running_is_failed(const struct look *l)
{
    return is_running(l) && l->outcome == OUTCOME_FAILED;
}

static bool running_by_url(const struct look *l)
{
    return is_running(l) && l->view->operation_fact == CMK_KNOWN && l->outcome == OUTCOME_RUNNING;
}

/* Worth waiting for, unless the account has shown the change for long enough: it is the truth, the URL a detail. */
static bool running_unreadable(const struct look *l)
{
    const struct cmk_view *v = l->view;
    bool shown_long = l->op_shows && v->uptime >= v->quiet_since + v->options->settle;

    return is_running(l) && v->operation_fact == CMK_FAILED_TO_READ && !v->operation_lost && !shown_long;
}

static bool running_throttled(const struct look *l)
{
    return running_unreadable(l) && l->view->operation_err.kind == ERR_THROTTLED;
}

static bool running_and_shown(const struct look *l)
{
    return is_running(l) && l->op_shows;
}

static bool running_not_shown_yet(const struct look *l)
{
    return is_running(l) && quiet_is_young(l);
}

/* ---- predicates: nothing is under way ---- */

static bool has_failed(const struct look *l)
{
    return l->op->type != CMK_NO_STEP && str_eq(l->op->state, CMK_FAILED);
}

/* Somebody asked again, changed the spec, or did by hand what had failed. What this pass itself sent is never outdated:
 * it must not be sent twice in one pass. */
static bool failure_is_outdated(const struct look *l)
{
    const struct cmk_resource *r = l->view->resource;
    bool asked =
        r->reconcile_requested_at && !str_eq(r->reconcile_requested_at, l->view->status.last_handled_reconcile_at);
    bool other_step = l->next != CMK_NO_STEP && l->op->type != l->next;

    return has_failed(l) && !l->view->sent &&
           (asked || other_step || l->view->status.observed_generation != r->generation);
}

static bool account_is_broken(const struct look *l)
{
    return str_eq_nocase(l->account->provisioning_state, "Failed") ||
           str_eq_nocase(l->account->provisioning_state, "DeletionFailed");
}

static bool account_is_busy(const struct look *l)
{
    return l->busy;
}

static bool key_is_revoked(const struct look *l)
{
    return cmk_key_access(l->account) == CMK_FALSE;
}

static bool is_as_desired(const struct look *l)
{
    return l->next == CMK_NO_STEP;
}

static bool failure_is_final(const struct look *l)
{
    return has_failed(l) && !is_as_desired(l) &&
           (!cmk_failure_may_pass(l->op) || l->op->attempts >= l->view->options->max_attempts);
}

static bool failure_is_fresh(const struct look *l)
{
    return has_failed(l) && l->view->now < cmk_retry_at(l);
}

static bool culprit_is_unknown(const struct look *l)
{
    return l->busy && l->view->culprit_fact == CMK_UNREAD && !cmk_busy_message(l);
}

static bool evidence_is_unread(const struct look *l)
{
    return l->view->evidence_fact == CMK_UNREAD;
}

static bool evidence_is_throttled(const struct look *l)
{
    return l->view->evidence_fact == CMK_FAILED_TO_READ && l->view->evidence_err.kind == ERR_THROTTLED;
}

static bool evidence_is_unreadable(const struct look *l)
{
    return l->view->evidence_fact == CMK_FAILED_TO_READ;
}

/* One that was interrupted is taken up again: nothing is sent before it has ended one way or the other. */
static bool scan_runs(const struct look *l)
{
    const struct cmk_scan_evidence *scan = &l->view->evidence.scan;
    bool interrupted = scan->state == CMK_SCAN_FAILED && err_is_transient(&scan->error);

    return l->spec->document_ids == CMK_IDS_SCAN &&
           (scan->state == CMK_SCAN_NONE || scan->state == CMK_SCAN_RUNNING || interrupted);
}

static bool account_is_unsupported(const struct look *l)
{
    return cmk_account_unsupported(l->account) != NULL;
}

static bool preflight_failed(const struct look *l)
{
    return cmk_first_failed(l->checks, l->n_checks) != NULL;
}

/* It was Ready with the key that the spec still names, and now has another. */
static bool has_drifted(const struct look *l)
{
    return l->spec->drift == CMK_DRIFT_REPORT && cmk_same_key(l->view->status.encrypted_key_uri, l->spec->key_uri) &&
           !cmk_same_key(l->account->key_uri, l->spec->key_uri);
}

static bool only_observes(const struct look *l)
{
    return l->spec->mode == CMK_OBSERVE;
}

static bool lacks_approval(const struct look *l)
{
    return l->spec->approval == CMK_MANUAL && !str_eq(l->spec->approved_plan, l->plan.hash);
}

static bool window_is_closed(const struct look *l)
{
    return l->spec->window.present && !l->window.open;
}

/* What is sent is what was written ahead. When the account has changed in between so that another step is next, that
 * one is written ahead first: the record must never name another change than the one that may be on its way. */
static bool is_armed(const struct look *l)
{
    return l->view->armed && l->op->type == l->next;
}

/* The write-ahead is so old (a paused process, a slow read) that somebody may soon conclude it had no effect. */
static bool armed_too_long(const struct look *l)
{
    return l->view->armed && l->view->now >= l->op->requested_at + l->view->options->settle / 2;
}

static bool always(const struct look *l _unused_)
{
    return true;
}

/* clang-format off */
static const struct cmk_rule table[] = {
/*   name                     when                    effect              reason                          phase               wake             message */
/* this process */
    {"lease-lost",            lease_is_lost,          CMK_YIELD},
/* the resource itself */
    {"deleted",               is_deleting,            CMK_GONE},
    {"spec-invalid",          spec_is_invalid,        CMK_REST,           CMK_REASON_INVALID_SPEC,        CMK_IS_STALLED,     WAKE_NEVER,      cmk_say_spec_invalid},
    {"spec-unsupported",      spec_is_unsupported,    CMK_REST,           CMK_REASON_UNSUPPORTED_SPEC,    CMK_IS_STALLED,     WAKE_NEVER,      cmk_say_spec_unsupported},
    {"account-changed",       account_has_changed,    CMK_REST,           CMK_REASON_INVALID_SPEC,        CMK_IS_STALLED,     WAKE_NEVER,      cmk_say_account_changed},
    {"zone-unknown",          zone_is_unknown,        CMK_REST,           CMK_REASON_INVALID_SPEC,        CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_zone_unknown},
    {"account-conflict",      has_older_owner,        CMK_REST,           CMK_REASON_ACCOUNT_CONFLICT,    CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_conflict},
    {"suspended",             is_suspended,           CMK_REST,           CMK_REASON_SUSPENDED,           CMK_IS_IDLE,        WAKE_NEVER,      cmk_say_suspended},
/* Azure refused what this pass sent */
    {"refused-busy",          refused_because_busy,   CMK_REST,           CMK_REASON_ACCOUNT_BUSY,        CMK_IS_WORKING,     WAKE_BACKOFF,    cmk_say_refused_busy},
    {"refused-throttled",     refused_by_throttle,    CMK_REST,           CMK_REASON_THROTTLED,           CMK_IS_WORKING,     WAKE_RETRY_AFTER, cmk_say_refused},
    {"refused-denied",        refused_by_rights,      CMK_REST,           CMK_REASON_ACCESS_DENIED,       CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_refused},
    {"refused",               refused_otherwise,      CMK_SETTLE,         .settlement = CMK_OP_REFUSED},
/* the account */
    {"account-unread",        account_is_unread,      CMK_READ_ACCOUNT},
    {"account-not-found",     account_is_absent,      CMK_REST,           CMK_REASON_ACCOUNT_NOT_FOUND,   CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_account_error},
    {"account-denied",        account_is_denied,      CMK_REST,           CMK_REASON_ACCESS_DENIED,       CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_account_error},
    {"account-throttled",     account_is_throttled,   CMK_REST,           CMK_REASON_THROTTLED,           CMK_IS_UNREACHABLE, WAKE_RETRY_AFTER, cmk_say_account_error},
    {"account-unreadable",    account_is_unreadable,  CMK_REST,           CMK_REASON_AZURE_UNAVAILABLE,   CMK_IS_UNREACHABLE, WAKE_BACKOFF,    cmk_say_account_error},
/* a request whose answer was lost: the account tells, never a second request */
    {"lost-grant-unread",     lost_grant_unread,      CMK_GATHER},
    {"lost-answer-runs",      lost_and_busy,          CMK_SETTLE,         .settlement = CMK_OP_RUNS},
    {"lost-answer-applied",   lost_and_shown,         CMK_SETTLE,         .settlement = CMK_OP_DONE},
    {"lost-answer-unsettled", lost_and_young,         CMK_REST,           CMK_REASON_CONFIRMING,          CMK_IS_WORKING,     WAKE_SETTLE,     cmk_say_confirming},
    {"lost-answer-no-effect", answer_is_lost,         CMK_SETTLE,         .settlement = CMK_OP_NO_EFFECT},
/* an operation that Azure accepted */
    {"grant-unread",          grant_is_unread,        CMK_GATHER},
    {"grant-propagates",      grant_propagates,       CMK_REST,           CMK_REASON_GRANTING_ACCESS,     CMK_IS_WORKING,     WAKE_PROPAGATION, cmk_say_granting},
    {"operation-due",         operation_is_due,       CMK_READ_OPERATION},
    {"operation-running",     running_and_busy,       CMK_REST,           CMK_REASON_ENCRYPTING,          CMK_IS_WORKING,     WAKE_POLL,       cmk_say_running},
    {"operation-failed",      running_is_failed,      CMK_SETTLE,         .settlement = CMK_OP_FAILED},
    {"operation-still-runs",  running_by_url,         CMK_REST,           CMK_REASON_ENCRYPTING,          CMK_IS_WORKING,     WAKE_POLL,       cmk_say_running},
    {"operation-throttled",   running_throttled,      CMK_REST,           CMK_REASON_ENCRYPTING,          CMK_IS_WORKING,     WAKE_RETRY_AFTER, cmk_say_running},
    {"operation-unreadable",  running_unreadable,     CMK_REST,           CMK_REASON_ENCRYPTING,          CMK_IS_WORKING,     WAKE_BACKOFF,    cmk_say_running},
    {"operation-done",        running_and_shown,      CMK_SETTLE,         .settlement = CMK_OP_DONE},
    {"operation-not-shown",   running_not_shown_yet,  CMK_REST,           CMK_REASON_CONFIRMING,          CMK_IS_WORKING,     WAKE_POLL,       cmk_say_not_shown},
    {"operation-not-applied", is_running,             CMK_SETTLE,         .settlement = CMK_OP_NOT_APPLIED},
/* nothing of ours is under way */
    {"failure-outdated",      failure_is_outdated,    CMK_SETTLE,         .settlement = CMK_OP_FORGET},
    {"failure-final",         failure_is_final,       CMK_REST,           CMK_REASON_OPERATION_FAILED,    CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_failed},
    {"account-broken",        account_is_broken,      CMK_REST,           CMK_REASON_ACCOUNT_NOT_ONLINE,  CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_broken},
    {"culprit-unknown",       culprit_is_unknown,     CMK_READ_CULPRIT},
    {"account-busy",          account_is_busy,        CMK_REST,           CMK_REASON_ACCOUNT_BUSY,        CMK_IS_WORKING,     WAKE_POLL,       cmk_say_busy},
    {"key-revoked",           key_is_revoked,         CMK_REST,           CMK_REASON_KEY_REVOKED,         CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_revoked},
    {"encrypted",             is_as_desired,          CMK_REST,           CMK_REASON_ENCRYPTED,           CMK_IS_READY,       WAKE_RESYNC,     cmk_say_encrypted},
    {"failure-waits",         failure_is_fresh,       CMK_REST,           CMK_REASON_RETRYING,            CMK_IS_WORKING,     WAKE_RETRY,      cmk_say_retrying},
/* gates before a change */
    {"account-unsupported",   account_is_unsupported, CMK_REST,           CMK_REASON_UNSUPPORTED_ACCOUNT, CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_unsupported},
    {"evidence-unread",       evidence_is_unread,     CMK_GATHER},
    {"evidence-throttled",    evidence_is_throttled,  CMK_REST,           CMK_REASON_THROTTLED,           CMK_IS_UNREACHABLE, WAKE_RETRY_AFTER, cmk_say_evidence_error},
    {"evidence-unreadable",   evidence_is_unreadable, CMK_REST,           CMK_REASON_AZURE_UNAVAILABLE,   CMK_IS_UNREACHABLE, WAKE_BACKOFF,    cmk_say_evidence_error},
    {"scan-running",          scan_runs,              CMK_REST,           CMK_REASON_PREFLIGHT_RUNNING,   CMK_IS_WORKING,     WAKE_SCAN,       cmk_say_scanning},
    {"preflight-failed",      preflight_failed,       CMK_REST,           CMK_REASON_PREFLIGHT_FAILED,    CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_preflight},
    {"drifted",               has_drifted,            CMK_REST,           CMK_REASON_DRIFTED,             CMK_IS_STALLED,     WAKE_RECHECK,    cmk_say_drifted},
    {"observing",             only_observes,          CMK_REST,           CMK_REASON_OBSERVING,           CMK_IS_IDLE,        WAKE_RESYNC,     cmk_say_observing},
    {"awaiting-approval",     lacks_approval,         CMK_REST,           CMK_REASON_AWAITING_APPROVAL,   CMK_IS_WAITING,     WAKE_RECHECK,    cmk_say_approval},
    {"awaiting-window",       window_is_closed,       CMK_REST,           CMK_REASON_AWAITING_WINDOW,     CMK_IS_WAITING,     WAKE_WINDOW,     cmk_say_window},
/* the change */
    {"armed-too-long",        armed_too_long,         CMK_REST,           CMK_REASON_STARTING,            CMK_IS_WORKING,     WAKE_BACKOFF,    cmk_say_starting},
    {"send",                  is_armed,               CMK_SEND,           CMK_REASON_STARTING,            CMK_IS_WORKING,     WAKE_NEVER,      cmk_say_starting},
    {"write-ahead",           always,                 CMK_WRITE_AHEAD,    CMK_REASON_STARTING,            CMK_IS_WORKING,     WAKE_NEVER,      cmk_say_starting},
};
/* clang-format on */

enum cmk_reason cmk_rule_reason(const struct cmk_rule *rule, enum cmk_step_type step)
{
    if (rule->reason == CMK_REASON_ENCRYPTING && step != CMK_ENABLE_KEY)
        return CMK_REASON_PREPARING_IDENTITY;
    return rule->reason;
}

const struct cmk_rule *cmk_rule_at(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}

const char *cmk_rule_name(size_t i)
{
    return i < ARRAY_LEN(table) ? table[i].name : NULL;
}

bool cmk_rule_gives(size_t i, enum cmk_reason *ret_reason, enum cmk_phase *ret_phase)
{
    static const enum cmk_reason derived = CMK_REASON_PREPARING_IDENTITY; /* see cmk_next() */

    if (i > ARRAY_LEN(table))
        return false;
    *ret_reason = i == ARRAY_LEN(table) ? derived : table[i].effect == CMK_REST ? table[i].reason : CMK_REASON_NONE;
    *ret_phase = i == ARRAY_LEN(table) ? CMK_IS_WORKING : table[i].phase;
    return true;
}

void cmk_next(const struct cmk_view *view, struct cmk_step *ret)
{
    _cleanup_(cmk_look_done) struct look look;
    const struct cmk_rule *rule = table;

    cmk_look_init(&look, view);
    while (!rule->when(&look))
        rule++; /* the last row always matches */
    *ret = (struct cmk_step){
        .rule = rule->name,
        .effect = rule->effect,
        .settlement = rule->settlement,
        .type = look.next,
        .reason = cmk_rule_reason(rule, look.op->type),
        .phase = rule->phase,
    };
    if (rule->effect == CMK_REST)
        ret->wake_at = cmk_wake_at(&look, rule->wake, &ret->backoff);
    ret->exact = rule->wake == WAKE_RETRY_AFTER && !ret->backoff;
    if (rule->say)
        rule->say(&look, ret->message, sizeof(ret->message));
    cmk_say_well(ret->message);
}
