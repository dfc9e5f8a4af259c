/* What every fuzz_X.c has: the entry point that libFuzzer and replay.c call, and a check that names what broke.
 *
 * An input may do anything but break a promise of the header it is fed to: those promises are FUZZ_CHECKs, memory
 * errors are the sanitizers' business. */
#pragma once

#include "base/cleanup.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(promise)                                                                                            \
    do {                                                                                                               \
        if (!(promise)) {                                                                                              \
            (void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise);                        \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A text that the input holds line by line. A NUL is not part of any line. */
struct fuzz_lines {
    const char *at;
    size_t left;
};

/* The next line as a string of the caller's, cut at its first NUL; "" when there are no more. */
static inline char *fuzz_line(struct fuzz_lines *lines)
{
    const char *end = lines->left ? memchr(lines->at, '\n', lines->left) : NULL;
    size_t len = end ? (size_t)(end - lines->at) : lines->left;
    char *line = xstrndup(lines->left ? lines->at : "", len);

    lines->at += end ? len + 1 : len;
    lines->left -= end ? len + 1 : len;
    return line;
}

/* One line of text: what a person or a log reads has no control bytes. */
static inline int fuzz_is_one_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return 0;
    return 1;
}
