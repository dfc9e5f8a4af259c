/* One life of a cluster: resources are applied, replicas start, the plan's faults happen; then the world is well, and
 * everything has to be Ready within a bound, and silent after that. */
#include "cluster/cluster.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/types.h"

#include <stdio.h>
#include <string.h>

#define BEGIN "2026-03-02T08:00:00Z"
#define SECOND_MS 1000LL
#define MINUTE_MS 60000LL
#define LEAST_FAULTS_MS (3 * MINUTE_MS) /* faults of effects may wait so long for theirs */
#define BOUND_MS (150 * MINUTE_MS)      /* from the last fault to Ready: above all the back-off of failed operations */
#define LOOK_MS (12 * MINUTE_MS)
#define SETTLE_MS (13 * MINUTE_MS)
#define IDLE_MS (16 * MINUTE_MS) /* an account that is Ready is looked at every 10 min */

struct cluster *the_cluster;

int64_t cluster_wall(void)
{
    static int64_t begin;

    if (!begin)
        (void)time_parse_rfc3339(BEGIN, &begin);
    return begin + fiber_now();
}

void violation(struct cluster *c, const char *format, ...)
{
    va_list args;

    if (c->violation.len > 0)
        return;
    buf_printf(&c->violation, "effect %zu, %lld.%03llds: ", c->n_effects, (long long)fiber_now() / 1000,
        (long long)fiber_now() % 1000);
    va_start(args, format);
    buf_vprintf(&c->violation, format, args);
    va_end(args);
    note(c, "VIOLATION: %s", buf_str(&c->violation));
}

void note(struct cluster *c, const char *format, ...)
{
    va_list args;

    if (!c->trace)
        return;
    const struct process *p = process_current();
    buf_printf(&c->log, "[%7lld.%03lld] %s%s", (long long)fiber_now() / 1000, (long long)fiber_now() % 1000,
        p ? p->name : "", p ? ": " : "");
    va_start(args, format);
    buf_vprintf(&c->log, format, args);
    va_end(args);
    buf_putc(&c->log, '\n');
}

/* ---- how it ended ---- */

static void drop(cJSON *object, const char *name)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

/* Their order says nothing. */
static void sort_members(cJSON *tree)
{
    cJSON *sorted = cJSON_CreateObject(), *item;

    while (cJSON_IsObject(tree) && tree->child) {
        cJSON *first = tree->child;
        cJSON_ArrayForEach (item, tree)
            first = strcmp(item->string, first->string) < 0 ? item : first;
        first = cJSON_DetachItemViaPointer(tree, first);
        sort_members(first);
        cJSON_AddItemToObject(sorted, first->string, first);
    }
    while (sorted->child) {
        item = cJSON_DetachItemViaPointer(sorted, sorted->child);
        cJSON_AddItemToObject(tree, item->string, item);
    }
    cJSON_Delete(sorted);
}

static void put_conditions(cJSON *conditions, struct buf *b)
{
    static const char *const types[] = {
        "Ready", "Reconciling", "Stalled", "PreflightPassed", "Encrypting", "KeyAccessible"};
    cJSON *item;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        cJSON_ArrayForEach (item, conditions)
            if (str_eq(json_string_at(item, "type"), types[i])) {
                drop(item, "lastTransitionTime");
                if (i == 3) /* PreflightPassed: how many could not be seen at that moment */
                    drop(item, "message");
                _cleanup_(freep) char *text = json_print(item);
                buf_printf(b, "  %s\n", text);
            }
}

/* Without what may differ: times, ids, how often something was tried, and what preflight could see at its moment. */
static void put_status(const cJSON *object, struct buf *b)
{
    static const char *const volatile_members[] = {
        "id", "statusUrl", "correlationId", "attempts", "requestedAt", "startedAt", "lastObservedAt", "completedAt"};
    _cleanup_(json_freep) cJSON *status = cJSON_Duplicate(json_member(object, "status"), true);
    cJSON *operation = cJSON_GetObjectItemCaseSensitive(status, "operation");
    cJSON *account = cJSON_GetObjectItemCaseSensitive(status, "account");

    if (!status) {
        buf_puts(b, "  no status\n");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(volatile_members); i++)
        drop(operation, volatile_members[i]);
    drop(status, "preflight");
    drop(account, "observedAt");
    drop(account, "keyVaultKeyUriVersion");
    if (json_member(status, "encryptedAt"))
        cJSON_ReplaceItemInObjectCaseSensitive(status, "encryptedAt", cJSON_CreateString("yes"));
    put_conditions(cJSON_GetObjectItemCaseSensitive(status, "conditions"), b);
    drop(status, "conditions");
    sort_members(status);
    _cleanup_(freep) char *text = json_print(status);
    buf_printf(b, "  %s\n", text);
}

