/* One look at one resource: everything that a decision may depend on, and nothing else.
 *
 * The shell fills a view, asks cmk_next() for a step, performs it, folds the result in with cmk_fold(), and asks again.
 */
#pragma once

#include "cmk/evidence.h"
#include "cmk/reasons.h"
#include "cmk/types.h"

/* All in milliseconds. */
struct cmk_options {
    int64_t poll_min; /* between looks at a running operation: an eighth of its age, within these two */
    int64_t poll_max;
    int64_t progress;   /* between writes that only tell how long an operation has been running */
    int64_t settle;     /* how long the effect of a sent request may take to show */
    int64_t resync;     /* between looks at an account that is as desired */
    int64_t recheck;    /* between looks at what stalled a resource */
    int64_t retry_base; /* before a failed operation is tried again; doubled each time, at most retry_max */
    int64_t retry_max;
    int64_t propagation;  /* until an access that was granted holds everywhere */
    int64_t max_attempts; /* of one step, then a person must act */
    int64_t
        unreachable_grace; /* how long Ready outlives an Azure that cannot be reached; a tenth of it for other states */
};
extern const struct cmk_options cmk_default_options;

#define CMK_CULPRIT_SIZE 256

enum cmk_fact { CMK_UNREAD, CMK_KNOWN, CMK_FAILED_TO_READ };

struct cmk_view {
    const struct cmk_options *options;
    const struct cmk_resource *resource;
    struct cmk_status status; /* begins as a copy of the resource's; what is written in the end */
    int64_t now;              /* wall ms, taken anew after each effect */
    int64_t uptime;           /* ms of a clock that nobody sets (clock_mono_ms), taken together with now; never 0 */
    bool lease_valid;         /* this process may act as the leader; taken anew together with now */

    const char *owner;     /* "namespace/name" of an older resource for the same account, or NULL; borrowed */
    const struct tz *zone; /* of spec.window; NULL when there is no window or the zone is not known */
    struct err zone_err;   /* why the zone is not known */

    enum cmk_fact account_fact;
    struct cmk_account account;
    int64_t looked_at; /* uptime when the read of it began: what it shows may be as old as that */
    struct err account_err;

    enum cmk_fact operation_fact; /* of this pass */
    struct err operation_err;     /* why it could not be read */
    bool operation_lost;          /* its URL is no longer served or may not be read by us, as of the last look */
    int64_t operation_read_at;    /* when it was last read, in any pass of this process; 0: never */

    enum cmk_fact evidence_fact; /* what preflight looks at besides the account */
    struct cmk_evidence evidence;
    struct err evidence_err;

    enum cmk_fact culprit_fact; /* who keeps the account busy: a half sentence, or "" when it cannot be known */
    char culprit[CMK_CULPRIT_SIZE];

    bool armed;   /* this pass has written the operation ahead and not sent it yet */
    bool sent;    /* this pass has sent a change to Azure */
    bool refused; /* Azure refused the change of this pass: refusal says how */
    struct err refusal;

    /* Of this process, carried from pass to pass. */
    int64_t failing_since; /* since when Azure cannot be reached for this resource; 0: it can */
    /* Uptime since when nothing is seen to happen although an operation is open: the account is at rest. 0: that is not
     * so. By the uptime, so that no wall clock, here or where the operation was recorded, can make what is on its way
     * look overdue; a process that has just started begins to count anew, and so does another record: quiet_record is
     * the requested_at of the one that this is about. */
    int64_t quiet_since;
    int64_t quiet_record;
};

/* Makes a view whose status is a copy; every other fact unread. */
void cmk_view_init(struct cmk_view *view, const struct cmk_options *options, const struct cmk_resource *resource,
    int64_t now, int64_t uptime);
void cmk_view_done(struct cmk_view *view);

