/* The rules of fake-azure, in virtual time. */
#include "unit.h"

#include "base/str.h"
#include "fakes/fake_azure_model.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define SUB "00000000-0000-0000-0000-000000000001"
#define ID_A "/subscriptions/" SUB "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
#define KEY "https://v.vault.azure.net/keys/k"
#define V "2025-10-15"

static cJSON *tree_of(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static struct azure_model *model_with(const struct azure_options *options, const char *members)
{
    const struct azure_options usual = {
        .tenant = "t", .identity_ms = 1000, .encrypt_ms = 60000, .enqueued_ms = 500, .retention_ms = 3600000};
    struct azure_model *model = azure_model_new(options ? options : &usual, "secret");
    char seed[2048];
    struct err err = ERR_INIT;

    (void)snprintf(seed, sizeof(seed),
        "{\"resources\":[{\"id\":\"" ID_A "\"}],\"accounts\":[{\"name\":\"acc\",\"subscription\":\"" SUB
        "\",\"resourceGroup\":\"g\"%s%s}]}",
        members[0] ? "," : "", members);
    _cleanup_(json_freep) cJSON *tree = tree_of(seed);
    if (azure_model_load(model, tree, 0, &err) < 0)
        fail_msg("%s", err.msg);
    return model;
}

/* The status of an update of the one account; its error, or "", into text. */
static int patch(struct azure_model *model, int64_t now_ms, const char *body, char *text, size_t size)
{
    struct azure_verdict verdict = AZURE_VERDICT_INIT;
    _cleanup_(json_freep) cJSON *tree = tree_of(body);

    azure_model_advance(model, now_ms);
    azure_patch(model, azure_model_account(model, "acc"), V, tree, now_ms, &verdict);
    azure_model_advance(model, now_ms);
    (void)str_copy(text, size, buf_str(&verdict.message));
    buf_done(&verdict.message);
    return verdict.status;
}

static void accept(struct azure_model *model, int64_t now_ms, const char *body)
{
    char text[1024];

    if (patch(model, now_ms, body, text, sizeof(text)) != 200)
        fail_msg("refused: %s", text);
}

/* A string of the account's body, copied; "" when it has none there. */
static const char *shown(struct azure_model *model, const char *path)
{
    static char value[1024];
    struct buf b = BUF_INIT(65536);

    azure_account_print(model, azure_model_account(model, "ACC"), &b);
    _cleanup_(json_freep) cJSON *tree = tree_of(buf_str(&b));
    const char *text = json_string_at(tree, path);
    (void)str_copy(value, sizeof(value), text ? text : "");
    buf_done(&b);
    return value;
}

#define PROPERTIES(text) "{\"properties\":{" text "}}"
#define SET_KEY PROPERTIES("\"keyVaultKeyUri\":\"" KEY "\"")

static void updates_are_refused_with_the_text_of_azure(void **state)
{
    static const struct {
        const char *name;
        const char *members;
        const char *body;
        int status;
        const char *text;
    } rows[] = {
        {"a key with a version", "", PROPERTIES("\"keyVaultKeyUri\":\"" KEY "/0123\""), 400,
            "Please provide KeyVault Key Uri without version. We will use latest version of the key"},
        {"a key over http", "", PROPERTIES("\"keyVaultKeyUri\":\"http://v.vault.azure.net/keys/k\""), 400,
            "Provided KeyVaultKeyUri http://v.vault.azure.net/keys/k is Invalid."},
        {"a key on a foreign host", "", PROPERTIES("\"keyVaultKeyUri\":\"https://v.vault.azure.net.evil.org/keys/k\""),
            400, "is Invalid."},
        {"a key URI with a slash at the end", "", PROPERTIES("\"keyVaultKeyUri\":\"" KEY "/\""), 400, "is Invalid."},
        {"a key that is null", "", PROPERTIES("\"keyVaultKeyUri\":null"), 400,
            "Updating KeyVaultKeyUri is not supported"},
        {"a key that is empty", "", PROPERTIES("\"keyVaultKeyUri\":\"\""), 400,
            "Updating KeyVaultKeyUri is not supported"},
        {"a key beside another property", "", PROPERTIES("\"keyVaultKeyUri\":\"" KEY "\",\"enableBurstCapacity\":true"),
            400, "Cannot update Customer Managed Key settings and other properties at the same time."},
        {"a key beside tags", "", "{\"tags\":{},\"properties\":{\"keyVaultKeyUri\":\"" KEY "\"}}", 400,
            "Cannot update Customer Managed Key settings and other properties at the same time."},
        {"a key beside apiProperties that are not empty", "",
            PROPERTIES("\"keyVaultKeyUri\":\"" KEY "\",\"apiProperties\":{\"serverVersion\":\"4.2\"}"), 400,
            "Cannot update Customer Managed Key settings and other properties at the same time."},
        {"continuous backup with the first-party identity", "\"backupPolicy\":\"Continuous\"", SET_KEY, 400,
            "Setting Non-FPI default identity is required for dedicated storage account features."},
        {"analytical store with the first-party identity", "\"analyticalStorage\":true", SET_KEY, 400,
            "Setting Non-FPI default identity is required for dedicated storage account features."},
        {"a Cassandra account", "\"capabilities\":[\"EnableCassandra\"]", SET_KEY, 400, "Cassandra"},
        {"an account with vector search", "\"capabilities\":[\"EnableNoSQLVectorSearch\"]", SET_KEY, 400, "Vector"},
        {"an account that is being created", "\"provisioningState\":\"Creating\"", SET_KEY, 400,
            "Database account acc is not online"},
        {"an account that somebody else updates", "\"provisioningState\":\"Updating\"", SET_KEY, 412,
            "There is already an operation in progress which requires exclusive lock on this service acc."},
        {"a revoked account",
            "\"keyVaultKeyUri\":\"" KEY
            "\",\"customerManagedKeyStatus\":\"Access to your account is currently revoked\"",
            SET_KEY, 400, "No Update is allowed on Database Account with Customer Managed Key in Revoked Status"},
        {"a default identity that is not attached", "",
            PROPERTIES("\"defaultIdentity\":\"UserAssignedIdentity=" ID_A "\""), 400,
            "The given default identity for acc is not valid."},
        {"a default identity in another form", "", PROPERTIES("\"defaultIdentity\":\"" ID_A "\""), 400,
            "please use 'FirstPartyIdentity'/'SystemAssignedIdentity'/'UserAssignedIdentity=<UA_resource_id>'"},
        {"an identity that does not exist", "",
            "{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"" ID_A "x\":{}}}}", 400,
            "was not found"},
        {"an account with a refusal in store",
            "\"refuseWith\":{\"status\":503,\"code\":\"ServiceUnavailable\","
            "\"message\":\"Error contacting the Azure Key Vault resource.\"}",
            SET_KEY, 503, "Error contacting the Azure Key Vault resource."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, rows[i].members);
        char text[1024];
        int status = patch(model, 0, rows[i].body, text, sizeof(text));
        if (status != rows[i].status || !strstr(text, rows[i].text))
            fail_msg("%s: %d %s", rows[i].name, status, text);
        assert_int_equal(model->n_running, 0);
    }
}

static void updates_that_azure_takes_are_taken(void **state)
{
    static const struct {
        const char *members;
        const char *body;
    } rows[] = {
        {"", SET_KEY},
        {"", PROPERTIES("\"keyVaultKeyUri\":\"" KEY "\",\"apiProperties\":{}")},                       /* az 2.45 */
        {"", PROPERTIES("\"keyVaultKeyUri\":\"" KEY "\",\"apiProperties\":{\"ServerVersion\":null}")}, /* az 2.91 */
        {"", PROPERTIES("\"keyVaultKeyUri\":\"https://h.managedhsm.azure.net/keys/k\"")},
        {"", PROPERTIES("\"enableBurstCapacity\":true")},
        {"\"backupPolicy\":\"Continuous\",\"systemAssigned\":true,\"defaultIdentity\":\"SystemAssignedIdentity\"",
            SET_KEY},
        {"\"identities\":[\"" ID_A "\"]", PROPERTIES("\"defaultIdentity\":\"UserAssignedIdentity=" ID_A "\"")},
        {"\"customerManagedKeyStatus\":\"Access to your account is currently revoked\"",
            PROPERTIES("\"defaultIdentity\":\"FirstPartyIdentity\"")},
        {"\"refuseWith\":{\"code\":\"x\",\"message\":\"y\",\"times\":0}", SET_KEY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, rows[i].members);
        accept(model, 0, rows[i].body);
    }
}

static void an_operation_is_enqueued_then_dequeued_then_succeeds(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");

    (void)state;
    accept(model, 0, SET_KEY);
    const struct azure_operation *operation = azure_model_account(model, "acc")->running;
    assert_string_equal(azure_operation_word(model, operation, 499), "Enqueued");
    assert_string_equal(azure_operation_word(model, operation, 500), "Dequeued");
    azure_model_advance(model, 59999);
    assert_string_equal(azure_operation_word(model, operation, 59999), "Dequeued");
    assert_string_equal(shown(model, "properties.provisioningState"), "Updating");
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), "");
    azure_model_advance(model, 60000);
    assert_string_equal(azure_operation_word(model, operation, 60000), "Succeeded");
    assert_string_equal(shown(model, "properties.provisioningState"), "Succeeded");
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), KEY);
    assert_string_equal(shown(model, "properties.customerManagedKeyStatus"), AZURE_KEY_CONFIRMED);
    assert_int_equal(strlen(shown(model, "properties.keyVaultKeyUriVersion")), 32);
    assert_ptr_equal(azure_operation_find(model, operation->id, 60000 + 3600000), operation);
    assert_null(azure_operation_find(model, operation->id, 60001 + 3600000));
}

