/* A folder of files for one test, removed at its end. */
#pragma once

#include "base/cleanup.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static _unused_ char *folder_new(void)
{
    char *dir = xstrdup("/tmp/cosmoscmk-test-XXXXXX");

    if (!mkdtemp(dir))
        abort();
    return dir;
}

static _unused_ char *folder_free(char *dir)
{
    DIR *d = dir ? opendir(dir) : NULL;

    for (struct dirent *e; d && (e = readdir(d));)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        (void)closedir(d);
    if (dir)
        (void)rmdir(dir);
    free(dir);
    return NULL;
}
DEFINE_CLEANUP(char *, folder_free)

/* Returns the path, which the caller frees. mode 0: an ordinary file. */
static _unused_ char *folder_write(const char *dir, const char *name, const void *data, size_t len, mode_t mode)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0 || (mode && chmod(path, mode) != 0))
        abort();
    return path;
}
