/* Whole files, with a cap. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends the file's content to b, whose cap applies. Errors name the path: ERR_NOT_FOUND, ERR_FORBIDDEN,
 * ERR_TOO_LARGE, ERR_INVALID (anything else that the system says). */
int file_read(const char *path, struct buf *b, struct err *err);
