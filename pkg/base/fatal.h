/* The end of a program that cannot go on, with a sentence. */
#pragma once

/* "cosmoscmk: WHAT: the system's word for error" on standard error (error 0: WHAT alone), then abort(). For what only
 * fails for want of memory, threads or descriptors, where going on would mean half a program, and nothing is lost by a
 * restart (base/mem.h says why). Allocates nothing. */
_Noreturn void fatal(const char *what, int error);
