/* Answers that are sent later, by the main thread, which has nothing else to do but to wait for a signal.
 *
 * Invariant: every exchange that was given here is replied to or aborted, at the latest by fake_later_shut. */
#include "fakes/fake_common_later.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct waiting {
    struct waiting *next;
    struct httpd_exchange *exchange;
    int64_t due_ms; /* monotonic; -1: never */
    struct fake_reply reply;
};

struct fake_later {
    pthread_mutex_t lock;
    struct waiting *list;
    bool shut;
    int wake_fd;
};

struct fake_later *fake_later_new(void)
{
    struct fake_later *later = xcalloc(1, sizeof(*later));

    (void)pthread_mutex_init(&later->lock, NULL);
    later->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return later;
}

struct fake_later *fake_later_free(struct fake_later *later)
{
    if (!later)
        return NULL;
    (void)close(later->wake_fd);
    (void)pthread_mutex_destroy(&later->lock);
    free(later);
    return NULL;
}

static void waiting_end(struct waiting *w, bool answer)
{
    if (answer)
        fake_reply_send(&w->reply, w->exchange);
    else
        httpd_abort(w->exchange);
    fake_reply_done(&w->reply);
    free(w);
}

static void add(struct fake_later *later, struct waiting *w)
{
    httpd_hold(w->exchange);
    (void)pthread_mutex_lock(&later->lock);
    bool shut = later->shut;
    if (!shut) {
        w->next = later->list;
        later->list = w;
    }
    (void)pthread_mutex_unlock(&later->lock);
    if (shut)
        waiting_end(w, false);
    else
        (void)eventfd_write(later->wake_fd, 1);
}

void fake_later_reply(
    struct fake_later *later, struct httpd_exchange *exchange, struct fake_reply *reply, int64_t delay_ms)
{
    struct waiting *w = xcalloc(1, sizeof(*w));

    w->exchange = exchange;
    w->due_ms = clock_mono_ms() + delay_ms;
    w->reply = *reply;
    *reply = FAKE_REPLY_INIT;
    add(later, w);
}

void fake_later_hold(struct fake_later *later, struct httpd_exchange *exchange)
{
    struct waiting *w = xcalloc(1, sizeof(*w));

    w->exchange = exchange;
    w->due_ms = -1;
    w->reply = FAKE_REPLY_INIT;
    add(later, w);
}

/* Takes one that is due, or that has lost its peer, out of the list; else NULL and how long the next one has to wait
 * (-1: nothing waits for a time). */
static struct waiting *take_due(struct fake_later *later, int64_t now, int64_t *ret_wait_ms)
{
    struct waiting *found = NULL;

    *ret_wait_ms = -1;
    (void)pthread_mutex_lock(&later->lock);
    for (struct waiting **at = &later->list; *at; at = &(*at)->next) {
        struct waiting *w = *at;
        if ((w->due_ms >= 0 && w->due_ms <= now) || httpd_gone(w->exchange)) {
            *at = w->next;
            found = w;
            break;
        }
        if (w->due_ms >= 0 && (*ret_wait_ms < 0 || w->due_ms - now < *ret_wait_ms))
            *ret_wait_ms = w->due_ms - now;
    }
    (void)pthread_mutex_unlock(&later->lock);
    return found;
}

void fake_later_run(struct fake_later *later)
{
    struct pollfd fds[2] = {{.fd = later->wake_fd, .events = POLLIN}, {.events = POLLIN}};
    eventfd_t ignored;
    int64_t wait_ms;
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    fds[1].fd = signalfd(-1, &signals, SFD_CLOEXEC);
    for (;;) {
        struct waiting *w = take_due(later, clock_mono_ms(), &wait_ms);
        if (w) {
            waiting_end(w, w->due_ms >= 0);
            continue;
        }
        int n = poll(fds, 2, wait_ms < 0 || wait_ms > 60000 ? 60000 : (int)wait_ms);
        if ((n < 0 && errno != EINTR) || (n > 0 && fds[1].revents))
            break;
        (void)eventfd_read(later->wake_fd, &ignored);
    }
    (void)close(fds[1].fd);
}

void fake_later_shut(struct fake_later *later)
{
    (void)pthread_mutex_lock(&later->lock);
    struct waiting *list = TAKE_PTR(later->list);
    later->shut = true;
    (void)pthread_mutex_unlock(&later->lock);
    while (list) {
        struct waiting *w = list;
        list = w->next;
        waiting_end(w, false);
    }
}
