/* What programs print that give us credentials: the az CLI, and a kubeconfig's exec plugin. run_program() of pkg/base
 * is replaced by one that prints the input; no program is started.
 *
 * Lines: the exit status (or a failure to run it at all); then standard output up to a line "--", then standard error.
 * Whatever is printed on standard output alone is in no error. */
#include "fuzz.h"

#include "azure/az_cli.h"
#include "azure/token_answer.h"
#include "base/run.h"
#include "base/str.h"
#include "kube/exec.h"

#define CANARY "canary.token-1"

static struct {
    int64_t status;
    const char *out, *errors;
    size_t out_len, errors_len;
} printed;

int run_program(const struct run *run, struct buf *out, struct err *err)
{
    FUZZ_CHECK(run->argv[0] && run->timeout_ms > 0);
    buf_add(out, printed.out, printed.out_len);
    if (run->errors)
        buf_add(run->errors, printed.errors, printed.errors_len);
    if (out->overflow)
        return err_set(err, ERR_TOO_LARGE, "%s printed too much", run->argv[0]);
    if (printed.status < 0)
        return err_set(err, ERR_TIMEOUT, "%s did not end in time", run->argv[0]);
    return (int)printed.status;
}

static void check_err(const struct err *err)
{
    FUZZ_CHECK(err->kind != ERR_NONE && *err->msg && fuzz_is_one_line(err->msg));
    FUZZ_CHECK(!strstr(err->msg, CANARY) || memmem(printed.errors, printed.errors_len, CANARY, strlen(CANARY)));
}

static void check_az(void)
{
    const struct az_cli_request request = {.program = "az", .scope = "https://management.azure.com/.default"};
    struct secret *token = NULL;
    int64_t lifetime_ms = 0;
    struct err err = ERR_INIT;

    if (az_cli_token(&request, &token, &lifetime_ms, &err) == 0) {
        FUZZ_CHECK(printed.status == 0 && token_is_usable(secret_reveal(token)));
        FUZZ_CHECK(lifetime_ms > 0 && lifetime_ms <= 24LL * 3600 * 1000);
    } else {
        FUZZ_CHECK(!token);
        check_err(&err);
    }
    (void)secret_unref(token);
}

static void check_plugin(void)
{
    static char version[] = "client.authentication.k8s.io/v1", command[] = "plugin", server[] = "https://k";
    static char *none[] = {NULL};
    struct kube_exec exec = {.api_version = version, .command = command, .args = none, .env = none};
    const struct kube_config config = {.server = server, .exec = &exec};
    struct kube_plugin *plugin = kube_plugin_new(&config);
    struct kube_credential credential;
    struct err err = ERR_INIT;

    if (kube_plugin_run(plugin, 1000, NULL, &credential, &err) == 0) {
        FUZZ_CHECK(printed.status == 0 && (credential.token || credential.cert_pem));
        FUZZ_CHECK(!credential.cert_pem == !credential.key_pem);
        FUZZ_CHECK(!credential.token || token_is_usable(secret_reveal(credential.token)));
    } else {
        FUZZ_CHECK(!credential.token && !credential.cert_pem && !credential.key_pem);
        check_err(&err);
    }
    kube_credential_done(&credential);
    (void)kube_plugin_free(plugin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *first = fuzz_line(&lines);
    const char *end = lines.left ? memmem(lines.at, lines.left, "\n--\n", 4) : NULL;

    printed.status = 0;
    (void)str_to_i64(first, -1, 255, &printed.status);
    printed.out = lines.at;
    printed.out_len = end ? (size_t)(end - lines.at) : lines.left;
    printed.errors = end ? end + 4 : lines.at + lines.left;
    printed.errors_len = end ? lines.left - printed.out_len - 4 : 0;
    check_az();
    check_plugin();
    return 0;
}
