/* The bodies of the PATCHes.
 *
 * Invariant: one thing in each. Combined with a key the service refuses anything else ("Cannot update Customer Managed
 * Key settings and other properties at the same time"); identity and default identity in one body fail silently. */
#include "azure/cosmos.h"

#include "json/json.h"

static char *property(const char *name, const char *value)
{
    _cleanup_(json_freep) cJSON *body = cJSON_CreateObject();

    (void)json_add_string(json_add_object(body, "properties"), name, value);
    return json_print(body);
}

char *cosmos_body_key(const char *key_uri)
{
    return property("keyVaultKeyUri", key_uri);
}

char *cosmos_body_default_identity(const char *default_identity)
{
    return property("defaultIdentity", default_identity);
}

char *cosmos_body_identity(const char *type, const char *user_identity_id)
{
    _cleanup_(json_freep) cJSON *body = cJSON_CreateObject();
    cJSON *identity = json_add_object(body, "identity");

    (void)json_add_string(identity, "type", type);
    if (user_identity_id)
        (void)json_add_object(json_add_object(identity, "userAssignedIdentities"), user_identity_id);
    return json_print(body);
}
