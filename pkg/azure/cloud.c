/* The clouds as a table, and the overrides of one process.
 *
 * Invariant: what leaves here is https and nothing but scheme, host and port (plus a path for the authority, which AD
 * FS needs), without a final slash, so that a path can be appended to it. Hosts and suffixes: Azure SDK for Go,
 * "environments"; the national clouds' page of the Entra documentation. */
#include "azure/cloud.h"

#include "azure/cloud_metadata.h"
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
    const char *cosmos_app_id;
};

/* Documentation of Cosmos DB, "Configure customer-managed keys": one application in the US government's cloud, another
 * "in any other region". */
#define COSMOS_APP "a232010e-820c-4083-83bb-3ace5fc29d0b"
#define COSMOS_APP_USGOV "57506a73-e302-42a9-b869-6f12d9ec29e9"

/* The last one has no endpoint of its own: it must be given. It serves stand-ins for the public cloud, hence the rest.
 */
static const struct preset presets[] = {
    {"public", "AzurePublicCloud", "https://management.azure.com", "https://login.microsoftonline.com",
        "vault.azure.net", "managedhsm.azure.net", "documents.azure.com", COSMOS_APP},
    {"china", "AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.partner.microsoftonline.cn",
        "vault.azure.cn", "managedhsm.azure.cn", "documents.azure.cn", COSMOS_APP},
    {"usgov", "AzureUSGovernment", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us",
        "vault.usgovcloudapi.net", "managedhsm.usgovcloudapi.net", "documents.azure.us", COSMOS_APP_USGOV},
    {"custom", "AzureStackCloud", NULL, "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net",
        "documents.azure.com", COSMOS_APP},
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

/* A DNS name of at least two labels: hosts are compared with what comes behind a dot, and "net" would be every one. */
static int take_suffix(char **ret, const char *what, const char *text, struct err *err)
{
    const char *name = *text == '.' ? text + 1 : text;
    size_t n = strlen(name), dots = 0;

    if (n > 0 && name[n - 1] == '/') /* as some metadata documents have it */
        n--;
    for (size_t i = 0; i < n; i++) {
        bool inner = i > 0 && i + 1 < n && ascii_isalnum(name[i - 1]);
        dots += name[i] == '.';
        if (!ascii_isalnum(name[i]) && !(inner && name[i] == '.') && !(i > 0 && i + 1 < n && name[i] == '-'))
            return err_set(err, ERR_INVALID, "the suffix of %s must be a DNS name such as vault.azure.net", what);
    }
    if (n == 0 || n > 253 || dots == 0)
        return err_set(err, ERR_INVALID, "the suffix of %s must be a DNS name such as vault.azure.net", what);
    char *copy = xstrndup(name, n);
    *ret = str_lower(copy);
    return 0;
}

static int take_principal(struct azure_cloud *cloud, const char *id, struct err *err)
{
    if (str_empty(id))
        return 0;
    if (!str_is_guid(id))
        return err_set(err, ERR_INVALID, "the object id of Cosmos DB's service principal must be a GUID");
    char *copy = xstrdup(id);
    cloud->cosmos_principal_id = str_lower(copy);
    return 0;
}

static const char *first_of(const char *given, const char *preset)
{
    return str_empty(given) ? preset : given;
}

static const struct preset *choose_preset(const struct azure_cloud_options *options, struct err *err)
{
    const char *name = first_of(options->name, str_empty(options->arm_endpoint) ? "public" : "custom");
    const struct preset *preset = find_preset(name);

    if (!preset)
        (void)err_set(err, ERR_INVALID, "unknown Azure cloud \"%.40s\": use public, china, usgov or custom", name);
    return preset;
}

int azure_cloud_new(struct azure_cloud **ret, const struct azure_cloud_options *options, struct err *err)
{
    const struct preset *preset = choose_preset(options, err);

    if (!preset)
        return -1;
    const char *endpoint = first_of(options->arm_endpoint, preset->arm_endpoint);
    if (!endpoint)
        return err_set(err, ERR_INVALID, "the custom Azure cloud needs an Azure Resource Manager endpoint");

    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = xcalloc(1, sizeof(*cloud));
    cloud->name = xstrdup(preset->name);
    cloud->cosmos_app_id = xstrdup(preset->cosmos_app_id);
    const char *from_environment = first_of(options->environment_authority_host, preset->authority_host);
    const char *authority = first_of(options->authority_host, from_environment);
    if (take_url(&cloud->arm_endpoint, "Azure Resource Manager endpoint", endpoint, false, err) < 0 ||
        take_url(&cloud->authority_host, "authority host", authority, true, err) < 0 ||
        take_scope(cloud, first_of(options->arm_scope, NULL), err) < 0 ||
        take_suffix(&cloud->vault_suffix, "key vaults", first_of(options->vault_suffix, preset->vault_suffix), err) <
            0 ||
        take_suffix(&cloud->hsm_suffix, "managed HSMs", first_of(options->hsm_suffix, preset->hsm_suffix), err) < 0 ||
        take_suffix(&cloud->cosmos_suffix, "Cosmos DB accounts",
            first_of(options->cosmos_suffix, preset->cosmos_suffix), err) < 0 ||
        take_principal(cloud, options->cosmos_principal_id, err) < 0)
        return -1;
    *ret = TAKE_PTR(cloud);
    return 0;
}

/* A named cloud is known, whatever endpoint it is reached by. */
static bool has_to_ask(const struct azure_cloud_options *options, const struct azure_cloud *cloud)
{
    bool is_complete = !str_empty(options->environment_authority_host) && !str_empty(options->vault_suffix) &&
                       !str_empty(options->cosmos_suffix);

    return str_eq(cloud->name, "custom") && str_empty(options->authority_host) && !is_complete;
}

/* What is given goes before what the document says. Checked once without the document, so that a mistake in the
 * configuration is found before anybody is asked. */
int azure_cloud_open(struct azure_cloud **ret, const struct azure_cloud_access *access,
    const struct azure_cloud_options *options, struct err *err)
{
    _cleanup_(azure_cloud_freep) struct azure_cloud *cloud = NULL;
    _cleanup_(cloud_metadata_done) struct cloud_metadata metadata = {0};
    struct azure_cloud_options full = *options;

    if (azure_cloud_new(&cloud, options, err) < 0)
        return -1;
    if (!has_to_ask(options, cloud)) {
        *ret = TAKE_PTR(cloud);
        return 0;
    }
    int r = cloud_metadata_fetch(&metadata, access, cloud->arm_endpoint, err);
    if (r == 0) {
        full.authority_host = first_of(options->environment_authority_host, metadata.authority_host);
        full.arm_scope = first_of(options->arm_scope, metadata.arm_scope);
        full.vault_suffix = first_of(options->vault_suffix, metadata.vault_suffix);
        full.hsm_suffix = first_of(options->hsm_suffix, metadata.hsm_suffix);
        full.cosmos_suffix = first_of(options->cosmos_suffix, metadata.cosmos_suffix);
        r = azure_cloud_new(ret, &full, err);
    }
    if (r < 0)
        return err_wrap(err,
            "cannot take the cloud's description from %s/metadata/endpoints (not needed when the authority host is "
            "given)",
            cloud->arm_endpoint);
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
    free(cloud->cosmos_app_id);
    free(cloud->cosmos_principal_id);
    free(cloud);
    return NULL;
}
