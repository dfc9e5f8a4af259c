/* From JSON and back: a strict spec, a lenient status, and a patch after which nothing old remains. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "controller/codec.h"

#include <stdio.h>
#include <string.h>

#define METADATA                                                                                                       \
    "\"metadata\":{\"name\":\"orders\",\"namespace\":\"shop\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"generation\":" \
    "3,"                                                                                                               \
    "\"creationTimestamp\":\"2026-03-02T08:00:00Z\"}"

static cJSON *tree_of(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static void decode(struct cmk_resource *ret, const char *text)
{
    _cleanup_(json_freep) cJSON *tree = tree_of(text);
    struct err err = ERR_INIT;

    if (cmk_decode(ret, tree, &err) < 0)
        fail_msg("%s", err.msg);
}

static void decode_spec(struct cmk_resource *ret, const char *spec)
{
    _cleanup_(freep) char *text = xasprintf("{" METADATA ",\"spec\":%s}", spec);

    decode(ret, text);
}

/* ---- spec ---- */

static void every_field_of_a_spec_is_understood(void **state _unused_)
{
    struct cmk_resource r;

    decode_spec(&r,
        "{\"accountId\":\"/a\",\"keyVaultKeyUri\":\"k\",\"defaultIdentity\":\"d\",\"keyVaultId\":\"v\","
        "\"keyVaultAccess\":\"Grant\",\"mode\":\"Observe\",\"suspend\":true,\"approval\":\"Manual\","
        "\"approvedPlan\":\"p\",\"drift\":\"Report\",\"priority\":-5,\"preflight\":{\"keyVault\":\"Warn\","
        "\"documentIds\":\"Scan\"},\"window\":{\"timeZone\":\"Europe/Rome\",\"periods\":[{\"days\":[\"Sat\","
        "\"Sun\"],\"start\":\"01:30\",\"duration\":\"1h30m\"}]}}");
    assert_null(r.spec.malformed);
    assert_string_equal(r.spec.account_id, "/a");
    assert_string_equal(r.spec.key_uri, "k");
    assert_string_equal(r.spec.default_identity, "d");
    assert_string_equal(r.spec.key_vault_id, "v");
    assert_string_equal(r.spec.approved_plan, "p");
    assert_int_equal(r.spec.key_vault_access, CMK_ACCESS_GRANT);
    assert_int_equal(r.spec.mode, CMK_OBSERVE);
    assert_true(r.spec.suspend);
    assert_int_equal(r.spec.approval, CMK_MANUAL);
    assert_int_equal(r.spec.drift, CMK_DRIFT_REPORT);
    assert_int_equal(r.spec.priority, -5);
    assert_int_equal(r.spec.check_key_vault, CMK_CHECK_WARN);
    assert_int_equal(r.spec.document_ids, CMK_IDS_SCAN);
    assert_true(r.spec.window.present);
    assert_string_equal(r.spec.window.time_zone, "Europe/Rome");
    assert_int_equal(r.spec.window.n_periods, 1);
    assert_int_equal(r.spec.window.periods[0].days, 0x60);
    assert_int_equal(r.spec.window.periods[0].start_s, 5400);
    assert_int_equal(r.spec.window.periods[0].length_ms, 5400000);
    cmk_resource_done(&r);
}

static void what_is_absent_or_null_has_its_default(void **state _unused_)
{
    static const char *const specs[] = {"{}", "{\"mode\":null,\"suspend\":null,\"window\":null,\"preflight\":null,"
                                              "\"priority\":null,\"keyVaultKeyUri\":null,\"approval\":null}"};

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct cmk_resource r;
        decode_spec(&r, specs[i]);
        assert_null(r.spec.malformed);
        assert_null(r.spec.key_uri);
        assert_int_equal(r.spec.mode, CMK_ENFORCE);
        assert_int_equal(r.spec.approval, CMK_AUTOMATIC);
        assert_int_equal(r.spec.drift, CMK_DRIFT_CORRECT);
        assert_int_equal(r.spec.key_vault_access, CMK_ACCESS_VERIFY);
        assert_int_equal(r.spec.check_key_vault, CMK_CHECK_UNSET);
        assert_false(r.spec.suspend);
        assert_false(r.spec.window.present);
        cmk_resource_done(&r);
    }
}

