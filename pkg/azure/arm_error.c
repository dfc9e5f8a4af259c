/* From a status and a body to a kind and a sentence.
 *
 * Everything in a body is somebody else's text: parsed with the strict parser (also the JSON inside a message), never
 * trusted to be short, printable or of the right type. What cannot be read is left out, because the status alone
 * already decides the kind. */
#include "azure/arm_error.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define MESSAGE_MAX ((size_t)2048)
#define CODE_MAX ((size_t)95) /* what struct err holds */

void arm_error_done(struct arm_error *error)
{
    free(error->code);
    free(error->message);
    *error = (struct arm_error){0};
}

int arm_json_parse(cJSON **ret, const char *body, size_t len, struct err *err)
{
    if (len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0)
        body += 3, len -= 3;
    return json_parse(ret, body ? body : "", len, err);
}

/* --- the text --- */

/* Runs of white space and control bytes become one space; none at the ends. In place. */
static void squeeze(char *s)
{
    char *to = s;

    for (const char *from = s; *from; from++) {
        bool blank = (unsigned char)*from <= ' ' || *from == 0x7f;
        if (!blank)
            *to++ = *from;
        else if (to > s && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to > s && to[-1] == ' ')
        to--;
    *to = '\0';
}

/* "...\r\nActivityId: GUID, Microsoft.Azure.Documents.Common/2.14.0, ..." says nothing to a reader of the sentence. A
 * message that has nothing else is kept. */
static void drop_tails(char *s)
{
    static const char *const tails[] = {
        "ActivityId:", "Microsoft.Azure.Documents.Common/", "For more details please go to https://aka.ms/"};

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        const char *found = str_find_nocase(s, tails[i]);
        size_t n = found ? (size_t)(found - s) : 0;
        while (n > 0 && strchr(" ,\r\n\t", s[n - 1]))
            n--;
        if (n > 0)
            s[n] = '\0';
    }
}

static void cut(char *s, size_t max)
{
    if (strnlen(s, max + 1) <= max)
        return;
    size_t n = max - 3;
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
        n--;
    memcpy(s + n, "...", 4);
}

/* The vault's error inside a message, parsed; NULL when there is none. *ret_from and *ret_to: where it stands. */
static cJSON *find_nested(const char *message, const char **ret_from, const char **ret_to)
{
    const char *from = strchr(message, '{'), *to = strrchr(message, '}');
    cJSON *tree = NULL;

    if (!from || !to || to < from)
        return NULL;
    _cleanup_(freep) char *text = xstrndup(from, (size_t)(to - from) + 1);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ') /* its line breaks may have been unescaped on the way */
            *p = ' ';
    if (json_parse(&tree, text, strlen(text), NULL) < 0)
        return NULL;
    *ret_from = from;
    *ret_to = to + 1;
    return tree;
}

/* "... Error: {"error":{"code":"Forbidden","message":"M","innererror":{"code":"ForbiddenByFirewall"}}} ..." becomes
 * "... Error: M (Forbidden, ForbiddenByFirewall) ...". Not repeated on M: one level is what services do. */
static char *unwrap(char *message)
{
    const char *from = NULL, *to = NULL;
    _cleanup_(json_freep) cJSON *tree = find_nested(message, &from, &to);
    const char *text = json_string_at(tree, "error.message"), *code = json_string_at(tree, "error.code");
    const char *inner = json_string_at(tree, "error.innererror.code");

    if (!text)
        return message;
    char *plain = xasprintf("%.*s%s%s%s%s%s%s%s", (int)(from - message), message, text, code || inner ? " (" : "",
        code ? code : "", code && inner ? ", " : "", inner ? inner : "", code || inner ? ")" : "", to);
    free(message);
    return plain;
}

static char *readable(const char *text)
{
    char *s = unwrap(xstrdup(text));

    drop_tails(s);
    squeeze(s);
    cut(s, MESSAGE_MAX);
    return s;
}

/* --- the envelopes --- */

static const char *either(const cJSON *object, const char *name, const char *other)
{
    const char *s = json_string_at(object, name);

    return s ? s : json_string_at(object, other);
}

bool arm_error_find(const cJSON *tree, struct arm_error *ret)
{
    const cJSON *inner = json_member(tree, "error");
    const cJSON *source = cJSON_IsObject(inner) ? inner : tree;
    /* Azure Monitor's service capitalises. */
    const char *code = either(source, "code", "Code"), *message = either(source, "message", "Message");

    *ret = (struct arm_error){0};
    if (!str_empty(code)) {
        ret->code = xstrdup(code);
        squeeze(ret->code);
        cut(ret->code, CODE_MAX);
    }
    if (!str_empty(message))
        ret->message = readable(message);
    return ret->code || ret->message;
}

/* --- the kind --- */

static enum err_kind kind_of(int status, const struct arm_error *error)
{
    switch (status) {
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 408:
        return ERR_TIMEOUT;
    case 409: /* a resource lock stays until a person removes it */
        return str_eq_nocase(error->code, "ScopeLocked") ? ERR_FORBIDDEN : ERR_CONFLICT;
    case 412: /* two wordings are known, both have these words */
        return error->message && str_find_nocase(error->message, "exclusive lock") ? ERR_LOCKED : ERR_CONFLICT;
    case 429:
        return ERR_THROTTLED;
    }
    if (status >= 500)
        return ERR_UNAVAILABLE;
    return status >= 400 ? ERR_INVALID : ERR_PROTOCOL;
}

static void set_message(
    const struct arm_answer *answer, enum err_kind kind, const struct arm_error *error, struct err *err)
{
    if (error->message)
        (void)err_set(err, kind, "%s", error->message);
    else if (error->code)
        (void)err_set(err, kind, "Azure Resource Manager answered %d %s", answer->status, error->code);
    else if (answer->status >= 300 && answer->status < 400)
        (void)err_set(
            err, kind, "Azure Resource Manager answered %d, a redirect, which is never followed", answer->status);
    else
        (void)err_set(
            err, kind, "Azure Resource Manager answered %d without an error that can be read", answer->status);
}

int arm_error_set(const struct arm_answer *answer, struct err *err)
{
    _cleanup_(arm_error_done) struct arm_error error = {0};
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (!err)
        return -1;
    if (arm_json_parse(&tree, answer->body, answer->len, NULL) == 0)
        (void)arm_error_find(tree, &error);
    enum err_kind kind = kind_of(answer->status, &error);
    set_message(answer, kind, &error, err);
    (void)str_copy(err->code, sizeof(err->code), error.code ? error.code : "");
    err->http_status = answer->status;
    err->retry_after_ms = answer->retry_after_ms;
    /* A refusal is definite; a failure, or a gateway that gave up waiting, is not. */
    err->maybe_sent = answer->changes && (answer->status >= 500 || answer->status == 408 || answer->status < 400);
    return -1;
}
