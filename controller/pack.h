/* A resource as a few hundred bytes: how the store keeps 100,000 of them.
 *
 * Texts that many resources have (reasons, messages, key URIs, resource groups) are in the pool; what repeats within
 * the resource is written once; ids are 16 bytes, times a distance from the creation. Pure. Not thread-safe: whoever
 * guards the pool guards this. */
#pragma once

#include "cmk/types.h"
#include "controller/pool.h"

/* One heap block. It holds texts of the pool it was made with. */
struct packed;

/* resource stays the caller's. Everything in it comes back from unpack, NULL and "" told apart. */
struct packed *pack(struct pool *pool, const struct cmk_resource *resource);
/* *ret is overwritten, and the caller's (cmk_resource_done). */
void unpack(struct pool *pool, const struct packed *packed, struct cmk_resource *ret);
/* The same, but only what comes before spec, and spec.account_id: cheaper. */
void unpack_head(struct pool *pool, const struct packed *packed, struct cmk_resource *ret);
/* Lets go of the pool's texts. Accepts and returns NULL. */
struct packed *packed_free(struct pool *pool, struct packed *packed);
/* Bytes of the block. */
size_t packed_size(const struct packed *packed);
