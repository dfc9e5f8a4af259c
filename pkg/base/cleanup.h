/* Ownership by scope.
 *
 *     _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
 *     _cleanup_(freep) char *name = xstrdup("x");
 *     *ret_name = TAKE_PTR(name);      // hand over: the scope no longer owns it
 */
#pragma once

#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _unused_ __attribute__((unused))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _must_check_ __attribute__((warn_unused_result))

#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) taken_ = (p);                                                                                    \
        (p) = NULL;                                                                                                    \
        taken_;                                                                                                        \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* For _cleanup_ on anything that came from malloc. The argument is the address of the pointer. */
static inline void freep(void *p)
{
    free(*(void **)p);
}

/* DEFINE_CLEANUP(struct x *, x_free) makes x_freep() for _cleanup_. The destructor must accept NULL. */
#define DEFINE_CLEANUP(type, destructor)                                                                               \
    static inline _unused_ void destructor##p(type *p)                                                                 \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            (void)destructor(*p);                                                                                      \
    }
