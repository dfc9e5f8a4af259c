/* What must hold whatever goes wrong (section 3 of the design): the judge is what was read, what etcd holds, who holds
 * the Lease, and what Azure knows. Nothing here asks the controller's rules. The first thing that is broken is kept. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/spec.h"
#include "controller/codec.h"

#include <stdio.h>
#include <string.h>

/* Invariant 7. */
void oracle_secret(struct cluster *c, const char *where, const char *text)
{
    if (text && strstr(text, SECRET_MARK))
        violation(c, "a secret in %s", where);
}

/* ---- what was read ---- */

void oracle_seen(struct call *call, const cJSON *account)
{
    const char *state = json_string_at(account, "properties.provisioningState"),
               *key = json_string_at(account, "properties.keyVaultKeyUri"),
               *status = json_string_at(account, "properties.customerManagedKeyStatus");
    struct seen *seen = &call->seen;

    seen->effect = call->number;
    (void)str_copy(seen->state, sizeof(seen->state), state ? state : "");
    (void)str_copy(seen->key_uri, sizeof(seen->key_uri), key ? key : "");
    (void)str_copy(seen->key_status, sizeof(seen->key_status), status ? status : "");
}

/* The answer has come to who asked, and can be understood. */
void oracle_heard(struct call *call)
{
    if (call->effect == E_READ && call->seen.effect && buf_str(&call->reply)[0] == '{')
        call->from->seen[account_of_path(call->path)] = call->seen;
}

/* Of ".../cosmoscmks/NAME/status"; -1: none. */
static int account_of_resource(const struct cluster *c, const char *path)
{
    const char *name = strstr(path, "/cosmoscmks/");

    for (size_t i = 0; name && i < c->n_resources; i++) {
        size_t n = strlen(c->resources[i].name);
        name = strstr(path, "/cosmoscmks/") + strlen("/cosmoscmks/");
        if (strncmp(name, c->resources[i].name, n) == 0 && (name[n] == '/' || name[n] == '\0'))
            return c->resources[i].account;
    }
    return -1;
}

static bool at_rest(const struct seen *seen)
{
    return seen->effect && (str_empty(seen->state) || str_eq(seen->state, "Succeeded"));
}

/* ---- a change is sent ---- */

static struct ahead *ahead_of(struct cluster *c, const char *correlation)
{
    for (size_t i = c->n_ahead; i > 0; i--)
        if (str_eq(c->ahead[i - 1].correlation, correlation))
            return &c->ahead[i - 1];
    return NULL;
}

/* Invariant 1: by the spec and the status that were written ahead. */
static void check_gates(struct cluster *c, const struct cmk_resource *r)
{
    struct err err = ERR_INIT;

    if (cmk_spec_check(&r->spec, &err) < 0)
        violation(c, "a change is sent for an invalid spec: %s", err.msg);
    if (r->spec.suspend || r->spec.mode == CMK_OBSERVE)
        violation(c, "a change is sent although the spec forbids it");
    for (size_t i = 0; i < r->status.n_checks; i++)
        if (r->status.checks[i].result == CMK_CHECK_FAILED)
            violation(c, "a change is sent although preflight failed");
    for (size_t i = 0; i < c->n_resources; i++) {
        const cJSON *other = kube_object(c, c->resources[i].name);
        const char *id = json_string_at(other, "spec.accountId"),
                   *created = json_string_at(other, "metadata.creationTimestamp");
        int64_t at = 0;
        if (!other || str_eq(c->resources[i].name, r->name) || !str_eq_nocase(id, r->spec.account_id) || !created)
            continue;
        (void)time_parse_rfc3339(created, &at);
        if (at < r->created_at)
            violation(c, "a change is sent by %s, which does not own the account", r->name);
    }
}

/* Invariant 2: the body is exactly the one thing. */
static void check_body(struct cluster *c, const struct cmk_resource *r, const char *sent)
{
    const char *type = cmk_step_type_name(r->status.operation.type);
    const char *user = cmk_user_identity_of(r->spec.default_identity);
    _cleanup_(freep) char *expected =
        str_eq(type, "EnableKey") ? xasprintf("{\"properties\":{\"keyVaultKeyUri\":\"%s\"}}", r->spec.key_uri)
        : str_eq(type, "SetDefaultIdentity")
            ? xasprintf("{\"properties\":{\"defaultIdentity\":\"%s\"}}", r->spec.default_identity)
            : xasprintf("{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"%s\":{}}}}",
                  user ? user : "");

    if (!str_eq(sent, expected))
        violation(c, "%s sends %s instead of %s", type, sent, expected);
}

