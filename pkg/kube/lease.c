/* The thread of a lease: asks the elector what to do, does it, tells it how it went.
 *
 * The elector is the thread's alone. Others see two numbers: until when we may act, and what is counted. The first is
 * stored after a renewal has succeeded and never reaches further than the elector allows, so a reader that compares it
 * with the clock errs on the safe side only, however long it or this thread stood still. */
#include "kube/lease.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/elector.h"
#include "kube/path.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define RELEASE_MS 2000
#define MAX_HOST 253

static const struct kube_resource leases = {.group = "coordination.k8s.io", .version = "v1", .plural = "leases"};

struct kube_lease {
    struct kube_lease_options o;
    char *identity;
    struct http_cancel *stop;
    pthread_t thread;
    bool started;
    _Atomic int64_t valid_until; /* clock_boot_ms(); 0: we do not lead */
    _Atomic int64_t transitions, slow_renewals;

    /* Of the thread. */
    struct elector elector;
    char *version; /* of the Lease as last read or written */
    char *leader;  /* as last told */
    struct err last_err;
    bool troubled;
};

/* ---- the object ---- */

static void take_text(char *to, size_t size, const cJSON *spec, const char *name)
{
    const char *text = json_string_at(spec, name);

    (void)str_copy(to, size, text ? text : "");
}

/* What is absent or of another type is as good as empty: it must not keep anybody from taking over. */
static void decode(struct lease_record *ret, const cJSON *object)
{
    const cJSON *spec = json_member(object, "spec");

    *ret = (struct lease_record){0};
    take_text(ret->holder, sizeof(ret->holder), spec, "holderIdentity");
    take_text(ret->acquire_time, sizeof(ret->acquire_time), spec, "acquireTime");
    take_text(ret->renew_time, sizeof(ret->renew_time), spec, "renewTime");
    if (!json_int(json_member(spec, "leaseDurationSeconds"), false, &ret->duration_s))
        ret->duration_s = 0;
    if (!json_int(json_member(spec, "leaseTransitions"), false, &ret->transitions))
        ret->transitions = 0;
}

static void put_text(cJSON *spec, const char *name, const char *value)
{
    if (!str_empty(value)) /* a time must be one */
        json_add_string(spec, name, value);
}

static cJSON *encode(const struct kube_lease *l, const struct lease_record *record, const char *version)
{
    cJSON *object = cJSON_CreateObject(), *metadata = json_add_object(object, "metadata");
    cJSON *spec = json_add_object(object, "spec");

    json_add_string(metadata, "resourceVersion", version);
    if (!version) {
        json_add_string(object, "apiVersion", "coordination.k8s.io/v1");
        json_add_string(object, "kind", "Lease");
        json_add_string(metadata, "name", l->o.name);
        json_add_string(metadata, "namespace", l->o.ns);
    }
    json_add_string(spec, "holderIdentity", record->holder);
    json_add_int(spec, "leaseDurationSeconds", record->duration_s);
    json_add_int(spec, "leaseTransitions", record->transitions);
    put_text(spec, "acquireTime", record->acquire_time);
    put_text(spec, "renewTime", record->renew_time);
    return object;
}

/* ---- requests ---- */

/* Without a version a later write would be unconditional. */
static int take_version(struct kube_lease *l, const cJSON *object, struct err *err)
{
    const char *version = json_string_at(object, "metadata.resourceVersion");

    if (str_empty(version))
        return err_set(err, ERR_PROTOCOL, "the API server sent a Lease without metadata.resourceVersion");
    str_replace(&l->version, version);
    return 0;
}

/* 1 and *ret, 0 when there is none. */
static int read_lease(struct kube_lease *l, const struct kube_limits *limits, struct lease_record *ret, struct err *err)
{
    _cleanup_(json_freep) cJSON *object = NULL;

    if (kube_get_within(l->o.client, limits, &leases, l->o.ns, l->o.name, &object, err) < 0)
        return err->kind == ERR_NOT_FOUND ? 0 : -1;
    if (take_version(l, object, err) < 0)
        return -1;
    decode(ret, object);
    return 1;
}

static int write_lease(struct kube_lease *l, const struct kube_limits *limits, const struct lease_record *record,
    bool create, struct err *err)
{
    _cleanup_(json_freep) cJSON *body = encode(l, record, create ? NULL : l->version), *answer = NULL;
    int r = create ? kube_create_within(l->o.client, limits, &leases, l->o.ns, body, &answer, err)
                   : kube_merge_patch_within(l->o.client, limits, &leases, l->o.ns, l->o.name, body, &answer, err);

    return r < 0 ? -1 : take_version(l, answer, err);
}

