/* The thread of a lease against a scripted API server: what it asks, what it tells, and how it ends. The rules are
 * tested in test_elector.c. */
#include "unit.h"

#include "api_server.h"
#include "kube/lease.h"

#include <stdatomic.h>
#include <string.h>

#define PATH "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
#define LEASE(version, holder)                                                                                         \
    "{\"metadata\":{\"name\":\"it\",\"resourceVersion\":\"" version "\"},\"spec\":{\"holderIdentity\":\"" holder       \
    "\",\"leaseDurationSeconds\":1,\"leaseTransitions\":4}}"
#define NONE                                                                                                           \
    {                                                                                                                  \
        404, "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"there is no Lease\"}"            \
    }
#define CONFLICT                                                                                                       \
    {                                                                                                                  \
        409, "{\"kind\":\"Status\",\"code\":409,\"reason\":\"Conflict\",\"message\":\"changed\"}"                      \
    }
#define FORBIDDEN                                                                                                      \
    {                                                                                                                  \
        403, "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"leases are forbidden\"}"        \
    }

struct fixture {
    struct api_server api;
    struct http_engine *engine;
    struct kube_client *client;
    struct kube_lease_options options;
    struct kube_lease *lease;
    atomic_int started, stopped, troubles;
    enum err_kind trouble; /* written by the thread, read after its end */
    char why[512];
    char leader[400];
};

static void on_started(void *ctx)
{
    atomic_fetch_add(&((struct fixture *)ctx)->started, 1);
}

static void on_stopped(void *ctx, const char *why)
{
    struct fixture *f = ctx;

    (void)str_copy(f->why, sizeof(f->why), why);
    atomic_fetch_add(&f->stopped, 1);
}

static void on_leader(void *ctx, const char *holder, bool is_us)
{
    struct fixture *f = ctx;

    (void)str_copy(f->leader, sizeof(f->leader), is_us ? "us" : holder);
}

static void on_trouble(void *ctx, const struct err *err)
{
    struct fixture *f = ctx;

    if (err)
        f->trouble = err->kind;
    atomic_fetch_add(&f->troubles, err != NULL);
}

/* A period of 1 s and a deadline of a minute: what is scripted happens long before anything runs out. */
static void start(struct fixture *f, const struct api_answer *script, size_t n)
{
    const struct http_engine_options options = {.user_agent = "test"};
    struct err err = ERR_INIT;

    *f = (struct fixture){0};
    api_start(&f->api, script, n);
    _cleanup_(freep) char *server = xasprintf("http://127.0.0.1:%d", httpd_port(f->api.server));
    const struct kube_config config = {.server = server};
    assert_int_equal(http_engine_new(&f->engine, &options, &err), 0);
    assert_int_equal(kube_client_new(&f->client, f->engine, &config, &err), 0);
    f->options = (struct kube_lease_options){.client = f->client,
        .ns = "ns",
        .name = "it",
        .lease_duration_ms = 90000,
        .renew_deadline_ms = 60000,
        .retry_period_ms = 100,
        .started_leading = on_started,
        .stopped_leading = on_stopped,
        .new_leader = on_leader,
        .trouble = on_trouble,
        .ctx = f};
}

static void go(struct fixture *f)
{
    struct err err = ERR_INIT;

    if (kube_lease_new(&f->lease, &f->options, &err) < 0)
        fail_msg("%s", err.msg);
    assert_false(kube_lease_valid(f->lease));
    kube_lease_start(f->lease);
}

static void stop(struct fixture *f)
{
    f->lease = kube_lease_release(f->lease);
    api_cut(&f->api);
    (void)kube_client_free(f->client);
    (void)http_engine_free(f->engine);
    api_stop(&f->api);
}

static void await(const atomic_int *count, int n)
{
    for (int i = 0; i < 6000 && atomic_load(count) < n; i++)
        clock_sleep_ms(10);
    assert_true(atomic_load(count) >= n);
}

/* The n-th line of the journal, from 0, begins like this and contains that. */
static void assert_asked(struct fixture *f, int n, const char *begins, const char *contains)
{
    _cleanup_(freep) char *journal = api_journal(&f->api);
    char *line = journal;

    while (n-- > 0 && line)
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    assert_non_null(line);
    line[strcspn(line, "\n")] = '\0';
    if (!str_has_prefix(line, begins) || !strstr(line, contains))
        fail_msg("asked: %s", line);
}

