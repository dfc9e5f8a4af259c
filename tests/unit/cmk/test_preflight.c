/* The checks before the point of no return, each with the accounts that pass it and that do not. */
#include "unit.h"

#include "base/str.h"
#include "cmk/preflight.h"
#include "scene.h"

#include <string.h>

struct row {
    const char *sentence, *given;
    void (*change)(struct scene *scene); /* beyond what words can say; may be NULL */
    const char *check;
    enum cmk_check_result result;
    const char *says;
};

static void with_vector_search(struct scene *s)
{
    s->view.account.vector_search = true;
}

static void with_materialized_views(struct scene *s)
{
    s->view.account.materialized_views = true;
}

static void with_change_feed(struct scene *s)
{
    s->view.account.full_fidelity_change_feed = true;
}

static void with_analytical_store(struct scene *s)
{
    s->view.account.analytical_storage = true;
}

static void with_skip(struct scene *s)
{
    s->resource.spec.check_key_vault = CMK_CHECK_SKIP;
}

static const struct row rows[] = {
    {"an account at rest", "account", NULL, "AccountOnline", CMK_PASSED, "online"},
    {"an account without a state is at rest", "account state=", NULL, "AccountOnline", CMK_PASSED, "online"},
    {"an account in any case", "account state=succeeded", NULL, "AccountOnline", CMK_PASSED, "online"},
    {"a busy account", "account busy", NULL, "AccountOnline", CMK_WARNING, "Updating"},
    {"an account for documents", "account", NULL, "ApiSupported", CMK_PASSED, "allow"},
    {"Cassandra", "account cassandra", NULL, "ApiSupported", CMK_CHECK_FAILED, "Cassandra"},
    {"Cassandra with a key already", "account cassandra has-key", NULL, "ApiSupported", CMK_PASSED, "allow"},
    {"vector search", "account", with_vector_search, "ApiSupported", CMK_CHECK_FAILED, "EnableNoSQLVectorSearch"},
    {"features that Azure does not show", "account", NULL, "Features", CMK_CHECK_UNKNOWN, "make sure"},
    {"materialized views", "account", with_materialized_views, "Features", CMK_CHECK_FAILED, "switch them off"},
    {"the change feed", "account", with_change_feed, "Features", CMK_CHECK_FAILED, "switch it off"},
    {"periodic backup needs no identity", "account", NULL, "DefaultIdentity", CMK_PASSED, "fits"},
    {"continuous backup with the first party", "account continuous", NULL, "DefaultIdentity", CMK_CHECK_FAILED,
        "continuous backup"},
    {"analytical store with the first party", "account", with_analytical_store, "DefaultIdentity", CMK_CHECK_FAILED,
        "analytical store"},
    {"first party by name", "account continuous identity=FirstPartyIdentity default=SystemAssignedIdentity", NULL,
        "DefaultIdentity", CMK_CHECK_FAILED, "spec.defaultIdentity"},
    {"an identity in the spec", "account continuous identity", NULL, "DefaultIdentity", CMK_PASSED, "fits"},
    {"an identity that the account has already", "account continuous default=SystemAssignedIdentity", NULL,
        "DefaultIdentity", CMK_PASSED, "fits"},
    {"analytical store with an identity", "account identity", with_analytical_store, "DefaultIdentity", CMK_PASSED,
        "fits"},
    {"vaults are not looked at", "account", NULL, "KeyVault", CMK_SKIPPED, "purge protection"},
    {"vaults are not to be looked at", "account", with_skip, "KeyVault", CMK_SKIPPED, "is Skip"},
    {"ids are not looked at", "account", NULL, "DocumentIds", CMK_SKIPPED, "990 bytes"},
};

static const struct cmk_check *check_named(const struct cmk_check *checks, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(checks[i].name, name))
            return &checks[i];
    fail_msg("there is no check %s", name);
    return NULL;
}

static void every_check_says_what_it_found(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_check checks[CMK_MAX_CHECKS];
        scene_init(&scene, rows[i].given);
        if (rows[i].change)
            rows[i].change(&scene);
        size_t n = cmk_preflight(checks, &scene.resource.spec, &scene.view.account);
        const struct cmk_check *check = check_named(checks, n, rows[i].check);
        if (check->result != rows[i].result || !strstr(check->message, rows[i].says))
            fail_msg("%s: %s, %s", rows[i].sentence, cmk_check_result_name(check->result), check->message);
        cmk_checks_done(checks, n);
    }
}

static void every_check_is_always_made_and_has_a_row(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account");
    size_t n = cmk_preflight(checks, &scene.resource.spec, &scene.view.account);
    for (size_t i = 0; i < n; i++) {
        size_t row = 0;
        while (row < ARRAY_LEN(rows) && !str_eq(rows[row].check, checks[i].name))
            row++;
        if (row == ARRAY_LEN(rows))
            fail_msg("no row of this test is about %s", checks[i].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(checks[i].name, checks[j].name);
    }
    cmk_checks_done(checks, n);
}

static void the_first_failure_is_the_verdict(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account continuous");
    with_change_feed(&scene);
    size_t n = cmk_preflight(checks, &scene.resource.spec, &scene.view.account);
    assert_string_equal(cmk_first_failed(checks, n)->name, "Features");
    cmk_checks_done(checks, n);
    assert_null(cmk_first_failed(checks, 0));
}

/* Warning, Unknown and Skipped do not block. */
static void only_failed_blocks(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_check checks[CMK_MAX_CHECKS];
    (void)state;

    scene_init(&scene, "account busy");
    size_t n = cmk_preflight(checks, &scene.resource.spec, &scene.view.account);
    assert_null(cmk_first_failed(checks, n));
    cmk_checks_done(checks, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_says_what_it_found),
        cmocka_unit_test(every_check_is_always_made_and_has_a_row),
        cmocka_unit_test(the_first_failure_is_the_verdict),
        cmocka_unit_test(only_failed_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
