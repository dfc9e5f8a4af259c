/* Who may do what: wildcards, roles, assignments, denials, and assigning a role. */
#include "azure_rig.h"

#include "azure/authz.h"
#include "base/str.h"

#define VAULT_ID SUBSCRIPTION "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v"
#define SCOPE VAULT_ID "/keys/k"
#define AUTHORIZATION "/providers/Microsoft.Authorization"
#define PRINCIPAL "cfb2fee4-724f-455e-9bd7-d180bd9332a0"
#define GROUP_ID "aaaaaaaa-0000-4000-8000-000000000001"
#define OFFICER "14b46e9e-c2b7-41b4-b07b-48a6ebf60603"
#define KEYS "Microsoft.KeyVault/vaults/keys/"

static const char *const actions[] = {KEYS "read", KEYS "wrap/action", KEYS "unwrap/action"};

static const struct authz_question question = {
    .scope = SCOPE, .principal = PRINCIPAL, .actions = actions, .n = ARRAY_LEN(actions)};

static void patterns_match_whole_actions_in_any_case(void **state)
{
    static const struct {
        const char *pattern, *action;
        bool matches;
    } rows[] = {
        {"Microsoft.KeyVault/vaults/keys/read", KEYS "read", true},
        {"microsoft.keyvault/VAULTS/keys/READ", KEYS "read", true},
        {"*", KEYS "wrap/action", true},
        {"Microsoft.KeyVault/vaults/*", KEYS "wrap/action", true},
        {"Microsoft.KeyVault/*/action", KEYS "wrap/action", true},
        {"*/read", KEYS "read", true},
        {"*/read", KEYS "read/more", false},
        {"Microsoft.KeyVault/vaults/keys/read*", KEYS "read", true},
        {"*wrap*wrap/action", KEYS "wrap/action", false},
        {"*wrap*/action", KEYS "unwrap/action", true},
        {"Microsoft.KeyVault/vaults/keys", KEYS "read", false},
        {"Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keys", false},
        {"", KEYS "read", false},
        {"", "", true},
        {"**", "", true},
        {"a*b*c", "aXbXbXc", true},
        {"a*b*c", "aXcXb", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (authz_matches(rows[i].pattern, rows[i].action) != rows[i].matches)
            fail_msg("%s %s %s", rows[i].pattern, rows[i].matches ? "should match" : "matches", rows[i].action);
}

#define ENTRY(data, not_data) "{\"actions\":[\"*\"],\"dataActions\":[" data "],\"notDataActions\":[" not_data "]}"
#define Q(s) "\"" s "\""

/* As bits: read 1, wrap 2, unwrap 4. */
static void a_role_gives_the_union_of_its_parts_each_less_its_own_exceptions(void **state)
{
    static const struct {
        const char *permissions;
        unsigned bits;
    } rows[] = {
        {"[]", 0},
        {"[" ENTRY("", "") "]", 0},
        {"[" ENTRY(Q(KEYS "*"), "") "]", 7},
        {"[" ENTRY(Q(KEYS "read") "," Q(KEYS "wrap/action"), "") "]", 3},
        {"[" ENTRY(Q("*"), Q(KEYS "unwrap/action")) "]", 3},
        {"[" ENTRY(Q("*"), Q(KEYS "*")) "," ENTRY(Q(KEYS "unwrap/action"), "") "]", 4},
        {"[{\"actions\":[\"" KEYS "read\"]}]", 0},
        {"[{\"dataActions\":[1,null]}]", 0},
        {"{}", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *tree = tree_of(rows[i].permissions);
        unsigned bits = authz_permissions(tree, actions, ARRAY_LEN(actions));
        if (bits != rows[i].bits)
            fail_msg("%s: %u", rows[i].permissions, bits);
    }
}

/* --- asking --- */

#define ROLE_ID "/subscriptions/x" AUTHORIZATION "/roleDefinitions/"
#define ASSIGNMENT(role, more)                                                                                         \
    "{\"properties\":{\"roleDefinitionId\":\"" role "\",\"principalId\":\"" PRINCIPAL "\"" more "}}"
#define LIST(items)                                                                                                    \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[" items "]}"                                                               \
    }
#define ROLE(data)                                                                                                     \
    {                                                                                                                  \
        .status = 200, .body = "{\"properties\":{\"permissions\":[" ENTRY(data, "") "]}}"                              \
    }
#define FORBIDDEN                                                                                                      \
    {                                                                                                                  \
        .status = 403, .body = FORBIDDEN_BODY                                                                          \
    }
#define CRYPTO Q(KEYS "read") "," Q(KEYS "wrap/action") "," Q(KEYS "unwrap/action")
#define DENY(principals, more)                                                                                         \
    "{\"name\":\"n\",\"properties\":{\"denyAssignmentName\":\"no keys\",\"scope\":\"" VAULT_ID                         \
    "\",\"permissions\":[" ENTRY(Q(KEYS "*"), "") "],\"principals\":[" principals "]" more "}}"
#define WHO(id, type) "{\"id\":\"" id "\",\"type\":\"" type "\"}"
#define EVERYBODY WHO("00000000-0000-0000-0000-000000000000", "SystemDefined")
#define GIVEN LIST(ASSIGNMENT(ROLE_ID OFFICER, "")), ROLE(CRYPTO)

static const struct {
    const char *sentence;
    struct fake_answer answers[5];
    size_t n;
    unsigned given, conditional;
    const char *deny;
} answers_of[] = {
    {"nothing is assigned", {LIST(""), LIST("")}, 2, 0, 0, NULL},
    {"a role that gives all", {GIVEN, LIST("")}, 3, 7, 0, NULL},
    {"when all is given nothing more is read",
        {LIST(ASSIGNMENT(ROLE_ID OFFICER, "") "," ASSIGNMENT(ROLE_ID GROUP_ID, "")), ROLE(CRYPTO), LIST("")}, 3, 7, 0,
        NULL},
    {"the id of a tenant's role has no subscription",
        {LIST(ASSIGNMENT(AUTHORIZATION "/roleDefinitions/" OFFICER, "")), ROLE(CRYPTO), LIST("")}, 3, 7, 0, NULL},
    {"two roles add up",
        {LIST(ASSIGNMENT(ROLE_ID OFFICER, "") "," ASSIGNMENT(ROLE_ID GROUP_ID, ",\"condition\":null")),
            ROLE(Q(KEYS "read")), ROLE(Q(KEYS "wrap/action")), LIST("")},
        4, 3, 0, NULL},
    {"a role with a condition is a role that may not hold",
        {LIST(ASSIGNMENT(ROLE_ID OFFICER, ",\"condition\":\"@Resource...\"")), ROLE(CRYPTO), LIST("")}, 3, 0, 7, NULL},
    {"what is also given without a condition is given",
        {LIST(ASSIGNMENT(ROLE_ID OFFICER, ",\"condition\":\"x\"") "," ASSIGNMENT(ROLE_ID GROUP_ID, "")), ROLE(CRYPTO),
            ROLE(Q(KEYS "read")), LIST("")},
        4, 1, 6, NULL},
    {"a role that was deleted gives nothing",
        {LIST(ASSIGNMENT(ROLE_ID OFFICER, "")),
            {.status = 404, .body = "{\"error\":{\"code\":\"RoleDefinitionDoesNotExist\",\"message\":\"m\"}}"},
            LIST("")},
        3, 0, 0, NULL},
    {"everybody is denied", {GIVEN, LIST(DENY(EVERYBODY, ""))}, 3, 7, 0, "no keys"},
    {"the principal is denied", {GIVEN, LIST(DENY(WHO(PRINCIPAL, "ServicePrincipal"), ""))}, 3, 7, 0, "no keys"},
    {"a group is denied, and the principal may be in it", {GIVEN, LIST(DENY(WHO(GROUP_ID, "Group"), ""))}, 3, 7, 0,
        "no keys"},
    {"another principal is denied", {GIVEN, LIST(DENY(WHO(GROUP_ID, "ServicePrincipal"), ""))}, 3, 7, 0, NULL},
    {"everybody but the principal is denied",
        {GIVEN, LIST(DENY(EVERYBODY, ",\"excludePrincipals\":[" WHO(PRINCIPAL, "ServicePrincipal") "]"))}, 3, 7, 0,
        NULL},
    {"a denial that is not for what lies below", {GIVEN, LIST(DENY(EVERYBODY, ",\"doNotApplyToChildScopes\":true"))}, 3,
        7, 0, NULL},
    {"a denial of something else",
        {GIVEN, LIST("{\"properties\":{\"permissions\":[{\"actions\":[\"*\"]}],\"principals\":[" EVERYBODY "]}}")}, 3,
        7, 0, NULL},
};

static void the_answer_is_what_assignments_and_denials_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers_of); i++) {
        _cleanup_(rig_close) struct rig rig;
        _cleanup_(authz_answer_done) struct authz_answer answer;
        struct err err = ERR_INIT;
        rig_open(&rig, answers_of[i].answers, answers_of[i].n);
        if (authz_ask(rig.arm, NULL, &question, &answer, &err) < 0)
            fail_msg("%s: %s", answers_of[i].sentence, err.msg);
        if (answer.given != answers_of[i].given || answer.conditional != answers_of[i].conditional ||
            !str_eq(answer.deny, answers_of[i].deny))
            fail_msg("%s: %u, %u, %s", answers_of[i].sentence, answer.given, answer.conditional,
                answer.deny ? answer.deny : "-");
        rig_is_through(&rig);
        assert_string_equal(rig.fake->seen[0].url,
            ARM_URL SCOPE AUTHORIZATION "/roleAssignments?api-version=2022-04-01&$filter=atScope%28%29%20and%20"
                                        "assignedTo%28%27" PRINCIPAL "%27%29");
        assert_string_equal(rig.fake->seen[answers_of[i].n - 1].url,
            ARM_URL SCOPE AUTHORIZATION "/denyAssignments?api-version=2022-04-01&$filter=atScope%28%29");
    }
}

