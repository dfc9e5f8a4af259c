/* The checks before the point of no return: a chain of pure functions over what was read.
 *
 * Failed blocks; Warning, Unknown and Skipped do not. What could not be seen is Unknown and says why, never Passed.
 * spec.preflight.keyVault (absent means Enforce) turns failures of the checks about vault, key and access into warnings
 * (Warn) or leaves these checks out (Skip). */
#pragma once

#include "cmk/evidence.h"
#include "cmk/types.h"

/* Fills checks (at most CMK_MAX_CHECKS) and returns how many. The strings are the caller's (cmk_checks_done). now is
 * wall ms. Evidence that was not gathered makes the checks that need it Unknown. */
size_t cmk_preflight(struct cmk_check *ret, const struct cmk_spec *spec, const struct cmk_account *account,
    const struct cmk_evidence *evidence, int64_t now);
/* The first check that failed, or NULL. */
const struct cmk_check *cmk_first_failed(const struct cmk_check *checks, size_t n);
void cmk_checks_done(struct cmk_check *checks, size_t n);
/* Why Azure can never enable a key on this account, with what to do; NULL when it can. */
const char *cmk_account_unsupported(const struct cmk_account *account);
