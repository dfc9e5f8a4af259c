/* One round: count the settled resources of each subscription, list those that are worth it, and ask for a pass where
 * the list did not confirm.
 *
 * The invariant: after a round every settled resource was confirmed by it, or has a pass to come, or has a timer (its
 * subscription was not covered before the round, so that its last pass has set one). */
#include "controller/sweep.h"

#include "azure/arm_id.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/together.h"
#include "cmk/spec.h"

#include <pthread.h>
#include <stdatomic.h>

#define LEAST 8
#define JOBS 4
#define MAX_JOBS 16

struct subscription {
    bool covered; /* by the last round; guarded by the sweep's lock */
    bool was_covered;
    bool listed; /* in this round */
    size_t settled;
};

struct sweep {
    struct sweep_options options;
    int64_t round; /* from 1 */
    pthread_mutex_t lock;
    struct map subscriptions; /* by lower-case id; entries are never removed before the end */
};

struct sweep *sweep_new(const struct sweep_options *options)
{
    struct sweep *sweep = xcalloc(1, sizeof(*sweep));

    sweep->options = *options;
    if (!sweep->options.least)
        sweep->options.least = LEAST;
    if (!sweep->options.jobs || sweep->options.jobs > MAX_JOBS)
        sweep->options.jobs = sweep->options.jobs ? MAX_JOBS : JOBS;
    (void)pthread_mutex_init(&sweep->lock, NULL);
    return sweep;
}

struct sweep *sweep_free(struct sweep *sweep)
{
    if (!sweep)
        return NULL;
    map_foreach (e, &sweep->subscriptions)
        free(e->value);
    map_done(&sweep->subscriptions);
    (void)pthread_mutex_destroy(&sweep->lock);
    free(sweep);
    return NULL;
}

static char *subscription_of(const char *account_id)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};

    return arm_id_parse(&id, account_id, NULL) < 0 ? NULL : str_lower(xstrdup(id.subscription));
}

static struct subscription *find(struct sweep *sweep, const char *account_id)
{
    _cleanup_(freep) char *id = subscription_of(account_id);

    return id ? map_get(&sweep->subscriptions, id) : NULL;
}

bool sweep_covers(void *ctx, const char *account_id)
{
    struct sweep *sweep = ctx;

    pthread_mutex_lock(&sweep->lock);
    const struct subscription *subscription = find(sweep, account_id);
    bool covered = subscription && subscription->covered;
    pthread_mutex_unlock(&sweep->lock);
    return covered;
}

static void free_keys(char **keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(keys[i]);
    free(keys);
}

/* ---- counting ---- */

static void ask(struct sweep *sweep, const char *key, struct sweep_result *result)
{
    sweep->options.enqueue(sweep->options.ctx, key);
    result->queued++;
}

static void count(struct sweep *sweep, const char *account_id)
{
    _cleanup_(freep) char *id = subscription_of(account_id);

    if (!id)
        return;
    pthread_mutex_lock(&sweep->lock);
    struct subscription *subscription = map_get(&sweep->subscriptions, id);
    if (!subscription) {
        subscription = xcalloc(1, sizeof(*subscription));
        (void)map_set(&sweep->subscriptions, id, subscription);
    }
    subscription->settled++;
    pthread_mutex_unlock(&sweep->lock);
}

static void count_settled(struct sweep *sweep, char *const *keys, size_t n, struct sweep_result *result)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_(store_item_unrefp) struct store_item *item = store_get(sweep->options.reconciler->store, keys[i]);
        if (!item)
            continue;
        const struct cmk_resource *resource = store_item_resource(item);
        if (!cmk_is_settled(resource)) {
            /* Nobody's timer runs for one whose status was wiped while it was settled. */
            if (sweep->round == 1 || resource->status.n_conditions == 0)
                ask(sweep, keys[i], result);
            continue;
        }
        result->settled++;
        count(sweep, resource->spec.account_id);
    }
}

/* ---- listing: several subscriptions side by side, each by one thread ---- */

struct task {
    const char *id; /* borrowed from the map */
    struct subscription *subscription;
};

struct listing {
    struct sweep *sweep;
    struct task *tasks;
    size_t n;
    _Atomic size_t next;
    struct sweep_result *result; /* guarded by the sweep's lock */
};

struct one_list {
    struct sweep *sweep;
    size_t confirmed;
};

