/* Small allocations that abort on exhaustion.
 *
 * A controller that cannot allocate a few bytes cannot do its job; a crash and a restart lose nothing here, because
 * every fact that matters is in Kubernetes or Azure. So a NULL from these functions is impossible. What a peer can size
 * goes into a struct buf with a cap instead (base/buf.h). */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
/* NULL gives NULL. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) _printf_(1, 2);

/* Frees *slot and puts a copy of s (or NULL) there. s may point into *slot. */
void str_replace(char **slot, const char *s);