/* ---- what others hear ---- */

static void tell_leader(struct kube_lease *l)
{
    const char *holder = l->elector.record.holder;

    if (str_empty(holder) || l->elector.absent || str_eq(holder, l->leader))
        return;
    str_replace(&l->leader, holder);
    if (l->o.new_leader)
        l->o.new_leader(l->o.ctx, holder, str_eq(holder, l->identity));
}

static void tell_lost(struct kube_lease *l)
{
    const char *holder = l->elector.record.holder;
    char deadline[TIME_TEXT_SIZE];
    _cleanup_(freep) char *why = NULL;

    duration_format(l->o.renew_deadline_ms, deadline);
    if (!str_eq(holder, l->identity))
        why = xasprintf("the Lease %s/%s is held by %s", l->o.ns, l->o.name, holder);
    else
        why = xasprintf("the Lease %s/%s could not be renewed within %s%s%s", l->o.ns, l->o.name, deadline,
            l->troubled ? ": " : "", l->troubled ? l->last_err.msg : "");
    l->o.stopped_leading(l->o.ctx, why);
}

static void publish(struct kube_lease *l)
{
    bool led = atomic_load(&l->valid_until) != 0;
    int64_t valid_until = elector_valid_until(&l->elector);

    atomic_store(&l->transitions, l->elector.record.transitions);
    atomic_store(&l->valid_until, valid_until);
    tell_leader(l);
    if (!led && valid_until)
        l->o.started_leading(l->o.ctx);
}

static void well(struct kube_lease *l)
{
    if (l->troubled && l->o.trouble)
        l->o.trouble(l->o.ctx, NULL);
    l->troubled = false;
}

static void unwell(struct kube_lease *l, const struct err *err)
{
    l->troubled = true;
    l->last_err = *err;
    if (l->o.trouble)
        l->o.trouble(l->o.ctx, err);
}

/* ---- the thread ---- */

static unsigned dice(void)
{
    return (unsigned)random_below(1000);
}

static enum elector_failure failure_of(const struct err *err)
{
    return err->http_status >= 400 && err->http_status < 500 ? ELECTOR_REFUSED : ELECTOR_UNKNOWN;
}

/* That somebody was faster is the ordinary end of a race, and no trouble. */
static void failed(struct kube_lease *l, const struct elector_step *step, const struct err *err)
{
    bool race = step->action != ELECTOR_READ &&
                (err->kind == ERR_CONFLICT || err->kind == ERR_EXISTS || err->kind == ERR_NOT_FOUND);

    if (l->elector.state == ELECTOR_LEADS)
        atomic_fetch_add(&l->slow_renewals, 1);
    if (!race && !http_cancel_triggered(l->stop))
        unwell(l, err);
    elector_failed(&l->elector, clock_boot_ms(), failure_of(err), err->retry_after_ms, dice());
}

static void act(struct kube_lease *l, const struct elector_step *step)
{
    const struct kube_limits limits = {.timeout_ms = step->timeout, .fresh = step->fresh, .cancel = l->stop};
    struct lease_record record;
    struct err err = ERR_INIT;
    int r = 0;

    if (step->action == ELECTOR_READ)
        r = read_lease(l, &limits, &record, &err);
    else
        r = write_lease(l, &limits, &step->record, step->action == ELECTOR_CREATE, &err);
    if (r < 0) {
        failed(l, step, &err);
        return;
    }
    well(l);
    if (step->action == ELECTOR_READ)
        elector_read(&l->elector, clock_boot_ms(), r ? &record : NULL);
    else
        elector_wrote(&l->elector, clock_boot_ms());
}

static void *run(void *ctx)
{
    struct kube_lease *l = ctx;

    while (!http_cancel_triggered(l->stop)) {
        int64_t now = clock_boot_ms();
        struct elector_step step = elector_next(&l->elector, now, clock_wall_ms(), dice());
        if (step.action == ELECTOR_END) {
            publish(l);
            tell_lost(l);
            return NULL;
        }
        if (step.action == ELECTOR_SLEEP) {
            (void)http_cancel_wait(l->stop, step.at - now);
            continue;
        }
        act(l, &step);
        publish(l);
    }
    return NULL;
}

/* ---- life ---- */

