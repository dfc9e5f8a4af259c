/* Keeping the process small. */
#pragma once

/* To be called once, before any thread is started: one heap for all threads, so that what one of them frees another can
 * use. A process that mostly waits loses nothing by it. */
void memory_setup(void);

/* Gives back what is not needed now: free memory of the heap, and the pages of programs and libraries that nobody has
 * written to. The latter are the kernel's file cache anyway: the next use maps them again, those that only the start
 * needed (most of the libraries that libcurl brings along) stay out. For quiet moments: after a start, after a list.
 * Safe from any thread, at any time. */
void memory_trim(void);
