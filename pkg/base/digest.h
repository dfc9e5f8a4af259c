/* SHA-256, by OpenSSL. */
#pragma once

#include <stddef.h>

#define DIGEST_HEX_SIZE 65

/* Lower-case hexadecimal with NUL. */
void digest_sha256_hex(const void *data, size_t len, char ret[static DIGEST_HEX_SIZE]);
