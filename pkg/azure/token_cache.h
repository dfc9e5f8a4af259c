/* One token, shared by many callers. Private to this folder.
 *
 * Invariants: at most one fetch runs at a time; nobody waits while a usable token exists; a failed fetch is reported to
 * everyone who waited for it, so that a dead token endpoint costs one time limit and not one for each caller in turn.
 * Told the time, so that tests can move it. */
#pragma once

#include "base/secret.h"
#include "http/http.h"

struct token_cache;

struct token_cache_options {
    /* Called without the lock. *ret_lifetime_ms: how long the token is good, counted from before the call. */
    int (*fetch)(void *ctx, struct secret **ret, int64_t *ret_lifetime_ms, struct http_cancel *cancel, struct err *err);
    void *ctx;
    int64_t (*now_ms)(void); /* monotonic */
};

struct token_cache *token_cache_new(const struct token_cache_options *options);
struct token_cache *token_cache_free(struct token_cache *cache); /* accepts and returns NULL */
DEFINE_CLEANUP(struct token_cache *, token_cache_free)

/* *ret is the caller's (secret_unref). cancel may be NULL. */
int token_cache_get(struct token_cache *cache, struct secret **ret, struct http_cancel *cancel, struct err *err);

/* Forgets this very token; does nothing when another one has taken its place already. */
void token_cache_drop(struct token_cache *cache, const struct secret *token);
