/* What the fakes share: fault rules, the journal, command lines. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common_core.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static cJSON *tree_of(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static void add_rule(struct fake_faults *faults, const char *text)
{
    _cleanup_(json_freep) cJSON *rule = tree_of(text);
    struct err err = ERR_INIT;

    if (fake_faults_add(faults, rule, &err) < 0)
        fail_msg("%s", err.msg);
}

/* The status with which a rule answers this request; 0 when none does. */
static int fault_of(struct fake_faults *faults, const char *method, const char *path, const char *body)
{
    const struct httpd_request request = {
        .method = method, .path = path, .query = "a=b", .body = body, .body_len = strlen(body)};
    struct fake_action action = {0};

    fake_faults_match(faults, &request, "test/1", &action);
    int status = action.status;
    fake_action_done(&action);
    return status;
}

static void a_rule_has_its_turn_from_the_nth_request_for_count_of_them(void **state)
{
    static const int expected[] = {0, 0, 503, 503, 0};
    struct fake_faults faults = {0};

    (void)state;
    add_rule(&faults, "{\"match\":{\"method\":\"GET\",\"pathContains\":\"/ACC\",\"nth\":3,\"count\":2},"
                      "\"action\":{\"status\":503}}");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(fault_of(&faults, "PATCH", "/x/acc", ""), 0);
        assert_int_equal(fault_of(&faults, "GET", "/x/other", ""), 0);
        assert_int_equal(fault_of(&faults, "GET", "/x/acc", ""), expected[i]);
    }
    fake_faults_clear(&faults);
    assert_int_equal(fault_of(&faults, "GET", "/x/acc", ""), 0);
}

static void count_zero_is_for_ever_and_the_first_rule_wins(void **state)
{
    struct fake_faults faults = {0};

    (void)state;
    add_rule(&faults, "{\"match\":{\"bodyContains\":\"keyVaultKeyUri\"},\"action\":{\"status\":500}}");
    add_rule(&faults, "{\"match\":{\"count\":0,\"queryContains\":\"a=b\"},\"action\":{\"status\":429}}");
    assert_int_equal(fault_of(&faults, "GET", "/", ""), 429);
    assert_int_equal(fault_of(&faults, "PATCH", "/", "{\"keyVaultKeyUri\":1}"), 500);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fault_of(&faults, "PATCH", "/", "{\"keyVaultKeyUri\":1}"), 429);
    fake_faults_clear(&faults);
}

static void a_rule_that_kills_outlives_healing_and_keeps_the_request_from_the_rules_after_it(void **state)
{
    struct fake_faults faults = {0};

    (void)state;
    add_rule(&faults, "{\"match\":{\"nth\":2,\"agentContains\":\"test/\"},\"action\":{\"status\":599,\"cut\":"
                      "\"before\",\"kill\":\"/no/such/file\"}}");
    add_rule(&faults, "{\"match\":{\"agentContains\":\"other\",\"count\":0},\"action\":{\"status\":500}}");
    assert_int_equal(fault_of(&faults, "GET", "/", ""), 0);
    fake_faults_heal(&faults);
    add_rule(&faults, "{\"match\":{},\"action\":{\"status\":429}}");
    assert_int_equal(fault_of(&faults, "GET", "/", ""), 599);
    assert_int_equal(fault_of(&faults, "GET", "/", ""), 429);
    fake_faults_clear(&faults);
}

static void a_rule_that_kills_after_leaves_the_effect_to_the_others(void **state)
{
    static const struct {
        const char *other;
        enum fake_cut cut;
        int status;
    } rows[] = {
        {"{\"match\":{},\"action\":{\"status\":403}}", FAKE_CUT_AFTER, 403},
        {"{\"match\":{},\"action\":{\"hold\":true}}", FAKE_CUT_BEFORE, 0},
        {"{\"match\":{},\"action\":{\"cut\":\"before\"}}", FAKE_CUT_BEFORE, 0},
        {"{\"match\":{\"nth\":2},\"action\":{\"status\":500}}", FAKE_CUT_AFTER, 0},
    };
    const struct httpd_request request = {.method = "PATCH", .path = "/", .query = "", .body = ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake_faults faults = {0};
        struct fake_action action = {0};
        add_rule(&faults, "{\"match\":{},\"action\":{\"cut\":\"after\",\"kill\":\"/no/such/file\"}}");
        add_rule(&faults, rows[i].other);
        fake_faults_match(&faults, &request, NULL, &action);
        assert_string_equal(action.kill_file, "/no/such/file");
        assert_int_equal(action.cut, rows[i].cut);
        assert_int_equal(action.status, rows[i].status);
        assert_false(action.hold);
        fake_action_done(&action);
        fake_faults_clear(&faults);
    }
}