static void the_key_can_be_shown_early(void **state)
{
    const struct azure_options options = {.tenant = "t", .encrypt_ms = 60000, .key_visible_early = true};
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(&options, "");

    (void)state;
    accept(model, 0, SET_KEY);
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), KEY);
    assert_string_equal(shown(model, "properties.customerManagedKeyStatus"), "");
}

static void a_second_update_meets_the_exclusive_lock(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");
    char text[1024];

    (void)state;
    accept(model, 0, SET_KEY);
    assert_int_equal(patch(model, 100, PROPERTIES("\"enableBurstCapacity\":true"), text, sizeof(text)), 412);
    assert_int_equal(patch(model, 60000, PROPERTIES("\"enableBurstCapacity\":true"), text, sizeof(text)), 200);
}

static void identity_and_default_identity_together_lose_the_second(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");

    (void)state;
    accept(model, 0,
        "{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"" ID_A
        "\":{}}},\"properties\":{\"defaultIdentity\":\"UserAssignedIdentity=" ID_A "\"}}");
    azure_model_advance(model, 1000);
    assert_string_equal(shown(model, "identity.type"), "UserAssigned");
    assert_string_equal(shown(model, "properties.defaultIdentity"), "FirstPartyIdentity");
    accept(model, 1000, PROPERTIES("\"defaultIdentity\":\"UserAssignedIdentity=" ID_A "\""));
    azure_model_advance(model, 2000);
    assert_string_equal(shown(model, "properties.defaultIdentity"), "UserAssignedIdentity=" ID_A);
}

