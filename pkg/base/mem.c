#include "base/mem.h"

#include "base/fatal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p)
        fatal("out of memory", 0);
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return s ? checked(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return checked(strndup(s, n));
}

char *xasprintf(const char *format, ...)
{
    char *s = NULL;
    va_list args;

    va_start(args, format);
    int r = vasprintf(&s, format, args);
    va_end(args);
    return checked(r < 0 ? NULL : s);
}

void str_replace(char **slot, const char *s)
{
    char *copy = xstrdup(s);

    free(*slot);
    *slot = copy;
}
