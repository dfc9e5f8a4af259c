#include "base/secret.h"

#include "base/fatal.h"
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define STRIKE_MIN 8

/* Each secret has pages of its own, so that MADV_DONTDUMP covers it and nothing else. */
struct secret {
    atomic_int refs;
    size_t len;
    size_t mapped;
    char bytes[];
};

struct secret *secret_new(const char *bytes, size_t len)
{
    size_t mapped = (sizeof(struct secret) + len + 1 + 4095) & ~(size_t)4095;
    struct secret *s = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED)
        fatal("out of memory for a secret", errno);
    (void)madvise(s, mapped, MADV_DONTDUMP);
    atomic_init(&s->refs, 1);
    s->len = len;
    s->mapped = mapped;
    if (len)
        memcpy(s->bytes, bytes, len);
    s->bytes[len] = '\0';
    return s;
}

struct secret *secret_ref(struct secret *s)
{
    if (s)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

struct secret *secret_unref(struct secret *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return NULL;
    size_t mapped = s->mapped;
    secret_wipe(s, mapped);
    (void)munmap(s, mapped);
    return NULL;
}

const char *secret_reveal(const struct secret *s)
{
    return s->bytes;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

void secret_strike(const struct secret *s, char *bytes, size_t len)
{
    if (!s || s->len < STRIKE_MIN)
        return;
    for (char *at; len >= s->len && (at = memmem(bytes, len, s->bytes, s->len));) {
        memset(at, '*', s->len);
        len -= (size_t)(at - bytes) + s->len;
        bytes = at + s->len;
    }
}

void secret_wipe(void *p, size_t len)
{
    if (p)
        explicit_bzero(p, len);
}
