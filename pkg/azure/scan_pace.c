/* What a page costs is known only afterwards, so the budget is kept by going into debt and waiting until it is paid. */
#include "azure/scan_pace.h"

#define PAGE_MIN 10
#define GOOD_BEFORE_GROWTH 20
#define BACKOFF_BASE_MS 500
#define BACKOFF_MAX_MS 30000
#define ASKED_MAX_MS 60000

void scan_pace_init(struct scan_pace *pace, int64_t ru_per_second, int page_max, int64_t now_ms)
{
    int64_t budget = ru_per_second * 1000;

    *pace = (struct scan_pace){
        .budget = budget, .balance_milli = budget, .at_ms = now_ms, .page_size = page_max, .page_max = page_max};
}

/* At most one second's worth is saved up. */
static void reckon(struct scan_pace *pace, int64_t now_ms)
{
    int64_t passed = now_ms > pace->at_ms ? now_ms - pace->at_ms : 0;

    pace->at_ms = now_ms;
    if (passed > 3600000) /* debt of more than an hour is forgiven rather than multiplied */
        pace->balance_milli = pace->budget;
    else
        pace->balance_milli += pace->budget * passed / 1000;
    if (pace->balance_milli > pace->budget)
        pace->balance_milli = pace->budget;
}

int64_t scan_pace_wait_ms(struct scan_pace *pace, int64_t now_ms)
{
    if (pace->budget == 0)
        return 0;
    if (now_ms > pace->at_ms)
        reckon(pace, now_ms);
    return pace->balance_milli > 0 ? 0 : -pace->balance_milli * 1000 / pace->budget + 1;
}

void scan_pace_charge(struct scan_pace *pace, int64_t charge_milli, int64_t now_ms)
{
    if (pace->budget == 0)
        return;
    reckon(pace, now_ms);
    pace->balance_milli -= charge_milli;
}

void scan_pace_good(struct scan_pace *pace)
{
    if (pace->page_size == pace->page_max || ++pace->good < GOOD_BEFORE_GROWTH)
        return;
    pace->good = 0;
    pace->page_size = pace->page_size > pace->page_max / 2 ? pace->page_max : pace->page_size * 2;
}

void scan_pace_bad(struct scan_pace *pace)
{
    int least = pace->page_max < PAGE_MIN ? pace->page_max : PAGE_MIN;

    pace->good = 0;
    pace->page_size = pace->page_size / 2 > least ? pace->page_size / 2 : least;
}

int64_t scan_pace_backoff_ms(int nth, int64_t asked_ms)
{
    int64_t ms = nth < 6 ? (int64_t)BACKOFF_BASE_MS << nth : BACKOFF_MAX_MS;

    if (asked_ms >= 0)
        return asked_ms < ASKED_MAX_MS ? asked_ms + 1 : ASKED_MAX_MS;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}