#define PERIOD(days, start, duration)                                                                                  \
    "{\"window\":{\"timeZone\":\"UTC\",\"periods\":[{\"days\":" days ",\"start\":" start ",\"duration\":" duration     \
    "}]}}"

static void what_is_malformed_is_said_in_a_sentence(void **state _unused_)
{
    static const struct {
        const char *spec, *says;
    } table[] = {
        {"{\"accountId\":7}", "spec.accountId must be a string"},
        {"{\"keyVaultKeyUri\":[\"k\"]}", "spec.keyVaultKeyUri must be a string"},
        {"{\"defaultIdentity\":{}}", "spec.defaultIdentity must be a string"},
        {"{\"approvedPlan\":true}", "spec.approvedPlan must be a string"},
        {"{\"suspend\":\"true\"}", "spec.suspend must be true or false"},
        {"{\"suspend\":1}", "spec.suspend must be true or false"},
        {"{\"mode\":\"observe\"}", "spec.mode must be one of Enforce, Observe"},
        {"{\"mode\":\"\"}", "spec.mode must be one of Enforce, Observe"},
        {"{\"mode\":1}", "spec.mode must be one of Enforce, Observe"},
        {"{\"approval\":\"Auto\"}", "spec.approval must be one of Automatic, Manual"},
        {"{\"drift\":\"Ignore\"}", "spec.drift must be one of Correct, Report"},
        {"{\"keyVaultAccess\":\"x\"}", "spec.keyVaultAccess must be one of Verify, Grant"},
        {"{\"preflight\":{\"keyVault\":\"x\"}}", "spec.preflight.keyVault must be one of Enforce, Warn, Skip"},
        {"{\"preflight\":{\"documentIds\":\"x\"}}", "spec.preflight.documentIds must be one of Skip, Scan"},
        {"{\"priority\":1.5}", "spec.priority must be a whole number"},
        {"{\"priority\":\"5\"}", "spec.priority must be a whole number"},
        {"{\"priority\":9007199254740993}", "spec.priority must be a whole number"},
        {"{\"window\":{\"timeZone\":1}}", "spec.window.timeZone must be a string"},
        {PERIOD("[]", "\"01:00\"", "\"4h\""), "spec.window.periods[].days must list"},
        {PERIOD("[\"Saturday\"]", "\"01:00\"", "\"4h\""), "spec.window.periods[].days must list"},
        {PERIOD("\"Sat\"", "\"01:00\"", "\"4h\""), "spec.window.periods[].days must list"},
        {PERIOD("[\"Sat\"]", "\"1:00\"", "\"4h\""), "spec.window.periods[].start must be a time of day"},
        {PERIOD("[\"Sat\"]", "\"24:00\"", "\"4h\""), "spec.window.periods[].start must be a time of day"},
        {PERIOD("[\"Sat\"]", "\"12:60\"", "\"4h\""), "spec.window.periods[].start must be a time of day"},
        {PERIOD("[\"Sat\"]", "1", "\"4h\""), "spec.window.periods[].start must be a time of day"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"0s\""), "spec.window.periods[].duration must be a duration"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"169h\""), "spec.window.periods[].duration must be a duration"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"1.5h\""), "spec.window.periods[].duration must be a duration"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"30m1h\""), "spec.window.periods[].duration must be a duration"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"1h1h\""), "spec.window.periods[].duration must be a duration"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"90s\""), "spec.window.periods[].duration must be a duration"},
        {"{\"window\":{\"timeZone\":\"UTC\",\"periods\":{\"a\":{\"days\":[\"Sat\"],\"start\":\"01:00\",\"duration\":"
         "\"4h\"}}}}",
            "spec.window.periods must be a list"},
        {"{\"preflight\":\"Skip\"}", "spec.preflight must have the members keyVault and documentIds"},
        {"{\"preflight\":[]}", "spec.preflight must have the members keyVault and documentIds"},
        {"{\"priority\":1000001}", "spec.priority must be a whole number from -1000000 to 1000000"},
        {"{\"priority\":-1000001}", "spec.priority must be a whole number from -1000000 to 1000000"},
        {PERIOD("[\"Sat\"]", "\"01:00\"", "\"4 hours\""), "spec.window.periods[].duration must be a duration"},
        {"{\"mode\":\"x\",\"suspend\":3}", "spec.suspend must be true or false"}, /* one sentence is enough */
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cmk_resource r;
        decode_spec(&r, table[i].spec);
        if (!r.spec.malformed || !str_has_prefix(r.spec.malformed, table[i].says))
            fail_msg("%s: \"%s\" instead of \"%s\"", table[i].spec, r.spec.malformed ? r.spec.malformed : "-",
                table[i].says);
        cmk_resource_done(&r);
    }
}