static void identities_merge_and_null_removes(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model =
        model_with(NULL, "\"identities\":[\"" ID_A "b\"],\"systemAssigned\":true");
    const struct azure_account *account = azure_model_account(model, "acc");

    (void)state;
    accept(model, 0,
        "{\"identity\":{\"type\":\"SystemAssigned,UserAssigned\",\"userAssignedIdentities\":{\"" ID_A "\":{}}}}");
    azure_model_advance(model, 1000);
    assert_int_equal(account->identities.n, 2);
    assert_string_equal(shown(model, "identity.type"), "SystemAssigned,UserAssigned");
    accept(model, 1000, "{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"" ID_A "b\":null}}}");
    azure_model_advance(model, 2000);
    assert_int_equal(account->identities.n, 1);
    assert_true(azure_account_attached(account, ID_A));
    assert_false(account->system_assigned);
}

static void an_update_that_changes_nothing_is_over_at_once(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "\"identities\":[\"" ID_A "\"]");

    (void)state;
    accept(model, 0, "{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{\"" ID_A "\":{}}}}");
    assert_int_equal(model->n_running, 0);
    assert_string_equal(shown(model, "properties.provisioningState"), "Succeeded");
}

static void a_failure_leaves_the_account_as_it_was(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(
        NULL, "\"encryptSeconds\":2,\"failWith\":{\"code\":\"InternalServerError\",\"message\":\"scan\",\"times\":1}");

    (void)state;
    accept(model, 0, SET_KEY);
    const struct azure_operation *operation = azure_model_account(model, "acc")->running;
    azure_model_advance(model, 2000);
    assert_string_equal(azure_operation_word(model, operation, 2000), "Failed");
    assert_string_equal(operation->code, "InternalServerError");
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), "");
    assert_string_equal(shown(model, "properties.provisioningState"), "Succeeded");
    accept(model, 2000, SET_KEY);
    azure_model_advance(model, 4000);
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), KEY);
}

