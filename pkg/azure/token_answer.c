/* Reading and wiping of answers that hold a token; no network here. Formats: Microsoft Entra documentation, "OAuth 2.0
 * client credentials flow" and "How to use managed identities for Azure resources on an Azure VM to acquire a token".
 */
#include "azure/token_answer.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define TOKEN_MAX ((size_t)64 * 1024)
#define LIFETIME_MAX_S ((int64_t)7 * 24 * 3600)

bool token_is_usable(const char *token)
{
    size_t n = strlen(token);

    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return n > 0 && n <= TOKEN_MAX;
}

static bool read_lifetime(const cJSON *tree, int64_t wall_ms, int64_t *ret_s)
{
    int64_t expires_on_s;

    if (!json_int(json_member(tree, "expires_in"), true, ret_s)) {
        if (!json_int(json_member(tree, "expires_on"), true, &expires_on_s))
            return false;
        *ret_s = expires_on_s - wall_ms / 1000;
    }
    if (*ret_s > LIFETIME_MAX_S)
        *ret_s = LIFETIME_MAX_S;
    return *ret_s > 0;
}

int token_answer_read(const cJSON *tree, const char *whom, bool type_required, int64_t wall_ms, struct secret **ret,
    int64_t *ret_lifetime_ms, struct err *err)
{
    const char *type = json_string_at(tree, "token_type"), *token = json_string_at(tree, "access_token");
    int64_t seconds = 0;

    if (!token || !token_is_usable(token))
        return err_set(err, ERR_PROTOCOL, "%s's answer has no usable access_token", whom);
    if ((type || type_required) && !str_eq_nocase(type, "Bearer"))
        return err_set(err, ERR_PROTOCOL, "%s's answer has a token_type other than Bearer", whom);
    if (!read_lifetime(tree, wall_ms, &seconds))
        return err_set(err, ERR_PROTOCOL, "%s's answer has no usable expires_in or expires_on", whom);
    *ret_lifetime_ms = seconds * 1000;
    *ret = secret_new(token, strlen(token));
    return 0;
}

void token_answer_wipe(cJSON *tree, const char *name)
{
    const cJSON *token = tree ? json_member(tree, name) : NULL;

    if (token && cJSON_IsString(token))
        secret_wipe(token->valuestring, strlen(token->valuestring));
}

struct buf token_buf(size_t max)
{
    struct buf b = BUF_INIT(max);

    b.cap = max + 1;
    b.data = xcalloc(b.cap, 1);
    return b;
}

void token_buf_wipe(struct buf *b)
{
    secret_wipe(b->data, b->cap);
    buf_done(b);
}

void token_one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
}
