/* The thread that sweeps (controller/sweep.h): once when told to begin, then at every interval. */
#pragma once

#include "controller/sweep.h"

struct sweeper;

/* The sweep is borrowed and must outlive the sweeper. */
struct sweeper *sweeper_start(struct sweep *sweep, int64_t interval_ms);
/* The store is complete and passes are being made: sweeping may begin. Any thread; again has no effect. */
void sweeper_begin(struct sweeper *sweeper);
/* Requests in flight must have been cancelled by the caller. Accepts and returns NULL. */
struct sweeper *sweeper_stop(struct sweeper *sweeper);
