/* Scans for long document ids beside the passes: at most a few at a time, the rest queued, results kept for a while.
 *
 * A pass asks for a scan and looks at how far it is; neither blocks. A scan that failed is taken up again, where it
 * was, when it is asked for later. Nothing survives the process: a new one scans anew. */
#pragma once

#include "azure/gateway.h"
#include "cmk/evidence.h"

#define SCANNER_MAX_JOBS 100000 /* known at a time, finished ones included; beyond it nothing is begun */

struct scanner;

struct scanner_options {
    /* Makes the gateway of an account; called on a thread of the scanner, for each job. *ret: the scanner's. cancel is
     * the job's, to be used by all requests of the gateway too. See scan_access.h. */
    int (*open)(void *ctx, const char *account_id, struct http_cancel *cancel, struct gateway **ret, struct err *err);
    void *ctx;
    int jobs;              /* at a time; 0: 2 */
    int threads;           /* of each; 0: 4 */
    int64_t ru_per_second; /* of each; 0: no limit */
    int64_t keep_ms;       /* results; 0: 24 h */
    int64_t retry_ms; /* how long a failure stands before the scan is taken up again; 0: 10 min; a tenth for what heals
                         by itself */
    int64_t (*now_ms)(void); /* NULL: the system's monotonic clock */
};

/* No thread runs until a scan is asked for. */
struct scanner *scanner_new(const struct scanner_options *options);
/* Ends what runs within a second, joins, frees. Accepts and returns NULL. */
struct scanner *scanner_stop(struct scanner *scanner);
DEFINE_CLEANUP(struct scanner *, scanner_stop)

/* Sees to it that the account is scanned: does nothing when it is queued, in work, or has a result that is still good.
 * Ids compare without case. */
void scanner_want(struct scanner *scanner, const char *account_id);
/* What is known: CMK_SCAN_NONE when nothing was asked for or kept; CMK_SCAN_RUNNING also while it is queued, and with
 * offenders as soon as there are some. The caller frees *ret with its evidence (cmk_evidence_done, or
 * scanner_look_done).
 */
void scanner_look(struct scanner *scanner, const char *account_id, struct cmk_scan_evidence *ret);
void scanner_look_done(struct cmk_scan_evidence *evidence);
/* Drops the result, or ends the scan: because the resource is gone, or somebody has removed the offenders. */
void scanner_forget(struct scanner *scanner, const char *account_id);
