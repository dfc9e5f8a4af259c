/* Clouds: presets, overrides, and what is refused. */
#include "unit.h"

#include "azure/cloud.h"
#include "base/str.h"
#include "fake_http.h"

#include <string.h>

static void every_cloud_has_its_own_hosts(void **state)
{
    static const struct {
        const char *name, *expected, *arm, *scope, *login, *vault, *hsm, *cosmos, *app;
    } rows[] = {
        {NULL, "public", "https://management.azure.com", "https://management.azure.com/.default",
            "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net", "documents.azure.com",
            "a232010e-820c-4083-83bb-3ace5fc29d0b"},
        {"AzurePublicCloud", "public", "https://management.azure.com", "https://management.azure.com/.default",
            "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net", "documents.azure.com",
            "a232010e-820c-4083-83bb-3ace5fc29d0b"},
        {"china", "china", "https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default",
            "https://login.partner.microsoftonline.cn", "vault.azure.cn", "managedhsm.azure.cn", "documents.azure.cn",
            "a232010e-820c-4083-83bb-3ace5fc29d0b"},
        {"AZUREUSGOVERNMENT", "usgov", "https://management.usgovcloudapi.net",
            "https://management.usgovcloudapi.net/.default", "https://login.microsoftonline.us",
            "vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net", "documents.azure.us",
            "57506a73-e302-42a9-b869-6f12d9ec29e9"},
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
        assert_string_equal(cloud->cosmos_app_id, rows[i].app);
        assert_null(cloud->cosmos_principal_id);
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
        {{.vault_suffix = "vault"}, "the suffix of key vaults must be a DNS name"},
        {{.vault_suffix = "."}, "the suffix of key vaults must be a DNS name"},
        {{.vault_suffix = "..azure.net"}, "the suffix of key vaults must be a DNS name"},
        {{.vault_suffix = "azure..net"}, "the suffix of key vaults must be a DNS name"},
        {{.vault_suffix = "azure.net."}, "the suffix of key vaults must be a DNS name"},
        {{.hsm_suffix = "a.b/c"}, "the suffix of managed HSMs must be a DNS name"},
        {{.cosmos_suffix = "https://documents.azure.com"}, "the suffix of Cosmos DB accounts must be a DNS name"},
        {{.cosmos_suffix = "user@documents.azure.com"}, "the suffix of Cosmos DB accounts must be a DNS name"},
        {{.cosmos_principal_id = "a232010e"}, "must be a GUID"},
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

static void suffixes_and_principal_are_taken_in_their_plain_form(void **state)
{
    static const struct azure_cloud_options options = {.vault_suffix = ".Vault.Example.NET/",
        .hsm_suffix = "hsm-1.example.net",
        .cosmos_suffix = "documents.example.net",
        .cosmos_principal_id = "5F66A281-0000-4000-8000-00000000000A"};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    struct err err = ERR_INIT;

    (void)state;
    if (azure_cloud_new(&cloud, &options, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(cloud->vault_suffix, "vault.example.net");
    assert_string_equal(cloud->hsm_suffix, "hsm-1.example.net");
    assert_string_equal(cloud->cosmos_suffix, "documents.example.net");
    assert_string_equal(cloud->cosmos_principal_id, "5f66a281-0000-4000-8000-00000000000a");
}

static void what_is_given_as_an_option_goes_before_the_environment(void **state)
{
    static const struct {
        struct azure_cloud_options options;
        const char *authority;
    } rows[] = {
        {{.authority_host = "https://a.example", .environment_authority_host = "https://b.example/"},
            "https://a.example"},
        {{.environment_authority_host = "https://b.example/"}, "https://b.example"},
        {{.name = "usgov", .environment_authority_host = ""}, "https://login.microsoftonline.us"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(azure_cloud_new(&cloud, &rows[i].options, &err), 0);
        assert_string_equal(cloud->authority_host, rows[i].authority);
    }
}

/* --- clouds that describe themselves --- */

#define ARM "https://arm.example:444"
#define CLOUD(arm, login, audiences)                                                                                   \
    "{\"name\":\"x\",\"resourceManager\":\"" arm "\",\"authentication\":{\"loginEndpoint\":\"" login                   \
    "\",\"audiences\":[" audiences "]},\"suffixes\":{\"keyVaultDns\":\".vault.example.net\",\"mhsmDns\":"              \
    "\"hsm.example.net\",\"cosmosDBDns\":\"cosmos.example.net\"}}"

static int open_cloud(struct azure_cloud **ret, const struct azure_cloud_options *options,
    const struct fake_answer *answers, size_t n, size_t *ret_asked, struct err *err)
{
    struct fake_http *fake = fake_new(answers, n);
    const struct azure_cloud_access access = {.http = &fake->client};

    int r = azure_cloud_open(ret, &access, options, err);
    *ret_asked = fake->n_seen;
    if (fake->n_seen) {
        assert_string_equal(fake->seen[0].method, "GET");
        assert_string_equal(fake->seen[0].url, ARM "/metadata/endpoints?api-version=2022-09-01");
        assert_null(strstr(fake->seen[0].headers, "Authorization"));
    }
    fake_free(fake);
    return r;
}

static void a_custom_cloud_is_as_its_endpoint_says(void **state)
{
    static const struct {
        const char *body, *scope, *login;
    } rows[] = {
        {"[" CLOUD("https://elsewhere/", "https://login.example/", "\"https://a/\",\"" ARM "/\"") "]", ARM "//.default",
            "https://login.example"},
        {CLOUD(ARM, "https://login.example/adfs", "\"https://management.example/guid\",7,\"\""),
            "https://management.example/guid/.default", "https://login.example/adfs"},
        {"[" CLOUD("https://other.example", "https://wrong.example", "") "," CLOUD(
             ARM "/", "https://right.example", "") "]",
            ARM "/.default", "https://right.example"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct fake_answer answer = {.status = 200, .body = rows[i].body};
        _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        size_t asked;
        if (open_cloud(&cloud, &(struct azure_cloud_options){.arm_endpoint = ARM "/"}, &answer, 1, &asked, &err) < 0)
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(asked, 1);
        assert_string_equal(cloud->arm_endpoint, ARM);
        assert_string_equal(cloud->arm_scope, rows[i].scope);
        assert_string_equal(cloud->authority_host, rows[i].login);
        assert_string_equal(cloud->vault_suffix, "vault.example.net");
        assert_string_equal(cloud->hsm_suffix, "hsm.example.net");
        assert_string_equal(cloud->cosmos_suffix, "cosmos.example.net");
    }
}

static void what_is_given_goes_before_what_the_endpoint_says(void **state)
{
    static const struct azure_cloud_options options = {.arm_endpoint = ARM,
        .environment_authority_host = "https://mine.example/",
        .arm_scope = "https://mine/.default",
        .cosmos_suffix = "cosmos.mine.net"};
    static const struct fake_answer answer = {
        .status = 200, .body = CLOUD(ARM, "https://theirs.example", "\"https://theirs\"")};
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    struct err err = ERR_INIT;
    size_t asked;

    (void)state;
    if (open_cloud(&cloud, &options, &answer, 1, &asked, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(cloud->authority_host, "https://mine.example");
    assert_string_equal(cloud->arm_scope, "https://mine/.default");
    assert_string_equal(cloud->cosmos_suffix, "cosmos.mine.net");
    assert_string_equal(cloud->vault_suffix, "vault.example.net");
}

static void nobody_is_asked_about_a_known_cloud_or_one_that_is_described_by_hand(void **state)
{
    static const struct azure_cloud_options known[] = {
        {.name = "usgov"},
        {.name = "public", .arm_endpoint = ARM},
        {.arm_endpoint = ARM, .authority_host = "https://a.example"},
        {.arm_endpoint = ARM,
            .environment_authority_host = "https://a.example",
            .vault_suffix = "a.b",
            .cosmos_suffix = "c.d"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        size_t asked;
        assert_int_equal(open_cloud(&cloud, &known[i], NULL, 0, &asked, &err), 0);
        assert_int_equal(asked, 0);
    }
}

static void a_description_is_checked_like_what_is_typed(void **state)
{
    static const struct {
        struct fake_answer answer;
        const char *says;
    } rows[] = {
        {{.status = 404}, "the answer is 404"},
        {{.status = 302, .headers = "location: https://evil.example\n"}, "the answer is 302"},
        {{.status = 200, .body = "<html>"}, "not JSON"},
        {{.status = 200, .body = "[]"}, "describes no cloud"},
        {{.status = 200, .body = "7"}, "describes no cloud"},
        {{.status = 200, .body = "{}"}, "no authentication.loginEndpoint"},
        {{.status = 200, .body = "[" CLOUD("https://b.example", "x", "") "," CLOUD("https://c.example", "x", "") "]"},
            "none with this endpoint"},
        {{.status = 200, .body = CLOUD(ARM, "http://login.example", "")}, "authority host must be an https URL"},
        {{.status = 200, .body = CLOUD(ARM, "https://u:p@login.example", "")}, "must not contain a user name"},
        {{.status = 200, .body = CLOUD(ARM, "https://login.example", "\"a b\"")}, "white space"},
        {{.fails = ERR_TLS}, "no answer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct azure_cloud *cloud = NULL;
        struct err err = ERR_INIT;
        size_t asked;
        assert_int_equal(
            open_cloud(&cloud, &(struct azure_cloud_options){.arm_endpoint = ARM}, &rows[i].answer, 1, &asked, &err),
            -1);
        assert_null(cloud);
        if (!strstr(err.msg, rows[i].says) || !strstr(err.msg, "cannot take the cloud's description from " ARM))
            fail_msg("row %zu: \"%s\"", i, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cloud_has_its_own_hosts),
        cmocka_unit_test(overrides_lose_their_final_slash_and_the_scope_follows),
        cmocka_unit_test(a_scope_of_ones_own_wins),
        cmocka_unit_test(what_is_not_a_plain_https_origin_is_refused),
        cmocka_unit_test(suffixes_and_principal_are_taken_in_their_plain_form),
        cmocka_unit_test(what_is_given_as_an_option_goes_before_the_environment),
        cmocka_unit_test(a_custom_cloud_is_as_its_endpoint_says),
        cmocka_unit_test(what_is_given_goes_before_what_the_endpoint_says),
        cmocka_unit_test(nobody_is_asked_about_a_known_cloud_or_one_that_is_described_by_hand),
        cmocka_unit_test(a_description_is_checked_like_what_is_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
