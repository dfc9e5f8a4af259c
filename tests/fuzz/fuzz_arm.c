/* What Azure Resource Manager answers: errors, operations, database accounts. Input: see fuzz_answer.h. */
#include "fuzz.h"

#include "azure/arm_error.h"
#include "azure/cosmos.h"
#include "fuzz_answer.h"

#define POLL                                                                                                           \
    "https://management.azure.com/subscriptions/s/providers/Microsoft.DocumentDB/locations/l/operationsStatus/o"

static void check_error(const struct fuzz_answer *answer)
{
    struct arm_answer said = {answer->status, answer->body, answer->len, .changes = true, .retry_after_ms = 17};
    struct err err = ERR_INIT;

    FUZZ_CHECK(arm_error_set(&said, &err) == -1);
    FUZZ_CHECK(err.kind != ERR_NONE && err.retry_after_ms == 17);
    FUZZ_CHECK(*err.msg && fuzz_is_one_line(err.msg) && fuzz_is_one_line(err.code));
}

static void check_operation(struct fuzz_answer *answer)
{
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(arm_client_freep) struct arm_client *arm = NULL;
    struct arm_operation operation = {0};
    struct err err = ERR_INIT;

    FUZZ_CHECK(azure_cloud_new(&cloud, &(struct azure_cloud_options){0}, &err) == 0);
    const struct arm_options options = {.http = &answer->client, .cloud = cloud};
    FUZZ_CHECK(arm_client_new(&arm, &options, &err) == 0);
    if (arm_operation_get(arm, POLL, &operation, &err) == 0) {
        FUZZ_CHECK(operation.state);
        FUZZ_CHECK(!operation.error_message || fuzz_is_one_line(operation.error_message));
        (void)arm_outcome_of(operation.state);
    } else
        FUZZ_CHECK(!operation.state && err.kind != ERR_NONE && *err.msg);
    arm_operation_done(&operation);
}

static void check_account(const struct fuzz_answer *answer)
{
    struct cosmos_account account = {0};
    struct err err = ERR_INIT;

    if (cosmos_account_decode(&account, answer->body, answer->len, &err) == 0) {
        FUZZ_CHECK(account.id && account.name && account.provisioning_state && account.identity_type);
        FUZZ_CHECK(!account.key_uri || *account.key_uri);
        FUZZ_CHECK(account.n_user_identities <= 256 && account.n_capabilities <= 256);
    } else
        FUZZ_CHECK(!account.id && err.kind == ERR_PROTOCOL && *err.msg);
    cosmos_account_done(&account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answer answer = fuzz_answer_from(data, size);

    check_error(&answer);
    check_operation(&answer);
    check_account(&answer);
    return 0;
}
