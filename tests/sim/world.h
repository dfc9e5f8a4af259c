/* The world in which cosmoscmk is simulated: Azure, an API server, a clock, and one controller process that can die.
 *
 * What runs for real: controller/reconcile.c, store.c, codec, azure_port.c and kube_port.c, controller/cmk, pkg/azure's
 * ARM client and decoding, pkg/queue's pure core. What is replaced: HTTP (a struct http_client over the model of
 * fake-azure), kube_merge_patch() (the one function of pkg/kube that kube_port.c calls; the linker takes the one
 * defined here), time and random numbers.
 *
 * One request that leaves the process is one effect. Effects are numbered from 1; a fault names the effect that it
 * meets. Every effect is watched by the oracles of oracle.c, which know the design's section 3 and nothing of the
 * implementation. */
#pragma once

#include "cmk/view.h"
#include "controller/azure_port.h"
#include "controller/kube_port.h"
#include "controller/reconcile.h"
#include "controller/store.h"
#include "fakes/fake_azure_model.h"
#include "http/http.h"
#include "queue/queue.h"
#include "json/json.h"

#define WORLD_MAX_OBJECTS 4
#define WORLD_MAX_EFFECTS 20000
#define WORLD_MAX_FAULTS 8
#define WORLD_MAX_PATCHES 64

#define SUBSCRIPTION "00000000-0000-0000-0000-000000000001"
#define ACCOUNT_ID(name)                                                                                               \
    "/subscriptions/" SUBSCRIPTION "/resourceGroups/shop/providers/Microsoft.DocumentDB/databaseAccounts/" name
#define IDENTITY_ID(name)                                                                                              \
    "/subscriptions/" SUBSCRIPTION                                                                                     \
    "/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" name
#define KEY_URI(name) "https://contoso.vault.azure.net/keys/" name

enum effect {
    EFFECT_NONE,
    EFFECT_READ_ACCOUNT,
    EFFECT_READ_OPERATION,
    EFFECT_PATCH,
    EFFECT_GATHER,          /* evidence, or who keeps the account busy */
    EFFECT_GRANT,           /* access to the key */
    EFFECT_WRITE,           /* a status write with a condition */
    EFFECT_WRITE_OPERATION, /* one without */
    EFFECT_COUNT,
};
const char *effect_name(enum effect effect);

enum fault {
    FAULT_NONE,
    FAULT_CRASH_BEFORE, /* the process dies, the effect does not happen */
    FAULT_CRASH_AFTER,  /* the effect happens, the process dies before it hears of it */
    FAULT_LEASE_LOST,   /* another leads from just before the effect on; the process learns of it and ends */
    FAULT_LEASE_STALL,  /* the same, and it stood still for 10 min just before the effect, while another led */
    FAULT_LEASE_PAUSE,  /* the same just after the effect */
    FAULT_SLOW,         /* takes 100 s, and is well */
    FAULT_PAUSE,    /* happens, then the process stands still for 10 min while another takes over, and goes on alone */
    FAULT_OUTSIDER, /* world.outsider() acts just before the effect */
    FAULT_KUBE_CONFLICT,
    FAULT_KUBE_DOWN,
    FAULT_KUBE_LOST, /* written, the answer lost */
    FAULT_429,       /* without Retry-After */
    FAULT_429_LATER, /* Retry-After: 17 */
    FAULT_500,
    FAULT_503_LATER, /* Retry-After: 30 */
    FAULT_504_AFTER, /* the change is made, the gateway gives up waiting */
    FAULT_CUT_BEFORE,
    FAULT_CUT_AFTER,
    FAULT_LATE, /* the connection is cut after 5 s, and the change is made 50 s later still */
    FAULT_403,
    FAULT_404,
    FAULT_412,
    FAULT_TOKEN,   /* no token: nothing leaves the process */
    FAULT_GARBAGE, /* done, and a proxy's page instead of the answer */
    FAULT_COUNT,
};
const char *fault_name(enum fault fault);
bool fault_fits(enum fault fault, enum effect effect);

struct world_fault {
    size_t at;          /* number of the effect; 0: the next ones of this kind */
    enum effect effect; /* for at 0 */
    enum fault fault;
    int times; /* for at 0: how many are left */
};

/* A change that reached Azure. */
struct world_patch {
    char *body;
    int status;                        /* of Azure's answer, whether or not it arrived */
    struct azure_operation *operation; /* borrowed from the model; NULL when refused */
    enum cmk_step_type type;
};

/* What a GET of the account has told this process. */
struct world_seen {
    size_t effect;
    unsigned process;
    char *state, *key_uri, *key_status;
};

struct world_object {
    char *key; /* "namespace/name" */
    cJSON *json;
    bool exists;
    size_t deleted_effect;
    bool changed; /* the watch has not told yet */
    /* The last write-ahead. */
    size_t ahead_effect;
    unsigned ahead_process;
    bool ahead_sent;
    char *ahead_spec;
    /* The trace of the last pass that was printed, and how many like it were not. */
    char *shown;
    char *status_line;
    size_t quiet;
    size_t quiet_writes;
};

struct world_options {
    int64_t identity_ms; /* 0: 30 s */
    int64_t encrypt_ms;  /* 0: 60 s */
    int64_t latency_ms;  /* of each effect */
    int64_t restart_ms;  /* after a crash; 0: 5 s */
    bool key_visible_early;
    bool identity_resets_default;
};

