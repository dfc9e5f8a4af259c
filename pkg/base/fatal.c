/* One write of a line that was put together on the stack, so that it is whole beside those of other threads, and comes
 * out when there is no memory for a stream's buffer either. */
#include "base/fatal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256

void fatal(const char *what, int error)
{
    char line[LINE_MAX_BYTES], words[128] = "";
    const char *said = error ? strerror_r(error, words, sizeof(words)) : "";
    int n = snprintf(line, sizeof(line), "cosmoscmk: %s%s%s\n", what, error ? ": " : "", said);

    if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
        abort(); /* nowhere left to say it */
    abort();
}
