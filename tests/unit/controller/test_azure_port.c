/* An account on its way from ARM into the domain. */
#include "azure/azure_rig.h"

#include "controller/azure_port.h"

#define ACCOUNT SUBSCRIPTION "/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/orders"
#define USER_ID SUBSCRIPTION "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
#define PRINCIPAL "5f66a281-0000-4000-8000-00000000abcd"
#define SYSTEM "bd1c1d60-2b8c-4f9e-8d8a-0d1e0c6e5a01"

static void identities_keep_their_principals(void **state)
{
    static const struct fake_answer answer = {.status = 200,
        .body = "{\"id\":\"" ACCOUNT "\",\"name\":\"orders\",\"type\":\"Microsoft.DocumentDB/databaseAccounts\","
                "\"properties\":{\"capabilities\":[{\"name\":\"EnableCassandra\"}]},\"identity\":{\"type\":"
                "\"SystemAssigned,UserAssigned\",\"principalId\":\"" SYSTEM "\",\"userAssignedIdentities\":{\"" USER_ID
                "a\":{},\"" USER_ID "b\":{\"principalId\":\"" PRINCIPAL "\"}}}}"};
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(cmk_account_done) struct cmk_account account = {0};
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, &answer, 1);
    struct azure_port_context context = {.client = rig.arm};
    struct azure_port port = azure_port_make(&context);
    assert_int_equal(port.read_account(port.ctx, ACCOUNT, &account, &err), 0);
    assert_string_equal(account.system_principal_id, SYSTEM);
    assert_int_equal(account.n_user_identities, 2);
    assert_string_equal(account.user_identities[0], USER_ID "a");
    assert_null(account.user_principal_ids[0]);
    assert_string_equal(account.user_identities[1], USER_ID "b");
    assert_string_equal(account.user_principal_ids[1], PRINCIPAL);
    assert_true(account.cassandra);
    assert_false(account.vector_search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_keep_their_principals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
