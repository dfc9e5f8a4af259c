/* GET {ARM}/metadata/endpoints: who issues tokens here, for which audience, and what hosts are called.
 *
 * api-version 2022-09-01 is what the Azure SDKs' Go environments package and the az CLI ask for. Public Azure answers
 * with an array of one cloud, others (Azure Stack Hub) with the object itself; both are read. There is no member for
 * Cosmos DB on public record; "cosmosDBDns" is taken when it is there. */
#include "azure/cloud_metadata.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "json/json.h"

#include <string.h>

#define API_VERSION "2022-09-01"
#define DOCUMENT_MAX ((size_t)256 * 1024)
#define TIMEOUT_MS 10000

void cloud_metadata_done(struct cloud_metadata *metadata)
{
    free(metadata->authority_host);
    free(metadata->arm_scope);
    free(metadata->vault_suffix);
    free(metadata->hsm_suffix);
    free(metadata->cosmos_suffix);
    *metadata = (struct cloud_metadata){0};
}

/* Among several clouds the one whose ARM this is; of a single one it does not matter what it calls itself, as it may be
 * reached by another name (a private endpoint, a port forwarded). */
static const cJSON *find_cloud(const cJSON *tree, const char *arm_endpoint)
{
    struct http_url ours, theirs;
    const cJSON *cloud;

    if (cJSON_IsObject(tree))
        return tree;
    if (cJSON_GetArraySize(tree) == 1)
        return tree->child;
    if (http_url_parse(arm_endpoint, &ours, NULL) < 0)
        return NULL;
    cJSON_ArrayForEach (cloud, tree) {
        const char *url = json_string_at(cloud, "resourceManager");
        if (url && http_url_parse(url, &theirs, NULL) == 0 && http_url_same_origin(&ours, &theirs))
            return cloud;
    }
    return NULL;
}

static bool same_but_for_slash(const char *a, const char *b)
{
    size_t n = strlen(a);

    while (n > 0 && a[n - 1] == '/')
        n--;
    return strlen(b) == n && strncmp(a, b, n) == 0;
}

/* The endpoint itself if it is an audience, else the first one; to the byte, as Entra compares it. */
static char *scope_of(const cJSON *audiences, const char *arm_endpoint)
{
    const char *chosen = NULL;
    const cJSON *audience;

    if (!cJSON_IsArray(audiences))
        return NULL;
    cJSON_ArrayForEach (audience, audiences) {
        if (!cJSON_IsString(audience) || str_empty(audience->valuestring))
            continue;
        if (same_but_for_slash(audience->valuestring, arm_endpoint))
            return xasprintf("%s/.default", audience->valuestring);
        if (!chosen)
            chosen = audience->valuestring;
    }
    return chosen ? xasprintf("%s/.default", chosen) : NULL;
}

static int decode(struct cloud_metadata *ret, const char *arm_endpoint, const cJSON *tree, struct err *err)
{
    const cJSON *cloud = find_cloud(tree, arm_endpoint);

    if (!cloud || !cJSON_IsObject(cloud))
        return err_set(err, ERR_PROTOCOL, "it describes no cloud, or several and none with this endpoint");
    const char *login = json_string_at(cloud, "authentication.loginEndpoint");
    if (str_empty(login))
        return err_set(err, ERR_PROTOCOL, "it has no authentication.loginEndpoint");
    ret->authority_host = xstrdup(login);
    ret->arm_scope = scope_of(json_at(cloud, "authentication.audiences"), arm_endpoint);
    ret->vault_suffix = xstrdup(json_string_at(cloud, "suffixes.keyVaultDns"));
    ret->hsm_suffix = xstrdup(json_string_at(cloud, "suffixes.mhsmDns"));
    ret->cosmos_suffix = xstrdup(json_string_at(cloud, "suffixes.cosmosDBDns"));
    return 0;
}

static int read_document(
    struct cloud_metadata *ret, const char *arm_endpoint, const struct http_response *response, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (response->status != 200)
        return err_set(err, ERR_PROTOCOL, "the answer is %d", response->status);
    if (json_parse(&tree, buf_str(&response->body), response->body.len, NULL) < 0)
        return err_set(err, ERR_PROTOCOL, "the answer is not JSON");
    return decode(ret, arm_endpoint, tree, err);
}

int cloud_metadata_fetch(
    struct cloud_metadata *ret, const struct azure_cloud_access *access, const char *arm_endpoint, struct err *err)
{
    _cleanup_(freep) char *url = xasprintf("%s/metadata/endpoints?api-version=%s", arm_endpoint, API_VERSION);
    struct http_response response;
    const struct http_request get = {
        .method = "GET",
        .url = url,
        .headers = {{"Accept", "application/json"}},
        .timeout_ms = TIMEOUT_MS,
        .max_body = DOCUMENT_MAX,
        .tls = access->tls,
        .proxy = access->proxy,
        .cancel = access->cancel,
        .label = "cloud metadata",
    };

    *ret = (struct cloud_metadata){0};
    http_response_init(&response);
    int r = http_do(access->http, &get, &response, err);
    if (r == 0)
        r = read_document(ret, arm_endpoint, &response, err);
    http_response_done(&response);
    if (r < 0)
        cloud_metadata_done(ret);
    return r;
}