static void more_periods_than_fit_are_malformed(void **state _unused_)
{
    for (int n = CMK_MAX_PERIODS; n <= CMK_MAX_PERIODS + 1; n++) {
        _cleanup_(buf_done) struct buf spec = BUF_INIT(16384);
        struct cmk_resource r;
        buf_puts(&spec, "{\"window\":{\"timeZone\":\"UTC\",\"periods\":[");
        for (int i = 0; i < n; i++)
            buf_printf(&spec, "%s{\"days\":[\"Mon\"],\"start\":\"01:00\",\"duration\":\"1h\"}", i ? "," : "");
        buf_puts(&spec, "]}}");
        decode_spec(&r, buf_str(&spec));
        assert_int_equal(r.spec.window.n_periods, CMK_MAX_PERIODS);
        assert_int_equal(r.spec.malformed != NULL, n > CMK_MAX_PERIODS);
        cmk_resource_done(&r);
    }
}

static void a_spec_that_is_no_object_is_an_empty_one(void **state _unused_)
{
    static const char *const specs[] = {"null", "[]", "\"x\"", "7"};

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct cmk_resource r;
        decode_spec(&r, specs[i]);
        assert_null(r.spec.account_id);
        cmk_resource_done(&r);
    }
}

/* ---- metadata ---- */

static void metadata_is_taken(void **state _unused_)
{
    struct cmk_resource r;

    decode(&r, "{\"metadata\":{\"name\":\"orders\",\"namespace\":\"shop\",\"uid\":\"u\",\"resourceVersion\":\"7\","
               "\"generation\":3,\"creationTimestamp\":\"1970-01-01T00:00:09Z\",\"deletionTimestamp\":\"2026-01-01T00:"
               "00:00Z\","
               "\"annotations\":{\"cosmoscmk.io/reconcile-requested-at\":\"now\",\"x\":\"y\"}}}");
    assert_string_equal(r.name, "orders");
    assert_string_equal(r.ns, "shop");
    assert_string_equal(r.uid, "u");
    assert_string_equal(r.resource_version, "7");
    assert_int_equal(r.generation, 3);
    assert_int_equal(r.created_at, 9000);
    assert_true(r.deleting);
    assert_string_equal(r.reconcile_requested_at, "now");
    cmk_resource_done(&r);
}

