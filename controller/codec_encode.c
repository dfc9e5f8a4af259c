/* The status as a merge patch. */
#include "base/str.h"
#include "base/timefmt.h"
#include "controller/codec.h"
#include "controller/codec_private.h"

const struct member codec_account_members[CODEC_ACCOUNT_MEMBERS] = {
    {"name", MEMBER_STRING, offsetof(struct cmk_account, name)},
    {"location", MEMBER_STRING, offsetof(struct cmk_account, location)},
    {"kind", MEMBER_STRING, offsetof(struct cmk_account, kind)},
    {"apiTypes", MEMBER_STRING, offsetof(struct cmk_account, api_types)},
    {"provisioningState", MEMBER_STRING, offsetof(struct cmk_account, provisioning_state)},
    {"keyVaultKeyUri", MEMBER_STRING, offsetof(struct cmk_account, key_uri)},
    {"keyVaultKeyUriVersion", MEMBER_STRING, offsetof(struct cmk_account, key_uri_version)},
    {"customerManagedKeyStatus", MEMBER_STRING, offsetof(struct cmk_account, cmk_status)},
    {"defaultIdentity", MEMBER_STRING, offsetof(struct cmk_account, default_identity)},
    {"backupPolicy", MEMBER_STRING, offsetof(struct cmk_account, backup_policy)},
    {"observedAt", MEMBER_TIME, offsetof(struct cmk_account, observed_at)},
};

const struct member codec_operation_members[CODEC_OPERATION_MEMBERS] = {
    {"id", MEMBER_STRING, offsetof(struct cmk_operation, id)},
    {"state", MEMBER_STRING, offsetof(struct cmk_operation, state)},
    {"statusUrl", MEMBER_STRING, offsetof(struct cmk_operation, status_url)},
    {"correlationId", MEMBER_STRING, offsetof(struct cmk_operation, correlation_id)},
    {"target", MEMBER_STRING, offsetof(struct cmk_operation, target)},
    {"previousKeyVaultKeyUri", MEMBER_STRING, offsetof(struct cmk_operation, previous_key_uri)},
    {"attempts", MEMBER_INT, offsetof(struct cmk_operation, attempts)},
    {"requestedAt", MEMBER_TIME, offsetof(struct cmk_operation, requested_at)},
    {"startedAt", MEMBER_TIME, offsetof(struct cmk_operation, started_at)},
    {"lastObservedAt", MEMBER_TIME, offsetof(struct cmk_operation, last_observed_at)},
    {"completedAt", MEMBER_TIME, offsetof(struct cmk_operation, completed_at)},
};

static void put_string(cJSON *to, const char *name, const char *value)
{
    if (str_empty(value))
        cJSON_AddNullToObject(to, name);
    else
        json_add_string(to, name, value);
}

static void put_time(cJSON *to, const char *name, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];

    if (wall_ms) {
        time_format_rfc3339(wall_ms, text);
        json_add_string(to, name, text);
    } else {
        cJSON_AddNullToObject(to, name);
    }
}

static void put_members(cJSON *to, const void *from, const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const void *at = (const char *)from + members[i].offset;
        switch (members[i].type) {
        case MEMBER_STRING:
            put_string(to, members[i].name, *(char *const *)at);
            break;
        case MEMBER_TIME:
            put_time(to, members[i].name, *(const int64_t *)at);
            break;
        case MEMBER_INT:
            json_add_int(to, members[i].name, *(const int64_t *)at);
            break;
        }
    }
}

static void put_conditions(cJSON *to, const struct cmk_status *status)
{
    cJSON *list = json_add_array(to, "conditions");

    for (size_t i = 0; i < status->n_conditions; i++) {
        const struct cmk_condition *c = &status->conditions[i];
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "type", c->type);
        json_add_string(item, "status", cmk_truth_name(c->status));
        json_add_int(item, "observedGeneration", c->observed_generation);
        put_time(item, "lastTransitionTime", c->last_transition);
        json_add_string(item, "reason", c->reason);
        json_add_string(item, "message", c->message);
        cJSON_AddItemToArray(list, item);
    }
}

static void put_plan(cJSON *to, const struct cmk_plan *plan)
{
    if (plan->n == 0) {
        cJSON_AddNullToObject(to, "plan");
        return;
    }
    cJSON *object = json_add_object(to, "plan");
    json_add_string(object, "hash", plan->hash);
    cJSON *steps = json_add_array(object, "steps");
    for (size_t i = 0; i < plan->n; i++)
        cJSON_AddItemToArray(steps, cJSON_CreateString(cmk_step_type_name(plan->steps[i])));
}

static void put_operation(cJSON *to, const struct cmk_operation *operation)
{
    if (operation->type == CMK_NO_STEP) {
        cJSON_AddNullToObject(to, "operation");
        return;
    }
    cJSON *object = json_add_object(to, "operation");
    json_add_string(object, "type", cmk_step_type_name(operation->type));
    put_members(object, operation, codec_operation_members, CODEC_OPERATION_MEMBERS);
    if (str_empty(operation->error_code) && str_empty(operation->error_message)) {
        cJSON_AddNullToObject(object, "error");
    } else {
        cJSON *error = json_add_object(object, "error");
        put_string(error, "code", operation->error_code);
        put_string(error, "message", operation->error_message);
    }
}

static void put_checks(cJSON *to, const struct cmk_status *status)
{
    if (status->n_checks == 0) {
        cJSON_AddNullToObject(to, "preflight");
        return;
    }
    cJSON *list = json_add_array(to, "preflight");
    for (size_t i = 0; i < status->n_checks; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "name", status->checks[i].name);
        json_add_string(item, "result", cmk_check_result_name(status->checks[i].result));
        json_add_string(item, "message", status->checks[i].message);
        cJSON_AddItemToArray(list, item);
    }
}

static cJSON *patch_new(const char *resource_version)
{
    cJSON *patch = cJSON_CreateObject();

    if (resource_version)
        json_add_string(json_add_object(patch, "metadata"), "resourceVersion", resource_version);
    return patch;
}

cJSON *cmk_encode_status(const struct cmk_status *status, const char *resource_version)
{
    cJSON *patch = patch_new(resource_version);
    cJSON *to = json_add_object(patch, "status");

    json_add_int(to, "observedGeneration", status->observed_generation);
    put_conditions(to, status);
    if (status->has_account)
        put_members(json_add_object(to, "account"), &status->account, codec_account_members, CODEC_ACCOUNT_MEMBERS);
    else
        cJSON_AddNullToObject(to, "account");
    put_plan(to, &status->plan);
    put_operation(to, &status->operation);
    put_checks(to, status);
    put_time(to, "encryptedAt", status->encrypted_at);
    put_string(to, "encryptedKeyUri", status->encrypted_key_uri);
    put_string(to, "lastHandledReconcileAt", status->last_handled_reconcile_at);
    return patch;
}

cJSON *cmk_encode_operation(const struct cmk_operation *operation, const char *resource_version)
{
    cJSON *patch = patch_new(resource_version);

    put_operation(json_add_object(patch, "status"), operation);
    return patch;
}
