/* A scene that is disturbed: the controller is killed at one request, started again at once, and in the end everything
 * must be as if nothing had happened.
 *
 * The scene itself does not know. The runner (crash_run.c) says in the environment what is wanted:
 *
 *     E2E_LIST=1        print the scenes ("0 name", or "- name: why not") and end
 *     E2E_SCENE=N       run only this one
 *     E2E_PIDFILE=FILE  the controller runs under e2e_keeper
 *     E2E_RECORD=PATH   undisturbed: write PATH.end, how it ended, and PATH.points, every request that the controller
 * made E2E_EXPECT=PATH   disturbed: compare with PATH.end E2E_POINT=JSON    at which request (a line of PATH.points)
 * the controller is killed, and E2E_WHEN=before   before it has had its effect; or "after", with the answer lost
 *
 * What is compared: the status of every resource, every account and every other resource of Azure, and what Azure was
 * sent and took, in order. Masked, because it may differ: points in time, and names that are made up at random. Events
 * may be lost with the process that had not told them yet; there may be none that would not have been without. */
#pragma once

#include "e2e/harness.h"

/* What the environment says, or NULL. */
const char *crash_scene(void);
const char *crash_pid_file(void);
bool crash_lists(void);
/* Whether this process is one of the runner's, disturbed or not. */
bool crash_is_on(void);

/* Plants the rule that kills, if this run has one at that fake. */
void crash_arm_azure(struct world *w);
void crash_arm_apiserver(void);
/* At the end of the scene: waits until nothing moves any more, then writes or compares. */
void crash_settle(struct world *w);
/* Of a fake's journal: the requests that a rule has killed before they had an effect are as good as never made. */
void crash_forget_killed(cJSON *journal);

/* ---- record.c ---- */

/* The end state as lines of text, with what may differ masked. The caller frees it. */
char *record_end(struct world *w);
/* The events of the test's namespace, one a line, sorted; without those that only tell of a lost
 * answer, or of waiting. */
char *record_events(struct world *w);
/* Every request of the controller to the fakes, as a point to kill it at: one JSON object a line, {"side", "match"}. */
char *record_points(struct world *w);
/* Requests of the controller that the fakes have seen, on either side. */
int record_requests(struct world *w);
/* Masks times, GUIDs and the like in place. */
void record_mask(char *text);
