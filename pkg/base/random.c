#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *p, size_t len)
{
    unsigned char *at = p;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0)
            continue; /* EINTR: anything else is impossible with these arguments */
        at += n;
        len -= (size_t)n;
    }
}

uint64_t random_below(uint64_t bound)
{
    uint64_t n;

    if (bound == 0)
        return 0;
    random_bytes(&n, sizeof(n));
    return n % bound;
}

void random_uuid(char ret[static UUID_SIZE])
{
    unsigned char b[16];

    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
        b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
