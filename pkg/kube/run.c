/* A child process with a pipe, a deadline and a way to be called off.
 *
 * posix_spawn and not fork: other threads hold locks. The child leads a process group of its own, so that a plugin that
 * is a shell script goes together with what it has started. It is always reaped here. */
#include "kube/run.h"

#include "base/clock.h"

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
    int out; /* our end of the pipe */
};

static int spawn_error(const struct kube_run *run, int error, struct err *err)
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

static int start(const struct kube_run *run, struct child *ret, struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return spawn_error(run, errno, err);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawnattr_init(&attributes);
    set_attributes(&attributes);
    int error = posix_spawnp(&ret->pid, run->argv[0], &actions, &attributes, run->argv, run->envp);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    ret->out = ends[0];
    if (error == 0)
        return 0;
    (void)close(ends[0]);
    return spawn_error(run, error, err);
}

static int may_go_on(const struct kube_run *run, int64_t deadline_ms, struct err *err)
{
    if (run->cancel && http_cancel_triggered(run->cancel))
        return err_set(err, ERR_CANCELLED, "%s was stopped, because we are stopping", run->argv[0]);
    if (clock_mono_ms() >= deadline_ms)
        return err_set(
            err, ERR_TIMEOUT, "%s did not end within %lld s", run->argv[0], (long long)(run->timeout_ms / 1000));
    return 0;
}

/* Until the child closes its standard output. */
static int read_all(
    const struct kube_run *run, const struct child *child, int64_t deadline_ms, struct buf *out, struct err *err)
{
    char chunk[4096];

    for (;;) {
        if (may_go_on(run, deadline_ms, err) < 0)
            return -1;
        struct pollfd fd = {.fd = child->out, .events = POLLIN};
        if (poll(&fd, 1, SLICE_MS) <= 0)
            continue;
        ssize_t n = read(child->out, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        buf_add(out, chunk, (size_t)n);
        if (out->overflow)
            return err_set(err, ERR_TOO_LARGE, "%s printed more than %zu bytes", run->argv[0], out->max);
    }
    explicit_bzero(chunk, sizeof(chunk));
    return 0;
}

static int wait_for_end(const struct kube_run *run, pid_t pid, int64_t deadline_ms, struct err *err)
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
    if (WIFSIGNALED(status))
        return err_set(err, ERR_UNAUTHORIZED, "%s was ended by signal %d", run->argv[0], WTERMSIG(status));
    if (WEXITSTATUS(status) == 127) /* the loader's or a shell's word for it */
        return err_set(err, ERR_NOT_FOUND, "%s, or a program that it uses, was not found", run->argv[0]);
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_UNAUTHORIZED, "%s failed with exit status %d; its own words are on standard error",
            run->argv[0], WEXITSTATUS(status));
    return 0;
}

int kube_run(const struct kube_run *run, struct buf *out, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + run->timeout_ms;
    struct child child;

    if (start(run, &child, err) < 0)
        return -1;
    int r = read_all(run, &child, deadline_ms, out, err);
    (void)close(child.out);
    if (r == 0 && wait_for_end(run, child.pid, deadline_ms, err) == 0)
        return 0;
    (void)kill(-child.pid, SIGKILL); /* what is left of the group, if anything */
    while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return -1;
}