static char *end_of(struct cluster *c)
{
    struct buf b = BUF_INIT(8 << 20);

    for (int i = 0; i < c->plan.accounts; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "a%03d", i);
        const struct azure_account *account = azure_model_account(c->model, name);
        buf_printf(&b, "%s: %s, key %s (%s), default %s, %zu identities\n", name, azure_account_state(account),
            account->key_uri ? account->key_uri : "none", account->key_status ? account->key_status : "",
            account->default_identity ? account->default_identity : "", account->identities.n);
        put_status(kube_object(c, c->resources[i].name), &b);
    }
    return buf_take(&b);
}

static bool all_ready(struct cluster *c)
{
    for (int i = 0; i < c->plan.accounts; i++) {
        const cJSON *object = kube_object(c, c->resources[i].name);
        if (!object || !str_eq(kube_condition(object, "Ready", "status"), "True"))
            return false;
        int64_t generation = 0, observed = -1;
        (void)json_int(json_at(object, "metadata.generation"), false, &generation);
        (void)json_int(json_at(object, "status.observedGeneration"), false, &observed);
        const char *wanted = json_string_at(object, "spec.keyVaultKeyUri");
        if (generation != observed || !str_eq(wanted, json_string_at(object, "status.account.keyVaultKeyUri")))
            return false;
    }
    return true;
}

/* ---- the course of a life ---- */

static void apply_all(struct cluster *c)
{
    for (int i = 0; i < c->plan.accounts; i++) {
        struct resource *r = &c->resources[c->n_resources++];
        r->account = i;
        (void)snprintf(r->name, sizeof(r->name), "r%03d", i);
    }
    for (int i = 0; i < c->plan.accounts; i++)
        kube_apply(c, c->resources[i].name, i);
}

/* The last moment at which a fault may still begin or last. */
static int64_t end_of_faults(const struct plan *plan)
{
    int64_t end = plan->n_faults ? LEAST_FAULTS_MS + plan->encrypt : 0;

    for (size_t i = 0; i < plan->n_faults; i++) {
        const struct fault *f = &plan->faults[i];
        int64_t at = (f->on == E_TIME ? f->at : 0) + (f->kind == F_WALL ? 0 : f->arg) + MINUTE_MS;
        end = at > end ? at : end;
    }
    return end;
}

static void be_well(struct cluster *c)
{
    c->well = true;
    c->no_kube_until = c->no_arm_until = 0;
    c->model->options.retention_ms = 86400000;
    note(c, "from here on all is well");
    fiber_wake(&c->etcd);
}

static void idle(struct cluster *c, struct life *life)
{
    fiber_sleep(SETTLE_MS);
    size_t writes = c->status_writes, changes = c->n_accepted, events = c->events_written;
    fiber_sleep(IDLE_MS);
    life->idle_writes = c->status_writes - writes;
    life->idle_changes = c->n_accepted - changes;
    life->idle_events = c->events_written - events;
}

static void run_life(void *ctx)
{
    struct life *life = ctx;
    struct cluster *c = the_cluster;
    int64_t end = end_of_faults(&c->plan);

    apply_all(c);
    for (int i = 0; i < c->plan.replicas; i++)
        replica_start(c, i);
    faults_start(c);
    fiber_sleep(end);
    be_well(c);
    life->healing_ms = -fiber_now();
    if (plan_has_people(&c->plan)) { /* what they did in Azure shows at the next look at the account */
        fiber_sleep(LOOK_MS);
        end += LOOK_MS;
    }
    for (end += BOUND_MS; fiber_now() < end && !all_ready(c) && c->violation.len == 0;)
        fiber_sleep(SECOND_MS);
    life->ready = all_ready(c);
    life->ready_ms = fiber_now();
    life->healing_ms += life->ready_ms;
    memcpy(life->effects, c->effects, sizeof(life->effects));
    life->n_effects = c->n_effects;
    life->status_writes = c->status_writes;
    if (life->ready && c->violation.len == 0)
        idle(c, life);
    life->ready = life->ready && all_ready(c);
    life->end = end_of(c);
    life->lived_ms = fiber_now();
    c->ending = true;
    for (int i = 0; i < MAX_REPLICAS; i++)
        if (c->running[i])
            process_kill(c->running[i], "the end of the world");
}

/* ---- the beginning and the end ---- */

static struct cluster *cluster_new(const struct plan *plan, bool trace)
{
    struct cluster *c = xcalloc(1, sizeof(*c));

    c->plan = *plan;
    c->trace = trace;
    c->etcd.version = 1000;
    c->violation = BUF_INIT(65536);
    c->log = BUF_INIT(512 << 20);
    the_cluster = c;
    fiber_world_begin(plan->seed);
    azure_begin(c);
    return c;
}

