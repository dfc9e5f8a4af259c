/* What the files behind scan.h share. Private to this folder. */
#pragma once

#include "azure/scan.h"
#include "azure/scan_pace.h"
#include "azure/scan_state.h"

#include <pthread.h>

#define SCAN_MAX_SAME_CONTINUATION 16
#define SCAN_MAX_RELISTS 50
#define SCAN_MAX_LIST_PAGES 10000

struct scan {
    struct gateway *gateway;
    struct http_cancel *cancel;
    struct scan_events events;
    struct scan_clock clock;
    int threads;
    int64_t patience_ms;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct scan_state state;
    struct scan_pace pace;
    bool listed;
    int64_t databases, skipped, requests, throttled;
    int in_work;
    bool failed;
    struct err err; /* why; the first one counts */
};

/* One page, as often as it takes: throttling, outages and timeouts are waited out, as long as the options allow. */
int scan_ask(struct scan *scan, const struct gateway_question *question, struct gateway_page *page, struct err *err);
/* Databases and containers into the state. */
int scan_list(struct scan *scan, struct err *err);
/* The ranges of a container that was taken from scan_state_next. */
int scan_open(struct scan *scan, struct scan_container *container, struct err *err);
/* A range that was taken from scan_state_next, to its end, to the scan's, or to a split. */
int scan_read(struct scan *scan, struct scan_container *container, struct scan_range *range, struct err *err);

/* Counts and tells; with the lock held. */
void scan_skip(struct scan *scan, const char *database, const char *container, const struct err *why);
bool scan_stopped(struct scan *scan); /* takes the lock */
/* Waits; true when the scan was cancelled. */
bool scan_wait(struct scan *scan, int64_t ms);
