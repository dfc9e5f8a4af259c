/* POST {authority}/{tenant}/oauth2/v2.0/token and what comes back.
 *
 * Format: Microsoft Entra documentation, "OAuth 2.0 client credentials flow". Numbers may come as strings. Nothing of
 * an answer that is not the documented JSON gets into an error: a proxy's page may hold anything. */
#include "azure/entra.h"

#include "azure/token_answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX ((size_t)256 * 1024)
#define TIMEOUT_MS 30000
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static void put_field(struct buf *form, const char *name, const char *value)
{
    if (form->len)
        buf_putc(form, '&');
    buf_puts(form, name);
    buf_putc(form, '=');
    buf_put_urlencoded(form, value);
}

static struct buf build_form(const struct entra_request *request)
{
    size_t values = strlen(request->client_id) + strlen(request->scope) + secret_len(request->credential);
    struct buf form = token_buf(3 * values + 512);

    put_field(&form, "client_id", request->client_id);
    put_field(&form, "scope", request->scope);
    put_field(&form, "grant_type", "client_credentials");
    if (request->is_assertion)
        put_field(&form, "client_assertion_type", ASSERTION_TYPE);
    put_field(&form, request->is_assertion ? "client_assertion" : "client_secret", secret_reveal(request->credential));
    return form;
}

/* --- refusals --- */

/* "AADSTS7000215" out of "AADSTS7000215: Invalid client secret provided. ...", else the number in error_codes, else the
 * OAuth word. */
static void find_code(const cJSON *tree, const char *description, char *ret, size_t size)
{
    size_t n = strlen("AADSTS");
    const cJSON *codes = json_member(tree, "error_codes");
    int64_t number;

    if (str_has_prefix(description, "AADSTS")) {
        while (ascii_isdigit(description[n]))
            n++;
        (void)snprintf(ret, size, "%.*s", n < 32 ? (int)n : 32, description);
    } else if (json_int(codes ? codes->child : NULL, true, &number)) {
        (void)snprintf(ret, size, "AADSTS%lld", (long long)number);
    } else {
        const char *error = json_string_at(tree, "error");
        (void)str_copy(ret, size, error ? error : "");
    }
}

/* Does the peer's text repeat what we sent it? Both as it is and as it was sent. */
static bool repeats_credential(const struct entra_request *request, const char *text, size_t len)
{
    const char *secret = secret_reveal(request->credential);
    size_t n = secret_len(request->credential);
    _cleanup_(token_buf_wipe) struct buf encoded = token_buf(3 * n);

    buf_put_urlencoded(&encoded, secret);
    return n > 0 && (memmem(text, len, secret, n) || memmem(text, len, encoded.data, encoded.len));
}

static enum err_kind kind_of_refusal(int status, const char *error)
{
    if (status == 429)
        return ERR_THROTTLED;
    if (status >= 500 || status == 408 || str_eq(error, "temporarily_unavailable") || str_eq(error, "server_error"))
        return ERR_UNAVAILABLE;
    return ERR_UNAUTHORIZED;
}

static int refused(const struct entra_request *request, int status, const cJSON *tree, struct err *err)
{
    const char *error = json_string_at(tree, "error"), *description = json_string_at(tree, "error_description");
    char code[sizeof(err->code)];

    if (!error && !description)
        return err_set(err, kind_of_refusal(status, NULL), "the token endpoint answered %d without saying why", status);
    description = description ? description : "";
    find_code(tree, description, code, sizeof(code));
    token_one_line(code);
    /* After the first line come trace id, correlation id and time stamp. */
    _cleanup_(freep) char *line = xstrndup(description, strcspn(description, "\r\n"));
    token_one_line(line);
    if (repeats_credential(request, description, strlen(description)) ||
        repeats_credential(request, error ? error : "", error ? strlen(error) : 0)) {
        str_replace(&line, "(its text is withheld because it repeats the credential)");
        (void)str_copy(code, sizeof(code), "");
    }
    enum err_kind kind = kind_of_refusal(status, error);
    (void)err_set(err, kind, "Entra ID %s: %s",
        kind == ERR_UNAUTHORIZED ? "refused the credential" : "cannot answer now", *line ? line : code);
    (void)str_copy(err->code, sizeof(err->code), code);
    return -1;
}

/* --- answers --- */

static void wipe_and_free(cJSON **tree)
{
    token_answer_wipe(*tree, "access_token");
    *tree = json_free(*tree);
}

static int not_json(const struct http_response *response, struct err *err)
{
    char type[128] = "";
    enum err_kind kind = kind_of_refusal(response->status, NULL);
    const char *hint = "is a proxy or a sign-in page in between, or is AZURE_AUTHORITY_HOST wrong?";

    (void)http_response_header(response, "content-type", type, sizeof(type));
    bool html = str_find_nocase(type, "html") || str_has_prefix(buf_str(&response->body), "<");
    return err_set(err, kind == ERR_UNAUTHORIZED ? ERR_PROTOCOL : kind, "the token endpoint answered %d with %s: %s",
        response->status, html ? "an HTML page instead of JSON" : "something that is not JSON", hint);
}

static int read_answer(const struct entra_request *request, const struct http_response *response, struct secret **ret,
    int64_t *ret_lifetime_ms, struct err *err)
{
    _cleanup_(wipe_and_free) cJSON *tree = NULL;
    int status = response->status;

    if (status >= 300 && status < 400)
        return err_set(err, ERR_PROTOCOL,
            "the token endpoint answered %d, a redirect, which is never followed: is AZURE_AUTHORITY_HOST right?",
            status);
    if (json_parse(&tree, buf_str(&response->body), response->body.len, NULL) < 0 || !cJSON_IsObject(tree))
        return not_json(response, err);
    if (status != 200)
        return refused(request, status, tree, err);
    return token_answer_read(tree, "the token endpoint", true, clock_wall_ms(), ret, ret_lifetime_ms, err);
}

char *entra_token_url(const char *authority_host, const char *tenant_id)
{
    return xasprintf("%s/%s/oauth2/v2.0/token", authority_host, tenant_id);
}

int entra_token(const struct entra_request *request, struct secret **ret, int64_t *ret_lifetime_ms, struct err *err)
{
    _cleanup_(token_buf_wipe) struct buf form = build_form(request);
    _cleanup_(freep) char *url = entra_token_url(request->authority_host, request->tenant_id);
    struct http_response response;
    struct http_request post = {
        .method = "POST",
        .url = url,
        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
        .body = form.data,
        .body_len = form.len,
        .timeout_ms = TIMEOUT_MS,
        .max_body = ANSWER_MAX,
        .tls = request->tls,
        .proxy = request->proxy,
        .cancel = request->cancel,
        .label = "entra token",
    };

    http_response_init(&response);
    int r = http_do(request->http, &post, &response, err);
    if (r == 0)
        r = read_answer(request, &response, ret, ret_lifetime_ms, err);
    if (r < 0 && err && response.status) {
        err->http_status = response.status;
        err->retry_after_ms = http_response_retry_after_ms(&response, clock_wall_ms());
    }
    secret_wipe(response.body.data, response.body.cap);
    http_response_done(&response);
    return r;
}
