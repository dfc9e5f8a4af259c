/* Exec plugins and the credentials made of them: real programs (shell scripts) in the test's folder. */
#include "unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/credentials.h"
#include "kube/exec.h"
#include "scratch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define V1 "client.authentication.k8s.io/v1"
#define ANSWER(status) "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"

static int setup(void **state)
{
    *state = scratch_new();
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

/* A script that runs in the folder. */
static void write_plugin(const char *dir, const char *body)
{
    _cleanup_(freep) char *text = xasprintf("#!/bin/sh\ncd '%s'\n%s\n", dir, body);

    scratch_write(dir, "plugin", text, 0700);
}

static struct kube_config *config_for(const char *dir, const char *command, const char *hint)
{
    struct kube_config *config = xcalloc(1, sizeof(*config));

    config->source = xstrdup("test");
    config->server = xstrdup("https://api.example:6443");
    config->exec = xcalloc(1, sizeof(*config->exec));
    config->exec->api_version = xstrdup(V1);
    config->exec->command = strchr(command, '/') ? xstrdup(command) : scratch_path(dir, command);
    config->exec->install_hint = xstrdup(hint);
    return config;
}

static char **pair(const char *a, const char *b)
{
    char **list = xcalloc(3, sizeof(*list));

    list[0] = xstrdup(a);
    list[1] = xstrdup(b);
    return list;
}

struct outcome {
    struct kube_credential credential;
    struct err err;
    int r;
};

static struct outcome run_config(const struct kube_config *config, int64_t timeout_ms, struct http_cancel *cancel)
{
    struct kube_plugin *plugin = kube_plugin_new(config);
    struct outcome o = {.err = ERR_INIT};

    o.r = kube_plugin_run(plugin, timeout_ms, cancel, &o.credential, &o.err);
    plugin = kube_plugin_free(plugin);
    return o;
}

static struct outcome run(const char *dir, const char *body)
{
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);

    write_plugin(dir, body);
    return run_config(config, 60000, NULL);
}

static char *read_text(const char *dir, const char *name)
{
    _cleanup_(freep) char *path = scratch_path(dir, name);
    char text[4096] = "";
    FILE *f = fopen(path, "r");

    if (f) {
        text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
        (void)fclose(f);
    }
    return xstrdup(text);
}

/* --- the program --- */

static void a_plugin_gets_its_arguments_its_environment_and_the_task(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);

    (void)setenv("HOME", "/original", 1);
    (void)setenv("KEPT", "kept", 1);
    (void)setenv("KUBERNETES_EXEC_INFO", "from outside", 1);
    write_plugin(dir, "printf '%s|%s|%s|%s|%s|%s' \"$1\" \"$2\" \"$REGION\" \"$HOME\" \"$KEPT\" \"$(cat)\" >seen\n"
                      "printf '%s' \"$KUBERNETES_EXEC_INFO\" >info\n"
                      "echo '" ANSWER("\"token\":\"abc\"") "'");
    config->exec->args = pair("get-token", "two words");
    config->exec->env = pair("REGION=west", "HOME=/nowhere");
    struct outcome o = run_config(config, 60000, NULL);
    assert_int_equal(o.r, 0);
    assert_string_equal(secret_reveal(o.credential.token), "abc");
    assert_null(o.credential.cert_pem);
    assert_true(o.credential.expires_wall_ms == INT64_MAX);
    kube_credential_done(&o.credential);
    _cleanup_(freep) char *seen = read_text(dir, "seen");
    _cleanup_(freep) char *info = read_text(dir, "info");
    assert_string_equal(seen, "get-token|two words|west|/nowhere|kept|"); /* and nothing on standard input */
    assert_string_equal(
        info, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"spec\":{\"interactive\":false}}");

    config->exec->provide_cluster_info = true;
    config->ca_pem = xstrdup("PEM");
    config->proxy = xstrdup("http://p");
    o = run_config(config, 60000, NULL);
    assert_int_equal(o.r, 0);
    kube_credential_done(&o.credential);
    _cleanup_(freep) char *more = read_text(dir, "info");
    assert_non_null(strstr(more, "\"cluster\":{\"server\":\"https://api.example:6443\",\"proxy-url\":\"http://p\","
                                 "\"certificate-authority-data\":\"UEVN\"}"));
}

