/* What a principal has at a scope, and giving it a role.
 *
 * The list of role assignments is asked for "atScope() and assignedTo()": at the scope and above it, also through
 * groups that the principal is in. Deny assignments are asked for without a principal, because those for everybody may
 * be missing from a list for one. Whether a principal is in a group that is denied something cannot be seen: it may be.
 */
#include "azure/authz_private.h"

#include "azure/arm_error.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ASSIGNMENTS_MAX 200 /* of one principal; each may cost a look at a role */
#define DENIES_MAX 1000
#define EVERYBODY "00000000-0000-0000-0000-000000000000"
#define AUTHORIZATION "/providers/Microsoft.Authorization"

void authz_answer_done(struct authz_answer *answer)
{
    free(answer->deny);
    *answer = (struct authz_answer){0};
}

/* The subscription that an id lies in; the caller frees it. */
static char *subscription_of(const char *id)
{
    static const char start[] = "/subscriptions/";

    if (!str_has_prefix_nocase(id, start))
        return NULL;
    const char *from = id + strlen(start);
    _cleanup_(freep) char *guid = xstrndup(from, strcspn(from, "/"));
    return str_is_guid(guid) ? TAKE_PTR(guid) : NULL;
}

/* --- role assignments --- */

struct gathering {
    struct arm_client *client;
    struct authz_roles *roles;
    const struct authz_question *question;
    const char *subscription;
    struct authz_answer *answer;
};

static int take_assignment(void *data, const cJSON *item, struct err *err)
{
    struct gathering *g = data;
    const char *role = json_string_at(item, "properties.roleDefinitionId");
    unsigned bits = 0;

    if (!role)
        return err_set(err, ERR_PROTOCOL, "a role assignment names no role");
    if (authz_role_bits(g->client, g->roles, g->subscription, role, g->question, &bits, err) < 0)
        return -1;
    if (str_empty(json_string_at(item, "properties.condition")))
        g->answer->given |= bits;
    else
        g->answer->conditional |= bits;
    return g->answer->given == (1U << g->question->n) - 1; /* more cannot be given */
}

static int ask_roles(struct gathering *g, struct err *err)
{
    _cleanup_(freep) char *path = xasprintf("%s" AUTHORIZATION "/roleAssignments", g->question->scope);
    _cleanup_(freep) char *filter = xasprintf("atScope() and assignedTo('%s')", g->question->principal);
    const struct arm_query query[] = {{"$filter", filter}, {NULL, NULL}};
    const struct arm_list list = {.path = path,
        .api_version = AUTHZ_API_VERSION,
        .query = query,
        .max_items = ASSIGNMENTS_MAX,
        .on_item = take_assignment,
        .data = g};

    return arm_list(g->client, &list, err);
}

/* --- deny assignments --- */

static bool lists(const cJSON *principals, const char *id)
{
    const cJSON *entry;

    cJSON_ArrayForEach (entry, principals)
        if (str_eq_nocase(json_string_at(entry, "id"), id))
            return true;
    return false;
}

static bool may_be_about(const cJSON *deny, const char *principal)
{
    const cJSON *principals = json_at(deny, "properties.principals"), *entry;

    if (lists(json_at(deny, "properties.excludePrincipals"), principal))
        return false;
    if (lists(principals, principal) || lists(principals, EVERYBODY))
        return true;
    cJSON_ArrayForEach (entry, principals)
        if (str_eq_nocase(json_string_at(entry, "type"), "Group"))
            return true;
    return false;
}

static bool holds_at(const cJSON *deny, const char *scope)
{
    return !json_bool_at(deny, "properties.doNotApplyToChildScopes", false) ||
           str_eq_nocase(json_string_at(deny, "properties.scope"), scope);
}

static int take_deny(void *data, const cJSON *item, struct err *err _unused_)
{
    struct gathering *g = data;
    const struct authz_question *q = g->question;
    const char *name = json_string_at(item, "properties.denyAssignmentName");

    if (!authz_permissions(json_at(item, "properties.permissions"), q->actions, q->n) || !holds_at(item, q->scope) ||
        !may_be_about(item, q->principal))
        return 0;
    if (!name)
        name = json_string_at(item, "name");
    g->answer->deny = xstrndup(name ? name : "without a name", 256);
    return 1;
}

static int ask_denies(struct gathering *g, struct err *err)
{
    static const struct arm_query query[] = {{"$filter", "atScope()"}, {NULL, NULL}};
    _cleanup_(freep) char *path = xasprintf("%s" AUTHORIZATION "/denyAssignments", g->question->scope);
    const struct arm_list list = {.path = path,
        .api_version = AUTHZ_API_VERSION,
        .query = query,
        .max_items = DENIES_MAX,
        .on_item = take_deny,
        .data = g};

    return arm_list(g->client, &list, err);
}

