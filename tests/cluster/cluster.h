/* A cluster in one process: one to three replicas of the whole program (cmd_controller(), from its flags to its end),
 * an API server with replicas of its own, Azure, and what goes wrong between them. All is drawn from a seed.
 *
 * What runs for real: everything above the engine of pkg/http and above pkg/base's clock, random numbers, environment,
 * files and log: app.c's wiring, informer, reflector, decoders, store, work queue, workers, sweeper, lease, leadership,
 * events, token cache, limiter, retries, the ARM and Kubernetes clients, the loop and the rules. Their threads are
 * fibers (fiber.h). What is replaced: engine.c's transfers (cluster_http.c carries requests), those five files of
 * pkg/base (cluster_process.c), the servers' side (cluster_kube.c, cluster_watch.c, cluster_azure.c).
 * Not here: TLS, sockets, libwebsockets' servers, the document scan, time zones.
 *
 * One request that leaves a process is one effect; effects of one kind are counted from 1 across all processes, and a
 * fault names the kind and the number that it meets, or a time. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "cluster/fiber.h"
#include "fakes/fake_azure_model.h"
#include "http/http.h"
#include "json/json.h"

#define MAX_REPLICAS 3
#define MAX_SERVERS 2
#define MAX_ACCOUNTS 200
#define MAX_FAULTS 40

enum effect {
    E_READ,      /* GET of an account */
    E_LIST,      /* of a subscription's accounts */
    E_OPERATION, /* GET of an operation */
    E_PATCH,     /* of an account */
    E_LOOK,      /* anything else of ARM */
    E_TOKEN,
    E_STATUS,    /* write of a whole status */
    E_RECORD,    /* write of status.operation alone */
    E_GET,       /* of a resource */
    E_RESOURCES, /* list of resources */
    E_WATCH,
    E_LEASE_READ,
    E_LEASE_WRITE,
    E_EVENT,
    E_VERSION,
    E_COUNT,
    E_TIME = E_COUNT, /* of faults: at a time, not at an effect */
};
const char *effect_name(enum effect effect);

enum fault_kind {
    /* of effects */
    F_CRASH_BEFORE, /* the process is killed when it is about to send */
    F_CRASH_SENT,   /* when it is sent and has not arrived */
    F_CRASH_AFTER,  /* when it was done, and before the answer */
    F_PAUSE_BEFORE, /* stands still for arg ms when it is about to send */
    F_PAUSE_AFTER,  /* when it was done, and before the answer */
    F_CUT,          /* never arrives; the caller waits until its time is over */
    F_LOST,         /* done, the answer never arrives */
    F_LATE,         /* the connection breaks, and it arrives arg ms later */
    F_SLOW,         /* the answer takes arg ms longer */
    F_TWICE,        /* done twice, and answered for the second time */
    F_429,          /* Retry-After: arg ms in seconds; 0: none */
    F_500,
    F_503,
    F_504_AFTER, /* done, the gateway gives up */
    F_401,
    F_403,
    F_404,
    F_409,
    F_410,
    F_GARBAGE, /* done, and a page of a proxy for an answer */
    F_STALE,   /* answered by a replica of the API server that is arg ms behind */
    F_END_OF_EFFECTS,
    /* of times */
    F_CRASH = F_END_OF_EFFECTS,
    F_TERMINATE, /* SIGTERM */
    F_PAUSE,
    F_WALL,    /* its wall clock jumps by arg ms */
    F_LAG,     /* the API server `who` is arg ms behind for 2 min */
    F_MOVE,    /* all watches break, and replicas go to the other API server */
    F_BREAK,   /* all watches break within a line */
    F_SILENT,  /* all watches fall silent */
    F_GONE,    /* all watches are told 410 */
    F_COMPACT, /* all versions but the present are forgotten, and watches break */
    F_REPEAT,  /* each watch hears its last event again */
    F_NO_KUBE, /* no API server for arg ms */
    F_NO_ARM,
    F_TOKENS, /* all of Azure's tokens are revoked */
    F_FORGET, /* Azure forgets the URLs of all operations */
    /* other people; who: the number of the account */
    F_SUSPEND,  /* and lets it go on arg ms later */
    F_TOUCH,    /* asks for a look */
    F_TAG,      /* PATCHes the account's tags: it is busy for a while */
    F_RECREATE, /* deletes the resource and applies it again */
    F_TWIN,     /* applies a second resource for the account, and deletes it arg ms later */
    F_WIPE,     /* empties the status */
    F_KEY,      /* wants another key */
    F_UNDO,     /* sets another key in Azure, behind our back */
    F_COUNT,
};
const char *fault_name(enum fault_kind kind);

