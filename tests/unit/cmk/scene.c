#include "scene.h"

#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/plan.h"

#include <string.h>

static int64_t span(const char *text)
{
    int64_t ms = 0;

    if (!duration_parse(text, &ms))
        fail_msg("%s is no duration", text);
    return ms;
}

static struct cmk_spec *spec_of(struct scene *s)
{
    return &s->resource.spec;
}

static struct cmk_operation *op_of(struct scene *s)
{
    return &s->view.status.operation;
}

/* ---- the resource ---- */

static void w_deleting(struct scene *s, const char *v _unused_)
{
    s->resource.deleting = true;
}

static void w_invalid(struct scene *s, const char *v _unused_)
{
    str_replace(&spec_of(s)->key_uri, "http://contoso");
}

static void w_unsupported(struct scene *s, const char *v _unused_)
{
    spec_of(s)->priority = 1;
}

static void w_suspended(struct scene *s, const char *v _unused_)
{
    spec_of(s)->suspend = true;
}

static void w_observe(struct scene *s, const char *v _unused_)
{
    spec_of(s)->mode = CMK_OBSERVE;
}

static void w_manual(struct scene *s, const char *v _unused_)
{
    spec_of(s)->approval = CMK_MANUAL;
}

static void w_approved(struct scene *s, const char *v)
{
    if (v)
        str_replace(&spec_of(s)->approved_plan, v);
    s->approved = !v;
}

static void w_report(struct scene *s, const char *v _unused_)
{
    spec_of(s)->drift = CMK_DRIFT_REPORT;
}

static void w_key(struct scene *s, const char *v)
{
    str_replace(&spec_of(s)->key_uri, v);
}

static void w_identity(struct scene *s, const char *v)
{
    str_replace(&spec_of(s)->default_identity, v ? v : IDENTITY);
}

static void w_generation(struct scene *s, const char *v _unused_)
{
    s->resource.generation++;
}

static void w_asked(struct scene *s, const char *v)
{
    str_replace(&s->resource.reconcile_requested_at, v ? v : "now");
}

static void w_handled(struct scene *s, const char *v)
{
    str_replace(&s->view.status.last_handled_reconcile_at, v ? v : "now");
}

static void w_owner(struct scene *s, const char *v _unused_)
{
    s->view.owner = "payments/older";
}

/* The status is about an account of that name. */
static void w_knows(struct scene *s, const char *v)
{
    s->view.status.has_account = true;
    str_replace(&s->view.status.account.name, v);
}

/* open: Saturday noon is in it; closed: it opens on Sunday at 01:00; never: no day; unknown: no such zone. */
static void w_window(struct scene *s, const char *v)
{
    struct cmk_window *w = &spec_of(s)->window;

    w->present = true;
    str_replace(&w->time_zone, "UTC");
    w->n_periods = 1;
    w->periods[0] = (struct cmk_period){.days = 1U << 5, .start_s = 11 * 3600, .length_ms = 4 * HOUR};
    if (strcmp(v, "closed") == 0)
        w->periods[0] = (struct cmk_period){.days = 1U << 6, .start_s = 3600, .length_ms = 4 * HOUR};
    if (strcmp(v, "soon") == 0)
        w->periods[0].start_s = 12 * 3600 + 300;
    if (strcmp(v, "never") == 0)
        w->periods[0].days = 0;
    if (strcmp(v, "unknown") == 0)
        (void)err_set(&s->view.zone_err, ERR_NOT_FOUND, "there is no zone Europe/Atlantis");
    else
        s->view.zone = tz_utc();
}

/* ---- the account ---- */

/* All is well with vault, key and access. */
static void good_evidence(struct scene *s)
{
    struct cmk_evidence *e = &s->view.evidence;

    cmk_evidence_done(e);
    s->view.evidence_fact = CMK_KNOWN;
    e->gathered = true;
    e->vault = (struct cmk_vault_evidence){.seen = CMK_SEEN, .soft_delete = true, .purge_protection = true};
    e->key = (struct cmk_key_evidence){.seen = CMK_SEEN, .enabled = true, .may_wrap = true};
    str_replace(&e->key.type, "RSA");
    e->access = (struct cmk_access_evidence){.seen = CMK_SEEN, .get = true, .wrap = true, .unwrap = true};
    e->lock.seen = CMK_ABSENT;
    e->throughput.seen = CMK_ABSENT;
}

