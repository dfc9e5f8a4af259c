/* A CosmosCMK from JSON. The spec is strict, because it is a demand: what cannot be understood is said in
 * spec.malformed. The status is lenient, because it is our own note: what cannot be read there is found out anew. */
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "controller/codec.h"
#include "controller/codec_private.h"

#include <string.h>

/* ---- spec ---- */

static void malformed(struct cmk_spec *spec, const char *field, const char *problem)
{
    if (!spec->malformed)
        spec->malformed = xasprintf("spec.%s %s", field, problem);
}

static const cJSON *present(const cJSON *object, const char *path)
{
    const cJSON *value = json_at(object, path);

    return value && !cJSON_IsNull(value) ? value : NULL;
}

static void take_string(struct cmk_spec *spec, const cJSON *from, const char *path, char **slot)
{
    const cJSON *value = present(from, path);

    if (value && !cJSON_IsString(value))
        malformed(spec, path, "must be a string");
    else if (value)
        *slot = xstrdup(value->valuestring);
}

static void take_bool(struct cmk_spec *spec, const cJSON *from, const char *path, bool *slot)
{
    const cJSON *value = present(from, path);

    if (value && !cJSON_IsBool(value))
        malformed(spec, path, "must be true or false");
    else if (value)
        *slot = cJSON_IsTrue(value);
}

/* words: "First Second", each the name of the enum's values from first on. */
static int take_enum(struct cmk_spec *spec, const cJSON *from, const char *path, const char *const *words, int first)
{
    const cJSON *value = present(from, path);
    int n = 0;

    if (!value)
        return 0;
    for (; words[n]; n++)
        if (cJSON_IsString(value) && str_eq(value->valuestring, words[n]))
            return first + n;
    if (!spec->malformed) {
        _cleanup_(freep) char *problem =
            xasprintf("must be one of %s, %s%s%s", words[0], words[1], n > 2 ? ", " : "", n > 2 ? words[2] : "");
        malformed(spec, path, problem);
    }
    return 0;
}

static bool take_days(const cJSON *list, unsigned *ret)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const cJSON *day;

    *ret = 0;
    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach (day, list) {
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !(cJSON_IsString(day) && str_eq(day->valuestring, names[i])))
            i++;
        if (i == ARRAY_LEN(names) || (*ret & 1U << i))
            return false;
        *ret |= 1U << i;
    }
    return *ret != 0;
}

static bool take_start(const char *text, int64_t *ret_s)
{
    if (!text || strlen(text) != 5 || text[2] != ':')
        return false;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !ascii_isdigit(text[i]))
            return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
    *ret_s = hour * 3600 + minute * 60;
    return hour < 24 && minute < 60;
}

/* "4h", "90m", "1h30m": of what duration_parse() understands only the form that the CRD allows. */
static bool is_length(const char *text)
{
    size_t hours = strspn(text, "0123456789");

    if (text[hours] == 'h' && hours >= 1 && hours <= 3)
        text += hours + 1;
    size_t minutes = strspn(text, "0123456789");
    return *text == '\0' || (minutes >= 1 && minutes <= 5 && str_eq(text + minutes, "m"));
}

static bool take_length(const char *text, int64_t *ret_ms)
{
    return text && is_length(text) && duration_parse(text, ret_ms) && *ret_ms > 0 && *ret_ms <= 7 * 86400000LL;
}

static void take_window(struct cmk_spec *spec, const cJSON *from)
{
    const cJSON *window = present(from, "window"), *period;
    struct cmk_window *w = &spec->window;

    if (!window)
        return;
    w->present = true;
    take_string(spec, from, "window.timeZone", &w->time_zone);
    if (cJSON_IsObject(json_member(window, "periods")))
        malformed(spec, "window.periods", "must be a list");
    cJSON_ArrayForEach (period, json_member(window, "periods")) {
        if (w->n_periods == CMK_MAX_PERIODS) {
            malformed(spec, "window.periods", "has more than 32 periods");
            return;
        }
        struct cmk_period *p = &w->periods[w->n_periods++];
        if (!take_days(json_member(period, "days"), &p->days))
            malformed(spec, "window.periods[].days",
                "must list at least one of Mon, Tue, Wed, Thu, Fri, Sat, Sun, each once");
        if (!take_start(json_string_at(period, "start"), &p->start_s))
            malformed(spec, "window.periods[].start", "must be a time of day such as \"01:00\"");
        if (!take_length(json_string_at(period, "duration"), &p->length_ms))
            malformed(spec, "window.periods[].duration", "must be a duration such as 4h or 1h30m, at most 168h");
    }
}

