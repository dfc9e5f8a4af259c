/* Statuses by number. Each is a real struct cmk_status in a canonical form: times are ages capped where no rule can
 * tell them apart, what no rule reads is left out, and the list of checks is folded into one digest. Two statuses have
 * one number if and only if cmk_status_equal() would call them equal, a unit of time being too short for any text. */
#include "base/buf.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"
#include "model/model.h"

#include <string.h>

#define CAP_SETTLE MODEL_UNIT_SETTLE
#define CAP_RETRY 4
#define CAP_STARTED 2

const char *const model_keys[] = {NULL, "https://v01.vault.azure.net/keys/first",
    "https://v01.vault.azure.net/keys/second", "https://v01.vault.azure.net/keys/foreign"};

static struct model_status *all;
static size_t n_all, room;
static struct map numbers;
static char *hashes[256];
static size_t n_hashes;

uint8_t model_age(int64_t time, int64_t cap)
{
    int64_t age = MODEL_NOW - time;

    return time == 0 ? 0 : (uint8_t)((age < cap ? age : cap) + 1);
}

int64_t model_time(uint8_t age)
{
    return age ? MODEL_NOW - age + 1 : 0;
}

static int64_t capped(int64_t time, int64_t cap)
{
    return model_time(model_age(time, cap));
}

static uint8_t hash_number(const char *hash)
{
    if (!hash[0])
        return 0;
    for (size_t i = 1; i <= n_hashes; i++)
        if (strcmp(hashes[i], hash) == 0)
            return (uint8_t)i;
    hashes[++n_hashes] = xstrdup(hash);
    return (uint8_t)n_hashes;
}

const char *model_hash_text(uint8_t id)
{
    return hashes[id];
}

static void canonical_operation(struct cmk_operation *op)
{
    bool open = cmk_operation_open(op);

    /* Of an ended one only the end is counted from. */
    op->requested_at = capped(open ? op->requested_at : op->requested_at ? 1 : 0, CAP_SETTLE);
    op->started_at = capped(open ? op->started_at : op->started_at ? 1 : 0, CAP_STARTED);
    op->completed_at = capped(op->completed_at, str_eq(op->state, CMK_SUCCEEDED) ? 0 : CAP_RETRY);
    op->last_observed_at = 0;
}

static void fold_checks(struct cmk_status *status)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);
    char hex[DIGEST_HEX_SIZE];

    if (status->n_checks == 0 || (status->n_checks == 1 && !status->checks[0].message))
        return;
    for (size_t i = 0; i < status->n_checks; i++) {
        struct cmk_check *c = &status->checks[i];
        buf_printf(&text, "%s %d %s\n", c->name, (int)c->result, c->message);
        free(c->name);
        free(c->message);
        *c = (struct cmk_check){0};
    }
    digest_sha256_hex(buf_str(&text), text.len, hex);
    status->checks[0].name = xstrdup(hex);
    status->n_checks = 1;
}

static void canonical(struct cmk_status *status)
{
    canonical_operation(&status->operation);
    fold_checks(status);
    status->account.observed_at = 0;
    status->encrypted_at = status->encrypted_at ? MODEL_NOW : 0;
    for (size_t i = 0; i < status->n_conditions; i++)
        status->conditions[i].last_transition = 0;
}

static const char *text(const char *s)
{
    return s ? s : "";
}

static void write_operation(struct buf *b, const struct cmk_operation *op)
{
    buf_printf(b, "op %d %s %s %s %s %s %s %s", (int)op->type, text(op->state), text(op->status_url),
        text(op->correlation_id), text(op->target), text(op->previous_key_uri), text(op->error_code),
        text(op->error_message));
    buf_printf(b, " %lld %lld %lld %lld\n", (long long)op->requested_at, (long long)op->started_at,
        (long long)op->completed_at, (long long)op->attempts);
}

static void write_rest(struct buf *b, const struct cmk_status *s)
{
    const struct cmk_account *a = &s->account;

    buf_printf(b, "%lld %d %s %s %s %s %s\n", (long long)s->observed_generation, s->has_account, text(a->key_uri),
        text(a->provisioning_state), text(a->cmk_status), text(a->default_identity), text(a->backup_policy));
    buf_printf(b, "plan %s %zu", s->plan.hash, s->plan.n);
    for (size_t i = 0; i < s->plan.n; i++)
        buf_printf(b, " %d", (int)s->plan.steps[i]);
    buf_printf(b, "\n%s %d %s %s\n", s->n_checks ? s->checks[0].name : "", s->encrypted_at != 0,
        text(s->encrypted_key_uri), text(s->last_handled_reconcile_at));
}

