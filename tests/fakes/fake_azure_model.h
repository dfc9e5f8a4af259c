/* What Azure would know: Cosmos DB accounts, the operations that run on them, other resources by id.
 *
 * Pure: the caller brings the time, and nothing is random, so that every rule can be tested in virtual time. Behaviour
 * is that of recorded exchanges and quoted errors of Microsoft.DocumentDB; whatever is not on public record is a switch
 * in struct azure_options, or a text that calls itself invented. Not thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "fakes/fake_azure_model_data.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AZURE_GUID_SIZE 37
#define AZURE_KEY_CONFIRMED "Access to the configured customer managed key confirmed."

struct azure_options {
    const char *tenant;
    const char *gateway_url;      /* origin under which accounts' data are at /cosmos/NAME/; NULL: Azure's own names */
    const char *vault_suffix;     /* one more accepted suffix of vault hosts, or NULL */
    int64_t identity_ms;          /* how long an operation takes that sets no key */
    int64_t encrypt_ms;           /* and one that does, unless the account says otherwise */
    int64_t enqueued_ms;          /* how long an operation says Enqueued before Dequeued */
    int64_t retention_ms;         /* how long the status of a finished operation can be read */
    int64_t page_size;            /* accounts in one page of a list; 0: no paging */
    bool key_visible_early;       /* GET shows the new keyVaultKeyUri while the operation still runs */
    bool identity_resets_default; /* an identity update leaves defaultIdentity "undefined" (terraform#22466) */
    bool rotation_is_noop;        /* setting the key that is set already ends at once */
};

struct azure_names {
    char **v;
    size_t n;
};

/* An error that an account has in store for an update that sets the key. */
struct azure_trap {
    int64_t status; /* of a refusal; 0 for a failure of the operation */
    char *code;
    char *message;
    int64_t times; /* how often; -1: always; 0: not at all */
};

struct azure_account {
    struct azure_account *next; /* in its subscription, in order of creation */
    char *subscription;
    char *group;
    char *name;
    char *kind;
    char *location;
    char *api_types;   /* NULL: derived from kind and capabilities */
    char *state;       /* provisioningState when no operation runs */
    char *key_uri;     /* NULL: not encrypted with a key of the customer */
    char *key_version; /* 32 hexadecimal digits */
    char *key_status;
    char *default_identity;
    char *backup; /* "Periodic" or "Continuous" */
    bool analytical;
    bool system_assigned;
    struct azure_names identities; /* ids of attached user-assigned identities */
    struct azure_names capabilities;
    int64_t encrypt_ms;  /* -1: as the options say */
    int64_t identity_ms; /* -1: as the options say */
    struct azure_trap fail_with;
    struct azure_trap refuse_with;
    cJSON *tags;
    cJSON *extra;            /* merged over "properties" of the body */
    struct azure_data *data; /* NULL: none */
    int64_t created_ms;
    struct azure_operation *running;
    int64_t changes; /* operations that were ever begun */
};

enum azure_operation_type { AZURE_OP_OTHER, AZURE_OP_IDENTITY, AZURE_OP_DEFAULT_IDENTITY, AZURE_OP_KEY };
enum azure_operation_state { AZURE_OP_RUNNING, AZURE_OP_SUCCEEDED, AZURE_OP_FAILED, AZURE_OP_CANCELED };

struct azure_operation {
    char id[AZURE_GUID_SIZE];
    struct azure_account *account; /* NULL when the account was removed */
    char *status_path;             /* of operationsStatus, without the query */
    char *result_path;             /* of operationResults */
    char *api_version;
    enum azure_operation_type type;
    enum azure_operation_state state;
    cJSON *patch; /* what takes effect at the end */
    int64_t start_ms, end_ms;
    bool fails;
    char *code, *message; /* of a failure */
    char *caller;         /* who started it, for the Activity Log; NULL: somebody */
};

struct azure_subscription {
    struct azure_account *first, *last; /* NULL: nothing but other resources */
};

struct azure_model {
    struct azure_options options;
    char secret[65]; /* from which ids and signatures are derived */
    uint64_t counter;
    struct azure_account **accounts; /* in order of creation */
    size_t n_accounts;
    struct map by_name;       /* lower-case name: Azure's account names are unique in the world */
    struct map subscriptions; /* lower-case ids ever seen -> struct azure_subscription */
    struct map groups;        /* lower-case "subscription/group" ever seen -> the model */
    struct map resources;     /* lower-case id -> cJSON of any other resource */
    struct map operations;    /* id -> struct azure_operation */
    struct azure_operation **running;
    size_t n_running;
};

/* secret: any text; two models with the same secret give out the same ids. */
struct azure_model *azure_model_new(const struct azure_options *options, const char *secret);
struct azure_model *azure_model_free(struct azure_model *model);
DEFINE_CLEANUP(struct azure_model *, azure_model_free)