int authz_ask(struct arm_client *client, struct authz_roles *roles, const struct authz_question *question,
    struct authz_answer *ret, struct err *err)
{
    _cleanup_(authz_answer_done) struct authz_answer answer = {0};
    _cleanup_(freep) char *subscription = subscription_of(question->scope);
    struct gathering g = {
        .client = client, .roles = roles, .question = question, .subscription = subscription, .answer = &answer};

    *ret = (struct authz_answer){0};
    if (!subscription || !str_is_guid(question->principal) || question->n > AUTHZ_MAX_ACTIONS)
        return err_set(err, ERR_INVALID, "there is nobody, or no resource, whose role assignments could be read");
    if (ask_roles(&g, err) < 0)
        return arm_say_missing(
            err, "role assignments", "Microsoft.Authorization/roleAssignments/read", question->scope);
    if (ask_denies(&g, err) < 0)
        return arm_say_missing(
            err, "deny assignments", "Microsoft.Authorization/denyAssignments/read", question->scope);
    answer.conditional &= ~answer.given;
    *ret = answer;
    answer = (struct authz_answer){0};
    return 0;
}

/* --- assigning --- */

void authz_assignment_name(const char *scope, const char *principal, const char *role, char ret[static UUID_SIZE])
{
    _cleanup_(freep) char *text = str_lower(xasprintf("cosmoscmk role assignment\n%s\n%s\n%s", scope, principal, role));
    char hex[DIGEST_HEX_SIZE];
    size_t from = 0;

    digest_sha256_hex(text, strlen(text), hex);
    for (size_t i = 0; i < UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        ret[i] = dash ? '-' : hex[from++];
    }
    ret[14] = '8';                                                               /* version */
    ret[19] = "89ab"[(ret[19] <= '9' ? ret[19] - '0' : ret[19] - 'a' + 10) & 3]; /* variant */
    ret[UUID_SIZE - 1] = '\0';
}

/* 1: our assignment is there. */
static int is_assigned(struct arm_client *client, const char *path, const char *principal, struct err *err)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct arm_response response;
    struct err failed = ERR_INIT;

    int r = arm_get(client, path, AUTHZ_API_VERSION, NULL, &response, &failed);
    if (r == 0 && arm_json_parse(&tree, response.http.body.data, response.http.body.len, &failed) < 0)
        r = -1;
    arm_response_done(&response);
    if (r < 0 && failed.kind == ERR_NOT_FOUND)
        return 0;
    if (r < 0) {
        if (err)
            *err = failed;
        return arm_say_missing(err, "our role assignment", "Microsoft.Authorization/roleAssignments/read", path);
    }
    return str_eq_nocase(json_string_at(tree, "properties.principalId"), principal);
}

static char *assignment_body(const char *subscription, const char *principal, const char *role)
{
    _cleanup_(json_freep) cJSON *body = cJSON_CreateObject();
    _cleanup_(freep) char *definition =
        xasprintf("/subscriptions/%s" AUTHORIZATION "/roleDefinitions/%s", subscription, role);
    cJSON *properties = json_add_object(body, "properties");

    json_add_string(properties, "roleDefinitionId", definition);
    json_add_string(properties, "principalId", principal);
    /* Without it a fresh identity is refused with PrincipalNotFound until the directory has caught up. */
    json_add_string(properties, "principalType", "ServicePrincipal");
    return json_print(body);
}

int authz_assign(struct arm_client *client, const char *scope, const char *principal, const char *role, struct err *err)
{
    _cleanup_(freep) char *subscription = subscription_of(scope);
    struct arm_response response;
    struct err failed = ERR_INIT;
    char name[UUID_SIZE];

    if (!subscription || !str_is_guid(principal) || !str_is_guid(role))
        return err_set(err, ERR_INVALID, "there is nobody, or no resource, that a role could be assigned for");
    authz_assignment_name(scope, principal, role, name);
    _cleanup_(freep) char *path = xasprintf("%s" AUTHORIZATION "/roleAssignments/%s", scope, name);
    int r = is_assigned(client, path, principal, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    _cleanup_(freep) char *body = assignment_body(subscription, principal, role);
    r = arm_call(client, "PUT", path, AUTHZ_API_VERSION, body, NULL, &response, &failed);
    arm_response_done(&response);
    if (r == 0 || str_eq_nocase(failed.code, "RoleAssignmentExists"))
        return 0;
    if (err)
        *err = failed;
    if (failed.kind != ERR_FORBIDDEN)
        return err_wrap(err, "cannot assign a role at %s", scope);
    return err_wrap(err,
        "cannot assign a role: grant the controller's identity Microsoft.Authorization/roleAssignments/write (the role "
        "Key Vault Data Access Administrator has it) at %s",
        scope);
}
