/* Between a struct model_core and the view that the rules know: lifted, decided by the shipped code, lowered again.
 *
 * The rules are pure, so each different core is decided once and remembered; there are far fewer of them than states of
 * the world. Nothing in here knows what a rule does. */
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/model.h"

#include <string.h>

#define ACCOUNT_ID                                                                                                     \
    "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/shop/providers/Microsoft.DocumentDB/"          \
    "databaseAccounts/orders"
#define USER_ID                                                                                                        \
    "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/shop/providers/Microsoft.ManagedIdentity/"     \
    "userAssignedIdentities/cosmos"
#define IDENTITY "UserAssignedIdentity=" USER_ID
#define CONFIRMED "Access to the configured customer managed key confirmed."
#define REVOKED "Access to your account is currently revoked because the key is not found (4003)."
#define MAX_CONCLUSIONS 8

struct cmk_options model_options = {
    .poll_min = 1,
    .poll_max = 1,
    .progress = 600000,
    .settle = MODEL_UNIT_SETTLE,
    .resync = 3,
    .recheck = 3,
    .retry_base = 2,
    .retry_max = 4,
    .propagation = 2,
    .max_attempts = 2,
    .unreachable_grace = 2,
};

static const struct {
    const char *name;
    enum err_kind kind;
    const char *code;
    bool maybe_sent;
} errors[] = {
    [MODEL_WELL] = {"well"},
    [MODEL_NOT_FOUND] = {"not found", ERR_NOT_FOUND, "ResourceNotFound"},
    [MODEL_DENIED] = {"denied", ERR_FORBIDDEN, "AuthorizationFailed"},
    [MODEL_THROTTLED] = {"throttled", ERR_THROTTLED, "TooManyRequests"},
    [MODEL_DOWN] = {"no connection", ERR_UNAVAILABLE, ""},
    [MODEL_CUT] = {"no answer", ERR_TIMEOUT, "", true},
    [MODEL_LOCKED] = {"the account is locked", ERR_LOCKED, "PreconditionFailed"},
    [MODEL_BAD] = {"bad request", ERR_INVALID, "BadRequest"},
};

const char *model_error_name(enum model_error error)
{
    return errors[error].name;
}

/* ---- lifting ---- */

static struct err lift_error(uint8_t number)
{
    struct err err = ERR_INIT;

    if (number == MODEL_WELL)
        return err;
    (void)err_set(&err, errors[number].kind, "%s", errors[number].name);
    (void)str_copy(err.code, sizeof(err.code), errors[number].code);
    err.maybe_sent = errors[number].maybe_sent;
    return err;
}

static void lift_account(struct cmk_account *to, const struct model_account *from, const struct model_config *config)
{
    static const char *const states[] = {"Succeeded", "Updating", "Failed"};

    *to = (struct cmk_account){0};
    str_replace(&to->provisioning_state, states[from->state]);
    str_replace(&to->key_uri, model_keys[from->key]);
    if (from->key)
        str_replace(&to->cmk_status, from->revoked ? REVOKED : CONFIRMED);
    str_replace(&to->backup_policy, config->identity ? "Continuous" : "Periodic");
    if (from->attached) {
        to->user_identities = xcalloc(1, sizeof(*to->user_identities));
        to->user_identities[0] = xstrdup(USER_ID);
        to->n_user_identities = 1;
    }
    str_replace(&to->default_identity, from->identity ? IDENTITY : "FirstPartyIdentity");
}

static void lift_evidence(struct cmk_evidence *to, bool fails)
{
    *to = (struct cmk_evidence){.gathered = true};
    to->lock.seen = fails ? CMK_SEEN : CMK_ABSENT;
    to->lock.name = fails ? xstrdup("freeze") : NULL;
    to->lock.scope = fails ? xstrdup("the account") : NULL;
}

/* Its strings are literals and the interned status' own: nothing in the domain changes a resource. */
static struct cmk_resource lift_resource(const struct model_resource *from, const struct model_config *config)
{
    static const char *const asked[] = {NULL, "1", "2", "3"};
    const char *hash = from->approved ? model_hash_text(from->approved) : "";

    return (struct cmk_resource){
        .ns = (char *)"payments",
        .name = (char *)"orders",
        .generation = from->generation,
        .deleting = from->deleting,
        .reconcile_requested_at = (char *)asked[from->asked],
        .spec = {.account_id = (char *)ACCOUNT_ID,
            .key_uri = (char *)(from->invalid ? "http://contoso" : model_keys[from->key]),
            .default_identity = (char *)(config->identity ? IDENTITY : NULL),
            .approved_plan = (char *)hash,
            .mode = from->observe ? CMK_OBSERVE : CMK_ENFORCE,
            .approval = from->manual ? CMK_MANUAL : CMK_AUTOMATIC,
            .suspend = from->suspend},
        .status = model_status(from->status)->status,
    };
}