/* What the shell does next. */
enum cmk_effect {
    CMK_READ_ACCOUNT,
    CMK_READ_OPERATION,
    CMK_GATHER,       /* what preflight looks at besides the account */
    CMK_READ_CULPRIT, /* who started the operation that keeps the account busy */
    CMK_WRITE_AHEAD,  /* cmk_write_ahead(), then write the status, conditional on the resourceVersion read */
    CMK_SEND,         /* the change of step.type, once */
    CMK_SETTLE,       /* nothing outside: the fold draws a conclusion */
    CMK_REST,         /* the pass is over: cmk_conclude(), write the status if it differs, come back at wake_at */
    CMK_YIELD,        /* the pass is over and nothing is written: another process may be at it */
    CMK_GONE,         /* the pass is over and nothing is written: the resource is being deleted */
};

/* The conclusions of CMK_SETTLE about the operation in status. */
enum cmk_settlement {
    CMK_OP_NONE,
    CMK_OP_RUNS,        /* a request whose answer was lost did arrive */
    CMK_OP_DONE,        /* the account shows what was asked for */
    CMK_OP_FAILED,      /* Azure says so */
    CMK_OP_NO_EFFECT,   /* a request whose answer was lost did not arrive */
    CMK_OP_NOT_APPLIED, /* Azure reported success, the account does not show it */
    CMK_OP_REFUSED,     /* Azure refused the request itself */
    CMK_OP_FORGET,      /* a failure that no longer matters */
};

/* What a resting resource is to the people who watch it. */
enum cmk_phase {
    CMK_IS_READY,
    CMK_IS_WORKING,     /* Reconciling: Azure or we are at it, or will be by ourselves */
    CMK_IS_WAITING,     /* Reconciling: for a person or a time, by the spec's own wish */
    CMK_IS_IDLE,        /* neither working nor stalled, by the spec's own wish */
    CMK_IS_STALLED,     /* a person must act */
    CMK_IS_UNREACHABLE, /* Reconciling: nothing can be known now */
};

#define CMK_MESSAGE_SIZE 1536

struct cmk_step {
    const char *rule; /* the row's name */
    enum cmk_effect effect;
    enum cmk_settlement settlement;
    enum cmk_step_type type; /* for CMK_WRITE_AHEAD and CMK_SEND */
    enum cmk_reason reason;
    enum cmk_phase phase;
    int64_t wake_at; /* for CMK_REST: 0 means only when something changes */
    bool backoff;    /* for CMK_REST: come back after the queue's growing delay instead */
    bool exact;      /* wake_at is an appointment: not to be moved to spread the load */
    char message[CMK_MESSAGE_SIZE];
};

/* Pure: the first row of the table that matches. */
void cmk_next(const struct cmk_view *view, struct cmk_step *ret);
/* The table's rows, for documentation and tests. NULL past the end. */
const char *cmk_rule_name(size_t i);

/* What an effect brought. Members are moved into the view by cmk_fold. */
struct cmk_result {
    int64_t begun_at;     /* wall ms; 0: just now. What it brought may be as old as that, however late it is folded */
    int64_t begun_uptime; /* the same by the view's uptime */
    bool failed;
    struct err err;
    struct cmk_account account; /* CMK_READ_ACCOUNT, CMK_SEND when accepted */
    char *state;                /* CMK_READ_OPERATION */
    char *error_code;
    char *error_message;
    char *status_url; /* CMK_SEND when accepted; NULL when Azure named none */
    char *operation_id;
    struct cmk_evidence evidence;   /* CMK_GATHER */
    char culprit[CMK_CULPRIT_SIZE]; /* CMK_READ_CULPRIT: a half sentence */
};

/* Before the write of CMK_WRITE_AHEAD: records the operation as requested, with the correlation id it will be sent
 * with. */
void cmk_write_ahead(struct cmk_view *view, const struct cmk_step *step, const char *correlation_id);
void cmk_fold(struct cmk_view *view, const struct cmk_step *step, struct cmk_result *result);
/* At the end of a pass, and before a write ahead: conditions, plan, preflight and account go into view->status. */
void cmk_conclude(struct cmk_view *view, const struct cmk_step *step);

/* By its status the resource is Ready for this very spec, nothing is open and nothing was asked for: only Azure can
 * bring news. */
bool cmk_is_settled(const struct cmk_resource *resource);

/* An operation is on its way: recorded, sent or running. */
bool cmk_operation_open(const struct cmk_operation *operation);