static void a_rule_with_a_mistake_is_refused(void **state)
{
    static const char *const rules[] = {
        "[]",
        "{\"match\":{}}",
        "{\"action\":{}}",
        "{\"match\":{},\"action\":{},\"extra\":1}",
        "{\"match\":{\"path\":\"/\"},\"action\":{}}",
        "{\"match\":{\"nth\":0},\"action\":{}}",
        "{\"match\":{\"count\":-1},\"action\":{}}",
        "{\"match\":{\"method\":1},\"action\":{}}",
        "{\"match\":{},\"action\":{\"status\":99}}",
        "{\"match\":{},\"action\":{\"status\":\"500\"}}",
        "{\"match\":{},\"action\":{\"cut\":\"during\"}}",
        "{\"match\":{},\"action\":{\"cut\":true}}",
        "{\"match\":{},\"action\":{\"commit\":true}}",
        "{\"match\":{},\"action\":{\"headers\":{\"a\":1}}}",
        "{\"match\":{},\"action\":{\"kill\":\"/pid\"}}",
        "{\"match\":{},\"action\":{\"kill\":4711,\"cut\":\"after\"}}",
    };
    struct fake_faults faults = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        _cleanup_(json_freep) cJSON *rule = tree_of(rules[i]);
        struct err err = ERR_INIT;
        if (fake_faults_add(&faults, rule, &err) == 0)
            fail_msg("accepted: %s", rules[i]);
        assert_true(err.msg[0] != '\0');
    }
    assert_int_equal(faults.n, 0);
}

static void the_journal_keeps_the_last_requests_in_order(void **state)
{
    const struct httpd_request request = {.method = "GET", .path = "/p", .query = "", .body = ""};
    struct fake_journal journal = {0};

    (void)state;
    for (int i = 0; i < FAKE_JOURNAL_MAX + 5; i++)
        assert_int_equal(fake_journal_add(&journal, &request, i), i + 1);
    assert_null(fake_journal_at(&journal, 5));
    assert_int_equal(fake_journal_at(&journal, 6)->time_ms, 5);
    assert_int_equal(fake_journal_at(&journal, FAKE_JOURNAL_MAX + 5)->seq, FAKE_JOURNAL_MAX + 5);
    assert_null(fake_journal_at(&journal, FAKE_JOURNAL_MAX + 6));
    fake_journal_clear(&journal);
    assert_null(fake_journal_at(&journal, FAKE_JOURNAL_MAX + 5));
    assert_int_equal(fake_journal_add(&journal, &request, 0), FAKE_JOURNAL_MAX + 6);
    fake_journal_done(&journal);
}

static void the_journal_leaves_signatures_out_and_finds_what_is_asked_for(void **state)
{
    const struct httpd_request signed_url = {.method = "GET",
        .path = "/operationsStatus/1",
        .query = "api-version=v&t=7&c=CERTIFICATE&s=SIGNATURE&h=HASH&x=y",
        .body = ""};
    const struct httpd_request patch = {
        .method = "PATCH", .path = "/acc", .query = "", .body = "{\"a\":1}", .body_len = 7};
    struct fake_journal journal = {0};
    struct buf b = BUF_INIT(65536);

    (void)state;
    fake_journal_at(&journal, fake_journal_add(&journal, &signed_url, 0))->correlation_id = xstrdup("c-1");
    fake_journal_at(&journal, fake_journal_add(&journal, &patch, 0))->killed = FAKE_CUT_AFTER;
    const struct fake_journal_filter operations = {.path_contains = "OPERATIONS"}, patches = {1, "patch", NULL};
    fake_journal_print(&journal, &operations, &b);
    assert_non_null(strstr(buf_str(&b), "\"query\":\"api-version=v&t=7&x=y\""));
    assert_non_null(strstr(buf_str(&b), "\"correlationId\":\"c-1\""));
    assert_null(strstr(buf_str(&b), "/acc"));
    buf_clear(&b);
    fake_journal_print(&journal, &patches, &b);
    _cleanup_(json_freep) cJSON *tree = tree_of(buf_str(&b));
    assert_int_equal(cJSON_GetArraySize(tree), 1);
    assert_string_equal(json_string_at(cJSON_GetArrayItem(tree, 0), "body"), "{\"a\":1}");
    assert_string_equal(json_string_at(cJSON_GetArrayItem(tree, 0), "killed"), "after");
    buf_done(&b);
    fake_journal_done(&journal);
}

