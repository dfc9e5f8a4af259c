/* Errors: sentences with context in front, cut without breaking a character, and kinds that decide about retries. */
#include "unit.h"

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = ERR_NONE; a <= ERR_INTERNAL; a++) {
        assert_non_null(err_kind_name((enum err_kind)a));
        for (int b = ERR_NONE; b < a; b++)
            assert_string_not_equal(err_kind_name((enum err_kind)a), err_kind_name((enum err_kind)b));
    }
    assert_string_equal(err_kind_name((enum err_kind)999), "unknown");
}

static void only_what_heals_by_itself_is_transient(void **state)
{
    static const enum err_kind transient[] = {
        ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_THROTTLED, ERR_CONFLICT, ERR_LOCKED, ERR_GONE};
    (void)state;

    for (int kind = ERR_NONE; kind <= ERR_INTERNAL; kind++) {
        struct err err = {.kind = (enum err_kind)kind};
        bool expected = false;
        for (size_t i = 0; i < ARRAY_LEN(transient); i++)
            expected |= transient[i] == err.kind;
        if (err_is_transient(&err) != expected)
            fail_msg("%s", err_kind_name(err.kind));
    }
}

static void context_goes_in_front_and_facts_stay(void **state)
{
    struct err err = {.http_status = 7, .code = "Old", .maybe_sent = true};
    (void)state;

    assert_int_equal(err_set(&err, ERR_NOT_FOUND, "no %s", "file"), -1);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.retry_after_ms, -1);
    assert_string_equal(err.code, "");
    assert_false(err.maybe_sent);
    err.http_status = 404;
    err.maybe_sent = true;
    assert_int_equal(err_wrap(&err, "cannot load %s", "kubeconfig"), -1);
    assert_int_equal(err_wrap(&err, "start"), -1);
    assert_string_equal(err.msg, "start: cannot load kubeconfig: no file");
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(err.http_status, 404);
    assert_true(err.maybe_sent);
    assert_int_equal(err_set(NULL, ERR_INVALID, "x"), -1);
    assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void a_message_may_be_made_of_the_old_one(void **state)
{
    struct err err = ERR_INIT;
    (void)state;

    (void)err_set(&err, ERR_TIMEOUT, "slow");
    (void)snprintf(err.code, sizeof(err.code), "E1");
    (void)err_wrap(&err, "%s %s", err.code, err.msg);
    assert_string_equal(err.msg, "E1 slow: slow");
    (void)err_set(&err, ERR_UNAVAILABLE, "gave up (%s): %s", err.code, err.msg);
    assert_string_equal(err.msg, "gave up (E1): E1 slow: slow");
    assert_string_equal(err.code, "");
}

static void long_messages_are_cut_between_characters(void **state)
{
    char text[2000];
    (void)state;

    for (size_t shift = 0; shift < 3; shift++) {
        struct err err = ERR_INIT;
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        (void)err_set(&err, ERR_INVALID, "%s", text);
        assert_true(utf8_valid(err.msg, strlen(err.msg)));
        assert_true(str_has_suffix_nocase(err.msg, "..."));
        assert_true(strlen(err.msg) >= sizeof(err.msg) - 4);
        (void)err_wrap(&err, "context");
        assert_true(str_has_prefix(err.msg, "context: "));
        assert_true(utf8_valid(err.msg, strlen(err.msg)));
        (void)err_wrap(&err, "%s", text);
        assert_true(utf8_valid(err.msg, strlen(err.msg)));
        assert_true(str_has_suffix_nocase(err.msg, "..."));
    }
}

static void a_message_that_just_fits_is_not_cut(void **state)
{
    struct err err = ERR_INIT;
    char text[sizeof(err.msg) + 1];
    (void)state;

    memset(text, 'x', sizeof(text));
    text[sizeof(err.msg) - 1] = '\0';
    (void)err_set(&err, ERR_INVALID, "%s", text);
    assert_string_equal(err.msg, text);
    text[sizeof(err.msg) - 1] = 'x';
    text[sizeof(err.msg)] = '\0';
    (void)err_set(&err, ERR_INVALID, "%s", text);
    assert_true(str_has_suffix_nocase(err.msg, "x..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
        cmocka_unit_test(only_what_heals_by_itself_is_transient),
        cmocka_unit_test(context_goes_in_front_and_facts_stay),
        cmocka_unit_test(a_message_may_be_made_of_the_old_one),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(a_message_that_just_fits_is_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
