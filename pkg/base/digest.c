#include "base/digest.h"

#include "base/fatal.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

void digest_sha256_hex(const void *data, size_t len, char ret[static DIGEST_HEX_SIZE])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (EVP_Digest(data, len, md, &n, EVP_sha256(), NULL) != 1 || n != 32)
        fatal("OpenSSL cannot make a SHA-256", 0); /* out of memory, or broken */
    for (unsigned int i = 0; i < n; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", md[i]);
}
