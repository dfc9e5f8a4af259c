/* The chain, and the checks about the account itself.
 *
 * Sources: Microsoft's page "Configure customer-managed keys for your existing Azure Cosmos DB account", its
 * limitations and prerequisites; texts of the resource provider. */
#include "cmk/preflight_checks.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/spec.h"

#include <stdarg.h>

/* Encryption lives on spare request units; from here on there is little room. */
#define BUSY_PERCENT 70
#define MESSAGE_MAX 4000 /* the CRD allows 4096 */

/* An account that was created with a key may change to another, whatever its API. */
const char *cmk_account_unsupported(const struct cmk_account *account)
{
    if (!str_empty(account->key_uri))
        return NULL;
    if (account->cassandra)
        return "the account uses the API for Cassandra, and Azure cannot enable customer-managed keys on an existing "
               "account of that API; create a new account with the key and move the data";
    if (account->vector_search)
        return "the account has the capability EnableNoSQLVectorSearch, with which Azure cannot enable "
               "customer-managed "
               "keys on an existing account; create a new account with the key and move the data";
    return NULL;
}

struct cmk_check cmk_verdict(enum cmk_check_result result, const char *format, ...)
{
    struct buf text = BUF_INIT(16384);
    struct cmk_check check = {.result = result};
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    check.message = buf_take(&text);
    cmk_cut(check.message, MESSAGE_MAX);
    return check;
}

const char *cmk_wanted_identity(const struct check_input *in)
{
    return str_empty(in->spec->default_identity) ? in->account->default_identity : in->spec->default_identity;
}

/* --- the account --- */

static struct cmk_check check_online(const struct check_input *in)
{
    const char *state = in->account->provisioning_state;

    if (str_empty(state) || str_eq_nocase(state, "Succeeded"))
        return cmk_verdict(CMK_PASSED, "the account exists and is online");
    return cmk_verdict(
        CMK_WARNING, "the account's provisioningState is %s; Azure accepts no change until it is Succeeded", state);
}

static struct cmk_check check_api(const struct check_input *in)
{
    const char *reason = cmk_account_unsupported(in->account);

    return reason ? cmk_verdict(CMK_CHECK_FAILED, "%s", reason)
                  : cmk_verdict(CMK_PASSED, "the account's API and capabilities allow it");
}

static struct cmk_check check_features(const struct check_input *in)
{
    if (in->account->materialized_views)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the account has materialized views, with which Azure has refused customer-managed keys on "
            "existing accounts; switch them off first");
    if (in->account->full_fidelity_change_feed)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the account has the all-versions-and-deletes change feed, which cannot be combined with "
            "customer-managed keys; switch it off first");
    return cmk_verdict(CMK_CHECK_UNKNOWN,
        "Azure's stable API does not show materialized views or the all-versions-and-deletes change "
        "feed; make sure that the account uses neither");
}

static struct cmk_check check_identity(const struct check_input *in)
{
    bool continuous = str_eq_nocase(in->account->backup_policy, "Continuous");

    if ((!continuous && !in->account->analytical_storage) || !cmk_identity_is_first_party(cmk_wanted_identity(in)))
        return cmk_verdict(CMK_PASSED, "the default identity fits the account");
    return cmk_verdict(CMK_CHECK_FAILED,
        "the account has %s, which needs a managed identity as default identity before the key; set "
        "spec.defaultIdentity to UserAssignedIdentity=ID of an identity that may get, wrap and unwrap the key",
        continuous ? "continuous backup" : "analytical store");
}

static struct cmk_check check_lock(const struct check_input *in)
{
    const struct cmk_lock_evidence *lock = &in->evidence->lock;

    if (lock->seen == CMK_ABSENT)
        return cmk_verdict(CMK_PASSED, "no ReadOnly lock is on the account or above it");
    if (lock->seen == CMK_SEEN)
        return cmk_verdict(CMK_CHECK_FAILED,
            "the ReadOnly lock %s on %s forbids changes to the account; remove it until the account is encrypted",
            lock->name, lock->scope);
    return cmk_verdict(
        CMK_CHECK_UNKNOWN, "%s", lock->error.msg[0] ? lock->error.msg : "resource locks could not be looked at");
}

static struct cmk_check check_throughput(const struct check_input *in)
{
    const struct cmk_throughput_evidence *t = &in->evidence->throughput;

    if (t->seen == CMK_ABSENT)
        return cmk_verdict(CMK_CHECK_UNKNOWN,
            "Azure Monitor has no value of the normalised RU consumption for the last hour; make sure that there are "
            "request units to spare");
    if (t->seen != CMK_SEEN)
        return cmk_verdict(CMK_CHECK_UNKNOWN, "%s",
            t->error.msg[0] ? t->error.msg : "the normalised RU consumption could not be read");
    if (t->max_percent < BUSY_PERCENT)
        return cmk_verdict(
            CMK_PASSED, "the normalised RU consumption was at most %d%% in the last hour", t->max_percent);
    return cmk_verdict(CMK_WARNING,
        "the normalised RU consumption%s%s reached %d%% in the last hour; encryption runs on spare request units and "
        "throughput often cannot be changed once it has begun, so raise it beforehand or choose quieter hours",
        t->container ? " of the container " : "", t->container ? t->container : "", t->max_percent);
}

