/* What a token endpoint answers. No answer, however it is made, gets the credential into an error. Input: see
 * fuzz_answer.h. */
#include "fuzz.h"

#include "azure/entra.h"
#include "azure/token_answer.h"
#include "fuzz_answer.h"

#define CREDENTIAL "cred~1/x"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answer answer = fuzz_answer_from(data, size);
    struct secret *credential = secret_new(CREDENTIAL, strlen(CREDENTIAL)), *token = NULL;
    const struct entra_request request = {
        .http = &answer.client,
        .authority_host = "https://login.microsoftonline.com",
        .tenant_id = "00000000-0000-0000-0000-000000000001",
        .client_id = "00000000-0000-0000-0000-000000000002",
        .scope = "https://management.azure.com/.default",
        .credential = credential,
    };
    int64_t lifetime_ms = 0;
    struct err err = ERR_INIT;

    if (entra_token(&request, &token, &lifetime_ms, &err) == 0) {
        FUZZ_CHECK(answer.status == 200 && token_is_usable(secret_reveal(token)));
        FUZZ_CHECK(lifetime_ms > 0 && lifetime_ms <= 7LL * 24 * 3600 * 1000);
        (void)secret_unref(token);
    } else {
        FUZZ_CHECK(!token && err.kind != ERR_NONE && *err.msg);
        FUZZ_CHECK(fuzz_is_one_line(err.msg) && fuzz_is_one_line(err.code));
        FUZZ_CHECK(!strstr(err.msg, CREDENTIAL) && !strstr(err.code, CREDENTIAL));
    }
    (void)secret_unref(credential);
    return 0;
}