/* A seed: an array of accounts, or {"accounts":[…],"resources":[…]}. ERR_INVALID names the member that is wrong. */
int azure_model_load(struct azure_model *model, const cJSON *seed, int64_t now_ms, struct err *err);
/* Creates the account, or merges into the one of that name what json says (null clears). Accounts do not move to other
 * subscriptions. */
int azure_model_put(struct azure_model *model, const char *name, const cJSON *json, int64_t now_ms, struct err *err);
int azure_model_put_resource(struct azure_model *model, const cJSON *json, struct err *err);
bool azure_model_remove_resource(struct azure_model *model, const char *id);
void azure_model_remove(struct azure_model *model, struct azure_account *account);
/* Without regard to case. NULL when there is none. */
struct azure_account *azure_model_account(const struct azure_model *model, const char *name);
const cJSON *azure_model_resource(const struct azure_model *model, const char *id);
/* Accounts in one page of a list, 0: all. The specification has a nextLink from 2026-07-15 on; clients of older
 * versions look for none, so whatever they are sent has to be everything. */
int64_t azure_model_page_size(const struct azure_model *model, const char *api_version);
/* NULL: never heard of. */
const struct azure_subscription *azure_model_subscription(const struct azure_model *model, const char *id);
bool azure_model_knows_group(const struct azure_model *model, const char *subscription, const char *group);
/* Lets operations end whose time has come. To be called before anything is looked at. */
void azure_model_advance(struct azure_model *model, int64_t now_ms);
/* A GUID derived from text, the same in every run; with text NULL, a new one at each call. */
void azure_model_guid(struct azure_model *model, const char *text, char ret[static AZURE_GUID_SIZE]);

/* Ids of a user-assigned identity: what its resource says, else derived from its id. */
void azure_model_identity_ids(struct azure_model *model, const char *id, char principal[static AZURE_GUID_SIZE],
    char client[static AZURE_GUID_SIZE]);

/* The account as ARM shows it now. */
void azure_account_print(struct azure_model *model, const struct azure_account *account, struct buf *b);
const char *azure_account_state(const struct azure_account *account);
bool azure_account_has(const struct azure_account *account, const char *capability);
bool azure_account_revoked(const struct azure_account *account);
bool azure_account_attached(const struct azure_account *account, const char *identity_id);
/* What json (seed names) says, into the account. */
int azure_account_merge(struct azure_account *account, const cJSON *json, struct err *err);
struct azure_account *azure_account_free(struct azure_account *account);
/* Lower case without blanks, as it stands in URLs: "West US" is "westus". The caller frees it. */
char *azure_location_id(const char *location);

void azure_names_add(struct azure_names *names, const char *name);
void azure_names_remove(struct azure_names *names, const char *name);
bool azure_names_has(const struct azure_names *names, const char *name);
void azure_names_done(struct azure_names *names);

/* How Azure answers an update. */
struct azure_verdict {
    int status;       /* 200: operation is set */
    bool front_door;  /* the error is ARM's own {"error":{…}}, not the provider's top-level {"code","message"} */
    const char *code; /* borrowed, literal or the account's */
    struct buf message;
    struct azure_operation *operation; /* borrowed */
};

#define AZURE_VERDICT_INIT ((struct azure_verdict){.message = BUF_INIT(16384)})

/* Checks the body of a PATCH and, when it is accepted, starts the operation (which may be over at once). */
void azure_patch(struct azure_model *model, struct azure_account *account, const char *api_version, const cJSON *body,
    int64_t now_ms, struct azure_verdict *ret);
/* 200, or the refusal, without starting anything. */
void azure_patch_check(const struct azure_model *model, struct azure_account *account, const char *api_version,
    const cJSON *body, struct azure_verdict *ret);
int azure_verdict_set(struct azure_verdict *verdict, int status, const char *code, const char *format, ...)
    _printf_(4, 5);

struct azure_operation *azure_operation_start(struct azure_model *model, struct azure_account *account,
    const char *api_version, const cJSON *body, int64_t now_ms);
/* "Enqueued", "Dequeued", "Succeeded", "Failed", "Canceled". */
const char *azure_operation_word(
    const struct azure_model *model, const struct azure_operation *operation, int64_t now_ms);
/* Ends a running operation now. code and message may be NULL unless it failed. */
void azure_operation_finish(struct azure_model *model, struct azure_operation *operation,
    enum azure_operation_state state, const char *code, const char *message, int64_t now_ms);
struct azure_operation *azure_operation_free(struct azure_operation *operation);
/* NULL when unknown, or when it ended longer ago than the retention. */
struct azure_operation *azure_operation_find(const struct azure_model *model, const char *id, int64_t now_ms);
/* The query, without '?', that belongs to this path of the operation: about 3.5 KB, always the same bytes. */
void azure_operation_query(
    const struct azure_model *model, const struct azure_operation *operation, const char *path, struct buf *b);
