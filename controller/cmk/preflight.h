/* The checks before the point of no return: a chain of pure functions over what was read. */
#pragma once

#include "cmk/types.h"

/* Fills checks (at most CMK_MAX_CHECKS) and returns how many. The strings are the caller's. */
size_t cmk_preflight(struct cmk_check *ret, const struct cmk_spec *spec, const struct cmk_account *account);
/* The first check that failed, or NULL. */
const struct cmk_check *cmk_first_failed(const struct cmk_check *checks, size_t n);
void cmk_checks_done(struct cmk_check *checks, size_t n);
/* Why Azure can never enable a key on this account, with what to do; NULL when it can. */
const char *cmk_account_unsupported(const struct cmk_account *account);
