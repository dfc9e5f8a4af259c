/* The reasons of conditions: stable CamelCase words, what each means and what to do. One table for conditions, logs,
 * metrics, `cosmoscmk explain` and the reference page. */
#pragma once

#include <stddef.h>

enum cmk_reason {
    CMK_REASON_NONE,
    CMK_REASON_ENCRYPTED,
    CMK_REASON_ENCRYPTING,
    CMK_REASON_STARTING,
    CMK_REASON_PREPARING_IDENTITY,
    CMK_REASON_GRANTING_ACCESS,
    CMK_REASON_CONFIRMING,
    CMK_REASON_PREFLIGHT_RUNNING,
    CMK_REASON_AWAITING_APPROVAL,
    CMK_REASON_AWAITING_WINDOW,
    CMK_REASON_OBSERVING,
    CMK_REASON_SUSPENDED,
    CMK_REASON_ACCOUNT_BUSY,
    CMK_REASON_AZURE_UNAVAILABLE,
    CMK_REASON_THROTTLED,
    CMK_REASON_RETRYING,
    CMK_REASON_OPERATION_FAILED,
    CMK_REASON_PREFLIGHT_FAILED,
    CMK_REASON_UNSUPPORTED_ACCOUNT,
    CMK_REASON_KEY_REVOKED,
    CMK_REASON_DRIFTED,
    CMK_REASON_ACCOUNT_NOT_FOUND,
    CMK_REASON_ACCOUNT_NOT_ONLINE,
    CMK_REASON_ACCESS_DENIED,
    CMK_REASON_ACCOUNT_CONFLICT,
    CMK_REASON_INVALID_SPEC,
    CMK_REASON_UNSUPPORTED_SPEC,
    CMK_REASON_COUNT,
};

struct cmk_reason_text {
    const char *word;
    const char *meaning;
    const char *todo;
};

/* Never NULL; the row of CMK_REASON_NONE has the word "None". */
const struct cmk_reason_text *cmk_reason_text(enum cmk_reason reason);
