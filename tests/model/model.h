/* A model of the whole: the shipped rules in an abstract world, every state that can be reached.
 *
 * The simulation (tests/sim) tries lives; this tries all of them, within bounds. The rules are not modelled:
 * cmk_next(), cmk_fold(), cmk_write_ahead() and cmk_conclude() run as they are shipped. What is abstract is what
 * surrounds them:
 *
 *   - an account in Azure that is at rest, held by an operation (ours or somebody's) or broken, with one of four keys;
 *   - a change on its way there, which arrives, late or at once, or never, but once at most;
 *   - the resource as the API server holds it, whose status is interned: a number names a real struct cmk_status;
 *   - one or two processes, each between two effects of a pass or at rest, which may die at any effect and whose
 * picture of the resource may be old;
 *   - whoever else there is: people who edit, others who change the account, faults of every call.
 *
 * A state is a plain struct without pointers or holes, so that equal states are equal bytes. Time is ages, capped where
 * no rule can tell the difference any more; one unit of time is 1 ms of the rules' clock, so that no text with a time
 * or a duration in it ever differs (options.c chooses thresholds of a few units each).
 *
 * One transition of a process is: fold what the last effect brought, with the time of now; ask the rules until they
 * name an effect; perform that one effect. Everything else happens between effects. What loop.c does with a step
 * mirrors controller/reconcile.c, and has to be kept like it.
 *
 * What is assumed, and could not be shown otherwise:
 *   - a request reaches Azure within settle / 2 of being sent, or never (azure-facts 5.1: 60 s);
 *   - a process does not stand still between taking the time and performing the effect, but for one that leads by a
 *     lease: it loses the lease when it does. Kubernetes has no fencing, so without that nothing could be promised. */
#pragma once

#include "cmk/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_PROCESSES 2

/* ---- the world ---- */

enum model_key { KEY_NONE, KEY_FIRST, KEY_SECOND, KEY_FOREIGN };
enum model_state { STATE_SUCCEEDED, STATE_UPDATING, STATE_FAILED };
enum model_holder { HOLDER_NONE, HOLDER_OURS, HOLDER_THEIRS };
/* Of an operation by its URL. */
enum model_end { END_NONE, END_RUNNING, END_WELL, END_PASSING, END_FINAL };

/* What a read of the account shows. */
struct model_account {
    uint8_t key;
    uint8_t state;
    uint8_t attached; /* the wanted identity */
    uint8_t identity; /* is the default */
    uint8_t revoked;
};

/* A change of ours, on its way or in Azure. */
struct model_change {
    uint8_t type; /* enum cmk_step_type; 0: none */
    uint8_t key;
    uint8_t sender;
};

struct model_azure {
    struct model_account account;
    uint8_t exists;
    uint8_t holder;
    uint8_t lags; /* an operation has ended well, and the account does not show it yet */
    struct model_change running;
    struct model_change flight;
    uint8_t flight_age;
    uint8_t end[MODEL_PROCESSES]; /* of the last operation that each process started, by its URL */
    uint8_t preflight_fails;
};

/* Spec and status, as the API server has them or a process knows them. */
struct model_resource {
    uint32_t status; /* interned */
    uint8_t key;
    uint8_t suspend;
    uint8_t observe;
    uint8_t manual;
    uint8_t approved; /* interned hash of a plan, 0: none */
    uint8_t invalid;
    uint8_t deleting;
    uint8_t asked; /* value of the annotation, 0: none */
    uint8_t generation;
    uint8_t hole[3];
};

/* An age is 0 for "never", else one more than the units since. */
struct model_memory {
    uint8_t failing;
    uint8_t quiet;
    uint8_t quiet_record;
    uint8_t read;
    uint8_t lost;
};

/* What an effect brought, until it is folded. */
struct model_pending {
    uint8_t effect; /* enum cmk_effect, one more; 0: a pass begins */
    uint8_t type;
    uint8_t error; /* enum model_error */
    uint8_t value; /* enum model_end of the URL; for the evidence whether it fails */
    struct model_account account;
    uint8_t url; /* the sender named by the URL, one more; 0: none */
    uint8_t age; /* units since the effect began, of a read of the account that an operation waits for */
};

/* Everything that the next decision of a pass follows from. */
struct model_core {
    struct model_resource resource; /* as the pass read it; between passes, as the process knows it */
    uint32_t status;                /* of the view */
    struct model_account account;
    uint8_t account_fact, account_error, account_age;
    uint8_t operation_fact, operation_error;
    uint8_t evidence_fact, evidence_fails, evidence_error;
    uint8_t culprit_fact;
    uint8_t armed, sent, refused; /* refused: enum model_error */
    uint8_t older;
    uint8_t leads;
    uint8_t slot;
    struct model_memory memory;
    struct model_pending pending;
};

