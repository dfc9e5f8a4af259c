/* How fast a scan may go: a budget of request units per second, and a page size that follows the account's throttling.
 * Pure; not thread-safe. Private to this folder. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct scan_pace {
    int64_t budget;        /* thousandths of a request unit per second; 0: no limit */
    int64_t balance_milli; /* what may be used now; below 0 after an expensive page */
    int64_t at_ms;         /* when balance was reckoned */
    int page_size, page_max;
    int good; /* pages since the size was changed last */
};

void scan_pace_init(struct scan_pace *pace, int64_t ru_per_second, int page_max, int64_t now_ms);
/* How long until the next request may be sent; 0: now. */
int64_t scan_pace_wait_ms(struct scan_pace *pace, int64_t now_ms);
void scan_pace_charge(struct scan_pace *pace, int64_t charge_milli, int64_t now_ms);
void scan_pace_good(struct scan_pace *pace);
/* The account has throttled, or was too slow. */
void scan_pace_bad(struct scan_pace *pace);
/* The pause before the nth repetition (from 0) when the peer asked for asked_ms (-1: did not say). */
int64_t scan_pace_backoff_ms(int nth, int64_t asked_ms);
