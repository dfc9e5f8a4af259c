/* A replica: a process that is started again whenever it ends, and what pkg/base gives to it (clocks, random numbers,
 * environment, files, log), each of its own.
 *
 * The invariant: what a process does after it was killed reaches nobody. */
#include "cluster/cluster.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/trim.h"
#include "controller/app.h"
#include "controller/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RESTART_MS 3000 /* at least */

int __wrap_kill(pid_t pid, int number);
unsigned __wrap_alarm(unsigned seconds);
int __wrap_gethostname(char *name, size_t size);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);

struct process *process_current(void)
{
    return fiber_runs() && the_cluster && fiber_own_group()->mono_ms ? (struct process *)fiber_own_group() : NULL;
}

/* ---- pkg/base/clock.h ---- */

static int64_t own_now(void)
{
    return fiber_now() + fiber_own_group()->ahead_ms;
}

int64_t clock_mono_ms(void)
{
    return own_now() + fiber_own_group()->mono_ms;
}

int64_t clock_boot_ms(void)
{
    return clock_mono_ms() + 77777;
}

int64_t clock_wall_ms(void)
{
    return process_current() ? own_now() + fiber_own_group()->wall_ms : cluster_wall();
}

int64_t clock_wall_us(void)
{
    return clock_wall_ms() * 1000;
}

void clock_sleep_ms(int64_t ms)
{
    fiber_sleep(ms);
}

/* ---- pkg/base/random.h ---- */

void random_bytes(void *p, size_t len)
{
    for (unsigned char *at = p; len > 0; len--)
        *at++ = (unsigned char)fiber_random();
}

uint64_t random_below(uint64_t bound)
{
    return fiber_below(bound);
}

void random_uuid(char ret[static UUID_SIZE])
{
    uint64_t a = fiber_random(), b = fiber_random();

    (void)snprintf(ret, UUID_SIZE, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
        (unsigned)a & 0xfff, (unsigned)(b >> 52), (unsigned long long)b & 0xffffffffffffULL);
}

/* ---- pkg/base/env.h, file.h, trim.h ---- */

const char *env_get(const char *name)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"KUBECONFIG", "/sim/kubeconfig"},
        {"AZURE_TENANT_ID", "10000000-0000-4000-8000-000000000001"},
        {"AZURE_CLIENT_ID", "10000000-0000-4000-8000-000000000002"},
        {"AZURE_CLIENT_SECRET", SECRET_MARK "-client"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].name, name))
            return rows[i].value;
    return NULL;
}

int file_read(const char *path, struct buf *b, struct err *err)
{
    if (!str_eq(path, "/sim/kubeconfig"))
        return err_set(err, ERR_NOT_FOUND, "%s: there are no files here", path);
    buf_puts(b, "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"sim\","
                "\"clusters\":[{\"name\":\"sim\",\"cluster\":{\"server\":\"" KUBE_URL "\"}}],"
                "\"users\":[{\"name\":\"sim\",\"user\":{\"token\":\"" SECRET_MARK "-kube\"}}],"
                "\"contexts\":[{\"name\":\"sim\",\"context\":{\"cluster\":\"sim\",\"user\":\"sim\",\"namespace\":"
                "\"cosmoscmk\"}}]}");
    return 0;
}

void memory_setup(void)
{
}

void memory_trim(void)
{
}

/* ---- pkg/base/log.h ---- */

void log_setup(enum log_level threshold _unused_, enum log_format format _unused_)
{
}

bool log_level_parse(const char *s _unused_, enum log_level *ret _unused_)
{
    return true;
}

bool log_format_parse(const char *s _unused_, enum log_format *ret _unused_)
{
    return true;
}

bool log_enabled(enum log_level level)
{
    const struct process *p = process_current();

    return p && !p->group.dead && level >= LOG_INFO;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    struct process *p = process_current();
    _cleanup_(buf_done) struct buf line = BUF_INIT(65536);

    for (size_t i = 0; i < n; i++)
        if (fields[i].s)
            oracle_secret(p->cluster, "a log line", fields[i].s);
    if (level == LOG_ERROR && strstr(message, "please report"))
        violation(p->cluster, "%s", message);
    if (!p->cluster->trace)
        return;
    for (size_t i = 0; i < n; i++)
        if (fields[i].s)
            buf_printf(&line, " %s=%s", fields[i].key, fields[i].s);
        else
            buf_printf(&line, " %s=%lld", fields[i].key, (long long)fields[i].i);
    note(p->cluster, "%s%s", message, buf_str(&line));
}

