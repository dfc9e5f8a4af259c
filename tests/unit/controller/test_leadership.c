/* What the program sees of the leadership. The lease itself is tested in tests/unit/kube, the whole in tests/e2e. */
#include "unit.h"

#include "base/str.h"
#include "controller/leadership.h"

#include <string.h>

static void without_election_this_one_leads(void **state _unused_)
{
    const struct leadership_options options = {.elect = false, .name = "not a name"};
    struct leadership l = {.options = &options};
    struct err err = ERR_INIT;
    char why[64];

    assert_int_equal(leadership_check_options(&options, &err), 0);
    assert_int_equal(leadership_init(&l, NULL, "default", &err), 0);
    leadership_start(&l);
    assert_true(leadership_valid(&l));
    assert_true(leadership_is_leader(&l));
    assert_false(leadership_is_lost(&l));
    assert_int_equal(leadership_check_renewal(&l, why, sizeof(why)), 0);
    leadership_stop(&l);
}

static void before_it_has_begun_nobody_leads(void **state _unused_)
{
    const struct leadership_options options = LEADERSHIP_DEFAULTS;
    struct leadership l = {.options = &options};

    assert_false(leadership_valid(&l));
    assert_false(leadership_is_leader(&l));
    leadership_stop(&l);
}

static void a_candidate_does_not_lead_and_is_alive(void **state _unused_)
{
    const struct leadership_options options = LEADERSHIP_DEFAULTS;
    struct leadership l = {.options = &options, .queue = work_queue_new(NULL)};
    struct err err = ERR_INIT;
    char why[64];

    assert_int_equal(leadership_check_options(&options, &err), 0);
    assert_int_equal(leadership_init(&l, NULL, "payments", &err), 0);
    assert_string_equal(l.place, "payments/cosmoscmk");
    assert_false(leadership_valid(&l));
    assert_false(leadership_is_leader(&l));
    assert_int_equal(leadership_check_renewal(&l, why, sizeof(why)), 0);
    leadership_stop(&l);
    (void)work_queue_free(l.queue);
}

static void the_namespace_of_the_options_goes_first_and_must_be_one(void **state _unused_)
{
    struct leadership_options options = LEADERSHIP_DEFAULTS;
    struct leadership l = {.options = &options, .queue = work_queue_new(NULL)};
    struct err err = ERR_INIT;

    options.namespace_name = "kube-system";
    assert_int_equal(leadership_init(&l, NULL, "payments", &err), 0);
    assert_string_equal(l.place, "kube-system/cosmoscmk");
    leadership_stop(&l);
    options.namespace_name = "No Namespace";
    assert_int_equal(leadership_init(&l, NULL, "payments", &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    leadership_stop(&l);
    (void)work_queue_free(l.queue);
}

static void durations_are_named_by_their_flags(void **state _unused_)
{
    struct leadership_options options = LEADERSHIP_DEFAULTS;
    struct err err = ERR_INIT;

    options.renew_deadline = 20000;
    assert_int_equal(leadership_check_options(&options, &err), -1);
    assert_non_null(strstr(err.msg, "--leader-elect-lease-duration (15s) must be longer than "
                                    "--leader-elect-renew-deadline (20s)"));
    options.elect = false; /* then nobody asks */
    assert_int_equal(leadership_check_options(&options, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_election_this_one_leads),
        cmocka_unit_test(before_it_has_begun_nobody_leads),
        cmocka_unit_test(a_candidate_does_not_lead_and_is_alive),
        cmocka_unit_test(the_namespace_of_the_options_goes_first_and_must_be_one),
        cmocka_unit_test(durations_are_named_by_their_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