/* Invariants 1, 3, 4: written ahead by this process and sent once, the account read since and at rest. */
static void check_order(struct call *call, struct ahead *ahead)
{
    struct cluster *c = call->c;
    const struct seen *seen = &call->from->seen[account_of_path(call->path)];

    if (ahead->process != call->process)
        violation(c, "a change is sent that another process has written ahead");
    if (ahead->sent)
        violation(c, "a change is sent a second time");
    ahead->sent = true;
    if (seen->effect <= ahead->effect)
        violation(c, "a change is sent and the account was not read since it was written ahead");
    if (!at_rest(seen))
        violation(c, "a change is sent to an account that was read as %s", seen->state);
}

/* "HOSTNAME_UUID" */
static bool holds_lease(const struct call *call)
{
    const char *holder = json_string_at(call->c->etcd.lease, "spec.holderIdentity");
    size_t n = strlen(call->from->name);

    return holder && strncmp(holder, call->from->name, n) == 0 && holder[n] == '_';
}

static void patch_leaves(struct call *call)
{
    struct cluster *c = call->c;
    struct ahead *ahead = ahead_of(c, call->correlation);
    struct cmk_resource resource;
    struct err err = ERR_INIT;
    cJSON *object = NULL;

    if (c->plan.elect && !holds_lease(call))
        violation(c, "a change is sent by %s, and another holds the lease", call->from->name);
    if (!ahead) {
        violation(c, "a change is sent that was not written ahead");
        return;
    }
    check_order(call, ahead);
    (void)json_parse(&object, ahead->object, strlen(ahead->object), NULL);
    if (cmk_decode(&resource, object, &err) < 0) {
        violation(c, "%s", err.msg);
    } else {
        check_gates(c, &resource);
        check_body(c, &resource, call->body);
        cmk_resource_done(&resource);
    }
    (void)json_free(object);
}

/* A token that was refused is replaced and the request sent again: it had no effect. */
void oracle_refused(struct call *call)
{
    struct ahead *ahead = ahead_of(call->c, call->correlation);

    if (call->effect == E_PATCH && call->status == 401 && !call->changed && ahead)
        ahead->sent = false;
}

void oracle_leaves(struct call *call)
{
    int account = call->effect == E_STATUS ? account_of_resource(call->c, call->path) : -1;

    if (account >= 0)
        call->seen = call->from->seen[account];
    if (call->effect == E_PATCH)
        patch_leaves(call);
}

/* ---- a change arrives ---- */

static int type_of(const cJSON *body)
{
    return json_member(body, "identity")                 ? CMK_ATTACH_IDENTITY
           : json_at(body, "properties.defaultIdentity") ? CMK_SET_DEFAULT_IDENTITY
                                                         : CMK_ENABLE_KEY;
}

static bool was_undone(const struct cluster *c, const struct accepted *a, const cJSON *body)
{
    const char *key = json_string_at(body, "properties.keyVaultKeyUri");
    const struct azure_account *account = a->operation->account;

    if (plan_has_people(&c->plan) && a->type == CMK_SET_DEFAULT_IDENTITY)
        return true;
    return a->operation->state == AZURE_OP_SUCCEEDED &&
           ((key && account && !cmk_same_key(account->key_uri, key)) ||
               (a->type == CMK_SET_DEFAULT_IDENTITY && account && c->plan.resets));
}

/* Invariant 4: what Azure has accepted is not asked for again, unless it failed or somebody undid it. */
void oracle_change(struct call *call, int account, const cJSON *body, const struct azure_verdict *verdict)
{
    struct cluster *c = call->c;

    if (verdict->status != 200)
        return;
    for (size_t i = 0; i < c->n_accepted; i++) {
        const struct accepted *a = &c->accepted[i];
        if (a->account == account && str_eq(a->body, call->body) && a->operation->state != AZURE_OP_FAILED &&
            !was_undone(c, a, body))
            violation(c, "a change that Azure has accepted is sent again: account %d, %s", account, call->body);
    }
    c->accepted = xrealloc(c->accepted, (c->n_accepted + 1) * sizeof(*c->accepted));
    c->accepted[c->n_accepted++] = (struct accepted){
        .account = account, .body = xstrdup(call->body), .type = type_of(body), .operation = verdict->operation};
    call->changed = true;
}