static void an_object_without_what_every_object_has_is_refused(void **state _unused_)
{
    static const char *const table[] = {
        "{}",
        "[]",
        "{\"metadata\":{\"namespace\":\"shop\",\"uid\":\"u\",\"resourceVersion\":\"7\"}}",
        "{\"metadata\":{\"name\":\"orders\",\"uid\":\"u\",\"resourceVersion\":\"7\"}}",
        "{\"metadata\":{\"name\":\"orders\",\"namespace\":\"shop\",\"resourceVersion\":\"7\"}}",
        "{\"metadata\":{\"name\":\"orders\",\"namespace\":\"shop\",\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":7,\"namespace\":\"shop\",\"uid\":\"u\",\"resourceVersion\":\"7\"}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(json_freep) cJSON *tree = tree_of(table[i]);
        struct err err = ERR_INIT;
        struct cmk_resource r;
        assert_int_equal(cmk_decode(&r, tree, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        assert_non_null(strstr(err.msg, "an object of the API server is no CosmosCMK"));
        assert_null(r.name);
    }
}

/* ---- status ---- */

static struct cmk_condition condition(const char *type, enum cmk_truth status, const char *message, int64_t at)
{
    return (struct cmk_condition){.type = xstrdup(type),
        .status = status,
        .reason = xstrdup("Because"),
        .message = xstrdup(message),
        .observed_generation = 3,
        .last_transition = at};
}

static void fill_account(struct cmk_account *a)
{
    *a = (struct cmk_account){.name = xstrdup("orders"),
        .location = xstrdup("West US"),
        .kind = xstrdup("GlobalDocumentDB"),
        .api_types = xstrdup("Sql"),
        .provisioning_state = xstrdup("Updating"),
        .key_uri = xstrdup("https://v/keys/k"),
        .key_uri_version = xstrdup("0123"),
        .cmk_status = xstrdup("confirmed \"quoted\"\n\xc3\xa4"),
        .default_identity = xstrdup("FirstPartyIdentity"),
        .backup_policy = xstrdup("Periodic"),
        .observed_at = 1772438400000};
}

static void fill_operation(struct cmk_operation *op)
{
    *op = (struct cmk_operation){.type = CMK_ENABLE_KEY,
        .state = xstrdup("Dequeued"),
        .id = xstrdup("id"),
        .status_url = xstrdup("https://management.azure.com/x?t=1&c=%2F"),
        .correlation_id = xstrdup("c"),
        .target = xstrdup("https://v/keys/k"),
        .previous_key_uri = xstrdup("https://v/keys/j"),
        .error_code = xstrdup("Code"),
        .error_message = xstrdup("Message"),
        .requested_at = 1000,
        .started_at = 2000,
        .last_observed_at = 3000,
        .completed_at = 4000,
        .attempts = 2};
}

static void fill(struct cmk_status *s)
{
    *s = (struct cmk_status){.observed_generation = 3, .has_account = true, .encrypted_at = 5000};
    s->conditions[s->n_conditions++] = condition("Ready", CMK_FALSE, "not yet", 6000);
    s->conditions[s->n_conditions++] = condition("Somebody's", CMK_UNKNOWN, "", 7000);
    s->conditions[s->n_conditions++] = condition("Encrypting", CMK_TRUE, "running", 8000);
    fill_account(&s->account);
    s->plan = (struct cmk_plan){.hash = "0123456789abcdef0123456789abcdef",
        .steps = {CMK_ATTACH_IDENTITY, CMK_SET_DEFAULT_IDENTITY, CMK_ENABLE_KEY},
        .n = 3};
    fill_operation(&s->operation);
    for (int result = CMK_PASSED; result <= CMK_SKIPPED; result++)
        s->checks[s->n_checks++] = (struct cmk_check){
            .name = xasprintf("check %d", result), .result = (enum cmk_check_result)result, .message = xstrdup("said")};
    s->encrypted_key_uri = xstrdup("https://v/keys/k");
    s->last_handled_reconcile_at = xstrdup("then");
}

/* As an API server applies a merge patch. */
static void merge(cJSON *target, const cJSON *patch)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, patch) {
        cJSON *held = cJSON_GetObjectItemCaseSensitive(target, item->string);
        if (cJSON_IsObject(item) && cJSON_IsObject(held)) {
            merge(held, item);
            continue;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(target, item->string);
        if (cJSON_IsObject(item))
            merge(cJSON_AddObjectToObject(target, item->string), item);
        else if (!cJSON_IsNull(item))
            cJSON_AddItemToObject(target, item->string, cJSON_Duplicate(item, true));
    }
}

static void apply(cJSON *object, cJSON *patch)
{
    merge(object, patch);
    (void)json_free(patch);
}

static void expect_status(const cJSON *object, const struct cmk_status *status)
{
    struct cmk_resource r;
    struct err err = ERR_INIT;

    assert_int_equal(cmk_decode(&r, object, &err), 0);
    assert_true(cmk_status_equal(&r.status, status));
    assert_int_equal(r.status.account.observed_at, status->account.observed_at);
    assert_int_equal(r.status.operation.last_observed_at, status->operation.last_observed_at);
    cmk_resource_done(&r);
}

static void a_status_comes_back_as_it_was_written(void **state _unused_)
{
    _cleanup_(json_freep) cJSON *object = tree_of("{" METADATA "}");
    struct cmk_status full, none = {.observed_generation = 4};

    fill(&full);
    apply(object, cmk_encode_status(&full, "7"));
    expect_status(object, &full);
    assert_string_equal(json_string_at(object, "metadata.resourceVersion"), "7");

    /* Nothing of what was there before remains, and it can be written again. */
    apply(object, cmk_encode_status(&none, NULL));
    expect_status(object, &none);
    assert_null(json_at(object, "status.operation"));
    assert_null(json_at(object, "status.plan"));
    assert_null(json_at(object, "status.account"));
    apply(object, cmk_encode_status(&full, NULL));
    expect_status(object, &full);
    cmk_status_done(&full);
}

static void a_member_that_is_gone_is_taken_away(void **state _unused_)
{
    _cleanup_(json_freep) cJSON *object = tree_of("{" METADATA "}");
    struct cmk_status status;

    fill(&status);
    apply(object, cmk_encode_status(&status, "7"));
    str_replace(&status.operation.status_url, NULL);
    str_replace(&status.operation.error_code, NULL);
    str_replace(&status.operation.error_message, NULL);
    str_replace(&status.account.key_uri_version, NULL);
    status.operation.completed_at = 0;
    status.encrypted_at = 0;
    str_replace(&status.encrypted_key_uri, "");
    apply(object, cmk_encode_status(&status, "7"));
    expect_status(object, &status);
    assert_null(json_at(object, "status.operation.error"));
    assert_null(json_at(object, "status.operation.statusUrl"));
    cmk_status_done(&status);
}

static void an_operation_is_written_alone(void **state _unused_)
{
    _cleanup_(json_freep) cJSON *object = tree_of("{" METADATA "}");
    struct cmk_status status;

    fill(&status);
    apply(object, cmk_encode_status(&status, "7"));
    str_replace(&status.operation.state, "Succeeded");
    _cleanup_(json_freep) cJSON *patch = cmk_encode_operation(&status.operation, NULL);
    assert_null(json_at(patch, "metadata"));
    assert_int_equal(cJSON_GetArraySize(json_at(patch, "status")), 1);
    merge(object, patch);
    expect_status(object, &status);
    cmk_operation_done(&status.operation);
    apply(object, cmk_encode_operation(&status.operation, NULL));
    expect_status(object, &status);
    cmk_status_done(&status);
}

static void times_are_written_in_whole_seconds_of_rfc3339(void **state _unused_)
{
    struct cmk_status status = {.encrypted_at = 1772438400999};
    _cleanup_(json_freep) cJSON *patch = cmk_encode_status(&status, NULL);

    assert_string_equal(json_string_at(patch, "status.encryptedAt"), "2026-03-02T08:00:00Z");
}

static void a_status_that_makes_no_sense_is_found_out_anew(void **state _unused_)
{
    static const char *const table[] = {
        "null",
        "[]",
        "7",
        "{\"conditions\":{},\"account\":[],\"plan\":7,\"operation\":\"x\",\"preflight\":true,\"encryptedAt\":9,"
        "\"observedGeneration\":\"3\"}",
        "{\"conditions\":[7,{},{\"type\":8}],\"plan\":{\"hash\":7,\"steps\":[]},\"operation\":{\"type\":\"Dance\"},"
        "\"preflight\":[{}],\"encryptedAt\":\"yesterday\"}",
        "{\"plan\":{\"hash\":\"0123456789abcdef0123456789abcdef0\",\"steps\":[\"EnableKey\"]}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(freep) char *text = xasprintf("{" METADATA ",\"status\":%s}", table[i]);
        struct cmk_resource r;
        const struct cmk_status none = {0};
        decode(&r, text);
        assert_true(cmk_status_equal(&r.status, &none));
        cmk_resource_done(&r);
    }
}

static void more_conditions_and_checks_than_fit_are_left_out(void **state _unused_)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(16384);
    struct cmk_resource r;

    buf_puts(&text, "{" METADATA ",\"status\":{\"conditions\":[");
    for (int i = 0; i < CMK_MAX_CONDITIONS + 5; i++)
        buf_printf(&text, "%s{\"type\":\"T%d\",\"status\":\"True\"}", i ? "," : "", i);
    buf_puts(&text, "],\"preflight\":[");
    for (int i = 0; i < CMK_MAX_CHECKS + 5; i++)
        buf_printf(&text, "%s{\"name\":\"C%d\",\"result\":\"Passed\"}", i ? "," : "", i);
    buf_puts(&text, "],\"plan\":{\"hash\":\"h\",\"steps\":[\"EnableKey\",\"EnableKey\",\"EnableKey\",\"EnableKey\","
                    "\"EnableKey\",\"Dance\",7]}}}");
    decode(&r, buf_str(&text));
    assert_int_equal(r.status.n_conditions, CMK_MAX_CONDITIONS);
    assert_int_equal(r.status.n_checks, CMK_MAX_CHECKS);
    assert_int_equal(r.status.plan.n, CMK_MAX_STEPS);
    cmk_resource_done(&r);
}

