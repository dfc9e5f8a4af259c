#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static int fail(struct err *err, const char *path, int error)
{
    enum err_kind kind = error == ENOENT ? ERR_NOT_FOUND : error == EACCES ? ERR_FORBIDDEN : ERR_INVALID;

    return err_set(err, kind, "cannot read %s: %s", path, strerror(error));
}

int file_read(const char *path, struct buf *b, struct err *err)
{
    _cleanup_(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char chunk[8192];

    if (fd < 0)
        return fail(err, path, errno);
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, path, errno);
        if (n == 0)
            break;
        buf_add(b, chunk, (size_t)n);
        if (b->overflow)
            return err_set(err, ERR_TOO_LARGE, "%s is larger than the %zu bytes allowed", path, b->max);
    }
    explicit_bzero(chunk, sizeof(chunk)); /* it may have been a token */
    return 0;
}