/* What the oracle has seen of a pass, by itself. */
struct model_witness {
    uint8_t read; /* 1: the account was read in this pass; 2: and that was after the write-ahead */
    struct model_account account;
    uint8_t evidence; /* 0: not read, 1: well, 2: fails */
    uint8_t ahead;    /* the change was written ahead in this pass and not sent yet */
    uint8_t answered; /* this pass has sent one and had an answer, just now */
};

struct model_process {
    struct model_core core;
    uint32_t learned; /* the status that the last answer of the API server showed it */
    uint8_t passing;
    uint8_t fresh;   /* what it knows is what the API server holds */
    uint8_t written; /* this pass has written the status */
    uint8_t awake;   /* a pass will come by itself */
    struct model_witness witness;
};

struct model_world {
    struct model_resource resource;
    struct model_azure azure;
    uint8_t older;                 /* another resource for the account, older than ours */
    uint8_t edits;                 /* left */
    uint8_t acts;                  /* left to others in Azure */
    uint8_t faults;                /* left to the network */
    uint8_t accepted[KEY_FOREIGN]; /* for the oracle: a change to this key that Azure accepted and that did not fail */
    uint8_t unknown;    /* for the oracle: the outcome of the last change is unknown, to those who have not read since
                           (bits) */
    uint8_t misfortune; /* for the oracle: something failed that may fail a change */
    struct model_process process[MODEL_PROCESSES];
};

/* ---- what can happen ---- */

enum model_edit {
    EDIT_KEY = 1,
    EDIT_SUSPEND = 2,
    EDIT_MANUAL = 4,
    EDIT_APPROVE = 8,
    EDIT_OBSERVE = 16,
    EDIT_INVALID = 32,
    EDIT_DELETE = 64,
    EDIT_ASK = 128,
};

enum model_act {
    ACT_KEY = 1,    /* somebody sets another key */
    ACT_BUSY = 2,   /* somebody's operation runs */
    ACT_BREAK = 4,  /* provisioningState Failed */
    ACT_REVOKE = 8, /* access to the key is lost, and comes back */
    ACT_ABSENT = 16,
    ACT_OLDER = 32,
    ACT_PREFLIGHT = 64, /* a ReadOnly lock comes or goes */
};

enum model_fault {
    FAULT_READ = 1,   /* the account: denied, throttled, unavailable */
    FAULT_URL = 2,    /* the operation: lost, throttled, unavailable, or behind */
    FAULT_GATHER = 4, /* the evidence cannot be read */
    FAULT_ANSWER = 8, /* a change arrives and its answer is lost */
    FAULT_LATE = 16,  /* it arrives later, or never */
    FAULT_REFUSE = 32,
    FAULT_WRITE = 64, /* a status write fails, or its answer is lost */
    FAULT_CRASH = 128,
    FAULT_END = 256,    /* an operation fails */
    FAULT_LAG = 512,    /* the account shows what was done a little later than it rests */
    FAULT_STALE = 1024, /* the watch may be late */
    FAULT_LEASE = 2048, /* the lease changes hands at any moment */
};

struct model_config {
    const char *name, *about;
    unsigned edits, acts, faults; /* what there is of each */
    uint8_t max_edits, max_acts, max_faults;
    uint8_t processes;
    bool patient;  /* a long outage is told apart from a short one */
    bool identity; /* the identity steps come before the key */
    bool manual;
    bool reduced; /* part of the fast suite */
    bool has_key; /* the account begins with another key */
};

/* ---- the parts ---- */

#define MODEL_UNIT_SETTLE 4
#define MODEL_UNIT_GRACE model_options.unreachable_grace

extern struct cmk_options model_options; /* set at the beginning of an exploration */

