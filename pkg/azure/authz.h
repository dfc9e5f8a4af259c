/* Microsoft.Authorization through ARM, api-version 2022-04-01: who may do what with data, and granting it.
 *
 * What a principal has at a scope is the union, over its role assignments at or above the scope (also through groups),
 * of each role's dataActions less its own notDataActions. Deny assignments win over that. Actions (what ARM itself
 * checks) and data actions are two lists; only data actions are looked at here, even where both have the same name.
 *
 * Errors as in arm.h. ERR_FORBIDDEN names the right that is missing and the scope it is missing at. */
#pragma once

#include "azure/arm.h"

#define AUTHZ_API_VERSION "2022-04-01"
/* Key Vault Crypto Service Encryption User: read, wrap and unwrap keys and nothing else. Equal in every cloud. */
#define AUTHZ_ROLE_CRYPTO_SERVICE "e147488a-f6f5-4113-8e2d-b22465e65bf6"

/* pattern names the action: '*' stands for any text, also with slashes; case does not matter. Pure. */
bool authz_matches(const char *pattern, const char *action);

#define AUTHZ_MAX_ACTIONS 8

/* Which of a few data actions something gives or takes: bit i is for actions[i]. Pure. permissions is the list
 * "permissions" of a role definition or a deny assignment. */
unsigned authz_permissions(const cJSON *permissions, const char *const *actions, size_t n);

/* Role definitions that were read, so that a fleet of accounts does not read them again and again. Kept for five
 * minutes, because a person may be mending one. Thread-safe. */
struct authz_roles;
struct authz_roles *authz_roles_new(void);
struct authz_roles *authz_roles_free(struct authz_roles *roles); /* accepts and returns NULL */
DEFINE_CLEANUP(struct authz_roles *, authz_roles_free)

struct authz_question {
    const char *scope;     /* id of a resource, which need not exist */
    const char *principal; /* object id */
    const char *const *actions;
    size_t n; /* at most AUTHZ_MAX_ACTIONS */
};

struct authz_answer {
    unsigned given;       /* bits of the actions that roles give without a condition */
    unsigned conditional; /* bits of those that only a role with a condition gives */
    char *deny;           /* name of a deny assignment that may take some of them away, or NULL */
};
void authz_answer_done(struct authz_answer *answer); /* accepts a zeroed struct */

/* Rights: Microsoft.Authorization/roleAssignments/read, .../roleDefinitions/read, .../denyAssignments/read. A role that
 * no longer exists gives nothing. roles may be NULL: nothing is kept. */
int authz_ask(struct arm_client *client, struct authz_roles *roles, const struct authz_question *question,
    struct authz_answer *ret, struct err *err);

/* The name of the assignment that we make of a role to a principal at a scope: always the same for the same three,
 * whatever their case, so that making it twice makes one. It is a version 8 UUID (RFC 9562): the first 128 bits of
 * SHA-256 over "cosmoscmk role assignment\n" SCOPE "\n" PRINCIPAL "\n" ROLE, all in lower case, with version and
 * variant put over them. Pure. */
void authz_assignment_name(const char *scope, const char *principal, const char *role, char ret[static UUID_SIZE]);

/* Assigns a role (a GUID) to a service principal at a scope, which is the id of a resource. Looks for our own
 * assignment first; that one, or Azure's RoleAssignmentExists, is a success. principal must be an object id: Azure
 * takes an application id as well, and it then gives nothing. Right: Microsoft.Authorization/roleAssignments/write (and
 * read). */
int authz_assign(
    struct arm_client *client, const char *scope, const char *principal, const char *role, struct err *err);
