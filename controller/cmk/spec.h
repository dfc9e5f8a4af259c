/* Is this spec one that we can act on? The CRD's CEL rules say the same at admission; an old API server does not run
 * them. */
#pragma once

#include "cmk/types.h"

/* ERR_INVALID and a sentence (which field, what is wrong, what to write instead) when any field is malformed. */
int cmk_spec_check(const struct cmk_spec *spec, struct err *err);

/* Names the first field whose value asks for behaviour that this version does not have, with what to do: no value may
 * be accepted and then ignored. NULL when there is none. */
const char *cmk_spec_unsupported(const struct cmk_spec *spec);

/* The status is about another account than the spec: accountId was changed where no CEL rule kept it from it. Account
 * names are unique in all of Azure (they are host names), so the name tells. */
bool cmk_account_changed(const struct cmk_spec *spec, const struct cmk_status *status);

/* The account id in the form in which two ids of one account are equal: lower case. The caller frees it. */
char *cmk_account_key(const char *account_id);

/* Two key URIs name the same key: scheme and host without case, without a port, a trailing slash or a version. NULL and
 * "" name no key. */
bool cmk_same_key(const char *a, const char *b);

/* Two defaultIdentity values mean the same identity; NULL and "" are FirstPartyIdentity. */
bool cmk_same_identity(const char *a, const char *b);
bool cmk_identity_is_first_party(const char *identity);
/* The resource id within "UserAssignedIdentity=ID" (borrowed), or NULL. */
const char *cmk_user_identity_of(const char *identity);
