/* Views built from a line of words, so that a row of a test reads as the situation it is about:
 *
 *     "account busy op=EnableKey:Accepted url age=1h"
 *
 * Without a word everything is as on the first day: a valid spec that asks for KEY, an empty status, nothing read. */
#pragma once

#include "base/tz.h"
#include "cmk/plan.h"
#include "cmk/view.h"

#define ACCOUNT_ID                                                                                                     \
    "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/shop/providers/Microsoft.DocumentDB/"          \
    "databaseAccounts/orders"
#define USER_ID                                                                                                        \
    "/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/shop/providers/Microsoft.ManagedIdentity/"     \
    "userAssignedIdentities/cosmos"
#define IDENTITY "UserAssignedIdentity=" USER_ID
#define KEY "https://contoso.vault.azure.net/keys/cosmos"
#define OTHER_KEY "https://contoso.vault.azure.net/keys/other"
#define CONFIRMED "Access to the configured customer managed key confirmed."
#define REVOKED                                                                                                        \
    "Access to your account is currently revoked because the correspondent key is not found on the specified Key "     \
    "Vault (4003)."

/* Saturday, 2026-03-07 12:00 UTC */
#define NOW 1772884800000LL
#define UPTIME 864000000LL /* of the process */
#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct scene {
    struct cmk_resource resource;
    struct cmk_view view;
    bool approved;
};

/* Fails the test on a word that it does not know; see scene.c for the words. */
void scene_init(struct scene *scene, const char *words);
void scene_done(struct scene *scene);
/* More words for a scene that is there. */
void scene_add(struct scene *scene, const char *words);

/* What a plan is made from in this view. */
struct cmk_plan_input plan_input(const struct cmk_view *view);

/* The hash of the plan that scene's account and spec give. */
void scene_plan(const struct scene *scene, struct cmk_plan *ret);

/* NULL when the status has no such condition. */
const struct cmk_condition *condition_of(const struct cmk_status *status, const char *type);
