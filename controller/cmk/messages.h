/* The sentences of conditions: one function a row of the rules that needs one. Each says what is the case and what
 * comes next; elapsed times are coarse, so that a sentence, and so a status, does not change with every look. */
#pragma once

#include "cmk/rules.h"

/* A sentence may have been cut, or quote what somebody wrote: bytes that are no UTF-8 become '?', which the API server
 * would otherwise replace on its own, so that what we read would never equal what we wrote. */
void cmk_say_well(char *message);

/* What an operation asks for, as people call it (borrowed, never NULL): the last part of an identity's resource id;
 * other targets are short enough. */
const char *cmk_short_target(const char *target);

void cmk_say_spec_invalid(const struct look *look, char *ret, size_t size);
void cmk_say_spec_unsupported(const struct look *look, char *ret, size_t size);
void cmk_say_account_changed(const struct look *look, char *ret, size_t size);
void cmk_say_zone_unknown(const struct look *look, char *ret, size_t size);
void cmk_say_conflict(const struct look *look, char *ret, size_t size);
void cmk_say_suspended(const struct look *look, char *ret, size_t size);
void cmk_say_refused_busy(const struct look *look, char *ret, size_t size);
void cmk_say_refused(const struct look *look, char *ret, size_t size);
void cmk_say_account_error(const struct look *look, char *ret, size_t size);
void cmk_say_evidence_error(const struct look *look, char *ret, size_t size);
void cmk_say_granting(const struct look *look, char *ret, size_t size);
void cmk_say_scanning(const struct look *look, char *ret, size_t size);
void cmk_say_confirming(const struct look *look, char *ret, size_t size);
void cmk_say_running(const struct look *look, char *ret, size_t size);
void cmk_say_not_shown(const struct look *look, char *ret, size_t size);
void cmk_say_broken(const struct look *look, char *ret, size_t size);
void cmk_say_busy(const struct look *look, char *ret, size_t size);
void cmk_say_revoked(const struct look *look, char *ret, size_t size);
void cmk_say_encrypted(const struct look *look, char *ret, size_t size);
void cmk_say_failed(const struct look *look, char *ret, size_t size);
void cmk_say_retrying(const struct look *look, char *ret, size_t size);
void cmk_say_unsupported(const struct look *look, char *ret, size_t size);
void cmk_say_preflight(const struct look *look, char *ret, size_t size);
void cmk_say_drifted(const struct look *look, char *ret, size_t size);
void cmk_say_observing(const struct look *look, char *ret, size_t size);
void cmk_say_approval(const struct look *look, char *ret, size_t size);
void cmk_say_window(const struct look *look, char *ret, size_t size);
void cmk_say_starting(const struct look *look, char *ret, size_t size);
