/* Texts that many resources share (reasons, messages, key URIs, resource groups): each is kept once and counted.
 *
 * A text is known by a small number, which stays the same as long as somebody holds it; low numbers are given first and
 * again. Not thread-safe: the store's lock covers it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pool;

struct pool *pool_new(void);
struct pool *pool_free(struct pool *pool); /* with all texts, held or not; accepts and returns NULL */
/* The number of this text, held once more by the caller. text needs no NUL at its end and must not hold one. */
uint32_t pool_hold(struct pool *pool, const char *text, size_t len);
void pool_release(struct pool *pool, uint32_t number);
/* Borrowed as long as it is held. */
const char *pool_text(const struct pool *pool, uint32_t number);
/* Texts that are held. */
size_t pool_len(const struct pool *pool);