static void a_lease_is_created_renewed_on_condition_and_given_back(void **state)
{
    static const struct api_answer script[] = {
        NONE, {201, LEASE("7", "x")}, {200, LEASE("8", "x")}, {200, LEASE("9", "x")}, {200, LEASE("10", "x")}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    go(&f);
    await(&f.started, 1);
    assert_true(kube_lease_valid(f.lease));
    assert_true(kube_lease_is_leader(f.lease));
    assert_true(kube_lease_unrenewed_ms(f.lease) < 60000);
    _cleanup_(freep) char *holder = xasprintf("\"holderIdentity\":\"%s\"", kube_lease_identity(f.lease));
    assert_non_null(strchr(holder, '_'));
    assert_true(api_wait(&f.api, 4));
    assert_asked(&f, 0, "GET " PATH "/it", "");
    assert_asked(&f, 1, "POST " PATH " type=application/json", holder);
    assert_asked(&f, 1, "POST", "\"name\":\"it\",\"namespace\":\"ns\"");
    assert_asked(&f, 2,
        "PATCH " PATH "/it type=application/merge-patch+json body={\"metadata\":{\"resourceVersion\":\"7\"}", holder);
    assert_asked(&f, 3, "PATCH", "\"resourceVersion\":\"8\"");
    assert_string_equal(f.leader, "us");
    stop(&f);
    assert_int_equal(atomic_load(&f.stopped), 0);
}

static void a_release_is_conditional_and_empties_the_holder(void **state)
{
    static const struct api_answer script[] = {{200, LEASE("6", "")}, {200, LEASE("7", "x")}, {200, LEASE("8", "")}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    f.options.retry_period_ms = 30000;
    go(&f);
    await(&f.started, 1);
    assert_int_equal(kube_lease_counts(f.lease).transitions, 5);
    f.lease = kube_lease_release(f.lease);
    assert_int_equal(api_served(&f.api), 3);
    assert_asked(&f, 2,
        "PATCH " PATH "/it type=application/merge-patch+json body={\"metadata\":{\"resourceVersion\":\"7\"}",
        "\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,");
    stop(&f);
}

/* The renewal hangs when the end comes: what we know of the Lease is old. */
static void a_release_looks_first_when_a_renewal_was_cut_off(void **state)
{
    static const struct api_answer script[] = {
        {200, LEASE("6", "")}, {200, LEASE("7", "x")}, {200, "", API_HANG}, CONFLICT, {200, LEASE("9", "somebody")}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    go(&f);
    await(&f.started, 1);
    assert_true(api_wait(&f.api, 3));
    f.lease = kube_lease_release(f.lease);
    assert_true(api_served(&f.api) >= 4);
    stop(&f);
}

static void one_that_does_not_lead_gives_nothing_back(void **state)
{
    static const struct api_answer script[] = {{200, "{\"metadata\":{\"resourceVersion\":\"3\"},\"spec\":{"
                                                     "\"holderIdentity\":\"them\",\"leaseDurationSeconds\":600}}"}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    f.options.retry_period_ms = 30000;
    go(&f);
    assert_true(api_wait(&f.api, 1));
    f.lease = kube_lease_release(f.lease);
    assert_int_equal(api_served(&f.api), 1);
    assert_int_equal(atomic_load(&f.started), 0);
    stop(&f);
}

static void a_leader_that_is_replaced_says_by_whom_and_ends(void **state)
{
    static const struct api_answer script[] = {
        {200, LEASE("6", "")}, {200, LEASE("7", "x")}, CONFLICT, {200, LEASE("9", "them")}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    go(&f);
    await(&f.stopped, 1);
    assert_false(kube_lease_valid(f.lease));
    assert_false(kube_lease_is_leader(f.lease));
    assert_int_equal(kube_lease_unrenewed_ms(f.lease), 0);
    assert_int_equal(kube_lease_counts(f.lease).slow_renewals, 1);
    assert_string_equal(f.why, "the Lease ns/it is held by them");
    assert_int_equal(atomic_load(&f.troubles), 0); /* a lost race is none */
    f.lease = kube_lease_release(f.lease);
    assert_int_equal(api_served(&f.api), 4);
    stop(&f);
}

static void a_leader_that_cannot_renew_says_why_and_ends(void **state)
{
    static const struct api_answer script[] = {{200, LEASE("6", "")}, {200, LEASE("7", "x")}, FORBIDDEN, FORBIDDEN,
        FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN,
        FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    f.options.lease_duration_ms = 3000;
    f.options.renew_deadline_ms = 2000;
    f.options.retry_period_ms = 400;
    go(&f);
    await(&f.stopped, 1);
    assert_non_null(strstr(f.why, "the Lease ns/it could not be renewed within 2s"));
    assert_non_null(strstr(f.why, "leases are forbidden"));
    assert_false(kube_lease_valid(f.lease));
    stop(&f);
}

#define ODD_TYPES                                                                                                      \
    "{\"metadata\":{\"resourceVersion\":\"6\"},\"spec\":{\"holderIdentity\":7,\"leaseDurationSeconds\":\"x\","         \
    "\"leaseTransitions\":1.5,\"renewTime\":{},\"acquireTime\":[]}}"

/* Nothing that somebody put into a Lease crashes us or locks us out. */
static void a_malformed_lease_is_taken(void **state)
{
    static const char *const bodies[] = {
        "{\"metadata\":{\"resourceVersion\":\"6\"}}",
        "{\"metadata\":{\"resourceVersion\":\"6\"},\"spec\":null}",
        "{\"metadata\":{\"resourceVersion\":\"6\"},\"spec\":[1]}",
        (ODD_TYPES),
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct api_answer script[] = {{200, bodies[i]}, {200, LEASE("7", "x")}};
        struct fixture f;
        start(&f, script, ARRAY_LEN(script));
        f.options.retry_period_ms = 30000;
        go(&f);
        await(&f.started, 1);
        stop(&f);
    }
}

static void without_a_version_nothing_is_written(void **state)
{
    static const struct api_answer script[] = {{200, "{\"metadata\":{},\"spec\":{}}"}, {200, "[]"}, {200, "no json"}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    go(&f);
    await(&f.troubles, 3);
    assert_true(api_wait(&f.api, 4));
    for (int i = 0; i < 4; i++)
        assert_asked(&f, i, "GET ", "");
    stop(&f);
    assert_int_equal(f.trouble, ERR_PROTOCOL);
}

/* kube_client_cancel() ends what the workers do, and the Lease is given back after that. */
static void a_client_that_was_cancelled_still_gives_the_lease_back(void **state)
{
    static const struct api_answer script[] = {{200, LEASE("6", "")}, {200, LEASE("7", "x")}, {200, LEASE("8", "")}};
    struct fixture f;
    (void)state;

    start(&f, script, ARRAY_LEN(script));
    f.options.retry_period_ms = 30000;
    go(&f);
    await(&f.started, 1);
    kube_client_cancel(f.client);
    f.lease = kube_lease_release(f.lease);
    assert_int_equal(api_served(&f.api), 3);
    stop(&f);
}

static void durations_that_do_not_fit_are_refused_with_a_sentence(void **state)
{
    static const struct {
        int64_t lease, renew, retry;
        const char *says;
    } table[] = {
        {15000, 10000, 2000, NULL},
        {15000, 15000, 2000, "--x-lease-duration (15s) must be longer than --x-renew-deadline (15s)"},
        {10000, 15000, 2000, "--x-lease-duration (10s) must be longer than --x-renew-deadline (15s)"},
        {15000, 10000, 9000, "--x-renew-deadline (10s) must be longer than 1.2 times --x-retry-period (9s)"},
        {15000, 12000, 10000, "1.2 times"},
        {15000, 12001, 10000, NULL},
        {15000, 10000, 0, "1.2 times"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct kube_lease_options options = {.lease_duration_ms = table[i].lease,
            .renew_deadline_ms = table[i].renew,
            .retry_period_ms = table[i].retry};
        struct err err = ERR_INIT;
        int r = kube_lease_check(&options, "--x-", &err);
        assert_int_equal(r, table[i].says ? -1 : 0);
        if (table[i].says && !strstr(err.msg, table[i].says))
            fail_msg("%s", err.msg);
    }
}

static void a_place_that_cannot_be_is_refused(void **state)
{
    static const char *const names[] = {"../it", "It", "", "a/b"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct kube_lease_options options = {.ns = "ns", .name = names[i]};
        struct kube_lease *lease = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(kube_lease_new(&lease, &options, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    assert_null(kube_lease_release(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_created_renewed_on_condition_and_given_back),
        cmocka_unit_test(a_release_is_conditional_and_empties_the_holder),
        cmocka_unit_test(a_release_looks_first_when_a_renewal_was_cut_off),
        cmocka_unit_test(one_that_does_not_lead_gives_nothing_back),
        cmocka_unit_test(a_leader_that_is_replaced_says_by_whom_and_ends),
        cmocka_unit_test(a_leader_that_cannot_renew_says_why_and_ends),
        cmocka_unit_test(a_malformed_lease_is_taken),
        cmocka_unit_test(without_a_version_nothing_is_written),
        cmocka_unit_test(a_client_that_was_cancelled_still_gives_the_lease_back),
        cmocka_unit_test(durations_that_do_not_fit_are_refused_with_a_sentence),
        cmocka_unit_test(a_place_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
