/* Copying, comparing and freeing of the domain's data. The string members of each struct are listed once, in a table.
 */
#include "cmk/types.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* The first ACCOUNT_SHOWN are what status shows and what counts as a difference. */
static const size_t account_strings[] = {
    offsetof(struct cmk_account, name),
    offsetof(struct cmk_account, location),
    offsetof(struct cmk_account, kind),
    offsetof(struct cmk_account, api_types),
    offsetof(struct cmk_account, provisioning_state),
    offsetof(struct cmk_account, key_uri),
    offsetof(struct cmk_account, key_uri_version),
    offsetof(struct cmk_account, cmk_status),
    offsetof(struct cmk_account, default_identity),
    offsetof(struct cmk_account, backup_policy),
    offsetof(struct cmk_account, identity_type),
    offsetof(struct cmk_account, system_principal_id),
};
#define ACCOUNT_SHOWN (ARRAY_LEN(account_strings) - 2)

/* maxLength of each in crd/cosmoscmk.yaml. */
static const size_t account_limits[ACCOUNT_SHOWN] = {64, 128, 64, 256, 64, 1024, 1024, 4096, 1024, 64};

static const size_t operation_strings[] = {
    offsetof(struct cmk_operation, state),
    offsetof(struct cmk_operation, id),
    offsetof(struct cmk_operation, status_url),
    offsetof(struct cmk_operation, correlation_id),
    offsetof(struct cmk_operation, target),
    offsetof(struct cmk_operation, previous_key_uri),
    offsetof(struct cmk_operation, error_code),
    offsetof(struct cmk_operation, error_message),
};

static const size_t condition_strings[] = {
    offsetof(struct cmk_condition, type),
    offsetof(struct cmk_condition, reason),
    offsetof(struct cmk_condition, message),
};

static const size_t check_strings[] = {offsetof(struct cmk_check, name), offsetof(struct cmk_check, message)};

static const size_t spec_strings[] = {
    offsetof(struct cmk_spec, account_id),
    offsetof(struct cmk_spec, key_uri),
    offsetof(struct cmk_spec, default_identity),
    offsetof(struct cmk_spec, key_vault_id),
    offsetof(struct cmk_spec, approved_plan),
    offsetof(struct cmk_spec, window.time_zone),
    offsetof(struct cmk_spec, malformed),
};

static char **string_at(const void *object, size_t offset)
{
    return (char **)((char *)object + offset);
}

static void strings_free(void *object, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(*string_at(object, offsets[i]));
}

/* to is a bitwise copy of the original: its pointers are replaced by copies of what they point to. */
static void strings_own(void *to, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *string_at(to, offsets[i]) = xstrdup(*string_at(to, offsets[i]));
}

/* "" and absent are one: what was written as either may come back as the other, and no write may follow from that. */
static bool texts_equal(const char *a, const char *b)
{
    return str_eq(a, b) || (str_empty(a) && str_empty(b));
}

static bool strings_equal(const void *a, const void *b, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!texts_equal(*string_at(a, offsets[i]), *string_at(b, offsets[i])))
            return false;
    return true;
}

#define STRINGS(table) table, ARRAY_LEN(table)

void cmk_spec_done(struct cmk_spec *spec)
{
    strings_free(spec, STRINGS(spec_strings));
    *spec = (struct cmk_spec){0};
}

static void list_free(char **list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
}