static void serialize(struct buf *b, const struct cmk_status *s)
{
    write_operation(b, &s->operation);
    write_rest(b, s);
    for (size_t i = 0; i < s->n_conditions; i++) {
        const struct cmk_condition *c = &s->conditions[i];
        buf_printf(
            b, "%s %d %lld %s %s\n", c->type, (int)c->status, (long long)c->observed_generation, c->reason, c->message);
    }
}

static void describe(struct model_status *m)
{
    const struct cmk_operation *op = &m->status.operation;

    m->type = (uint8_t)op->type;
    m->open = cmk_operation_open(op);
    m->requested = op->type != CMK_NO_STEP && str_eq(op->state, CMK_REQUESTED);
    m->ended_well = str_eq(op->state, CMK_SUCCEEDED);
    for (uint8_t k = KEY_FIRST; k <= KEY_FOREIGN; k++)
        if (str_eq(op->target, model_keys[k]))
            m->key = k;
    m->sender = op->correlation_id ? (uint8_t)(op->correlation_id[0] - 'a') : 0;
    m->url = op->status_url ? (uint8_t)(op->status_url[strlen(op->status_url) - 1] - 'a' + 1) : 0;
    m->hash = hash_number(m->status.plan.hash);
    for (size_t i = 0; i < m->status.n_conditions; i++)
        if (str_eq(m->status.conditions[i].type, "Ready")) {
            m->ready = (uint8_t)m->status.conditions[i].status;
            m->reason = m->status.conditions[i].reason;
        }
}

static uint32_t add(struct cmk_status *status)
{
    if (n_all + 1 >= room) {
        room = room ? 2 * room : 1024;
        all = xrealloc(all, room * sizeof(*all));
    }
    all[++n_all] = (struct model_status){.status = *status};
    describe(&all[n_all]);
    return (uint32_t)n_all;
}

uint32_t model_status_intern(struct cmk_status *status)
{
    _cleanup_(buf_done) struct buf key = BUF_INIT(1 << 20);
    char hex[DIGEST_HEX_SIZE];

    canonical(status);
    serialize(&key, status);
    digest_sha256_hex(buf_str(&key), key.len, hex);
    uintptr_t number = (uintptr_t)map_get(&numbers, hex);
    if (number) {
        cmk_status_done(status);
        return (uint32_t)number;
    }
    number = add(status);
    *status = (struct cmk_status){0};
    (void)map_set(&numbers, hex, (void *)number); // NOLINT(performance-no-int-to-ptr): a number in a map of pointers
    return (uint32_t)number;
}

const struct model_status *model_status(uint32_t id)
{
    return &all[id];
}

static void age(int64_t *time)
{
    if (*time)
        --*time;
}

uint32_t model_status_older(uint32_t id)
{
    struct cmk_status older;

    if (all[id].older)
        return all[id].older;
    cmk_status_copy(&older, &all[id].status);
    age(&older.operation.requested_at);
    age(&older.operation.started_at);
    age(&older.operation.completed_at);
    uint32_t number = model_status_intern(&older);
    all[id].older = number;
    return number;
}

uint32_t model_status_with_operation(uint32_t id, uint32_t of)
{
    struct cmk_status merged, other;

    cmk_status_copy(&merged, &all[id].status);
    cmk_status_copy(&other, &all[of].status);
    struct cmk_operation old = merged.operation;
    merged.operation = other.operation;
    other.operation = old;
    cmk_status_done(&other);
    return model_status_intern(&merged);
}

size_t model_status_count(void)
{
    return n_all;
}

void model_status_forget(void)
{
    for (size_t i = 1; i <= n_all; i++)
        cmk_status_done(&all[i].status);
    for (size_t i = 1; i <= n_hashes; i++)
        free(hashes[i]);
    free(all);
    map_done(&numbers);
    all = NULL;
    n_all = room = n_hashes = 0;
    numbers = MAP_INIT;
}