static void a_missing_plugin_comes_with_the_hint_how_to_get_it(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "not-there", "Install it from x.");
    struct outcome o = run_config(config, 60000, NULL);

    assert_int_equal(o.r, -1);
    assert_int_equal(o.err.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(o.err.msg, "/not-there: cannot run"));
    assert_non_null(strstr(o.err.msg, "No such file or directory. Install it from x."));
    str_replace(&config->exec->command, "sh"); /* a bare name is looked for in $PATH */
    config->exec->args = pair("-c", "exit 127");
    o = run_config(config, 60000, NULL);
    assert_int_equal(o.r, -1);
    assert_string_equal(
        o.err.msg, "credential plugin sh: sh, or a program that it uses, was not found. Install it from x.");
}

static void a_plugin_that_fails_is_named_with_its_exit_status(void **state)
{
    struct outcome o = run(*state, "echo '" ANSWER("\"token\":\"hunter2\"") "'; exit 3");

    assert_int_equal(o.r, -1);
    assert_int_equal(o.err.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(o.err.msg, "exit status 3"));
    assert_null(strstr(o.err.msg, "hunter2"));
    o = run(*state, "kill -9 $$");
    assert_int_equal(o.r, -1);
    assert_non_null(strstr(o.err.msg, "signal 9"));
}

static void what_a_plugin_prints_has_a_cap(void **state)
{
    struct outcome o = run(*state, "exec cat /dev/zero");

    assert_int_equal(o.r, -1);
    assert_non_null(strstr(o.err.msg, "printed more than 1048576 bytes"));
}

static bool is_gone(const char *dir, const char *name)
{
    _cleanup_(freep) char *text = read_text(dir, name);
    int64_t pid = 0;

    text[strcspn(text, "\n")] = '\0';
    (void)str_to_i64(text, 2, INT32_MAX, &pid);
    assert_true(pid > 0);
    for (int i = 0; i < 400; i++) {
        if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            return true;
        _cleanup_(freep) char *stat = xasprintf("/proc/%d/stat", (int)pid);
        _cleanup_(freep) char *line = read_text("", stat + 1);
        if (strstr(line, ") Z ")) /* killed, and waiting for an init that may not care */
            return true;
        clock_sleep_ms(25);
    }
    return false;
}

static void a_plugin_that_hangs_is_killed_with_its_children(void **state)
{
    const char *dir = *state;
    static const char *const bodies[] = {
        "sleep 1000 & echo $! >child; wait",
        "sleep 1000 >/dev/null & echo $! >child; exec >&-; wait", /* its output is closed, but it stays */
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);
        write_plugin(dir, bodies[i]);
        struct outcome o = run_config(config, 3000, NULL);
        assert_int_equal(o.r, -1);
        assert_int_equal(o.err.kind, ERR_UNAUTHORIZED);
        assert_non_null(strstr(o.err.msg, "did not end within 3 s"));
        assert_true(is_gone(dir, "child"));
    }
}

static void *cancel_soon(void *cancel)
{
    clock_sleep_ms(100);
    http_cancel_trigger(cancel);
    return NULL;
}

static void a_plugin_can_be_called_off(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);
    struct http_cancel *cancel = http_cancel_new();
    int64_t start_ms = clock_mono_ms();
    pthread_t thread;

    write_plugin(dir, "exec sleep 1000");
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
    struct outcome o = run_config(config, 600000, cancel);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(o.r, -1);
    assert_int_equal(o.err.kind, ERR_CANCELLED);
    assert_true(clock_mono_ms() - start_ms < 100000);
    cancel = http_cancel_free(cancel);
}