static void w_account(struct scene *s, const char *v _unused_)
{
    struct cmk_account *a = &s->view.account;

    s->view.account_fact = CMK_KNOWN;
    a->observed_at = NOW;
    s->view.looked_at = UPTIME;
    str_replace(&a->name, "orders");
    str_replace(&a->provisioning_state, "Succeeded");
    str_replace(&a->identity_type, "None");
    good_evidence(s);
    s->view.culprit_fact = CMK_KNOWN;
}

static void w_unread(struct scene *s, const char *v _unused_)
{
    s->view.account_fact = CMK_UNREAD;
}

/* The look at the account began so long ago. */
static void w_seen(struct scene *s, const char *v)
{
    s->view.looked_at = UPTIME - span(v);
}

static void w_state(struct scene *s, const char *v)
{
    str_replace(&s->view.account.provisioning_state, v);
}

static void w_busy(struct scene *s, const char *v _unused_)
{
    w_state(s, "Updating");
}

static void w_has_key(struct scene *s, const char *v)
{
    str_replace(&s->view.account.key_uri, v ? v : KEY);
}

static void w_revoked(struct scene *s, const char *v _unused_)
{
    str_replace(&s->view.account.cmk_status, REVOKED);
}

static void w_confirmed(struct scene *s, const char *v _unused_)
{
    str_replace(&s->view.account.cmk_status, CONFIRMED);
}

static void w_attached(struct scene *s, const char *v _unused_)
{
    struct cmk_account *a = &s->view.account;

    str_replace(&a->identity_type, "UserAssigned");
    a->user_identities = xcalloc(1, sizeof(*a->user_identities));
    a->user_identities[a->n_user_identities++] = xstrdup(USER_ID);
}

static void w_default(struct scene *s, const char *v)
{
    str_replace(&s->view.account.default_identity, v ? v : IDENTITY);
}

static void w_continuous(struct scene *s, const char *v _unused_)
{
    str_replace(&s->view.account.backup_policy, "Continuous");
}

static void w_cassandra(struct scene *s, const char *v _unused_)
{
    s->view.account.cassandra = true;
}

static enum err_kind kind_named(const char *name)
{
    for (int kind = ERR_NONE; kind <= ERR_INTERNAL; kind++)
        if (str_eq(err_kind_name((enum err_kind)kind), name))
            return (enum err_kind)kind;
    fail_msg("%s is no kind of error", name);
    return ERR_NONE;
}

static void w_account_error(struct scene *s, const char *v)
{
    s->view.account_fact = CMK_FAILED_TO_READ;
    (void)err_set(&s->view.account_err, kind_named(v), "the account went away");
    s->view.failing_since = NOW;
}

static void w_evidence(struct scene *s, const char *v)
{
    if (str_eq(v, "unread")) {
        s->view.evidence_fact = CMK_UNREAD;
        return;
    }
    s->view.evidence_fact = CMK_FAILED_TO_READ;
    (void)err_set(&s->view.evidence_err, kind_named(v), "the vault went away");
}

static void w_grant(struct scene *s, const char *v _unused_)
{
    spec_of(s)->key_vault_access = CMK_ACCESS_GRANT;
}

static void w_no_access(struct scene *s, const char *v _unused_)
{
    struct cmk_access_evidence *access = &s->view.evidence.access;

    access->get = access->wrap = access->unwrap = false;
}

static void w_no_key(struct scene *s, const char *v _unused_)
{
    s->view.evidence.key.seen = CMK_ABSENT;
}

static void w_locked(struct scene *s, const char *v _unused_)
{
    struct cmk_lock_evidence *lock = &s->view.evidence.lock;

    lock->seen = CMK_SEEN;
    str_replace(&lock->name, "audit");
    str_replace(&lock->scope, "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e");
}

static void w_scan(struct scene *s, const char *v)
{
    static const char *const states[] = {"none", "running", "clean", "found", "failed"};
    size_t i = 0;

    while (i < ARRAY_LEN(states) && !str_eq(v, states[i]))
        i++;
    spec_of(s)->document_ids = CMK_IDS_SCAN;
    s->view.evidence.scan.state = (enum cmk_scan_state)i;
    if (i == ARRAY_LEN(states)) { /* "interrupted" */
        s->view.evidence.scan.state = CMK_SCAN_FAILED;
        (void)err_set(&s->view.evidence.scan.error, ERR_UNAVAILABLE, "the gateway went away");
    }
}