static void a_right_that_is_missing_is_named(void **state)
{
    static const struct {
        struct fake_answer answers[3];
        size_t n;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        {{FORBIDDEN}, 1, ERR_FORBIDDEN, "Microsoft.Authorization/roleAssignments/read at " SCOPE},
        {{LIST(ASSIGNMENT(ROLE_ID OFFICER, "")), FORBIDDEN}, 2, ERR_FORBIDDEN,
            "Microsoft.Authorization/roleDefinitions/read"},
        {{LIST(""), FORBIDDEN}, 2, ERR_FORBIDDEN, "Microsoft.Authorization/denyAssignments/read at " SCOPE},
        {{LIST(""), {.status = 429, .body = THROTTLED_BODY}}, 2, ERR_THROTTLED, ""},
        {{LIST("{}")}, 1, ERR_PROTOCOL, "names no role"},
        {{LIST(ASSIGNMENT("../../x", ""))}, 1, ERR_PROTOCOL, "no role that can be read"},
        {{LIST(ASSIGNMENT(ROLE_ID OFFICER, "")), {.status = 200, .body = "{}"}}, 2, ERR_PROTOCOL, "no permissions"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct authz_answer answer;
        struct err err = ERR_INIT;
        rig_open(&rig, rows[i].answers, rows[i].n);
        assert_int_equal(authz_ask(rig.arm, NULL, &question, &answer, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        says(&err, rows[i].words);
        rig_is_through(&rig);
    }
}

static void a_role_is_read_once(void **state)
{
    static const struct fake_answer answers[] = {GIVEN, LIST(""),
        LIST(ASSIGNMENT(
            "/subscriptions/other" AUTHORIZATION "/roleDefinitions/14B46E9E-c2b7-41b4-b07b-48a6ebf60603", "")),
        LIST("")};
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(authz_roles_freep) struct authz_roles *roles = authz_roles_new();
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, ARRAY_LEN(answers));
    for (int i = 0; i < 2; i++) {
        _cleanup_(authz_answer_done) struct authz_answer answer;
        assert_int_equal(authz_ask(rig.arm, roles, &question, &answer, &err), 0);
        assert_int_equal(answer.given, 7);
    }
    rig_is_through(&rig);
    assert_string_equal(rig.fake->seen[1].url,
        ARM_URL SUBSCRIPTION AUTHORIZATION "/roleDefinitions/" OFFICER "?api-version=2022-04-01");
}

static void a_role_that_is_not_there_yet_is_looked_for_again(void **state)
{
    static const struct fake_answer answers[] = {
        LIST(ASSIGNMENT(ROLE_ID OFFICER, "")), {.status = 404}, LIST(""), GIVEN, LIST("")};
    _cleanup_(rig_close) struct rig rig;
    _cleanup_(authz_roles_freep) struct authz_roles *roles = authz_roles_new();
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, ARRAY_LEN(answers));
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(authz_answer_done) struct authz_answer answer;
        assert_int_equal(authz_ask(rig.arm, roles, &question, &answer, &err), 0);
        assert_int_equal(answer.given, 7 * i);
    }
    rig_is_through(&rig);
}

