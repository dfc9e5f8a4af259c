/* Between the files of the preflight. Private to this folder. */
#pragma once

#include "cmk/preflight.h"

/* What a check looks at. */
struct check_input {
    const struct cmk_spec *spec;
    const struct cmk_account *account;
    const struct cmk_evidence *evidence;
    int64_t now;
};

/* A check without its name. */
struct cmk_check cmk_verdict(enum cmk_check_result result, const char *format, ...) _printf_(2, 3);

/* The identity that will fetch the key: the spec's, else the one the account has; may be NULL. */
const char *cmk_wanted_identity(const struct check_input *in);

/* Vault, key and access; only called when evidence was gathered and spec.preflight.keyVault is not Skip. */
struct cmk_check cmk_check_vault(const struct check_input *in);
struct cmk_check cmk_check_soft_delete(const struct check_input *in);
struct cmk_check cmk_check_purge_protection(const struct check_input *in);
struct cmk_check cmk_check_firewall(const struct check_input *in);
struct cmk_check cmk_check_key(const struct check_input *in);
struct cmk_check cmk_check_key_type(const struct check_input *in);
struct cmk_check cmk_check_key_access(const struct check_input *in);