static void an_operation_can_be_ended_by_hand(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");

    (void)state;
    accept(model, 0, SET_KEY);
    struct azure_operation *operation = azure_model_account(model, "acc")->running;
    azure_operation_finish(model, operation, AZURE_OP_FAILED, "Forbidden", "no access", 10);
    assert_string_equal(azure_operation_word(model, operation, 10), "Failed");
    azure_model_advance(model, 60000);
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), "");
}

static void an_operation_outlives_its_account(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");

    (void)state;
    accept(model, 0, SET_KEY);
    const struct azure_operation *operation = azure_model_account(model, "acc")->running;
    azure_model_remove(model, azure_model_account(model, "acc"));
    azure_model_advance(model, 60000);
    assert_string_equal(azure_operation_word(model, operation, 60000), "Succeeded");
    assert_null(azure_model_account(model, "acc"));
    assert_true(azure_model_knows_group(model, SUB, "G"));
}

static void the_signed_query_is_long_and_always_the_same(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");
    struct buf first = BUF_INIT(8192), second = BUF_INIT(8192), other = BUF_INIT(8192);

    (void)state;
    accept(model, 0, SET_KEY);
    const struct azure_operation *operation = azure_model_account(model, "acc")->running;
    azure_operation_query(model, operation, operation->status_path, &first);
    azure_operation_query(model, operation, operation->status_path, &second);
    azure_operation_query(model, operation, operation->result_path, &other);
    assert_in_range(first.len, 3400, 3700);
    assert_string_equal(buf_str(&first), buf_str(&second));
    assert_string_not_equal(buf_str(&first), buf_str(&other));
    buf_done(&first);
    buf_done(&second);
    buf_done(&other);
}

static void other_actors_merge_into_the_account(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");
    _cleanup_(json_freep) cJSON *change = tree_of("{\"keyVaultKeyUri\":\"" KEY "\",\"properties\":{\"ipRules\":null}}");
    _cleanup_(json_freep) cJSON *wrong = tree_of("{\"keyVaultKeyURI\":\"" KEY "\"}");
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(azure_model_put(model, "acc", change, 0, &err), 0);
    assert_string_equal(shown(model, "properties.keyVaultKeyUri"), KEY);
    assert_string_equal(shown(model, "properties.customerManagedKeyStatus"), AZURE_KEY_CONFIRMED);
    assert_int_equal(azure_model_put(model, "acc", wrong, 0, &err), -1);
    assert_non_null(strstr(err.msg, "keyVaultKeyURI"));
}

static void lists_have_pages_only_for_clients_that_know_of_them(void **state)
{
    static const struct {
        const char *api_version;
        int64_t size;
    } rows[] = {
        {"2022-08-15-preview", 0}, /* az 2.45 */
        {"2025-04-15", 0},         /* @azure/arm-cosmosdb 16 */
        {"2025-10-15", 0},
        {"2026-07-15", 2},
        {"2026-09-01-preview", 2},
    };
    const struct azure_options options = {.tenant = "t", .page_size = 2};
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(&options, "");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (azure_model_page_size(model, rows[i].api_version) != rows[i].size)
            fail_msg("at %s", rows[i].api_version);
}

static void a_seed_with_a_mistake_is_refused(void **state)
{
    static const char *const seeds[] = {
        "{}",
        "[{\"name\":\"a\",\"resourceGroup\":\"g\"}]",
        "[{\"name\":\"a\",\"subscription\":\"" SUB "\"}]",
        "[{\"subscription\":\"" SUB "\",\"resourceGroup\":\"g\"}]",
        "[{\"name\":\"a\",\"subscription\":\"" SUB "\",\"resourceGroup\":\"g\",\"encryptSeconds\":\"1\"}]",
        "[{\"name\":\"a\",\"subscription\":\"" SUB "\",\"resourceGroup\":\"g\",\"failWith\":{\"code\":\"x\"}}]",
        "[{\"name\":\"a\",\"subscription\":\"" SUB "\",\"resourceGroup\":\"g\"},{\"name\":\"A\",\"subscription\":\"" SUB
        "\",\"resourceGroup\":\"g\"}]",
        "{\"accounts\":[],\"resources\":[{\"id\":\"/x\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        const struct azure_options options = {.tenant = "t"};
        _cleanup_(azure_model_freep) struct azure_model *model = azure_model_new(&options, "s");
        _cleanup_(json_freep) cJSON *tree = tree_of(seeds[i]);
        struct err err = ERR_INIT;
        if (azure_model_load(model, tree, 0, &err) == 0)
            fail_msg("accepted: %s", seeds[i]);
    }
}

