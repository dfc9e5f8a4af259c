/* A folder of files for one test, removed at its end. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline char *scratch_new(void)
{
    const char *base = "/tmp";
    char *dir = xasprintf("%s/kube-test-XXXXXX", base);

    if (!mkdtemp(dir))
        abort();
    return dir;
}

static inline char *scratch_path(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

/* mode 0: an ordinary file. */
static inline void scratch_write(const char *dir, const char *name, const char *text, mode_t mode)
{
    char *path = scratch_path(dir, name);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || (mode && chmod(path, mode) != 0))
        abort();
    free(path);
}

/* Files and folders one level deep. */
static inline void scratch_remove(char *dir)
{
    DIR *d = opendir(dir);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *path = scratch_path(dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path) < 0)
            scratch_remove(xstrdup(path));
        free(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
    free(dir);
}

/* Replaces each '@' in text by the folder. The caller frees it. */
static inline char *scratch_expand(const char *dir, const char *text)
{
    struct buf b = BUF_INIT(1 << 20);

    for (; *text; text++) {
        if (*text == '@')
            buf_puts(&b, dir);
        else
            buf_putc(&b, *text);
    }
    return buf_take(&b);
}