/* ---- signals ---- */

void process_signal(struct process *p)
{
    fiber_wake(&p->alarm_at);
}

int __wrap_kill(pid_t pid, int number)
{
    struct process *p = process_current();

    if (pid != getpid() || number != APP_SIGNAL_LOST)
        abort();
    p->lost = true;
    process_signal(p);
    return 0;
}

static void ring(void *ctx)
{
    struct process *p = ctx;

    fiber_sleep(p->alarm_at - fiber_now());
    if (!p->ended && !p->group.dead)
        process_kill(p, "its alarm rings");
}

unsigned __wrap_alarm(unsigned seconds)
{
    struct process *p = process_current();

    if (p->group.dead)
        return 0;
    p->alarm_at = fiber_now() + (int64_t)seconds * 1000;
    (void)fiber_start(NULL, ring, p, false);
    return 0;
}

int __wrap_gethostname(char *name, size_t size)
{
    const struct process *p = process_current();

    (void)str_copy(name, size, p ? p->name : "world");
    return 0;
}

static int pending(const struct process *p)
{
    return p->terminated || p->group.dead ? SIGTERM : p->lost ? APP_SIGNAL_LOST : 0;
}

int __wrap_sigtimedwait(const sigset_t *set _unused_, siginfo_t *info _unused_, const struct timespec *timeout)
{
    struct process *p = process_current();
    int64_t until = own_now() + (int64_t)timeout->tv_sec * 1000;

    while (!pending(p) && own_now() < until)
        (void)fiber_wait(&p->alarm_at, until);
    if (pending(p))
        return pending(p);
    errno = EAGAIN;
    return -1;
}

/* ---- life ---- */

void process_kill(struct process *p, const char *why)
{
    if (p->group.dead || p->ended)
        return;
    note(p->cluster, "%s is killed: %s", p->name, why);
    p->cluster->crashes++;
    fiber_kill(&p->group);
    process_signal(p);
}

static void add_arg(struct process *p, const char *text)
{
    p->args[p->arg_count++] = xstrdup(text);
}

static void run_main(void *ctx)
{
    struct process *p = ctx;

    (void)cmd_controller(p->arg_count, p->args);
}

static struct process *process_new(struct cluster *c, int slot)
{
    struct process *p = xcalloc(1, sizeof(*p));

    p->number = (unsigned)c->n_processes + 1;
    p->cluster = c;
    p->slot = slot;
    p->server = (int)((unsigned)slot % MAX_SERVERS);
    p->seen = xcalloc(MAX_ACCOUNTS, sizeof(*p->seen));
    (void)snprintf(p->name, sizeof(p->name), "replica-%d-%u", slot, p->number);
    uint64_t dice = c->plan.seed + (uint64_t)slot;
    p->group.mono_ms = 1000000 * (slot + 1) + 1000 * (int64_t)p->number;
    p->group.wall_ms = cluster_wall() - fiber_now();
    if (c->plan.skew)
        p->group.wall_ms += (int64_t)(fiber_mix(&dice) % (uint64_t)(2 * c->plan.skew + 1)) - c->plan.skew;
    _cleanup_(freep) char *workers = xasprintf("--workers=%d", c->plan.workers);
    add_arg(p, "controller");
    add_arg(p, workers);
    add_arg(p, "--probe-address=");
    if (!c->plan.elect)
        add_arg(p, "--leader-elect=false");
    c->processes = xrealloc(c->processes, (c->n_processes + 1) * sizeof(struct process *));
    c->processes[c->n_processes++] = p;
    return p;
}

static void supervise(void *ctx)
{
    struct process **slot = ctx;
    struct cluster *c = the_cluster;
    int number = (int)(slot - c->running);

    while (!c->ending) {
        struct process *p = process_new(c, number);
        *slot = p;
        note(c, "%s starts", p->name);
        p->main = fiber_start(&p->group, run_main, p, true);
        fiber_join(p->main);
        while (p->group.n > 0)
            (void)fiber_wait(&p->group, FIBER_NEVER);
        p->ended = true;
        *slot = NULL;
        note(c, "%s has ended", p->name);
        for (int i = 0; i < p->arg_count; i++)
            free(p->args[i]);
        if (!c->ending)
            fiber_sleep(RESTART_MS + (int64_t)fiber_below(4000));
    }
}

void replica_start(struct cluster *c, int slot)
{
    (void)fiber_start(NULL, supervise, &c->running[slot], false);
}