static void nobody_is_not_asked_about(void **state)
{
    const struct authz_question rows[] = {
        {.scope = SCOPE, .principal = "x') or assignedTo('y", .actions = actions, .n = 3},
        {.scope = SCOPE, .principal = "", .actions = actions, .n = 3},
        {.scope = "/providers/x", .principal = PRINCIPAL, .actions = actions, .n = 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct authz_answer answer;
        struct err err = ERR_INIT;
        rig_open(&rig, NULL, 0);
        assert_int_equal(authz_ask(rig.arm, NULL, &rows[i], &answer, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(rig.fake->n_seen, 0);
    }
}

/* --- assigning --- */

#define NAME "f44208b9-230a-8ee6-b048-0a1d7b27bebe"

static void the_name_of_an_assignment_depends_on_all_three_and_nothing_else(void **state)
{
    static const struct {
        const char *scope, *principal, *role;
    } rows[] = {
        {VAULT_ID "2", PRINCIPAL, AUTHZ_ROLE_CRYPTO_SERVICE},
        {VAULT_ID, GROUP_ID, AUTHZ_ROLE_CRYPTO_SERVICE},
        {VAULT_ID, PRINCIPAL, OFFICER},
    };
    char name[UUID_SIZE], other[UUID_SIZE];
    _cleanup_(freep) char *lower = str_lower(xstrdup(VAULT_ID));

    (void)state;
    authz_assignment_name(VAULT_ID, PRINCIPAL, AUTHZ_ROLE_CRYPTO_SERVICE, name);
    assert_true(str_is_guid(name));
    assert_int_equal(name[14], '8');
    assert_non_null(strchr("89ab", name[19]));
    authz_assignment_name(lower, "CFB2FEE4-724F-455E-9BD7-D180BD9332A0", AUTHZ_ROLE_CRYPTO_SERVICE, other);
    assert_string_equal(name, other);
    /* Names outlive the program that made them. */
    assert_string_equal(name, NAME);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        authz_assignment_name(rows[i].scope, rows[i].principal, rows[i].role, other);
        assert_string_not_equal(name, other);
    }
}

#define ABSENT                                                                                                         \
    {                                                                                                                  \
        .status = 404, .body =                                                                                         \
                           "{\"error\":{\"code\":\"RoleAssignmentNotFound\",\"message\":\"The role assignment '" NAME  \
                           "' is not found.\"}}"                                                                       \
    }
#define PRESENT                                                                                                        \
    {                                                                                                                  \
        .status = 200, .body = "{\"properties\":{\"principalId\":\"" PRINCIPAL "\"}}"                                  \
    }

static const struct {
    const char *sentence;
    struct fake_answer answers[2];
    size_t n;
    enum err_kind kind;
    bool maybe_sent;
    const char *words;
} assignments[] = {
    {"it is made", {ABSENT, {.status = 201, .body = "{}"}}, 2, ERR_NONE, false, ""},
    {"it is there", {PRESENT}, 1, ERR_NONE, false, ""},
    {"somebody else made it under another name",
        {ABSENT,
            {.status = 409,
                .body = "{\"error\":{\"code\":\"RoleAssignmentExists\",\"message\":\"The role assignment already "
                        "exists. The ID of the existing role assignment is 716c4d159bc8476da3c16ccb70082517.\"}}"}},
        2, ERR_NONE, false, ""},
    {"another conflict is none of that", {ABSENT, {.status = 409, .body = "{\"error\":{\"code\":\"X\"}}"}}, 2,
        ERR_CONFLICT, false, "cannot assign a role at " VAULT_ID},
    {"the right is missing", {ABSENT, FORBIDDEN}, 2, ERR_FORBIDDEN, false,
        "Microsoft.Authorization/roleAssignments/write"},
    {"it may not be looked at", {FORBIDDEN}, 1, ERR_FORBIDDEN, false, "Microsoft.Authorization/roleAssignments/read"},
    {"a lock forbids it",
        {ABSENT,
            {.status = 409, .body = "{\"error\":{\"code\":\"ScopeLocked\",\"message\":\"The scope is locked.\"}}"}},
        2, ERR_FORBIDDEN, false, "locked"},
    {"the answer is lost", {ABSENT, {.status = 504}}, 2, ERR_UNAVAILABLE, true, ""},
};

static void a_role_is_assigned_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(assignments); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct err err = ERR_INIT;
        rig_open(&rig, assignments[i].answers, assignments[i].n);
        int r = authz_assign(rig.arm, VAULT_ID, PRINCIPAL, AUTHZ_ROLE_CRYPTO_SERVICE, &err);
        if (r != (assignments[i].kind ? -1 : 0) || err.kind != assignments[i].kind ||
            err.maybe_sent != assignments[i].maybe_sent)
            fail_msg("%s: %d %s", assignments[i].sentence, r, err.msg);
        says(&err, assignments[i].words);
        rig_is_through(&rig);
        for (size_t j = 0; j < rig.fake->n_seen; j++)
            assert_string_equal(rig.fake->seen[j].url,
                ARM_URL VAULT_ID AUTHORIZATION "/roleAssignments/" NAME "?api-version=2022-04-01");
        if (assignments[i].n < 2)
            continue;
        assert_string_equal(rig.fake->seen[1].method, "PUT");
        assert_string_equal(rig.fake->seen[1].body,
            "{\"properties\":{\"roleDefinitionId\":\"" SUBSCRIPTION AUTHORIZATION
            "/roleDefinitions/" AUTHZ_ROLE_CRYPTO_SERVICE "\",\"principalId\":\"" PRINCIPAL
            "\",\"principalType\":\"ServicePrincipal\"}}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_whole_actions_in_any_case),
        cmocka_unit_test(a_role_gives_the_union_of_its_parts_each_less_its_own_exceptions),
        cmocka_unit_test(the_answer_is_what_assignments_and_denials_say),
        cmocka_unit_test(a_right_that_is_missing_is_named),
        cmocka_unit_test(a_role_is_read_once),
        cmocka_unit_test(a_role_that_is_not_there_yet_is_looked_for_again),
        cmocka_unit_test(nobody_is_not_asked_about),
        cmocka_unit_test(the_name_of_an_assignment_depends_on_all_three_and_nothing_else),
        cmocka_unit_test(a_role_is_assigned_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
