/* Between gathering evidence and granting. Private to these two files. */
#pragma once

#include "azure/vault.h"
#include "controller/evidence.h"

/* Everything that one look needs; borrowed. */
struct evidence_search {
    struct arm_client *client;
    const struct evidence_options *options;
    const struct arm_id *account_id;
    const struct cmk_spec *spec;
    const struct cmk_account *account;
};

/* What is true of the key whatever the principal: get, wrap, unwrap, in this order. */
#define EVIDENCE_GET 1U
#define EVIDENCE_WRAP 2U
#define EVIDENCE_UNWRAP 4U
#define EVIDENCE_ALL 7U

/* The object id behind the default identity that is wanted, the caller's. ERR_NOT_FOUND: the identity does not exist.
 * ERR_INVALID: it has none that can be known. */
int evidence_principal(const struct evidence_search *search, char **ret, struct err *err);
/* The key's vault, with the access policy of principal (may be NULL). ERR_NOT_FOUND: there is none. */
int evidence_vault(const struct evidence_search *search, const char *principal, struct vault *ret, struct err *err);
/* What principal has on the key of a vault that goes by roles (answer bits as above) or by policies. */
int evidence_access(const struct evidence_search *search, const struct vault *vault, const char *principal,
    struct authz_answer *ret, struct err *err);
/* The name at the end of the key's URI (borrowed). */
const char *evidence_key_name(const struct cmk_spec *spec);
