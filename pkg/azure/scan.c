/* The scan as a whole: who does what next, and what is known of it from outside.
 *
 * The threads take work from one state under one lock and hold it only between requests. The first failure ends all of
 * them; what they had in work stays in the state as far as it was read, which then is the position to resume from. */
#include "azure/scan.h"

#include "azure/scan_private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/cancel.h"

#include <string.h>

#define DEFAULT_THREADS 4
#define MAX_THREADS 64
#define DEFAULT_PAGE_SIZE 1000
#define DEFAULT_PATIENCE_MS 600000

static int64_t system_now(void *ctx)
{
    (void)ctx;
    return clock_mono_ms();
}

static bool system_wait(void *ctx, int64_t ms)
{
    return http_cancel_wait(ctx, ms);
}

static int clamp(int value, int fallback, int max)
{
    if (value <= 0)
        return fallback;
    return value < max ? value : max;
}

int scan_new(struct scan **ret, struct gateway *gateway, const struct scan_options *options, struct err *err)
{
    struct scan *scan = xcalloc(1, sizeof(*scan));

    scan->gateway = gateway;
    scan->cancel = options->cancel;
    scan->events = options->events;
    scan->clock = options->clock
                      ? *options->clock
                      : (struct scan_clock){.now_ms = system_now, .wait = system_wait, .ctx = options->cancel};
    scan->threads = clamp(options->threads, DEFAULT_THREADS, MAX_THREADS);
    scan->patience_ms = options->patience_ms > 0 ? options->patience_ms : DEFAULT_PATIENCE_MS;
    scan_pace_init(&scan->pace, options->ru_per_second, clamp(options->page_size, DEFAULT_PAGE_SIZE, DEFAULT_PAGE_SIZE),
        scan->clock.now_ms(scan->clock.ctx));
    (void)pthread_mutex_init(&scan->lock, NULL);
    (void)pthread_cond_init(&scan->changed, NULL);
    if (options->position && scan_state_parse(&scan->state, options->position, gateway_endpoint(gateway), err) < 0) {
        (void)scan_free(scan);
        return -1;
    }
    *ret = scan;
    return 0;
}

struct scan *scan_free(struct scan *scan)
{
    if (!scan)
        return NULL;
    scan_state_done(&scan->state);
    (void)pthread_cond_destroy(&scan->changed);
    (void)pthread_mutex_destroy(&scan->lock);
    free(scan);
    return NULL;
}

/* --- the work --- */

/* With the lock held. True when there is something to do; false: all is done, or it is over. */
static bool take_work(struct scan *scan, struct scan_container **ret_container, struct scan_range **ret_range)
{
    for (;;) {
        if (scan->failed)
            return false;
        if (scan_state_next(&scan->state, ret_container, ret_range))
            return true;
        if (scan->in_work == 0)
            return false;
        (void)pthread_cond_wait(&scan->changed, &scan->lock);
    }
}

static void fail(struct scan *scan, const struct err *err)
{
    if (scan->failed)
        return;
    scan->failed = true;
    scan->err = *err;
}

static void *work(void *ctx)
{
    struct scan *scan = ctx;
    struct scan_container *container;
    struct scan_range *range;

    (void)pthread_mutex_lock(&scan->lock);
    while (take_work(scan, &container, &range)) {
        struct err err = ERR_INIT;
        scan->in_work++;
        (void)pthread_mutex_unlock(&scan->lock);
        int r = range ? scan_read(scan, container, range, &err) : scan_open(scan, container, &err);
        (void)pthread_mutex_lock(&scan->lock);
        scan->in_work--;
        if (r < 0)
            fail(scan, &err);
        (void)pthread_cond_broadcast(&scan->changed);
    }
    (void)pthread_mutex_unlock(&scan->lock);
    return NULL;
}

static void work_together(struct scan *scan)
{
    pthread_t threads[MAX_THREADS];
    int n = 0;

    while (n < scan->threads - 1 && pthread_create(&threads[n], NULL, work, scan) == 0)
        n++; /* with fewer threads it only takes longer */
    (void)work(scan);
    while (n > 0)
        (void)pthread_join(threads[--n], NULL);
}

int scan_run(struct scan *scan, struct err *err)
{
    if (scan_list(scan, err) < 0)
        return -1;
    work_together(scan);
    if (!scan->failed)
        return 0;
    if (err)
        *err = scan->err;
    return -1;
}

/* --- from outside --- */

void scan_look(struct scan *scan, struct scan_progress *ret)
{
    (void)pthread_mutex_lock(&scan->lock);
    *ret = (struct scan_progress){
        .listed = scan->listed,
        .databases = scan->databases,
        .containers = (int64_t)scan->state.n,
        .ranges = scan->state.ranges_done,
        .ranges_done = scan->state.ranges_done,
        .documents = scan->state.documents,
        .offenders = scan->state.offenders,
        .skipped = scan->skipped,
        .requests = scan->requests,
        .throttled = scan->throttled,
        .charge_milli = scan->state.charge_milli,
    };
    for (size_t i = 0; i < scan->state.n; i++) {
        const struct scan_container *container = scan->state.containers[i];
        ret->containers_done += container->state == CONTAINER_DONE || container->state == CONTAINER_SKIPPED;
        ret->ranges += container->state == CONTAINER_SKIPPED ? 0 : (int64_t)container->n_ranges;
    }
    (void)pthread_mutex_unlock(&scan->lock);
}

char *scan_position(struct scan *scan)
{
    (void)pthread_mutex_lock(&scan->lock);
    char *text = scan_state_print(&scan->state, gateway_endpoint(scan->gateway));
    (void)pthread_mutex_unlock(&scan->lock);
    return text;
}

/* --- ids for people --- */

/* Length of the character at s, or 1 for a byte that is none. */
static size_t step(const char *s, size_t len)
{
    size_t n = utf8_sequence(s, len);

    return n ? n : 1;
}

/* The longest beginning of at most max bytes that ends between characters. */
static size_t head_of(const char *s, size_t len, size_t max)
{
    size_t n = 0;

    while (n < len && n + step(s + n, len - n) <= max)
        n += step(s + n, len - n);
    return n;
}

static bool is_control(const char *s, size_t n)
{
    if (n == 0)
        return false;
    unsigned char a = (unsigned char)s[0], b = n > 1 ? (unsigned char)s[1] : 0;

    return a < ' ' || a == 0x7f || (n == 1 && a >= 0x80) || (n == 2 && a == 0xC2 && b < 0xA0);
}

static char *put(char *to, const char *s, size_t len)
{
    for (size_t n; len > 0; s += n, len -= n) {
        n = step(s, len);
        if (is_control(s, n)) {
            *to++ = '?';
            continue;
        }
        memcpy(to, s, n);
        to += n;
    }
    return to;
}

void scan_shorten(const char *id, size_t len, char ret[static SCAN_ID_TEXT_SIZE])
{
    static const char dots[] = "...";
    size_t room = SCAN_ID_TEXT_SIZE - 1, half = (room - strlen(dots)) / 2;
    char *to = ret;

    if (len <= room) {
        *put(to, id, len) = '\0';
        return;
    }
    size_t head = head_of(id, len, half + 1), tail = len - half;
    while (tail < len && ((unsigned char)id[tail] & 0xC0) == 0x80)
        tail++;
    to = put(to, id, head);
    to = put(to, dots, strlen(dots));
    *put(to, id + tail, len - tail) = '\0';
}
