/* What the rows of the table are made of. Internal to the domain; the shell sees cmk/view.h. */
#pragma once

#include "cmk/key_status.h"
#include "cmk/plan.h"
#include "cmk/preflight.h"
#include "cmk/view.h"
#include "cmk/window.h"

enum outcome { OUTCOME_RUNNING, OUTCOME_SUCCEEDED, OUTCOME_FAILED };

/* A view, and what follows from it. */
struct look {
    const struct cmk_view *view;
    const struct cmk_spec *spec;
    const struct cmk_account *account; /* meaningful once known */
    const struct cmk_operation *op;
    bool spec_ok;
    struct err spec_err;
    const char *unsupported; /* of the spec */
    bool busy;               /* the account is neither at rest nor broken */
    bool op_shows;           /* the account shows what the operation was to bring */
    enum outcome outcome;    /* by the operation's state */
    struct cmk_plan plan;
    enum cmk_step_type next;
    struct cmk_check checks[CMK_MAX_CHECKS];
    size_t n_checks;
    struct cmk_window_state window;
};

void cmk_look_init(struct look *look, const struct cmk_view *view);
void cmk_look_done(struct look *look);

enum cmk_wake {
    WAKE_NEVER,
    WAKE_POLL,
    WAKE_RESYNC,
    WAKE_RECHECK,
    WAKE_BACKOFF,
    WAKE_RETRY_AFTER, /* what Azure asked for, else back-off */
    WAKE_SETTLE,
    WAKE_PROPAGATION,
    WAKE_SCAN,
    WAKE_RETRY,
    WAKE_WINDOW,
};

struct cmk_rule {
    const char *name;
    bool (*when)(const struct look *look);
    enum cmk_effect effect;
    enum cmk_reason reason;
    enum cmk_phase phase;
    enum cmk_wake wake;
    void (*say)(const struct look *look, char *ret, size_t size);
    enum cmk_settlement settlement;
};

/* The reason and phase that row i leaves a resource with, CMK_REASON_NONE when it does not end a pass; false past the
 * end. After the rows come the reasons that cmk_next() derives from one of them. */
bool cmk_rule_gives(size_t i, enum cmk_reason *ret_reason, enum cmk_phase *ret_phase);

/* No operation holds the account, by its provisioningState (absent means at rest, azure-facts 5.1). */
bool cmk_is_at_rest(const char *provisioning_state);

/* Time at which to look again; *ret_backoff instead when the queue's growing delay is meant. */
int64_t cmk_wake_at(const struct look *look, enum cmk_wake wake, bool *ret_backoff);
int64_t cmk_poll_interval(const struct look *look);
int64_t cmk_retry_at(const struct look *look);

/* Azure did not take a change because the account is not at rest: nothing is wrong, it is tried again. */
bool cmk_refused_as_busy(const struct err *refusal);

/* The published message about the operation that keeps the account busy, when it still holds (borrowed), or NULL: who
 * started it is looked up once and not at every look. */
const char *cmk_busy_message(const struct look *look);
/* Why the pass cannot go on: what Azure refused, or what could not be read. */
const struct err *cmk_last_error(const struct cmk_view *view);

/* The request was not sent: our own limiter (azure/limiter.h) has given us a turn within a minute. That is no news. */
#define CMK_CLIENT_THROTTLED "ClientThrottled"
bool cmk_is_own_pacing(const struct err *err);

/* A failure that Azure's documentation or experience says may pass: throttled scans, outages, time-outs. */
bool cmk_failure_may_pass(const struct cmk_operation *operation);

/* The table's rows in their order; NULL past the end. */
const struct cmk_rule *cmk_rule_at(size_t i);
/* The reason that a row gives while the operation in status carries out step. */
enum cmk_reason cmk_rule_reason(const struct cmk_rule *rule, enum cmk_step_type step);
