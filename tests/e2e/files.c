#include "e2e/files.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS 5
#define OPEN_FOLDERS 16

static _Noreturn void give_up(const char *what, const char *which)
{
    (void)fprintf(stderr, "cannot %s %s: %s\n", what, which, strerror(errno));
    exit(1);
}

char *make_scratch(const char *parent)
{
    const char *tmp = env_get("TMPDIR");
    /* Not mkdtemp(): its letters can make up what a token begins with, and the path comes up in logs that are searched.
     */
    char *path = xasprintf("%s/cosmoscmk-e2e-%012llx",
        parent ? parent
        : tmp  ? tmp
               : "/tmp",
        (unsigned long long)random_below(1ULL << 48));

    if (mkdir(path, 0700) < 0)
        give_up("make", path);
    return path;
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_, struct FTW *at _unused_)
{
    (void)remove(path);
    return 0;
}

void remove_tree(const char *dir)
{
    if (dir)
        (void)nftw(dir, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        give_up("write", path);
}

char *await_line(const char *path, struct process *process, int64_t timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        _cleanup_(buf_done) struct buf text = BUF_INIT(65536);
        struct err err = ERR_INIT;
        if (file_read(path, &text, &err) == 0 && text.len > 0)
            return xstrndup(text.data, strcspn(text.data, "\n"));
        if (process_wait(process, POLL_MS, NULL) || clock_mono_ms() >= deadline)
            return NULL;
    }
}

int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        give_up("find", "a free port");
    (void)close(fd);
    return ntohs(address.sin_port);
}