static char **list_copy(char *const *list, size_t n)
{
    char **copy = list ? xcalloc(n, sizeof(*copy)) : NULL;

    for (size_t i = 0; list && i < n; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

void cmk_account_done(struct cmk_account *account)
{
    strings_free(account, STRINGS(account_strings));
    list_free(account->user_identities, account->n_user_identities);
    list_free(account->user_principal_ids, account->n_user_identities);
    *account = (struct cmk_account){0};
}

void cmk_account_copy(struct cmk_account *to, const struct cmk_account *from)
{
    *to = *from;
    strings_own(to, STRINGS(account_strings));
    to->user_identities = list_copy(from->user_identities, from->n_user_identities);
    to->user_principal_ids = list_copy(from->user_principal_ids, from->n_user_identities);
}

void cmk_cut(char *s, size_t max)
{
    if (!s || strlen(s) <= max)
        return;
    while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
        max--;
    s[max] = '\0';
}

void cmk_account_cut(struct cmk_account *account)
{
    for (size_t i = 0; i < ACCOUNT_SHOWN; i++)
        cmk_cut(*string_at(account, account_strings[i]), account_limits[i]);
}

void cmk_operation_done(struct cmk_operation *operation)
{
    strings_free(operation, STRINGS(operation_strings));
    *operation = (struct cmk_operation){0};
}

void cmk_status_done(struct cmk_status *status)
{
    for (size_t i = 0; i < status->n_conditions; i++)
        strings_free(&status->conditions[i], STRINGS(condition_strings));
    for (size_t i = 0; i < status->n_checks; i++)
        strings_free(&status->checks[i], STRINGS(check_strings));
    cmk_account_done(&status->account);
    cmk_operation_done(&status->operation);
    free(status->encrypted_key_uri);
    free(status->last_handled_reconcile_at);
    *status = (struct cmk_status){0};
}

void cmk_status_copy(struct cmk_status *to, const struct cmk_status *from)
{
    *to = *from;
    for (size_t i = 0; i < to->n_conditions; i++)
        strings_own(&to->conditions[i], STRINGS(condition_strings));
    for (size_t i = 0; i < to->n_checks; i++)
        strings_own(&to->checks[i], STRINGS(check_strings));
    cmk_account_copy(&to->account, &from->account);
    strings_own(&to->operation, STRINGS(operation_strings));
    to->encrypted_key_uri = xstrdup(from->encrypted_key_uri);
    to->last_handled_reconcile_at = xstrdup(from->last_handled_reconcile_at);
}

static bool conditions_equal(const struct cmk_status *a, const struct cmk_status *b)
{
    if (a->n_conditions != b->n_conditions)
        return false;
    for (size_t i = 0; i < a->n_conditions; i++) {
        const struct cmk_condition *x = &a->conditions[i], *y = &b->conditions[i];
        if (!strings_equal(x, y, STRINGS(condition_strings)) || x->status != y->status ||
            x->observed_generation != y->observed_generation || x->last_transition != y->last_transition)
            return false;
    }
    return true;
}

static bool checks_equal(const struct cmk_status *a, const struct cmk_status *b)
{
    if (a->n_checks != b->n_checks)
        return false;
    for (size_t i = 0; i < a->n_checks; i++)
        if (!strings_equal(&a->checks[i], &b->checks[i], STRINGS(check_strings)) ||
            a->checks[i].result != b->checks[i].result)
            return false;
    return true;
}

static bool plans_equal(const struct cmk_plan *a, const struct cmk_plan *b)
{
    return a->n == b->n && strcmp(a->hash, b->hash) == 0 && memcmp(a->steps, b->steps, a->n * sizeof(a->steps[0])) == 0;
}

static bool operations_equal(const struct cmk_operation *a, const struct cmk_operation *b)
{
    return strings_equal(a, b, STRINGS(operation_strings)) && a->type == b->type &&
           a->requested_at == b->requested_at && a->started_at == b->started_at && a->completed_at == b->completed_at &&
           a->attempts == b->attempts;
}

bool cmk_status_equal(const struct cmk_status *a, const struct cmk_status *b)
{
    return a->observed_generation == b->observed_generation && conditions_equal(a, b) && checks_equal(a, b) &&
           a->has_account == b->has_account &&
           strings_equal(&a->account, &b->account, account_strings, ACCOUNT_SHOWN) && plans_equal(&a->plan, &b->plan) &&
           operations_equal(&a->operation, &b->operation) && a->encrypted_at == b->encrypted_at &&
           texts_equal(a->encrypted_key_uri, b->encrypted_key_uri) &&
           texts_equal(a->last_handled_reconcile_at, b->last_handled_reconcile_at);
}

void cmk_resource_done(struct cmk_resource *resource)
{
    free(resource->ns);
    free(resource->name);
    free(resource->uid);
    free(resource->resource_version);
    free(resource->reconcile_requested_at);
    cmk_spec_done(&resource->spec);
    cmk_status_done(&resource->status);
    *resource = (struct cmk_resource){0};
}

static const char *const step_names[] = {
    [CMK_NO_STEP] = "None",
    [CMK_ATTACH_IDENTITY] = "AttachIdentity",
    [CMK_GRANT_KEY_ACCESS] = "GrantKeyAccess",
    [CMK_SET_DEFAULT_IDENTITY] = "SetDefaultIdentity",
    [CMK_ENABLE_KEY] = "EnableKey",
};
static const char *const truth_names[] = {[CMK_UNKNOWN] = "Unknown", [CMK_TRUE] = "True", [CMK_FALSE] = "False"};
static const char *const result_names[] = {
    [CMK_PASSED] = "Passed",
    [CMK_CHECK_FAILED] = "Failed",
    [CMK_WARNING] = "Warning",
    [CMK_CHECK_UNKNOWN] = "Unknown",
    [CMK_SKIPPED] = "Skipped",
};

const char *cmk_step_type_name(enum cmk_step_type type)
{
    return (size_t)type < ARRAY_LEN(step_names) ? step_names[type] : NULL;
}

enum cmk_step_type cmk_step_type_parse(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(step_names); i++)
        if (str_eq(word, step_names[i]))
            return (enum cmk_step_type)i;
    return CMK_NO_STEP;
}

const char *cmk_truth_name(enum cmk_truth truth)
{
    return (size_t)truth < ARRAY_LEN(truth_names) ? truth_names[truth] : NULL;
}

const char *cmk_check_result_name(enum cmk_check_result result)
{
    return (size_t)result < ARRAY_LEN(result_names) ? result_names[result] : NULL;
}

enum cmk_check_result cmk_check_result_parse(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(result_names); i++)
        if (str_eq(word, result_names[i]))
            return (enum cmk_check_result)i;
    return CMK_CHECK_UNKNOWN;
}