static void on_account(void *ctx, const char *account_id, struct cmk_account *account)
{
    struct one_list *one = ctx;
    struct sweep *sweep = one->sweep;
    struct reconciler *reconciler = sweep->options.reconciler;
    _cleanup_(store_item_unrefp) struct store_item *item = store_owner_of(reconciler->store, account_id);

    if (!item || !cmk_is_settled(store_item_resource(item)) || !reconcile_confirms(reconciler, item, account))
        return;
    struct store_memory memory = store_recall(reconciler->store, item);
    memory.swept = sweep->round;
    store_remember(reconciler->store, item, &memory);
    one->confirmed++;
}

static void list(struct listing *listing, const struct task *task)
{
    struct sweep *sweep = listing->sweep;
    const struct azure_port *azure = &sweep->options.reconciler->ports->azure;
    struct one_list one = {.sweep = sweep};
    struct err err = ERR_INIT;

    task->subscription->listed = azure->list_accounts(azure->ctx, task->id, on_account, &one, &err) == 0;
    bool failed = !task->subscription->listed && err.kind != ERR_CANCELLED;
    pthread_mutex_lock(&sweep->lock);
    listing->result->lists++;
    listing->result->failed_lists += failed;
    listing->result->confirmed += one.confirmed;
    pthread_mutex_unlock(&sweep->lock);
    if (failed)
        log_warn(
            "accounts not listed; each is read on its own", LOG_S("subscription", task->id), LOG_S("error", err.msg));
}

static void list_some(void *ctx)
{
    struct listing *listing = ctx;
    size_t i;

    while ((i = atomic_fetch_add(&listing->next, 1)) < listing->n)
        list(listing, &listing->tasks[i]);
}

/* Only this thread adds to the map, so that it can be walked without the lock. */
static void list_all(struct sweep *sweep, struct sweep_result *result)
{
    _cleanup_(freep) struct task *tasks = xcalloc(sweep->subscriptions.len + 1, sizeof(*tasks));
    struct listing listing = {.sweep = sweep, .tasks = tasks, .result = result};
    struct job each[MAX_JOBS];
    size_t jobs = 0;

    map_foreach (e, &sweep->subscriptions) {
        struct subscription *subscription = e->value;
        subscription->listed = false;
        if (subscription->settled >= sweep->options.least)
            tasks[listing.n++] = (struct task){.id = e->key, .subscription = subscription};
    }
    for (; jobs < sweep->options.jobs && jobs < listing.n; jobs++)
        each[jobs] = (struct job){.run = list_some, .ctx = &listing};
    run_together(each, jobs);
}

/* ---- what was not confirmed ---- */

static bool was_confirmed(const struct sweep *sweep, const struct store_item *item)
{
    return store_recall(sweep->options.reconciler->store, item).swept == sweep->round;
}

/* The keys are taken anew: a resource that came to rest during the round, trusting in its subscription's being covered,
 * is among them. */
static void ask_for_the_rest(struct sweep *sweep, struct sweep_result *result)
{
    size_t n;
    char **keys = store_keys(sweep->options.reconciler->store, &n);

    for (size_t i = 0; i < n; i++) {
        _cleanup_(store_item_unrefp) struct store_item *item = store_get(sweep->options.reconciler->store, keys[i]);
        if (!item || !cmk_is_settled(store_item_resource(item)) || was_confirmed(sweep, item))
            continue;
        const struct subscription *subscription = find(sweep, store_item_resource(item)->spec.account_id);
        if (sweep->round == 1 || (subscription && (subscription->listed || subscription->was_covered)))
            ask(sweep, keys[i], result);
    }
    free_keys(keys, n);
}

static void conclude(struct sweep *sweep)
{
    pthread_mutex_lock(&sweep->lock);
    map_foreach (e, &sweep->subscriptions) {
        struct subscription *subscription = e->value;
        subscription->was_covered = subscription->covered;
        subscription->covered = subscription->listed;
        subscription->settled = 0;
    }
    pthread_mutex_unlock(&sweep->lock);
}

struct sweep_result sweep_round(struct sweep *sweep)
{
    struct sweep_result result = {0};
    size_t n;
    char **keys = store_keys(sweep->options.reconciler->store, &n);

    sweep->round++;
    count_settled(sweep, keys, n, &result);
    list_all(sweep, &result);
    free_keys(keys, n);
    conclude(sweep);
    ask_for_the_rest(sweep, &result);
    return result;
}