static void cluster_free(struct cluster *c)
{
    map_foreach (entry, &c->etcd.objects)
        (void)json_free(entry->value);
    map_done(&c->etcd.objects);
    (void)json_free(c->etcd.lease);
    for (size_t i = 0; i < c->etcd.n; i++) {
        free(c->etcd.changes[i].key);
        free(c->etcd.changes[i].text);
    }
    free(c->etcd.changes);
    for (size_t i = 0; i < c->n_accepted; i++)
        free(c->accepted[i].body);
    free(c->accepted);
    for (size_t i = 0; i < c->n_ahead; i++)
        free(c->ahead[i].object);
    free(c->ahead);
    for (size_t i = 0; i < c->n_processes; i++) {
        free(c->processes[i]->seen);
        free(c->processes[i]);
    }
    free(c->processes);
    (void)azure_model_free(c->model);
    buf_done(&c->violation);
    buf_done(&c->log);
    free(c);
    the_cluster = NULL;
    fiber_world_end();
}

struct life life_live(const struct plan *plan, bool trace)
{
    struct cluster *c = cluster_new(plan, trace);
    struct life life = {0};

    (void)fiber_start(NULL, run_life, &life, false);
    if (!fiber_world_run())
        violation(c, "everything waits for nothing, or time stands still");
    for (size_t i = 0; i < c->n_accepted; i++)
        life.changes[c->accepted[i].account][c->accepted[i].type]++;
    for (size_t i = 0; i < plan->n_faults; i++)
        life.faults_met += c->fault_used[i] > 0;
    life.crashes = c->crashes;
    life.processes = c->n_processes;
    life.switches = fiber_switches();
    if (c->violation.len)
        life.broken = xstrdup(buf_str(&c->violation));
    life.log = buf_take(&c->log);
    cluster_free(c);
    return life;
}

void life_done(struct life *life)
{
    free(life->broken);
    free(life->end);
    free(life->log);
}

/* ---- judging ---- */

static char *other_changes(const struct plan *plan, const struct life *life, const struct life *undisturbed)
{
    for (int i = 0; i < plan->accounts; i++)
        for (int t = CMK_ATTACH_IDENTITY; t <= CMK_ENABLE_KEY; t++)
            if (life->changes[i][t] != undisturbed->changes[i][t])
                return xasprintf("Azure has accepted %zu times %s of account %d, and %zu times when undisturbed",
                    life->changes[i][t], cmk_step_type_name((enum cmk_step_type)t), i, undisturbed->changes[i][t]);
    return NULL;
}

/* The first line that differs. */
static char *other_end(const char *is, const char *was)
{
    while (*is && *was) {
        size_t n = strcspn(is, "\n"), m = strcspn(was, "\n");
        if (n != m || strncmp(is, was, n) != 0)
            return xasprintf("it ends otherwise:\n  is  %.*s\n  was %.*s", (int)n, is, (int)m, was);
        is += n + (is[n] == '\n');
        was += m + (was[m] == '\n');
    }
    return NULL;
}

/* As much as a life may ask for: what an undisturbed one does, and for each minute and fault some looks at each. */
static char *too_much(const struct plan *plan, const struct life *life, const struct life *undisturbed)
{
    static const enum effect counted[] = {E_READ, E_OPERATION, E_PATCH, E_STATUS, E_LOOK};

    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        size_t n = life->effects[counted[i]], accounts = (size_t)plan->accounts;
        size_t minutes = (size_t)(life->ready_ms / MINUTE_MS) + 1;
        size_t most = 3 * undisturbed->effects[counted[i]] + accounts * (2 * minutes + 8 * (1 + plan->n_faults)) + 100;
        if (n > most)
            return xasprintf("%zu times %s, and no more than %zu are in order", n, effect_name(counted[i]), most);
    }
    return NULL;
}

char *life_judge(const struct plan *plan, const struct life *life, const struct life *undisturbed)
{
    char *what = NULL;

    if (life->broken)
        return xstrdup(life->broken);
    if (!life->ready)
        return xasprintf("not all are Ready %lld min after the last fault:\n%s", BOUND_MS / MINUTE_MS, life->end);
    if (life->idle_writes || life->idle_changes || life->idle_events)
        return xasprintf("%zu status writes, %zu changes, %zu events although nothing changed", life->idle_writes,
            life->idle_changes, life->idle_events);
    if (!undisturbed)
        return NULL;
    what = too_much(plan, life, undisturbed);
    if (!what && !plan_has_people(plan))
        what = other_changes(plan, life, undisturbed);
    if (!what && !plan_may_end_otherwise(plan))
        what = other_end(life->end, undisturbed->end);
    return what;
}
