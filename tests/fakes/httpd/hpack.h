/* HPACK, the header compression of HTTP/2 (RFC 7541).
 *
 * Decoding is complete: static and dynamic table, Huffman. Encoding uses neither table nor Huffman, so it has no state;
 * that costs some bytes and is always correct. A decoding error is fatal for the connection, since the tables are then
 * out of step. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HPACK_TABLE_SIZE 4096 /* what we allow the peer: HTTP/2's default, so no setting has to be sent */
#define HPACK_TABLE_ENTRIES (HPACK_TABLE_SIZE / 32)

struct hpack_entry {
    char *name; /* owned, the value lies behind it */
    char *value;
    size_t name_len, value_len;
};

/* Zero is the right start. */
struct hpack {
    struct hpack_entry entries[HPACK_TABLE_ENTRIES]; /* a ring, newest at head */
    size_t head, n;
    size_t used;        /* as RFC 7541 counts, 32 for each entry */
    size_t limit_below; /* by how much the peer has lowered the limit */
};

void hpack_done(struct hpack *h);

/* Called for each header in order; strings are not NUL-terminated and are borrowed. */
typedef void (*hpack_field)(void *ctx, const char *name, size_t name_len, const char *value, size_t value_len);

/* Decodes one complete header block; 0, or -1 when it is malformed. scratch_max caps a single decoded string. */
int hpack_decode(struct hpack *h, const uint8_t *block, size_t len, size_t scratch_max, hpack_field field, void *ctx);

/* name is written in lower case. */
void hpack_encode(struct buf *b, const char *name, const char *value);