struct fault {
    enum fault_kind kind;
    enum effect on; /* E_TIME: at is ms */
    int64_t at;
    int who;
    int times; /* so many effects in a row */
    int64_t arg;
};

/* Everything that a life depends on: a line of text (plan.c). */
struct plan {
    uint64_t seed; /* of the scheduler and the latencies */
    int replicas, accounts, workers;
    int mix;         /* 0: every account is plain; else drawn from plain, continuous, other key, done */
    int vault;       /* preflight looks at the vault */
    int64_t latency; /* most of a request's way, ms */
    int64_t encrypt; /* ms */
    int watch_list;  /* the API server knows WatchList */
    int page;        /* objects in one page of a list; 0: as asked for */
    int skew;        /* most that wall clocks differ, ms */
    int elect;       /* by a Lease; always with more than one replica */
    int early;       /* Azure shows the new key before the operation has ended */
    int resets;      /* attaching an identity sets the default one back */
    struct fault faults[MAX_FAULTS];
    size_t n_faults;
};

/* plan.c */
/* Some seeds in a row share a world, so that what is undisturbed need be lived once. */
struct plan plan_draw(uint64_t seed);
/* Faults for a world whose undisturbed life has taken so long, with so many effects of each kind. */
void plan_draw_faults(struct plan *plan, int64_t length_ms, const size_t counts[static E_COUNT]);
char *plan_print(const struct plan *plan); /* the caller frees it */
int plan_parse(struct plan *ret, const char *line, struct err *err);
/* Others than faults may have changed what is counted. */
bool plan_has_people(const struct plan *plan);
/* Or a change arrived twice, and was answered as if somebody else had made it. */
bool plan_may_end_otherwise(const struct plan *plan);

/* ---- processes ---- */

struct seen {
    size_t effect; /* number of all effects; 0: never */
    char state[64], key_uri[256], key_status[256];
};

struct process {
    struct fiber_group group; /* first */
    struct cluster *cluster;
    int slot;
    unsigned number; /* from 1 */
    int server;
    bool ended, terminated, lost;
    int64_t alarm_at;
    char name[32];
    int arg_count;
    char *args[24];
    struct seen *seen; /* by number of the account */
    struct fiber *main;
};

/* ---- what is known of each account and its resource ---- */

struct ahead {
    char correlation[64];
    unsigned process;
    size_t effect;
    bool sent;
    char *object; /* JSON, as it was written */
};

struct accepted {
    int account;
    char *body;
    int type; /* enum cmk_step_type */
    struct azure_operation *operation;
};

struct resource {
    char name[32];
    int account;
    bool twin;
};

/* ---- the API server ---- */

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };
struct change {
    int64_t version, at;
    enum change_type type;
    char *key, *text;
};

struct etcd {
    struct map objects; /* "ns/name" of CosmosCMK -> cJSON */
    cJSON *lease;
    int64_t version;
    struct change *changes;
    size_t n, cap;
    int64_t compacted; /* versions below are forgotten */
    int64_t lag[MAX_SERVERS], lag_until[MAX_SERVERS];
    size_t visible[MAX_SERVERS];                    /* changes that the server has seen */
    unsigned broken, moved, silent, gone, repeated; /* how often watches were ... */
};

struct cluster {
    struct plan plan;
    bool trace;
    size_t effects[E_COUNT], n_effects;
    size_t fault_used[MAX_FAULTS];
    bool well; /* no more faults */
    bool ending;
    int64_t no_kube_until, no_arm_until;
    int64_t tokens_from; /* number of the first token that is good */
    int64_t tokens;
    struct etcd etcd;
    struct azure_model *model;
    struct accepted *accepted;
    size_t n_accepted;
    struct ahead *ahead;
    size_t n_ahead;
    struct resource resources[2 * MAX_ACCOUNTS];
    size_t n_resources;
    struct process **processes;
    size_t n_processes;
    struct process *running[MAX_REPLICAS];
    size_t status_writes, events_written, arm_reads;
    size_t people;
    size_t crashes;
    struct buf violation;
    struct buf log;
};

