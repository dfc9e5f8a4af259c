/* The CRD, as it stands in the tree. */
#include "sequences/values.h"

#include "base/file.h"
#include "base/str.h"
#include "yaml/yaml_json.h"

#define CRD "../crd/cosmoscmk.yaml" /* from tests/, where ctest runs */
#define CRD_MAX (1 << 20)

int schema_read(cJSON **ret_crd, const cJSON **ret_spec, struct err *err)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(CRD_MAX);

    if (file_read(CRD, &text, err) < 0 || yaml_read(ret_crd, CRD, buf_str(&text), text.len, CRD_MAX, err) < 0)
        return -1;
    const cJSON *versions = json_at(*ret_crd, "spec.versions");
    *ret_spec = json_at(cJSON_GetArrayItem(versions, 0), "schema.openAPIV3Schema.properties.spec");
    if (cJSON_GetArraySize(versions) != 1 || !*ret_spec)
        return err_set(err, ERR_INVALID, CRD " must have one version with a schema of spec");
    return 0;
}
