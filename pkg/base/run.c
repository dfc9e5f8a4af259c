/* A child process with pipes, a deadline and a way to be called off.
 *
 * posix_spawn and not fork: other threads hold locks. The child leads a process group of its own, so that a program
 * that is a shell script goes together with what it has started. It is always reaped here. */
#include "base/run.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 50

struct child {
    pid_t pid;
    int out, errors; /* our ends of the pipes; -1: none */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int spawn_error(const struct run *run, int error, struct err *err)
{
    return err_set(
        err, error == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "cannot run %s: %s", run->argv[0], strerror(error));
}

/* The child starts with default signals and an empty mask, whatever this process has arranged for itself. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setpgroup(attributes, 0);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

static int spawn(const struct run *run, int out, int errors, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (errors >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    (void)posix_spawnattr_init(&attributes);
    set_attributes(&attributes);
    int error =
        posix_spawnp(ret, run->argv[0], &actions, &attributes, run->argv, run->envp ? run->envp : (char **)environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start(const struct run *run, struct child *ret, struct err *err)
{
    int out[2] = {-1, -1}, errors[2] = {-1, -1}, error = 0;

    if (pipe2(out, O_CLOEXEC) < 0 || (run->errors && pipe2(errors, O_CLOEXEC) < 0))
        error = errno;
    else
        error = spawn(run, out[1], errors[1], &ret->pid);
    close_end(&out[1]);
    close_end(&errors[1]);
    ret->out = out[0];
    ret->errors = errors[0];
    if (error == 0)
        return 0;
    close_end(&ret->out);
    close_end(&ret->errors);
    return spawn_error(run, error, err);
}

static int may_go_on(const struct run *run, int64_t deadline_ms, struct err *err)
{
    if (run->stopped && run->stopped(run->ctx))
        return err_set(err, ERR_CANCELLED, "%s was stopped, because we are stopping", run->argv[0]);
    if (clock_mono_ms() >= deadline_ms)
        return err_set(
            err, ERR_TIMEOUT, "%s did not end within %lld s", run->argv[0], (long long)(run->timeout_ms / 1000));
    return 0;
}

/* What there is to read now, into b or, when b is full, nowhere. Closes the end when the child has closed its own. */
static void take(int *fd, short events, struct buf *b)
{
    char chunk[4096];

    if (*fd < 0 || !(events & (POLLIN | POLLHUP | POLLERR)))
        return;
    ssize_t n = read(*fd, chunk, sizeof(chunk));
    if (n > 0)
        buf_add(b, chunk, (size_t)n);
    else if (n == 0 || errno != EINTR)
        close_end(fd);
    secret_wipe(chunk, sizeof(chunk));
}

/* Until the child closes both. */
static int read_all(const struct run *run, struct child *child, int64_t deadline_ms, struct buf *out, struct err *err)
{
    while (child->out >= 0 || child->errors >= 0) {
        if (may_go_on(run, deadline_ms, err) < 0)
            return -1;
        struct pollfd fds[] = {{.fd = child->out, .events = POLLIN}, {.fd = child->errors, .events = POLLIN}};
        if (poll(fds, ARRAY_LEN(fds), SLICE_MS) <= 0)
            continue;
        take(&child->out, fds[0].revents, out);
        take(&child->errors, fds[1].revents, run->errors);
        if (out->overflow)
            return err_set(err, ERR_TOO_LARGE, "%s printed more than %zu bytes", run->argv[0], out->max);
    }
    return 0;
}

static int wait_for_end(const struct run *run, pid_t pid, int64_t deadline_ms, int *ret_status, struct err *err)
{
    int status = 0;
    int64_t pause_ms = 1;

    for (;;) {
        pid_t r = waitpid(pid, &status, WNOHANG);
        if (r == pid)
            break;
        if (r < 0 && errno != EINTR)
            return err_set(err, ERR_INTERNAL, "%s: cannot wait for it: %s", run->argv[0], strerror(errno));
        if (may_go_on(run, deadline_ms, err) < 0)
            return -1;
        clock_sleep_ms(pause_ms);
        pause_ms = pause_ms < SLICE_MS ? pause_ms * 2 : SLICE_MS;
    }
    *ret_status = status;
    return 0;
}

int run_program(const struct run *run, struct buf *out, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + run->timeout_ms;
    struct child child = {.pid = -1, .out = -1, .errors = -1};
    int status = 0;

    if (start(run, &child, err) < 0)
        return -1;
    int r = read_all(run, &child, deadline_ms, out, err);
    close_end(&child.out);
    close_end(&child.errors);
    if (r < 0 || wait_for_end(run, child.pid, deadline_ms, &status, err) < 0) {
        (void)kill(-child.pid, SIGKILL); /* what is left of the group, if anything */
        while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -1;
    }
    if (WIFSIGNALED(status))
        return err_set(err, ERR_UNAVAILABLE, "%s was ended by signal %d", run->argv[0], WTERMSIG(status));
    return WEXITSTATUS(status);
}
