/* URLs and resource ids that somebody else wrote. What passes as the URL of an operation goes to ARM's host in the eyes
 * of libcurl, too: the two must never read one URL differently, for it is sent our token. */
#include "fuzz.h"

#include "azure/arm.h"
#include "azure/vault.h"
#include "http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#define ARM_HOST "management.azure.com"

/* NULL when libcurl would not take the URL. */
static char *part_of(const char *text, CURLUPart part)
{
    CURLU *url = curl_url();
    char *value = NULL, *ret = NULL;

    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, part, &value, CURLU_DEFAULT_PORT) == CURLUE_OK)
        ret = xstrdup(value);
    curl_free(value);
    curl_url_cleanup(url);
    return ret;
}

static void check_poll_url(const char *text)
{
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(arm_client_freep) struct arm_client *arm = NULL;
    struct err err = ERR_INIT;

    FUZZ_CHECK(azure_cloud_new(&cloud, &(struct azure_cloud_options){0}, &err) == 0);
    const struct arm_options options = {.cloud = cloud};
    FUZZ_CHECK(arm_client_new(&arm, &options, &err) == 0);
    if (arm_poll_url_check(arm, text, &err) < 0)
        return;
    _cleanup_(freep) char *host = part_of(text, CURLUPART_HOST), *port = part_of(text, CURLUPART_PORT),
                          *scheme = part_of(text, CURLUPART_SCHEME), *user = part_of(text, CURLUPART_USER);
    FUZZ_CHECK(!host || strcasecmp(host, ARM_HOST) == 0);
    FUZZ_CHECK(!port || strcmp(port, "443") == 0);
    FUZZ_CHECK(!scheme || strcmp(scheme, "https") == 0);
    FUZZ_CHECK(!user);
}

/* libcurl writes an IPv6 address in brackets and in its shortest form. */
static bool same_host(char *theirs, const char *ours)
{
    struct in6_addr a, b;
    size_t n = strlen(theirs);

    if (*theirs != '[')
        return strcasecmp(theirs, ours) == 0;
    theirs[n - 1] = '\0';
    return inet_pton(AF_INET6, theirs + 1, &a) == 1 && inet_pton(AF_INET6, ours, &b) == 1 &&
           memcmp(&a, &b, sizeof(a)) == 0;
}

static void check_url(const char *text)
{
    struct http_url url;
    struct err err = ERR_INIT;

    if (http_url_parse(text, &url, &err) < 0)
        return;
    FUZZ_CHECK(*url.host && url.port > 0 && url.port < 65536);
    FUZZ_CHECK(url.path >= text && url.path <= text + strlen(text));
    FUZZ_CHECK(http_url_same_origin(&url, &url) == !url.has_userinfo);
    _cleanup_(freep) char *host = part_of(text, CURLUPART_HOST);
    FUZZ_CHECK(!host || same_host(host, url.host));
}

static void check_id(const char *text)
{
    struct arm_id id = {0};
    struct err err = ERR_INIT;

    if (arm_id_parse(&id, text, &err) == 0) {
        FUZZ_CHECK(!strpbrk(id.text, "\\%?# \t") && fuzz_is_one_line(id.text));
        FUZZ_CHECK(!strstr(id.text, "//") && !strstr(id.text, "/../") && strlen(id.text) <= 2048);
        FUZZ_CHECK(*id.subscription && *id.resource_group && *id.provider && *id.type && *id.name);
        (void)arm_id_is(&id, "Microsoft.DocumentDB", "databaseAccounts");
    } else
        FUZZ_CHECK(err.kind == ERR_INVALID && *err.msg);
    arm_id_done(&id);
}

/* A key's URI: its normal form is its own, and the vault's part of it is where it begins. */
static void check_key(const char *text)
{
    _cleanup_(freep) char *normal = vault_uri_normalize(text), *vault = vault_uri_of_key(text);

    if (normal) {
        _cleanup_(freep) char *again = vault_uri_normalize(normal);
        FUZZ_CHECK(again && strcmp(again, normal) == 0 && strncmp(normal, "https://", 8) == 0);
    }
    FUZZ_CHECK(!vault || (normal && strncmp(normal, vault, strlen(vault)) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *text = fuzz_line(&lines);

    check_url(text);
    check_poll_url(text);
    check_id(text);
    check_key(text);
    return 0;
}
