/* Sweeps: settled resources are looked at together, by one list of each subscription's accounts, instead of one by one.
 *
 * A settled resource is Ready, nothing of it is open or asked for, and only Azure can bring news of it. A sweep reads
 * the accounts of a subscription and runs the very rules over each settled resource with what the list says of its
 * account; where a pass would change nothing, that was the pass. Everything else (an account that differs, that is not
 * listed, that cannot be read; a list that fails) gets a pass of its own, which reads the account itself. So a list can
 * only ever spare a read: nothing is written, sent or published because of one.
 *
 * A subscription is covered while its sweeps succeed; its settled resources then need no timer of their own. One with
 * few of them is not worth a list. */
#pragma once

#include "controller/reconcile.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep_options {
    struct reconciler *reconciler;               /* borrowed: its ports, options and store */
    size_t least;                                /* settled resources that make a subscription worth a list; 0: 8 */
    size_t jobs;                                 /* lists at the same time; 0: 4; at most 16 */
    void (*enqueue)(void *ctx, const char *key); /* asks for a pass; any thread */
    void *ctx;
};

struct sweep_result {
    size_t settled;   /* resources found settled */
    size_t confirmed; /* of them, by a list */
    size_t queued;    /* resources that a pass was asked for */
    size_t lists, failed_lists;
};

struct sweep;
struct sweep *sweep_new(const struct sweep_options *options);
struct sweep *sweep_free(struct sweep *sweep); /* accepts and returns NULL */
DEFINE_CLEANUP(struct sweep *, sweep_free)

/* One sweep over everything in the store. The first one asks for a pass for whatever it does not confirm, so that
 * nothing need be queued before it. Blocks for as long as the lists take; one thread at a time. */
struct sweep_result sweep_round(struct sweep *sweep);
/* The account's subscription is covered. Any thread. */
bool sweep_covers(void *sweep, const char *account_id);
