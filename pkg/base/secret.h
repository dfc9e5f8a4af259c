/* Bytes that must never be shown.
 *
 * A struct secret cannot be printed by accident: it is no char *, and the only way to its bytes is secret_reveal(),
 * which is easy to find in a review. Its memory is wiped when freed and left out of core dumps where the kernel allows
 * it. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

struct secret;

/* Copies the bytes; the caller still wipes its own copy (secret_wipe). Returned object is the caller's. */
struct secret *secret_new(const char *bytes, size_t len);
/* Reference counted: safe to share between threads. */
struct secret *secret_ref(struct secret *s);
/* Wipes and frees at the last reference. Accepts and returns NULL. */
struct secret *secret_unref(struct secret *s);
/* Borrowed, NUL-terminated, valid as long as the reference is held. */
const char *secret_reveal(const struct secret *s);
size_t secret_len(const struct secret *s);
/* Overwrites the secret with '*' wherever it stands in these bytes: a peer may repeat what it was sent. Secrets of less
 * than 8 bytes are left alone, because they stand in innocent text. s may be NULL. */
void secret_strike(const struct secret *s, char *bytes, size_t len);
/* Overwrites memory in a way that the compiler keeps. */
void secret_wipe(void *p, size_t len);

DEFINE_CLEANUP(struct secret *, secret_unref)
