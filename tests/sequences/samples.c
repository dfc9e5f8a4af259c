/* What the schema's keywords do not say: for each field, texts that its rules (CEL) accept and texts that they refuse,
 * chosen at the edges of each rule. Every field of the spec has a row, so that a new one is missed here at once.
 *
 * And the list of differences: where the controller does not judge as the API server does, and why that is right. */
#include "sequences/values.h"

#include "base/mem.h"
#include "base/str.h"
#include "sim/world.h"

#define GUID "00000000-0000-0000-0000-000000000001"
#define GROUP "/subscriptions/" GUID "/resourceGroups/shop"
#define ACCOUNTS GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/"
#define VAULTS GROUP "/providers/Microsoft.KeyVault/vaults/"
#define IDENTITIES GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
#define TEN "abcdefghij"
#define FIFTY TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY
#define ACCOUNT_OF(group)                                                                                              \
    "/subscriptions/" GUID "/resourceGroups/" group "/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define KEYS "https://contoso.vault.azure.net/keys/"

/* clang-format off */
static const struct samples table[] = {
    {.path = "", .rules = 3},
    {.path = "accountId", .rules = 3, .immutable = true,
        .valid = {ACCOUNTS "orders", ACCOUNTS "ledger", ACCOUNTS "abc", ACCOUNTS FIFTY, ACCOUNTS "a-b-9",
            "/SUBSCRIPTIONS/" GUID "/resourcegroups/SHOP/PROVIDERS/microsoft.documentdb/DATABASEACCOUNTS/orders",
            ACCOUNT_OF("_a-(b).c"), ACCOUNT_OF(FIFTY TEN TEN TEN TEN)},
        .invalid = {"", "orders", ACCOUNTS, ACCOUNTS "ab", ACCOUNTS FIFTY "k", ACCOUNTS "Orders", ACCOUNTS "-orders", ACCOUNTS "orders-",
            ACCOUNTS "or--ders", ACCOUNTS "orders/", ACCOUNTS "orders\n", " " ACCOUNTS "orders", ACCOUNTS "ord\xc3\xa9rs",
            ACCOUNT_OF("shop."), ACCOUNT_OF(""), ACCOUNT_OF(FIFTY TEN TEN TEN TEN "k"), ACCOUNT_OF("sh%2Fop"), ACCOUNT_OF("a/b"),
            GROUP "/providers/Microsoft.Storage/storageAccounts/orders",
            "/subscriptions/0000/resourceGroups/shop/providers/Microsoft.DocumentDB/databaseAccounts/orders",
            GROUP "/providers/MicrosoftxDocumentDB/databaseAccounts/orders"}},
    {.path = "keyVaultKeyUri", .rules = 5, .needed = true,
        .valid = {KEYS "second", KEYS "cosmos", "https://fabrikam.vault.azure.net/keys/cosmos", "HTTPS://CONTOSO.VAULT.AZURE.NET/keys/Cosmos-1",
            KEYS "a", KEYS HUNDRED TEN TEN "1234567", "https://c-0.vault.azure.net/keys/k",
            "https://" TEN TEN "abcd.managedhsm.azure.net/keys/k", "https://contoso.vault.azure.cn/keys/k",
            "https://contoso.vault.usgovcloudapi.net/keys/k", "https://contoso.managedhsm.azure.cn/keys/k",
            "https://contoso.managedhsm.usgovcloudapi.net/keys/k"},
        .invalid = {"", "cosmos", "http://contoso.vault.azure.net/keys/k", KEYS "k/0123456789abcdef0123456789abcdef", KEYS "k/", KEYS "",
            KEYS HUNDRED TEN TEN "12345678", KEYS "k_1", KEYS "k?x=1", "https://contoso.vault.azure.net/secrets/k",
            "https://contoso.vault.azure.net", "https://contoso.vault.azure.net:443/keys/k", "https://evil.example/keys/k",
            "https://contoso.vault.azure.net.evil.example/keys/k", "https://user@contoso.vault.azure.net/keys/k",
            "https://-contoso.vault.azure.net/keys/k", "https://contoso-.vault.azure.net/keys/k", "https://ab.vault.azure.net/keys/k",
            "https://" TEN TEN "abcde.vault.azure.net/keys/k", " " KEYS "k", KEYS "k\n", KEYS "cl\xc3\xa9"}},
    {.path = "defaultIdentity", .rules = 2,
        .valid = {"UserAssignedIdentity=" IDENTITIES "cmk", "FirstPartyIdentity", "SystemAssignedIdentity",
            "UserAssignedIdentity=/SUBSCRIPTIONS/" GUID "/resourcegroups/SHOP/PROVIDERS/microsoft.managedidentity/USERASSIGNEDIDENTITIES/CMK",
            "UserAssignedIdentity=" IDENTITIES "a_1", "UserAssignedIdentity=" IDENTITIES HUNDRED TEN TEN "12345678"},
        .invalid = {"", "UserAssignedIdentity", "UserAssignedIdentity=", "firstpartyidentity", IDENTITIES "cmk",
            "userassignedidentity=" IDENTITIES "cmk", "UserAssignedIdentity=" IDENTITIES "cmk&FederatedClientId=" GUID,
            "FirstPartyIdentity&x=y", "UserAssignedIdentity=" IDENTITIES "ab", "UserAssignedIdentity=" IDENTITIES "-cmk",
            "UserAssignedIdentity=" IDENTITIES HUNDRED TEN TEN "123456789", "UserAssignedIdentity=" VAULTS "contoso",
            " FirstPartyIdentity", "SystemAssignedIdentity\n"}},
    {.path = "keyVaultId", .rules = 1,
        .valid = {VAULTS "contoso", GROUP "/providers/Microsoft.KeyVault/managedHSMs/contoso",
            "/SUBSCRIPTIONS/" GUID "/resourcegroups/SHOP/PROVIDERS/microsoft.keyvault/VAULTS/CONTOSO"},
        .invalid = {"", "contoso", VAULTS, VAULTS "co", VAULTS TEN TEN "abcde", VAULTS "contoso/keys/cosmos", VAULTS "cont_so",
            GROUP "/providers/Microsoft.KeyVault/hsms/contoso", VAULTS "contoso\n"},
        .clashing = {VAULTS "fabrikam", VAULTS "contos", VAULTS "contoso-1"}},
    {.path = "keyVaultAccess"},
    {.path = "mode"},
    {.path = "suspend"},
    {.path = "approval"},
    {.path = "approvedPlan"},
    {.path = "drift"},
    {.path = "window"},
    {.path = "window.timeZone", .rules = 1,
        .valid = {"UTC", "Europe/Rome", "Nowhere/City"},
        .invalid = {"", "Local", "../etc/passwd", "/UTC", "Europe//Rome", "Europe/", "Europe/Rome\n", "1UTC", "A/B/C/D"}},
    {.path = "window.periods"},
    {.path = "window.periods[]"},
    {.path = "window.periods[].days"},
    {.path = "window.periods[].days[]"},
    {.path = "window.periods[].start", .rules = 1,
        .valid = {"08:30", "00:00", "23:59", "20:00"},
        .invalid = {"", "24:00", "23:60", "8:30", "0830", "08:30:00", " 08:30", "08:30\n", "ab:cd"}},
    {.path = "window.periods[].duration", .rules = 1,
        .valid = {"4h", "168h", "10080m", "1m", "1h30m", "167h60m", "007h"},
        .invalid = {"", "0h", "0m", "0h0m", "169h", "168h1m", "10081m", "90", "1.5h", "90s", "1h30m1s", "30m1h", "1h1h", "-1h", "+1h", "1h ",
            "1h\n", "1000h", "P1D"}},
    {.path = "preflight"},
    {.path = "preflight.keyVault"},
    {.path = "preflight.documentIds"},
    {.path = "priority"},
};

static const struct difference differences[] = {
    {"window.timeZone", "sample \"Nowhere/City\"", OWN_INVALID, "the API server has no list of time zones"},
    {"priority", "minimum", OWN_UNSUPPORTED, "this version has no order within the fleet, and says so"},
    {"priority", "maximum", OWN_UNSUPPORTED, "this version has no order within the fleet, and says so"},
    {"approvedPlan", "too long", OWN_ACCEPTS, "what is no plan's hash approves nothing, however long it is"},
};
/* clang-format on */

const struct samples *samples_at(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}

const struct samples *samples_of(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_eq(table[i].path, path))
            return &table[i];
    return NULL;
}

const struct difference *difference_at(size_t i)
{
    return i < ARRAY_LEN(differences) ? &differences[i] : NULL;
}

const struct difference *difference_of(const char *path, const char *what)
{
    for (size_t i = 0; i < ARRAY_LEN(differences); i++)
        if (str_eq(differences[i].path, path) && str_eq(differences[i].what, what))
            return &differences[i];
    return NULL;
}
