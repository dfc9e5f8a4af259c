/* The process around a fake: signals, death with the parent, certificates, the ready file.
 *
 * Invariant: a fake listens on loopback only, and whoever waits for the ready file finds it whole or not at all. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int die_with_parent(struct err *err)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return err_set(err, ERR_INTERNAL, "cannot ask to end with the parent: %s", strerror(errno));
    /* The parent may have ended before the call: then no signal will ever come. */
    if (getppid() != parent)
        return err_set(err, ERR_CANCELLED, "the parent has ended already");
    return 0;
}

int fake_process_start(struct fake_process *process, struct err *err)
{
    sigset_t signals;

    if (!str_has_prefix(process->address, "127.") && !str_eq(process->address, "::1"))
        return err_set(err, ERR_INVALID, "--address must be a loopback address, not \"%s\"", process->address);
    if (process->port > 65535)
        return err_set(err, ERR_INVALID, "--port must be at most 65535");
    if (str_empty(process->tls_dir))
        return err_set(err, ERR_INVALID, "--tls-dir is required");
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (process->parent_death && die_with_parent(err) < 0)
        return -1;
    (void)snprintf(process->cert_file, sizeof(process->cert_file), "%s/server.pem", process->tls_dir);
    (void)snprintf(process->key_file, sizeof(process->key_file), "%s/server.key", process->tls_dir);
    return fake_tls_generate(process->tls_dir, err);
}

int fake_process_ready(const struct fake_process *process, const char *base_url, struct err *err)
{
    printf("%s\n", base_url);
    (void)fflush(stdout);
    if (!process->ready_file)
        return 0;
    _cleanup_(freep) char *temporary = xasprintf("%s.%ld", process->ready_file, (long)getpid());
    FILE *f = fopen(temporary, "we");
    if (!f)
        return err_set(err, ERR_INVALID, "cannot write %s: %s", temporary, strerror(errno));
    bool written = fprintf(f, "%s\n", base_url) > 0;
    if (fclose(f) != 0 || !written || rename(temporary, process->ready_file) < 0)
        return err_set(err, ERR_INVALID, "cannot write %s: %s", process->ready_file, strerror(errno));
    return 0;
}
