/* process_*: what Prometheus' client libraries tell of every process, from /proc. */
#include "controller/metrics_private.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void collect_cpu(void *ctx _unused_, struct metric *metric)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_set(metric, NULL, seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
}

/* The n-th number of /proc/self/statm, in pages. */
static void collect_pages(struct metric *metric, int n)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(4096);
    long pages = 0;

    if (file_read("/proc/self/statm", &text, NULL) < 0)
        return;
    char *at = text.data;
    for (int i = 0; at && i <= n; i++)
        pages = strtol(at, &at, 10);
    metric_set(metric, NULL, (double)pages * (double)sysconf(_SC_PAGESIZE));
}

static void collect_virtual(void *ctx _unused_, struct metric *metric)
{
    collect_pages(metric, 0);
}

static void collect_resident(void *ctx _unused_, struct metric *metric)
{
    collect_pages(metric, 1);
}

static void collect_start(void *ctx, struct metric *metric)
{
    metric_set(metric, NULL, (double)((struct app_metrics *)ctx)->started_ms / 1000);
}

static void collect_open(void *ctx _unused_, struct metric *metric)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    metric_set(metric, NULL, n - 1); /* without the one that has just been used to count */
}

static void collect_max(void *ctx _unused_, struct metric *metric)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(metric, NULL, (double)limit.rlim_cur);
}

void metrics_process_register(struct app_metrics *m)
{
    const struct metric_desc families[] = {
        {"process_cpu_seconds_total", "Time spent on a processor, user and system.", METRIC_COUNTER,
            .collect = collect_cpu},
        {"process_resident_memory_bytes", "Memory in use.", METRIC_GAUGE, .collect = collect_resident},
        {"process_virtual_memory_bytes", "Address space in use.", METRIC_GAUGE, .collect = collect_virtual},
        {"process_start_time_seconds", "When the process started, in seconds since 1970.", METRIC_GAUGE,
            .collect = collect_start},
        {"process_open_fds", "Open file descriptors.", METRIC_GAUGE, .collect = collect_open},
        {"process_max_fds", "File descriptors that may be open.", METRIC_GAUGE, .collect = collect_max},
    };

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct metric_desc desc = families[i];
        desc.ctx = m;
        (void)metrics_add(m->registry, &desc);
    }
}
