/* Who leads, by one Lease object: the algorithm of client-go (tools/leaderelection), as a pure state machine.
 *
 * It is told the time, what the Lease holds, and how its writes went; it says what to do next and until when we may
 * act. Two promises, and what they stand on:
 *
 *   - Nobody takes over from a holder before it has seen no change of the Lease for the holder's whole lease duration,
 *     on its own monotonic clock. Times that others wrote are compared as text and never read, so that clocks of
 *     different machines need not agree.
 *   - A leader may act until renew_deadline after the moment at which its last successful write was BEGUN. The server
 *     stored that write later than that, others saw it later still, and they wait lease_duration, which is longer.
 *
 * Both clocks only have to run at about the same speed, and to go on while the machine is suspended: times are
 * clock_boot_ms(). A process that stood still finds its lease invalid when it wakes, without having to do anything.
 *
 * What it cannot see through: a person who empties holderIdentity or deletes the Lease while somebody leads. A
 * candidate that has seen the present holder waits out a deletion; one that has not takes what is free. The leader
 * finds out when it renews, within a retry_period.
 *
 * Differences from client-go: the retry period of a candidate is lengthened by up to a fifth (there: to 2.2 times), and
 * it looks again at the very moment at which the lease runs out, so that a hand-over takes less than 1.2 retry periods.
 * An impossible lease duration in the Lease counts as our own, so that nothing that somebody wrote locks out for ever.
 * The deadline counts from the begin of the last good write and not from that of the first bad one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_TEXT_SIZE 64
#define LEASE_HOLDER_SIZE 320 /* a host name of 253 bytes, "_", a UUID; longer ones are cut, which does no harm */

/* spec of a Lease; what is absent or of another type is "" or 0. */
struct lease_record {
    char holder[LEASE_HOLDER_SIZE]; /* "": free */
    char acquire_time[LEASE_TEXT_SIZE];
    char renew_time[LEASE_TEXT_SIZE];
    int64_t duration_s;
    int64_t transitions;
};

/* All in milliseconds; lease_duration > renew_deadline > 1.2 * retry_period > 0. */
struct elector_options {
    const char *identity; /* unique to this process; borrowed */
    int64_t lease_duration;
    int64_t renew_deadline;
    int64_t retry_period;
};

enum elector_state {
    ELECTOR_STANDS_BY,
    ELECTOR_LEADS,
    ELECTOR_LOST, /* for good: it could not renew in time, or another holds the Lease */
};

enum elector_action {
    ELECTOR_SLEEP,  /* until at */
    ELECTOR_READ,   /* then elector_read() or elector_failed() */
    ELECTOR_CREATE, /* there is no Lease: make one with record; then elector_wrote() or elector_failed() */
    ELECTOR_WRITE,  /* record, on condition that the Lease is still the one that was last read or written; same */
    ELECTOR_END,    /* the leadership is lost */
};

struct elector_step {
    enum elector_action action;
    int64_t at;      /* for ELECTOR_SLEEP */
    int64_t timeout; /* of the request */
    bool fresh;      /* the last one failed: not over the same connection */
    struct lease_record record;
};

/* Why a request brought nothing. */
enum elector_failure {
    ELECTOR_REFUSED, /* it had no effect: another was faster, or the server did not want it */
    ELECTOR_UNKNOWN, /* it may have had one */
};

struct elector {
    struct elector_options o;
    enum elector_state state;
    /* The Lease as last seen, and since when it has been like that, by our clock. */
    bool seen;
    bool absent; /* it is gone; record is what it was */
    struct lease_record record;
    int64_t seen_at;
    int64_t valid_until; /* 0: we do not lead */
    int64_t begun_at;    /* of the request under way */
    int64_t wake_at;
    int64_t written_us; /* what our last renewTime said */
    bool must_read;     /* before anything is written */
    bool hurried;       /* looked again without waiting, once */
    bool fresh;
    bool creating;              /* the write under way is a creation */
    bool unsure_creation;       /* one of ours may still arrive */
    bool late_creation;         /* one did, after another held the Lease: it is ours by name only */
    struct lease_record wanted; /* by the write under way */
};

void elector_init(struct elector *e, const struct elector_options *options);

/* now: clock_boot_ms(); wall: for the times that people read in the Lease; dice: anything from 0 to 999, drawn anew. To
 * be called again after each result and at the end of each sleep. */
struct elector_step elector_next(struct elector *e, int64_t now, int64_t wall, unsigned dice);

/* record NULL: there is no Lease. */
void elector_read(struct elector *e, int64_t now, const struct lease_record *record);
/* The write or creation succeeded. */
void elector_wrote(struct elector *e, int64_t now);
/* retry_after: what the server asked for, or -1. dice as above. */
void elector_failed(struct elector *e, int64_t now, enum elector_failure how, int64_t retry_after, unsigned dice);

/* Until when, exclusively, we may act as the leader; 0 when we do not lead. */
int64_t elector_valid_until(const struct elector *e);
/* What gives the Lease back, once everything that it guarded has stopped. To be written only while we lead. */
struct lease_record elector_release(const struct elector *e, int64_t wall);