/* status.c */
struct model_status {
    struct cmk_status status;
    uint32_t older; /* the same a unit of time later; 0: not known yet */
    uint8_t type;   /* of the operation */
    uint8_t open, requested, ended_well;
    uint8_t key; /* its target */
    uint8_t sender;
    uint8_t url;        /* the sender that its URL names, one more; 0: none */
    uint8_t ready;      /* enum cmk_truth */
    uint8_t hash;       /* of the plan, interned */
    const char *reason; /* borrowed */
};
#define MODEL_NOW 1772884800500LL
uint32_t model_status_intern(struct cmk_status *status); /* takes the status */
const struct model_status *model_status(uint32_t id);
uint32_t model_status_older(uint32_t id);
/* The status with the operation of another: what write_operation leaves. */
uint32_t model_status_with_operation(uint32_t id, uint32_t of);
const char *model_hash_text(uint8_t id);
uint8_t model_age(int64_t time, int64_t cap);
int64_t model_time(uint8_t age);
extern const char *const model_keys[];
void model_status_forget(void);
size_t model_status_count(void);

/* core.c */
enum model_error {
    MODEL_WELL,
    MODEL_NOT_FOUND,
    MODEL_DENIED,
    MODEL_THROTTLED,
    MODEL_DOWN,
    MODEL_CUT,
    MODEL_LOCKED,
    MODEL_BAD
};
struct model_step {
    struct model_core core; /* folded; when the pass rests or writes ahead with what is to be written as its status */
    uint8_t effect, type, phase, reason, backoff, bounded;
    uint8_t settled; /* how many conclusions were drawn on the way */
    uint8_t wake;    /* units from now, 0: never */
    const char *rule;
    const char *conclusions[4];
};
/* Memoised: the rules are pure. */
const struct model_step *model_core_step(const struct model_core *core, const struct model_config *config);
void model_core_forget(void);
size_t model_core_count(void);
const char *model_error_name(enum model_error error);

/* Where successors go. tell is NULL unless a trace is being told. */
struct model_sink {
    void (*take)(struct model_sink *sink, const struct model_world *world);
    const struct model_config *config;
    struct buf *tell;
    const struct model_step *rested; /* the step that ended a pass in the last transition, for whoever walks */
    const char *broken;              /* the first invariant that broke in this transition */
    bool wrote;
};
void model_tell(struct model_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
void model_emit(struct model_sink *sink, const struct model_world *world);

/* describe.c */
void model_describe(const struct model_world *world, struct buf *ret);

/* world.c */
/* Whether this fault may happen, and takes it from what is left. */
bool model_fault(struct model_world *world, const struct model_config *config, enum model_fault fault);
/* What everybody but the process itself knows is old from now on. */
void model_world_written(struct model_world *world, unsigned writer);
/* The watch tells an idle process. */
void model_world_watch(struct model_world *world, unsigned process);
/* The pass ends; what only it knew is forgotten. */
void model_world_idle(struct model_world *world, unsigned process, bool awake);
void model_world_begin(struct model_world *world, const struct model_config *config);
void model_world_moves(const struct model_world *world, struct model_sink *sink);
/* false when something must happen first. */
bool model_world_later(struct model_world *world, const struct model_config *config);
void model_world_end_operation(struct model_world *world, enum model_end end, bool lags);
void model_world_shows(struct model_world *world);
/* A change reaches Azure. */
enum model_error model_world_arrive(
    struct model_world *world, const struct model_change *change, struct model_sink *sink);
void model_world_flight_arrives(struct model_world *world, struct model_sink *sink);

/* people.c: edits and acts of others */
void model_people_moves(const struct model_world *world, struct model_sink *sink);

/* loop.c: what one process does */
void model_loop_moves(const struct model_world *world, unsigned process, struct model_sink *sink);
/* One transition without any fault. */
void model_loop_fair(struct model_world *world, unsigned process, struct model_sink *sink);

/* oracle.c */
void model_oracle_send(
    const struct model_world *world, unsigned process, const struct model_step *step, struct model_sink *sink);
void model_oracle_accept(struct model_world *world, const struct model_change *change, struct model_sink *sink);
void model_oracle_ended(struct model_world *world, const struct model_change *change, enum model_end end);
void model_oracle_rest(
    const struct model_world *world, unsigned process, const struct model_step *step, struct model_sink *sink);
void model_oracle_idle(const struct model_world *world, struct model_sink *sink);

/* explore.c */
struct model_figures {
    size_t states, transitions, depth;
    size_t cores, statuses;
    double seconds;
};
/* Everything that can be reached; -1 with a trace in *ret_trace when an invariant breaks. max_states: exceeding it is a
 * failure. */
int model_explore(
    const struct model_config *config, size_t max_states, struct model_figures *ret, struct buf *ret_trace);

void model_liveness_forget(void);
/* liveness.c: from this world, without faults, a good end. Returns NULL, or what is wrong. */
const char *model_liveness(const struct model_world *world, const struct model_config *config, struct buf *tell);
