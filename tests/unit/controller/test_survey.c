/* How the fleet stands, in numbers. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmk/view.h"
#include "controller/store.h"

#include <stdio.h>

struct condition {
    const char *type;
    enum cmk_truth status;
    const char *reason;
};

static struct cmk_resource make(const char *name, const struct condition *conditions, size_t n)
{
    struct cmk_resource r = {
        .ns = xstrdup("n"), .name = xstrdup(name), .uid = xstrdup(name), .resource_version = xstrdup("1")};

    for (size_t i = 0; i < n; i++) {
        struct cmk_condition *c = &r.status.conditions[r.status.n_conditions++];
        *c = (struct cmk_condition){.type = xstrdup(conditions[i].type),
            .status = conditions[i].status,
            .reason = xstrdup(conditions[i].reason)};
    }
    return r;
}

static void phase_and_reason_come_from_the_conditions(void **state)
{
    static const struct {
        const char *name;
        struct condition conditions[3];
        enum survey_phase phase;
        enum cmk_reason reason;
        bool key_lost;
    } rows[] = {
        {"no status", {{0}}, SURVEY_NEW, CMK_REASON_NONE, false},
        {"ready", {{"Ready", CMK_TRUE, "Encrypted"}}, SURVEY_READY, CMK_REASON_ENCRYPTED, false},
        {"at work", {{"Ready", CMK_FALSE, "Encrypting"}, {"Reconciling", CMK_TRUE, "Encrypting"}}, SURVEY_RECONCILING,
            CMK_REASON_ENCRYPTING, false},
        {"stalled", {{"Stalled", CMK_TRUE, "InvalidSpec"}, {"Ready", CMK_FALSE, "InvalidSpec"}}, SURVEY_STALLED,
            CMK_REASON_INVALID_SPEC, false},
        {"suspended", {{"Ready", CMK_UNKNOWN, "Suspended"}}, SURVEY_IDLE, CMK_REASON_SUSPENDED, false},
        {"a word of another version", {{"Ready", CMK_TRUE, "Shiny"}}, SURVEY_READY, CMK_REASON_NONE, false},
        {"a key lost",
            {{"Ready", CMK_FALSE, "KeyRevoked"}, {"Stalled", CMK_TRUE, "KeyRevoked"},
                {"KeyAccessible", CMK_FALSE, "4002"}},
            SURVEY_STALLED, CMK_REASON_KEY_REVOKED, true},
        {"a key of which nothing is known", {{"Ready", CMK_TRUE, "Encrypted"}, {"KeyAccessible", CMK_UNKNOWN, "x"}},
            SURVEY_READY, CMK_REASON_ENCRYPTED, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = 0;
        while (n < 3 && rows[i].conditions[n].type)
            n++;
        struct cmk_resource r = make("r", rows[i].conditions, n);
        struct survey_facts facts = survey_facts_of(&r);
        if (facts.phase != rows[i].phase || facts.reason != rows[i].reason || facts.key_lost != rows[i].key_lost)
            fail_msg("%s: phase %d, reason %d, key lost %d", rows[i].name, facts.phase, facts.reason, facts.key_lost);
        assert_int_equal(facts.operation, CMK_NO_STEP);
        cmk_resource_done(&r);
    }
}

static void put_running(struct store *store, const char *name, const char *operation_state, int64_t requested_at)
{
    struct cmk_resource r =
        make(name, (const struct condition[]){{"Ready", CMK_FALSE, "Encrypting"}, {"Reconciling", CMK_TRUE, "x"}}, 2);

    r.status.operation.type = CMK_ENABLE_KEY;
    r.status.operation.state = xstrdup(operation_state);
    r.status.operation.requested_at = requested_at;
    if (str_eq(operation_state, CMK_FAILED))
        r.status.operation.completed_at = requested_at + 1;
    (void)store_put(store, &r);
}

static void observe(struct store *store, const char *key, uint32_t at_s)
{
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(store, key);
    const struct store_memory memory = {.observed_at_s = at_s};

    store_remember(store, item, &memory);
}

static void nothing(void *ctx, const char *key)
{
    (void)ctx;
    (void)key;
}

static void the_store_counts_what_it_holds_now(void **state)
{
    struct store *store = store_new();
    struct survey s;

    (void)state;
    store_survey(store, &s);
    assert_int_equal(s.resources, 0);
    assert_int_equal(s.oldest_operation_at, 0);
    put_running(store, "a", CMK_REQUESTED, 3000);
    put_running(store, "b", "Dequeued", 2000);
    put_running(store, "c", CMK_FAILED, 1000);
    put_running(store, "d", CMK_ACCEPTED, 2500);
    observe(store, "n/a", 70);
    observe(store, "n/b", 50);
    observe(store, "n/d", 60);
    store_survey(store, &s);
    assert_int_equal(s.resources, 4);
    assert_int_equal(s.states[SURVEY_RECONCILING][CMK_REASON_ENCRYPTING], 4);
    assert_int_equal(s.operations[CMK_ENABLE_KEY], 3);
    assert_int_equal(s.oldest_operation_at, 2000);
    assert_int_equal(s.unobserved, 1);
    assert_int_equal(s.oldest_observed_s, 50);
    assert_int_equal(s.newest_observed_s, 70);
    store_remove(store, "n/b", nothing, NULL);
    struct cmk_resource ready = make("c", (const struct condition[]){{"Ready", CMK_TRUE, "Encrypted"}}, 1);
    str_replace(&ready.resource_version, "2");
    (void)store_put(store, &ready);
    store_survey(store, &s);
    assert_int_equal(s.resources, 3);
    assert_int_equal(s.states[SURVEY_READY][CMK_REASON_ENCRYPTED], 1);
    assert_int_equal(s.oldest_operation_at, 2500);
    assert_int_equal(s.oldest_observed_s, 60);
    store_free(store);
}

static void twenty_thousand_are_counted(void **state)
{
    struct store *store = store_new();
    struct survey s;
    char name[32];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        struct cmk_resource r = make(name,
            (const struct condition[]){
                {"Ready", CMK_TRUE, "Encrypted"}, {"KeyAccessible", i % 10 ? CMK_TRUE : CMK_FALSE, "x"}},
            2);
        (void)store_put(store, &r);
    }
    int64_t begin = clock_mono_ms();
    store_survey(store, &s);
    print_message("20,000 resources surveyed in %lld ms\n", (long long)(clock_mono_ms() - begin));
    assert_int_equal(s.states[SURVEY_READY][CMK_REASON_ENCRYPTED], 20000);
    assert_int_equal(s.key_lost, 2000);
    assert_int_equal(s.unobserved, 20000);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phase_and_reason_come_from_the_conditions),
        cmocka_unit_test(the_store_counts_what_it_holds_now),
        cmocka_unit_test(twenty_thousand_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
