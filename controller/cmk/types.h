/* The domain's data: a CosmosCMK as the API server holds it, an account as Azure holds it, and one look at both.
 *
 * Everything here is plain data. Strings are heap copies owned by the struct they stand in; NULL means absent. Times
 * are wall milliseconds since the epoch; 0 means absent. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tz;

/* ---- spec ---- */

enum cmk_mode { CMK_ENFORCE, CMK_OBSERVE };
enum cmk_approval { CMK_AUTOMATIC, CMK_MANUAL };
enum cmk_drift { CMK_DRIFT_CORRECT, CMK_DRIFT_REPORT };
enum cmk_key_vault_access { CMK_ACCESS_VERIFY, CMK_ACCESS_GRANT };
/* Absent is its own value: what it means is this version's business, what somebody wrote is a demand. */
enum cmk_key_vault_check { CMK_CHECK_UNSET, CMK_CHECK_ENFORCE, CMK_CHECK_WARN, CMK_CHECK_SKIP };
enum cmk_document_ids { CMK_IDS_SKIP, CMK_IDS_SCAN };

#define CMK_MAX_PERIODS 32
#define CMK_MAX_PRIORITY 1000000

struct cmk_period {
    unsigned days;     /* bit 0 is Monday */
    int64_t start_s;   /* second of the local day */
    int64_t length_ms; /* elapsed time, whatever clocks do meanwhile */
};

struct cmk_window {
    bool present;
    char *time_zone;
    struct cmk_period periods[CMK_MAX_PERIODS];
    size_t n_periods;
};

struct cmk_spec {
    char *account_id;
    char *key_uri;
    char *default_identity;
    char *key_vault_id;
    char *approved_plan;
    enum cmk_mode mode;
    enum cmk_approval approval;
    enum cmk_drift drift;
    enum cmk_key_vault_access key_vault_access;
    enum cmk_key_vault_check check_key_vault;
    enum cmk_document_ids document_ids;
    bool suspend;
    int64_t priority;
    struct cmk_window window;
    /* The manifest could not be understood (a value of the wrong type or outside its enum): the sentence that says so.
     */
    char *malformed;
};

/* ---- account, as read from Azure; the first part is what status shows ---- */

struct cmk_account {
    char *name;
    char *location;
    char *kind;
    char *api_types;
    char *provisioning_state;
    char *key_uri;
    char *key_uri_version;
    char *cmk_status;
    char *default_identity;
    char *backup_policy;
    int64_t observed_at;

    char *identity_type;
    char *system_principal_id; /* of the system-assigned identity */
    char **user_identities;
    char **user_principal_ids; /* of those, in their order; NULL, or one of them NULL, when not known */
    size_t n_user_identities;
    bool analytical_storage;
    bool cassandra;
    bool vector_search;
    bool materialized_views;
    bool full_fidelity_change_feed;
};

/* ---- plan ---- */

enum cmk_step_type { CMK_NO_STEP, CMK_ATTACH_IDENTITY, CMK_GRANT_KEY_ACCESS, CMK_SET_DEFAULT_IDENTITY, CMK_ENABLE_KEY };
#define CMK_MAX_STEPS 4
#define CMK_PLAN_HASH_SIZE 33

/* What remains to be done, in order. steps[0] is next. */
struct cmk_plan {
    char hash[CMK_PLAN_HASH_SIZE]; /* "" when there is nothing to do */
    enum cmk_step_type steps[CMK_MAX_STEPS];
    size_t n;
};

/* ---- operation: the last one that this resource asked for ---- */

struct cmk_operation {
    enum cmk_step_type type; /* CMK_NO_STEP: there was none */
    char *state;             /* CMK_REQUESTED, then Azure's own word */
    char *id;
    char *status_url;
    char *correlation_id;
    char *target;           /* what was asked for: the key URI or the identity */
    char *previous_key_uri; /* what the account had before, for CMK_ENABLE_KEY */
    char *error_code;
    char *error_message;
    int64_t requested_at;
    int64_t started_at;
    int64_t last_observed_at;
    int64_t completed_at;
    int64_t attempts;
};

/* Written ahead: recorded, perhaps sent, no answer known. */
#define CMK_REQUESTED "Requested"
/* Accepted by Azure, which has not yet named a state. */
#define CMK_ACCEPTED "Accepted"
/* Azure reported success, or could no longer be asked, but the account does not show it yet. */
#define CMK_SUCCEEDED "Succeeded"
#define CMK_FAILED "Failed"

/* ---- status ---- */

enum cmk_truth { CMK_UNKNOWN, CMK_TRUE, CMK_FALSE };

struct cmk_condition {
    char *type;
    enum cmk_truth status;
    char *reason;
    char *message;
    int64_t observed_generation;
    int64_t last_transition;
};

#define CMK_MAX_CONDITIONS 16

enum cmk_check_result { CMK_PASSED, CMK_CHECK_FAILED, CMK_WARNING, CMK_CHECK_UNKNOWN, CMK_SKIPPED };
#define CMK_MAX_CHECKS 24

struct cmk_check {
    char *name;
    enum cmk_check_result result;
    char *message;
};

struct cmk_status {
    int64_t observed_generation;
    struct cmk_condition conditions[CMK_MAX_CONDITIONS]; /* those of others are kept as they are */
    size_t n_conditions;
    bool has_account;
    struct cmk_account account;
    struct cmk_plan plan;
    struct cmk_operation operation;
    struct cmk_check checks[CMK_MAX_CHECKS];
    size_t n_checks;
    int64_t encrypted_at;
    char *encrypted_key_uri; /* the key that was last seen on the account as we wanted it */
    char *last_handled_reconcile_at;
};

/* ---- a CosmosCMK ---- */

struct cmk_resource {
    char *ns;
    char *name;
    char *uid;
    char *resource_version;
    int64_t generation;
    int64_t created_at;
    bool deleting;
    char *reconcile_requested_at; /* annotation cosmoscmk.io/reconcile-requested-at */
    struct cmk_spec spec;
    struct cmk_status status;
};

void cmk_spec_done(struct cmk_spec *spec);
void cmk_account_done(struct cmk_account *account);
void cmk_account_copy(struct cmk_account *to, const struct cmk_account *from);
/* Cuts what a CRD limit on status.account would refuse: such a status could not be written at all. */
void cmk_account_cut(struct cmk_account *account);
/* Shortens s (may be NULL) in place to at most max bytes, at a character. */
void cmk_cut(char *s, size_t max);
void cmk_operation_done(struct cmk_operation *operation);
void cmk_status_done(struct cmk_status *status);
void cmk_status_copy(struct cmk_status *to, const struct cmk_status *from);
/* Differences that are only about when we looked (observedAt, lastObservedAt) do not count. */
bool cmk_status_equal(const struct cmk_status *a, const struct cmk_status *b);
void cmk_resource_done(struct cmk_resource *resource);

/* Words of the API for the enums above; NULL for a number outside. */
const char *cmk_step_type_name(enum cmk_step_type type);
enum cmk_step_type cmk_step_type_parse(const char *word); /* CMK_NO_STEP when unknown */
const char *cmk_truth_name(enum cmk_truth truth);
const char *cmk_check_result_name(enum cmk_check_result result);
enum cmk_check_result cmk_check_result_parse(const char *word); /* CMK_CHECK_UNKNOWN when unknown */
