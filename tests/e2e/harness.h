/* What the end-to-end tests share: the real processes of one test, and what can be asked of them.
 *
 * Every test has a namespace, a fake-azure and a controller of its own, all of which end with it. The API server is
 * that of the run (apiserver.h). Helpers fail the test by themselves, with a sentence; a failed test prints the ends of
 * the logs. Waiting polls and has a generous deadline; nothing sleeps for a fixed time.
 *
 * After every test, passed or not, its leftovers are checked: no secret in the controller's log, no report of a
 * sanitizer, and no PATCH that sends a key together with anything else. */
#pragma once

#include "unit.h"

#include "e2e/apiserver.h"
#include "e2e/process.h"
#include "json/json.h"

#define TENANT "00000000-0000-0000-0000-00000000000a"
#define CLIENT "00000000-0000-0000-0000-00000000000b"
#define CLIENT_SECRET "canary~secret-that-nobody-may-see"
#define GROUP_ID "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/demo"
#define ACCOUNT_ID(name) GROUP_ID "/providers/Microsoft.DocumentDB/databaseAccounts/" name
#define IDENTITY                                                                                                       \
    "UserAssignedIdentity=" GROUP_ID "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cosmos-cmk"
#define KEY "https://demo-vault.vault.azure.net/keys/cosmos"
#define OTHER_KEY "https://demo-vault.vault.azure.net/keys/other"
#define KEY_BODY "{\"properties\":{\"keyVaultKeyUri\":\"" KEY "\"}}"

/* For anything that takes a second or two on an idle machine; longer where a runner keeps the machine busy (crash.h).
 */
int64_t wait_ms(void);
#define WAIT_MS wait_ms()

struct world {
    const struct scene *scene;
    char *dir, *ns;
    char *azure_url, *azure_ca, *azure_log, *controller_log;
    struct process *azure, *controller;
    bool passed;
};

/* One test: its name is a sentence. */
struct scene {
    const char *name;
    void (*test)(struct world *w);
    bool fake_only;       /* needs the inspection API of fake-apiserver; skipped, loudly, with a real one */
    const char *no_crash; /* why the controller cannot be killed at each of its requests (crash.h); NULL: it can */
};

/* Runs the scenes as one cmocka group; what main() returns. */
int run_scenes(const char *group, const struct scene *scenes, size_t n);

const struct apiserver *the_apiserver(void);
struct http_client *the_http(void);
struct kube_client *the_kube(void);

/* ---- processes ---- */

/* Fast operations unless the flags (NULL-terminated, may be NULL) say otherwise. Knows the accounts demo-orders,
 * demo-ledger and demo-legacy of deploy/samples. */
void azure_start(struct world *w, const char *const *flags);
/* Short intervals and no leader election unless the flags say otherwise. */
void controller_start(struct world *w, const char *const *flags);
/* The same with other entries of the environment, on top ("AZURE_CLIENT_SECRET=wrong"). */
void controller_start_env(struct world *w, const char *const *flags, const char *const *env);
/* One more, which is the caller's to end before the test does. Both write into the same log. */
struct process *controller_spawn(struct world *w, const char *const *flags, const char *const *env);
/* kill -9 */
void controller_kill(struct world *w);
/* SIGTERM; the test fails unless it ends with 0 within limit_ms. Gives the time it took. */
int64_t controller_stop(struct world *w, int64_t limit_ms);

/* kubectl in the test's namespace, with the arguments up to the first NULL; fails the test unless it ends with 0. The
 * output is the caller's. */
char *kubectl(struct world *w, const char *const *args);

/* ---- resources (api.c) ---- */

/* spec: members of the spec as JSON text, on top of accountId and keyVaultKeyUri; NULL: none. */
void resource_create(struct world *w, const char *name, const char *account, const char *spec);
/* A JSON merge patch for the whole object. */
void resource_patch(struct world *w, const char *name, const char *patch);
void resource_delete(struct world *w, const char *name);
/* The object, the caller's (json_free). */
cJSON *resource_get(struct world *w, const char *name);
/* Waits until Ready has this reason, for this generation, and returns the object. */
cJSON *await_reason(struct world *w, const char *name, const char *reason);
/* The same without wanting the object. */
void await_end(struct world *w, const char *name, const char *reason);
/* Waits until the condition says something about the object. */
cJSON *await_object(struct world *w, const char *name, bool (*fits)(const cJSON *object, const void *arg),
    const void *arg, const char *what);
/* The condition of that type, borrowed, or NULL. */
const cJSON *condition_of(const cJSON *object, const char *type);
/* Fails unless it is there with this status, and its message contains fragment (NULL: anything). */
void assert_condition(
    const cJSON *object, const char *type, const char *status, const char *reason, const char *fragment);
/* Compares the string at path. */
void assert_member(const cJSON *object, const char *path, const char *expected);

/* ---- inspection (api.c) ---- */

/* One request to the inspection API of a fake; fails the test unless the status is 2xx. body may be NULL. The answer is
 * the caller's, NULL when it is empty. */
cJSON *azure_ask(struct world *w, const char *method, const char *path, const char *body);
cJSON *apiserver_ask(const char *method, const char *path, const char *body);
/* A rule for fake-azure: JSON as in tests/fakes/README.md. */
void azure_fault(struct world *w, const char *rule);
void azure_heal(struct world *w);
/* The journal of requests with that method (NULL: any) whose path contains the text. */
cJSON *azure_journal(struct world *w, const char *method, const char *path_contains);
int azure_count(struct world *w, const char *method, const char *path_contains);
void azure_await_count(struct world *w, const char *method, const char *path_contains, int at_least);
/* PATCHes of that account, however they ended. */
int azure_patches(struct world *w, const char *account);
/* The same for the resources of the test's namespace in fake-apiserver; events come when they come. */
int apiserver_count(struct world *w, const char *method);