static struct cmk_check check_document_ids(const struct check_input *in)
{
    const struct cmk_scan_evidence *scan = &in->evidence->scan;

    if (in->spec->document_ids == CMK_IDS_SKIP)
        return cmk_verdict(CMK_SKIPPED,
            "the data was not searched for document ids over 990 bytes; Azure searches it itself before it "
            "encrypts, and stops when it finds one");
    switch (scan->state) {
    case CMK_SCAN_CLEAN:
        return cmk_verdict(
            CMK_PASSED, "no document id is over 990 bytes, in %lld containers", (long long)scan->containers_done);
    case CMK_SCAN_FOUND:
        return cmk_verdict(CMK_CHECK_FAILED,
            "%lld document ids are over 990 bytes%s%s; give these documents shorter ids; the controller's log names "
            "the first 20",
            (long long)scan->offenders, scan->first_offender ? ", the first one " : "",
            scan->first_offender ? scan->first_offender : "");
    case CMK_SCAN_RUNNING:
        if (scan->containers == 0)
            break;
        return cmk_verdict(CMK_CHECK_UNKNOWN,
            "the search for document ids over 990 bytes runs: %lld of %lld containers, %lld of %lld partition key "
            "ranges are done",
            (long long)scan->containers_done, (long long)scan->containers, (long long)scan->ranges_done,
            (long long)scan->ranges);
    case CMK_SCAN_FAILED:
        return cmk_verdict(CMK_CHECK_UNKNOWN, "the data could not be searched for document ids over 990 bytes: %s",
            scan->error.msg[0] ? scan->error.msg : "no reason is known");
    case CMK_SCAN_NONE:
        break;
    }
    return cmk_verdict(CMK_CHECK_UNKNOWN, "the search for document ids over 990 bytes is about to begin");
}

/* --- the chain --- */

enum needs {
    NEEDS_NOTHING,  /* but the account */
    NEEDS_EVIDENCE, /* gathered */
    NEEDS_VAULT,    /* gathered, and spec.preflight.keyVault decides */
};

static const struct {
    const char *name;
    enum needs needs;
    struct cmk_check (*check)(const struct check_input *);
} chain[] = {
    {"AccountOnline", NEEDS_NOTHING, check_online},
    {"ApiSupported", NEEDS_NOTHING, check_api},
    {"Features", NEEDS_NOTHING, check_features},
    {"DefaultIdentity", NEEDS_NOTHING, check_identity},
    {"Vault", NEEDS_VAULT, cmk_check_vault},
    {"SoftDelete", NEEDS_VAULT, cmk_check_soft_delete},
    {"PurgeProtection", NEEDS_VAULT, cmk_check_purge_protection},
    {"Firewall", NEEDS_VAULT, cmk_check_firewall},
    {"Key", NEEDS_VAULT, cmk_check_key},
    {"KeyType", NEEDS_VAULT, cmk_check_key_type},
    {"KeyAccess", NEEDS_VAULT, cmk_check_key_access},
    {"ResourceLock", NEEDS_EVIDENCE, check_lock},
    {"Throughput", NEEDS_EVIDENCE, check_throughput},
    {"DocumentIds", NEEDS_NOTHING, check_document_ids},
};
_Static_assert(ARRAY_LEN(chain) <= CMK_MAX_CHECKS, "status has no room for so many checks");

/* Access that is to be granted is a demand: whether it can be granted is looked at whatever else is skipped. */
static bool is_skipped(size_t i, const struct check_input *in)
{
    bool grants = chain[i].check == cmk_check_key_access && in->spec->key_vault_access == CMK_ACCESS_GRANT;

    return chain[i].needs == NEEDS_VAULT && in->spec->check_key_vault == CMK_CHECK_SKIP && !grants;
}

static struct cmk_check run(size_t i, const struct check_input *in)
{
    if (is_skipped(i, in))
        return cmk_verdict(CMK_SKIPPED, "spec.preflight.keyVault is Skip");
    if (chain[i].needs != NEEDS_NOTHING && !in->evidence->gathered)
        return cmk_verdict(CMK_SKIPPED, "not looked at, because another check failed");
    struct cmk_check check = chain[i].check(in);
    if (chain[i].needs == NEEDS_VAULT && in->spec->check_key_vault == CMK_CHECK_WARN &&
        check.result == CMK_CHECK_FAILED)
        check.result = CMK_WARNING;
    return check;
}

size_t cmk_preflight(struct cmk_check *ret, const struct cmk_spec *spec, const struct cmk_account *account,
    const struct cmk_evidence *evidence, int64_t now)
{
    const struct check_input in = {.spec = spec, .account = account, .evidence = evidence, .now = now};

    for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
        ret[i] = run(i, &in);
        ret[i].name = xstrdup(chain[i].name);
    }
    return ARRAY_LEN(chain);
}

const struct cmk_check *cmk_first_failed(const struct cmk_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (checks[i].result == CMK_CHECK_FAILED)
            return &checks[i];
    return NULL;
}

void cmk_checks_done(struct cmk_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(checks[i].name);
        free(checks[i].message);
    }
}
