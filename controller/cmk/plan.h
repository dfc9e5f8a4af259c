/* What remains to be done to an account, and the hash by which a person approves it. */
#pragma once

#include "cmk/evidence.h"
#include "cmk/types.h"

/* What a plan is made from; borrowed. evidence NULL: not gathered, and then nothing is said about access to the key. */
struct cmk_plan_input {
    const struct cmk_spec *spec;
    const struct cmk_account *account;
    const struct cmk_evidence *evidence;
};

/* The steps that lead from the account as read to the spec, in the order that Azure wants: attach, grant, default, key;
 * each is its own request and its own operation, because combined updates are silently lost or refused (azure-facts
 * 2.3). Access is granted only when spec.keyVaultAccess asks for it and something else remains to be done.
 *
 * The hash covers account, the key that it has now and the new one, identity, and the steps. A plan that is being
 * carried out keeps its hash while its steps get done: before is the plan as published, and stays the plan as long as
 * what remains is its tail. */
void cmk_plan_make(struct cmk_plan *ret, const struct cmk_plan_input *in, const struct cmk_plan *before);

/* The next step of the account itself, whatever the published plan still lists. CMK_NO_STEP when it is as desired. */
enum cmk_step_type cmk_plan_next(const struct cmk_plan_input *in);

/* What a step of this type asks for, in the words of the spec (borrowed). */
const char *cmk_step_target(enum cmk_step_type type, const struct cmk_spec *spec);
/* What was read shows what a step of this type and target was to bring. */
bool cmk_step_shows(enum cmk_step_type type, const char *target, const struct cmk_plan_input *in);
