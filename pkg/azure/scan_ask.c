/* One question, asked until it is answered or patience ends. */
#include "azure/scan_private.h"

bool scan_stopped(struct scan *scan)
{
    (void)pthread_mutex_lock(&scan->lock);
    bool stopped = scan->failed;
    (void)pthread_mutex_unlock(&scan->lock);
    return stopped || (scan->cancel && http_cancel_triggered(scan->cancel));
}

bool scan_wait(struct scan *scan, int64_t ms)
{
    return ms > 0 && scan->clock.wait(scan->clock.ctx, ms);
}

static int cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "the scan was stopped");
}

/* Waits for the budget. Gives the page size to ask for; 0: stopped. */
static int take_turn(struct scan *scan)
{
    for (;;) {
        if (scan_stopped(scan))
            return 0;
        (void)pthread_mutex_lock(&scan->lock);
        int64_t wait_ms = scan_pace_wait_ms(&scan->pace, scan->clock.now_ms(scan->clock.ctx));
        int size = scan->pace.page_size;
        (void)pthread_mutex_unlock(&scan->lock);
        if (wait_ms == 0)
            return size;
        if (scan_wait(scan, wait_ms < 1000 ? wait_ms : 1000)) /* another's failure is heard of within a second */
            return 0;
    }
}

static bool is_worth_repeating(const struct err *err, int substatus)
{
    if (err->kind == ERR_GONE) /* a partition that moves is there again soon; one that was split is not */
        return substatus != GATEWAY_RANGE_GONE;
    return err->kind == ERR_THROTTLED || err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT;
}

static void account_for(struct scan *scan, const struct gateway_page *page, const struct err *err)
{
    (void)pthread_mutex_lock(&scan->lock);
    scan->requests++;
    scan->state.charge_milli += page->charge_milli;
    scan_pace_charge(&scan->pace, page->charge_milli, scan->clock.now_ms(scan->clock.ctx));
    if (!err)
        scan_pace_good(&scan->pace);
    else if (err->kind == ERR_THROTTLED || err->kind == ERR_TIMEOUT)
        scan_pace_bad(&scan->pace);
    scan->throttled += err && err->kind == ERR_THROTTLED;
    (void)pthread_mutex_unlock(&scan->lock);
}

int scan_ask(struct scan *scan, const struct gateway_question *question, struct gateway_page *page, struct err *err)
{
    int64_t began = scan->clock.now_ms(scan->clock.ctx);
    struct gateway_question q = *question;

    *page = (struct gateway_page){0};
    for (int attempt = 0;; attempt++) {
        int size = take_turn(scan);
        if (size == 0)
            return cancelled(err);
        q.page_size = q.what == GATEWAY_QUERY ? size : 0;
        gateway_page_done(page);
        *err = ERR_INIT;
        int r = gateway_ask(scan->gateway, &q, page, err);
        account_for(scan, page, r < 0 ? err : NULL);
        if (r == 0 || !is_worth_repeating(err, page->substatus))
            return r;
        int64_t wait_ms = scan_pace_backoff_ms(attempt, err->retry_after_ms);
        if (scan->clock.now_ms(scan->clock.ctx) + wait_ms - began > scan->patience_ms)
            return err_wrap(err, "the account has not answered for too long");
        if (scan_wait(scan, wait_ms))
            return cancelled(err);
    }
}