static void take_spec(struct cmk_spec *spec, const cJSON *from)
{
    static const char *const modes[] = {"Enforce", "Observe", NULL}, *const approvals[] = {"Automatic", "Manual", NULL},
                             *const drifts[] = {"Correct", "Report", NULL},
                             *const accesses[] = {"Verify", "Grant", NULL},
                             *const checks[] = {"Enforce", "Warn", "Skip", NULL},
                             *const scans[] = {"Skip", "Scan", NULL};
    const cJSON *priority = present(from, "priority"), *preflight = present(from, "preflight");

    take_string(spec, from, "accountId", &spec->account_id);
    take_string(spec, from, "keyVaultKeyUri", &spec->key_uri);
    take_string(spec, from, "defaultIdentity", &spec->default_identity);
    take_string(spec, from, "keyVaultId", &spec->key_vault_id);
    take_string(spec, from, "approvedPlan", &spec->approved_plan);
    take_bool(spec, from, "suspend", &spec->suspend);
    spec->mode = (enum cmk_mode)take_enum(spec, from, "mode", modes, CMK_ENFORCE);
    spec->approval = (enum cmk_approval)take_enum(spec, from, "approval", approvals, CMK_AUTOMATIC);
    spec->drift = (enum cmk_drift)take_enum(spec, from, "drift", drifts, CMK_DRIFT_CORRECT);
    spec->key_vault_access =
        (enum cmk_key_vault_access)take_enum(spec, from, "keyVaultAccess", accesses, CMK_ACCESS_VERIFY);
    if (preflight && !cJSON_IsObject(preflight))
        malformed(spec, "preflight", "must have the members keyVault and documentIds, or one of them");
    spec->check_key_vault =
        (enum cmk_key_vault_check)take_enum(spec, from, "preflight.keyVault", checks, CMK_CHECK_ENFORCE);
    spec->document_ids = (enum cmk_document_ids)take_enum(spec, from, "preflight.documentIds", scans, CMK_IDS_SKIP);
    if (priority && (!json_int(priority, false, &spec->priority) || spec->priority < -CMK_MAX_PRIORITY ||
                        spec->priority > CMK_MAX_PRIORITY))
        malformed(spec, "priority", "must be a whole number from -1000000 to 1000000");
    take_window(spec, from);
}

/* ---- status ---- */

static int64_t time_of(const cJSON *object, const char *name)
{
    const char *text = json_string_at(object, name);
    int64_t ms = 0;

    return text && time_parse_rfc3339(text, &ms) ? ms : 0;
}

static int64_t int_of(const cJSON *object, const char *name)
{
    int64_t n = 0;

    (void)json_int(json_member(object, name), false, &n); /* stays 0 */
    return n;
}

static void take_members(void *to, const cJSON *from, const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)to + members[i].offset;
        switch (members[i].type) {
        case MEMBER_STRING:
            *(char **)at = xstrdup(json_string_at(from, members[i].name));
            break;
        case MEMBER_TIME:
            *(int64_t *)at = time_of(from, members[i].name);
            break;
        case MEMBER_INT:
            *(int64_t *)at = int_of(from, members[i].name);
            break;
        }
    }
}

static enum cmk_truth truth_of(const char *word)
{
    return str_eq(word, "True") ? CMK_TRUE : str_eq(word, "False") ? CMK_FALSE : CMK_UNKNOWN;
}

static void take_conditions(struct cmk_status *status, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const char *type = json_string_at(item, "type");
        if (!type || status->n_conditions == CMK_MAX_CONDITIONS)
            continue;
        status->conditions[status->n_conditions++] = (struct cmk_condition){
            .type = xstrdup(type),
            .status = truth_of(json_string_at(item, "status")),
            .reason = xstrdup(json_string_at(item, "reason")),
            .message = xstrdup(json_string_at(item, "message")),
            .observed_generation = int_of(item, "observedGeneration"),
            .last_transition = time_of(item, "lastTransitionTime"),
        };
    }
}