static void the_journal_counts_what_is_asked_for(void **state)
{
    const struct httpd_request get = {.method = "GET", .path = "/acc", .query = "", .body = ""};
    const struct fake_journal_filter gets = {0, "GET", "acc"}, patches = {0, "PATCH", NULL};
    struct fake_journal journal = {0};
    struct buf b = BUF_INIT(4096);

    (void)state;
    for (int64_t i = 1; i <= 3; i++) {
        struct fake_entry *entry = fake_journal_at(&journal, fake_journal_add(&journal, &get, 0));
        entry->received_us = 100 * i;
        entry->took_us = 7;
    }
    fake_journal_summarize(&journal, &gets, &b);
    assert_string_equal(buf_str(&b), "{\"count\":3,\"firstUs\":100,\"lastUs\":307,\"lastSeq\":3}\n");
    buf_clear(&b);
    fake_journal_summarize(&journal, &patches, &b);
    assert_string_equal(buf_str(&b), "{\"count\":0,\"firstUs\":0,\"lastUs\":0,\"lastSeq\":3}\n");
    buf_done(&b);
    fake_journal_done(&journal);
}

struct values {
    const char *text;
    struct fake_strings list;
    int64_t number, ms;
    bool flag;
};

static int parse(struct values *v, int argc, const char *const *argv, struct err *err)
{
    const struct fake_option options[] = {
        {"text", "T", FAKE_STRING, &v->text, ""},
        {"list", "T", FAKE_STRINGS, &v->list, ""},
        {"number", "N", FAKE_INT, &v->number, ""},
        {"wait", "S", FAKE_SECONDS, &v->ms, ""},
        {"flag", NULL, FAKE_FLAG, &v->flag, ""},
    };

    return fake_options_parse(options, ARRAY_LEN(options), "", NULL, argc, (char **)(uintptr_t)argv, err);
}

static void options_are_read_in_both_forms(void **state)
{
    static const char *const argv[] = {
        "x", "--text=a=b", "--list", "1", "--list", "2", "--number", "7", "--wait", "0.25", "--flag"};
    struct values v = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parse(&v, ARRAY_LEN(argv), argv, &err), 0);
    assert_string_equal(v.text, "a=b");
    assert_int_equal(v.list.n, 2);
    assert_int_equal(v.number, 7);
    assert_int_equal(v.ms, 250);
    assert_true(v.flag);
}

static void wrong_command_lines_are_refused(void **state)
{
    static const char *const lines[][2] = {{"--nope", "1"}, {"--number", "x"}, {"--number", "-1"}, {"--wait", "1.2345"},
        {"--wait", ".5"}, {"--flag=yes", "--flag"}, {"text", "1"}, {"--flag", "--text"}, {"--tex", "1"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const char *const argv[] = {"x", lines[i][0], lines[i][1]};
        struct values v = {0};
        struct err err = ERR_INIT;
        if (parse(&v, 3, argv, &err) != -1)
            fail_msg("accepted: %s %s", lines[i][0], lines[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_has_its_turn_from_the_nth_request_for_count_of_them),
        cmocka_unit_test(count_zero_is_for_ever_and_the_first_rule_wins),
        cmocka_unit_test(a_rule_that_kills_outlives_healing_and_keeps_the_request_from_the_rules_after_it),
        cmocka_unit_test(a_rule_that_kills_after_leaves_the_effect_to_the_others),
        cmocka_unit_test(a_rule_with_a_mistake_is_refused),
        cmocka_unit_test(the_journal_keeps_the_last_requests_in_order),
        cmocka_unit_test(the_journal_leaves_signatures_out_and_finds_what_is_asked_for),
        cmocka_unit_test(the_journal_counts_what_is_asked_for),
        cmocka_unit_test(options_are_read_in_both_forms),
        cmocka_unit_test(wrong_command_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
