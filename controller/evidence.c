/* The parts of the evidence, side by side; then the grant. */
#include "controller/evidence.h"

#include "azure/limiter.h"
#include "azure/locks.h"
#include "azure/metrics.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/evidence_private.h"

#include <stdatomic.h>

/* A failure that says something about this part and not about the moment. */
static bool belongs_to_part(const struct err *err)
{
    switch (err->kind) {
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND:
    case ERR_INVALID:
    case ERR_PROTOCOL:
    case ERR_TOO_LARGE:
        return true;
    default:
        return false;
    }
}

/* Notes a failed look in its part; -1, with *err, when the whole gathering fails. */
static int note(enum cmk_seen *seen, struct err *part, const struct err *failed, struct err *err)
{
    if (!belongs_to_part(failed)) {
        if (err)
            *err = *failed;
        return -1;
    }
    *seen = failed->kind == ERR_NOT_FOUND ? CMK_ABSENT : CMK_UNSEEN;
    *part = *failed;
    return 0;
}

/* --- vault, key, access --- */

static enum cmk_firewall firewall_of(const struct vault *vault)
{
    if (vault->not_public)
        return CMK_FIREWALL_PRIVATE;
    if (!vault->default_deny || vault->trusted_bypass)
        return CMK_FIREWALL_OPEN;
    return vault->n_rules ? CMK_FIREWALL_RULES : CMK_FIREWALL_CLOSED;
}

static void take_vault(struct cmk_vault_evidence *to, const struct vault *from)
{
    to->seen = CMK_SEEN;
    to->id = xstrdup(from->id);
    to->managed_hsm = from->managed_hsm;
    to->soft_delete = from->soft_delete;
    to->purge_protection = from->purge_protection;
    to->rbac = from->rbac;
    to->firewall = firewall_of(from);
}

static int gather_key(
    const struct evidence_search *search, const struct vault *vault, struct cmk_key_evidence *to, struct err *err)
{
    _cleanup_(vault_key_done) struct vault_key key = {0};
    struct err failed = ERR_INIT;

    if (vault->managed_hsm) {
        to->seen = CMK_UNSEEN;
        (void)err_set(&to->error, ERR_INVALID,
            "Azure Resource Manager does not show the keys of a managed HSM; make sure that the key is RSA-HSM, "
            "enabled, and may wrap and unwrap");
        return 0;
    }
    if (vault_key_get(search->client, vault, evidence_key_name(search->spec), &key, &failed) < 0)
        return note(&to->seen, &to->error, &failed, err);
    to->seen = CMK_SEEN;
    to->enabled = key.enabled;
    to->not_before = key.not_before;
    to->expires = key.expires;
    to->type = TAKE_PTR(key.type);
    to->may_wrap = key.may_wrap;
    return 0;
}

static int gather_access(
    const struct evidence_search *search, const struct vault *vault, struct cmk_access_evidence *to, struct err *err)
{
    _cleanup_(authz_answer_done) struct authz_answer answer = {0};
    struct err failed = ERR_INIT;

    if (evidence_access(search, vault, to->principal_id, &answer, &failed) < 0) {
        /* Lists of assignments at a vault that is there are there as well, so 404 says no more than that. */
        if (failed.kind == ERR_NOT_FOUND)
            failed.kind = ERR_PROTOCOL;
        return note(&to->seen, &to->error, &failed, err);
    }
    to->seen = CMK_SEEN;
    to->get = answer.given & EVIDENCE_GET;
    to->wrap = answer.given & EVIDENCE_WRAP;
    to->unwrap = answer.given & EVIDENCE_UNWRAP;
    to->conditional = answer.conditional != 0;
    to->deny = TAKE_PTR(answer.deny);
    return 0;
}

static int gather_vault(const struct evidence_search *search, struct cmk_evidence *to, struct err *err)
{
    struct cmk_access_evidence *access = &to->access;
    _cleanup_(vault_done) struct vault vault = {0};
    struct err failed = ERR_INIT;

    if (evidence_principal(search, &access->principal_id, &failed) < 0 &&
        note(&access->seen, &access->error, &failed, err) < 0)
        return -1;
    failed = ERR_INIT;
    if (evidence_vault(search, access->principal_id, &vault, &failed) < 0)
        return note(&to->vault.seen, &to->vault.error, &failed, err);
    take_vault(&to->vault, &vault);
    if (gather_key(search, &vault, &to->key, err) < 0)
        return -1;
    return access->principal_id ? gather_access(search, &vault, access, err) : 0;
}

/* --- the account's surroundings --- */

static int gather_lock(const struct evidence_search *search, struct cmk_lock_evidence *to, struct err *err)
{
    _cleanup_(azure_lock_done) struct azure_lock lock = {0};
    struct err failed = ERR_INIT;

    if (locks_find_read_only(search->client, search->account_id, &lock, &failed) < 0) {
        /* No list of locks is no list without locks. */
        if (failed.kind == ERR_NOT_FOUND)
            failed.kind = ERR_PROTOCOL;
        return note(&to->seen, &to->error, &failed, err);
    }
    to->seen = lock.name ? CMK_SEEN : CMK_ABSENT;
    to->name = TAKE_PTR(lock.name);
    to->scope = TAKE_PTR(lock.scope);
    return 0;
}

