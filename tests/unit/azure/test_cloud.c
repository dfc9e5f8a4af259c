/* Clouds: presets, overrides, and what is refused. */
#include "unit.h"

#include "azure/cloud.h"
#include "base/str.h"

#include <string.h>

static void every_cloud_has_its_own_hosts(void **state)
{
    static const struct {
        const char *name, *expected, *arm, *scope, *login, *vault, *hsm, *cosmos;
    } rows[] = {
        {NULL, "public", "https://management.azure.com", "https://management.azure.com/.default",
            "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net", "documents.azure.com"},
        {"AzurePublicCloud", "public", "https://management.azure.com", "https://management.azure.com/.default",
            "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net", "documents.azure.com"},
        {"china", "china", "https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default",
            "https://login.partner.microsoftonline.cn", "vault.azure.cn", "managedhsm.azure.cn", "documents.azure.cn"},
        {"AZUREUSGOVERNMENT", "usgov", "https://management.usgovcloudapi.net",
            "https://management.usgovcloudapi.net/.default", "https://login.microsoftonline.us",
            "vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net", "documents.azure.us"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(azure_cloud_new(&cloud, &(struct azure_cloud_options){.name = rows[i].name}, &err), 0);
        assert_string_equal(cloud->name, rows[i].expected);
        assert_string_equal(cloud->arm_endpoint, rows[i].arm);
        assert_string_equal(cloud->arm_scope, rows[i].scope);
        assert_string_equal(cloud->authority_host, rows[i].login);
        assert_string_equal(cloud->vault_suffix, rows[i].vault);
        assert_string_equal(cloud->hsm_suffix, rows[i].hsm);
        assert_string_equal(cloud->cosmos_suffix, rows[i].cosmos);
    }
}

static void overrides_lose_their_final_slash_and_the_scope_follows(void **state)
{
    static const struct azure_cloud_options options = {
        .arm_endpoint = "https://127.0.0.1:8443/", .authority_host = "https://login.example:444/adfs/"};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(azure_cloud_new(&cloud, &options, &err), 0);
    assert_string_equal(cloud->name, "custom");
    assert_string_equal(cloud->arm_endpoint, "https://127.0.0.1:8443");
    assert_string_equal(cloud->arm_scope, "https://127.0.0.1:8443/.default");
    assert_string_equal(cloud->authority_host, "https://login.example:444/adfs");
}

static void a_scope_of_ones_own_wins(void **state)
{
    static const struct azure_cloud_options options = {
        .name = "usgov", .arm_endpoint = "https://arm.example", .arm_scope = "https://management.azure.com/.default"};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(azure_cloud_new(&cloud, &options, &err), 0);
    assert_string_equal(cloud->name, "usgov");
    assert_string_equal(cloud->arm_scope, "https://management.azure.com/.default");
    assert_string_equal(cloud->vault_suffix, "vault.usgovcloudapi.net");
}

static void what_is_not_a_plain_https_origin_is_refused(void **state)
{
    static const struct {
        struct azure_cloud_options options;
        const char *says;
    } rows[] = {
        {{.name = "mars"}, "unknown Azure cloud \"mars\""},
        {{.name = "custom"}, "needs an Azure Resource Manager endpoint"},
        {{.arm_endpoint = "http://management.azure.com"}, "must be an https URL, not http"},
        {{.arm_endpoint = "management.azure.com"}, "cannot be used"},
        {{.arm_endpoint = "https://user:canary@management.azure.com"}, "must not contain a user name"},
        {{.arm_endpoint = "https://management.azure.com/arm"}, "without a path"},
        {{.arm_endpoint = "https://management.azure.com?x=1"}, "must not contain a query"},
        {{.arm_endpoint = "https://management.azure.com/#x"}, "must not contain a query"},
        {{.authority_host = "http://login.microsoftonline.com"}, "the authority host must be an https URL"},
        {{.authority_host = "https://login.microsoftonline.com/adfs?x"}, "must not contain a query"},
        {{.arm_scope = "a scope"}, "white space"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(azure_cloud_new(&cloud, &rows[i].options, &err), -1);
        assert_null(cloud);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, err.msg, rows[i].says);
        assert_null(strstr(err.msg, "canary"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cloud_has_its_own_hosts),
        cmocka_unit_test(overrides_lose_their_final_slash_and_the_scope_follows),
        cmocka_unit_test(a_scope_of_ones_own_wins),
        cmocka_unit_test(what_is_not_a_plain_https_origin_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
