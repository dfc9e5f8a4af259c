/* The clouds as a table, and the overrides of one process.
 *
 * Invariant: what leaves here is https and nothing but scheme, host and port (plus a path for the authority, which AD
 * FS needs), without a final slash, so that a path can be appended to it. Hosts and suffixes: Azure SDK for Go,
 * "environments"; the national clouds' page of the Entra documentation. */
#include "azure/cloud.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"

#include <string.h>

struct preset {
    const char *name;
    const char *alias; /* as the Azure SDKs and AZURE_ENVIRONMENT spell it */
    const char *arm_endpoint;
    const char *authority_host;
    const char *vault_suffix;
    const char *hsm_suffix;
    const char *cosmos_suffix;
};

/* The last one has no endpoint of its own: it must be given. It serves stand-ins for the public cloud, hence the rest.
 */
static const struct preset presets[] = {
    {"public", "AzurePublicCloud", "https://management.azure.com", "https://login.microsoftonline.com",
        "vault.azure.net", "managedhsm.azure.net", "documents.azure.com"},
    {"china", "AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.partner.microsoftonline.cn",
        "vault.azure.cn", "managedhsm.azure.cn", "documents.azure.cn"},
    {"usgov", "AzureUSGovernment", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us",
        "vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net", "documents.azure.us"},
    {"custom", "AzureStackCloud", NULL, "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net",
        "documents.azure.com"},
};

static const struct preset *find_preset(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++)
        if (str_eq_nocase(name, presets[i].name) || str_eq_nocase(name, presets[i].alias))
            return &presets[i];
    return NULL;
}

static char *without_final_slashes(const char *url)
{
    size_t n = strlen(url);

    while (n > 0 && url[n - 1] == '/')
        n--;
    return xstrndup(url, n);
}

/* The text itself is not repeated in errors: somebody may have put a password into it. */
static int take_url(char **ret, const char *what, const char *text, bool may_have_path, struct err *err)
{
    struct http_url url;

    if (http_url_parse(text, &url, err) < 0)
        return err_wrap(err, "the %s cannot be used", what);
    if (!str_eq(url.scheme, "https"))
        return err_set(err, ERR_INVALID, "the %s must be an https URL, not %s", what, url.scheme);
    if (url.has_userinfo)
        return err_set(err, ERR_INVALID, "the %s must not contain a user name or password", what);
    if (strpbrk(url.path, "?#"))
        return err_set(err, ERR_INVALID, "the %s must not contain a query or fragment", what);
    _cleanup_(freep) char *path = without_final_slashes(url.path);
    if (*path && !may_have_path)
        return err_set(err, ERR_INVALID, "the %s must be only https://HOST[:PORT], without a path", what);
    *ret = without_final_slashes(text);
    return 0;
}

static int take_scope(struct azure_cloud *cloud, const char *scope, struct err *err)
{
    if (!scope) {
        cloud->arm_scope = xasprintf("%s/.default", cloud->arm_endpoint);
        return 0;
    }
    for (const char *p = scope; *p; p++)
        if (*p <= ' ' || *p > '~')
            return err_set(err, ERR_INVALID, "the Azure Resource Manager scope holds white space or control bytes");
    cloud->arm_scope = xstrdup(scope);
    return 0;
}

int azure_cloud_new(struct azure_cloud **ret, const struct azure_cloud_options *options, struct err *err)
{
    const char *unnamed = str_empty(options->arm_endpoint) ? "public" : "custom";
    const char *name = str_empty(options->name) ? unnamed : options->name;
    const struct preset *preset = find_preset(name);

    if (!preset)
        return err_set(err, ERR_INVALID, "unknown Azure cloud \"%.40s\": use public, china, usgov or custom", name);
    const char *endpoint = str_empty(options->arm_endpoint) ? preset->arm_endpoint : options->arm_endpoint;
    const char *authority = str_empty(options->authority_host) ? preset->authority_host : options->authority_host;
    if (!endpoint)
        return err_set(err, ERR_INVALID, "the custom Azure cloud needs an Azure Resource Manager endpoint");

    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = xcalloc(1, sizeof(*cloud));
    cloud->name = xstrdup(preset->name);
    cloud->vault_suffix = xstrdup(preset->vault_suffix);
    cloud->hsm_suffix = xstrdup(preset->hsm_suffix);
    cloud->cosmos_suffix = xstrdup(preset->cosmos_suffix);
    if (take_url(&cloud->arm_endpoint, "Azure Resource Manager endpoint", endpoint, false, err) < 0 ||
        take_url(&cloud->authority_host, "authority host", authority, true, err) < 0 ||
        take_scope(cloud, str_empty(options->arm_scope) ? NULL : options->arm_scope, err) < 0)
        return -1;
    *ret = TAKE_PTR(cloud);
    return 0;
}

struct azure_cloud *azure_cloud_free(struct azure_cloud *cloud)
{
    if (!cloud)
        return NULL;
    free(cloud->name);
    free(cloud->arm_endpoint);
    free(cloud->arm_scope);
    free(cloud->authority_host);
    free(cloud->vault_suffix);
    free(cloud->hsm_suffix);
    free(cloud->cosmos_suffix);
    free(cloud);
    return NULL;
}