/* ---- data ---- */

struct seen {
    int64_t pages, empty_pages;
    int times[64]; /* by number */
    size_t on_page;
};

static void see(void *ctx, const char *id _unused_, int64_t number)
{
    struct seen *seen = ctx;

    seen->times[number]++;
    seen->on_page++;
}

static void read_all_ranges(const struct azure_container *container, int64_t more_chars, struct seen *seen)
{
    for (size_t i = 0; i < container->n_ranges; i++) {
        struct azure_page_question q = {
            .from = container->ranges[i].from, .to = container->ranges[i].to, .more_chars = more_chars};
        for (; q.offset >= 0; seen->pages++) {
            seen->on_page = 0;
            q.offset = azure_container_page(container, &q, see, seen);
            seen->empty_pages += seen->on_page == 0 && q.offset >= 0;
        }
    }
}

static void every_document_is_in_one_range_also_after_a_split(void **state)
{
    _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL,
        "\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"documents\":60,\"ranges\":3,"
        "\"documentsPerPage\":4,\"splitAfter\":2,\"throttle\":{\"after\":3,\"times\":2},"
        "\"ids\":[{\"text\":\"ab\",\"repeat\":200,\"count\":2}]}]}]}");
    struct azure_data *data = azure_model_account(model, "acc")->data;
    struct azure_container *container = azure_data_container(azure_data_database(data, "d"), "c");
    static const bool throttled[] = {false, false, false, true, true, false};

    (void)state;
    for (size_t query = 0; query < ARRAY_LEN(throttled); query++) {
        struct seen all = {0}, longer = {0};
        assert_int_equal(azure_container_query(container), throttled[query]);
        assert_int_equal(container->n_ranges, query < 2 ? 3 : 4);
        assert_int_equal(azure_container_range(container, "0") != NULL, query < 2);
        read_all_ranges(container, -1, &all);
        for (size_t i = 0; i < ARRAY_LEN(all.times); i++)
            assert_int_equal(all.times[i], i < 62);
        read_all_ranges(container, 247, &longer);
        assert_int_equal(longer.times[60] + longer.times[61], 2);
        assert_true(longer.empty_pages > 10);
        assert_int_equal(longer.pages, all.pages);
    }
}

static void data_with_a_mistake_are_refused(void **state)
{
    static const char *const seeds[] = {"{\"data\":7}", "{\"data\":{\"x\":1}}", "{\"data\":{\"databases\":[{}]}}",
        "{\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"ranges\":0}]}]}}",
        "{\"data\":{\"databases\":[{\"id\":\"d\",\"containers\":[{\"id\":\"c\",\"ids\":[{\"repeat\":2}]}]}]}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        _cleanup_(azure_model_freep) struct azure_model *model = model_with(NULL, "");
        _cleanup_(json_freep) cJSON *tree = tree_of(seeds[i]);
        struct err err = ERR_INIT;
        if (azure_model_put(model, "acc", tree, 0, &err) == 0)
            fail_msg("accepted: %s", seeds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_refused_with_the_text_of_azure),
        cmocka_unit_test(updates_that_azure_takes_are_taken),
        cmocka_unit_test(an_operation_is_enqueued_then_dequeued_then_succeeds),
        cmocka_unit_test(the_key_can_be_shown_early),
        cmocka_unit_test(a_second_update_meets_the_exclusive_lock),
        cmocka_unit_test(identity_and_default_identity_together_lose_the_second),
        cmocka_unit_test(identities_merge_and_null_removes),
        cmocka_unit_test(an_update_that_changes_nothing_is_over_at_once),
        cmocka_unit_test(a_failure_leaves_the_account_as_it_was),
        cmocka_unit_test(an_operation_can_be_ended_by_hand),
        cmocka_unit_test(an_operation_outlives_its_account),
        cmocka_unit_test(the_signed_query_is_long_and_always_the_same),
        cmocka_unit_test(other_actors_merge_into_the_account),
        cmocka_unit_test(lists_have_pages_only_for_clients_that_know_of_them),
        cmocka_unit_test(a_seed_with_a_mistake_is_refused),
        cmocka_unit_test(every_document_is_in_one_range_also_after_a_split),
        cmocka_unit_test(data_with_a_mistake_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
