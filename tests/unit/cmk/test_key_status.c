/* What Azure says about its access to the key, and what people are told. */
#include "scene.h"

#include "unit.h"

#include "base/mem.h"
#include "cmk/key_status.h"

#include <string.h>

#define REVOKED_BECAUSE(reason, anchor, code)                                                                          \
    "Access to your account is currently revoked because " reason                                                      \
    "; for more details about this error and how to restore access to "                                                \
    "your account please visit https://learn.microsoft.com/en-us/azure/cosmos-db/cmk-troubleshooting-guide" anchor     \
    " (" code ")."

static void every_documented_text_says_what_to_do(void **state)
{
    static const struct {
        const char *text;
        enum cmk_truth access;
        const char *code, *says;
    } table[] = {
        {NULL, CMK_UNKNOWN, "", NULL},
        {"", CMK_UNKNOWN, "", NULL},
        {CONFIRMED, CMK_TRUE, "", NULL},
        {"access to the configured Customer Managed Key confirmed", CMK_TRUE, "", NULL},
        {REVOKED_BECAUSE("the Azure Cosmos DB service is unable to obtain the AAD authentication token for the "
                         "account's default identity",
             "#azure-active-directory-token-acquisition-error", "4000"),
            CMK_FALSE, "4000", "default identity still exists"},
        {REVOKED_BECAUSE("the current default identity no longer has permission to the associated Key Vault key",
             "#default-identity-is-unauthorized-to-access-the-azure-key-vault-key", "4002"),
            CMK_FALSE, "4002", "Get, Wrap Key and Unwrap Key"},
        {REVOKED_BECAUSE("the correspondent key is not found on the specified Key Vault",
             "#azure-key-vault-resource-not-found", "4003"),
            CMK_FALSE, "4003", "recover the deleted key"},
        {REVOKED_BECAUSE("the Azure Cosmos DB service is unable to wrap or unwrap the key",
             "#internal-unwrapping-procedure-error", "4005"),
            CMK_FALSE, "4005", "enabled, not expired"},
        {REVOKED_BECAUSE("the Azure Cosmos DB account's key vault key URI does not follow the expected format",
             "#improper-syntax-detected-on-the-key-vault-uri-property", "4006"),
            CMK_FALSE, "4006", "malformed"},
        {REVOKED_BECAUSE(
             "the Azure Key Vault DNS name specified by the account's keyvaultkeyuri property could not be resolved",
             "#unable-to-resolve-the-key-vaults-dns", "4009"),
            CMK_FALSE, "4009", "its name resolves"},
        {REVOKED_BECAUSE("the Azure Cosmos DB account has an undefined default identity",
             "#invalid-azure-cosmos-db-default-identity", "4015"),
            CMK_FALSE, "4015", "default identity again"},
        {REVOKED_BECAUSE("the access rules are blocking outbound requests to the Azure Key Vault service", "", "4016"),
            CMK_FALSE, "4016", "firewall"},
        {REVOKED_BECAUSE(
             "the correspondent Azure Key Vault was not found", "#azure-key-vault-resource-not-found", "4017"),
            CMK_FALSE, "4017", "deleted vault"},
        {REVOKED_BECAUSE("of something new", "", "4999"), CMK_FALSE, "4999", "troubleshooting guide"},
        {"Access to your account is currently revoked because the correspondent key is either disabled or expired.",
            CMK_FALSE, "", "enable the key"},
        {"Access to your account is currently revoked; for more details about this error and how to restore access to "
         "your account "
         "please visit https://learn.microsoft.com/en-us/azure/cosmos-db/cmk-troubleshooting-guide",
            CMK_FALSE, "", "troubleshooting guide"},
        {"Reticulating (40) splines (4x02) (4002", CMK_FALSE, "", "troubleshooting guide"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cmk_account account = {.key_uri = xstrdup(KEY), .cmk_status = xstrdup(table[i].text)};
        char code[CMK_KEY_CODE_SIZE], message[CMK_MESSAGE_SIZE];
        cmk_key_code(table[i].text, code);
        assert_string_equal(code, table[i].code);
        assert_int_equal(cmk_key_access(&account), table[i].access);
        if (table[i].access == CMK_FALSE) {
            cmk_say_key_lost(&account, message, sizeof(message));
            if (!strstr(message, table[i].says) || !strstr(message, table[i].code) || !strstr(message, table[i].text))
                fail_msg("row %zu: %s", i, message);
        }
        cmk_account_done(&account);
    }
}

static void a_status_without_a_key_means_nothing(void **state)
{
    struct cmk_account account = {.cmk_status = xstrdup(REVOKED)};
    (void)state;

    assert_int_equal(cmk_key_access(&account), CMK_UNKNOWN);
    cmk_account_done(&account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_text_says_what_to_do),
        cmocka_unit_test(a_status_without_a_key_means_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