static void w_culprit(struct scene *s, const char *v)
{
    s->view.culprit_fact = str_eq(v, "unread") ? CMK_UNREAD : CMK_KNOWN;
    (void)str_copy(s->view.culprit, sizeof(s->view.culprit), str_eq(v, "known") ? "by alice@contoso.com" : "");
}

/* The status already says who keeps the account busy. */
static void w_explained(struct scene *s, const char *v _unused_)
{
    struct cmk_condition *c = &s->view.status.conditions[s->view.status.n_conditions++];

    *c = (struct cmk_condition){.type = xstrdup("Ready"), .reason = xstrdup("AccountBusy"), .status = CMK_FALSE};
    c->message =
        xstrdup("The account's provisioningState is Updating because of an operation that was started elsewhere "
                "by bob@contoso.com; waiting for its end");
}

/* ---- the operation ---- */

static void w_op(struct scene *s, const char *v)
{
    struct cmk_operation *op = op_of(s);
    const char *state = strchr(v, ':') + 1;
    _cleanup_(freep) char *type = xstrndup(v, (size_t)(state - v - 1));

    op->type = cmk_step_type_parse(type);
    assert_int_not_equal(op->type, CMK_NO_STEP);
    str_replace(&op->state, state);
    str_replace(&op->target, op->type == CMK_ENABLE_KEY ? KEY : IDENTITY);
    op->attempts = 1;
    op->requested_at = NOW;
    op->started_at = str_eq(state, CMK_REQUESTED) ? 0 : NOW;
}

static void w_age(struct scene *s, const char *v)
{
    op_of(s)->requested_at = NOW - span(v);
    if (op_of(s)->started_at)
        op_of(s)->started_at = op_of(s)->requested_at;
}

static void w_ended(struct scene *s, const char *v)
{
    op_of(s)->completed_at = NOW - (v ? span(v) : 0);
}

static void w_attempts(struct scene *s, const char *v)
{
    assert_true(str_to_i64(v, 1, 100, &op_of(s)->attempts));
}

static void w_code(struct scene *s, const char *v)
{
    str_replace(&op_of(s)->error_code, v);
}

static void w_url(struct scene *s, const char *v _unused_)
{
    str_replace(&op_of(s)->status_url, "https://management.azure.com/operations/1");
}

static void w_polled(struct scene *s, const char *v)
{
    s->view.operation_fact = CMK_KNOWN;
    s->view.operation_read_at = NOW;
    str_replace(&op_of(s)->state, v);
}

static void w_read_ago(struct scene *s, const char *v)
{
    s->view.operation_read_at = NOW - span(v);
}

static void w_poll_failed(struct scene *s, const char *v)
{
    s->view.operation_fact = CMK_FAILED_TO_READ;
    s->view.operation_err = ERR_INIT;
    (void)err_set(&s->view.operation_err, v ? kind_named(v) : ERR_UNAVAILABLE, "the operation went away");
}

static void w_lost(struct scene *s, const char *v _unused_)
{
    s->view.operation_fact = CMK_FAILED_TO_READ;
    s->view.operation_lost = true;
}

static void w_quiet(struct scene *s, const char *v)
{
    s->view.quiet_since = UPTIME - span(v);
    s->view.quiet_record = op_of(s)->requested_at;
}

/* ---- the pass ---- */

static void w_no_lease(struct scene *s, const char *v _unused_)
{
    s->view.lease_valid = false;
}

static void w_armed(struct scene *s, const char *v _unused_)
{
    s->view.armed = true;
}

static void w_sent(struct scene *s, const char *v _unused_)
{
    s->view.sent = true;
    s->view.armed = false;
}

static void w_refused(struct scene *s, const char *v)
{
    s->view.refused = true;
    w_sent(s, NULL);
    s->view.refusal = ERR_INIT;
    (void)err_set(&s->view.refusal, kind_named(v), "Azure said no");
}

static void w_offline(struct scene *s, const char *v _unused_)
{
    (void)err_set(&s->view.refusal, ERR_INVALID, "Database account orders is not online");
}

static void w_retry_after(struct scene *s, const char *v)
{
    s->view.refusal.retry_after_ms = span(v);
    s->view.account_err.retry_after_ms = span(v);
    s->view.evidence_err.retry_after_ms = span(v);
    s->view.operation_err.retry_after_ms = span(v);
}