int kube_lease_check(const struct kube_lease_options *o, const char *prefix, struct err *err)
{
    char longer[TIME_TEXT_SIZE], shorter[TIME_TEXT_SIZE];

    if (o->lease_duration_ms <= o->renew_deadline_ms) {
        duration_format(o->lease_duration_ms, longer);
        duration_format(o->renew_deadline_ms, shorter);
        return err_set(err, ERR_INVALID,
            "%slease-duration (%s) must be longer than %srenew-deadline (%s): a leader has to stop before another may "
            "begin",
            prefix, longer, prefix, shorter);
    }
    if (o->retry_period_ms <= 0 || o->renew_deadline_ms * 10 <= o->retry_period_ms * 12) {
        duration_format(o->renew_deadline_ms, longer);
        duration_format(o->retry_period_ms, shorter);
        return err_set(err, ERR_INVALID,
            "%srenew-deadline (%s) must be longer than 1.2 times %sretry-period (%s): one failed attempt must not end "
            "the leadership",
            prefix, longer, prefix, shorter);
    }
    return 0;
}

static char *make_identity(void)
{
    char host[MAX_HOST + 1] = "", uuid[UUID_SIZE];

    (void)gethostname(host, sizeof(host) - 1);
    random_uuid(uuid);
    return xasprintf("%s_%s", *host ? host : "unknown", uuid);
}

static int check_place(const struct kube_lease_options *o, struct err *err)
{
    _cleanup_(buf_done) struct buf url = BUF_INIT(1024);
    const struct kube_path path = {.resource = &leases, .ns = o->ns, .name = o->name};

    return kube_path_build(&url, "", &path, err);
}

int kube_lease_new(struct kube_lease **ret, const struct kube_lease_options *options, struct err *err)
{
    if (check_place(options, err) < 0)
        return err_wrap(err, "the Lease for leader election");
    struct kube_lease *l = xcalloc(1, sizeof(*l));
    l->o = *options;
    l->identity = make_identity();
    l->stop = http_cancel_new();
    const struct elector_options elector = {.identity = l->identity,
        .lease_duration = options->lease_duration_ms,
        .renew_deadline = options->renew_deadline_ms,
        .retry_period = options->retry_period_ms};
    elector_init(&l->elector, &elector);
    *ret = l;
    return 0;
}

void kube_lease_start(struct kube_lease *l)
{
    int r = pthread_create(&l->thread, NULL, run, l);
    if (r != 0)
        fatal("cannot start a thread", r);
    l->started = true;
}

/* The last request may have been cut off, so what we know of the Lease may be old: then look first. That it fails is
 * not worth a word: the lease runs out by itself. */
static void give_back(struct kube_lease *l)
{
    int64_t end = clock_boot_ms() + RELEASE_MS;

    for (int i = 0; i < 2; i++) {
        const struct kube_limits limits = {.timeout_ms = end - clock_boot_ms(), .fresh = i > 0};
        struct lease_record now = elector_release(&l->elector, clock_wall_ms()), found;
        struct err err = ERR_INIT;
        if (limits.timeout_ms <= 0)
            return;
        bool look = i > 0 || l->elector.must_read;
        if (look && (read_lease(l, &limits, &found, &err) <= 0 || !str_eq(found.holder, l->identity)))
            return;
        if (write_lease(l, &limits, &now, false, &err) == 0)
            return;
    }
}

struct kube_lease *kube_lease_release(struct kube_lease *l)
{
    if (!l)
        return NULL;
    http_cancel_trigger(l->stop);
    if (l->started)
        (void)pthread_join(l->thread, NULL);
    bool leads = kube_lease_valid(l);
    atomic_store(&l->valid_until, 0); /* before anybody else can be told */
    if (leads)
        give_back(l);
    (void)http_cancel_free(l->stop);
    free(l->identity);
    free(l->version);
    free(l->leader);
    free(l);
    return NULL;
}

/* ---- questions ---- */

bool kube_lease_valid(const struct kube_lease *l)
{
    return clock_boot_ms() < atomic_load(&l->valid_until);
}

bool kube_lease_is_leader(const struct kube_lease *l)
{
    return atomic_load(&l->valid_until) != 0;
}

int64_t kube_lease_unrenewed_ms(const struct kube_lease *l)
{
    int64_t valid_until = atomic_load(&l->valid_until);

    return valid_until ? clock_boot_ms() - (valid_until - l->o.renew_deadline_ms) : 0;
}

struct kube_lease_counts kube_lease_counts(const struct kube_lease *l)
{
    return (struct kube_lease_counts){
        .transitions = atomic_load(&l->transitions), .slow_renewals = atomic_load(&l->slow_renewals)};
}

const char *kube_lease_identity(const struct kube_lease *l)
{
    return l->identity;
}
