/* The document with which an ARM endpoint describes its cloud: what it names is where tokens will go, so it is checked
 * as if it had been typed. Input: see fuzz_answer.h. */
#include "fuzz.h"

#include "fuzz_answer.h"

#include "azure/cloud.h"
#include "http/url.h"

static void check_suffix(const char *suffix)
{
    FUZZ_CHECK(suffix && *suffix && *suffix != '.' && !strpbrk(suffix, "/:@?# \t\\%") && fuzz_is_one_line(suffix));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answer answer = fuzz_answer_from(data, size);
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    const struct azure_cloud_access access = {.http = &answer.client};
    const struct azure_cloud_options options = {
        .name = "custom", .arm_endpoint = "https://management.local.azurestack"};
    struct http_url url;
    struct err err = ERR_INIT;

    if (azure_cloud_open(&cloud, &access, &options, &err) < 0) {
        FUZZ_CHECK(!cloud && err.kind != ERR_NONE && *err.msg && fuzz_is_one_line(err.msg));
        return 0;
    }
    FUZZ_CHECK(answer.status == 200 && str_eq(cloud->arm_endpoint, options.arm_endpoint));
    FUZZ_CHECK(http_url_parse(cloud->authority_host, &url, &err) == 0);
    FUZZ_CHECK(str_eq(url.scheme, "https") && !url.has_userinfo && !strpbrk(url.path, "?#"));
    FUZZ_CHECK(*cloud->arm_scope && fuzz_is_one_line(cloud->arm_scope));
    check_suffix(cloud->vault_suffix);
    check_suffix(cloud->hsm_suffix);
    check_suffix(cloud->cosmos_suffix);
    return 0;
}