/* The account could not be read, because our own limiter gave it a turn after so long. */
static void w_paced(struct scene *s, const char *v)
{
    w_account_error(s, "throttled");
    s->view.failing_since = 0;
    (void)str_copy(s->view.account_err.code, sizeof(s->view.account_err.code), "ClientThrottled");
    s->view.account_err.retry_after_ms = span(v);
}

static void w_was_ready(struct scene *s, const char *v)
{
    str_replace(&s->view.status.encrypted_key_uri, v ? v : KEY);
}

static const struct {
    const char *word;
    void (*apply)(struct scene *s, const char *value);
} words[] = {
    {"deleting", w_deleting},
    {"invalid", w_invalid},
    {"unsupported", w_unsupported},
    {"suspended", w_suspended},
    {"observe", w_observe},
    {"manual", w_manual},
    {"approved", w_approved},
    {"report", w_report},
    {"key", w_key},
    {"identity", w_identity},
    {"new-generation", w_generation},
    {"asked", w_asked},
    {"handled", w_handled},
    {"owner", w_owner},
    {"knows", w_knows},
    {"window", w_window},
    {"account", w_account},
    {"unread", w_unread},
    {"state", w_state},
    {"busy", w_busy},
    {"has-key", w_has_key},
    {"revoked", w_revoked},
    {"confirmed", w_confirmed},
    {"attached", w_attached},
    {"default", w_default},
    {"continuous", w_continuous},
    {"cassandra", w_cassandra},
    {"account-error", w_account_error},
    {"evidence", w_evidence},
    {"grant", w_grant},
    {"no-access", w_no_access},
    {"no-key", w_no_key},
    {"locked", w_locked},
    {"scan", w_scan},
    {"culprit", w_culprit},
    {"explained", w_explained},
    {"op", w_op},
    {"age", w_age},
    {"ended", w_ended},
    {"attempts", w_attempts},
    {"code", w_code},
    {"url", w_url},
    {"polled", w_polled},
    {"read-ago", w_read_ago},
    {"poll-failed", w_poll_failed},
    {"lost", w_lost},
    {"quiet", w_quiet},
    {"seen", w_seen},
    {"no-lease", w_no_lease},
    {"armed", w_armed},
    {"sent", w_sent},
    {"refused", w_refused},
    {"offline", w_offline},
    {"retry-after", w_retry_after},
    {"paced", w_paced},
    {"was-ready", w_was_ready},
};

static void apply(struct scene *s, char *word)
{
    char *value = strchr(word, '=');

    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(word, words[i].word) == 0) {
            words[i].apply(s, value);
            return;
        }
    fail_msg("scene: no word \"%s\"", word);
}

void scene_add(struct scene *scene, const char *text)
{
    _cleanup_(freep) char *copy = xstrdup(text);
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        apply(scene, word);
    if (scene->approved) {
        struct cmk_plan plan;
        scene_plan(scene, &plan);
        str_replace(&scene->resource.spec.approved_plan, plan.hash);
    }
}

void scene_init(struct scene *scene, const char *text)
{
    *scene = (struct scene){0};
    scene->resource.generation = 1;
    scene->resource.ns = xstrdup("payments");
    scene->resource.name = xstrdup("orders");
    str_replace(&scene->resource.spec.account_id, ACCOUNT_ID);
    str_replace(&scene->resource.spec.key_uri, KEY);
    cmk_view_init(&scene->view, &cmk_default_options, &scene->resource, NOW, UPTIME);
    scene->view.lease_valid = true;
    scene->view.status.observed_generation = 1;
    scene_add(scene, text);
}

void scene_done(struct scene *scene)
{
    cmk_view_done(&scene->view);
    cmk_resource_done(&scene->resource);
}

struct cmk_plan_input plan_input(const struct cmk_view *view)
{
    return (struct cmk_plan_input){.spec = &view->resource->spec,
        .account = &view->account,
        .evidence = view->evidence_fact == CMK_KNOWN ? &view->evidence : NULL};
}

void scene_plan(const struct scene *scene, struct cmk_plan *ret)
{
    const struct cmk_plan_input in = plan_input(&scene->view);

    cmk_plan_make(ret, &in, &scene->view.status.plan);
}

const struct cmk_condition *condition_of(const struct cmk_status *status, const char *type)
{
    for (size_t i = 0; i < status->n_conditions; i++)
        if (str_eq(status->conditions[i].type, type))
            return &status->conditions[i];
    return NULL;
}
