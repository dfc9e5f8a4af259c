#include "cmk/key_status.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define HEALTHY "Access to the configured customer managed key confirmed"

/* What to do for each documented code (Microsoft's troubleshooting guide for customer-managed keys). */
static const struct {
    const char *code, *todo;
} advice[] = {
    {"4000", "make sure that the account's default identity still exists and can get tokens"},
    {"4002", "give the default identity Get, Wrap Key and Unwrap Key on the key again (an access policy, or the role "
             "Key Vault "
             "Crypto Service Encryption User)"},
    {"4003", "recover the deleted key in the vault, or set spec.keyVaultKeyUri to another key once access is back"},
    {"4005", "make sure that the key is enabled, not expired, and may wrap and unwrap"},
    {"4006", "the account's key URI is malformed: ask Azure's support"},
    {"4009", "make sure that the vault exists and that its name resolves"},
    {"4015", "set the account's default identity again"},
    {"4016", "let trusted Microsoft services through the vault's firewall"},
    {"4017", "recover the deleted vault"},
    {"4018", "enable the key, or make a new version of it that is not expired"},
};

enum cmk_truth cmk_key_access(const struct cmk_account *account)
{
    if (str_empty(account->cmk_status) || str_empty(account->key_uri))
        return CMK_UNKNOWN;
    return str_has_prefix_nocase(account->cmk_status, HEALTHY) ? CMK_TRUE : CMK_FALSE;
}

void cmk_key_code(const char *text, char ret[static CMK_KEY_CODE_SIZE])
{
    ret[0] = '\0';
    for (const char *p = text; p && (p = strchr(p, '(')); p++)
        if (p[1] == '4' && ascii_isdigit(p[2]) && ascii_isdigit(p[3]) && ascii_isdigit(p[4]) && p[5] == ')') {
            memcpy(ret, p + 1, 4);
            ret[4] = '\0';
            return;
        }
}

static const char *advice_for(const struct cmk_account *account, const char *code)
{
    for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
        if (str_eq(code, advice[i].code))
            return advice[i].todo;
    if (str_find_nocase(account->cmk_status, "disabled or expired"))
        return "enable the key, or make a new version of it that is not expired";
    return "see Azure's words and its troubleshooting guide for customer-managed keys";
}

void cmk_say_key_lost(const struct cmk_account *account, char *ret, size_t size)
{
    char code[CMK_KEY_CODE_SIZE];

    cmk_key_code(account->cmk_status, code);
    (void)snprintf(ret, size,
        "Azure has lost access to the key %s%s%s, and the account's data cannot be read or written: %s; it takes up to "
        "an hour to "
        "show that access is back. Azure says: %s",
        account->key_uri ? account->key_uri : "-", code[0] ? " with code " : "", code, advice_for(account, code),
        account->cmk_status ? account->cmk_status : "-");
}
