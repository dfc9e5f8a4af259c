/* From every state in which a resource can rest on its way: the cause is brought about, the row of the rules is
 * reached, the cause is undone as its message says, and it becomes Ready, and silent.
 *
 * The rows of the rules are the list: one that ends a pass and has no case here fails the test. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/rules.h"
#include "sequences/recovery.h"
#include "sim/life.h"

#include <stdio.h>
#include <string.h>

#define REACH_MS (4 * HOUR_MS)
#define READY_MS (24 * HOUR_MS)
#define LATE_MS (35 * MINUTE_MS)

static const struct cmk_rule *rule_named(const char *name)
{
    size_t i = 0;

    while (cmk_rule_at(i) && !str_eq(cmk_rule_at(i)->name, name))
        i++;
    return cmk_rule_at(i);
}

static void every_row_that_ends_a_pass_has_a_case(void **state _unused_)
{
    for (size_t i = 0; cmk_rule_at(i); i++) {
        size_t k = 0;
        while (k < n_recoveries && !str_eq(recoveries[k].rule, cmk_rule_at(i)->name))
            k++;
        if (cmk_rule_at(i)->effect == CMK_REST && k == n_recoveries)
            fail_msg("nothing shows how a resource gets away from %s", cmk_rule_at(i)->name);
    }
    for (size_t k = 0; k < n_recoveries; k++)
        if (!rule_named(recoveries[k].rule))
            fail_msg("there is no row %s", recoveries[k].rule);
}

static void every_reason_is_given_by_a_row(void **state _unused_)
{
    for (int reason = CMK_REASON_NONE + 1; reason < CMK_REASON_COUNT; reason++) {
        enum cmk_reason given;
        enum cmk_phase phase;
        bool found = false;
        for (size_t i = 0; cmk_rule_gives(i, &given, &phase); i++)
            found = found || given == (enum cmk_reason)reason;
        if (!found)
            fail_msg("no row gives the reason %s", cmk_reason_text((enum cmk_reason)reason)->word);
    }
}

static bool is_reached(struct world *w, const char *rule)
{
    _cleanup_(freep) char *one = xasprintf("=> %s,", rule), *other = xasprintf("=> %s\n", rule);
    const char *text = trace_text(w);

    return strstr(text, one) || strstr(text, other);
}

static void expect_published(struct world *w, const struct cmk_rule *rule)
{
    const struct world_object *o = world_object(w, "orders");
    const char *word = cmk_reason_text(rule->reason)->word;

    if (rule->phase == CMK_IS_STALLED &&
        !(world_condition(o, "Stalled", "status")[0] && str_eq(world_condition(o, "Stalled", "reason"), word)))
        violation(w, "it is not Stalled with %s", word);
    if (rule->phase != CMK_IS_STALLED && world_condition(o, "Stalled", "status")[0])
        violation(w, "it is Stalled, and %s is no reason for that", word);
}

static void recover(struct world *w, const struct recovery *c)
{
    int64_t last = w->now + REACH_MS;

    while (!is_reached(w, c->rule) && w->now < last)
        world_run(w, w->now - w->begin + 1000);
    if (!is_reached(w, c->rule)) {
        violation(w, "the row is not reached");
        return;
    }
    expect_published(w, rule_named(c->rule));
    if (c->mend)
        c->mend(w);
    if (c->mend)
        world_run(w, w->now - w->begin + 12 * MINUTE_MS); /* Ready may be an old word */
    bool ready = world_run_until_ready(w, w->now - w->begin + READY_MS);
    world_run(w, w->now - w->begin + LATE_MS);
    size_t writes = w->kube_writes, patches = w->n_patches;
    world_run(w, w->now - w->begin + HOUR_MS);
    if (!ready || !str_eq(world_condition(world_object(w, "orders"), "Ready", "reason"), "Encrypted"))
        violation(w, "it does not become Ready");
    if (writes != w->kube_writes || patches != w->n_patches)
        violation(w, "something is written although nothing has changed");
}

static void from_every_row_it_gets_to_ready(void **state _unused_)
{
    size_t failed = 0, rows = 0;

    for (size_t i = 0; i < n_recoveries; i++) {
        struct world *w = world_new(&life_quick);
        rows += i == 0 || !str_eq(recoveries[i].rule, recoveries[i - 1].rule);
        recoveries[i].begin(w);
        recover(w, &recoveries[i]);
        if (w->violation.len && failed++ < 3)
            (void)fprintf(stderr, "%s: %s\n%s\n", recoveries[i].rule, buf_str(&w->violation), trace_text(w));
        (void)world_free(w);
    }
    (void)printf("%zu ways back from %zu rows\n", n_recoveries, rows);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_that_ends_a_pass_has_a_case),
        cmocka_unit_test(every_reason_is_given_by_a_row),
        cmocka_unit_test(from_every_row_it_gets_to_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
