/* Kubeconfig files: YAML to configuration. Nothing is executed or connected to. Files that the input names are not
 * read: those fields are taken out before, or the input would have the run of this machine. */
#include "fuzz.h"

#include "kube/kubeconfig.h"
#include "yaml/yaml_json.h"

#define MAX_BYTES ((size_t)64 * 1024)

static void drop_file_fields(cJSON *tree)
{
    static const char *const names[] = {"certificate-authority", "client-certificate", "client-key"};
    cJSON *child;

    if (cJSON_IsObject(tree))
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            cJSON_DeleteItemFromObjectCaseSensitive(tree, names[i]);
    cJSON_ArrayForEach (child, tree)
        drop_file_fields(child);
}

static void check(const struct kube_config *config)
{
    size_t n = strlen(config->server);

    FUZZ_CHECK(n > 0 && config->server[n - 1] != '/' && fuzz_is_one_line(config->server));
    FUZZ_CHECK(config->namespace_name && config->source);
    FUZZ_CHECK(!config->client_cert_pem == !config->client_key_pem);
    FUZZ_CHECK(!config->exec || (config->exec->command && config->exec->args && config->exec->env));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    _cleanup_(kubeconfig_done) struct kubeconfig k = {0};
    cJSON *tree = NULL;
    struct err err = ERR_INIT;

    if (yaml_read(&tree, "config", (const char *)data, size, MAX_BYTES, &err) < 0)
        return 0;
    drop_file_fields(tree);
    k.files = xcalloc(1, sizeof(*k.files));
    k.files[k.n++] = (struct kubeconfig_file){xstrdup("config"), tree};
    if (kubeconfig_decode(&config, &k, NULL, &err) == 0)
        check(config);
    else
        FUZZ_CHECK(!config && err.kind == ERR_INVALID && *err.msg);
    return 0;
}
