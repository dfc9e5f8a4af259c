/* What the gateway says when it refuses, made into a kind and a sentence that names what to do.
 *
 * The body is {"code":…,"message":…}, the message often "Message: {\"Errors\":[\"…\"]}" with a tail for support staff;
 * a revoked key comes as {"Errors":["…"]} alone. All of it is somebody else's text, and may be anything. */
#include "azure/gateway_private.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define LOCAL_AUTH_DISABLED 5202
#define NOT_WITH_A_TOKEN 5300
#define ACTION_MISSING_FROM 5301
#define ACTION_MISSING_TO 5399
#define SESSION_NOT_AVAILABLE 1002 /* with 404: a replica that lags behind */

#define READER_ACTIONS                                                                                                 \
    "Microsoft.DocumentDB/databaseAccounts/readMetadata, "                                                             \
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery and .../containers/items/read"

static enum err_kind kind_of(int status, int substatus)
{
    switch (status) {
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return substatus == SESSION_NOT_AVAILABLE ? ERR_UNAVAILABLE : ERR_NOT_FOUND;
    case 408:
        return ERR_TIMEOUT;
    case 410:
        return ERR_GONE;
    case 429:
        return ERR_THROTTLED;
    case 449: /* "retry with": a conflict inside the service */
        return ERR_UNAVAILABLE;
    }
    if (status >= 500)
        return ERR_UNAVAILABLE;
    return status >= 400 ? ERR_INVALID : ERR_PROTOCOL;
}

/* The first of {"Errors":[…]}; its caller's, or NULL. */
static char *first_error(const cJSON *tree)
{
    const cJSON *errors = json_member(tree, "Errors");
    const cJSON *first = cJSON_IsArray(errors) ? errors->child : NULL;

    return first && cJSON_IsString(first) ? xstrdup(first->valuestring) : NULL;
}

/* "Message: {\"Errors\":[\"text\"]}" becomes "text". */
static void unwrap(char **message)
{
    const char *text = *message;
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (text && str_has_prefix(text, "Message: "))
        text += strlen("Message: ");
    if (!text || json_parse(&tree, text, strlen(text), NULL) < 0)
        return;
    char *plain = first_error(tree);
    if (!plain)
        return;
    free(*message);
    *message = plain;
}

static void find_error(const struct gateway_answer *answer, struct arm_error *ret)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, answer->body, answer->len, NULL) < 0)
        return;
    (void)arm_error_find(tree, ret);
    if (!ret->message)
        ret->message = first_error(tree);
    unwrap(&ret->message);
}

static bool says(const struct arm_error *error, const char *words)
{
    return error->message && str_find_nocase(error->message, words);
}

/* Refusals that a person can do something about. True when *err is filled. */
static bool explain(const struct gateway_answer *answer, const struct arm_error *error, struct err *err)
{
    const char *text = error->message ? error->message : "no reason given";

    if (answer->status != 401 && answer->status != 403)
        return false;
    if (answer->with_key &&
        (answer->substatus == LOCAL_AUTH_DISABLED || says(error, "local authorization is disabled")))
        (void)err_set(err, ERR_FORBIDDEN,
            "the account takes no keys (disableLocalAuth): let this identity read it with the role \"%s\" (%s) instead",
            GATEWAY_READER_ROLE, GATEWAY_READER_ROLE_ID);
    else if (answer->substatus == NOT_WITH_A_TOKEN || says(error, "cannot be authorized by AAD token"))
        (void)err_set(err, ERR_FORBIDDEN,
            "the account does not serve this request to an Entra token, only to an account key: %s", text);
    else if ((answer->substatus >= ACTION_MISSING_FROM && answer->substatus <= ACTION_MISSING_TO) ||
             says(error, "required RBAC permissions"))
        (void)err_set(err, ERR_FORBIDDEN,
            "this identity may not read the account's data: assign it the Cosmos DB role \"%s\" (%s) on the account, "
            "or "
            "one with the data actions " READER_ACTIONS ": %s",
            GATEWAY_READER_ROLE, GATEWAY_READER_ROLE_ID, text);
    else if (says(error, "not valid at the current time"))
        (void)err_set(err, ERR_FORBIDDEN,
            "the account does not accept the time of the request: is this machine's clock "
            "right? %s",
            text);
    else if (says(error, "firewall"))
        (void)err_set(err, ERR_FORBIDDEN,
            "the account's firewall does not let this process read its data: allow its address or connect it by a "
            "private endpoint: %s",
            text);
    else if (answer->status == 401 && answer->with_key)
        (void)err_set(err, ERR_UNAUTHORIZED, "the account refused its key: was it renewed meanwhile? %s", text);
    else
        return false;
    return true;
}

int gateway_error_set(const struct gateway_answer *answer, struct err *err)
{
    _cleanup_(arm_error_done) struct arm_error error = {0};

    if (!err)
        return -1;
    find_error(answer, &error);
    enum err_kind kind = kind_of(answer->status, answer->substatus);
    if (explain(answer, &error, err))
        ; /* said */
    else if (error.message)
        (void)err_set(err, kind, "%s", error.message);
    else
        (void)err_set(err, kind, "the Cosmos DB gateway answered %d (%d) without an error that can be read",
            answer->status, answer->substatus);
    (void)str_copy(err->code, sizeof(err->code), error.code ? error.code : "");
    err->http_status = answer->status;
    err->retry_after_ms = answer->retry_after_ms;
    return -1;
}
