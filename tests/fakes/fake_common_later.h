/* Answers that are sent later, or never. Private to fakes_common; locks by itself. */
#pragma once

#include "fakes/fake_common.h"

struct fake_later;

struct fake_later *fake_later_new(void);
struct fake_later *fake_later_free(struct fake_later *later); /* accepts and returns NULL */
/* Both hold the exchange. The reply's content is taken over. */
void fake_later_reply(
    struct fake_later *later, struct httpd_exchange *exchange, struct fake_reply *reply, int64_t delay_ms);
void fake_later_hold(struct fake_later *later, struct httpd_exchange *exchange);
/* Sends what is due until SIGTERM or SIGINT, which must be blocked in every thread. */
void fake_later_run(struct fake_later *later);
/* Aborts everything that waits. What is added afterwards is aborted at once. */
void fake_later_shut(struct fake_later *later);