static void answers_that_cannot_be_used_are_told_apart_and_never_shown(void **state)
{
    static const struct {
        const char *answer, *part;
    } rows[] = {
        {"", "not JSON"},
        {"hunter2", "not JSON"},
        {"{\"token\":\"hunter2\"}", "not an ExecCredential"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
         "\"status\":{\"token\":\"hunter2\"}}",
            "another apiVersion"},
        {ANSWER(""), "neither status.token nor"},
        {ANSWER("\"token\":\"\""), "neither status.token nor"},
        {ANSWER("\"token\":7"), "neither status.token nor"},
        {ANSWER("\"token\":\"hunter2\\r\\nX: y\""), "characters that no token has"},
        {ANSWER("\"token\":\"hunter2\",\"expirationTimestamp\":\"tomorrow\""), "expirationTimestamp is no time"},
        {ANSWER("\"token\":\"hunter2\",\"expirationTimestamp\":7"), "expirationTimestamp is no time"},
        {ANSWER("\"clientCertificateData\":\"hunter2\""), "a certificate needs its key"},
        {ANSWER("\"token\":\"t\",\"clientKeyData\":\"hunter2\""), "a certificate needs its key"},
    };
    const char *dir = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("  %s\n", rows[i].answer);
        scratch_write(dir, "answer", rows[i].answer, 0);
        struct outcome o = run(dir, "cat answer");
        assert_int_equal(o.r, -1);
        assert_int_equal(o.err.kind, ERR_UNAUTHORIZED);
        assert_non_null(strstr(o.err.msg, rows[i].part));
        assert_null(strstr(o.err.msg, "hunter2"));
    }
}

static void a_certificate_and_an_expiry_are_taken_over(void **state)
{
    const char *dir = *state;

    scratch_write(dir, "answer",
        ANSWER(
            "\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\",\"expirationTimestamp\":\"1970-01-01T00:00:07Z\""),
        0);
    struct outcome o = run(dir, "cat answer");
    assert_int_equal(o.r, 0);
    assert_null(o.credential.token);
    assert_string_equal(o.credential.cert_pem, "C");
    assert_string_equal(secret_reveal(o.credential.key_pem), "K");
    assert_int_equal(o.credential.expires_wall_ms, 7000);
    kube_credential_done(&o.credential);
}

/* --- credentials --- */

static char *token_now(struct kube_credentials *credentials, struct err *err)
{
    struct http_token_source source = kube_credentials_tokens(credentials);
    _cleanup_(secret_unrefp) struct secret *token = NULL;

    *err = ERR_INIT;
    if (source.token(source.ctx, &token, NULL, err) < 0)
        return xstrdup("(none)");
    return xstrdup(secret_reveal(token));
}

#define assert_token(credentials, expected)                                                                            \
    do {                                                                                                               \
        struct err err_;                                                                                               \
        _cleanup_(freep) char *token_ = token_now(credentials, &err_);                                                 \
        assert_string_equal(token_, expected);                                                                         \
    } while (0)

static void reject(struct kube_credentials *credentials, const char *text)
{
    struct http_token_source source = kube_credentials_tokens(credentials);
    _cleanup_(secret_unrefp) struct secret *token = secret_new(text, strlen(text));

    source.rejected(source.ctx, token);
}

static void a_plugin_runs_again_when_its_token_is_refused_or_expired_and_not_before(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);
    _cleanup_(kube_credentials_freep) struct kube_credentials *credentials = NULL;
    struct err err;

    /* Counts its runs; the third answer has expired already. */
    write_plugin(dir, "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n\n"
                      "if [ $n = 3 ]; then e=2001-01-01T00:00:00Z; else e=2199-01-01T00:00:00Z; fi\n"
                      "echo '{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t'$n'\","
                      "\"expirationTimestamp\":\"'$e'\"}}'");
    assert_int_equal(kube_credentials_new(&credentials, config, &err), 0);
    assert_token(credentials, "t1");
    assert_token(credentials, "t1");
    reject(credentials, "somebody else's");
    assert_token(credentials, "t1");
    reject(credentials, "t1");
    reject(credentials, "t1");
    assert_token(credentials, "t2");
    reject(credentials, "t1"); /* a late answer to the old one */
    assert_token(credentials, "t2");
    reject(credentials, "t2");
    assert_token(credentials, "t3");
    assert_token(credentials, "t4");
    assert_token(credentials, "t4");
}

