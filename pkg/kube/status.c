/* Error answers of the API server.
 *
 * The message is the server's own: it names the object and the right that is missing, better than we could. Control
 * characters are taken out, because it goes into logs and conditions. */
#include "kube/status.h"

#include "base/str.h"

#include <string.h>

#define MAX_RETRY_AFTER_S 3600

static enum err_kind kind_of(int http_status, const char *reason)
{
    switch (http_status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return str_eq(reason, "AlreadyExists") ? ERR_EXISTS : ERR_CONFLICT;
    case 410:
        return ERR_GONE;
    case 429:
        return ERR_THROTTLED;
    default:
        return http_status >= 500 && http_status <= 599 ? ERR_UNAVAILABLE : ERR_PROTOCOL;
    }
}

static void clean(char *text)
{
    size_t n;

    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    for (n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
        text[n - 1] = '\0';
}

static int fail(int http_status, const char *reason, const char *message, struct err *err)
{
    if (!err)
        return -1;
    if (str_empty(message))
        (void)err_set(err, kind_of(http_status, reason), "the API server answered %d%s%s without a message",
            http_status, reason ? " " : "", reason ? reason : "");
    else
        (void)err_set(err, kind_of(http_status, reason), "%s", message);
    clean(err->msg);
    if (str_empty(err->msg)) /* it was blank */
        return fail(http_status, reason, NULL, err);
    err->http_status = http_status;
    err->maybe_sent = http_status >= 500; /* a timed-out write may have been done */
    if (reason && !str_copy(err->code, sizeof(err->code), reason))
        err->code[0] = '\0';
    clean(err->code);
    return -1;
}

int kube_status_fail(const cJSON *status, int http_status, struct err *err)
{
    int64_t code = 0, seconds;
    const char *reason = json_string_at(status, "reason");

    if (http_status == 0 && json_int(json_member(status, "code"), false, &code) && code >= 100 && code <= 599)
        http_status = (int)code;
    if (http_status == 0)
        http_status = str_eq(reason, "Expired") || str_eq(reason, "Gone") ? 410 : 500;
    (void)fail(http_status, reason, json_string_at(status, "message"), err);
    if (err && json_int(json_at(status, "details.retryAfterSeconds"), false, &seconds) && seconds > 0)
        err->retry_after_ms = (seconds < MAX_RETRY_AFTER_S ? seconds : MAX_RETRY_AFTER_S) * 1000;
    return -1;
}

int kube_status_fail_body(const char *body, size_t len, int http_status, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    char start[200];
    size_t n = len < sizeof(start) - 1 ? len : sizeof(start) - 1;

    if (json_parse(&tree, body, len, NULL) == 0 && str_eq(json_string_at(tree, "kind"), "Status"))
        return kube_status_fail(tree, http_status, err);
    if (http_status >= 300 && http_status < 400)
        return fail(http_status, NULL, "the API server answered with a redirect, which is never followed", err);
    if (n == 0 || *body == '<' || *body == '{') /* a page for browsers, or a document we know nothing of */
        return fail(http_status, NULL, NULL, err);
    memcpy(start, body, n);
    start[n] = '\0';
    if (!utf8_valid(start, n))
        return fail(http_status, NULL, NULL, err);
    return fail(http_status, NULL, start, err);
}