static void take_plan(struct cmk_plan *plan, const cJSON *from)
{
    const char *hash = json_string_at(from, "hash");
    const cJSON *step;

    if (!hash || strlen(hash) >= sizeof(plan->hash))
        return;
    (void)str_copy(plan->hash, sizeof(plan->hash), hash);
    cJSON_ArrayForEach (step, json_member(from, "steps")) {
        enum cmk_step_type type = cJSON_IsString(step) ? cmk_step_type_parse(step->valuestring) : CMK_NO_STEP;
        if (type != CMK_NO_STEP && plan->n < CMK_MAX_STEPS)
            plan->steps[plan->n++] = type;
    }
}

static void take_operation(struct cmk_operation *operation, const cJSON *from)
{
    operation->type = cmk_step_type_parse(json_string_at(from, "type"));
    if (operation->type == CMK_NO_STEP)
        return;
    take_members(operation, from, codec_operation_members, CODEC_OPERATION_MEMBERS);
    operation->error_code = xstrdup(json_string_at(from, "error.code"));
    operation->error_message = xstrdup(json_string_at(from, "error.message"));
    if (!operation->state)
        operation->state = xstrdup(CMK_REQUESTED); /* the careful reading: its outcome is unknown */
}

static void take_checks(struct cmk_status *status, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const char *name = json_string_at(item, "name");
        if (!name || status->n_checks == CMK_MAX_CHECKS)
            continue;
        status->checks[status->n_checks++] = (struct cmk_check){.name = xstrdup(name),
            .result = cmk_check_result_parse(json_string_at(item, "result")),
            .message = xstrdup(json_string_at(item, "message"))};
    }
}

static void take_status(struct cmk_status *status, const cJSON *from)
{
    const cJSON *account = json_member(from, "account"), *operation = json_member(from, "operation");

    status->observed_generation = int_of(from, "observedGeneration");
    take_conditions(status, json_member(from, "conditions"));
    status->has_account = cJSON_IsObject(account);
    if (status->has_account)
        take_members(&status->account, account, codec_account_members, CODEC_ACCOUNT_MEMBERS);
    take_plan(&status->plan, json_member(from, "plan"));
    if (cJSON_IsObject(operation))
        take_operation(&status->operation, operation);
    take_checks(status, json_member(from, "preflight"));
    status->encrypted_at = time_of(from, "encryptedAt");
    status->encrypted_key_uri = xstrdup(json_string_at(from, "encryptedKeyUri"));
    status->last_handled_reconcile_at = xstrdup(json_string_at(from, "lastHandledReconcileAt"));
}

/* ---- the object ---- */

int cmk_decode(struct cmk_resource *ret, const cJSON *object, struct err *err)
{
    static const struct json_field fields[] = {
        {"metadata.name", JSON_STRING, offsetof(struct cmk_resource, name), true, 253},
        {"metadata.namespace", JSON_STRING, offsetof(struct cmk_resource, ns), true, 63},
        {"metadata.uid", JSON_STRING, offsetof(struct cmk_resource, uid), true, 128},
        {"metadata.resourceVersion", JSON_STRING, offsetof(struct cmk_resource, resource_version), true, 128},
        {"metadata.generation", JSON_INT, offsetof(struct cmk_resource, generation), false, 0},
        {"metadata.creationTimestamp", JSON_TIME, offsetof(struct cmk_resource, created_at), false, 0},
    };

    *ret = (struct cmk_resource){0};
    if (json_decode(object, fields, ARRAY_LEN(fields), ret, err) < 0) {
        cmk_resource_done(ret);
        return err_wrap(err, "an object of the API server is no " CMK_KIND);
    }
    ret->deleting = json_string_at(object, "metadata.deletionTimestamp") != NULL;
    const cJSON *annotation = json_member(json_at(object, "metadata.annotations"), CMK_RECONCILE_ANNOTATION);
    if (cJSON_IsString(annotation) && strlen(annotation->valuestring) <= 256)
        ret->reconcile_requested_at = xstrdup(annotation->valuestring);
    const cJSON *spec = json_member(object, "spec");
    if (cJSON_IsObject(spec))
        take_spec(&ret->spec, spec);
    take_status(&ret->status, json_member(object, "status"));
    return 0;
}
