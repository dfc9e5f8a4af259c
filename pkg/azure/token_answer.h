/* A token out of what a token endpoint, the instance metadata service or the az CLI says. Private to this folder.
 *
 * Nothing of an answer is repeated in an error: it may hold a token. */
#pragma once

#include "base/buf.h"
#include "base/secret.h"
#include "json/json.h"

#include <stdint.h>

/* tree: access_token, token_type (Bearer; may be absent when type_required is false), expires_in in seconds or else
 * expires_on in seconds since 1970; numbers may be strings. whom: "the token endpoint", for the sentence of an
 * ERR_PROTOCOL. wall_ms is needed for expires_on. *ret is the caller's; a lifetime is at most a week. */
int token_answer_read(const cJSON *tree, const char *whom, bool type_required, int64_t wall_ms, struct secret **ret,
    int64_t *ret_lifetime_ms, struct err *err);

/* It becomes a header's value: printable ASCII only, 64 KiB at most. */
bool token_is_usable(const char *token);
/* Overwrites the string of this name in the tree. tree may be NULL. */
void token_answer_wipe(cJSON *tree, const char *name);

/* A buffer of its full size at once, because one that grows leaves copies behind that nobody wipes; and its end. */
struct buf token_buf(size_t max);
void token_buf_wipe(struct buf *b);
/* The peer's text with everything that is not printable replaced, so that it stays on one line. */
void token_one_line(char *s);
