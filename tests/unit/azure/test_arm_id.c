/* Resource ids: taken apart, and refused when they could mean something else in a URL. */
#include "unit.h"

#include "azure/arm_id.h"
#include "base/mem.h"

#include <string.h>

#define GROUP "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg"
#define ACCOUNT GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/orders"

static void an_account_id_is_taken_apart(void **state)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(arm_id_parse(&id, ACCOUNT "/", &err), 0);
    assert_string_equal(id.text, ACCOUNT);
    assert_string_equal(id.subscription, "1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11");
    assert_string_equal(id.resource_group, "rg");
    assert_string_equal(id.provider, "Microsoft.DocumentDB");
    assert_string_equal(id.type, "databaseAccounts");
    assert_string_equal(id.name, "orders");
    assert_true(arm_id_is(&id, "microsoft.documentdb", "DATABASEACCOUNTS"));
    assert_false(arm_id_is(&id, "Microsoft.DocumentDB", "databaseAccount"));
    assert_false(arm_id_is(&id, "Microsoft.DocumentDB", "databaseAccounts/sqlDatabases"));
    assert_false(arm_id_is(&id, "Microsoft.DocumentD", "databaseAccounts"));
    assert_false(arm_id_is(&id, "Microsoft.KeyVault", "databaseAccounts"));
}

static void a_child_is_not_its_parent(void **state)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(arm_id_parse(&id, GROUP "/providers/Microsoft.KeyVault/vaults/v/keys/k", &err), 0);
    assert_string_equal(id.type, "keys");
    assert_string_equal(id.name, "k");
    assert_true(arm_id_is(&id, "Microsoft.KeyVault", "vaults/keys"));
    assert_false(arm_id_is(&id, "Microsoft.KeyVault", "vaults"));
    assert_false(arm_id_is(&id, "Microsoft.KeyVault", "keys"));
    assert_false(arm_id_is(&id, "Microsoft.KeyVault", ""));
    assert_false(arm_id_is(&id, "Microsoft.KeyVault", "vaults/keys/versions"));
}

static void segment_words_may_have_any_case(void **state)
{
    static const char *const texts[] = {
        "/Subscriptions/1C6E0F5C-8F3B-4A51-9F0E-0A2F7D6C1B11/resourcegroups/RG/PROVIDERS/microsoft.documentdb/"
        "databaseaccounts/x",
        "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/gruppe_(\xC3\xA4).1/providers/A.B/c/d",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_(arm_id_done) struct arm_id id = {0};
        struct err err = ERR_INIT;
        assert_int_equal(arm_id_parse(&id, texts[i], &err), 0);
        assert_string_equal(id.text, texts[i]);
    }
}

static void what_could_mean_something_else_in_a_url_is_refused(void **state)
{
    static const char *const texts[] = {
        NULL,
        "",
        "/",
        "//",
        ACCOUNT "//",
        "subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg/providers/A.B/c/d",
        "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg",
        GROUP "/providers/Microsoft.DocumentDB",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts",
        ACCOUNT "/sqlDatabases",
        "/subscriptions/not-a-guid/resourceGroups/rg/providers/A.B/c/d",
        "/tenants/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg/providers/A.B/c/d",
        "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/groups/rg/providers/A.B/c/d",
        "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups/rg/provider/A.B/c/d",
        "/subscriptions/1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11/resourceGroups//providers/A.B/c/d",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/..",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/.",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a%2fb",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a?api-version=1",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a#b",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a\\b",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a b",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a\r\nHost: x",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a\x7f",
        GROUP "/providers/Microsoft.DocumentDB/databaseAccounts/a\xff",
        "https://management.azure.com" ACCOUNT,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arm_id id = {0};
        struct err err = ERR_INIT;
        if (arm_id_parse(&id, texts[i], &err) == 0)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, "resource id"));
        assert_null(id.text);
    }
}

static void an_endless_id_is_refused(void **state)
{
    size_t n = strlen(ACCOUNT);
    _cleanup_(freep) char *text = xmalloc(1 << 20);
    struct arm_id id = {0};
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'a', 1 << 20);
    memcpy(text, ACCOUNT, n);
    text[2048] = '\0';
    assert_int_equal(arm_id_parse(&id, text, &err), 0);
    arm_id_done(&id);
    text[2048] = 'a';
    text[(1 << 20) - 1] = '\0';
    assert_int_equal(arm_id_parse(&id, text, &err), -1);
    assert_non_null(strstr(err.msg, "longer than 2048"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_id_is_taken_apart),
        cmocka_unit_test(a_child_is_not_its_parent),
        cmocka_unit_test(segment_words_may_have_any_case),
        cmocka_unit_test(what_could_mean_something_else_in_a_url_is_refused),
        cmocka_unit_test(an_endless_id_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
