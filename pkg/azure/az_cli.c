/* az account get-access-token, and what it prints.
 *
 * Its output holds the token: it is wiped, and none of it is in an error. What az says to people on standard error is
 * repeated in part (one line), unless it looks as if it held a token. expires_on (UTC, in seconds) came with az 2.54;
 * before it there is only expiresOn, in local time, which is why az runs with TZ=UTC. */
#include "azure/az_cli.h"

#include "azure/token_answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/run.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define OUTPUT_MAX ((size_t)256 * 1024)
#define ERRORS_MAX ((size_t)16 * 1024)

static void free_list(char ***list)
{
    free(*list); /* the strings are borrowed */
}

/* This process's, but for the time zone and what would make az print colours or ask questions. */
static char **environment(void)
{
    static const char *const ours[] = {"TZ=UTC", "AZURE_CORE_NO_COLOR=true", "AZURE_CORE_ONLY_SHOW_ERRORS=true"};
    size_t n = 0, used = 0;

    while (environ[n])
        n++;
    char **list = xcalloc(n + ARRAY_LEN(ours) + 1, sizeof(*list));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        list[used++] = (char *)ours[i];
    for (size_t i = 0; i < n; i++)
        if (!str_has_prefix(environ[i], "TZ=") && !str_has_prefix(environ[i], "AZURE_CORE_NO_COLOR=") &&
            !str_has_prefix(environ[i], "AZURE_CORE_ONLY_SHOW_ERRORS="))
            list[used++] = environ[i];
    return list;
}

static bool is_cancelled(const void *cancel)
{
    return http_cancel_triggered(cancel);
}

/* --- what it prints --- */

/* "2026-11-24 06:35:00.000000", which is UTC because we said so. */
static bool parse_expires_on_text(const char *text, int64_t *ret_wall_ms)
{
    char copy[64];

    if (!text || strlen(text) < strlen("2026-11-24 06:35:00") || strlen(text) > sizeof(copy) - 2)
        return false;
    (void)str_copy(copy, sizeof(copy), text);
    size_t n = strlen(copy);
    copy[10] = 'T';
    copy[n] = 'Z';
    copy[n + 1] = '\0';
    return time_parse_rfc3339(copy, ret_wall_ms);
}

static bool read_end(const cJSON *tree, int64_t *ret_wall_ms)
{
    int64_t seconds;

    if (json_int(json_member(tree, "expires_on"), true, &seconds) && seconds > 0 && seconds < INT64_MAX / 1000) {
        *ret_wall_ms = seconds * 1000;
        return true;
    }
    return parse_expires_on_text(json_string_at(tree, "expiresOn"), ret_wall_ms);
}

static void wipe_and_free(cJSON **tree)
{
    token_answer_wipe(*tree, "accessToken");
    *tree = json_free(*tree);
}

static int read_output(const struct buf *out, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err)
{
    _cleanup_(wipe_and_free) cJSON *tree = NULL;
    int64_t end_ms = 0, now_ms = clock_wall_ms();

    if (json_parse(&tree, buf_str(out), out->len, NULL) < 0 || !cJSON_IsObject(tree))
        return err_set(err, ERR_PROTOCOL, "az printed something that is not JSON");
    const char *token = json_string_at(tree, "accessToken");
    if (!token || !token_is_usable(token))
        return err_set(err, ERR_PROTOCOL, "az printed no usable accessToken");
    if (!read_end(tree, &end_ms))
        return err_set(err, ERR_PROTOCOL, "az did not say when its token expires");
    if (end_ms <= now_ms)
        return err_set(err, ERR_UNAUTHORIZED, "az gave a token that has expired: is the clock right?");
    *ret_lifetime_ms = end_ms - now_ms < (int64_t)24 * 3600 * 1000 ? end_ms - now_ms : (int64_t)24 * 3600 * 1000;
    *ret = secret_new(token, strlen(token));
    return 0;
}

/* Tokens are long and without blanks; what az says to people is neither. */
static bool may_hold_token(const char *text)
{
    for (const char *p = text; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (strcspn(p, " ") > 100)
            return true;
    return strstr(text, "eyJ") || str_find_nocase(text, "token\"") || str_find_nocase(text, "accessToken");
}

/* The line that begins with "ERROR:", else the last one that is not blank. The caller frees it. */
static char *words_of(const struct buf *errors)
{
    const char *best = "", *line = buf_str(errors);
    size_t best_len = 0;

    while (*line) {
        size_t n = strcspn(line, "\r\n");
        if (n > strspn(line, " \t"))
            best = line, best_len = n;
        if (str_has_prefix(line, "ERROR:"))
            break;
        line += n + strspn(line + n, "\r\n");
    }
    char *text = xstrndup(best, best_len < 300 ? best_len : 300);
    token_one_line(text);
    if (may_hold_token(text) || !utf8_valid(text, strlen(text)))
        str_replace(&text, "(its text is withheld because it may hold a token)");
    return text;
}

static int failed(int status, const struct buf *errors, struct err *err)
{
    const char *text = buf_str(errors);

    if (status == 127)
        return err_set(err, ERR_UNAUTHORIZED, "az, or a program that it uses, was not found");
    if (str_find_nocase(text, "az login") || str_find_nocase(text, "az account set"))
        return err_set(err, ERR_UNAUTHORIZED, "az is not logged in%s: run az login",
            str_find_nocase(text, "AADSTS") ? ", or its login has expired" : "");
    _cleanup_(freep) char *words = words_of(errors);
    return err_set(err, ERR_UNAUTHORIZED, "az failed with exit status %d%s%s", status, *words ? ": " : "", words);
}

/* It is an argument of a program that many people have as a shell script. */
static bool is_scope(const char *scope)
{
    for (const char *p = scope; *p; p++)
        if (!ascii_isalnum(*p) && !strchr("-_.:/", *p))
            return false;
    return *scope && *scope != '-';
}

int az_cli_token(const struct az_cli_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err)
{
    const char *argv[] = {request->program, "account", "get-access-token", "--output", "json", "--scope",
        request->scope, request->tenant_id ? "--tenant" : NULL, request->tenant_id, NULL};
    _cleanup_(token_buf_wipe) struct buf out = token_buf(OUTPUT_MAX), errors = token_buf(ERRORS_MAX);
    _cleanup_(free_list) char **envp = environment();
    const struct run run = {.argv = (char *const *)argv,
        .envp = envp,
        .timeout_ms = TIMEOUT_MS,
        .stopped = request->cancel ? is_cancelled : NULL,
        .ctx = request->cancel,
        .errors = &errors};

    if (!is_scope(request->scope))
        return err_set(err, ERR_INVALID, "the scope holds characters that are not passed to the az CLI");
    int status = run_program(&run, &out, err);
    if (status < 0 && err && err->kind == ERR_NOT_FOUND)
        return err_set(err, ERR_UNAUTHORIZED, "the az CLI is not installed: there is no %s in $PATH", request->program);
    if (status < 0)
        return -1;
    return status == 0 ? read_output(&out, ret, ret_lifetime_ms, err) : failed(status, &errors, err);
}
