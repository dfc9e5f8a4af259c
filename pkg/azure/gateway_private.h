/* What the files behind gateway.h share. Private to this folder. */
#pragma once

#include "azure/gateway.h"

#include "base/buf.h"

#define GATEWAY_DATE_SIZE 48

/* RFC 7231 IMF-fixdate, as x-ms-date wants it. */
void gateway_date(int64_t wall_ms, char ret[static GATEWAY_DATE_SIZE]);

/* What a signature is about: "get" or "post", "dbs", "colls", "pkranges" or "docs", and the link of the resource (of
 * the parent, for lists and queries) with names as they are. */
struct gateway_signed {
    const char *verb;
    const char *type;
    const char *link;
    const char *date;
};

/* Raw bytes of a key in base64; ERR_INVALID without repeating it. */
int gateway_key_decode(const struct secret *base64, struct secret **ret, struct err *err);
/* The value of the authorization header, encoded; the caller wipes it (gateway_authorization_done). Pure. */
struct buf gateway_authorize_key(const struct secret *raw_key, const struct gateway_signed *what);
struct buf gateway_authorize_token(const struct secret *token);
void gateway_authorization_done(struct buf *authorization);

struct gateway_answer {
    int status;
    int substatus;
    const char *body; /* may be NULL when len is 0 */
    size_t len;
    int64_t retry_after_ms; /* -1: not said */
    bool with_key;          /* how the request was authorised */
};

/* Fills *err from an answer that is no success and returns -1. Pure. */
int gateway_error_set(const struct gateway_answer *answer, struct err *err);
