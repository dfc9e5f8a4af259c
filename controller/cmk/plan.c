#include "cmk/plan.h"

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"

#include <string.h>

static bool has_user_identity(const struct cmk_account *account, const char *id)
{
    for (size_t i = 0; i < account->n_user_identities; i++)
        if (str_eq_nocase(account->user_identities[i], id))
            return true;
    return false;
}

static bool is_attached(const char *identity, const struct cmk_account *account)
{
    const char *user = cmk_user_identity_of(identity);

    if (cmk_identity_is_first_party(identity))
        return true;
    if (user)
        return has_user_identity(account, user);
    return account->identity_type && str_find_nocase(account->identity_type, "SystemAssigned");
}

const char *cmk_step_target(enum cmk_step_type type, const struct cmk_spec *spec)
{
    return type == CMK_ENABLE_KEY || type == CMK_GRANT_KEY_ACCESS ? spec->key_uri : spec->default_identity;
}

/* The identity is known to have what Azure Cosmos DB needs. What could not be seen does not count. */
static bool has_access(const struct cmk_evidence *evidence)
{
    const struct cmk_access_evidence *access = evidence ? &evidence->access : NULL;

    return access && access->seen == CMK_SEEN && access->get && access->wrap && access->unwrap;
}

bool cmk_step_shows(enum cmk_step_type type, const char *target, const struct cmk_plan_input *in)
{
    switch (type) {
    case CMK_ATTACH_IDENTITY:
        return str_empty(target) || is_attached(target, in->account);
    case CMK_GRANT_KEY_ACCESS:
        return has_access(in->evidence);
    case CMK_SET_DEFAULT_IDENTITY:
        return str_empty(target) || cmk_same_identity(target, in->account->default_identity);
    case CMK_ENABLE_KEY:
        return cmk_same_key(target, in->account->key_uri);
    case CMK_NO_STEP:
        break;
    }
    return true;
}

/* Only a lack that was seen is made good: what cannot be seen is not touched. */
static bool wants_grant(const struct cmk_plan_input *in)
{
    return in->spec->key_vault_access == CMK_ACCESS_GRANT && in->evidence && in->evidence->access.seen == CMK_SEEN &&
           !has_access(in->evidence);
}

static bool is_needed(enum cmk_step_type type, const struct cmk_plan_input *in)
{
    return type == CMK_GRANT_KEY_ACCESS ? wants_grant(in) : !cmk_step_shows(type, cmk_step_target(type, in->spec), in);
}

static size_t remaining(enum cmk_step_type *ret, const struct cmk_plan_input *in)
{
    static const enum cmk_step_type order[] = {
        CMK_ATTACH_IDENTITY, CMK_GRANT_KEY_ACCESS, CMK_SET_DEFAULT_IDENTITY, CMK_ENABLE_KEY};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (is_needed(order[i], in))
            ret[n++] = order[i];
    return n == 1 && ret[0] == CMK_GRANT_KEY_ACCESS ? 0 : n;
}

enum cmk_step_type cmk_plan_next(const struct cmk_plan_input *in)
{
    enum cmk_step_type steps[CMK_MAX_STEPS];

    return remaining(steps, in) ? steps[0] : CMK_NO_STEP;
}

static void hash_plan(
    char *ret, const struct cmk_spec *spec, const char *old_key, const enum cmk_step_type *steps, size_t n)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(16384);
    char hex[DIGEST_HEX_SIZE];
    _cleanup_(freep) char *account = cmk_account_key(spec->account_id);

    buf_printf(&text, "cosmoscmk plan 1\naccount %s\nfrom %s\nto %s\nidentity %s\n", account,
        str_empty(old_key) ? "-" : old_key, spec->key_uri,
        str_empty(spec->default_identity) ? "-" : spec->default_identity);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "step %s\n", cmk_step_type_name(steps[i]));
    digest_sha256_hex(buf_str(&text), text.len, hex);
    memcpy(ret, hex, CMK_PLAN_HASH_SIZE - 1);
    ret[CMK_PLAN_HASH_SIZE - 1] = '\0';
}

static bool is_tail(const enum cmk_step_type *steps, size_t n, const struct cmk_plan *whole)
{
    return n <= whole->n && memcmp(steps, whole->steps + whole->n - n, n * sizeof(*steps)) == 0;
}

void cmk_plan_make(struct cmk_plan *ret, const struct cmk_plan_input *in, const struct cmk_plan *before)
{
    struct cmk_plan plan = {0};
    char again[CMK_PLAN_HASH_SIZE];

    plan.n = remaining(plan.steps, in);
    if (plan.n == 0) {
        *ret = plan;
        return;
    }
    if (before->n > 0 && is_tail(plan.steps, plan.n, before)) {
        hash_plan(again, in->spec, in->account->key_uri, before->steps, before->n);
        if (strcmp(again, before->hash) == 0) {
            *ret = *before;
            return;
        }
    }
    hash_plan(plan.hash, in->spec, in->account->key_uri, plan.steps, plan.n);
    *ret = plan;
}