static void lift_view(struct cmk_view *v, const struct model_core *c, const struct model_config *config)
{
    cmk_status_done(&v->status);
    cmk_status_copy(&v->status, &model_status(c->status)->status);
    v->owner = c->older ? "payments/older" : NULL;
    v->account_fact = (enum cmk_fact)c->account_fact;
    if (v->account_fact == CMK_KNOWN)
        lift_account(&v->account, &c->account, config);
    v->looked_at = model_time(c->account_age);
    v->account_err = lift_error(c->account_error);
    v->operation_fact = (enum cmk_fact)c->operation_fact;
    v->operation_err = lift_error(c->operation_error);
    v->operation_lost = c->memory.lost;
    v->operation_read_at = model_time(c->memory.read);
    v->evidence_fact = (enum cmk_fact)c->evidence_fact;
    if (v->evidence_fact == CMK_KNOWN)
        lift_evidence(&v->evidence, c->evidence_fails);
    v->evidence_err = lift_error(c->evidence_error);
    v->culprit_fact = (enum cmk_fact)c->culprit_fact;
    v->armed = c->armed;
    v->sent = c->sent;
    v->refused = c->refused;
    v->refusal = lift_error(c->refused);
    v->failing_since = model_time(c->memory.failing);
    v->quiet_since = model_time(c->memory.quiet);
    v->quiet_record = model_time(c->memory.quiet_record);
    v->lease_valid = c->leads;
}

static void lift_result(struct cmk_result *r, const struct model_core *c, const struct model_config *config)
{
    static const char *const words[] = {NULL, "Dequeued", "Succeeded", "Failed", "Failed"};
    static const char *const codes[] = {NULL, NULL, NULL, "ServiceUnavailable", "BadRequest"};
    const struct model_pending *p = &c->pending;
    enum cmk_effect effect = (enum cmk_effect)(p->effect - 1);

    *r = (struct cmk_result){
        .begun_uptime = MODEL_NOW - p->age, .failed = p->error != MODEL_WELL, .err = lift_error(p->error)};
    if (r->failed)
        return;
    if (effect == CMK_READ_ACCOUNT || effect == CMK_SEND)
        lift_account(&r->account, &p->account, config);
    if (effect == CMK_SEND && p->url)
        r->status_url = xasprintf("https://management.azure.com/operations/%c", 'a' + p->url - 1);
    if (effect == CMK_READ_OPERATION) {
        r->state = xstrdup(words[p->value]);
        r->error_code = xstrdup(codes[p->value]);
    }
    if (effect == CMK_GATHER)
        lift_evidence(&r->evidence, p->value);
}

static void result_done(struct cmk_result *r)
{
    cmk_account_done(&r->account);
    free(r->state);
    free(r->error_code);
    free(r->status_url);
    cmk_evidence_done(&r->evidence);
}

/* ---- lowering ---- */

static uint8_t lower_error(const struct err *err)
{
    for (uint8_t i = 1; i < ARRAY_LEN(errors); i++)
        if (str_eq(err->msg, errors[i].name))
            return i;
    return MODEL_WELL;
}

static struct model_account lower_account(const struct cmk_account *a)
{
    struct model_account to = {0};

    for (uint8_t k = KEY_FIRST; k <= KEY_FOREIGN; k++)
        if (str_eq(a->key_uri, model_keys[k]))
            to.key = k;
    to.state = str_eq(a->provisioning_state, "Updating") ? STATE_UPDATING
               : str_eq(a->provisioning_state, "Failed") ? STATE_FAILED
                                                         : STATE_SUCCEEDED;
    to.attached = a->n_user_identities > 0;
    to.identity = str_eq(a->default_identity, IDENTITY);
    to.revoked = str_eq(a->cmk_status, REVOKED);
    return to;
}

/* When the operation's URL was read before that operation began, it was never read; and without one nobody asks. */
static uint8_t lower_read(const struct cmk_view *v)
{
    const struct cmk_operation *op = &v->status.operation;

    if (!cmk_operation_open(op) || !op->started_at || v->operation_read_at < op->started_at)
        return 0;
    return model_age(v->operation_read_at, 4);
}