/* ---- a status is written ---- */

static void note_write_ahead(struct call *call, const cJSON *before, const cJSON *after, bool conditional)
{
    struct cluster *c = call->c;
    const char *correlation = json_string_at(after, "status.operation.correlationId"),
               *id = json_string_at(after, "spec.accountId");

    if (!str_eq(json_string_at(after, "status.operation.state"), "Requested") ||
        str_eq(correlation, json_string_at(before, "status.operation.correlationId")))
        return;
    if (!conditional)
        violation(c, "a write-ahead without condition");
    for (size_t i = 0; i < c->n_accepted; i++)
        if (c->accepted[i].account == account_of_path(id) && c->accepted[i].operation->state == AZURE_OP_RUNNING &&
            !plan_has_people(&c->plan))
            violation(c, "a write-ahead over an operation that is still running: account %d", account_of_path(id));
    c->ahead = xrealloc(c->ahead, (c->n_ahead + 1) * sizeof(*c->ahead));
    struct ahead *ahead = &c->ahead[c->n_ahead++];
    *ahead = (struct ahead){.process = call->process, .effect = call->number, .object = json_print(after)};
    (void)str_copy(ahead->correlation, sizeof(ahead->correlation), correlation);
}

/* Invariant 5. */
static void check_ready(struct call *call, const cJSON *after)
{
    struct cluster *c = call->c;
    const struct seen *seen = &call->seen;
    const char *key = json_string_at(after, "spec.keyVaultKeyUri"), *name = json_string_at(after, "metadata.name");

    if (!at_rest(seen) || !cmk_same_key(seen->key_uri, key) || !str_has_prefix(seen->key_status, AZURE_KEY_CONFIRMED))
        violation(
            c, "%s is said to be Ready, and its account was read as %s with key %s", name, seen->state, seen->key_uri);
    if (json_at(after, "status.operation.type") && !json_at(after, "status.operation.completedAt"))
        violation(c, "%s is said to be Ready with an operation that is %s", name,
            json_string_at(after, "status.operation.state"));
    if (json_at(after, "status.plan"))
        violation(c, "%s is said to be Ready with a plan", name);
}

static void check_conditions(struct call *call, const cJSON *after)
{
    struct cluster *c = call->c;
    const char *name = json_string_at(after, "metadata.name");
    bool ready = str_eq(kube_condition(after, "Ready", "status"), "True");
    bool working = *kube_condition(after, "Reconciling", "status"),
         stalled = *kube_condition(after, "Stalled", "status");
    int64_t generation = 0, observed = -1;

    if (ready)
        check_ready(call, after);
    if ((ready && (working || stalled)) || (working && stalled))
        violation(c, "%s has conditions that contradict each other", name);
    if (!*kube_condition(after, "Ready", "status") || !*kube_condition(after, "Ready", "message"))
        violation(c, "%s has no condition Ready, or one without a message", name);
    (void)json_int(json_at(after, "metadata.generation"), false, &generation);
    (void)json_int(json_at(after, "status.observedGeneration"), false, &observed);
    if (generation != observed)
        violation(
            c, "%s: observedGeneration %lld at generation %lld", name, (long long)observed, (long long)generation);
}

void oracle_status(struct call *call, const cJSON *before, const cJSON *after, const cJSON *patch)
{
    struct cluster *c = call->c;
    bool conditional = json_string_at(patch, "metadata.resourceVersion") != NULL;

    oracle_secret(c, "a status", call->body);
    if (!conditional)
        violation(c, "a status is written without condition");
    note_write_ahead(call, before, after, conditional);
    if (call->effect != E_STATUS)
        return;
    if (!call->changed)
        violation(c, "a status write that changes nothing: %s", json_string_at(after, "metadata.name"));
    check_conditions(call, after);
}
