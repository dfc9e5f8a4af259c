/* Recorded: {"id","name","type","location","properties":{"tenantId","principalId","clientId"}}, with "resourcegroups"
 * in lower case in the id. */
#include "azure/managed_identity.h"

#include "azure/arm_error.h"
#include "base/mem.h"
#include "base/str.h"

#define READ_IDENTITY "Microsoft.ManagedIdentity/userAssignedIdentities/read"

void managed_identity_done(struct managed_identity *identity)
{
    free(identity->principal_id);
    free(identity->client_id);
    free(identity->tenant_id);
    *identity = (struct managed_identity){0};
}

static int decode(struct managed_identity *ret, const struct buf *body, struct err *err)
{
    static const struct json_field fields[] = {
        {"properties.principalId", JSON_STRING, offsetof(struct managed_identity, principal_id), .required = true},
        {"properties.clientId", JSON_STRING, offsetof(struct managed_identity, client_id)},
        {"properties.tenantId", JSON_STRING, offsetof(struct managed_identity, tenant_id)},
    };
    _cleanup_(managed_identity_done) struct managed_identity identity = {0};
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (arm_json_parse(&tree, body->data, body->len, err) < 0 ||
        json_decode(tree, fields, ARRAY_LEN(fields), &identity, err) < 0)
        return err_wrap(err, "Azure's answer is not a managed identity");
    if (!str_is_guid(identity.principal_id))
        return err_set(err, ERR_PROTOCOL, "Azure's answer is not a managed identity: its principalId is no GUID");
    *ret = identity;
    identity = (struct managed_identity){0};
    return 0;
}

int managed_identity_get(struct arm_client *client, const char *id, struct managed_identity *ret, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id parsed = {0};
    struct arm_response response;

    *ret = (struct managed_identity){0};
    if (arm_id_parse(&parsed, id, err) < 0)
        return err_wrap(err, "the identity's id cannot be used");
    if (!arm_id_is(&parsed, "Microsoft.ManagedIdentity", "userAssignedIdentities"))
        return err_set(err, ERR_INVALID, "%s is no id of a user-assigned identity", id);
    _cleanup_(freep) char *what = xasprintf("the identity %s", parsed.name);
    int r = arm_get(client, parsed.text, MANAGED_IDENTITY_API_VERSION, NULL, &response, err);
    if (r < 0)
        (void)arm_say_missing(err, what, READ_IDENTITY, parsed.text);
    else
        r = decode(ret, &response.http.body, err);
    arm_response_done(&response);
    return r;
}
