/* e2e_keeper PIDFILE PROGRAM ARG...: runs the program as kubelet runs a container: when it is killed, it is started
 * again, once. Its pid is in the file before its first instruction, for the fault rules of the fakes that kill.
 *
 * Every other end is ours too, with the same status; SIGTERM is passed on, and when we die the program does. */
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_RUN 127

static volatile sig_atomic_t child, told_to_stop;

static void pass_on(int number)
{
    told_to_stop = 1;
    if (child > 0)
        (void)kill(child, number);
}

/* In the child. The file is replaced in one step, because somebody may be reading it. */
static _Noreturn void become(const char *pid_file, char **argv, pid_t parent)
{
    char text[32], fresh[4096];
    int len = snprintf(text, sizeof(text), "%d", (int)getpid());

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGTERM, SIG_DFL);
    if (getppid() != parent || (size_t)snprintf(fresh, sizeof(fresh), "%s.new", pid_file) >= sizeof(fresh))
        _exit(CANNOT_RUN);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) < 0 || rename(fresh, pid_file) < 0)
        _exit(CANNOT_RUN);
    (void)execvp(argv[0], argv);
    _exit(CANNOT_RUN);
}

/* The status as waitpid() gives it. */
static int run(const char *pid_file, char **argv)
{
    pid_t parent = getpid();
    int status = 0;

    child = fork();
    if (child == 0)
        become(pid_file, argv, parent);
    if (child < 0) {
        perror("e2e_keeper: fork");
        return CANNOT_RUN << 8;
    }
    if (told_to_stop)
        (void)kill(child, SIGTERM);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    child = 0;
    return status;
}

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = pass_on};

    if (argc < 3) {
        (void)fprintf(stderr, "usage: e2e_keeper PIDFILE PROGRAM [ARG]...\n");
        return 2;
    }
    (void)sigaction(SIGTERM, &action, NULL);
    int status = run(argv[1], argv + 2);
    if (was_killed(status) && told_to_stop)
        return 0; /* it had been told to end, and has */
    if (was_killed(status)) {
        status = run(argv[1], argv + 2);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && told_to_stop)
            return 0; /* so early that it had not even begun to listen to signals */
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
