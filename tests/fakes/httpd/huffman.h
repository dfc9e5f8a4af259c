/* The Huffman code of HPACK (RFC 7541, appendix B), decoding only. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

/* Appends to ret; -1 when the bytes are not a valid code (bad padding, the end-of-string symbol). */
int huffman_decode(const uint8_t *data, size_t len, struct buf *ret);