static void a_plugin_that_recovers_is_asked_again(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = config_for(dir, "plugin", NULL);
    _cleanup_(kube_credentials_freep) struct kube_credentials *credentials = NULL;
    struct err err;

    write_plugin(dir, "exit 1");
    assert_int_equal(kube_credentials_new(&credentials, config, &err), 0);
    assert_token(credentials, "(none)");
    write_plugin(dir, "echo '" ANSWER("\"token\":\"abc\"") "'");
    assert_token(credentials, "abc");
}

static void a_token_file_is_read_again_after_a_401_and_not_for_each_request(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *config = xcalloc(1, sizeof(*config));
    _cleanup_(kube_credentials_freep) struct kube_credentials *credentials = NULL;
    struct err err;

    config->token_file = scratch_path(dir, "token");
    config->token = secret_new("static", 6); /* the file wins */
    assert_int_equal(kube_credentials_new(&credentials, config, &err), 0);
    _cleanup_(freep) char *none = token_now(credentials, &err);
    assert_string_equal(none, "(none)");
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(err.msg, config->token_file));

    scratch_write(dir, "token", "  one\n", 0);
    assert_token(credentials, "one");
    scratch_write(dir, "token", "two\n", 0);
    assert_token(credentials, "one"); /* a minute has not passed */
    reject(credentials, "one");
    assert_token(credentials, "two");
    assert_int_equal(unlink(config->token_file), 0);
    reject(credentials, "two");
    assert_token(credentials, "two"); /* better than nothing */
    scratch_write(dir, "token", "two words", 0);
    reject(credentials, "two");
    assert_token(credentials, "two");
}

static void a_token_file_without_one_token_is_an_error(void **state)
{
    static const char *const texts[] = {"", " \n", "a b", "a\nb\n"};
    const char *dir = *state;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_(kube_config_freep) struct kube_config *config = xcalloc(1, sizeof(*config));
        _cleanup_(kube_credentials_freep) struct kube_credentials *credentials = NULL;
        struct err err;
        config->token_file = scratch_path(dir, "token");
        scratch_write(dir, "token", texts[i], 0);
        assert_int_equal(kube_credentials_new(&credentials, config, &err), 0);
        _cleanup_(freep) char *token = token_now(credentials, &err);
        assert_string_equal(token, "(none)");
        assert_non_null(strstr(err.msg, "does not hold one token"));
    }
}

static void a_bad_certificate_is_reported_when_the_client_is_made(void **state)
{
    _cleanup_(kube_config_freep) struct kube_config *config = xcalloc(1, sizeof(*config));
    struct kube_credentials *credentials = NULL;
    struct err err;
    (void)state;

    config->source = xstrdup("/f, context c");
    config->ca_pem = xstrdup("no certificate");
    assert_int_equal(kube_credentials_new(&credentials, config, &err), -1);
    assert_null(credentials);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "/f, context c: "));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_plugin_gets_its_arguments_its_environment_and_the_task),
        T(a_missing_plugin_comes_with_the_hint_how_to_get_it),
        T(a_plugin_that_fails_is_named_with_its_exit_status),
        T(what_a_plugin_prints_has_a_cap),
        T(a_plugin_that_hangs_is_killed_with_its_children),
        T(a_plugin_can_be_called_off),
        T(answers_that_cannot_be_used_are_told_apart_and_never_shown),
        T(a_certificate_and_an_expiry_are_taken_over),
        T(a_plugin_runs_again_when_its_token_is_refused_or_expired_and_not_before),
        T(a_plugin_that_recovers_is_asked_again),
        T(a_token_file_is_read_again_after_a_401_and_not_for_each_request),
        T(a_token_file_without_one_token_is_an_error),
        T(a_bad_certificate_is_reported_when_the_client_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
