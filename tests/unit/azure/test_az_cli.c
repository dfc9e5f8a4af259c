/* The az CLI, played by shell scripts. */
#include "unit.h"

#include "azure/az_cli.h"
#include "base/clock.h"
#include "base/str.h"
#include "folder.h"

#include <string.h>

#define SCOPE "https://management.azure.com/.default"
#define CANARY "eyJc4n4ry.eyJ.sig"

struct outcome {
    struct secret *token;
    int64_t lifetime_ms;
    struct err err;
    int r;
};

static void outcome_done(struct outcome *o)
{
    secret_unref(o->token);
}

static struct outcome run(const char *body, const char *tenant, struct http_cancel *cancel)
{
    _cleanup_(folder_freep) char *dir = folder_new();
    _cleanup_(freep) char *text = xasprintf("#!/bin/sh\n%s\n", body);
    _cleanup_(freep) char *program = folder_write(dir, "az", text, strlen(text), 0700);
    const struct az_cli_request request = {.program = program, .scope = SCOPE, .tenant_id = tenant, .cancel = cancel};
    struct outcome o = {.err = ERR_INIT};

    o.r = az_cli_token(&request, &o.token, &o.lifetime_ms, &o.err);
    return o;
}

static void az_is_asked_for_the_scope_and_the_tenant(void **state)
{
    _cleanup_(freep) char *body = xasprintf(
        "[ \"$*\" = 'account get-access-token --output json --scope " SCOPE " --tenant contoso.com' ] || exit 9\n"
        "[ \"$TZ\" = UTC ] || exit 8\n"
        "[ -z \"$(cat)\" ] || exit 7\n"
        "echo '{\"accessToken\":\"" CANARY "\",\"expires_on\":%lld,\"tokenType\":\"Bearer\"}'",
        (long long)(clock_wall_ms() / 1000 + 3600));
    _cleanup_(outcome_done) struct outcome o = run(body, "contoso.com", NULL);

    (void)state;
    if (o.r < 0)
        fail_msg("%s", o.err.msg);
    assert_string_equal(secret_reveal(o.token), CANARY);
    assert_true(o.lifetime_ms > 3000 * 1000 && o.lifetime_ms <= 3600 * 1000);
}

static void an_older_az_gives_the_end_as_text(void **state)
{
    _cleanup_(outcome_done) struct outcome o =
        run("echo '{\"accessToken\":\"t\",\"expiresOn\":\"2199-01-01 00:00:00.123456\"}'", NULL, NULL);

    (void)state;
    if (o.r < 0)
        fail_msg("%s", o.err.msg);
    assert_int_equal(o.lifetime_ms, 24 * 3600 * 1000);
}

static void every_failure_says_what_to_do_and_never_the_token(void **state)
{
    static const struct {
        const char *body;
        enum err_kind kind;
        const char *says;
    } rows[] = {
        {"echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", ERR_UNAUTHORIZED,
            "az is not logged in: run az login"},
        {"echo 'ERROR: AADSTS70043: The refresh token has expired. Interactive: az login --scope x' >&2; exit 1",
            ERR_UNAUTHORIZED, "or its login has expired: run az login"},
        {"echo 'WARNING: old' >&2; echo 'ERROR: Tenant not found' >&2; echo more >&2; exit 3", ERR_UNAUTHORIZED,
            "az failed with exit status 3: ERROR: Tenant not found"},
        {"echo 'ERROR: got " CANARY "' >&2; exit 1", ERR_UNAUTHORIZED, "withheld"},
        {"echo 'ERROR: {\"accessToken\": \"c4n4ry\"}' >&2; exit 1", ERR_UNAUTHORIZED, "withheld"},
        {"printf 'ERROR: '; printf '%0101d' 0 >&2; exit 1", ERR_UNAUTHORIZED, "withheld"},
        {"echo '{\"accessToken\":\"" CANARY "\"}'; exit 1", ERR_UNAUTHORIZED, "az failed with exit status 1"},
        {"exit 127", ERR_UNAUTHORIZED, "az, or a program that it uses, was not found"},
        {"kill -9 $$", ERR_UNAVAILABLE, "was ended by signal 9"},
        {"echo '" CANARY "'", ERR_PROTOCOL, "not JSON"},
        {"echo '{\"expires_on\":4102444800}'", ERR_PROTOCOL, "no usable accessToken"},
        {"echo '{\"accessToken\":\"a b\",\"expires_on\":4102444800}'", ERR_PROTOCOL, "no usable accessToken"},
        {"echo '{\"accessToken\":\"" CANARY "\"}'", ERR_PROTOCOL, "when its token expires"},
        {"echo '{\"accessToken\":\"" CANARY "\",\"expiresOn\":\"tomorrow, around noon\"}'", ERR_PROTOCOL,
            "when its token expires"},
        {"echo '{\"accessToken\":\"" CANARY "\",\"expires_on\":1500000000}'", ERR_UNAUTHORIZED, "has expired"},
        {"head -c 300000 /dev/zero", ERR_TOO_LARGE, "printed more than"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(outcome_done) struct outcome o = run(rows[i].body, NULL, NULL);
        assert_int_equal(o.r, -1);
        assert_null(o.token);
        if (o.err.kind != rows[i].kind || !strstr(o.err.msg, rows[i].says))
            fail_msg("row %zu: %s \"%s\"", i, err_kind_name(o.err.kind), o.err.msg);
        assert_null(strstr(o.err.msg, "c4n4ry"));
    }
}

static void an_az_that_is_not_there_is_said_to_be_missing(void **state)
{
    const struct az_cli_request request = {.program = "az-that-nobody-has", .scope = SCOPE};
    struct secret *token = NULL;
    struct err err = ERR_INIT;
    int64_t lifetime_ms;

    (void)state;
    assert_int_equal(az_cli_token(&request, &token, &lifetime_ms, &err), -1);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_string_equal(err.msg, "the az CLI is not installed: there is no az-that-nobody-has in $PATH");
}

static void a_scope_that_could_be_another_option_is_not_passed_on(void **state)
{
    static const char *const scopes[] = {"", "--debug", "a b", "x;y", "x\"y"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        const struct az_cli_request request = {.program = "true", .scope = scopes[i]};
        struct secret *token = NULL;
        struct err err = ERR_INIT;
        int64_t lifetime_ms;
        assert_int_equal(az_cli_token(&request, &token, &lifetime_ms, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void being_told_to_stop_ends_az(void **state)
{
    struct http_cancel *cancel = http_cancel_new();

    (void)state;
    http_cancel_trigger(cancel);
    _cleanup_(outcome_done) struct outcome o = run("sleep 1000", NULL, cancel);
    assert_int_equal(o.err.kind, ERR_CANCELLED);
    (void)http_cancel_free(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(az_is_asked_for_the_scope_and_the_tenant),
        cmocka_unit_test(an_older_az_gives_the_end_as_text),
        cmocka_unit_test(every_failure_says_what_to_do_and_never_the_token),
        cmocka_unit_test(an_az_that_is_not_there_is_said_to_be_missing),
        cmocka_unit_test(a_scope_that_could_be_another_option_is_not_passed_on),
        cmocka_unit_test(being_told_to_stop_ends_az),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