/* Only ever a warning: an outage of Azure Monitor must not hold anything up. Our own pacing is no outage. */
static int gather_throughput(const struct evidence_search *search, struct cmk_throughput_evidence *to, struct err *err)
{
    _cleanup_(metrics_peak_done) struct metrics_peak peak = {0};

    if (metrics_ru_peak(search->client, search->account_id, clock_wall_ms(), &peak, &to->error) < 0) {
        to->seen = CMK_UNSEEN;
        if (!str_eq(to->error.code, LIMITER_CODE))
            return 0;
        if (err)
            *err = to->error;
        return -1;
    }
    to->seen = peak.known ? CMK_SEEN : CMK_ABSENT;
    to->max_percent = peak.percent;
    to->container = TAKE_PTR(peak.container);
    return 0;
}

/* --- the parts side by side --- */

static int gather_lock_part(const struct evidence_search *search, struct cmk_evidence *to, struct err *err)
{
    return gather_lock(search, &to->lock, err);
}

static int gather_throughput_part(const struct evidence_search *search, struct cmk_evidence *to, struct err *err)
{
    return gather_throughput(search, &to->throughput, err);
}

/* A part of the evidence as a job. */
struct look {
    int (*gather)(const struct evidence_search *search, struct cmk_evidence *to, struct err *err);
    const struct evidence_search *search;
    struct cmk_evidence *evidence; /* each look writes to a part of its own */
    atomic_bool *failed;           /* of all looks: another has failed the whole */
    struct err err;                /* of kind ERR_NONE: it is done, or was not begun */
};

static void look_at(void *ctx)
{
    struct look *look = ctx;

    if (!atomic_load(look->failed) && look->gather(look->search, look->evidence, &look->err) < 0)
        atomic_store(look->failed, true);
}

static int gather_parts(const struct evidence_search *search, struct cmk_evidence *evidence, struct err *err)
{
    void (*together)(const struct job *jobs, size_t n) = search->options->together;
    bool vault = search->spec->check_key_vault != CMK_CHECK_SKIP || search->spec->key_vault_access == CMK_ACCESS_GRANT;
    atomic_bool failed = false;
    struct look looks[] = {{gather_vault}, {gather_lock_part}, {gather_throughput_part}};
    struct job jobs[ARRAY_LEN(looks)];
    size_t first = vault ? 0 : 1;

    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        looks[i] = (struct look){looks[i].gather, search, evidence, &failed, ERR_INIT};
        jobs[i] = (struct job){look_at, &looks[i]};
    }
    (together ? together : run_in_order)(jobs + first, ARRAY_LEN(jobs) - first);
    for (size_t i = first; i < ARRAY_LEN(looks); i++) {
        if (looks[i].err.kind == ERR_NONE)
            continue;
        if (err)
            *err = looks[i].err;
        return -1;
    }
    return 0;
}

int evidence_gather(struct arm_client *client, const struct evidence_options *options, const char *account_id,
    const struct cmk_spec *spec, const struct cmk_account *account, struct cmk_evidence *ret, struct err *err)
{
    _cleanup_(cmk_evidence_done) struct cmk_evidence evidence = {.gathered = true};
    _cleanup_(arm_id_done) struct arm_id id = {0};
    const struct evidence_search search = {
        .client = client, .options = options, .account_id = &id, .spec = spec, .account = account};

    *ret = (struct cmk_evidence){0};
    if (arm_id_parse(&id, account_id, err) < 0 || gather_parts(&search, &evidence, err) < 0)
        return -1;
    *ret = evidence;
    evidence = (struct cmk_evidence){0};
    return 0;
}

/* --- granting --- */

static int grant(const struct evidence_search *search, struct err *err)
{
    _cleanup_(freep) char *principal = NULL;
    _cleanup_(vault_done) struct vault vault = {0};
    _cleanup_(authz_answer_done) struct authz_answer answer = {0};

    if (evidence_principal(search, &principal, err) < 0 || evidence_vault(search, principal, &vault, err) < 0 ||
        evidence_access(search, &vault, principal, &answer, err) < 0)
        return -1;
    if ((answer.given & EVIDENCE_ALL) == EVIDENCE_ALL)
        return 0;
    int r = vault.rbac ? authz_assign(search->client, vault.id, principal, AUTHZ_ROLE_CRYPTO_SERVICE, err)
                       : vault_policy_add(search->client, &vault, principal, err);
    return r < 0 ? -1 : 1;
}

int evidence_grant(struct arm_client *client, const struct evidence_options *options, const char *account_id,
    const struct cmk_spec *spec, const struct cmk_account *account, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    const struct evidence_search search = {
        .client = client, .options = options, .account_id = &id, .spec = spec, .account = account};

    if (arm_id_parse(&id, account_id, err) < 0)
        return -1;
    int r = grant(&search, err);
    return r < 0 ? err_wrap(err, "cannot grant access to the key") : r;
}
