#include "e2e/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 10000
#define POLL_MS 5
#define LINE_BYTES 2000
#define OUTPUT_MAX (8 << 20)

struct process {
    pid_t pid;
    bool ended;
    int status;
};

static _Noreturn void give_up(const char *what, const char *which)
{
    (void)fprintf(stderr, "cannot %s %s: %s\n", what, which, strerror(errno));
    exit(1);
}

static int open_output(const char *path)
{
    int fd = open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        give_up("write to", path ? path : "/dev/null");
    return fd;
}

static bool is_overridden(const char *entry, const char *const *env)
{
    for (; *env; env++) {
        size_t name = strcspn(*env, "=");
        if (strncmp(entry, *env, name) == 0 && entry[name] == '=')
            return true;
    }
    return false;
}

/* Ours without what the spec names, and then what the spec sets; of two entries for a name the later counts. The
 * strings stay where they are. */
static char **make_environment(const char *const *env)
{
    size_t n = 0, ours = 0;

    while (environ[ours])
        ours++;
    char **ret = xcalloc(ours + PROCESS_MAX_ENV + 1, sizeof(*ret));
    for (size_t i = 0; i < ours; i++)
        if (!is_overridden(environ[i], env))
            ret[n++] = environ[i];
    for (; *env; env++)
        if (strchr(*env, '=') && !is_overridden(*env, env + 1))
            ret[n++] = (char *)*env;
    return ret;
}

/* In the child, between fork and exec, of a program that has threads: system calls only. */
static _Noreturn void become(char *const *argv, char **env, int out, int err, pid_t parent)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int in = open("/dev/null", O_RDONLY);
    if (getppid() != parent || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    (void)execvpe(argv[0], argv, env);
    _exit(127);
}

struct process *process_start(const struct process_spec *spec)
{
    struct process *process = xcalloc(1, sizeof(*process));
    char **env = make_environment(spec->env);
    int out = open_output(spec->out), err = spec->err ? open_output(spec->err) : out;
    pid_t parent = getpid();

    process->pid = fork();
    if (process->pid == 0)
        become((char *const *)spec->argv, env, out, err, parent);
    if (process->pid < 0)
        give_up("start", spec->name);
    (void)close(out);
    if (err != out)
        (void)close(err);
    free(env);
    return process;
}

pid_t process_pid(const struct process *process)
{
    return process->pid;
}

bool process_wait(struct process *process, int64_t timeout_ms, int *ret_status)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    int status = 0;

    while (!process->ended) {
        if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
            process->ended = true;
            process->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        } else if (clock_mono_ms() >= deadline) {
            return false;
        } else {
            clock_sleep_ms(POLL_MS);
        }
    }
    if (ret_status)
        *ret_status = process->status;
    return true;
}

void process_signal(struct process *process, int number)
{
    if (!process->ended)
        (void)kill(process->pid, number);
}

struct process *process_kill(struct process *process)
{
    if (!process)
        return NULL;
    process_signal(process, SIGKILL);
    if (!process->ended)
        (void)waitpid(process->pid, NULL, 0);
    free(process);
    return NULL;
}

struct process *process_end(struct process *process)
{
    if (!process)
        return NULL;
    process_signal(process, SIGTERM);
    (void)process_wait(process, GRACE_MS, NULL);
    return process_kill(process);
}

int process_run(const struct process_spec *spec, int64_t timeout_ms, struct buf *ret_output)
{
    char path[] = "/tmp/cosmoscmk-e2e-out-XXXXXX";
    struct process_spec with_file = *spec;
    struct err err = ERR_INIT;
    int status = -1;

    int fd = mkstemp(path);
    if (fd < 0)
        give_up("make", path);
    (void)close(fd);
    with_file.out = path;
    with_file.err = NULL;
    struct process *process = process_start(&with_file);
    if (!process_wait(process, timeout_ms, &status))
        status = -1;
    (void)process_kill(process);
    *ret_output = BUF_INIT(OUTPUT_MAX);
    if (file_read(path, ret_output, &err) < 0)
        status = -1;
    (void)unlink(path);
    return status;
}

void print_tail(const char *heading, const char *path, size_t max, FILE *out)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(64 << 20);
    struct err err = ERR_INIT;

    if (!path || file_read(path, &text, &err) < 0 || text.len == 0)
        return;
    const char *at = text.data + (text.len > max ? text.len - max : 0);
    (void)fprintf(out, "---- %s%s\n", heading, at == text.data ? "" : " (its end)");
    while (*at) {
        size_t len = strcspn(at, "\n");
        (void)fprintf(out, "    %.*s\n", (int)(len > LINE_BYTES ? LINE_BYTES : len), at);
        at += len + (at[len] == '\n');
    }
}
