/* Randomness from the kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UUID_SIZE 37

void random_bytes(void *p, size_t len);
/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t random_below(uint64_t bound);
/* A version 4 UUID (RFC 9562) in lower case, with NUL. */
void random_uuid(char ret[static UUID_SIZE]);
