/* What Azure says when it refuses, made readable. Pure. Private to this folder.
 *
 * Two envelopes are in use: {"error":{"code","message"}} by the front door and {"code","message"} by the resource
 * provider; a failed operation adds "status" beside the first. The provider's messages carry tails for support staff
 * ("\r\nActivityId: ..., Microsoft.Azure.Documents.Common/2.14.0") and, when a key vault is the cause, the vault's own
 * JSON inside the text. */
#pragma once

#include "json/json.h"

#include <stddef.h>

struct arm_error {
    char *code;    /* NULL when the body names none */
    char *message; /* one line, at most 2 KiB; NULL when the body has none */
};
void arm_error_done(struct arm_error *error); /* accepts a zeroed struct */

/* Looks for either envelope in a body; false when it is neither. */
bool arm_error_find(const cJSON *tree, struct arm_error *ret);

/* json_parse that tolerates a byte order mark, as some of ARM's answers carry. */
int arm_json_parse(cJSON **ret, const char *body, size_t len, struct err *err);

struct arm_answer {
    int status;
    const char *body; /* may be NULL when len is 0 */
    size_t len;
    bool changes;           /* the request was no GET: a lost or failed answer leaves its outcome unknown */
    int64_t retry_after_ms; /* -1: not said */
};

/* Fills *err from an answer that is no success and returns -1. See arm.h for the kinds. */
int arm_error_set(const struct arm_answer *answer, struct err *err);
