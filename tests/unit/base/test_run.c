/* Running a program: what it gets, what is taken of it, and that it is gone afterwards. */
#include "unit.h"

#include "base/clock.h"
#include "base/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

static int run_script(const char *script, struct buf *out, struct buf *errors, int64_t timeout_ms, struct err *err)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const struct run run = {.argv = (char *const *)argv, .timeout_ms = timeout_ms, .errors = errors};

    return run_program(&run, out, err);
}

static void output_errors_and_exit_status_come_apart(void **state)
{
    _cleanup_(buf_done) struct buf out = BUF_INIT(100), errors = BUF_INIT(100);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(run_script("cat; echo out; echo bad >&2; exit 3", &out, &errors, 60000, &err), 3);
    assert_string_equal(buf_str(&out), "out\n");
    assert_string_equal(buf_str(&errors), "bad\n");
}

static void it_has_our_environment_or_the_one_given(void **state)
{
    const char *argv[] = {"sh", "-c", "echo $RUN_TEST", NULL}, *envp[] = {"RUN_TEST=given", NULL};
    struct run run = {.argv = (char *const *)argv, .timeout_ms = 60000};
    _cleanup_(buf_done) struct buf out = BUF_INIT(100);
    struct err err = ERR_INIT;

    (void)state;
    (void)setenv("RUN_TEST", "ours", 1);
    assert_int_equal(run_program(&run, &out, &err), 0);
    run.envp = (char *const *)envp;
    assert_int_equal(run_program(&run, &out, &err), 0);
    assert_string_equal(buf_str(&out), "ours\ngiven\n");
}

static void too_much_output_is_an_error_and_too_many_errors_are_cut(void **state)
{
    _cleanup_(buf_done) struct buf out = BUF_INIT(100), errors = BUF_INIT(4);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(run_script("head -c 200000 /dev/zero >&2; echo ok", &out, &errors, 60000, &err), 0);
    assert_string_equal(buf_str(&out), "ok\n");
    assert_true(errors.len <= 4);
    assert_int_equal(run_script("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", &out, NULL, 60000, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void what_cannot_be_run_and_what_is_killed_is_said(void **state)
{
    const char *argv[] = {"no-such-program-anywhere", NULL};
    const struct run run = {.argv = (char *const *)argv, .timeout_ms = 60000};
    _cleanup_(buf_done) struct buf out = BUF_INIT(100);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(run_program(&run, &out, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "cannot run no-such-program-anywhere: No such file or directory");
    assert_int_equal(run_script("kill -9 $$", &out, NULL, 60000, &err), -1);
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_string_equal(err.msg, "sh was ended by signal 9");
}

static bool told_to_stop(const void *ctx)
{
    return *(const bool *)ctx;
}

/* Gone, or dead and waiting for a parent who does not look, as in a container without an init. */
static bool is_gone(pid_t pid)
{
    char path[64], state = '?';

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    bool read = fscanf(f, "%*d %*s %c", &state) == 1;
    (void)fclose(f);
    return !read || state == 'Z' || state == 'X';
}

/* The script prints the id of a child that would outlive it. */
static void what_it_has_started_goes_with_it(void **state)
{
    static const bool yes = true;
    const char *argv[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
    struct run run = {.argv = (char *const *)argv, .timeout_ms = 1500};
    _cleanup_(buf_done) struct buf out = BUF_INIT(100);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(run_program(&run, &out, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_string_equal(err.msg, "sh did not end within 1 s");
    pid_t child = (pid_t)strtol(buf_str(&out), NULL, 10);
    if (child > 0) { /* a loaded machine may not have come so far */
        int64_t deadline = clock_mono_ms() + 60000;
        while (!is_gone(child) && clock_mono_ms() < deadline)
            clock_sleep_ms(10);
        assert_true(is_gone(child));
    }
    run.timeout_ms = 60000;
    run.stopped = told_to_stop;
    run.ctx = &yes;
    assert_int_equal(run_program(&run, &out, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_exit_status_come_apart),
        cmocka_unit_test(it_has_our_environment_or_the_one_given),
        cmocka_unit_test(too_much_output_is_an_error_and_too_many_errors_are_cut),
        cmocka_unit_test(what_cannot_be_run_and_what_is_killed_is_said),
        cmocka_unit_test(what_it_has_started_goes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