/* cluster.c */
extern struct cluster *the_cluster; /* one at a time: pkg/base's functions have no other way to it */
void violation(struct cluster *c, const char *format, ...) _printf_(2, 3);
void note(struct cluster *c, const char *format, ...) _printf_(2, 3);
int64_t cluster_wall(void); /* what an honest clock shows */

/* What became of one life. */
struct life {
    bool ready;
    char *broken; /* what an oracle said, or NULL */
    char *end;
    size_t changes[MAX_ACCOUNTS][5]; /* accepted, by account and step */
    size_t idle_writes, idle_changes, idle_events;
    size_t effects[E_COUNT], n_effects, status_writes;
    int64_t ready_ms, lived_ms;
    int64_t healing_ms; /* from when all was well to all Ready */
    size_t crashes, processes, switches, faults_met;
    char *log;
};
struct life life_live(const struct plan *plan, bool trace);
void life_done(struct life *life);
/* NULL: it is like the undisturbed one. Else what is not, the caller's. */
char *life_judge(const struct plan *plan, const struct life *life, const struct life *undisturbed);

/* cluster_faults.c */
void faults_start(struct cluster *c);

/* cluster_process.c */
struct process *process_current(void); /* NULL: the world */
void replica_start(struct cluster *c, int slot);
void process_kill(struct process *p, const char *why);
void process_signal(struct process *p);

/* cluster_http.c */
struct fault *fault_of(struct cluster *c, enum effect effect);

/* What a server is asked, and answers. */
struct call {
    struct cluster *c;
    struct process *from;
    unsigned process; /* its number */
    enum effect effect;
    size_t number; /* of all effects */
    char *method, *url, *path, *query, *body;
    char authorization[128], correlation[64];
    int status;
    struct buf headers, reply;
    bool changed; /* it has had an effect */
    int64_t stale_ms;
    struct seen seen; /* what a read says of the account, or what the sender of a status had read of it */
};

/* cluster_kube.c */
enum effect kube_effect(const struct call *call);
void kube_serve(struct call *call);
void kube_error(struct call *call, int status, const char *reason, const char *message);
size_t kube_visible(struct cluster *c, int server);
const struct change **kube_state_at(struct cluster *c, size_t n, size_t *ret_n);
bool kube_query(const struct call *call, const char *name, char *ret, size_t size);
void kube_apply(struct cluster *c, const char *name, int account);
void kube_delete_object(struct cluster *c, const char *name);
void kube_edit(struct cluster *c, const char *name, const char *spec_patch);
void kube_annotate(struct cluster *c, const char *name, const char *value);
void kube_wipe(struct cluster *c, const char *name);
cJSON *kube_object(struct cluster *c, const char *name);
const char *kube_condition(const cJSON *object, const char *type, const char *member);

/* cluster_watch.c */
int watch_serve(struct call *call, const struct http_request *request, struct http_response *response, struct err *err);

/* cluster_azure.c */
enum effect azure_effect(const struct call *call);
void azure_serve(struct call *call);
void azure_error(struct call *call, int status, const char *code, const char *message);
void azure_begin(struct cluster *c);
char *account_id(int account);
int account_of_path(const char *path); /* -1: none */
void azure_other(struct cluster *c, int account, const char *body);

/* cluster_oracle.c */
void oracle_leaves(struct call *call);
void oracle_refused(struct call *call);
void oracle_change(struct call *call, int account, const cJSON *body, const struct azure_verdict *verdict);
void oracle_status(struct call *call, const cJSON *before, const cJSON *after, const cJSON *patch);
void oracle_seen(struct call *call, const cJSON *account);
void oracle_heard(struct call *call);
void oracle_secret(struct cluster *c, const char *where, const char *text);

#define SECRET_MARK "SIMSECRET"
#define KUBE_URL "https://kube.sim"
#define ARM_URL "https://management.azure.com"
#define ENTRA_URL "https://login.microsoftonline.com"
#define SUBSCRIPTION "00000000-0000-0000-0000-000000000001"
#define NAMESPACE "payments"
#define KEY_URI "https://contoso.vault.azure.net/keys/cosmos"
#define OTHER_KEY_URI "https://contoso.vault.azure.net/keys/other"
#define IDENTITY_ID                                                                                                    \
    "/subscriptions/" SUBSCRIPTION "/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"  \
    "cmk"