static void lower_view(struct model_core *c, struct cmk_view *v)
{
    c->account_fact = (uint8_t)v->account_fact;
    c->account = v->account_fact == CMK_KNOWN ? lower_account(&v->account) : (struct model_account){0};
    bool open = cmk_operation_open(&v->status.operation); /* else nobody asks how long it has been at rest */
    c->account_age = v->account_fact == CMK_KNOWN && open ? model_age(v->looked_at, MODEL_UNIT_SETTLE) : 0;
    c->account_error = lower_error(&v->account_err);
    c->operation_fact = (uint8_t)v->operation_fact;
    c->operation_error = lower_error(&v->operation_err);
    c->evidence_fact = (uint8_t)v->evidence_fact;
    c->evidence_fails = v->evidence_fact == CMK_KNOWN && v->evidence.lock.seen == CMK_SEEN;
    c->evidence_error = lower_error(&v->evidence_err);
    c->culprit_fact = (uint8_t)v->culprit_fact;
    c->armed = v->armed;
    c->sent = v->sent;
    c->refused = v->refused ? lower_error(&v->refusal) : MODEL_WELL;
    c->memory.lost = v->operation_lost;
    c->memory.failing = model_age(v->failing_since, MODEL_UNIT_GRACE);
    c->memory.quiet = open ? model_age(v->quiet_since, MODEL_UNIT_SETTLE) : 0;
    c->memory.quiet_record = c->memory.quiet ? model_age(v->quiet_record, MODEL_UNIT_SETTLE) : 0;
    c->memory.read = lower_read(v);
    c->pending = (struct model_pending){0};
    struct cmk_status status = v->status;
    v->status = (struct cmk_status){0};
    c->status = model_status_intern(&status);
}

/* ---- one decision ---- */

static void fold_pending(struct cmk_view *v, const struct model_core *c, const struct model_config *config)
{
    struct cmk_step step = {
        .effect = (enum cmk_effect)(c->pending.effect - 1), .type = (enum cmk_step_type)c->pending.type};
    struct cmk_result result;

    if (!c->pending.effect)
        return;
    lift_result(&result, c, config);
    cmk_fold(v, &step, &result);
    result_done(&result);
}

static void decide(struct cmk_view *v, struct cmk_step *step, struct model_step *ret)
{
    struct cmk_result nothing = {.err = ERR_INIT};

    for (;;) {
        cmk_next(v, step);
        if (step->effect != CMK_SETTLE || ret->settled == MAX_CONCLUSIONS)
            return;
        if (ret->settled < ARRAY_LEN(ret->conclusions))
            ret->conclusions[ret->settled] = step->rule;
        ret->settled++;
        cmk_fold(v, step, &nothing);
    }
}

static void compute(struct model_step *ret, const struct model_core *core, const struct model_config *config)
{
    struct cmk_resource resource = lift_resource(&core->resource, config);
    const char correlation[2] = {(char)('a' + core->slot), '\0'};
    struct cmk_view view;
    struct cmk_step step;

    *ret = (struct model_step){.core = *core};
    cmk_view_init(&view, &model_options, &resource, MODEL_NOW, MODEL_NOW); /* both clocks are one here */
    lift_view(&view, core, config);
    fold_pending(&view, core, config);
    decide(&view, &step, ret);
    if (step.effect == CMK_WRITE_AHEAD)
        cmk_write_ahead(&view, &step, correlation);
    if (step.effect == CMK_WRITE_AHEAD || step.effect == CMK_REST)
        cmk_conclude(&view, &step);
    ret->rule = step.rule;
    ret->effect = (uint8_t)step.effect;
    ret->type = (uint8_t)step.type;
    ret->phase = (uint8_t)step.phase;
    ret->reason = (uint8_t)step.reason;
    ret->backoff = step.backoff;
    ret->wake = step.wake_at ? (uint8_t)(step.wake_at > view.now ? step.wake_at - view.now : 1) : 0;
    lower_view(&ret->core, &view);
    cmk_view_done(&view);
}

/* ---- remembered ---- */

struct entry {
    struct model_core key;
    struct model_step step;
};

static struct entry **table;
static size_t n_entries, table_size;

/* FNV-1a over words would do; this is the same over bytes, eight at a time. */
static uint64_t hash_core(const struct model_core *core)
{
    const unsigned char *p = (const unsigned char *)core;
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < sizeof(*core); i++)
        h = (h ^ p[i]) * 1099511628211ULL;
    return h ^ h >> 29;
}

static struct entry **slot_of(const struct model_core *core)
{
    size_t i = hash_core(core) & (table_size - 1);

    while (table[i] && memcmp(&table[i]->key, core, sizeof(*core)) != 0)
        i = (i + 1) & (table_size - 1);
    return &table[i];
}

static void grow(void)
{
    struct entry **old = table;
    size_t old_size = table_size;

    table_size = table_size ? 2 * table_size : 4096;
    table = xcalloc(table_size, sizeof(struct entry *));
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            *slot_of(&old[i]->key) = old[i];
    free(old);
}

const struct model_step *model_core_step(const struct model_core *core, const struct model_config *config)
{
    if (2 * n_entries >= table_size)
        grow();
    struct entry **slot = slot_of(core);
    if (!*slot) {
        *slot = xcalloc(1, sizeof(**slot));
        (*slot)->key = *core;
        compute(&(*slot)->step, core, config);
        n_entries++;
    }
    return &(*slot)->step;
}

size_t model_core_count(void)
{
    return n_entries;
}

void model_core_forget(void)
{
    for (size_t i = 0; i < table_size; i++)
        free(table[i]);
    free(table);
    table = NULL;
    n_entries = table_size = 0;
}