struct world {
    struct world_options options;
    int64_t begin, now;
    size_t n_effects;
    unsigned char effects[WORLD_MAX_EFFECTS]; /* the kind of each, from 1 */
    struct world_fault faults[WORLD_MAX_FAULTS];
    size_t n_faults;
    void (*outsider)(struct world *w);

    struct azure_model *model;
    struct world_patch patches[WORLD_MAX_PATCHES];
    size_t n_patches;
    /* What there is to see besides the account. */
    bool no_access; /* the default identity lacks access to the key */
    bool purgeable; /* the vault has no purge protection */
    enum cmk_scan_state scan;
    size_t grants;
    /* A change that is still on its way to Azure. */
    struct {
        int64_t at; /* 0: none */
        char *account, *body;
    } late;

    struct world_object objects[WORLD_MAX_OBJECTS];
    size_t n_objects;
    int64_t last_version;
    size_t kube_writes;
    size_t n_events;

    /* The process. */
    unsigned process; /* its number */
    unsigned n_processes;
    bool leads; /* it holds the lease */
    bool dead;  /* it has died, and only unwinds: nothing that it does reaches anybody */
    size_t crashes;
    uint64_t uuids;
    struct store *store;
    struct queue *queue;
    struct world_http *http;
    struct azure_cloud *cloud;
    struct arm_client *arm;
    struct azure_port_context azure; /* the port's context, by which it finds the world */
    int (*patch_port)(void *, const struct cmk_view *, const struct cmk_step *, struct cmk_result *, struct err *);
    struct kube_port_context kube;
    struct ports ports;
    struct reconciler reconciler;

    /* Oracles. */
    struct world_seen seen;
    size_t pass_begin; /* effects before the running pass */
    struct buf violation;

    /* Trace. */
    struct buf trace;
    struct buf pass_text;  /* what is shown of a pass */
    struct buf pass_print; /* what makes it differ from the one before */
    bool pass_wrote, pass_is_news;
    char *operation_word; /* as last read */
};

/* ---- world.c: life ---- */

struct world *world_new(const struct world_options *options); /* NULL: defaults */
struct world *world_free(struct world *w);
DEFINE_CLEANUP(struct world *, world_free)
void world_fault_at(struct world *w, size_t at, enum fault fault);
void world_fault_next(struct world *w, enum effect effect, enum fault fault, int times);
/* Runs until this time after the begin. */
void world_run(struct world *w, int64_t until_ms);
/* Runs until every resource is Ready or the time is over. */
bool world_run_until_ready(struct world *w, int64_t until_ms);
/* Numbers an effect and names the fault that it meets; FAULT_CRASH_BEFORE for a process that is dead already. */
enum fault world_begin_effect(struct world *w, enum effect effect);
/* What comes after an effect that has happened: true when the process is no longer there to hear of it. */
bool world_dies_after(struct world *w, enum fault fault);
void world_die(struct world *w);
void world_pause(struct world *w);

/* ---- world_azure.c ---- */

struct http_client *world_http_new(struct world *w);
/* Seed names, for example "\"backupPolicy\":\"Continuous\"". */
void world_account(struct world *w, const char *name, const char *members);
struct azure_account *world_azure_account(const struct world *w, const char *name);
/* A PATCH of somebody else, which must be accepted. */
void world_azure_patch(struct world *w, const char *name, const char *body);
/* What was on its way arrives. */
void world_azure_advance(struct world *w);
size_t world_accepted(const struct world *w, enum cmk_step_type type);

/* ---- world_evidence.c ---- */

struct azure_port world_azure_port(struct world *w);

/* ---- world_kube.c ---- */

/* spec: JSON members, without accountId and keyVaultKeyUri when account and key are given. */
void world_apply(struct world *w, const char *name, const char *account, const char *key, const char *members);
/* A merge patch of spec by a person. */
void world_edit(struct world *w, const char *name, const char *spec_patch);
/* Puts another spec in place of all that there is (NULL: none), as a person does; nothing happens when it is the same.
 */
void world_set_spec(struct world *w, const char *name, const cJSON *spec);
void world_annotate(struct world *w, const char *name, const char *value);
void world_delete(struct world *w, const char *name);
struct world_object *world_object(const struct world *w, const char *name);
struct world_object *world_object_at(const struct world *w, const char *key);
/* The condition's status, reason; "" when it is absent. */
const char *world_condition(const struct world_object *o, const char *type, const char *member);

/* ---- merge.c ---- */

/* RFC 7396 */
void json_merge(cJSON *target, const cJSON *patch);

/* ---- oracle.c ---- */

void oracle_patch(struct world *w, const struct azure_account *account, const cJSON *body, const char *correlation);
void oracle_status(struct world *w, struct world_object *o, const cJSON *before, const cJSON *patch);
void oracle_seen(struct world *w, const cJSON *account);
void violation(struct world *w, const char *format, ...) _printf_(2, 3);

/* ---- trace.c ---- */

void trace_note(struct world *w, const char *format, ...) _printf_(2, 3);
enum trace { TRACE_DETAIL, TRACE_USUAL, TRACE_NEWS }; /* does a line make its pass differ from the one before? */
void trace_effect(struct world *w, enum trace weight, const char *format, ...) _printf_(3, 4);
void trace_status(struct world *w, struct world_object *o);
void trace_event(struct world *w, const struct cmk_event *event);
void trace_pass(struct world *w, const char *key, const struct reconcile_verdict *verdict);
const char *trace_text(struct world *w);
