/* What a pass tells people as events: one for each transition that it has written, none for a look that found nothing
 * new. Pure.
 *
 * The shell calls cmk_events_add() after each effect was folded in and after the conclusion of CMK_REST, and hands the
 * list out once the status that holds these transitions is written. The words:
 *
 *   - a change of Ready's reason: that reason. Reasons come from cmk/reasons.h, whether it warns from the rules' phase
 *     (Stalled does), so there is no second list. "Starting" is too short to be news;
 *   - a change that Azure accepted: the reason that Ready has while it runs (Encrypting, PreparingIdentity,
 *     GrantingAccess), with the step as action;
 *   - what conditions do not show as a reason of Ready: the rows of cmk_event_row() beyond those of the rules. */
#pragma once

#include "cmk/view.h"

#define CMK_NOTE_SIZE 1025 /* events.k8s.io/v1 takes 1024 bytes */
#define CMK_MAX_EVENTS 8

struct cmk_event {
    const char *reason;
    const char *action; /* the step's type, or "Reconcile" */
    bool warning;
    char note[CMK_NOTE_SIZE];
};

struct cmk_events {
    struct cmk_event list[CMK_MAX_EVENTS];
    size_t n;
};

/* view is what it is after the effect; view->resource->status what the pass found. */
void cmk_events_add(struct cmk_events *events, const struct cmk_view *view, const struct cmk_step *step);

/* The kinds of events, for documentation. */
struct cmk_event_row {
    const char *reason;
    const char *action; /* NULL: the type of the step that it is about, such as EnableKey */
    bool warning;
    const char *meaning;
};
/* Row i; false past the end. */
bool cmk_event_row(size_t i, struct cmk_event_row *ret);