/* The careful reading: perhaps it was sent. */
static void an_operation_without_a_state_was_requested(void **state _unused_)
{
    struct cmk_resource r;

    decode(&r, "{" METADATA ",\"status\":{\"operation\":{\"type\":\"EnableKey\",\"attempts\":\"x\",\"startedAt\":7}}}");
    assert_int_equal(r.status.operation.type, CMK_ENABLE_KEY);
    assert_string_equal(r.status.operation.state, CMK_REQUESTED);
    assert_int_equal(r.status.operation.attempts, 0);
    assert_int_equal(r.status.operation.started_at, 0);
    cmk_resource_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_spec_is_understood),
        cmocka_unit_test(what_is_absent_or_null_has_its_default),
        cmocka_unit_test(what_is_malformed_is_said_in_a_sentence),
        cmocka_unit_test(more_periods_than_fit_are_malformed),
        cmocka_unit_test(a_spec_that_is_no_object_is_an_empty_one),
        cmocka_unit_test(metadata_is_taken),
        cmocka_unit_test(an_object_without_what_every_object_has_is_refused),
        cmocka_unit_test(a_status_comes_back_as_it_was_written),
        cmocka_unit_test(a_member_that_is_gone_is_taken_away),
        cmocka_unit_test(an_operation_is_written_alone),
        cmocka_unit_test(times_are_written_in_whole_seconds_of_rfc3339),
        cmocka_unit_test(a_status_that_makes_no_sense_is_found_out_anew),
        cmocka_unit_test(more_conditions_and_checks_than_fit_are_left_out),
        cmocka_unit_test(an_operation_without_a_state_was_requested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
